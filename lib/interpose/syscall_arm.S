/* SPDX-License-Identifier: MIT */
/*
 * long syscall(long number, ...) for 32-bit ARM (EABI): see syscall_x86_64.S.
 *
 * The three registers that belong to the caller are on the stack during the
 * call, fewer than in libc's; the return address stays in its register.
 */
#include <sys/syscall.h>

#define FIRST __NR_io_setup /* setup, destroy, getevents, submit, cancel */
#define NEAR 384            /* compares with 399 and 416 need a nearer zero */
#if __NR_io_setup != 243 || __NR_io_cancel != 247 || __NR_io_pgetevents != 399
# error "other system call numbers than those of the ARM EABI"
#endif
#define IO_PGETEVENTS_TIME64 416 /* on every architecture; Linux 5.1 */

	.syntax	unified
	.arm
	.text
	.hidden	uaio__aio_syscall
	.globl	syscall
	.type	syscall, %function
	.globl	uaio__system_call
	.hidden	uaio__system_call
	.type	uaio__system_call, %function

	.p2align 4
syscall:
	.fnstart
	.cfi_startproc
	sub	ip, r0, #FIRST
	cmp	ip, #(__NR_io_cancel - FIRST)
	bls	.Laio
	sub	ip, r0, #NEAR
	cmp	ip, #(__NR_io_pgetevents - NEAR)
	cmpne	ip, #(IO_PGETEVENTS_TIME64 - NEAR)
	beq	.Laio
uaio__system_call:
	mov	ip, sp
	push	{r4, r5, r7}
	.save	{r4, r5, r7}
	.cfi_adjust_cfa_offset 12
	.cfi_rel_offset r4, 0
	.cfi_rel_offset r5, 4
	.cfi_rel_offset r7, 8
	mov	r7, r0
	mov	r0, r1
	mov	r1, r2
	mov	r2, r3
	ldm	ip, {r3, r4, r5}
	svc	#0
	pop	{r4, r5, r7}
	.cfi_adjust_cfa_offset -12
	.cfi_restore r4
	.cfi_restore r5
	.cfi_restore r7
	cmn	r0, #4096
	bhi	.Lfailed
	bx	lr
	.cfi_endproc
	.fnend
	.size	uaio__system_call, . - uaio__system_call
	.size	syscall, . - syscall

	.type	divert, %function
divert:
.Laio:
	b	uaio__aio_syscall
	.size	divert, . - divert

	.type	fail, %function
fail:
.Lfailed:
	.fnstart
	.cfi_startproc
	push	{r4, lr}
	.save	{r4, lr}
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r4, 0
	.cfi_rel_offset lr, 4
	rsb	r4, r0, #0
	bl	__errno_location(PLT)
	str	r4, [r0]
	mvn	r0, #0
	pop	{r4, lr}
	.cfi_adjust_cfa_offset -8
	.cfi_restore r4
	.cfi_restore lr
	bx	lr
	.cfi_endproc
	.fnend
	.size	fail, . - fail

	.section .note.GNU-stack, "", %progbits
