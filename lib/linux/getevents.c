/* SPDX-License-Identifier: MIT */
/*
 * io_getevents() and io_pgetevents().
 *
 * A waiter that would sleep first runs requests of its context that are still
 * queued.  One with min_nr == 0 and time to wait does so, too, as long as there
 * are requests in flight that the kernel's io_submit() would have completed
 * before it returned (context.prompt): programs count on finding their events.
 */
#define _GNU_SOURCE
#include "config.h"
#include "context.h"
#include "engine.h"
#include "habit.h"
#include "linux.h"
#include "native.h"
#include "process.h"
#include "ring.h"
#include "spin.h"
#include "user_memory.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

struct reaper {
    struct context *c;
    unsigned char *events; /* struct linux_event, perhaps misaligned */
    long min_nr, nr;
    long reaped;
    int64_t deadline_ns;
    const sigset_t *mask;
    unsigned next_to_help; /* index of context.recent */
    bool looked;           /* for a moment, before sleeping */
};

/* ---- arguments ----------------------------------------------------------------- */

struct timespec_long {
    long seconds, nanoseconds;
};

struct timespec_64 {
    int64_t seconds, nanoseconds;
};

#define NS_PER_S 1000000000
#define FOREVER_NS INT64_C(4000000000000000000)

/* More than a second of nanoseconds is taken as it is, here as in the kernel. */
static int64_t sum_ns(int64_t seconds, int64_t nanoseconds)
{
    int64_t ns;

    if (__builtin_mul_overflow(seconds, (int64_t)NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, nanoseconds, &ns) || ns > FOREVER_NS)
        return FOREVER_NS;
    return ns;
}

static int read_timeout(const void *timeout, enum linux_time format, int64_t *ns)
{
    struct timespec_long as_longs;
    struct timespec_64 as_64;

    if (!timeout) {
        *ns = WAIT_FOREVER;
        return 0;
    }
    if (!user__readable(timeout, format == LINUX_TIME_64 ? sizeof as_64 : sizeof as_longs))
        return -EFAULT;
    if (format == LINUX_TIME_64) {
        memcpy(&as_64, timeout, sizeof as_64);
    } else {
        memcpy(&as_longs, timeout, sizeof as_longs);
        as_64 = (struct timespec_64){as_longs.seconds, as_longs.nanoseconds};
    }
    if (as_64.seconds < 0 || as_64.nanoseconds < 0)
        return -EINVAL;
    *ns = sum_ns(as_64.seconds, as_64.nanoseconds);
    return 0;
}

/* ---- helping ------------------------------------------------------------------- */

/* Nothing can come that this waiter does not wait for. */
static bool has_free_hands(const struct reaper *w)
{
    return (long)atomic_load_explicit(&w->c->requests, memory_order_relaxed) <=
           w->min_nr - w->reaped;
}

static struct request_id recent(struct context *c, unsigned i)
{
    uint64_t id = atomic_load_explicit(&c->recent[i % RECENT], memory_order_acquire);

    return (struct request_id){(uint32_t)(id >> 32), (uint32_t)id};
}

static bool is_over(struct request_id id)
{
    struct request *r = request__at(id);

    return !r || request__state(r, id.generation) == REQUEST_FREE;
}

/* The first of the recent ones that may not be over. */
static unsigned first_recent(struct context *c, unsigned end)
{
    unsigned first = atomic_load_explicit(&c->recent_over, memory_order_relaxed), known = first;

    if (end - first > RECENT)
        first = end - RECENT;
    while (first != end && is_over(recent(c, first)))
        first++;
    if (first != known) /* whoever has come less far may overwrite it: a hint */
        atomic_store_explicit(&c->recent_over, first, memory_order_relaxed);
    return first;
}

