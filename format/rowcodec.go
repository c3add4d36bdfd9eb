package format

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The body of a row frame (SPEC.md §4.2), driven by the table's definition:
//
//	┌───────┬─────────┬──────────┬─────┬───────────────┬─────────────────────┐
//	│ table │ columns │ column 0 │ ... │ column n-1    │ payload (io, tls)   │
//	│ u8    │ u8 = n  │          │     │               │ rest of the body    │
//	└───────┴─────────┴──────────┴─────┴───────────────┴─────────────────────┘
//
// Column 0 of every table is time_ns.

// maxArgs bounds the elements of a list before it is allocated.
const maxArgs = 1 << 16

// appendRowBody appends the body of a row frame. Errors are *RowError.
func appendRowBody(buf []byte, row Row) ([]byte, error) {
	switch r := row.(type) {
	case *Socket:
		return appendColumns(buf, &socketTable, r)
	case *IO:
		io := ioRow{IO: *r, ref: -1}
		buf, err := appendColumns(buf, &ioTable, &io)
		return append(buf, r.Payload...), err
	case *Process:
		return appendColumns(buf, &processTable, r)
	case *Clock:
		return appendColumns(buf, &clockTable, r)
	case *Heartbeat:
		return appendColumns(buf, &heartbeatTable, r)
	case *Ring:
		return appendColumns(buf, &ringTable, r)
	case *Hook:
		return appendColumns(buf, &hookTable, r)
	case *Note:
		return appendColumns(buf, &noteTable, r)
	case *Trigger:
		return appendColumns(buf, &triggerTable, r)
	case *Container:
		return appendColumns(buf, &containerTable, r)
	case *TCP:
		return appendColumns(buf, &tcpTable, r)
	case *TLSKey:
		return appendColumns(buf, &tlsKeyTable, r)
	case *Probe:
		return appendColumns(buf, &probeTable, r)
	case *OnCPU:
		return appendColumns(buf, &onCPUTable, r)
	case *OffCPU:
		return appendColumns(buf, &offCPUTable, r)
	case *OffCPUTotal:
		return appendColumns(buf, &offCPUTotalTable, r)
	case *Stack:
		return appendColumns(buf, &stackTable, r)
	case *Symbol:
		return appendColumns(buf, &symbolTable, r)
	case *Module:
		return appendColumns(buf, &moduleTable, r)
	case *Mapping:
		return appendColumns(buf, &mappingTable, r)
	case *TLS:
		row := tlsRow{TLS: *r, ref: -1}
		buf, err := appendColumns(buf, &tlsTable, &row)
		return append(buf, r.Payload...), err
	}
	return buf, fmt.Errorf("a row of type %T cannot be stored", row)
}

func appendColumns[R any](buf []byte, t *table[R], row *R) ([]byte, error) {
	buf = append(buf, byte(t.id), byte(len(t.cols)))
	rows := []R{*row}
	for i := range t.cols {
		c := &t.cols[i]
		switch c.Type {
		case ColumnString:
			s := c.getString(row)
			buf = append(binary.AppendUvarint(buf, uint64(len(s))), s...)
		case ColumnStrings:
			list := c.getList(row)
			if len(list) > maxArgs {
				return buf, &RowError{t.id, c.Name, fmt.Errorf("%d elements are more than %d", len(list), maxArgs)}
			}
			buf = binary.AppendUvarint(buf, uint64(len(list)))
			for _, s := range list {
				buf = append(binary.AppendUvarint(buf, uint64(len(s))), s...)
			}
		default:
			var n [1]int64
			c.get(rows, n[:])
			if err := c.check(n[0]); err != nil {
				return buf, &RowError{t.id, c.Name, err}
			}
			buf = binary.AppendVarint(buf, n[0])
		}
	}
	return buf, nil
}

