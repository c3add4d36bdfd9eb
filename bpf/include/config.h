// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* config.h holds what user space fixes before the programs are loaded: the verifier sees constants. What it changes later is in budget.h. */
#ifndef REEL_CONFIG_H
#define REEL_CONFIG_H

#include "kernel.h"

const volatile __u32 wake_bytes = 1;   /* bytes written to a ring between two wake-ups of its reader */
const volatile __u64 salt = 0;         /* of socket ids */
const volatile __u8 filter_ports = 0;  /* 1: only sockets with a port of port_bits */
const volatile __u32 own_pid_ns = 0;   /* inode number of the pid namespace that user space sees, if it is not the initial one */
const volatile __u8 watch_cgroups = 0; /* 1: wanted_cgroups holds some */
const volatile __u64 port_bits[1024];  /* one bit a port, host order */

static __always_inline bool port_listed(__u16 port)
{
	return port_bits[port >> 6] >> (port & 63) & 1;
}

static __always_inline bool ports_wanted(__u16 local, __u16 remote)
{
	return !filter_ports || port_listed(local) || port_listed(remote);
}

#endif /* REEL_CONFIG_H */
