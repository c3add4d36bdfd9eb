package format

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/format/wire"
)

// nginxTraffic makes the kernel records of nginx that answers small requests on keep-alive connections, as one recorder
// of the server sees them: 2 workers on 2 CPUs, 64 connections, a request of about 80 bytes read, a head of about 240
// bytes and 100 bytes of body written. Each client asks again as soon as it has its answer, so connections come back in
// about the same order, as with a closed-loop load generator. Times, RTTs and durations are spread as measured on such a
// run; sequence numbers start at random and count bytes.
func nginxTraffic(exchanges int, each func(ev []byte) error) error {
	rng := rand.New(rand.NewPCG(1, 2))
	const conns = 64
	type conn struct {
		sock, inode    uint64
		fd             int32
		port           uint16
		rcv, snd, srtt uint32
	}
	cs := make([]conn, conns)
	for i := range cs {
		cs[i] = conn{rng.Uint64(), 80_000 + uint64(i), int32(4 + i/2), uint16(32768 + rng.IntN(28000)), rng.Uint32(), rng.Uint32(), 60 + rng.Uint32N(40)}
	}
	now := [2]uint64{5_000_000_000_000, 5_000_000_000_000}
	var seq [2]uint64
	start := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	order := rng.Perm(conns)
	for n := range exchanges {
		i := order[n%conns]
		if rng.IntN(8) == 0 { // some overtake others
			j := (n + 1 + rng.IntN(6)) % conns
			order[n%conns], order[j] = order[j], order[n%conns]
		}
		c := &cs[i]
		cpu := i % 2
		t := &now[cpu]
		*t += 9000 + uint64(rng.ExpFloat64()*2000)
		if rng.IntN(16) == 0 {
			*t += uint64(rng.ExpFloat64() * 30000)
		}
		if rng.IntN(4) == 0 {
			c.srtt = max(20, c.srtt+rng.Uint32N(9)-4)
		}
		seq[cpu]++
		h := wire.EventHeader{TimeNS: *t, Seq: seq[cpu], PID: 4710 + uint32(cpu), TID: 4710 + uint32(cpu), CPU: uint16(cpu)}
		base := wire.IOEvent{H: h, Sock: c.sock, Inode: c.inode, SrttUS: c.srtt, RttvarUS: c.srtt / 2, FD: c.fd, Family: 2, Lport: 80, Rport: c.port}
		req := []byte("GET /index.html HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: load/1.0\r\nAccept: */*\r\n\r\n")
		r := base
		r.DurationNS = 900 + uint64(rng.ExpFloat64()*150)
		r.Ret, r.Seq, r.Call, r.Dir = int64(len(req)), c.rcv, wire.CallRecvfrom, 1
		r.Flags = uint16(IOMsgStart | IOOffsetValid | IONonblock)
		c.rcv += uint32(len(req))
		if err := each(ioEvent(r, req)); err != nil {
			return err
		}
		date := start.Add(time.Duration(*t-5_000_000_000_000) * time.Nanosecond).Format("Mon, 02 Jan 2006 15:04:05 GMT")
		resp := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: %s\r\nContent-Type: text/html\r\nContent-Length: 100\r\nLast-Modified: Mon, 23 Nov 2026 10:00:00 GMT\r\nConnection: keep-alive\r\nETag: \"6741a3c0-64\"\r\nAccept-Ranges: bytes\r\n\r\n%0100d", date, 7)
		w := base
		*t += 4000 + uint64(rng.ExpFloat64()*800)
		seq[cpu]++
		w.H.TimeNS, w.H.Seq = *t, seq[cpu]
		w.DurationNS = 5200 + uint64(rng.ExpFloat64()*900)
		w.Ret, w.Seq, w.Call, w.Dir = int64(len(resp)), c.snd, wire.CallWritev, 2
		w.Flags = uint16(IOMsgStart | IOOffsetValid | IONonblock)
		c.snd += uint32(len(resp))
		if err := each(ioEvent(w, resp)); err != nil {
			return err
		}
	}
	return nil
}

// nginxEvents is nginxTraffic in memory.
func nginxEvents(tb testing.TB, exchanges int) [][]byte {
	var evs [][]byte
	if err := nginxTraffic(exchanges, func(ev []byte) error { evs = append(evs, ev); return nil }); err != nil {
		tb.Fatal(err)
	}
	return evs
}

// nginxReel writes a reel of nginxTraffic and returns the bytes of its segments by column file.
func nginxReel(tb testing.TB, dir string, exchanges int) (bytes int64, byTable map[string]int64) {
	w := testWriter(tb, dir, WriterConfig{})
	if err := nginxTraffic(exchanges, w.AppendEvent); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	m, err := loadManifest(OS{}, dir)
	if err != nil {
		tb.Fatal(err)
	}
	byTable = map[string]int64{}
	for _, s := range m.Segments {
		for _, f := range s.Files {
			bytes += f.Bytes
			byTable[f.Table] += f.Bytes
		}
	}
	return bytes, byTable
}

// BenchmarkSealSize reports what an exchange costs on disk, and what each column of it does.
func BenchmarkSealSize(b *testing.B) {
	const exchanges = 300_000
	for b.Loop() {
		dir := filepath.Join(b.TempDir(), "a.reel")
		bytes, byTable := nginxReel(b, dir, exchanges)
		b.ReportMetric(float64(bytes)/exchanges, "B/exchange")
		for t, n := range byTable {
			b.ReportMetric(float64(n)/exchanges, t+"-B/exchange")
		}
		if os.Getenv("REEL_COLUMNS") != "" {
			printColumns(b, dir, exchanges)
		}
	}
}

