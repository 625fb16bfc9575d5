#pragma once

#include <string>

std::size_t packed_size(const std::string &text);
