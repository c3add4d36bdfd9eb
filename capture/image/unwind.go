//go:build linux && (amd64 || arm64)

package image

import (
	"encoding/binary"
	"sort"
)

const maxUnwindTable = 256 << 20

// unwindStarts reads the addresses of functions out of .eh_frame_hdr (Linux Standard Base Core 5.0, 10.6.2), in ascending order. They
// count from the address of the section.
func (m *Image) unwindStarts() (base uint64, table []byte) {
	const (
		headBytes = 12
		udata4    = 0x03
		relative4 = 0x3b // DW_EH_PE_datarel | DW_EH_PE_sdata4: the only encoding of tables that can be searched
	)
	section, data, err := m.section(".eh_frame_hdr", maxUnwindTable)
	if err != nil || len(data) < headBytes || data[0] != 1 || data[2] != udata4 || data[3] != relative4 {
		return 0, nil
	}
	n := int(binary.LittleEndian.Uint32(data[8:]))
	if n > (len(data)-headBytes)/8 {
		return 0, nil
	}
	return section.Addr, data[headBytes : headBytes+8*n]
}

// functionStart reports whether a function is known to begin at addr: by the table of functions that unwinding uses.
func (m *Image) functionStart(addr uint64) bool {
	m.once.Do(func() { m.unwindBase, m.unwind = m.unwindStarts() })
	start := func(i int) uint64 {
		return m.unwindBase + uint64(int64(int32(binary.LittleEndian.Uint32(m.unwind[8*i:]))))
	}
	n := len(m.unwind) / 8
	i := sort.Search(n, func(i int) bool { return int64(start(i)-m.unwindBase) >= int64(addr-m.unwindBase) })
	return i < n && start(i) == addr
}
