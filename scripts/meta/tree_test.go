package meta

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// file is one file of the repository: tracked, or about to be.
type file struct {
	path string // slash-separated, from the root
	data []byte
}

// generated reports whether a program wrote the file.
func (f file) generated() bool {
	head := f.data[:min(len(f.data), 600)]
	return bytes.Contains(head, []byte("Code generated ")) || filepath.Base(f.path) == "vmlinux.h"
}

// text reports whether the file is text.
func (f file) text() bool { return !bytes.Contains(f.data[:min(len(f.data), 8000)], []byte{0}) }

// ext reports whether the file's name ends in one of the extensions.
func (f file) ext(exts ...string) bool {
	for _, e := range exts {
		if strings.HasSuffix(f.path, e) {
			return true
		}
	}
	return false
}

// under reports whether the file lies in a folder named name.
func (f file) under(name string) bool {
	return strings.HasPrefix(f.path, name+"/") || strings.Contains(f.path, "/"+name+"/")
}

func (f file) lines() []string { return strings.Split(strings.TrimSuffix(string(f.data), "\n"), "\n") }

var root = sync.OnceValue(func() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
})

var readTree = sync.OnceValues(func() ([]file, error) {
	cmd := exec.Command("git", "ls-files", "-co", "--exclude-standard", "-z")
	cmd.Dir = root()
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var files []file
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(root(), name))
		if os.IsNotExist(err) {
			continue // deleted, not committed yet
		}
		if err != nil {
			return nil, err
		}
		files = append(files, file{path: name, data: data})
	}
	return files, nil
})

// tree returns every file that git tracks or would add.
func tree(t *testing.T) []file {
	t.Helper()
	files, err := readTree()
	if err != nil {
		t.Fatalf("list the repository's files with git: %v", err)
	}
	if len(files) < 20 {
		t.Fatalf("git lists %d files: this test does not see the repository", len(files))
	}
	return files
}
