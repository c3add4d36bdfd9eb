package kernels

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// initramfs writes a file tree as the kernel unpacks it at boot: cpio in its "newc" form (Linux,
// Documentation/driver-api/early-userspace/buffer-format.rst).
type initramfs struct {
	w     *bytes.Buffer
	inode int
}

func newInitramfs() *initramfs { return &initramfs{w: &bytes.Buffer{}} }

func (c *initramfs) entry(name string, mode uint32, device uint32, data []byte) {
	c.inode++
	fmt.Fprintf(c.w, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", c.inode, mode, 0, 0, 1, 0, len(data),
		0, 0, device>>8, device&0xff, len(name)+1, 0)
	c.w.WriteString(name + "\x00")
	c.pad()
	c.w.Write(data)
	c.pad()
}

// pad fills up to a multiple of four.
func (c *initramfs) pad() { c.w.Write(make([]byte, -c.w.Len()&3)) }

// File types of st_mode (inode(7)).
const (
	typeDir     = 0o040000
	typeChar    = 0o020000
	typeFile    = 0o100000
	typeSymlink = 0o120000
)

func (c *initramfs) dir(name string)         { c.entry(name, typeDir|0o755, 0, nil) }
func (c *initramfs) symlink(name, to string) { c.entry(name, typeSymlink|0o777, 0, []byte(to)) }
func (c *initramfs) console(name string)     { c.entry(name, typeChar|0o600, 5<<8|1, nil) }
func (c *initramfs) program(name, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	c.entry(name, typeFile|0o755, 0, data)
	return nil
}

// close ends the archive and returns it.
func (c *initramfs) close() io.Reader {
	c.entry("TRAILER!!!", 0, 0, nil)
	return c.w
}
