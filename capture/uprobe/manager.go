//go:build linux && (amd64 || arm64)

package uprobe

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/ebpf-reel/reel/capture/image"
	"github.com/ebpf-reel/reel/format"
)

// Manager places and removes probes. Its methods may be called from any goroutine. But for Settle and Close they never wait:
// the work is done by one goroutine of its own, and files are examined by another beside it.
type Manager struct {
	kernel  Kernel
	recipes []Recipe
	placed  func(Placement)
	root    string // of procfs

	mu      sync.Mutex
	wake    sync.Cond
	queue   []task
	queued  map[format.PID]bool // for a look
	busy    bool
	exams   int // files that are examined, or wait for it
	closing bool
	done    chan struct{}
	slots   chan struct{}  // one for each file that is examined at once
	closers sync.WaitGroup // of probes that are being taken out

	// Of the goroutine of the manager alone.
	files     map[fileID]*file
	processes map[format.PID]*process
	lately    []*file // files of interest, the last one first
}

// task is one thing to do.
type task func(m *Manager)

// file is a file that some process maps.
type file struct {
	id      fileID
	buildID string
	plans   []*Plan  // by recipe; nil: nothing here
	open    *os.File // nil: of no interest. It keeps a file that was removed reachable for later processes.
	waiting []format.PID
	known   bool // it was examined
}

// process is a process that is recorded.
type process struct {
	wants  []bool // by recipe
	probes map[*file]*probes
}

// probes are those of one file in one process.
type probes struct {
	links []io.Closer // by recipe; nil: none
	told  []bool      // by recipe
}

// latelyKept bounds the files that a new process gets probes on before it maps them.
const latelyKept = 6

// examinedAtOnce bounds the processors that examining files takes.
const examinedAtOnce = 2

// New returns a Manager that tells placed how each placement went, in the order in which they are made.
func New(kernel Kernel, recipes []Recipe, placed func(Placement)) *Manager {
	m := &Manager{kernel: kernel, recipes: recipes, placed: placed, root: "/proc", queued: map[format.PID]bool{}, done: make(chan struct{}), slots: make(chan struct{}, examinedAtOnce),
		files: map[fileID]*file{}, processes: map[format.PID]*process{}}
	m.wake.L = &m.mu
	go m.run()
	return m
}

// Mapped says that a recorded process has, or may have, mapped something: it is recorded from now on, or has loaded a library.
func (m *Manager) Mapped(pid format.PID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing || m.queued[pid] {
		return
	}
	m.queued[pid] = true
	m.queue = append(m.queue, func(m *Manager) { m.look(pid) })
	m.wake.Broadcast()
}

// Forked says that a recorded process has a child, which is recorded too.
func (m *Manager) Forked(parent, child format.PID) { m.do(func(m *Manager) { m.fork(parent, child) }) }

// Executed says that a process has executed a program.
func (m *Manager) Executed(pid format.PID) { m.do(func(m *Manager) { m.execute(pid) }) }

// Ended says that a process is no more.
func (m *Manager) Ended(pid format.PID) { m.do(func(m *Manager) { m.end(pid) }) }

// Foresee says that a file may be of interest to processes that are forked from now on.
func (m *Manager) Foresee(path string) { m.do(func(m *Manager) { m.foresee(path) }) }

// Want switches the probes of one purpose on or off for one process.
func (m *Manager) Want(pid format.PID, purpose string, on bool) {
	m.do(func(m *Manager) { m.want(pid, purpose, on) })
}

func (m *Manager) do(t task) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return
	}
	m.queue = append(m.queue, t)
	m.wake.Broadcast()
}

// Settle returns when all that was asked for before is done.
func (m *Manager) Settle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for !m.closing && (m.busy || len(m.queue) > 0 || m.exams > 0) {
		m.wake.Wait()
	}
}