/* The oldest of the requests submitted lately that can still be run. */
static bool help_one(struct reaper *w, unsigned how)
{
    unsigned end = atomic_load_explicit(&w->c->submitted, memory_order_relaxed), first;

    if (end != w->next_to_help && has_free_hands(w))
        habit__waits(recent(w->c, end - 1));
    if (!engine__help_wanted(how))
        return false; /* without a look at each, which costs */
    first = first_recent(w->c, end);
    if (end - w->next_to_help > end - first)
        w->next_to_help = first;
    while (w->next_to_help != end) {
        if (engine__help(recent(w->c, w->next_to_help++), how))
            return true;
    }
    return false;
}

static bool has_time(const struct reaper *w)
{
    return w->deadline_ns == WAIT_FOREVER || w->deadline_ns - pool__now_ns() >= HELP_TIMEOUT_NS;
}

/* Whoever waits for what is prompt takes all of it that computes, even with no
 * time to spare: a worker would need more. */
static unsigned how_to_help(const struct reaper *w, bool for_prompt)
{
    unsigned how = for_prompt ? HELP_NEIGHBOURS : 0;

    if (!has_time(w))
        return how;
    if (for_prompt || has_free_hands(w))
        how |= HELP_SLEEPERS;
    return how | HELP_COPIES;
}

/* ---- waiting ------------------------------------------------------------------- */

/* As many as the caller's memory can take: 0, or -EFAULT if it has no room for
 * one that is there. */
static int reap(struct reaper *w)
{
    long n = (long)ring__available(w->c);
    unsigned char *to;

    if (n > w->nr - w->reaped)
        n = w->nr - w->reaped;
    if (n == 0 && ring__has_backlog(w->c) && w->reaped < w->nr)
        n = 1;
    if (n == 0)
        return 0;
    to = (unsigned char *)((uintptr_t)w->events + (size_t)w->reaped * sizeof(struct linux_event));
    if (!user__writable(to, (size_t)n * sizeof(struct linux_event)))
        return -EFAULT; /* what was reaped before counts more: read_events() */
    w->reaped += ring__reap(w->c, to, n);
    return 0;
}

static bool prompt_in_flight(const struct reaper *w)
{
    return atomic_load_explicit(&w->c->prompt, memory_order_seq_cst) > 0;
}

/* Has something happened before it is worth to sleep?  `wanted` events, or if 0 the
 * end of what is prompt. */
static bool look_for_a_moment(struct reaper *w, unsigned wanted)
{
    struct spin spin;
    bool found;

    if (w->looked || w->mask || !spin__begin(&spin, &engine__io, w->deadline_ns))
        return false;
    w->looked = true;
    while (!(found = wanted ? ring__available(w->c) >= wanted : !prompt_in_flight(w)) &&
           spin__goes_on(&spin))
        ;
    spin__end(found);
    return found;
}

/* 0: look again; -EINTR, -ETIMEDOUT. */
static int wait_more(struct reaper *w, unsigned sequence, unsigned wanted)
{
    if (uaio__config()->help && !w->mask && help_one(w, how_to_help(w, wanted == 0)))
        return 0;
    engine__stop_helping();
    if (w->deadline_ns != WAIT_FOREVER && pool__now_ns() >= w->deadline_ns)
        return -ETIMEDOUT;
    if (look_for_a_moment(w, wanted))
        return 0;
    return ring__sleep(w->c, sequence, wanted, w->deadline_ns, w->mask);
}

/* `prompt`: there was something in flight, before the last look into the ring,
 * that is to be waited for even with min_nr == 0. */
static bool is_satisfied(const struct reaper *w, bool prompt)
{
    return w->reaped >= w->nr || (w->reaped >= w->min_nr && (w->min_nr > 0 || !prompt));
}

