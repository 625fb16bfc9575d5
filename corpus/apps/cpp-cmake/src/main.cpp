#include <iostream>

#include "packing.h"

int main() {
    const std::string signal(900, '.');
    std::cout << "the beacon packs " << signal.size() << " dots\n";
    return packed_size(signal) < signal.size() ? 0 : 1;
}