// Close takes all probes out. Nothing is placed any more.
func (m *Manager) Close() error {
	m.mu.Lock()
	m.closing = true
	m.wake.Broadcast()
	for m.exams > 0 {
		m.wake.Wait()
	}
	m.mu.Unlock()
	<-m.done
	var errs []error
	for _, p := range m.processes {
		m.takeOut(p.probes)
	}
	m.closers.Wait()
	for _, f := range m.files {
		if f.open != nil {
			errs = append(errs, f.open.Close())
		}
	}
	m.processes, m.files, m.lately = nil, nil, nil
	return errors.Join(errs...)
}

func (m *Manager) run() {
	defer close(m.done)
	for {
		m.mu.Lock()
		m.busy = false
		m.wake.Broadcast()
		for len(m.queue) == 0 && !m.closing {
			m.wake.Wait()
		}
		if m.closing {
			m.mu.Unlock()
			return
		}
		next := m.queue[0]
		m.queue = m.queue[1:]
		m.busy = true
		m.mu.Unlock()
		next(m)
	}
}

func (m *Manager) process(pid format.PID) *process {
	p := m.processes[pid]
	if p == nil {
		p = &process{wants: make([]bool, len(m.recipes)), probes: map[*file]*probes{}}
		for i, r := range m.recipes {
			p.wants[i] = !onDemand(r)
		}
		m.processes[pid] = p
	}
	return p
}

// OnDemand is a Recipe whose probes are placed for no process before Want asks for it.
type OnDemand interface{ OnDemand() bool }

func onDemand(r Recipe) bool {
	d, ok := r.(OnDemand)
	return ok && d.OnDemand()
}

// look places probes on what a process maps now.
func (m *Manager) look(pid format.PID) {
	m.mu.Lock()
	delete(m.queued, pid)
	m.mu.Unlock()
	maps, err := mapped(m.root, pid)
	if err != nil {
		return // it has ended
	}
	p := m.process(pid)
	for _, mp := range maps {
		f := m.files[mp.id]
		switch {
		case f == nil:
			f = &file{id: mp.id, waiting: []format.PID{pid}}
			m.files[mp.id] = f
			opened, err := openMapped(m.root, pid, mp)
			if err != nil {
				f.known = true // and of no interest: nobody can say more
				continue
			}
			m.examine(f, opened)
		case !f.known:
			if !slices.Contains(f.waiting, pid) {
				f.waiting = append(f.waiting, pid)
			}
		case f.open != nil:
			m.place(pid, p, f, true)
		}
	}
}

// examine asks the recipes about a file, beside all else: to read a large program takes a second.
func (m *Manager) examine(f *file, opened *os.File) {
	f.open = opened
	m.mu.Lock()
	m.exams++
	m.mu.Unlock()
	go func() {
		m.slots <- struct{}{}
		plans, buildID := m.plans(opened, f.id.path)
		<-m.slots
		m.mu.Lock()
		defer m.mu.Unlock()
		m.exams--
		m.queue = append(m.queue, func(m *Manager) { m.examined(f, plans, buildID) })
		m.wake.Broadcast()
	}()
}

func (m *Manager) plans(opened *os.File, path string) (plans []*Plan, buildID string) {
	info, err := opened.Stat()
	if err != nil {
		return nil, ""
	}
	img, err := image.New(opened, info.Size())
	if err != nil {
		return nil, "" // no program: data that is mapped so
	}
	plans = make([]*Plan, len(m.recipes))
	found := false
	for i, r := range m.recipes {
		plans[i] = r.Plan(img, path)
		found = found || plans[i] != nil
	}
	if !found {
		return nil, ""
	}
	return plans, img.BuildID()
}

func (m *Manager) examined(f *file, plans []*Plan, buildID string) {
	f.known, f.plans, f.buildID = true, plans, buildID
	waiting := f.waiting
	f.waiting = nil
	if plans == nil {
		_ = f.open.Close()
		f.open = nil
		return
	}
	m.remember(f)
	for _, pid := range waiting {
		if p := m.processes[pid]; p != nil {
			m.place(pid, p, f, true)
		}
	}
}

