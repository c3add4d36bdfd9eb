// Command reel turns command lines into captures, analyses and documents.
package main

import "os"

func main() {
	if code, held := execHeld(os.Args[1:]); held {
		os.Exit(code)
	}
	os.Exit(int(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)))
}
