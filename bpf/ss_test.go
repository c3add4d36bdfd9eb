//go:build linux && (amd64 || arm64)

package bpf

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ebpf-reel/reel/format/wire"
)

// ssInfo is what ss -ti prints of a connection (TCP_INFO of include/uapi/linux/tcp.h), by local and remote port.
func (n *namespaces) ssInfo(ns string, port uint16) map[[2]uint16]string {
	n.t.Helper()
	out := n.in(ns, "ss", "-HOtin", "state", "established", fmt.Sprintf("( sport = :%[1]d or dport = :%[1]d )", port))
	all := map[[2]uint16]string{}
	ends := regexp.MustCompile(`:(\d+)\s+\S+:(\d+)\s+(.*)$`)
	for line := range strings.Lines(out) {
		if m := ends.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			local, _ := strconv.ParseUint(m[1], 10, 16)
			remote, _ := strconv.ParseUint(m[2], 10, 16)
			// Time that passes is no change of the connection.
			all[[2]uint16{uint16(local), uint16(remote)}] = regexp.MustCompile(`(lastsnd|lastrcv|lastack|busy|app_limited|rwnd_limited|sndbuf_limited|rcv_rtt|send|pacing_rate|delivery_rate)\S*( [\d.]+\S*bps)?`).ReplaceAllString(m[3], "")
		}
	}
	return all
}

// field reads a number of ss; milliseconds become microseconds.
func ssField(info, name string, group int) (uint64, bool) {
	patterns := map[string]string{"rtt": ` rtt:([\d.]+)/([\d.]+)`, "minrtt": ` minrtt:([\d.]+)`, "retrans": ` retrans:(\d+)/(\d+)`}
	pattern, special := patterns[name]
	if !special {
		pattern = ` ` + name + `:(\d+)`
	}
	m := regexp.MustCompile(pattern).FindStringSubmatch(" " + info)
	if m == nil {
		return 0, false
	}
	v, err := strconv.ParseFloat(m[group], 64)
	if err != nil {
		return 0, false
	}
	if name == "rtt" || name == "minrtt" {
		v *= 1000
	}
	return uint64(math.Round(v)), true
}

// TestNumbersOfASocketAreThoseOfSS holds round trip times, windows and counters against what ss reads of the same sockets at the same
// moment: that no reading changed from before the rows to after them says that it was the same.
func TestNumbersOfASocketAreThoseOfSS(t *testing.T) {
	n := newNamespaces(t)
	p := n.start(n.a, "testdata/state.py")
	o := attached(t, Options{Snaplen: 16})
	if err := o.AddTarget(p.pid()); err != nil {
		t.Fatal(err)
	}
	p.do("talk 300")
	for range 20 {
		collect(t, o)
		before := n.ssInfo(n.a, 7200)
		p.do("peek")
		events := collect(t, o)
		_, sockets := found(t, o)
		after := n.ssInfo(n.a, 7200)
		if len(before) != 2 || fmt.Sprint(before) != fmt.Sprint(after) {
			t.Logf("ss reads\n%v\nand then\n%v", before, after)
			continue
		}
		compareWithSS(t, before, sockets, ios(t, events))
		return
	}
	t.Fatal("the connection never rests")
}

func compareWithSS(t *testing.T, info map[[2]uint16]string, sockets []wire.SockEvent, calls []wire.Event) {
	t.Helper()
	checked := 0
	for _, s := range sockets {
		text, known := info[[2]uint16{s.Lport, s.Rport}]
		if !known || s.NewState != 1 {
			continue
		}
		for _, c := range []struct {
			name   string
			group  int
			got    uint64
			absent bool // ss prints no zero
		}{
			{"rtt", 1, uint64(s.SrttUS), false}, {"rtt", 2, uint64(s.RttvarUS), false}, {"minrtt", 1, uint64(s.RttMinUS), false},
			{"mss", 1, uint64(s.Mss), false}, {"cwnd", 1, uint64(s.SndCwnd), false}, {"segs_out", 1, uint64(s.SegsOut), false}, {"segs_in", 1, uint64(s.SegsIn), false},
			{"bytes_acked", 1, s.BytesAcked, false}, {"bytes_received", 1, s.BytesReceived, false},
			{"retrans", 2, uint64(s.TotalRetrans), true}, {"lost", 1, uint64(s.LostOut), true},
		} {
			want, printed := ssField(text, c.name, c.group)
			if !printed && !c.absent || want != c.got {
				t.Errorf("port %d: %s[%d] is %d, ss says %d: %s", s.Lport, c.name, c.group, c.got, want, text)
			}
			checked++
		}
		if s.SegsIn < 100 || s.SrttUS == 0 {
			t.Errorf("the connection moved little: %+v", s)
		}
	}
	for i := range calls {
		e := &calls[i].IO
		text, known := info[[2]uint16{e.Lport, e.Rport}]
		if !known {
			t.Errorf("a call on another socket: %+v", e)
			continue
		}
		rtt, _ := ssField(text, "rtt", 1)
		variance, _ := ssField(text, "rtt", 2)
		if uint64(e.SrttUS) != rtt || uint64(e.RttvarUS) != variance {
			t.Errorf("the call on port %d has a round trip time of %d and a variance of %d µs, ss says %d and %d", e.Lport, e.SrttUS, e.RttvarUS, rtt, variance)
		}
		checked++
	}
	if checked != 2*11+2 {
		t.Errorf("%d numbers compared", checked)
	}
}