// remember puts a file of interest first among those that new processes get probes on.
func (m *Manager) remember(f *file) {
	m.lately = append([]*file{f}, slices.DeleteFunc(m.lately, func(g *file) bool { return g == f })...)
	m.lately = m.lately[:min(len(m.lately), latelyKept)]
}

// place puts the probes that a process wants of a file. maps says that it maps it: else nothing is told.
func (m *Manager) place(pid format.PID, p *process, f *file, maps bool) {
	on := p.probes[f]
	if on == nil {
		on = &probes{links: make([]io.Closer, len(m.recipes)), told: make([]bool, len(m.recipes))}
		p.probes[f] = on
	}
	for i, plan := range f.plans {
		if plan == nil || !p.wants[i] {
			continue
		}
		err := plan.Err
		if on.links[i] == nil && err == nil && len(plan.Probes) > 0 {
			on.links[i], err = m.kernel.AttachUprobes(fmt.Sprintf("/proc/self/fd/%d", f.open.Fd()), uint32(pid), plan.Probes)
		}
		if errors.Is(err, os.ErrNotExist) {
			return // the process has ended
		}
		if maps && !on.told[i] {
			on.told[i] = true
			m.remember(f)
			m.placed(Placement{PID: pid, Path: f.id.path, BuildID: f.buildID, Purpose: m.recipes[i].Purpose(), Plan: plan, Err: err})
		}
	}
}

func (m *Manager) fork(parent, child format.PID) {
	p := m.process(child)
	var inherited []*file
	if from := m.processes[parent]; from != nil {
		copy(p.wants, from.wants)
		for f, on := range from.probes {
			if slices.Contains(on.told, true) {
				inherited = append(inherited, f)
			}
		}
	}
	for _, f := range inherited {
		m.place(child, p, f, true)
	}
	for _, f := range m.lately {
		m.place(child, p, f, false)
	}
}

// execute places the probes of a process anew. The kernel ties them to the thread that led it: where another thread executes a program,
// that one leads from then on, and the probes that stood before are of nobody. Which thread it was is not known here, so the new ones
// come before the old ones go: a call that both see is one row, since the first that returns ends it.
func (m *Manager) execute(pid format.PID) {
	p := m.process(pid)
	old := p.probes
	p.probes = make(map[*file]*probes, len(old))
	for f := range old {
		m.place(pid, p, f, false)
	}
	m.look(pid)
	m.takeOut(old)
}

func (m *Manager) end(pid format.PID) {
	if p := m.processes[pid]; p != nil {
		m.takeOut(p.probes)
		delete(m.processes, pid)
	}
}

// takeOut takes probes of a process out.
func (m *Manager) takeOut(all map[*file]*probes) {
	for _, on := range all {
		for i, l := range on.links {
			m.close(l)
			on.links[i] = nil
		}
	}
}

// close takes probes out beside all else: the kernel waits until no CPU is in one of them, which takes tens of milliseconds.
func (m *Manager) close(probes io.Closer) {
	if probes == nil {
		return
	}
	m.closers.Go(func() { _ = probes.Close() }) // it only closes descriptors
}

func (m *Manager) foresee(path string) {
	opened, err := os.Open(path)
	if err != nil {
		return
	}
	id, err := identify(opened, path)
	if err != nil || m.files[id] != nil {
		_ = opened.Close()
		return
	}
	f := &file{id: id}
	m.files[id] = f
	m.examine(f, opened)
}

func (m *Manager) want(pid format.PID, purpose string, on bool) {
	p := m.process(pid)
	for i, r := range m.recipes {
		if r.Purpose() != purpose || p.wants[i] == on {
			continue
		}
		p.wants[i] = on
		if on {
			continue
		}
		for _, probes := range p.probes {
			m.close(probes.links[i])
			probes.links[i], probes.told[i] = nil, false
		}
	}
	if on {
		m.look(pid)
	}
}
