// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Secrets of TLS connections, from the libraries that derive them. */
#include "tlskey.h"

SEC("uprobe")
int openssl_kdf(struct pt_regs *regs)
{
	return on_kdf(regs);
}

SEC("uprobe")
int openssl_kdf_return(struct pt_regs *regs)
{
	return on_kdf_return(regs);
}

SEC("uprobe")
int openssl_pkey(struct pt_regs *regs)
{
	return on_pkey(regs);
}

SEC("uprobe")
int openssl_pkey_return(struct pt_regs *regs)
{
	return on_pkey_return(regs);
}

SEC("uprobe")
int go_key_log(struct pt_regs *regs)
{
	return on_go_log(regs);
}

SEC("uprobe")
int go_key_block(struct pt_regs *regs)
{
	return on_go_block(regs);
}

SEC("uprobe")
int go_key_block_return(struct pt_regs *regs)
{
	return on_go_block_return(regs);
}

SEC("uprobe")
int key_log(struct pt_regs *regs)
{
	return on_log(regs);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
