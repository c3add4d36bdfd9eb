// Command split burns CPU in three functions, 70 : 20 : 10, until it has done so many rounds.
package main

import (
	"os"
	"strconv"
)

var sink uint64

func burn(n uint64, at *uint64) {
	for i := range n {
		*at += i * i
	}
}

//go:noinline
func seventy(n uint64) { burn(7*n, &sink) }

//go:noinline
func twenty(n uint64) { burn(2*n, &sink) }

//go:noinline
func ten(n uint64) { burn(n, &sink) }

func main() {
	rounds, _ := strconv.Atoi(os.Args[1])
	for range rounds {
		seventy(100_000)
		twenty(100_000)
		ten(100_000)
	}
}
