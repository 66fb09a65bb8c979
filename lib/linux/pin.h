/* SPDX-License-Identifier: MIT */
/*
 * How a request's file stays that file.
 *
 * The kernel's io_submit() takes a reference to the open file; what the program
 * does with the descriptor's number afterwards, closing it or making it mean
 * another file, is none of the request's business.  In userspace the only
 * reference there is is another descriptor.  So requests that are queued run on
 * a duplicate of ours, a pin, which all requests share that are in flight on
 * one open file: the first makes it, the last closes it, and those between ask
 * the kernel whether the number still means the pinned file (F_DUPFD_QUERY, or
 * kcmp(): one system call).  What is done inline needs none.
 *
 * Rejected:
 *   a duplicate for each request      two system calls each;
 *   to intercept close() and dup2()   libaio.so.1 cannot, fclose() and inline
 *                                     system calls pass any interposer by, and
 *                                     a worker that has read the number but is
 *                                     not in the kernel yet cannot be told;
 *   a file table of the workers' own  (unshare(CLONE_FILES)): a descriptor gets
 *                                     there only in a message, 2 us;
 *   fstat() before and after          a write has gone to the wrong file then.
 *
 * The catch: closing ANY descriptor of a file drops the process's POSIX locks
 * on it (fcntl(F_SETLK), lockf()), and InnoDB, for one, locks its files so.
 * Therefore a pin is closed only if F_OFD_GETLK says that there is no lock on
 * the file.  Else it stays, parked, for the next requests, and is closed by
 * pin__sweep() or at the next use of the number, once the program has closed
 * its own.
 *
 * No lock, nothing allocated but pages: async-signal-safe.  Numbers from 512
 * up, where they are out of the way of select() and of those who expect the
 * lowest number from open().
 */
#ifndef UAIO_LINUX_PIN_H
#define UAIO_LINUX_PIN_H

#include <sys/types.h>

/* A descriptor of the same open file that lasts until pin__put(), or -errno.
 * *type, if asked for: of the file, S_IFREG and so on, 0 for one without. */
int pin__get(int fd, mode_t *type);

/* The same, shared with nobody. */
int pin__get_own(int fd, mode_t *type);

void pin__put(int pin);

/* Close pins that are parked for descriptors that the program has closed. */
void pin__sweep(void);

/* In a forked child: close all pins; the program has asked for none of them. */
void pin__reset(void);

#endif
