// Command reel turns command lines into captures, analyses and documents.
package main

import (
	"os"
	"runtime"
)

// The goroutine of main stays on the thread that leads the process until it is known whether that is to become a command.
func init() { runtime.LockOSThread() }

func main() {
	if code, ok := reexeced(os.Args[1:]); ok {
		os.Exit(code)
	}
	runtime.UnlockOSThread()
	os.Exit(int(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)))
}
