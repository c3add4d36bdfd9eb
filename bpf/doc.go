// Package bpf turns the socket calls, socket states, TLS keys and lives of chosen processes into records in ring buffers.
//
// It embeds the compiled programs of prog/ (their logic is in include/), loads and attaches them, and hands out what they
// wrote. What the records mean is fixed by include/event.h and decoded by format/wire: nothing here looks into them.
// Elsewhere than on linux/amd64 and linux/arm64 the package is empty.
package bpf

//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -tags linux -no-global-types syscalls prog/syscalls.bpf.c -- -mcpu=v3 -Iinclude -Wall -Wextra -Wpadded -Wno-unused-parameter -Werror
//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -tags linux -no-global-types state prog/state.bpf.c -- -mcpu=v3 -Iinclude -Wall -Wextra -Wpadded -Wno-unused-parameter -Werror
//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -tags linux -no-global-types process prog/process.bpf.c -- -mcpu=v3 -Iinclude -Wall -Wextra -Wpadded -Wno-unused-parameter -Werror
//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -tags linux -no-global-types snapshot prog/snapshot.bpf.c -- -mcpu=v3 -Iinclude -Wall -Wextra -Wpadded -Wno-unused-parameter -Werror
//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -tags linux -no-global-types tcp prog/tcp.bpf.c -- -mcpu=v3 -Iinclude -Wall -Wextra -Wpadded -Wno-unused-parameter -Werror
//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -tags linux -no-global-types pids prog/pids.bpf.c -- -mcpu=v3 -Iinclude -Wall -Wextra -Wpadded -Wno-unused-parameter -Werror
//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -tags linux -no-global-types tlskeys prog/tlskeys.bpf.c -- -mcpu=v3 -Iinclude -Wall -Wextra -Wpadded -Wno-unused-parameter -Werror
//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -tags linux -no-global-types profile prog/profile.bpf.c -- -mcpu=v3 -Iinclude -Wall -Wextra -Wpadded -Wno-unused-parameter -Werror
//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -tags linux -no-global-types plaintext prog/plaintext.bpf.c -- -mcpu=v3 -Iinclude -Wall -Wextra -Wpadded -Wno-unused-parameter -Werror
//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -tags linux -no-global-types offcpu prog/offcpu.bpf.c -- -mcpu=v3 -Iinclude -Wall -Wextra -Wpadded -Wno-unused-parameter -Werror
//go:generate go run ./wiregen -object syscalls_x86_bpfel.o -out ../format/wire/types_gen.go
