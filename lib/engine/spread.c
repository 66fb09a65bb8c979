/* SPDX-License-Identifier: MIT */
#include "spread.h"
#include "event.h"
#include "pool.h"
#include "spin_score.h"
#include "os/thread.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

/* Submissions at once that may have an assistant each. */
#define MAX_ASSISTANTS 16u

/* How long an assistant looks for the next submission: about what it takes to wake it.
 * So it is woken only where submissions come faster than that, or a little slower. */
#define LOOK_US 50

int64_t spread__soon_ns = 100000;

/* How long the submitter looks whether the last read is over, before it sleeps. */
#define PATIENCE_NS 20000

#define REST_LEAST 16u
#define REST_MOST 4096u

#define STACK_BYTES (64 * 1024) /* it makes system calls, no more */

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

/* What a submitter knows of itself, and has seen so far. */
static _Thread_local struct {
    bool known;         /* the next two are */
    bool realtime;      /* it must not wait for threads that are not */
    uint64_t usual;     /* the signals that it blocks */
    int score;          /* spin_score.h: does it pay to wake one? */
    unsigned without;   /* submissions to do without, for one was late */
    unsigned rest;      /* and how many after the next time */
    int64_t last_ended; /* ns */
} me;

/* Those that nobody else has taken, from the one end: how many. */
static unsigned read_some(struct spread *s, bool from_back)
{
    unsigned n = 0;

    for (;; n++) {
        unsigned taken =
            atomic_fetch_add_explicit(&s->taken, from_back ? BACK : 1, memory_order_relaxed);
        unsigned front = taken % BACK, back = taken / BACK;
        if (front + back >= s->n)
            return n;
        struct cached_read *r = &s->reads[from_back ? s->n - 1 - back : front];
        r->result = s->perform(&r->operation);
    }
}

/* Once it is GONE the submitter may be, too, and *s with it. */
static void assist(struct pool *pool, struct pool_job *job)
{
    struct spread *s = queue_entry(job, struct spread, job);

    atomic_store_explicit(&s->assistant, COMES, memory_order_relaxed);
    s->assisted = read_some(s, true);
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
        .stack = STACK_BYTES,
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
    int64_t end;

    if (assistant == ASKED && pool__withdraw(&assistants, &s->job))
        return;
    end = pool__now_ns() + PATIENCE_NS;
    while (!is_gone(s)) {
        unsigned sequence = uaio__event_sequence(&one_gone);
        if (!is_gone(s) && pool__now_ns() >= end)
            uaio__event_wait(&one_gone, sequence, EVENT_FOREVER);
    }
}

/* ---- whether to ask ------------------------------------------------------------- */

static uint64_t bits_of(const sigset_t *mask)
{
    uint64_t bits = 0;

    memcpy(&bits, mask, sizeof *mask < sizeof bits ? sizeof *mask : sizeof bits);
    return bits;
}

static void look_at_oneself(void)
{
    struct sched_param param;
    sigset_t mask;
    int policy;

    sigemptyset(&mask);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    me.known = true;
    me.realtime = pthread_getschedparam(pthread_self(), &policy, &param) != 0 ||
                  policy == SCHED_FIFO || policy == SCHED_RR;
    me.usual = bits_of(&mask);
    me.rest = REST_LEAST;
}

/* Is one awake, or will there be more to do when one that is woken has come? */
static bool wants_assistant(int64_t now)
{
    if (me.without > 0) {
        me.without--;
        return false;
    }
    return pool__is_searched(&assistants) ||
           (now - me.last_ended < spread__soon_ns && spin_score__wanted(&me.score));
}

/*
 * [signals blocked] To start a thread allocates, and a handler may have interrupted
 * malloc(): who blocks more signals than usual may be one, and is content with an
 * assistant that is awake.  Who blocks less shows that it was one that was looked at.
 */
static bool may_start(const sigset_t *mask)
{
    uint64_t bits = bits_of(mask);

    if ((bits & ~me.usual) == 0)
        me.usual = bits;
    return bits == me.usual;
}

static bool may_ask(bool start)
{
    return !me.realtime && (start || pool__is_searched(&assistants)) && getpid() == owner;
}

/* It took so long to read, and then so long to wait. */
static void weigh(bool helped, int64_t read_ns, int64_t waited_ns)
{
    if (waited_ns > PATIENCE_NS && waited_ns > read_ns / 4) { /* it was kept from running */
        me.without = me.rest;
        if (me.rest < REST_MOST)
            me.rest *= 2;
        return;
    }
    spin_score__count(&me.score, helped);
    if (me.score >= SPIN_MAX)
        me.rest = REST_LEAST;
}

/*
 * [signals blocked] While the assistant uses this stack nothing may make the submitter
 * leave it: not cancellation, and not a handler's longjmp().  Nor may a handler stay
 * for as long as it likes with requests that are half done.
 */
static void read_assisted(struct spread *s, bool start)
{
    int64_t began = pool__now_ns(), read;
    int cancel;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pool__job_init(&s->job, 0, POOL_BLOCKING);
    if (!start)
        pool__begin_quiet();
    pool__post(&assistants, &s->job, &s->job, POOL_BLOCKING);
    if (!start)
        pool__end_quiet();
    read_some(s, false);
    read = pool__now_ns();
    dismiss(s);
    pthread_setcancelstate(cancel, &(int){0});
    me.last_ended = pool__now_ns();
    weigh(s->assisted >= s->n / 8, read - began, me.last_ended - read);
}

void spread__reads(struct cached_read *reads, unsigned n, spread__perform *perform)
{
    struct spread s = {.reads = reads, .n = n, .perform = perform};
    bool long_one = n >= SPREAD_MIN && any, assisted = false;
    sigset_t mask;

    if (long_one && !me.known)
        look_at_oneself(); /* by its first list, for a later one may be a handler's */
    if (long_one && wants_assistant(pool__now_ns())) {
        pool__signals_block(&mask);
        bool start = may_start(&mask);
        assisted = may_ask(start);
        if (assisted)
            read_assisted(&s, start);
        pool__signals_restore(&mask);
    }
    if (assisted)
        return;
    read_some(&s, false);
    if (long_one)
        me.last_ended = pool__now_ns();
}
