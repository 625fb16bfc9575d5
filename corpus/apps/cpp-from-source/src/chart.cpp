#include "chart.h"

#include <jansson.h>
#include <zlib.h>

int buoys_of(const std::string &path) {
    json_error_t error;
    json_t *chart = json_load_file(path.c_str(), 0, &error);
    if (chart == nullptr) {
        return -1;
    }
    int count = static_cast<int>(json_array_size(json_object_get(chart, "buoys")));
    json_decref(chart);
    return count;
}

unsigned long checksum(const std::string &text) {
    return crc32(0L, reinterpret_cast<const Bytef *>(text.data()), static_cast<uInt>(text.size()));
}
