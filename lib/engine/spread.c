/* SPDX-License-Identifier: MIT */
#include "spread.h"
#include "event.h"
#include "pool.h"
#include "spin_score.h"
#include "os/thread.h"

#include <sched.h>
#include <unistd.h>

/* Submissions at once that may have an assistant each. */
#define MAX_ASSISTANTS 16u

/* How long an assistant looks for the next submission: about what it takes to wake it. */
#define LOOK_US 50

/* How often the submitter looks whether the last read is over, before it sleeps. */
#define PATIENCE 100

#define BACK (1u << 16) /* in `taken` */

enum assistance { ASKED, COMES, GONE };

/* On the submitter's stack. */
struct spread {
    struct pool_job job;
    struct cached_read *reads;
    unsigned n; /* below BACK */
    spread__perform *perform;
    atomic_uint taken;     /* atomic: from the front, from the back << 16 */
    atomic_uint assistant; /* atomic: enum assistance; release: what it has read */
    unsigned assisted;     /* the assistant's, until it is GONE */
};

static struct pool assistants;
static bool any;              /* immutable: there may be assistants */
static pid_t owner;           /* immutable: the process whose threads they are */
static struct event one_gone; /* an assistant, of any submission */
static _Thread_local int score;

static unsigned taken_of(unsigned taken)
{
    return taken % BACK + taken / BACK;
}

static unsigned read_from_front(struct spread *s)
{
    unsigned n = 0;

    for (;; n++) {
        unsigned taken = atomic_fetch_add_explicit(&s->taken, 1, memory_order_relaxed);
        if (taken_of(taken) >= s->n)
            return n;
        struct cached_read *r = &s->reads[taken % BACK];
        r->result = s->perform(&r->operation);
    }
}

static unsigned read_from_back(struct spread *s)
{
    unsigned n = 0;

    for (;; n++) {
        unsigned taken = atomic_fetch_add_explicit(&s->taken, BACK, memory_order_relaxed);
        if (taken_of(taken) >= s->n)
            return n;
        struct cached_read *r = &s->reads[s->n - 1 - taken / BACK];
        r->result = s->perform(&r->operation);
    }
}

/* Once it is GONE the submitter may be, too, and *s with it. */
static void assist(struct pool *pool, struct pool_job *job)
{
    struct spread *s = queue_entry(job, struct spread, job);

    atomic_store_explicit(&s->assistant, COMES, memory_order_relaxed);
    s->assisted = read_from_back(s);
    if (pool__stands_in(pool))
        s->assisted = 0; /* no thread can be had, and this is the submitter */
    atomic_store_explicit(&s->assistant, GONE, memory_order_seq_cst);
    uaio__event_signal(&one_gone);
}

void spread__init(unsigned max_threads, unsigned idle_ms)
{
    static const struct pool_hooks hooks = {.run = assist};
    struct pool_config config = {
        .hooks = &hooks,
        .name = "uaio-copy",
        .max_threads = pool__cpus() - 1, /* the other one is the submitter's */
        .idle_ms = idle_ms,
        .spin_us = LOOK_US,
    };

    if (config.max_threads > MAX_ASSISTANTS)
        config.max_threads = MAX_ASSISTANTS;
    if (config.max_threads > max_threads)
        config.max_threads = max_threads;
    any = config.max_threads > 0;
    owner = getpid();
    uaio__event_reset(&one_gone);
    pool__init(&assistants, &config);
}

static bool is_gone(struct spread *s)
{
    return atomic_load_explicit(&s->assistant, memory_order_seq_cst) == GONE;
}

/* Nobody else uses *s after this. */
static void dismiss(struct spread *s)
{
    unsigned assistant = atomic_load_explicit(&s->assistant, memory_order_relaxed);

    if (assistant == ASKED && pool__withdraw(&assistants, &s->job))
        return;
    for (int i = 0; !is_gone(s); i++) {
        unsigned sequence = uaio__event_sequence(&one_gone);
        if (is_gone(s))
            break;
        if (i < PATIENCE)
            sched_yield();
        else
            uaio__event_wait(&one_gone, sequence, EVENT_FOREVER);
    }
}

static bool wants_assistant(unsigned n)
{
    return n >= SPREAD_MIN && any &&
           (pool__is_searched(&assistants) || spin_score__wanted(&score)) && getpid() == owner;
}

/*
 * While the assistant uses this stack nothing may make the submitter leave it: not
 * cancellation, and not a handler's longjmp().  Nor may a handler stay for as long as
 * it likes with requests that are half done.
 */
void spread__reads(struct cached_read *reads, unsigned n, spread__perform *perform)
{
    struct spread s = {.reads = reads, .n = n, .perform = perform};
    bool assisted = wants_assistant(n);
    sigset_t mask;
    int cancel;

    if (!assisted) {
        read_from_front(&s);
        return;
    }
    pool__signals_block(&mask);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pool__job_init(&s.job, 0, POOL_BLOCKING);
    pool__post(&assistants, &s.job, &s.job, POOL_BLOCKING);
    read_from_front(&s);
    dismiss(&s);
    pthread_setcancelstate(cancel, &(int){0});
    pool__signals_restore(&mask);
    spin_score__count(&score, s.assisted >= n / 8);
}
