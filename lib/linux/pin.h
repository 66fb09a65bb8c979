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
 * So a pin that is used no more is best kept, parked for the next requests, and
 * closed when the program closes its own.  The preload is told of that
 * (interpose/close_names.c), and does so.  Elsewhere a pin is closed after use
 * if F_OFD_GETLK says that there is no lock on the file, and else parked, until
 * pin__sweep() or the next use of the number finds the program's own closed.
 *
 * No lock, nothing allocated but pages: async-signal-safe.  Numbers from 512
 * up, where they are out of the way of select() and of those who expect the
 * lowest number from open().
 */
#ifndef UAIO_LINUX_PIN_H
#define UAIO_LINUX_PIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * Have the kernel enlarge its table of descriptors now.  While other threads share
 * it, which they need not do yet, that takes 10 to 30 ms: not for io_submit().
 */
void pin__make_room(void);

/* A descriptor of the same open file that lasts until pin__put(), or -errno.
 * *type, if asked for: of the file, S_IFREG and so on, 0 for one without. */
int pin__get(int fd, mode_t *type);

/* The same, if the file has one already; else -ENOENT. */
int pin__get_current(int fd, mode_t *type);

/* The same, shared with nobody. */
int pin__get_own(int fd, mode_t *type);

/* The type alone: of a descriptor, of a pin. */
mode_t pin__type(int fd);
mode_t pin__type_of(int pin);

void pin__put(int pin);

/*
 * From now on pin__closing() is called before the program closes a number or
 * makes it another file's.  A child of vfork() has our memory, but descriptors
 * of its own: these do nothing there, and know of no pins.
 */
void pin__closings_are_told(void);
bool pin__hears_of_closings(void);
void pin__closing(int fd);

/* atomic: relaxed, set before the first pin is made.  Until then there is nothing
 * to ask below. */
extern atomic_bool pin__any;

/* Is the number a pin, and nothing that the program should close? */
bool pin__is(int fd);

/* The program's descriptor that the pin was made for. */
int pin__origin(int pin);

/* The first pin with that number or a higher one; -1 if there is none. */
int pin__next(int fd);

/* Close pins that are parked for descriptors that the program has closed. */
void pin__sweep(void);

/* In a forked child: close all pins; the program has asked for none of them. */
void pin__reset(void);

#endif
