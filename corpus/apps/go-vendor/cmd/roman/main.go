// Command roman prints numbers as Roman numerals, as one paragraph.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/mitchellh/go-wordwrap"
)

var version = "unknown"

var digits = []struct {
	value int
	text  string
}{
	{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"},
	{50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"},
}

func roman(number int) string {
	var b strings.Builder
	for _, d := range digits {
		for number >= d.value {
			b.WriteString(d.text)
			number -= d.value
		}
	}
	return b.String()
}

func main() {
	width := flag.Uint("width", 72, "columns of a line")
	showVersion := flag.Bool("version", false, "print the version")
	flag.Parse()
	if *showVersion {
		fmt.Println("roman", version)
		return
	}

	var words []string
	for _, arg := range flag.Args() {
		number, err := strconv.Atoi(arg)
		if err != nil || number < 1 || number > 3999 {
			fmt.Fprintf(os.Stderr, "roman: %q is not a number from 1 to 3999\n", arg)
			os.Exit(2)
		}
		words = append(words, fmt.Sprintf("%d=%s", number, roman(number)))
	}
	fmt.Println(wordwrap.WrapString(strings.Join(words, " "), *width))
}
