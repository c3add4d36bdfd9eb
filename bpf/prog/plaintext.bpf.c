// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Plaintext of TLS connections, from the functions of the libraries that encrypt and decrypt it. */
#include "plaintext.h"

SEC("uprobe")
int openssl_read(struct pt_regs *regs)
{
	return on_tls_entry(regs, TLS_CALL_READ, TLS_LIBRARY_OPENSSL);
}

SEC("uprobe")
int openssl_read_ex(struct pt_regs *regs)
{
	return on_tls_entry(regs, TLS_CALL_READ_EX, TLS_LIBRARY_OPENSSL);
}

SEC("uprobe")
int openssl_write(struct pt_regs *regs)
{
	return on_tls_entry(regs, TLS_CALL_WRITE, TLS_LIBRARY_OPENSSL);
}

SEC("uprobe")
int openssl_write_ex(struct pt_regs *regs)
{
	return on_tls_entry(regs, TLS_CALL_WRITE_EX, TLS_LIBRARY_OPENSSL);
}

SEC("uprobe")
int openssl_sendfile(struct pt_regs *regs)
{
	return on_tls_entry(regs, TLS_CALL_SENDFILE, TLS_LIBRARY_OPENSSL);
}

SEC("uprobe")
int gnutls_recv(struct pt_regs *regs)
{
	return on_tls_entry(regs, TLS_CALL_READ, TLS_LIBRARY_GNUTLS);
}

SEC("uprobe")
int gnutls_send(struct pt_regs *regs)
{
	return on_tls_entry(regs, TLS_CALL_WRITE, TLS_LIBRARY_GNUTLS);
}

SEC("uprobe")
int tls_return(struct pt_regs *regs)
{
	return on_tls_return(regs);
}

SEC("uprobe")
int tls_free(struct pt_regs *regs)
{
	return on_tls_free(C_ARG0(regs));
}

SEC("uprobe")
int go_tls_read(struct pt_regs *regs)
{
	return on_go_entry(regs, TLS_CALL_READ);
}

SEC("uprobe")
int go_tls_write(struct pt_regs *regs)
{
	return on_go_entry(regs, TLS_CALL_WRITE);
}

SEC("uprobe")
int go_tls_return(struct pt_regs *regs)
{
	return on_go_return(regs);
}

SEC("uprobe")
int go_tls_close(struct pt_regs *regs)
{
	return on_tls_free(GO_REG0(regs));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
