/* SPDX-License-Identifier: MIT */
/*
 * long syscall(long number, ...) for 64-bit ARM: see syscall_x86_64.S.
 */
#include <sys/syscall.h>

#if __NR_io_setup != 0 || __NR_io_getevents != 4 || __NR_io_pgetevents != 292
# error "other system call numbers than those of aarch64"
#endif

#ifdef __ARM_FEATURE_BTI_DEFAULT
# define LANDING hint #34 /* bti c */
# define FEATURE_BTI 1
#else
# define LANDING
# define FEATURE_BTI 0
#endif
#ifdef __ARM_FEATURE_PAC_DEFAULT
# define FEATURE_PAC 2
#else
# define FEATURE_PAC 0
#endif

	.text
	.hidden	uaio__aio_syscall
	.globl	syscall
	.type	syscall, %function
	.globl	uaio__system_call
	.hidden	uaio__system_call
	.type	uaio__system_call, %function

	.p2align 4
syscall:
	.cfi_startproc
	LANDING
	cmp	w0, #__NR_io_getevents /* setup, destroy, submit, cancel, getevents */
	b.ls	.Laio
	cmp	w0, #__NR_io_pgetevents
	b.eq	.Laio
uaio__system_call:
	LANDING
	mov	w8, w0
	mov	x0, x1
	mov	x1, x2
	mov	x2, x3
	mov	x3, x4
	mov	x4, x5
	mov	x5, x6
	svc	#0
	cmn	x0, #4095
	b.cs	.Lfailed
	ret

.Laio:
	b	uaio__aio_syscall

.Lfailed:
#if FEATURE_PAC
	hint	#25 /* paciasp */
	.cfi_negate_ra_state
#endif
	stp	x29, x30, [sp, #-32]!
	.cfi_adjust_cfa_offset 32
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	mov	x29, sp
	neg	w0, w0
	str	w0, [sp, #16]
	bl	__errno_location
	ldr	w1, [sp, #16]
	str	w1, [x0]
	mov	x0, #-1
	ldp	x29, x30, [sp], #32
	.cfi_adjust_cfa_offset -32
	.cfi_restore x29
	.cfi_restore x30
#if FEATURE_PAC
	hint	#29 /* autiasp */
	.cfi_negate_ra_state
#endif
	ret
	.cfi_endproc
	.size	uaio__system_call, . - uaio__system_call
	.size	syscall, . - syscall

#if FEATURE_BTI || FEATURE_PAC
	.section .note.gnu.property, "a", %note
	.p2align 3
	.word	4, 16, 5 /* NT_GNU_PROPERTY_TYPE_0 */
	.asciz	"GNU"
	.word	0xc0000000, 4, FEATURE_BTI | FEATURE_PAC, 0 /* FEATURE_1_AND */
#endif

	.section .note.GNU-stack, "", %progbits
