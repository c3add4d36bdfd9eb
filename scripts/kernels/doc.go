// Package kernels turns a Linux kernel image into a verdict on reel: it boots the kernel under qemu with one static program as
// its whole user space, records a server and its clients there with the real binary, carries the reels out, and holds their
// analysis against what the clients say that they sent.
//
// Everything here is a test. fetch.sh brings the kernels (Debian's own, as their users run them) into .cache/kernels; the
// guest's part is in the folder guest.
package kernels
