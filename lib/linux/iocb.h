/* SPDX-License-Identifier: MIT */
/*
 * Checking an iocb, in the kernel's order, and translating it for the engine.
 */
#ifndef UAIO_LINUX_IOCB_H
#define UAIO_LINUX_IOCB_H

#include "abi.h"
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

#define IOCB_OVER 1

/*
 * Fill in the submission, its struct completion included.  0; IOCB_OVER: it is
 * done, and *result is to be its event's; or -errno.
 */
int iocb__check(struct iocb_checker *checker, void *user, const struct linux_iocb *iocb,
                struct submission *s, int64_t *result);

#endif
