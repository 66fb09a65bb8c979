/* SPDX-License-Identifier: MIT */
/*
 * event.h on any POSIX system.  What can be interrupted by a signal, may be
 * called in a handler and has a deadline on the monotonic clock is poll(): an
 * event is a pipe, made when first waited for, and stays so.  A sleeper takes
 * one byte as it goes; should another take its byte, it looks again by itself
 * after LOOK_MS.
 */
#include "event.h"
#include "os/park.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#define LOOK_MS 20

static void set_flags(int fd)
{
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

static uint64_t ends_of(struct event *e)
{
    uint64_t ends = atomic_load_explicit(&e->ends, memory_order_acquire), none = 0;
    int fd[2];

    if (ends)
        return ends;
    if (pipe(fd) != 0)
        return 0;
    set_flags(fd[0]);
    set_flags(fd[1]);
    ends = (uint64_t)(unsigned)fd[1] << 32 | (unsigned)fd[0];
    if (atomic_compare_exchange_strong_explicit(&e->ends, &none, ends, memory_order_acq_rel,
                                                memory_order_acquire))
        return ends;
    close(fd[0]);
    close(fd[1]);
    return none;
}

struct sleep {
    struct event *event;
    unsigned resets;
};

static void leave(void *arg)
{
    struct sleep *here = arg;

    if (atomic_load_explicit(&here->event->resets, memory_order_relaxed) == here->resets)
        atomic_fetch_sub_explicit(&here->event->sleepers, 1, memory_order_relaxed);
}

int uaio__event_wait(struct event *e, unsigned sequence, int64_t deadline_ns)
{
    uint64_t ends = ends_of(e);
    struct pollfd in = {.fd = ends ? (int)(uint32_t)ends : -1, .events = POLLIN};
    struct sleep here = {e, atomic_load_explicit(&e->resets, memory_order_relaxed)};
    int timeout = LOOK_MS, err = 0;

    if (deadline_ns != EVENT_FOREVER) {
        int64_t left = deadline_ns - pool__now_ns();
        if (left <= 0)
            return -ETIMEDOUT;
        if (left < (int64_t)LOOK_MS * 1000000)
            timeout = (int)((left + 999999) / 1000000);
    }
    atomic_fetch_add_explicit(&e->sleepers, 1, memory_order_seq_cst);
    pthread_cleanup_push(leave, &here);
    if (uaio__event_sequence(e) == sequence) {
        char byte;
        if (poll(&in, 1, timeout) < 0)
            err = -errno;
        else if (in.revents & POLLIN)
            (void)!read(in.fd, &byte, 1);
    }
    pthread_cleanup_pop(1);
    return err == -EINTR ? -EINTR : 0;
}

void uaio__event_signal(struct event *e)
{
    uint64_t ends;

    atomic_fetch_add_explicit(&e->sequence, 1, memory_order_seq_cst);
    ends = atomic_load_explicit(&e->ends, memory_order_acquire);
    for (unsigned n = atomic_load_explicit(&e->sleepers, memory_order_seq_cst); ends && n; n--)
        (void)!write((int)(ends >> 32), "", 1);
}

/* The pipe is the parent's, too. */
void uaio__event_reset(struct event *e)
{
    uint64_t ends = atomic_exchange_explicit(&e->ends, 0, memory_order_relaxed);

    if (ends) {
        close((int)(uint32_t)ends);
        close((int)(ends >> 32));
    }
    /* A handler may have forked that interrupted who is about to sleep. */
    atomic_fetch_add_explicit(&e->sequence, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&e->resets, 1, memory_order_relaxed);
    atomic_store_explicit(&e->sleepers, 0, memory_order_relaxed);
}
