/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "event.h"
#include "os/futex.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

/* In memory: pthread_cleanup_push() may be a setjmp(). */
struct sleep {
    struct event *event;
    unsigned resets;
    int err;
};

static void leave(void *arg)
{
    struct sleep *here = arg;

    if (atomic_load_explicit(&here->event->resets, memory_order_relaxed) == here->resets)
        atomic_fetch_sub_explicit(&here->event->sleepers, 1, memory_order_relaxed);
}

/* Always with a deadline: a wait without one is restarted by the kernel after
 * a handler with SA_RESTART, a wait with one is not. */
static int futex_wait(struct event *e, unsigned sequence, int64_t deadline_ns)
{
    struct futex_timespec deadline = futex__timespec(deadline_ns);

    if (syscall(FUTEX_CALL, &e->sequence, FUTEX_WAIT_BITSET, sequence, &deadline, NULL,
                FUTEX_ANY) == 0 ||
        errno == EAGAIN)
        return 0;
    return -errno;
}

int uaio__event_wait(struct event *e, unsigned sequence, int64_t deadline_ns)
{
    struct sleep here = {e, atomic_load_explicit(&e->resets, memory_order_relaxed), 0};
    int type;

    atomic_fetch_add_explicit(&e->sleepers, 1, memory_order_seq_cst);
    pthread_cleanup_push(leave, &here);
    /* syscall() is no cancellation point, so the thread may be cancelled at
     * any moment of it; it holds nothing that leave() does not give back. */
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
    here.err = futex_wait(e, sequence, deadline_ns);
    pthread_setcanceltype(type, &type);
    pthread_cleanup_pop(1);
    return here.err;
}

void uaio__event_signal(struct event *e)
{
    atomic_fetch_add_explicit(&e->sequence, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&e->sleepers, memory_order_seq_cst) > 0)
        syscall(FUTEX_CALL, &e->sequence, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void uaio__event_reset(struct event *e)
{
    /* A handler may have forked that interrupted who is about to sleep. */
    atomic_fetch_add_explicit(&e->sequence, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&e->resets, 1, memory_order_relaxed);
    atomic_store_explicit(&e->sleepers, 0, memory_order_relaxed);
}
