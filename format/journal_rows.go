package format

import (
	"errors"
	"fmt"
	"io"
)

// journalRows reads the rows of an indexed journal in their order.
type journalRows struct {
	ix     *journalIndex
	blocks blockCache
	filter Filter
	chunk  []byte // scratch

	event       Decoded
	io          ioRow
	socket      Socket
	process     Process
	clock       Clock
	beat        Heartbeat
	ring        Ring
	hook        Hook
	note        Note
	trigger     Trigger
	container   Container
	tcp         TCP
	tlsKey      TLSKey
	probe       Probe
	offCPU      OffCPU
	offCPUTotal OffCPUTotal
	onCPU       OnCPU
	stack       Stack
	symbol      Symbol
	module      Module
	mapping     Mapping
	tls         tlsRow
}

func newJournalRows(ix *journalIndex, filter Filter) *journalRows {
	return &journalRows{ix: ix, filter: filter, blocks: blockCache{file: ix.file, size: ix.size, blocks: map[int64]*block{}, most: cacheBlocks(ix.cpus)}}
}

// read returns row i, filtered. Its bytes are appended to buf, which is returned; the row itself is valid until the next
// call. A frame that holds no row gives a nil row and counts as bad: only reading can fail.
func (r *journalRows) read(i int, buf []byte) (Row, []byte, error) {
	e := r.ix.entries[i]
	start := len(buf)
	buf, err := r.blocks.appendBody(buf, e.off)
	if err != nil {
		return nil, buf, err
	}
	row, buf, err := r.decode(e, buf, start)
	if err != nil {
		r.ix.bad++
		return nil, buf[:start], nil //nolint:nilerr // counted, and the rows after it are whole
	}
	if row == nil {
		return nil, buf, nil
	}
	r.filter.Apply(row)
	return row, buf, nil
}

func (r *journalRows) decode(e entry, buf []byte, start int) (Row, []byte, error) {
	body := buf[start:]
	if e.kind == frameEvent {
		if err := DecodeEvent(body, &r.event); err != nil {
			return nil, buf, err
		}
		switch r.event.Kind {
		case EventIO, EventDgram:
			buf, err := r.join(e, buf)
			return &r.event.IO, buf, err
		case EventSock, EventUnix:
			return &r.event.Socket, buf, nil
		case EventProc:
			return &r.event.Process, buf, nil
		case EventTCP:
			return &r.event.TCP, buf, nil
		case EventTLSKey:
			return &r.event.TLSKey, buf, nil
		case EventTLS:
			return &r.event.TLS, buf, nil
		}
		return nil, buf, fmt.Errorf("a record of kind %d is no row", r.event.Kind)
	}
	var row Row
	var err error
	switch e.table {
	case TableSocket:
		_, err = decodeColumns(body, &socketTable, &r.socket)
		row = &r.socket
	case TableIO:
		r.io.IO.Payload, err = decodeColumns(body, &ioTable, &r.io)
		row = &r.io.IO
	case TableProcess:
		_, err = decodeColumns(body, &processTable, &r.process)
		row = &r.process
	case TableClock:
		_, err = decodeColumns(body, &clockTable, &r.clock)
		row = &r.clock
	case TableHeartbeat:
		_, err = decodeColumns(body, &heartbeatTable, &r.beat)
		row = &r.beat
	case TableRing:
		_, err = decodeColumns(body, &ringTable, &r.ring)
		row = &r.ring
	case TableHook:
		_, err = decodeColumns(body, &hookTable, &r.hook)
		row = &r.hook
	case TableNote:
		_, err = decodeColumns(body, &noteTable, &r.note)
		row = &r.note
	case TableTrigger:
		_, err = decodeColumns(body, &triggerTable, &r.trigger)
		row = &r.trigger
	case TableContainer:
		_, err = decodeColumns(body, &containerTable, &r.container)
		row = &r.container
	case TableTCP:
		_, err = decodeColumns(body, &tcpTable, &r.tcp)
		row = &r.tcp
	case TableTLSKey:
		_, err = decodeColumns(body, &tlsKeyTable, &r.tlsKey)
		row = &r.tlsKey
	case TableProbe:
		_, err = decodeColumns(body, &probeTable, &r.probe)
		row = &r.probe
	case TableOnCPU:
		_, err = decodeColumns(body, &onCPUTable, &r.onCPU)
		row = &r.onCPU
	case TableOffCPU:
		_, err = decodeColumns(body, &offCPUTable, &r.offCPU)
		row = &r.offCPU
	case TableOffCPUTotal:
		_, err = decodeColumns(body, &offCPUTotalTable, &r.offCPUTotal)
		row = &r.offCPUTotal
	case TableStack:
		_, err = decodeColumns(body, &stackTable, &r.stack)
		row = &r.stack
	case TableSymbol:
		_, err = decodeColumns(body, &symbolTable, &r.symbol)
		row = &r.symbol
	case TableModule:
		_, err = decodeColumns(body, &moduleTable, &r.module)
		row = &r.module
	case TableMapping:
		_, err = decodeColumns(body, &mappingTable, &r.mapping)
		row = &r.mapping
	case TableTLS:
		r.tls.TLS.Payload, err = decodeColumns(body, &tlsTable, &r.tls)
		row = &r.tls.TLS
	}
	return row, buf, err
}

