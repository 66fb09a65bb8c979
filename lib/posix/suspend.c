/* SPDX-License-Identifier: MIT */
/*
 * Waiting for any of a list.  No lock, no allocation, no memory that grows with
 * the list: async-signal-safe, see wait.h for how the waking works.
 *
 * A thread that is about to sleep first runs a queued request of its list
 * itself (engine__help()).  The call then lasts as long as that request's
 * system call, and signals wait for its end: so only without a timeout, or with
 * one that is long beside what a disk takes.
 */
#include "aiocb_state.h"
#include "config.h"
#include "habit.h"
#include "posix.h"
#include "process.h"
#include "spin.h"

#include <pthread.h>

struct waiting {
    const struct uaio_aiocb *const *list;
    int nent;
    struct request *group; /* or wait for this list as a whole, */
    uint32_t group_generation;
    unsigned epoch;               /* of the process that waits for it */
    const struct request_id *ids; /* and help with these of it: of a member that is over, the */
    int next, last;               /* control block may be gone */
    int64_t deadline_ns;
    bool help;
    bool looked; /* for a moment, before sleeping */
    int err;     /* in memory: pthread_cleanup_push() may be a setjmp() */
    struct wait wait;
};

int64_t posix__timeout(const struct timespec *timeout)
{
    int64_t seconds; /* time_t may have 32 bits */

    if (!timeout)
        return WAIT_FOREVER;
    seconds = timeout->tv_sec;
    if (seconds < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000000000)
        return -EINVAL;
    if (seconds >= INT64_MAX / 2000000000)
        return WAIT_FOREVER;
    return seconds * 1000000000 + timeout->tv_nsec;
}

static bool in_progress(const struct uaio_aiocb *cb)
{
    return cb && aiocb__status(cb) == EINPROGRESS;
}

/* Is there something to return for, or nothing to wait for? */
static bool is_over(const struct waiting *w)
{
    bool waits = false;

    if (w->group) /* in a child that a handler has forked meanwhile it is nobody's */
        return w->epoch != process__epoch() ||
               request__state(w->group, w->group_generation) == REQUEST_DONE;
    for (int i = 0; i < w->nent; i++) {
        if (!w->list[i])
            continue;
        if (!in_progress(w->list[i]))
            return true;
        waits = true;
    }
    return !waits;
}

static void watch_all(struct waiting *w)
{
    if (w->group) {
        wait__watch(&w->wait, request__id(w->group));
        return;
    }
    for (int i = 0; i < w->nent; i++)
        if (in_progress(w->list[i]))
            wait__watch(&w->wait, aiocb__id(w->list[i]));
}

/* Also on cancellation of the thread. */
static void unwatch_all(void *arg)
{
    struct waiting *w = arg;

    for (int i = 0; !w->group && i < w->nent; i++)
        if (in_progress(w->list[i]))
            wait__unwatch(&w->wait, aiocb__id(w->list[i]));
    wait__end(&w->wait);
}

/* The entry to help with, the first of the highest priority, or -1; and whether
 * there is one only to wait for. */
static int best_to_help(const struct waiting *w, bool *single)
{
    int best = -1, waits = 0, last = -1;

    for (int i = 0; i < w->nent; i++) {
        if (!in_progress(w->list[i]))
            continue;
        waits++;
        last = i;
        if (engine__helpable(aiocb__id(w->list[i])) &&
            (best < 0 || w->list[i]->aio_reqprio < w->list[best]->aio_reqprio))
            best = i;
    }
    *single = waits == 1;
    if (*single)
        habit__waits(aiocb__id(w->list[last]));
    return best;
}

/* Run a request; false if there is none to run.  Whoever waits for all goes
 * through them once, whoever waits for one needs only one. */
static bool help_one(struct waiting *w)
{
    if (!w->group) {
        bool single;
        int best = best_to_help(w, &single);
        return best >= 0 &&
               engine__help(aiocb__id(w->list[best]), HELP_COPIES | (single ? HELP_SLEEPERS : 0u));
    }
    if (w->next == 0 && w->last == 1)
        habit__waits(w->ids[0]);
    while (w->next < w->last)
        if (engine__help(w->ids[w->next++], HELP_SLEEPERS))
            return true;
    return false;
}

/* Has something happened before it is worth to sleep? */
static bool look_for_a_moment(struct waiting *w, unsigned sequence)
{
    struct spin spin;
    bool woken;

    if (w->looked || !spin__begin(&spin, &engine__io, w->deadline_ns))
        return false;
    w->looked = true;
    while (!(woken = wait__sequence(&w->wait) != sequence) && spin__goes_on(&spin))
        ;
    spin__end(woken);
    return woken;
}

static int wait_over(struct waiting *w)
{
    while (!is_over(w)) {
        unsigned sequence = wait__sequence(&w->wait);
        int err;

        process__check(); /* a handler may have forked, and this be the child */
        if (w->group && w->epoch != process__epoch())
            return -EINTR;
        if ((w->help && help_one(w)) || is_over(w))
            continue;
        engine__stop_helping();
        if (look_for_a_moment(w, sequence))
            continue;
        err = wait__sleep(&w->wait, sequence, w->deadline_ns);
        if (err < 0 && !is_over(w))
            return err == -ETIMEDOUT ? -EAGAIN : err;
    }
    return 0;
}

static int wait_watching(struct waiting *w)
{
    wait__begin(&w->wait);
    pthread_cleanup_push(unwatch_all, w);
    watch_all(w);
    w->err = wait_over(w);
    pthread_cleanup_pop(1);
    return w->err;
}

int posix__suspend(const struct uaio_aiocb *const list[], int nent, int64_t timeout_ns)
{
    struct waiting w = {
        .list = list,
        .nent = nent,
        .deadline_ns = WAIT_FOREVER,
    };

    pthread_testcancel();
    if (nent < 0 || timeout_ns < 0 || (nent > 0 && !list))
        return -EINVAL;
    if (is_over(&w))
        return 0;
    if (timeout_ns == 0)
        return -EAGAIN;
    w.help = uaio__config()->help && timeout_ns >= HELP_TIMEOUT_NS;
    if (timeout_ns != WAIT_FOREVER)
        w.deadline_ns = pool__now_ns() + timeout_ns;
    return wait_watching(&w);
}

int posix__await_list(struct request *group, unsigned epoch, const struct request_id *ids, int n)
{
    struct waiting w = {
        .group = group,
        .group_generation = request__id(group).generation,
        .epoch = epoch,
        .ids = ids,
        .last = n,
        .deadline_ns = WAIT_FOREVER,
        .help = uaio__config()->help,
    };

    return is_over(&w) ? 0 : wait_watching(&w);
}

int uaio_suspend(const struct uaio_aiocb *const list[], int nent, const struct timespec *timeout)
{
    return posix__return(posix__suspend(list, nent, posix__timeout(timeout)));
}
