/* SPDX-License-Identifier: MIT */
/*
 * long syscall(long number, ...): the libc function, in front of libc's.
 *
 * The numbers of native AIO jump to uaio__aio_syscall(), a C function whose
 * parameters lie where these arguments do; all others go to the kernel.  No
 * frame on the way to the kernel and back, and nothing kept on the stack, as
 * in libc's: a child made by SYS_vfork or SYS_clone returns from here, too.
 * Written in assembly for that reason and because it costs nothing then.  Only
 * a failed call has a frame, for errno.  Needs no initialisation.
 *
 * uaio__system_call is the same without the diversion.
 *
 * x32's numbers (bit 30) are not diverted.
 */
#include <sys/syscall.h>
#ifdef __CET__
# include <cet.h>
#else
# define _CET_ENDBR
#endif

#define FIRST __NR_io_setup /* setup, destroy, getevents, submit, cancel */
#if __NR_io_setup != 206 || __NR_io_cancel != 210 || __NR_io_pgetevents != 333
# error "other system call numbers than those of x86-64"
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
	_CET_ENDBR
	leal	-FIRST(%rdi), %eax
	cmpl	$__NR_io_cancel - FIRST, %eax
	jbe	uaio__aio_syscall
	cmpl	$__NR_io_pgetevents, %edi
	je	uaio__aio_syscall
uaio__system_call:
	_CET_ENDBR
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	8(%rsp), %r9
	syscall
	cmpq	$-4095, %rax
	jae	.Lfailed
	ret

.Lfailed:
	negl	%eax
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	call	__errno_location@PLT
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	movl	%ecx, (%rax)
	movq	$-1, %rax
	ret
	.cfi_endproc
	.size	uaio__system_call, . - uaio__system_call
	.size	syscall, . - syscall

	.section .note.GNU-stack, "", @progbits
