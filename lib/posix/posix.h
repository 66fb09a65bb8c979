/* SPDX-License-Identifier: MIT */
/*
 * The POSIX face, within: control blocks in, requests and errnos out.
 *
 * The public functions under uaio's names are one a file; the standard names
 * in interpose/ call the posix__ functions below, which differ from the
 * public ones in that the offset is passed apart: in a 32-bit program it is
 * narrower in struct aiocb than in struct aiocb64.
 *
 * All return 0 or -errno unless they say otherwise.
 */
#ifndef UAIO_POSIX_H
#define UAIO_POSIX_H

#include "engine.h"

#include <uaio/aio.h>

/* Queue a read or write (UAIO_LIO_*) alone. */
int posix__submit(struct uaio_aiocb *cb, int opcode, int64_t offset);

int posix__fsync(int op, struct uaio_aiocb *cb);

/* How to read the offset of a list's entry. */
typedef int64_t posix__offset_of(const struct uaio_aiocb *cb);

int posix__listio(int mode, struct uaio_aiocb *const list[], int nent, struct sigevent *sig,
                  posix__offset_of *offset_of);

/* `timeout_ns`: nanoseconds from now, or WAIT_FOREVER. */
int posix__suspend(const struct uaio_aiocb *const list[], int nent, int64_t timeout_ns);

/* A relative timeout in nanoseconds; NULL is WAIT_FOREVER.  -EINVAL if it is
 * not valid. */
int64_t posix__timeout(const struct timespec *timeout);

/* Wait for a list, made in that epoch, to be over, helping with the `n` requests
 * of it: 0 or -EINTR. */
int posix__await_list(struct request *group, unsigned epoch, const struct request_id *ids, int n);

/* ---- building blocks ---- */

/*
 * Prepare one read or write, as a member of `group` if that is not NULL, and add it
 * to the batch.  `begun`: the descriptor, the offset, and what has been done of it
 * already.  On an error the status in *cb says so too.
 */
int posix__prepare(struct uaio_aiocb *cb, int opcode, const struct operation *begun,
                   struct request *group, struct batch *batch);

/* Before that: is it a read that may be over at once, with nobody to tell?  Then the
 * operation is filled in for engine__read_known(), and else what it begins with. */
bool posix__set_plain_read(struct operation *op, const struct uaio_aiocb *cb, int opcode,
                           int64_t offset);

/* And it is over. */
void posix__over(struct uaio_aiocb *cb, ssize_t result);

int posix__notice(const struct sigevent *sigevent, struct notice *notice);

/* Refuse a submission: its status is `err` (> 0). */
int posix__refuse(struct uaio_aiocb *cb, int err);

/* Hand over to the engine: the result if it is there, else the request. */
int posix__start(struct uaio_aiocb *cb, struct submission *s, struct batch *batch);

/* From 0 or -errno to 0 or -1 with errno. */
int posix__return(int err);

extern const struct request_face posix__face;

#endif
