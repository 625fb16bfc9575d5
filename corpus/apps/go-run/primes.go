package main

func primes(limit int) []int {
	var found []int
next:
	for n := 2; n <= limit; n++ {
		for _, p := range found {
			if n%p == 0 {
				continue next
			}
		}
		found = append(found, n)
	}
	return found
}
