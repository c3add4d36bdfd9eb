package kernels

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	bootLimit = 10 * time.Minute // of a whole guest, on a busy machine; 40 s is usual
	memory    = "768M"           // the initramfs, what it unpacks to, rings, and the reels
)

// kernelDir is where fetch.sh put a kernel of the matrix.
func kernelDir(t *testing.T, version string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", ".cache", "kernels", version))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "release")); err != nil {
		missing(t, "kernel "+version+" is not here: scripts/kernels/fetch.sh brings it (make test does it)")
	}
	return dir
}

// missing fails a test that cannot run; REEL_ALLOW_SKIP=1 turns that into a skip on a developer's laptop.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("REEL_ALLOW_SKIP") == "1" {
		t.Skip(why)
	}
	t.Fatal(why + "; REEL_ALLOW_SKIP=1 skips this test")
}

// guest is what a machine left behind.
type guest struct {
	dir     string // its results
	release string // uname -r
}

// runGuest boots the kernel and returns the results, once the machine has switched itself off.
func runGuest(t *testing.T, version string) *guest {
	t.Helper()
	kernel := kernelDir(t, version)
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		missing(t, "qemu-system-x86_64 is not installed: apt-get install qemu-system-x86 (make test does it)")
	}
	work := t.TempDir()
	image := filepath.Join(work, "initramfs")
	writeInitramfs(t, image, kernel)
	console, results := filepath.Join(work, "console"), filepath.Join(work, "results.tar")

	ctx, cancel := context.WithTimeout(context.Background(), bootLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, qemu, "-nodefaults", "-display", "none", "-no-reboot", "-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2", "-m", memory,
		"-kernel", filepath.Join(kernel, "vmlinuz"), "-initrd", image, "-append", "console=ttyS0 loglevel=4 panic=-1 rdinit=/init",
		"-serial", "file:"+console, "-serial", "file:"+results)
	out, err := cmd.CombinedOutput()
	screen, _ := os.ReadFile(console)
	if err != nil {
		t.Fatalf("qemu: %v (%v)\n%s%s", err, ctx.Err(), out, screen)
	}
	g := &guest{dir: filepath.Join(work, "out")}
	if err := untar(results, g.dir); err != nil {
		t.Fatalf("the machine left no whole results: %v\n%s", err, screen)
	}
	if to := os.Getenv("REEL_KERNELS_KEEP"); to != "" {
		if err := os.CopyFS(filepath.Join(to, version), os.DirFS(g.dir)); err != nil {
			t.Error(err)
		}
	}
	if why, err := os.ReadFile(filepath.Join(g.dir, "failed")); err == nil {
		t.Fatalf("the machine's steps failed: %s\n%s%s", why, screen, g.texts())
	}
	release, err := os.ReadFile(filepath.Join(kernel, "release"))
	if err != nil {
		t.Fatal(err)
	}
	g.release = strings.TrimSpace(string(release))
	return g
}

func writeInitramfs(t *testing.T, path, kernel string) {
	t.Helper()
	c := newInitramfs()
	for _, dir := range []string{"bin", "dev", "lib"} {
		c.dir(dir)
	}
	c.console("dev/console")
	for name, from := range map[string]string{"bin/guest": guestBin, "bin/reel": reelBin} {
		if err := c.program(name, from); err != nil {
			t.Fatal(err)
		}
	}
	c.symlink("init", "bin/guest")
	modules, err := filepath.Glob(filepath.Join(kernel, "modules", "*.ko"))
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range modules {
		if err := c.program("lib/"+filepath.Base(module), module); err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range []string{"shop-poll", "shop-vec", "shop-client", "shop-ktls", "enter", "load-objects"} {
		c.symlink("bin/"+part, "guest")
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, c.close()); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// untar unpacks an archive of our own guest; without its end marker it is an error.
func untar(path, dir string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return endsInZeros(f)
		}
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(to, 0o755); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			return err
		}
	}
}

// endsInZeros tells an archive that was closed from one that was cut between two members: the reader takes both.
func endsInZeros(f *os.File) error {
	end := make([]byte, 1024)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < int64(len(end)) {
		return io.ErrUnexpectedEOF
	}
	if _, err := f.ReadAt(end, info.Size()-int64(len(end))); err != nil {
		return err
	}
	for _, b := range end {
		if b != 0 {
			return errors.New("the archive of the results has no end")
		}
	}
	return nil
}

const maxText = 6000 // bytes of each file

// texts is what the machine's programs printed.
func (g *guest) texts() string {
	var all strings.Builder
	files, _ := filepath.Glob(filepath.Join(g.dir, "*.txt"))
	for _, path := range files {
		text, _ := os.ReadFile(path)
		// A verifier's log has ten thousand lines: the verdict is at the end.
		if cut := len(text) - maxText; cut > 0 {
			text = append([]byte("[...]"), text[cut:]...)
		}
		all.WriteString("-- " + filepath.Base(path) + "\n" + string(text))
	}
	return all.String()
}
