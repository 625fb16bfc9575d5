#include "packing.h"

#include <vector>
#include <zlib.h>

std::size_t packed_size(const std::string &text) {
    uLongf size = compressBound(text.size());
    std::vector<Bytef> packed(size);
    compress(packed.data(), &size, reinterpret_cast<const Bytef *>(text.data()), text.size());
    return size;
}
