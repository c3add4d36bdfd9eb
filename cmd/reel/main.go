// Command reel turns command lines into captures, analyses and documents.
package main

import "os"

func main() {
	if code, ok := reexeced(os.Args[1:]); ok {
		os.Exit(code)
	}
	os.Exit(int(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)))
}
