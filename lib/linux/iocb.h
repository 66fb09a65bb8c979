/* SPDX-License-Identifier: MIT */
/*
 * Checking an iocb, in the kernel's order, and translating it for the engine.
 */
#ifndef UAIO_LINUX_IOCB_H
#define UAIO_LINUX_IOCB_H

#include "abi.h"
#include "context.h"
#include "engine.h"

/* What was found out about the descriptors of the iocb before. */
struct iocb_checker {
    int fd; /* -1: of none */
    int status;
    int resfd; /* an eventfd, or -1 */
    bool resfd_waits;
};

/* Copy the program's iocb: 0 or -EFAULT, -EINVAL. */
int iocb__read(const void *user, struct linux_iocb *iocb);

/*
 * Is it a read that may be tried at once, and to which there is nothing else?  Then
 * the operation is filled in, and who is told.  False says nothing: iocb__check() does.
 */
bool iocb__is_cached_read(struct iocb_checker *checker, void *user, const struct linux_iocb *iocb,
                          struct operation *op, struct resfd *resfd);

/* Read again, is it the same read still? */
bool iocb__is_same_read(const struct linux_iocb *iocb, const struct operation *op);

/* It has been read: the event, and what the kernel leaves in the program's iocb. */
struct linux_event iocb__has_read(void *user, uint64_t data, ssize_t result);

#define IOCB_OVER 1

/*
 * Fill in the submission, its struct completion included.  0; IOCB_OVER: it is
 * done, and *result is to be its event's; or -errno.
 */
int iocb__check(struct iocb_checker *checker, void *user, const struct linux_iocb *iocb,
                struct submission *s, int64_t *result);

#endif
