#include "chart.h"

#include <iostream>

int main(int argc, char **argv) {
    std::string path = argc > 1 ? argv[1] : "north.json";
    int count = buoys_of(path);
    if (count < 0) {
        std::cerr << "no chart at " << path << std::endl;
        return 1;
    }
    std::cout << count << " buoys are lit, checksum " << checksum(path) << std::endl;
    return 0;
}
