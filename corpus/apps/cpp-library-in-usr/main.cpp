#include <jansson.h>

#include <iostream>

int main() {
    json_t *depths = json_pack("[i, i, i]", 4, 9, 17);
    std::cout << json_array_size(depths) << " soundings with jansson " << jansson_version_str() << std::endl;
    json_decref(depths);
    return 0;
}
