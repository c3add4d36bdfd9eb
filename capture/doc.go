// Package capture turns what the kernel sees of chosen processes into a reel on disk.
//
// It is an I/O shell: it chooses targets, attaches the hooks (package bpf), moves what the rings hold into the journal (package
// format) without looking at it, and adds what only user space knows: what was there at the start and at the end, the
// clocks, and a receipt of what the recording cost and lost. Facts are recorded, not conclusions. Record is the whole journey.
// Elsewhere than on linux/amd64 and linux/arm64 the package is empty.
package capture
