//go:build linux && (amd64 || arm64)

package capture

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpf-reel/reel/format"
)

// A flight recorder is asked for a snap by a Unix socket in the directory of its ring: whoever may enter that (mode 0700) and open
// the socket (0600) is its owner, or root; the kernel says who asks, and others are refused all the same. The socket
// answers, where a signal could not: with the name of the reel, its window, and how it ended. A file with a pid would outlive
// the recorder and name somebody else; a socket that nobody listens on refuses.

// Bounds of the socket: of one request, of those at a time, and of the time in which one has to come.
const (
	maxRequest  = 64 << 10
	maxClients  = 16
	requestTime = 10 * time.Second
)

// controlRequest is the one line that a client sends.
type controlRequest struct {
	Snap   string        `json:"snap"` // the reel to make, absolute; "": a name beside the ring
	Before time.Duration `json:"before_ns"`
	After  time.Duration `json:"after_ns"`
	Reason string        `json:"reason"`
}

// controlReply is a line that the recorder sends: one when the snap has begun, one when it is sealed, or one with an error.
type controlReply struct {
	Begun    bool          `json:"begun,omitempty"`
	Sealed   bool          `json:"sealed,omitempty"`
	Dir      string        `json:"dir,omitempty"`
	Window   time.Duration `json:"window_ns,omitempty"`
	Complete bool          `json:"complete,omitempty"`
	Error    string        `json:"error,omitempty"`
	Refused  bool          `json:"refused,omitempty"` // the request made no sense: not the environment's fault
}

// control listens on the socket of a ring.
type control struct {
	flight   *flight
	path     string
	listener *net.UnixListener
	uid      uint32
	clients  chan struct{} // holds a token for each client
	done     sync.WaitGroup

	mu      sync.Mutex
	reading map[*net.UnixConn]bool // whose request has not come yet
	ended   bool
}

// startControl makes the socket. Names of sockets are short (108 bytes): the directory is reached through its descriptor.
func startControl(f *flight) (*control, error) {
	c := &control{flight: f, path: filepath.Join(f.dir, format.ControlName), uid: uint32(os.Geteuid()), clients: make(chan struct{}, maxClients),
		reading: map[*net.UnixConn]bool{}}
	err := throughDir(f.dir, func(dir string) (err error) {
		c.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: dir + "/" + format.ControlName, Net: "unix"})
		return err
	})
	if err == nil {
		c.listener.SetUnlinkOnClose(false) // by a name that is gone then
		err = os.Chmod(c.path, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("make the socket by which snaps are asked for: %w", err)
	}
	c.done.Go(c.serve)
	return c, nil
}

// throughDir calls fn with a short name of a directory.
func throughDir(dir string, fn func(short string) error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return fn(fmt.Sprintf("/proc/self/fd/%d", d.Fd()))
}

// close ends the socket: clients that wait for the end of their snap are answered first.
func (c *control) close() {
	if c == nil {
		return
	}
	_ = c.listener.Close()
	_ = os.Remove(c.path)
	c.mu.Lock()
	c.ended = true
	for conn := range c.reading {
		_ = conn.SetReadDeadline(time.Now())
	}
	c.mu.Unlock()
	c.done.Wait()
}

func (c *control) serve() {
	for {
		conn, err := c.listener.AcceptUnix()
		if err != nil {
			return
		}
		select {
		case c.clients <- struct{}{}:
			c.done.Go(func() {
				defer func() { <-c.clients }()
				c.client(conn)
			})
		default:
			_ = json.NewEncoder(conn).Encode(controlReply{Error: "too many requests at a time: try again in a moment"})
			_ = conn.Close()
		}
	}
}

// client answers one connection.
func (c *control) client(conn *net.UnixConn) {
	defer conn.Close()
	reply := func(r controlReply) {
		_ = conn.SetWriteDeadline(time.Now().Add(requestTime))
		_ = json.NewEncoder(conn).Encode(r) // a client that is gone does not want to know
	}
	if err := c.allowed(conn); err != nil {
		reply(controlReply{Error: err.Error(), Refused: true})
		return
	}
	req, err := c.read(conn)
	if err != nil {
		reply(controlReply{Error: "the request is none", Refused: true})
		return
	}
	if req.Snap != "" && !filepath.IsAbs(req.Snap) {
		reply(controlReply{Error: fmt.Sprintf("%s is no absolute path", req.Snap), Refused: true})
		return
	}
	done := make(chan controlReply, 1)
	_, err = c.flight.snap(SnapRequest{Dir: req.Snap, Before: req.Before, After: req.After, Reason: req.Reason,
		OnBegin: func(s Snap) {
			reply(controlReply{Begun: true, Dir: s.Dir, Window: s.Window, Complete: s.Complete})
		},
		OnDone: func(s Snap, err error) {
			r := controlReply{Sealed: err == nil, Dir: s.Dir, Window: s.Window, Complete: s.Complete}
			if err != nil {
				r.Error = err.Error()
			}
			done <- r
		},
	})
	if err != nil {
		refused := (*SnapError)(nil)
		exists := (*format.ExistsError)(nil)
		reply(controlReply{Error: err.Error(), Refused: errors.As(err, &refused) || errors.As(err, &exists)})
		return
	}
	reply(<-done)
}

