/* SPDX-License-Identifier: MIT */
/*
 * long syscall(long number, ...) for 64-bit RISC-V: see syscall_x86_64.S.
 */
#include <sys/syscall.h>

#if __NR_io_setup != 0 || __NR_io_getevents != 4 || __NR_io_pgetevents != 292
# error "other system call numbers than those of riscv64"
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
	li	t0, __NR_io_getevents /* setup, destroy, submit, cancel, getevents */
	bleu	a0, t0, .Laio
	li	t0, __NR_io_pgetevents
	beq	a0, t0, .Laio
uaio__system_call:
	mv	a7, a0
	mv	a0, a1
	mv	a1, a2
	mv	a2, a3
	mv	a3, a4
	mv	a4, a5
	mv	a5, a6
	ecall
	li	t0, -4096
	bgtu	a0, t0, .Lfailed
	ret

.Laio:
	tail	uaio__aio_syscall

.Lfailed:
	addi	sp, sp, -16
	.cfi_adjust_cfa_offset 16
	sd	ra, 8(sp)
	.cfi_rel_offset ra, 8
	negw	a0, a0
	sw	a0, 0(sp)
	call	__errno_location@plt
	lw	t0, 0(sp)
	sw	t0, 0(a0)
	li	a0, -1
	ld	ra, 8(sp)
	.cfi_restore ra
	addi	sp, sp, 16
	.cfi_adjust_cfa_offset -16
	ret
	.cfi_endproc
	.size	uaio__system_call, . - uaio__system_call
	.size	syscall, . - syscall

	.section .note.GNU-stack, "", @progbits