// join appends the chunks that belong to the io whose body ends buf. Chunks that are missing make the call's bytes end
// where the first of them began, and its cut CutLost.
func (r *journalRows) join(e entry, buf []byte) ([]byte, error) {
	io := &r.event.IO
	payload := len(buf) - len(io.Payload)
	var chunk Decoded
	left := r.event.More
	for c := e.more; c >= 0; c = r.ix.chunks[c].next {
		var err error
		if r.chunk, err = r.blocks.appendBody(r.chunk[:0], r.ix.chunks[c].off); err != nil {
			return buf, err
		}
		if err := DecodeEvent(r.chunk, &chunk); err != nil || int(chunk.Chunk.Offset) != len(buf)-payload || left == 0 {
			break
		}
		buf = append(buf, chunk.Chunk.Payload...)
		left--
	}
	if left > 0 {
		io.Cut = CutLost
	}
	io.Payload = buf[payload:]
	io.Captured = uint32(len(io.Payload))
	return buf, nil
}

// withhold is the filter of a reader that was given none: what may hold secrets stays out.
type withhold struct{}

func (withhold) Version() string { return "withhold" }

func (withhold) Fresh() Filter { return withhold{} }

func (withhold) Apply(row Row) {
	switch r := row.(type) {
	case *IO:
		if len(r.Payload) > 0 {
			r.Payload = nil
			r.Cut = CutPolicy
		}
	case *TLS:
		if len(r.Payload) > 0 {
			r.Payload = nil
			r.Cut = CutPolicy
		}
	case *Process:
		if len(r.Args) > 0 {
			r.Args = nil
			r.ArgsCut = true
		}
	case *TLSKey:
		r.Secret = nil
	}
}

// blockCache reads frames at places that lie close together, but do not follow each other: each CPU's records follow each
// other, and the CPUs take turns.
type blockCache struct {
	file   ReadFile
	size   int64
	blocks map[int64]*block
	most   int // blocks
	clock  int64
	last   *block
}

type block struct {
	number int64
	used   int64
	data   []byte
}

const (
	cacheBlockBytes = 64 << 10
	minCacheBlocks  = 8
	maxCacheBlocks  = 64
)

// cacheBlocks is how many blocks the records of so many CPUs are read by: one each, and one that they are leaving.
func cacheBlocks(cpus int) int { return min(max(2*cpus, minCacheBlocks), maxCacheBlocks) }

// appendBody appends the body of the frame at off, whose header was checked before. The file may have changed since, so
// its length is checked again.
func (b *blockCache) appendBody(buf []byte, off int64) ([]byte, error) {
	var h [frameHeaderSize]byte
	if _, err := b.appendTo(h[:0], off, frameHeaderSize); err != nil {
		return buf, err
	}
	n, ok := frameLength(h[:])
	if !ok || int64(n) > b.size-off {
		return buf, &CorruptError{Offset: off, Err: fmt.Errorf("the journal changed while it was read")}
	}
	return b.appendTo(buf, off+frameHeaderSize, n-frameHeaderSize)
}

func (b *blockCache) appendTo(buf []byte, off int64, n int) ([]byte, error) {
	for n > 0 {
		blk, err := b.block(off / cacheBlockBytes)
		if err != nil {
			return buf, err
		}
		at := int(off % cacheBlockBytes)
		if at >= len(blk.data) {
			return buf, io.ErrUnexpectedEOF
		}
		part := blk.data[at:min(len(blk.data), at+n)]
		buf = append(buf, part...)
		off += int64(len(part))
		n -= len(part)
	}
	return buf, nil
}

func (b *blockCache) block(number int64) (*block, error) {
	if b.last != nil && b.last.number == number {
		return b.last, nil
	}
	b.clock++
	blk := b.blocks[number]
	if blk == nil {
		if len(b.blocks) < b.most {
			blk = &block{data: make([]byte, 0, cacheBlockBytes)}
		} else {
			for _, other := range b.blocks {
				if blk == nil || other.used < blk.used {
					blk = other
				}
			}
			delete(b.blocks, blk.number)
		}
		n := int(min(cacheBlockBytes, b.size-number*cacheBlockBytes))
		if n <= 0 {
			return nil, io.ErrUnexpectedEOF
		}
		got, err := b.file.ReadAt(blk.data[:n], number*cacheBlockBytes)
		blk.data = blk.data[:got]
		if got < n {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		blk.number = number
		b.blocks[number] = blk
	}
	blk.used = b.clock
	b.last = blk
	return blk, nil
}
