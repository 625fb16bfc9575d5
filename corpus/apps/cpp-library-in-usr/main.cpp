#include <cjson/cJSON.h>

#include <iostream>

int main() {
    const int depths[] = {4, 9, 17};
    cJSON *soundings = cJSON_CreateIntArray(depths, 3);
    std::cout << cJSON_GetArraySize(soundings) << " soundings with cJSON " << cJSON_Version() << std::endl;
    cJSON_Delete(soundings);
    return 0;
}
