// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* What targets run, and what they wait for. */
#include "sample.h"

/* struct bpf_perf_event_data of the architecture. */
#if defined(__TARGET_ARCH_x86)
struct tick {
	__u64 regs[21], period, addr;
};
#define TICK_IN_KERNEL(tick) (((tick)->regs[17] & 3) == 0) /* cs */
#else
struct tick {
	__u64 regs[34], period, addr;
};
#define TICK_IN_KERNEL(tick) (((tick)->regs[33] & 0xf) != 0) /* pstate */
#endif

SEC("perf_event")
int sample(struct tick *tick)
{
	return on_tick(tick, TICK_IN_KERNEL(tick));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
