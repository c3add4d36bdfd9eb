//go:build linux && (amd64 || arm64)

package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"github.com/ebpf-reel/reel/capture/container"
	"github.com/ebpf-reel/reel/format"
)

// containers knows which container each cgroup belongs to, and finds the names of each container once.
type containers struct {
	hosts []*container.Host

	mu      sync.Mutex
	byPath  map[string]container.Identity
	names   map[container.Identity]container.Names // of those that were looked up; zero: no runtime's file tells
	written map[container.Identity]bool            // that the reel has a row of

	unnamed atomic.Uint64
	failed  atomic.Uint64 // files that are there and cannot be used
	failure string        // the first of these; read once nothing looks up any more
}

// Bounds of what is remembered: a node has some hundred cgroups. Beyond, a path is read again, and a container named again.
const (
	maxCgroups    = 1 << 14
	maxContainers = 1 << 12
)

// newContainers looks for names in the file systems at roots. Those that are not there are left out.
func newContainers(roots []string) *containers {
	c := &containers{byPath: map[string]container.Identity{}, names: map[container.Identity]container.Names{}, written: map[container.Identity]bool{}}
	for _, root := range roots {
		if host, err := container.OpenHost(root); err == nil {
			c.hosts = append(c.hosts, host)
		}
	}
	return c
}

// hostRoots are where the files of the node's container runtimes can be: here; where kubectl debug mounts the node; and, for a
// recorder in a container that shares the node's pid namespace, what the node's first process has as its root.
func hostRoots() []string {
	roots := []string{"/", "/host"}
	own, err1 := os.Readlink("/proc/self/ns/mnt")
	first, err2 := os.Readlink("/proc/1/ns/mnt")
	if err1 == nil && err2 == nil && own != first {
		roots = append(roots, "/proc/1/root")
	}
	return roots
}

func (c *containers) close() {
	for _, h := range c.hosts {
		_ = h.Close() // nothing was written
	}
}

// identify fills in what the cgroup of a process says of its container. named is false if the reel has no row of it yet.
func (c *containers) identify(row *format.Process) (id container.Identity, named bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, known := c.byPath[row.Cgroup]
	if !known {
		id = container.FromCgroup(row.Cgroup)
		if len(c.byPath) >= maxCgroups {
			clear(c.byPath)
		}
		c.byPath[row.Cgroup] = id
	}
	row.ContainerID, row.PodUID = id.ID, id.PodUID
	if id == (container.Identity{}) {
		return id, true
	}
	return id, c.written[id]
}

// lookup finds the names of a container.
func (c *containers) lookup(id container.Identity, uid uint32) container.Names {
	c.mu.Lock()
	names, known := c.names[id]
	c.mu.Unlock()
	if known {
		return names
	}
	for _, h := range c.hosts {
		n, err := h.Lookup(id, uid)
		if err == nil {
			names = n
			break
		}
		if !errors.Is(err, fs.ErrNotExist) && c.failed.Add(1) == 1 {
			c.failure = err.Error()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.names) >= maxContainers {
		clear(c.names)
	}
	c.names[id] = names
	return names
}

// once reports whether a container is written for the first time.
func (c *containers) once(id container.Identity) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.written[id] {
		return false
	}
	if len(c.written) >= maxContainers {
		clear(c.written)
	}
	c.written[id] = true
	return true
}

// containerRow is what the reel keeps of a container.
func containerRow(now format.KTime, id container.Identity, names container.Names, cgroup string) *format.Container {
	row := &format.Container{
		Time: now, ID: id.ID, PodUID: id.PodUID, Runtime: id.Runtime, Name: names.Name, Pod: names.Pod, Namespace: names.Namespace,
		Image: names.Image, Cgroup: cgroup,
	}
	if row.Runtime == "" {
		row.Runtime = names.Runtime
	}
	if row.PodUID == "" {
		row.PodUID = names.PodUID
	}
	return row
}

// notes says which containers have no name in the reel.
func (c *containers) notes(note func(name NoteName, count uint64, detail string)) {
	note(NoteContainerUnnamed, c.unnamed.Load(), "")
	note(NoteContainerFile, c.failed.Load(), c.failure)
}

// describeContainer names a container in the reel, once.
func (d *describer) describeContainer(id container.Identity, uid uint32, cgroup string) error {
	if !d.containers.once(id) {
		return nil
	}
	names := d.containers.lookup(id, uid)
	if names == (container.Names{}) && id.ID != "" {
		d.containers.unnamed.Add(1)
	}
	if err := d.append(containerRow(d.clock.Now(), id, names, cgroup)); err != nil {
		return fmt.Errorf("name container %.12s: %w", id.ID, err)
	}
	return nil
}