// check reports whether a number can be stored in the column.
func (c *column[R]) check(v int64) error {
	lo, hi := c.Type.bounds()
	if c.Type == ColumnEnum {
		lo, hi = 0, c.top
	}
	if (v < lo || v > hi) && !(c.Optional && v == c.null) {
		return fmt.Errorf("%d is outside %d to %d", v, lo, hi)
	}
	return nil
}

var errShortRow = errors.New("the row ends early")

// rowBody reads a row frame's body: one error sticks, and is asked for once.
type rowBody struct {
	data []byte
	err  error
}

func (b *rowBody) varint() int64 {
	v, n := binary.Varint(b.data)
	if n <= 0 {
		b.fail()
		return 0
	}
	b.data = b.data[n:]
	return v
}

func (b *rowBody) count(limit int) int {
	v, n := binary.Uvarint(b.data)
	if n <= 0 || v > uint64(limit) {
		b.fail()
		return 0
	}
	b.data = b.data[n:]
	return int(v)
}

func (b *rowBody) string() string {
	n := b.count(len(b.data))
	if n > len(b.data) {
		b.fail()
		return ""
	}
	s := string(b.data[:n])
	b.data = b.data[n:]
	return s
}

func (b *rowBody) fail() {
	b.data = nil
	if b.err == nil {
		b.err = errShortRow
	}
}

// cpuColumn is the column of each row table that holds its cpu; -1 none. Tables that are not here have no row frames.
var cpuColumn = map[TableID]int{TableSocket: 2, TableIO: 2, TableRing: 1, TableTCP: 1, TableTLSKey: 1, TableTLS: 2,
	TableProcess: -1, TableClock: -1, TableHeartbeat: -1, TableHook: -1, TableNote: -1, TableTrigger: -1, TableContainer: -1, TableProbe: -1,
	TableOnCPU: 1, TableOffCPU: 1, TableOffCPUTotal: -1, TableStack: -1, TableSymbol: -1, TableModule: -1, TableMapping: -1}

// rowHead reads what orders a row out of a row frame's body.
func rowHead(body []byte) (t TableID, time KTime, cpu uint16, err error) {
	if len(body) < 3 || body[1] == 0 {
		return 0, 0, 0, errShortRow
	}
	at, ok := cpuColumn[TableID(body[0])]
	if !ok {
		return 0, 0, 0, fmt.Errorf("table %d is unknown", body[0])
	}
	b := rowBody{data: body[2:]}
	time = KTime(b.varint())
	if at > 0 && at < int(body[1]) {
		for range at - 1 {
			b.varint()
		}
		cpu = uint16(b.varint())
	}
	return TableID(body[0]), time, cpu, b.err
}

// decodeColumns fills row and returns what follows its columns. A row of fewer columns is of an older writer: the others
// get their zero value, or what NULL stands for.
func decodeColumns[R any](body []byte, t *table[R], row *R) (rest []byte, err error) {
	if len(body) < 2 || TableID(body[0]) != t.id {
		return nil, errShortRow
	}
	var rows [1]R
	b := rowBody{data: body[2:]}
	present := int(body[1])
	if present > len(t.cols) {
		return nil, fmt.Errorf("the row has %d columns, table %s has %d", present, t.id, len(t.cols))
	}
	for i := range t.cols {
		c := &t.cols[i]
		switch {
		case i >= present && c.Optional && c.set != nil:
			c.set(rows[:], []int64{c.null})
		case i >= present:
		case c.Type == ColumnString:
			c.setString(&rows[0], b.string())
		case c.Type == ColumnStrings:
			n := b.count(min(maxArgs, len(b.data)))
			var list []string
			for range n {
				list = append(list, b.string())
			}
			c.setList(&rows[0], list)
		default:
			v := b.varint()
			if b.err == nil {
				if err := c.check(v); err != nil {
					return nil, fmt.Errorf("column %s: %w", c.Name, err)
				}
			}
			c.set(rows[:], []int64{v})
		}
		if b.err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, b.err)
		}
	}
	*row = rows[0]
	return b.data, nil
}
