/* SPDX-License-Identifier: MIT */
/*
 * long syscall(long number, ...) for i386: see syscall_x86_64.S.
 *
 * As in libc's, the four registers that belong to the caller are on the stack
 * during the call.  int $0x80 and not the vdso's entry: that would need to
 * know where which libc keeps its address.
 */
#include <sys/syscall.h>
#ifdef __CET__
# include <cet.h>
#else
# define _CET_ENDBR
#endif

#define FIRST __NR_io_setup /* setup, destroy, getevents, submit, cancel */
#if __NR_io_setup != 245 || __NR_io_cancel != 249 || __NR_io_pgetevents != 385
# error "other system call numbers than those of i386"
#endif
#define IO_PGETEVENTS_TIME64 416 /* on every architecture; Linux 5.1 */

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
	movl	4(%esp), %eax
	leal	-FIRST(%eax), %ecx
	cmpl	$__NR_io_cancel - FIRST, %ecx
	jbe	uaio__aio_syscall
	cmpl	$__NR_io_pgetevents, %eax
	je	uaio__aio_syscall
	cmpl	$IO_PGETEVENTS_TIME64, %eax
	je	uaio__aio_syscall
uaio__system_call:
	_CET_ENDBR
	pushl	%ebx
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset ebx, 0
	pushl	%esi
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset esi, 0
	pushl	%edi
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset edi, 0
	pushl	%ebp
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset ebp, 0
	movl	20(%esp), %eax
	movl	24(%esp), %ebx
	movl	28(%esp), %ecx
	movl	32(%esp), %edx
	movl	36(%esp), %esi
	movl	40(%esp), %edi
	movl	44(%esp), %ebp
	int	$0x80
	popl	%ebp
	.cfi_adjust_cfa_offset -4
	.cfi_restore ebp
	popl	%edi
	.cfi_adjust_cfa_offset -4
	.cfi_restore edi
	popl	%esi
	.cfi_adjust_cfa_offset -4
	.cfi_restore esi
	popl	%ebx
	.cfi_adjust_cfa_offset -4
	.cfi_restore ebx
	cmpl	$-4095, %eax
	jae	.Lfailed
	ret

.Lfailed:
	negl	%eax
	pushl	%ebx
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset ebx, 0
	pushl	%eax
	.cfi_adjust_cfa_offset 4
	subl	$4, %esp	/* the stack is to be aligned to 16 bytes */
	.cfi_adjust_cfa_offset 4
	call	.Lload_pc
	addl	$_GLOBAL_OFFSET_TABLE_, %ebx
	call	__errno_location@PLT
	movl	4(%esp), %ecx
	movl	%ecx, (%eax)
	addl	$8, %esp
	.cfi_adjust_cfa_offset -8
	popl	%ebx
	.cfi_adjust_cfa_offset -4
	.cfi_restore ebx
	movl	$-1, %eax
	ret
	.cfi_endproc

.Lload_pc:
	.cfi_startproc
	movl	(%esp), %ebx
	ret
	.cfi_endproc
	.size	uaio__system_call, . - uaio__system_call
	.size	syscall, . - syscall

	.section .note.GNU-stack, "", @progbits
