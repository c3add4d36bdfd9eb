package facts

import "github.com/ebpf-reel/reel/format"

// TLSCoverage says of one process what was seen of its TLS, and why not all of it.
type TLSCoverage struct {
	PID       format.PID // 0: of processes that have no row of their own, since there are too many
	Process   string
	Exe       string // "" unknown
	Libraries []TLSLibrary

	Connections uint64 // ends of connections that speak TLS
	Handshakes  uint64 // of them, those whose ClientHello was recorded
	Decrypted   uint64 // of them, those of which an encrypted record was read
	Failed      uint64 // of them, those that an alert ended before any data
	Alert       string // the first of these alerts

	Ciphertext uint64 // bytes of encrypted records on its sockets, in both directions, headers included
	Opened     uint64 // of them, those whose plaintext is known
	Plaintext  uint64 // bytes; each is on the socket that its key, or its call, proves, but for:
	Inferred   uint64 // of Plaintext, bytes whose socket was inferred
	Untied     uint64 // of Plaintext, bytes whose socket is not known
	Unread     [NumUnread]UnreadSum
}

// UnreadSum is what was not read for one reason.
type UnreadSum struct {
	Connections uint64
	Bytes       uint64
}

// TLSLibrary is a library of a process that speaks TLS, and how the recorder got at it.
type TLSLibrary struct {
	Name    string // "openssl", "boringssl", "go", "gnutls", "java", ...
	Version string // "" unknown
	Path    string // of its file, as the process sees it; "" unknown
	Static  bool   // it is part of a program
	Purpose string // of the probes: "keys", "plaintext"; "" none
	How     string // how their places were found: "symbol", "gopclntab", "labels"
	Probes  uint32 // that were attached
	Error   string // why none were; "" they were
}
