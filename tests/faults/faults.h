/* SPDX-License-Identifier: MIT */
/*
 * Calls of the library that fail when they are told to.
 *
 * The program defines libc's functions itself (faults.c): it comes first in the
 * search for symbols, so the library's calls end here, are counted if they come
 * from the library (their return address says so), and go on to whoever is next.
 * What goes to the kernel by the preload's own assembly is not seen; it is the
 * same code in libaio.so.1, where it is.
 *
 * Rejected: libfiu.  `fiu-run -x` fails calls always or at random, those of the
 * program, of libc's stdio and of Check as well; it knows no "the nth call of
 * this library".  Of what is here it reaches mmap, munmap, madvise, ftruncate,
 * open, poll, pread(v), pwrite(v), read(v), write(v), recvmsg, sendmsg, fsync
 * and fdatasync (and their short counts), malloc and strdup; it has neither
 * pthread_create, epoll, eventfd, pipe, fcntl, fstat, mremap nor syscall(), by
 * which preadv2, pwritev2, futex and the queueing of signals are done.
 *
 * The counters lie in memory that is shared with forked children.
 */
#ifndef UAIO_TESTS_FAULTS_H
#define UAIO_TESTS_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum call {
    /* memory */
    CALL_MMAP,
    CALL_MREMAP,
    CALL_MUNMAP,
    CALL_MADVISE,
    CALL_FTRUNCATE,
    CALL_MALLOC,
    CALL_STRDUP,
    /* threads */
    CALL_PTHREAD_CREATE,
    CALL_PTHREAD_ATTR_INIT,
    CALL_ATFORK,
    /* descriptors */
    CALL_EPOLL_CREATE,
    CALL_EPOLL_CTL,
    CALL_EPOLL_WAIT,
    CALL_EVENTFD,
    CALL_PIPE,
    CALL_MEMFD,
    CALL_OPEN,
    CALL_DUPFD,
    CALL_DUPFD_QUERY,
    CALL_OFD_GETLK,
    CALL_KCMP,
    CALL_FSTAT,
    /* data */
    CALL_PREAD,
    CALL_PWRITE,
    CALL_READ,
    CALL_READV,
    CALL_WRITEV,
    CALL_PREADV, /* also: has it positions? */
    CALL_PWRITEV,
    CALL_PREADV2,
    CALL_PWRITEV2,
    CALL_PREADV2_NOWAIT,
    CALL_PWRITEV2_NOWAIT,
    CALL_RECVMSG,
    CALL_SENDMSG,
    CALL_FSYNC,
    CALL_FDATASYNC,
    CALL_WRITE, /* to eventfds and pipes of its own */
    /* the rest */
    CALL_POLL,
    CALL_PPOLL,
    CALL_NANOSLEEP,
    CALL_FUTEX_WAIT,
    CALL_SIGQUEUE,
    CALL_IOPRIO,
    CALL_PROBE, /* whether a pointer is good */
    CALLS,
};

#define CALL_BIT(call) (UINT64_C(1) << (call))

/* In place of an error: half of what was asked for; or, of preadv2() at a position, 0. */
enum { FAULT_SHORT = -1, FAULT_EMPTY = -2 };

struct fault {
    uint64_t calls;  /* any of these */
    int error;       /* an errno, or FAULT_* */
    unsigned nth;    /* from the nth call on, counted over all of them; 0: none */
    unsigned times;  /* so often; 0: for ever */
    uint64_t absent; /* besides: these always fail, with ENOSYS */
};

struct faults_log {
    atomic_uint calls;           /* of those that were to fail, so far */
    atomic_uint hits;            /* those that did */
    atomic_uintptr_t victim;     /* the buffer of the last one, or 0 */
    atomic_int mappings;         /* that the library has */
    _Atomic(const char *) place; /* what the program does now */
};

extern struct faults_log *faults_log;

/* To be called once, before any process is forked. */
void faults_init(void);
/* Count from now on. */
void faults_arm(const struct fault *fault);
/* No more faults, in this process. */
void faults_disarm(void);
const char *faults_name(enum call call);

#endif