func printColumns(b *testing.B, dir string, exchanges int) {
	m, err := loadManifest(OS{}, dir)
	if err != nil {
		b.Fatal(err)
	}
	sum := map[string]int64{}
	var names []string
	for _, s := range m.Segments {
		for _, f := range s.Files {
			file, err := OS{}.Open(join(dir, f.Name))
			if err != nil {
				b.Fatal(err)
			}
			pf, err := openParquet(file)
			if err != nil {
				b.Fatal(err)
			}
			for _, l := range pf.leaves {
				name := f.Table + "." + l.name
				if _, ok := sum[name]; !ok {
					names = append(names, name)
				}
				sum[name] += l.meta.TotalCompressedSize
			}
			file.Close()
		}
	}
	for _, n := range names {
		b.Logf("%-24s %6.2f B/exchange", n, float64(sum[n])/float64(exchanges))
	}
}

// BenchmarkSeal measures the sealer alone: rows sealed per second of one core.
func BenchmarkSeal(b *testing.B) {
	evs := nginxEvents(b, 100_000)
	dir := b.TempDir()
	j := benchJournal(b, dir, evs)
	b.ReportAllocs()
	cpu := cpuTime(b)
	for b.Loop() {
		file, err := OS{}.Open(join(dir, j.name))
		if err != nil {
			b.Fatal(err)
		}
		ix, err := indexJournal(file, j.name, benchUUID, j.number)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := sealJournal(OS{}, dir, benchUUID, ix, NoFilter{}, func(time.Duration) {}); err != nil {
			b.Fatal(err)
		}
		file.Close()
	}
	b.ReportMetric(float64(b.N*len(evs))/b.Elapsed().Seconds(), "rows/s")
	reportCPU(b, cpu, b.N*len(evs))
}

const benchUUID = "01234567-89ab-4def-8123-456789abcdef"

func benchJournal(tb testing.TB, dir string, evs [][]byte) *journal {
	j, err := createJournal(OS{}, dir, benchUUID, 1, time.Now(), buffers{})
	if err != nil {
		tb.Fatal(err)
	}
	for _, ev := range evs {
		if err := j.append(frameEvent, ev); err != nil {
			tb.Fatal(err)
		}
	}
	if err := j.write(); err != nil {
		tb.Fatal(err)
	}
	if err := j.close(); err != nil {
		tb.Fatal(err)
	}
	return j
}

// BenchmarkAppendEvent measures the recorder's hot path: copy, CRC and write(2), to a device that keeps nothing, since a
// disk would be what is measured.
func BenchmarkAppendEvent(b *testing.B) {
	evs := nginxEvents(b, 1000)
	w := testWriter(b, filepath.Join(b.TempDir(), "a.reel"), WriterConfig{SegmentBytes: 1 << 30, SegmentTime: time.Hour, FS: discardFS{}})
	var bytes int64
	for _, ev := range evs {
		bytes += int64(len(ev))
	}
	b.SetBytes(bytes / int64(len(evs)))
	b.ReportAllocs()
	i := 0
	cpu := cpuTime(b)
	for b.Loop() {
		if err := w.AppendEvent(evs[i]); err != nil {
			b.Fatal(err)
		}
		if i++; i == len(evs) {
			i = 0
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	reportCPU(b, cpu, b.N)
	b.StopTimer()
	w.stopWithoutSeal()
}

// BenchmarkRows measures reading: io rows with their payload per second.
func BenchmarkRows(b *testing.B) {
	const exchanges = 300_000
	dir := filepath.Join(b.TempDir(), "a.reel")
	nginxReel(b, dir, exchanges)
	r, err := Open(dir, OpenOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	b.ReportAllocs()
	var rows, bytes int64
	cpu := cpuTime(b)
	for b.Loop() {
		for row, err := range r.Rows(RowsOptions{}) {
			if err != nil {
				b.Fatal(err)
			}
			if io, ok := row.(*IO); ok {
				rows++
				bytes += int64(len(io.Payload))
			}
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(bytes)/b.Elapsed().Seconds()/1e6, "payload-MB/s")
	reportCPU(b, cpu, int(rows))
}

// discardFS writes journals to /dev/null.
type discardFS struct{ OS }

func (discardFS) Create(name string) (AppendFile, error) {
	if _, ok := journalNumber(filepath.Base(name)); ok {
		f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		return nullFile{f}, err
	}
	return OS{}.Create(name)
}

// nullFile cannot be synced.
type nullFile struct{ *os.File }

func (nullFile) Sync() error { return nil }

// TestAppendEventAllocates holds the hot path to no allocation.
func TestAppendEventAllocates(t *testing.T) {
	evs := nginxEvents(t, 1000)
	w := testWriter(t, filepath.Join(t.TempDir(), "a.reel"), WriterConfig{SegmentBytes: 1 << 30, SegmentTime: time.Hour})
	i := 0
	n := testing.AllocsPerRun(5000, func() {
		if err := w.AppendEvent(evs[i%len(evs)]); err != nil {
			t.Fatal(err)
		}
		i++
	})
	if n != 0 {
		t.Errorf("AppendEvent allocates %v times", n)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// stopWithoutSeal ends the writer's goroutines, for a benchmark that is over.
func (w *Writer) stopWithoutSeal() {
	w.mu.Lock()
	j := w.cur
	w.cur = nil
	w.fail(errClosed)
	w.mu.Unlock()
	close(w.stop)
	w.done.Wait()
	j.file.Close()
	q := w.sealing
	q.mu.Lock()
	q.closing = true
	q.queue = nil
	q.mu.Unlock()
	q.wake.Signal()
	q.done.Wait()
}
