#include <format>
#include <iostream>

int main() {
    std::cout << std::format("{} gulls on the pier\n", 11);
}
