/* SPDX-License-Identifier: MIT */
/*
 * long syscall(long number, ...) for s390x: see syscall_x86_64.S.
 *
 * The caller's %r6 and %r7 are kept, as in libc's, where the ABI has room for
 * them in the caller's own frame.
 */
#include <sys/syscall.h>

#define FIRST __NR_io_setup /* setup, destroy, getevents, submit, cancel */
#if __NR_io_setup != 243 || __NR_io_cancel != 247 || __NR_io_pgetevents != 382
# error "other system call numbers than those of s390x"
#endif

	.text
	.hidden	uaio__aio_syscall
	.globl	syscall
	.type	syscall, @function
	.globl	uaio__system_call
	.hidden	uaio__system_call
	.type	uaio__system_call, @function

	.p2align 4
syscall:
	.cfi_startproc
	lgr	%r1, %r2
	aghi	%r1, -FIRST
	lghi	%r0, __NR_io_cancel - FIRST
	clgr	%r1, %r0
	jnh	.Laio
	cghi	%r2, __NR_io_pgetevents
	je	.Laio
uaio__system_call:
	stmg	%r6, %r7, 48(%r15)
	.cfi_offset %r6, -112
	.cfi_offset %r7, -104
	lgr	%r1, %r2
	lgr	%r2, %r3
	lgr	%r3, %r4
	lgr	%r4, %r5
	lgr	%r5, %r6
	lmg	%r6, %r7, 160(%r15)
	svc	0
	lmg	%r6, %r7, 48(%r15)
	.cfi_restore %r6
	.cfi_restore %r7
	lghi	%r0, -4095
	clgr	%r2, %r0
	jnl	.Lfailed
	br	%r14

.Laio:
	jg	uaio__aio_syscall

.Lfailed:
	stmg	%r14, %r15, 112(%r15)
	.cfi_offset %r14, -48
	.cfi_offset %r15, -40
	aghi	%r15, -168
	.cfi_adjust_cfa_offset 168
	lcr	%r2, %r2
	st	%r2, 160(%r15)
	brasl	%r14, __errno_location@PLT
	l	%r1, 160(%r15)
	st	%r1, 0(%r2)
	lghi	%r2, -1
	lmg	%r14, %r15, 280(%r15)
	.cfi_restore %r14
	.cfi_restore %r15
	.cfi_adjust_cfa_offset -168
	br	%r14
	.cfi_endproc
	.size	uaio__system_call, . - uaio__system_call
	.size	syscall, . - syscall

	.section .note.GNU-stack, "", @progbits
