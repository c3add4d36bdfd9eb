package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ebpf-reel/reel/analyze"
	"github.com/ebpf-reel/reel/analyze/profile"
	"github.com/ebpf-reel/reel/format/text"
	"github.com/ebpf-reel/reel/report/folded"
)

// A reel in text: two processes share a library; a frame without a symbol, a stack that is not whole, one that the reel lacks, one that
// names itself as its caller.
const profiledReel = `reel-text 1
clock 1.0 boottime=1 realtime=2026-11-24T12:00:00Z
process 1.0 snapshot pid=10 comm="web" target
module 1.0 id=1 kind=elf path="/usr/bin/web" names="symtab"
module 1.0 id=2 kind=kernel path="[kernel]"
symbol 1.0 module=1 address=0x1000 bytes=0x100 source=symtab name="_ZN4shop4Cart3addEi"
symbol 1.0 module=1 address=0x2000 bytes=0x10 source=symtab name="main"
symbol 1.0 module=2 address=0x50 bytes=0x50 source=kallsyms name="do_syscall_64"
stack 1.0 id=1 kind=user module=1 address=0x2004
stack 1.0 id=2 parent=1 kind=user module=1 address=0x1004
stack 1.0 id=3 parent=2 kind=kernel module=2 address=0x60
stack 1.0 id=4 parent=1 kind=user module=1 address=0x9999
stack 1.0 id=5 parent=5 kind=user module=1 address=0x2008
oncpu 2.0 pid=10 tid=10 comm="web" period=10ms stack=2 verdict=complete
oncpu 2.1 pid=10 tid=11 comm="pool" period=10ms stack=3 kernel verdict=complete
oncpu 2.2 pid=10 tid=10 comm="web" period=10ms stack=2 verdict=complete
oncpu 2.3 pid=10 tid=10 comm="web" period=10ms stack=4 verdict=no_table
oncpu 2.4 pid=10 tid=10 comm="web" period=10ms stack=77
oncpu 2.5 pid=10 tid=10 comm="web" period=10ms stack=5 verdict=complete
offcpu 3.0 duration=500ms pid=10 tid=10 comm="web" state=sleep stack=2 verdict=complete
offcpu 3.1 duration=20ms pid=10 tid=10 comm="web" state=runnable stack=2 verdict=complete
`

func foldText(t *testing.T, cfg analyze.ProfileConfig) (string, *analyze.ProfileResult) {
	t.Helper()
	src, err := text.NewSource([]byte(profiledReel))
	if err != nil {
		t.Fatal(err)
	}
	res, err := analyze.Profile(t.Context(), src, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := folded.Write(&out, res.Profile); err != nil {
		t.Fatal(err)
	}
	return out.String(), res
}

func TestFold(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  analyze.ProfileConfig
		want string
	}{
		"all": {analyze.ProfileConfig{}, `web;[incomplete: code without unwind information or frame pointers];main;web+0x9999 1
web;[stack is not in the reel] 1
web;main 1
web;main;shop::Cart::add 2
web;main;shop::Cart::add;do_syscall_64_[k] 1
`},
		"a thread":        {analyze.ProfileConfig{Scope: profile.Scope{Comms: []string{"pool"}}}, "web;main;shop::Cart::add;do_syscall_64_[k] 1\n"},
		"a range of time": {analyze.ProfileConfig{From: time.Second, To: 1100 * time.Millisecond}, "web;main;shop::Cart::add 1\n"},
		"waits":           {analyze.ProfileConfig{Kind: profile.OffCPU}, "web;main;shop::Cart::add 500000\nweb;main;shop::Cart::add;[runnable: another thread had the CPU] 20000\n"},
		"part of a wait":  {analyze.ProfileConfig{Kind: profile.OffCPU, From: 1600 * time.Millisecond, To: 1700 * time.Millisecond}, "web;main;shop::Cart::add 100000\n"},
	} {
		if got, _ := foldText(t, c.cfg); got != c.want {
			t.Errorf("%s:\n%swant\n%s", name, got, c.want)
		}
	}
}

func TestFoldTellsWhatIsMissing(t *testing.T) {
	_, res := foldText(t, analyze.ProfileConfig{})
	told := map[string]uint64{}
	for _, e := range res.Ledger {
		told[e.Name] = e.Count
	}
	if told["stack_missing"] != 1 || told["stack_incomplete"] != 1 {
		t.Errorf("the ledger says %v", told)
	}
	if p := res.Profile; p.Counts != 6 || p.Time != 60*time.Millisecond || !strings.HasPrefix(p.Start.Time().String(), "2026-11-24 12:00:00") {
		t.Errorf("%d samples, %v, from %v", p.Counts, p.Time, p.Start.Time())
	}
}

func TestFoldIsBounded(t *testing.T) {
	_, res := foldText(t, analyze.ProfileConfig{Limits: profile.Limits{Stacks: 1, Frames: 2, Symbols: 3}})
	for _, e := range res.Ledger {
		if e.Name == "profile_folded" && e.Count > 3 {
			return
		}
	}
	t.Errorf("the ledger does not tell: %+v", res.Ledger)
}
