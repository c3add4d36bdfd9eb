//go:build linux && (amd64 || arm64)

package sealer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/capture/privilege"
	"github.com/ebpf-reel/reel/format"
)

// Words of the worker's command line: Config.Reexec, then "idle" or "normal", the recorder's pid, and the reel.
const (
	wordIdle   = "idle"
	wordNormal = "normal"
)

// heapPercent is the worker's GOGC: it makes little garbage beside what it keeps, and its memory is the recorder's
// (docs/decisions/004-sealer-process.md).
const heapPercent = 25

// Work is the worker's side: args are what Config.Reexec is followed by, the filter is the one of the recorder. It returns the exit
// code of this process.
func Work(args []string, filter format.Filter) int {
	if err := work(args, filter, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// giveUpPrivileges leaves this process what it takes to reach the reel: nothing, where its user does without.
func giveUpPrivileges(dir string) error {
	var keep privilege.Set
	if privilege.CanWrite(dir, keep) != nil {
		keep = privilege.Of(unix.CAP_DAC_READ_SEARCH)
	}
	_, err := privilege.Reduce(keep)
	if errors.Is(err, privilege.ErrCgo) { // a build for tests
		return nil
	}
	return err
}

func work(args []string, filter format.Filter, in io.Reader, out io.Writer) error {
	if len(args) != 3 || args[0] != wordIdle && args[0] != wordNormal {
		return errors.New("this is started by reel capture only")
	}
	recorder, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	// What ends the recorder in an orderly way (Ctrl-C in their terminal, a manager of services) reaches this process too, and the
	// recorder needs it then.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if err := endWith(recorder); err != nil {
		return err
	}
	if args[0] == wordIdle {
		if err := setIdle(os.Getpid(), true); err != nil {
			return err
		}
	}
	if err := giveUpPrivileges(args[2]); err != nil {
		return err
	}
	runtime.GOMAXPROCS(1) // a collector beside the work would let the heap grow meanwhile
	debug.SetGCPercent(heapPercent)
	sealing, err := format.OpenSealing(args[2], filter, nil)
	if err != nil {
		return err
	}
	answers := json.NewEncoder(out)
	if err := answers.Encode(answer{Ready: true}); err != nil {
		return err
	}
	pace := newPace()
	for r := range requests(in) {
		var broken error
		alive := func() { broken = errors.Join(broken, answers.Encode(answer{Progress: true})) }
		pace.rests = 0
		pace.rest(alive)
		seg, err := sealing.Seal(r.Journal, func(time.Duration) {
			alive()
			pace.rest(alive)
		})
		a := answer{Segment: &seg}
		if err != nil {
			a = answer{Failed: failureOf(err)}
		}
		if err := errors.Join(broken, answers.Encode(a)); err != nil {
			return err // nobody listens
		}
		debug.FreeOSMemory() // the next journal may be minutes away, or is indexed beside what this one left
	}
	return nil
}

// requests reads them beside the work: their end is the recorder's, and ends this process whatever it does.
func requests(in io.Reader) <-chan request {
	c := make(chan request)
	go func() {
		lines := json.NewDecoder(bufio.NewReader(in))
		for {
			var r request
			if err := lines.Decode(&r); err != nil {
				os.Exit(0)
			}
			c <- r
		}
	}()
	return c
}

// endWith has the kernel kill this process when the recorder ends: the end of the requests would not reach one that is stopped. The
// signal is sent when the thread ends that started this process, which the recorder keeps for that long.
func endWith(recorder int) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("end with the recorder: %w", err)
	}
	if os.Getppid() != recorder {
		return errors.New("the recorder has ended")
	}
	return nil
}
