/* SPDX-License-Identifier: MIT */
/* io_setup() and io_destroy(). */
#include "config.h"
#include "context.h"
#include "engine.h"
#include "process.h"
#include "linux.h"
#include "native.h"
#include "pin.h"
#include "waiting.h"
#include "ring.h"
#include "stats.h"
#include "submit.h"
#include "user_memory.h"

#include <errno.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
    engine__pool(); /* its own reset comes first */
    process__in_child(context__reset);
    process__in_child(pin__reset);
    process__in_child(submit__reset);
    engine__when_idle(pin__sweep);
    process__before_end(submit__finish_writes);
    pin__make_room();
}

/* The kernel's bound on the ring of a context: 256 MiB of events, of which it
 * makes twice as many as asked for. */
#define MAX_EVENTS (0x10000000u / 32 / 2)

int linux__setup(unsigned nr, unsigned long *ctxp)
{
    struct context *c;
    unsigned long ctx;
    int err, saved = errno;

    if (native__setup(nr, ctxp, &err))
        return err;
    if (!user__writable(ctxp, sizeof *ctxp))
        return -EFAULT;
    memcpy(&ctx, ctxp, sizeof ctx); /* it may be misaligned */
    if (ctx != 0 || nr == 0 || nr > MAX_EVENTS)
        return -EINVAL;
    pthread_once(&once, init);
    process__check();
    err = context__new(nr, &c);
    errno = saved;
    if (err)
        return err;
    uaio__count(STAT_CONTEXTS);
    ctx = atomic_load_explicit(&c->address, memory_order_relaxed);
    memcpy(ctxp, &ctx, sizeof ctx);
    context__put(c);
    return 0;
}

/* Run what is still queued rather than wait for a worker's leisure. */
static void wait_for_requests(struct context *c)
{
    for (;;) {
        unsigned sequence = ring__sequence(c);
        if (atomic_load_explicit(&c->requests, memory_order_seq_cst) == 0)
            return;
        uaio__event_wait(&c->event, sequence, WAIT_FOREVER);
    }
}

int linux__destroy(unsigned long ctx)
{
    struct context *c = context__get(ctx);
    int cancel, err = -EINVAL, saved = errno;

    if (!c)
        return native__serves(ctx) ? native__destroy(ctx) : -EINVAL;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    if (context__in_place(c) && context__kill(c)) {
        ring__wake_all(c);
        waiting__cancel_all(c);
        wait_for_requests(c);
        context__unmap(c);
        err = 0;
    }
    pthread_setcancelstate(cancel, &(int){0});
    context__put(c);
    errno = saved;
    return err;
}