// read waits for the request of a client, but not beyond the end of the recorder.
func (c *control) read(conn *net.UnixConn) (req controlRequest, err error) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return req, net.ErrClosed
	}
	_ = conn.SetReadDeadline(time.Now().Add(requestTime))
	c.reading[conn] = true
	c.mu.Unlock()
	err = json.NewDecoder(io.LimitReader(conn, maxRequest)).Decode(&req)
	c.mu.Lock()
	delete(c.reading, conn)
	c.mu.Unlock()
	return req, err
}

// allowed reports whether the peer is the recorder's user or root.
func (c *control) allowed(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	if cred.Uid != 0 && cred.Uid != c.uid {
		return fmt.Errorf("the flight recorder belongs to user %d, and takes requests of nobody else", c.uid)
	}
	return nil
}

// AskSnap asks the flight recorder whose ring is in a directory for a snap, and waits until it is sealed; with wait false until what
// the ring held is safe. req.OnBegin is called in between, req.OnDone is not. Errors: *SnapError (refused, or no such recorder),
// *SnapBrokenError, those of the system.
func AskSnap(ring string, req SnapRequest, wait bool) (Snap, error) {
	conn, err := dialControl(ring)
	if err != nil {
		return Snap{}, err
	}
	defer conn.Close()
	if req.Dir != "" {
		if req.Dir, err = filepath.Abs(req.Dir); err != nil {
			return Snap{}, err
		}
	}
	if err := json.NewEncoder(conn).Encode(controlRequest{Snap: req.Dir, Before: req.Before, After: req.After, Reason: req.Reason}); err != nil {
		return Snap{}, fmt.Errorf("ask the flight recorder: %w", err)
	}
	s := Snap{Reason: req.Reason}
	for dec := json.NewDecoder(io.LimitReader(conn, maxRequest)); ; {
		var r controlReply
		if err := dec.Decode(&r); err != nil {
			if s.Dir != "" {
				return s, &SnapBrokenError{Dir: s.Dir, Err: errors.New("the flight recorder ended before the snap was sealed")}
			}
			return s, fmt.Errorf("the flight recorder of %s does not answer: %w", ring, err)
		}
		if r.Dir != "" {
			s.Dir, s.Window, s.Complete = r.Dir, r.Window, r.Complete
		}
		switch {
		case r.Error != "" && r.Refused:
			return s, &SnapError{r.Error}
		case r.Error != "":
			return s, &SnapFailedError{Told: r.Error}
		case r.Sealed:
			return s, nil
		case r.Begun:
			if req.OnBegin != nil {
				req.OnBegin(s)
			}
			if !wait {
				return s, nil
			}
		}
	}
}

// dialControl connects to the recorder of a ring, or says in one sentence why there is none.
func dialControl(ring string) (*net.UnixConn, error) {
	var conn *net.UnixConn
	err := throughDir(ring, func(dir string) (err error) {
		conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: dir + "/" + format.ControlName, Net: "unix"})
		return err
	})
	switch {
	case err == nil:
		return conn, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s belongs to another user: ask as that user, or as root: %w", ring, fs.ErrPermission)
	}
	reel, openErr := format.Open(ring, format.OpenOptions{})
	if openErr != nil {
		return nil, openErr
	}
	defer reel.Close()
	if reel.Manifest().Flight == nil {
		return nil, &SnapError{fmt.Sprintf("%s is no ring of a flight recorder: reel capture --ring makes one", ring)}
	}
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil, &SnapError{fmt.Sprintf("the flight recorder of %s has ended: reel recover %s makes a reel of what its ring holds", ring, ring)}
	}
	return nil, fmt.Errorf("ask the flight recorder of %s: %w", ring, err)
}
