/* SPDX-License-Identifier: MIT */
/*
 * io_submit(): a list of iocbs, one after the other, up to the first that fails.
 *
 * What is known of a descriptor (its flags, that it is an eventfd) is asked
 * once for a run of iocbs that use the same: within one call nobody can tell.
 * Nor can anybody tell in which order cached reads are done before it returns.
 */
#include "context.h"
#include "engine.h"
#include "iocb.h"
#include "linux.h"
#include "native.h"
#include "ring.h"
#include "submit.h"
#include "user_memory.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* One of the program's pointers to iocbs, which may lie anywhere.  *checked: where
 * the page ends that was found good. */
static int read_pointer(void *const *iocbpp, long n, uintptr_t *checked, void **iocb)
{
    /* Not &iocbpp[n]: there may be no such array. */
    uintptr_t at = (uintptr_t)iocbpp + (size_t)n * sizeof *iocb;

    if (at + sizeof *iocb > *checked && !user__readable((const void *)at, sizeof *iocb))
        return -EFAULT;
    *checked = user__page_end(at);
    memcpy(iocb, (const void *)at, sizeof *iocb);
    return 0;
}

/* ---- cached reads, several at once --------------------------------------------- */

/* As many as are looked at together. */
#define READS_MAX 32

struct reads {
    unsigned n;
    struct cached_read read[READS_MAX];
    void *user[READS_MAX];
    uint64_t data[READS_MAX]; /* of the iocb */
    struct resfd resfd[READS_MAX];
};

/* How far a call has come. */
struct progress {
    void *const *iocbpp;
    long nr, n;        /* iocbs there are, and are accepted */
    long singly;       /* those before are no use looking at together */
    uintptr_t checked; /* see read_pointer() */
    struct iocb_checker checker;
    struct batch batch;
};

/* Those that come next. */
static void collect_reads(struct progress *p, struct reads *reads)
{
    for (reads->n = 0; reads->n < READS_MAX && p->n + (long)reads->n < p->nr; reads->n++) {
        void **user = &reads->user[reads->n];
        struct cached_read *read = &reads->read[reads->n];
        struct linux_iocb iocb;

        read->operation = (struct operation){0};
        if (read_pointer(p->iocbpp, p->n + (long)reads->n, &p->checked, user) ||
            iocb__read(*user, &iocb) ||
            !iocb__is_cached_read(&p->checker, *user, &iocb, &read->operation,
                                  &reads->resfd[reads->n]))
            return;
        reads->data[reads->n] = iocb.data;
    }
}

/* Those for which there is room; none in a context that is dead by now. */
static void reserve_reads(struct context *c, struct reads *reads)
{
    unsigned n = 0;

    while (n < reads->n && ring__reserve(c))
        n++;
    reads->n = n;
    if (n > 0 && context__alive(c))
        return;
    for (; reads->n > 0; reads->n--)
        ring__unreserve(c);
}

/* What cannot be read at once goes the way of all others, in its turn. */
static int publish_read(struct context *c, struct progress *p, const struct reads *reads,
                        unsigned i)
{
    const struct cached_read *read = &reads->read[i];
    struct linux_event event;

    if (read->result == OPERATION_PENDING) {
        struct linux_iocb iocb;
        int err = iocb__read(reads->user[i], &iocb);
        bool same = err == 0 && iocb__is_same_read(&iocb, &read->operation);
        if (err == 0)
            return submit__reserved(c, &p->checker, reads->user[i], &iocb,
                                    same ? &read->operation : NULL, &p->batch);
        ring__unreserve(c);
        return err;
    }
    event = iocb__has_read(reads->user[i], reads->data[i], read->result);
    ring__publish_inline(c, &event, reads->resfd[i]);
    return 0;
}

/*
 * Cached reads, if that is what comes next; `singly` and `n` say how far this got.
 * If one is refused, those after it are as if they had not been looked at, but for
 * what is in their buffers.
 */
static __attribute__((noinline)) int submit_reads(struct context *c, struct progress *p)
{
    struct reads reads;
    unsigned collected;
    int err = 0;

    collect_reads(p, &reads);
    p->singly = p->n + (long)reads.n + 1;
    if (reads.n < SPREAD_MIN)
        return 0;
    collected = reads.n;
    reserve_reads(c, &reads);
    p->singly = reads.n < collected ? p->nr : p->n + (long)reads.n;
    engine__read_cached(reads.read, reads.n);
    for (unsigned i = 0; i < reads.n; i++) {
        const struct cached_read *read = &reads.read[i];
        if (read->result == OPERATION_PENDING && !read->operation.tried)
            p->singly = p->nr; /* the page cache has nothing to do with it */
        if (err)
            ring__unreserve(c);
        else if ((err = publish_read(c, p, &reads, i)) == 0)
            p->n++;
    }
    return err;
}

static int submit_next(struct context *c, struct progress *p)
{
    void *iocb;
    int err = 0;

    if (p->n >= p->singly && p->nr - p->n >= (long)SPREAD_MIN) {
        err = submit_reads(c, p);
        if (err || p->n >= p->singly)
            return err;
    }
    err = read_pointer(p->iocbpp, p->n, &p->checked, &iocb);
    if (err == 0)
        err = submit__one(c, &p->checker, iocb, &p->batch);
    if (err == 0)
        p->n++;
    return err;
}

/* All that is done within the call counts as one request, or io_destroy() would not
 * wait for it. */
static long submit_all(struct context *c, long nr, void *const *iocbpp)
{
    struct progress p = {
        .iocbpp = iocbpp,
        .nr = nr,
        .singly = engine__reads_inline() ? 0 : nr,
        .checker = {.fd = -1, .resfd = -1},
    };
    int err = 0;

    if (!context__request_begin(c))
        return -EINVAL;
    while (p.n < nr && err == 0)
        err = submit_next(c, &p);
    engine__post(&p.batch);
    context__request_over(c);
    return p.n > 0 ? p.n : err;
}

long linux__submit(unsigned long ctx, long nr, void *const *iocbpp)
{
    struct context *c;
    long n = -EINVAL;
    int saved = errno, cancel;

    if (nr < 0)
        return -EINVAL;
    c = context__get(ctx);
    if (!c)
        return native__serves(ctx) ? native__submit(ctx, nr, iocbpp) : -EINVAL;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    if (context__accessible(c))
        n = submit_all(c, nr < (long)c->nr ? nr : (long)c->nr, iocbpp);
    context__put(c);
    pthread_setcancelstate(cancel, &(int){0});
    errno = saved;
    return n;
}
