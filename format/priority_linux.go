package format

import (
	"sync"

	"golang.org/x/sys/unix"
)

// priority is that of one OS thread. Sealing can wait, what is recorded cannot: the thread gets nice 19 while it keeps
// up, and the process's own priority when journals pile up.
type priority struct {
	mu     sync.Mutex
	tid    int
	normal int // nice of the process, as getpriority(2) gives it
	low    bool
}

const niceLow = 19

// lower makes the calling thread one of low priority. It must be locked to its goroutine.
func (p *priority) lower() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tid == 0 {
		p.tid = unix.Gettid()
		// The system call gives 20 minus nice, so that it is never negative.
		if n, err := unix.Getpriority(unix.PRIO_PROCESS, p.tid); err == nil {
			p.normal = 20 - n
		}
	}
	if !p.low && p.normal < niceLow {
		p.low = unix.Setpriority(unix.PRIO_PROCESS, p.tid, niceLow) == nil
	}
}

// raise gives the thread back the priority it started with. Without CAP_SYS_NICE the kernel may refuse; then the thread
// goes on as it is.
func (p *priority) raise() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.low && unix.Setpriority(unix.PRIO_PROCESS, p.tid, p.normal) == nil {
		p.low = false
	}
}
