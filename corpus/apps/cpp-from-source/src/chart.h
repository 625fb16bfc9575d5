#pragma once

#include <string>

/// How many buoys a chart lists; -1 where it cannot be read.
int buoys_of(const std::string &path);

/// The checksum that the harbour office prints beside the count.
unsigned long checksum(const std::string &text);
