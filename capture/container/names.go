//go:build linux

package container

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Names are what people call a container. What is not known is "".
type Names struct {
	Runtime   string // as in Identity: the one whose file named it
	Name      string // of the container; a pod's sandbox has none
	Pod       string
	Namespace string // of the pod
	PodUID    string
	Image     string // "docker.io/library/nginx:1.27"
}

// Host is a file system that holds the files of container runtimes. Paths are resolved inside of it: links cannot lead out.
type Host struct {
	dir  *os.File
	root string
}

// OpenHost opens the file system at root: "/", or where a container sees the host's (/proc/1/root, /host).
func OpenHost(root string) (*Host, error) {
	dir, err := os.OpenFile(root, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &Host{dir: dir, root: root}, nil
}

// Close gives the directory back.
func (h *Host) Close() error { return h.dir.Close() }

// Bounds on files that are read. A container's bundle has some 30 KiB, podman's list some 2 KiB for each container.
const (
	maxFile    = 4 << 20
	maxList    = 16 << 20
	maxEntries = 256 // of a directory
)

// A FileError says that a runtime's file is there and is not what it should be.
type FileError struct {
	Path string
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }

func (e *FileError) Unwrap() error { return e.Err }

// containerdDirs are where containerd keeps the bundles of running containers, by namespace.
var containerdDirs = []string{
	"run/containerd/io.containerd.runtime.v2.task",
	"run/k3s/containerd/io.containerd.runtime.v2.task",
	"var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task",
	"run/containerd/io.containerd.runtime.v1.linux",
}

// Lookup finds the names of a container in the files of whichever runtime has it. errors.Is(err, fs.ErrNotExist) means that
// none has; another error, a *FileError among them, that its file could not be read.
func (h *Host) Lookup(id Identity, uid uint32) (Names, error) {
	if !isID(id.ID) {
		return Names{}, fs.ErrNotExist // no runtime that keeps files by that id; and it is part of a path below
	}
	var failed error
	for _, find := range []func(id string, uid uint32) (Names, error){h.docker, h.containerd, h.containers} {
		names, err := find(id.ID, uid)
		if err == nil {
			return names, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && failed == nil {
			failed = err
		}
	}
	if failed == nil {
		failed = fs.ErrNotExist
	}
	return Names{}, failed
}

func (h *Host) docker(id string, _ uint32) (Names, error) {
	return parseFile(h, "var/lib/docker/containers/"+id+"/config.v2.json", maxFile, func(data []byte) (Names, error) { return parseDocker(data, id) })
}

func (h *Host) containerd(id string, _ uint32) (Names, error) {
	for _, dir := range containerdDirs {
		namespaces, err := h.list(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return Names{}, err
		}
		for _, ns := range namespaces {
			names, err := parseFile(h, path.Join(dir, ns, id, "config.json"), maxFile, parseBundle)
			if err == nil && names.Runtime == "" {
				names.Runtime = "containerd"
				if ns == "moby" {
					names.Runtime = "docker"
				}
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return names, err
			}
		}
	}
	return Names{}, fs.ErrNotExist
}

// containers looks where podman and CRI-O keep theirs (containers/storage): the bundle has the pod, a list has podman's names.
func (h *Host) containers(id string, uid uint32) (Names, error) {
	run, lib := []string{"run/containers/storage", "var/run/containers/storage"}, []string{"var/lib/containers/storage"}
	if uid != 0 {
		run = []string{"run/user/" + strconv.FormatUint(uint64(uid), 10) + "/containers"}
		lib = nil // in the home directory of a user: not followed
	}
	for _, driver := range []string{"overlay", "vfs", "btrfs"} {
		for _, dir := range slices.Concat(run, lib) {
			names, err := parseFile(h, path.Join(dir, driver+"-containers", id, "userdata/config.json"), maxFile, parseBundle)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return names, err
			}
			if names.Name == "" {
				h.fromList(&names, lib, driver, id)
			}
			if names.Runtime == "" {
				names.Runtime = "podman"
			}
			return names, nil
		}
	}
	return Names{}, fs.ErrNotExist
}

// fromList adds what the list of containers/storage says. A list that cannot be read leaves the names as they are.
func (h *Host) fromList(names *Names, dirs []string, driver, id string) {
	for _, dir := range dirs {
		found, err := parseFile(h, path.Join(dir, driver+"-containers/containers.json"), maxList, func(data []byte) (Names, error) { return parseList(data, id) })
		if err == nil {
			names.Name, names.Image = found.Name, found.Image
			return
		}
	}
}

// parseFile reads a regular file of at most limit bytes and parses it.
func parseFile(h *Host, name string, limit int64, parse func([]byte) (Names, error)) (Names, error) {
	data, err := h.read(name, limit)
	if err != nil {
		return Names{}, err
	}
	names, err := parse(data)
	if err != nil {
		return Names{}, &FileError{path.Join(h.root, name), err}
	}
	return names, nil
}

// open opens a path inside the file system: links, also absolute ones, are resolved within it, and none of /proc's is followed.
func (h *Host) open(name string, flags uint64) (*os.File, error) {
	full := path.Join(h.root, name)
	fd, err := unix.Openat2(int(h.dir.Fd()), name, &unix.OpenHow{
		// A pipe in place of the file must not stop us.
		Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY | flags,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: full, Err: err}
	}
	return os.NewFile(uintptr(fd), full), nil
}

func (h *Host) read(name string, limit int64) ([]byte, error) {
	file, err := h.open(name, 0)
	if err != nil {
		if errors.Is(err, unix.ENOTDIR) {
			return nil, fs.ErrNotExist
		}
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &FileError{file.Name(), errors.New("it is no regular file")}
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, &FileError{file.Name(), fmt.Errorf("it is longer than %d bytes", limit)}
	}
	return data, nil
}

func (h *Host) list(name string) ([]string, error) {
	dir, err := h.open(name, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.Readdirnames(maxEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	slices.Sort(entries)
	return slices.DeleteFunc(entries, func(s string) bool { return strings.HasPrefix(s, ".") }), nil
}
