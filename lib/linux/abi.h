/* SPDX-License-Identifier: MIT */
/*
 * The kernel's structures of native AIO, as programs have them in memory.
 * Our own copy of what <linux/aio_abi.h> says, which not every toolchain has;
 * tests/linux compares the two.
 */
#ifndef UAIO_LINUX_ABI_H
#define UAIO_LINUX_ABI_H

#include <stdint.h>

enum iocb_command {
    IOCB_PREAD = 0,
    IOCB_PWRITE = 1,
    IOCB_FSYNC = 2,
    IOCB_FDSYNC = 3,
    IOCB_POLL = 5,
    IOCB_PREADV = 7,
    IOCB_PWRITEV = 8,
};

enum { IOCB_RESFD = 1u << 0, IOCB_IOPRIO = 1u << 1 }; /* iocb.flags; others are ignored */

struct linux_iocb {
    uint64_t data;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint32_t key;
    uint32_t rw_flags;
#else
    uint32_t rw_flags;
    uint32_t key;
#endif
    uint16_t opcode;
    int16_t reqprio;
    uint32_t fildes;
    uint64_t buf;
    uint64_t nbytes;
    int64_t offset;
    uint64_t reserved2;
    uint32_t flags;
    uint32_t resfd;
};

struct linux_event {
    uint64_t data;
    uint64_t obj;
    int64_t res;
    int64_t res2;
};

#define RING_MAGIC 0xa10a10a1u

/* What a context's value points to; programs read it, and move `head`. */
struct linux_ring {
    uint32_t id;
    uint32_t nr;
    uint32_t head;
    uint32_t tail;
    uint32_t magic;
    uint32_t compat_features;
    uint32_t incompat_features;
    uint32_t header_length;
    struct linux_event events[];
};

_Static_assert(sizeof(struct linux_iocb) == 64, "the kernel's struct iocb");
_Static_assert(sizeof(struct linux_event) == 32, "the kernel's struct io_event");
_Static_assert(sizeof(struct linux_ring) == 32, "the kernel's struct aio_ring");

#endif
