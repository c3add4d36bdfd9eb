package facts

import "fmt"

// signalNames are those of Linux on amd64 and arm64 (signal(7)).
var signalNames = [...]string{1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
	9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 16: "SIGSTKFLT", 24: "SIGXCPU",
	25: "SIGXFSZ", 26: "SIGVTALRM", 27: "SIGPROF", 29: "SIGIO", 30: "SIGPWR", 31: "SIGSYS"}

// How says how the program ended: "exit code 7", "SIGSEGV (signal 11), core dumped"; "" when it did not.
func (p *Process) How() string {
	switch p.End {
	case EndExit:
		return fmt.Sprintf("exit code %d", p.Code)
	case EndSignal:
		s := fmt.Sprintf("signal %d", p.Code)
		if int(p.Code) < len(signalNames) && signalNames[p.Code] != "" {
			s = fmt.Sprintf("%s (signal %d)", signalNames[p.Code], p.Code)
		}
		if p.Core {
			s += ", core dumped"
		}
		return s
	case EndExec:
		return "went on with another program"
	case EndRename:
		return "went on under another name"
	}
	return ""
}
