// Package sealer turns the journals of a reel into segments in a process of its own, which works when no other wants the CPU or
// the disk, so that recording waits for it nowhere (docs/decisions/004-sealer-process.md).
package sealer
