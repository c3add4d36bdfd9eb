// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* function.h turns the registers at a function's entry or return into its arguments and its result. */
#ifndef REEL_FUNCTION_H
#define REEL_FUNCTION_H

#include "kernel.h"

#if defined(__TARGET_ARCH_x86)

/* C: System V ABI, AMD64 supplement 3.2.3 */
#define C_ARG0(regs)   ((regs)->di)
#define C_ARG1(regs)   ((regs)->si)
#define C_ARG2(regs)   ((regs)->dx)
#define C_ARG3(regs)   ((regs)->cx)
#define C_RESULT(regs) ((regs)->ax)
#define STACK(regs)    ((regs)->sp)

/* Go 1.17 and later: cmd/compile/abi-internal.md; results come in the same registers. */
#define GO_REG0(regs) ((regs)->ax)
#define GO_REG1(regs) ((regs)->bx)
#define GO_REG2(regs) ((regs)->cx)
#define GO_REG3(regs) ((regs)->di)
#define GO_REG4(regs) ((regs)->si)
#define GO_REG5(regs) ((regs)->r8)
#define GO_REG6(regs) ((regs)->r9)
#define GO_REG7(regs) ((regs)->r10)
#define GO_REG8(regs) ((regs)->r11)
#define GO_G(regs)    ((regs)->r14) /* the goroutine */

#elif defined(__TARGET_ARCH_arm64)

/* C: AAPCS64 6.8 */
#define C_ARG0(regs)   ((regs)->regs[0])
#define C_ARG1(regs)   ((regs)->regs[1])
#define C_ARG2(regs)   ((regs)->regs[2])
#define C_ARG3(regs)   ((regs)->regs[3])
#define C_RESULT(regs) ((regs)->regs[0])
#define STACK(regs)    ((regs)->sp)

#define GO_REG0(regs) ((regs)->regs[0])
#define GO_REG1(regs) ((regs)->regs[1])
#define GO_REG2(regs) ((regs)->regs[2])
#define GO_REG3(regs) ((regs)->regs[3])
#define GO_REG4(regs) ((regs)->regs[4])
#define GO_REG5(regs) ((regs)->regs[5])
#define GO_REG6(regs) ((regs)->regs[6])
#define GO_REG7(regs) ((regs)->regs[7])
#define GO_REG8(regs) ((regs)->regs[8])
#define GO_G(regs)    ((regs)->regs[28])

#endif

#endif /* REEL_FUNCTION_H */