/* 0, or why no more was reaped. */
static int collect(struct reaper *w)
{
    for (;;) {
        unsigned sequence = ring__sequence(w->c);
        bool prompt = prompt_in_flight(w);
        int err;

        process__check(); /* a handler may have forked, and this be the child */
        if (!context__alive(w->c))
            return -EINVAL; /* and none of the events of what was cancelled */
        err = reap(w);
        if (err)
            return err;
        if (is_satisfied(w, prompt))
            return 0;
        err = wait_more(w, sequence, w->min_nr > 0 ? (unsigned)(w->min_nr - w->reaped) : 0);
        process__check();
        if (err) {
            /* An event beats a signal, and the end of the time. */
            return reap(w) < 0 ? -EFAULT : w->reaped < w->min_nr ? err : 0;
        }
    }
}

static long read_events(struct reaper *w, int64_t timeout_ns)
{
    bool prompt = prompt_in_flight(w);
    int err = reap(w);

    if (err)
        return err;
    if (is_satisfied(w, prompt) || timeout_ns == 0)
        return w->reaped > 0 || context__accessible(w->c) ? w->reaped : -EINVAL;
    if (!context__accessible(w->c))
        return w->reaped > 0 ? w->reaped : -EINVAL;
    w->deadline_ns = WAIT_FOREVER;
    if (timeout_ns != WAIT_FOREVER)
        w->deadline_ns = pool__now_ns() + timeout_ns;
    err = collect(w);
    if (w->reaped > 0 || err == -ETIMEDOUT)
        return w->reaped;
    return err;
}

static long getevents(unsigned long ctx, long min_nr, long nr, void *events, int64_t timeout_ns,
                      const sigset_t *mask)
{
    struct context *c = context__get(ctx);
    struct reaper w = {.c = c, .events = events, .min_nr = min_nr, .nr = nr, .mask = mask};
    long result = -EINVAL;
    int saved = errno, cancel;

    if (!c)
        return -EINVAL;
    w.next_to_help = atomic_load_explicit(&c->submitted, memory_order_relaxed) - RECENT;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    if (min_nr >= 0 && min_nr <= nr)
        result = read_events(&w, timeout_ns);
    context__put(c);
    pthread_setcancelstate(cancel, &(int){0});
    errno = saved;
    return result;
}

long linux__getevents(unsigned long ctx, long min_nr, long nr, void *events, const void *timeout,
                      enum linux_time format)
{
    int64_t timeout_ns;
    int err;

    if (native__serves(ctx))
        return native__pgetevents(ctx, min_nr, nr, events, timeout, format, NULL, 0);
    err = read_timeout(timeout, format, &timeout_ns);
    return err ? err : getevents(ctx, min_nr, nr, events, timeout_ns, NULL);
}

/* Those that the mask lets in and that have come are delivered, whether or not
 * there was anything to wait for. */
static long let_signals_in(long result, const sigset_t *mask)
{
    const struct timespec now = {0, 0};
    int saved = errno, cancel;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    if (result >= 0 && ppoll(NULL, 0, &now, mask) < 0 && errno == EINTR && result == 0)
        result = -EINTR;
    pthread_setcancelstate(cancel, &(int){0});
    errno = saved;
    return result;
}

/* The kernel's set, which is shorter than libc's. */
#define KERNEL_SIGSET_BYTES 8

long linux__pgetevents(unsigned long ctx, long min_nr, long nr, void *events, const void *timeout,
                       enum linux_time format, const void *sigmask, size_t sigsetsize)
{
    int64_t timeout_ns;
    sigset_t mask;
    int err;

    if (native__serves(ctx))
        return native__pgetevents(ctx, min_nr, nr, events, timeout, format, sigmask, sigsetsize);
    err = read_timeout(timeout, format, &timeout_ns);
    if (err)
        return err;
    if (!sigmask)
        return getevents(ctx, min_nr, nr, events, timeout_ns, NULL);
    if (sigsetsize != KERNEL_SIGSET_BYTES)
        return -EINVAL;
    if (!user__readable(sigmask, KERNEL_SIGSET_BYTES))
        return -EFAULT;
    sigemptyset(&mask);
    memcpy(&mask, sigmask, KERNEL_SIGSET_BYTES);
    return let_signals_in(getevents(ctx, min_nr, nr, events, timeout_ns, &mask), &mask);
}
