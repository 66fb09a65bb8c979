/* SPDX-License-Identifier: MIT */
/*
 * The private fields of a control block: what stands in them, and how much of
 * it is believed.  The one file that knows; the layout is libc's, so that the
 * same code serves struct aiocb (interpose/ asserts that they agree).
 *
 * A control block comes to us as the program left it: uninitialised, a copy of
 * another, with the remains of earlier requests.  So a submission writes a
 * magic number, and nothing is read from a block that lacks it; the request is
 * named by its id, which the engine checks, never by a pointer; and the block's
 * own address is in it, so that a copy of one in flight is told from it.
 *
 * Nothing here locks, allocates or blocks: async-signal-safe all of it.
 */
#ifndef UAIO_AIOCB_STATE_H
#define UAIO_AIOCB_STATE_H

#include "process.h"
#include "request.h"

#include <uaio/aio.h>

#include <errno.h>
#include <string.h>

/* What stands in uaio_private_2[]. */
enum {
    TAIL_MAGIC,
    TAIL_MARK, /* MARK_LIVE, or MARK_RETURNED once uaio_return() has had the result */
    TAIL_INDEX,
    TAIL_GENERATION,
    TAIL_SELF, /* the block's address, in two halves */
    TAIL_SELF_HIGH,
    TAIL_EPOCH, /* of the process that submitted it */
};

#define MAGIC 0x75a10a10u
#define MARK_LIVE 0x4c495645u
#define MARK_RETURNED 0x444f4e45u

static inline unsigned aiocb__address(const struct uaio_aiocb *cb, unsigned half)
{
    return (unsigned)((uint64_t)(uintptr_t)cb >> (32 * half));
}

static inline bool aiocb__submitted(const struct uaio_aiocb *cb)
{
    return cb->uaio_private_2[TAIL_MAGIC] == MAGIC;
}

static inline bool aiocb__is_copy(const struct uaio_aiocb *cb)
{
    return cb->uaio_private_2[TAIL_SELF] != aiocb__address(cb, 0) ||
           cb->uaio_private_2[TAIL_SELF_HIGH] != aiocb__address(cb, 1);
}

/* A submission begins, for the request with that id (zero if it has none).
 * uaio_private_1[] is completion_queue.c's. */
static inline void aiocb__begin(struct uaio_aiocb *cb, struct request_id id)
{
    cb->uaio_private_1[0] = 0;
    cb->uaio_private_2[TAIL_MAGIC] = MAGIC;
    cb->uaio_private_2[TAIL_MARK] = MARK_LIVE;
    cb->uaio_private_2[TAIL_INDEX] = id.index;
    cb->uaio_private_2[TAIL_GENERATION] = id.generation;
    cb->uaio_private_2[TAIL_SELF] = aiocb__address(cb, 0);
    cb->uaio_private_2[TAIL_SELF_HIGH] = aiocb__address(cb, 1);
    cb->uaio_private_2[TAIL_EPOCH] = process__epoch();
    cb->uaio_private_result = -1;
    __atomic_store_n(&cb->uaio_private_status, EINPROGRESS, __ATOMIC_RELAXED);
}

/* The block's last word from us.  Release: pairs with aiocb__status(). */
static inline void aiocb__publish(struct uaio_aiocb *cb, ssize_t result)
{
    cb->uaio_private_result = result < 0 ? -1 : result;
    __atomic_store_n(&cb->uaio_private_status, result < 0 ? (int)-result : 0, __ATOMIC_RELEASE);
}

/*
 * EINPROGRESS, 0 or an errno; EINVAL if the block was never submitted, or 0
 * then if it is zero-filled, as in libc: programs check whole arrays of which
 * they submitted a part.  ECANCELED in a forked child for what its parent has
 * in progress.
 */
static inline int aiocb__status(const struct uaio_aiocb *cb)
{
    int status = __atomic_load_n(&cb->uaio_private_status, __ATOMIC_ACQUIRE);

    if (!aiocb__submitted(cb))
        return status == 0 ? 0 : EINVAL;
    if (status != EINPROGRESS)
        return status;
    if (aiocb__is_copy(cb))
        return EINVAL;
    return cb->uaio_private_2[TAIL_EPOCH] == process__epoch() ? EINPROGRESS : ECANCELED;
}

static inline struct request_id aiocb__id(const struct uaio_aiocb *cb)
{
    return (struct request_id){cb->uaio_private_2[TAIL_INDEX], cb->uaio_private_2[TAIL_GENERATION]};
}

/* Claim the result: true for the first caller only. */
static inline bool aiocb__claim_result(struct uaio_aiocb *cb)
{
    return __atomic_exchange_n(&cb->uaio_private_2[TAIL_MARK], MARK_RETURNED, __ATOMIC_RELAXED) ==
           MARK_LIVE;
}

#endif
