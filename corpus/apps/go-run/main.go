package main

import "fmt"

func main() {
	for _, p := range primes(50) {
		fmt.Println("prime:", p)
	}
}
