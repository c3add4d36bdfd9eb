// Package wire turns the bytes of one kernel record into the Go mirror of its struct (bpf/include/event.h), without
// allocation. It imports no other package of reel: format imports it to decode journals, and turns its structs into rows.
package wire
