//go:build linux && (amd64 || arm64)

package bpf

import (
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// HookResult says whether a hook is in place.
type HookResult struct {
	Name     string // "tp_btf/sys_exit"
	Purpose  string // what is not seen without it
	Required bool   // a capture without it makes no sense
	Err      error  // why it is not attached; nil: it is
}

type hook struct {
	program  string
	section  string
	purpose  string
	required bool
}

type hookTable []hook

// hooks are attached in this order: what follows processes and sockets comes before what records their io.
var hooks = hookTable{
	{"sched_process_fork", "tp_btf/sched_process_fork", "children that a target starts", false},
	{"sched_process_exec", "tp_btf/sched_process_exec", "the arguments of programs that a target starts", false},
	{"task_rename", "tp_btf/task_rename", "new names that a target gives itself", false},
	{"cgroup_attach_task", "tp_btf/cgroup_attach_task", "processes that enter a cgroup that is recorded: they are looked for once a second", false},
	{"exit_closes", "tp_btf/sched_process_exit (sockets)", "sockets that a target closes by its end", false}, // before the next, which ends recording it
	{"sched_process_exit", "tp_btf/sched_process_exit", "the end of a target", false},
	{"tcp_destroy_sock", "tp_btf/tcp_destroy_sock", "resets that a close sends", false},
	{"sched_prepare_exec", "tp_btf/sched_prepare_exec", "sockets that a target closes by exec (FD_CLOEXEC)", false},
	{"inet_sock_set_state", "tp_btf/inet_sock_set_state", "establishment and end of connections", false},
	{"sched_switch", "tp_btf/sched_switch", "duration and socket of calls that block", false},
	{"sys_exit", "tp_btf/sys_exit", "socket calls and their bytes", true},
	{"sys_enter", "tp_btf/sys_enter", "duration of socket calls, and close", false},
	{"tcp_retransmit_skb", "tp_btf/tcp_retransmit_skb", "segments that TCP sends again, and why", false},
	{"tcp_retransmit_synack", "tp_btf/tcp_retransmit_synack", "SYN-ACKs that are sent again", false},
	{"kfree_skb", "tp_btf/kfree_skb", "segments that are dropped, and the kernel's reason", false},
	{"tcp_send_reset", "tp_btf/tcp_send_reset", "resets that are sent, and the kernel's reason", false},
	{"tcp_receive_reset", "tp_btf/tcp_receive_reset", "resets that are received", false},
	{"tcp_probe", "tp_btf/tcp_probe", "windows of zero bytes: one end waits for the other to read", false},
	{"block_switch", "tp_btf/sched_switch (blocks)", "what targets wait for, and how long", false},
	{"block_waking", "tp_btf/sched_waking", "who ends the wait of a target, and how long it then waits for a CPU", false},
	{"block_resumed", "tp_btf/sched_exit_tp", "user stacks of blocks", false},
	{"block_returned", "tp_btf/sys_exit (blocks)", "user stacks of blocks", false},
	{"sample", "perf_event/cpu-clock", "what targets run: samples of their stacks", false},
	{"listening_sockets", "iter/task_file (listening)", "sockets that were listening already", false},
	{"queued_connections", "iter/task_file (accept queues)", "connections that wait to be accepted already", false},
	{"open_sockets", "iter/task_file", "connections that were open already", false},
}

func (t hookTable) required(spec *ebpf.CollectionSpec) bool {
	for _, h := range t {
		if h.required && spec.Programs[h.program] != nil {
			return true
		}
	}
	return false
}

// Attach puts each program on its hook and says of each how it went. (Iterators are not attached: they run in Snapshot.)
func (o *Objects) Attach() []HookResult {
	var results []HookResult
	for _, h := range hooks {
		if o.wanted(h) {
			results = append(results, HookResult{Name: h.section, Purpose: h.purpose, Required: h.required, Err: o.attach(h)})
		}
	}
	return results
}

// wanted reports whether a hook is one of what was asked for.
func (o *Objects) wanted(h hook) bool {
	return o.programs[h.program] != nil || o.refused[h.program] != nil
}

func (o *Objects) attach(h hook) error {
	if err := o.refused[h.program]; err != nil {
		return err
	}
	prog := o.programs[h.program]
	if h.program == "sample" {
		return o.attachSamples(prog)
	}
	if strings.HasPrefix(h.section, "iter/") {
		return nil
	}
	l, err := link.AttachTracing(link.TracingOptions{Program: prog})
	if err != nil {
		return explain("attach to "+h.section, err)
	}
	o.links = append(o.links, l)
	if h.program == "tcp_destroy_sock" {
		return o.live.keepUntilFreed()
	}
	return nil
}
