package trigger

import (
	"fmt"
	"slices"
)

// Signal is a signal by its number on x86 and arm64 (signal(7)).
type Signal uint8

var signals = [...]string{1: "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1",
	"SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN",
	"SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS"}

// String returns the signal's name, as SIGSEGV.
func (s Signal) String() string {
	if int(s) < len(signals) && signals[s] != "" {
		return signals[s]
	}
	return fmt.Sprintf("SIG%d", uint8(s))
}

func signalByName(name string) (Signal, bool) {
	if name == "" {
		return 0, false
	}
	i := slices.Index(signals[:], name)
	return Signal(max(i, 0)), i > 0
}

// Ended returns the signal that ended a process of this wait status (waitpid(2)); false when it ended by itself.
func Ended(status uint32) (Signal, bool) {
	s := Signal(status & 0x7f)
	return s, s != 0 && s != 0x7f
}
