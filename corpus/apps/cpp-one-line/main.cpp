#include <fstream>
#include <iostream>
#include <string>

int main() {
    std::ifstream table("tides.txt");
    std::string harbour;
    int count = 0;
    while (std::getline(table, harbour)) {
        ++count;
    }
    std::cout << "high water in " << count << " harbours\n";
    return count == 0;
}
