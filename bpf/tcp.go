//go:build linux && (amd64 || arm64)

package bpf

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// tcpArguments are the tracepoints of include/tcp.h whose arguments grew over the kernel's versions, by the variable that
// says how many there are.
var tcpArguments = map[string]string{
	"kfree_skb_arguments":  "kfree_skb",
	"retransmit_arguments": "tcp_retransmit_skb",
	"reset_arguments":      "tcp_send_reset",
}

// reasonBytes is TCP_REASON_LEN of event.h: a name and its NUL.
const reasonBytes = 32

// fitTCP tells the programs of tcp.bpf.c what the tracepoints of this kernel have, and takes out those that would show
// nothing: the reasons why, by program.
func fitTCP(spec *ebpf.CollectionSpec) (map[string]error, error) {
	if spec.Programs["kfree_skb"] == nil {
		return nil, nil
	}
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, noBTF("read the kernel's types", err)
	}
	refused := map[string]error{}
	for variable, tracepoint := range tcpArguments {
		n, err := tracepointArguments(kernel, tracepoint)
		if err != nil {
			return nil, err
		}
		if v := spec.Variables[variable]; v != nil {
			if err := v.Set(uint8(n)); err != nil {
				return nil, fmt.Errorf("set %s: %w", variable, err)
			}
		}
		if tracepoint == "kfree_skb" && n < 3 {
			delete(spec.Programs, "kfree_skb")
			refused["kfree_skb"] = &UnsupportedError{"see dropped segments", "this kernel does not say why it frees a packet",
				"Linux 5.17 or later is needed for drops", ebpf.ErrNotSupported}
		}
	}
	for name, enum := range map[string]struct{ name, prefix string }{
		"drop_reasons":  {"skb_drop_reason", "SKB_DROP_REASON_"},
		"reset_reasons": {"sk_rst_reason", "SK_RST_REASON_"},
	} {
		if m := spec.Maps[name]; m != nil {
			m.Contents = reasonNames(kernel, enum.name, enum.prefix, m.MaxEntries)
		}
	}
	return refused, nil
}

// tracepointArguments returns how many arguments a tracepoint has; 0 if there is none of that name.
func tracepointArguments(kernel *btf.Spec, name string) (int, error) {
	var hook *btf.Typedef
	if err := kernel.TypeByName("btf_trace_"+name, &hook); err != nil {
		return 0, nil //nolint:nilerr // not in this kernel: attaching says so
	}
	pointer, ok := hook.Type.(*btf.Pointer)
	if !ok {
		return 0, fmt.Errorf("the kernel's type of the tracepoint %s is no function", name)
	}
	proto, ok := pointer.Target.(*btf.FuncProto)
	if !ok || len(proto.Params) == 0 {
		return 0, fmt.Errorf("the kernel's type of the tracepoint %s is no function", name)
	}
	return len(proto.Params) - 1, nil // the first is the tracepoint's own
}

// reasonNames returns the kernel's names of an enum's numbers below limit; none when the kernel has no such enum.
func reasonNames(kernel *btf.Spec, enum, prefix string, limit uint32) (contents []ebpf.MapKV) {
	var e *btf.Enum
	if err := kernel.TypeByName(enum, &e); err != nil {
		return nil
	}
	for _, v := range e.Values {
		if v.Value >= uint64(limit) {
			continue
		}
		var name [reasonBytes]byte
		copy(name[:reasonBytes-1], strings.TrimPrefix(v.Name, prefix))
		contents = append(contents, ebpf.MapKV{Key: uint32(v.Value), Value: name})
	}
	return contents
}
