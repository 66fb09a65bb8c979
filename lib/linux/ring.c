/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "ring.h"
#include "os/thread.h"
#include "pin.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* ---- the words that the program shares -------------------------------------- */

static _Atomic uint32_t *head_of(struct context *c)
{
    return (_Atomic uint32_t *)(void *)&c->ring->head;
}

static _Atomic uint32_t *tail_of(struct context *c)
{
    return (_Atomic uint32_t *)(void *)&c->ring->tail;
}

/* head and tail as one, in memory order. */
union ends {
    uint64_t both;
    struct {
        uint32_t head, tail;
    };
};

static _Atomic uint64_t *ends_of(struct context *c)
{
    return (_Atomic uint64_t *)(void *)&c->ring->head;
}

/* From slot a on to slot b, both below nr. */
static uint32_t distance(const struct context *c, uint32_t a, uint32_t b)
{
    return b >= a ? b - a : b + c->nr - a;
}

/* ---- slots ------------------------------------------------------------------ */

/* Slots after `tail` that hold nothing anybody may still want. */
static uint32_t free_after(const struct context *c, uint32_t tail, uint32_t wanted)
{
    return wanted == tail ? c->nr - 1 : distance(c, tail, wanted) - 1;
}

/* How much room there is, from `head` and the claims as they were before `tail`:
 * what is older leaves less.  Claims count only if asked for. */
static uint32_t room(struct context *c, bool with_claims, uint64_t *tail)
{
    uint32_t head = atomic_load_explicit(head_of(c), memory_order_acquire) % c->nr;
    uint32_t claims[CLAIMS], any = 0, free, at;

    for (unsigned i = 0; i < CLAIMS; i++)
        any |= claims[i] = atomic_load_explicit(&c->claims[i], memory_order_seq_cst);
    *tail = atomic_load_explicit(&c->tail, memory_order_acquire);
    at = (uint32_t)(*tail % c->nr);
    free = free_after(c, at, head);
    for (unsigned i = 0; any && with_claims && i < CLAIMS; i++) {
        /* A claim at the tail itself is of a reaper that has found nothing. */
        if (claims[i] && claims[i] - 1 != at && free_after(c, at, claims[i] - 1) < free)
            free = free_after(c, at, claims[i] - 1);
    }
    return free;
}

/* Is there room for one more than `accepted`? */
static bool fits(struct context *c, uint64_t accepted, bool with_claims)
{
    uint64_t bypassed = atomic_load_explicit(&c->bypassed, memory_order_acquire), tail;
    uint32_t free = room(c, with_claims, &tail);

    /* Wraps if others were accepted and published meanwhile: then the caller's
     * compare-and-swap fails. */
    return accepted + 1 - bypassed - tail <= free;
}

/*
 * Only a claim is in the way: of a reaper that lost its processor between claim
 * and copy.  In a moment it goes on; or never, if it is what the handler that
 * calls us has interrupted.
 */
#define PATIENCE 264 /* 200 ms */

static void wait_for_reaper(int n)
{
    const struct timespec pause = {0, 1000000};

    if (n < 64)
        sched_yield();
    else
        nanosleep(&pause, NULL);
}

bool ring__reserve(struct context *c)
{
    uint64_t accepted = atomic_load_explicit(&c->accepted, memory_order_acquire);

    for (int n = 0; n < PATIENCE;) {
        uint64_t before = accepted;
        if (fits(c, accepted, true)) {
            if (atomic_compare_exchange_weak_explicit(&c->accepted, &accepted, accepted + 1,
                                                      memory_order_seq_cst, memory_order_acquire))
                return true;
            continue;
        }
        accepted = atomic_load_explicit(&c->accepted, memory_order_acquire);
        if (accepted != before)
            continue;
        if (fits(c, accepted, false))
            wait_for_reaper(n++);
        else if (atomic_load_explicit(&c->accepted, memory_order_acquire) == accepted)
            return false;
    }
    return false;
}

void ring__unreserve(struct context *c)
{
    atomic_fetch_sub_explicit(&c->accepted, 1, memory_order_seq_cst);
}

unsigned ring__available(struct context *c)
{
    union ends ends = {.both = atomic_load_explicit(ends_of(c), memory_order_seq_cst)};

    return distance(c, ends.head % c->nr, ends.tail % c->nr);
}

/* ---- filling ---------------------------------------------------------------- */

/* seq_cst also the look: a push on the backlog must not come after it. */
static bool try_publishing(struct context *c)
{
    return !atomic_load_explicit(&c->publishing, memory_order_seq_cst) &&
           !atomic_exchange_explicit(&c->publishing, 1, memory_order_seq_cst);
}

static void stop_publishing(struct context *c)
{
    atomic_store_explicit(&c->publishing, 0, memory_order_seq_cst);
}

/* [publishing] The kernel's order: the event, then `tail`. */
static void put(struct context *c, const struct linux_event *event)
{
    uint64_t tail = atomic_load_explicit(&c->tail, memory_order_relaxed);

    c->ring->events[tail % c->nr] = *event;
    /* Seen by whoever has seen the ring's. */
    atomic_store_explicit(&c->tail, tail + 1, memory_order_release);
    /* Pairs with the acquire of whoever reads the ring; seq_cst: see wake(). */
    atomic_store_explicit(tail_of(c), (uint32_t)((tail + 1) % c->nr), memory_order_seq_cst);
}

static struct linux_event event_of(struct request *r)
{
    const struct completion *done = completion_of(r);

    return (struct linux_event){done->data, done->object, (int64_t)r->result, 0};
}

/* A counter that is full is left alone, as by the kernel. */
static void bump(struct resfd resfd)
{
    struct pollfd room = {resfd.fd, POLLOUT, 0};
    uint64_t one = 1;

    if (resfd.fd >= 0 && (!resfd.waits || poll(&room, 1, 0) == 1))
        (void)!write(resfd.fd, &one, sizeof one);
}

static struct resfd resfd_of(struct request *r)
{
    return (struct resfd){completion_of(r)->resfd, completion_of(r)->resfd_waits};
}

/* The last that is done for a request: from here on the context may go. */
static void end_request(struct context *c, struct request *r)
{
    bool carried = completion_of(r)->kind == COMPLETION_CARRIED;

    if (completion_of(r)->resfd >= 0)
        pin__put(completion_of(r)->resfd);
    if (carried) {
        request__advance(r, REQUEST_RUNNING, REQUEST_PUBLISHING);
        request__advance(r, REQUEST_PUBLISHING, REQUEST_DONE);
    }
    request__release(r);
    context__request_over(c);
}

static void wake_masked(struct context *c)
{
    for (unsigned i = 0; i < WAKEABLE_MASKED; i++) {
        uint64_t one = 1;
        int fd = atomic_load_explicit(&c->masked[i], memory_order_seq_cst);
        /* -1 while it is used: who sleeps on it closes it when it is 0. */
        if (fd > 0 && atomic_compare_exchange_strong_explicit(
                          &c->masked[i], &fd, -1, memory_order_acquire, memory_order_relaxed)) {
            (void)!write(fd, &one, sizeof one);
            atomic_store_explicit(&c->masked[i], 0, memory_order_release);
        }
    }
}

void ring__wake_all(struct context *c)
{
    atomic_store_explicit(&c->wake_at, UINT64_MAX, memory_order_seq_cst);
    uaio__event_signal(&c->event);
    wake_masked(c);
}

/* An event has become visible: the second half of the handshake with
 * ring__sleep().  A waiter with other needs looks in vain, and lowers wake_at
 * again. */
static void wake(struct context *c)
{
    uint64_t at = atomic_load_explicit(&c->wake_at, memory_order_seq_cst);

    if (at != UINT64_MAX && atomic_load_explicit(&c->tail, memory_order_seq_cst) >= at)
        ring__wake_all(c);
}

void ring__prompt_over(struct context *c)
{
    atomic_fetch_sub_explicit(&c->prompt, 1, memory_order_seq_cst);
    wake(c);
}

/* The event is visible: what follows from that. */
static void announce(struct context *c, struct request *r)
{
    if (completion_of(r)->prompt)
        atomic_fetch_sub_explicit(&c->prompt, 1, memory_order_seq_cst);
    bump(resfd_of(r));
    wake(c);
    end_request(c, r);
}

static void push_backlog(struct context *c, struct request *r)
{
    struct request *head = atomic_load_explicit(&c->backlog, memory_order_relaxed);

    do
        completion_of(r)->next = head;
    while (!atomic_compare_exchange_weak_explicit(&c->backlog, &head, r, memory_order_seq_cst,
                                                  memory_order_relaxed));
}

/* All of the backlog, the oldest first. */
static struct request *take_backlog(struct context *c)
{
    struct request *r = atomic_exchange_explicit(&c->backlog, NULL, memory_order_seq_cst);
    struct request *first = NULL;

    while (r) {
        struct request *next = completion_of(r)->next;
        completion_of(r)->next = first;
        first = r;
        r = next;
    }
    return first;
}

bool ring__has_backlog(struct context *c)
{
    return atomic_load_explicit(&c->backlog, memory_order_seq_cst) != NULL;
}

/* The caller has all signals blocked, and uses the context. */
static void publish_backlog(struct context *c)
{
    while (ring__has_backlog(c) && try_publishing(c)) {
        struct request *first = take_backlog(c);
        for (struct request *r = first; r; r = completion_of(r)->next) {
            struct linux_event event = event_of(r);
            put(c, &event);
        }
        stop_publishing(c);
        for (struct request *r = first, *next; r; r = next) {
            next = completion_of(r)->next;
            announce(c, r);
        }
    }
    /* The holder may be what a waiting handler has interrupted. */
    if (ring__has_backlog(c) &&
        atomic_load_explicit(&c->wake_at, memory_order_seq_cst) != UINT64_MAX)
        ring__wake_all(c);
}

/*
 * The caller's own reference to the request is dropped elsewhere: the backlog
 * and end_request() have one of their own.  The context is kept until the end,
 * as another may end the last request meanwhile.
 */
void ring__publish(struct context *c, struct request *r)
{
    request__hold(r);
    context__keep(c);
    if (try_publishing(c)) {
        struct linux_event event = event_of(r);
        put(c, &event);
        stop_publishing(c);
        announce(c, r);
    } else {
        push_backlog(c, r);
    }
    publish_backlog(c);
    context__put(c);
}

static void publish_backlog_here(struct context *c)
{
    sigset_t mask;

    pool__signals_block(&mask);
    publish_backlog(c);
    pool__signals_restore(&mask);
}

/* This thread is about to publish, or does: read by signal handlers. */
static _Thread_local volatile bool publishes_here;

/*
 * Somebody else is publishing: a request carries the event.  It is waited for as
 * what is prompt, or io_getevents() would not find what was just submitted; unless
 * the publisher is the very code that this handler has interrupted, for which
 * nobody can wait here.
 */
static bool carry(struct context *c, const struct linux_event *event, struct resfd resfd,
                  bool interrupts)
{
    int pin = resfd.fd >= 0 ? pin__get(resfd.fd, NULL) : -1;
    struct request *r = pin >= 0 || resfd.fd < 0 ? request__new(REQUEST_RUNNING, false) : NULL;
    sigset_t mask;

    if (!r) {
        if (pin >= 0)
            pin__put(pin);
        return false;
    }
    *completion_of(r) = (struct completion){
        .data = event->data,
        .object = event->obj,
        .kind = COMPLETION_CARRIED,
        .prompt = !interrupts,
        .resfd = pin,
        .resfd_waits = resfd.waits,
    };
    r->result = (ssize_t)event->res;
    context__request_add(c);
    pool__signals_block(&mask); /* a handler that waits for it would not find it yet */
    if (!interrupts)
        atomic_fetch_add_explicit(&c->prompt, 1, memory_order_seq_cst);
    push_backlog(c, r);
    publish_backlog(c);
    pool__signals_restore(&mask);
    return true;
}

void ring__publish_inline(struct context *c, const struct linux_event *event, struct resfd resfd)
{
    bool interrupts = publishes_here;

    publishes_here = true;
    while (!try_publishing(c)) {
        publishes_here = interrupts;
        if (carry(c, event, resfd, interrupts))
            return;
        sched_yield(); /* no memory: the holder is soon done */
        publishes_here = true;
    }
    put(c, event);
    stop_publishing(c);
    publishes_here = interrupts;
    bump(resfd);
    wake(c);
    if (ring__has_backlog(c))
        publish_backlog_here(c);
}

#define EVENT_BYTES sizeof(struct linux_event)

/* ---- emptying --------------------------------------------------------------- */

/* A place in `claims` for a reaper that will copy from that slot on. */
static atomic_uint *claim(struct context *c, uint32_t slot)
{
    for (;;) {
        for (unsigned i = 0; i < CLAIMS; i++) {
            unsigned none = 0;
            if (atomic_load_explicit(&c->claims[i], memory_order_relaxed) == 0 &&
                atomic_compare_exchange_strong_explicit(&c->claims[i], &none, slot + 1,
                                                        memory_order_seq_cst, memory_order_relaxed))
                return &c->claims[i];
        }
        sched_yield();
    }
}

static void copy(struct context *c, uint32_t slot, uint32_t n, unsigned char *to)
{
    uint32_t straight = n < c->nr - slot ? n : c->nr - slot;

    memcpy(to, &c->ring->events[slot], straight * EVENT_BYTES);
    memcpy(to + straight * EVENT_BYTES, &c->ring->events[0], (n - straight) * EVENT_BYTES);
}

static long reap_ring(struct context *c, unsigned char *to, long max)
{
    union ends old = {.both = atomic_load_explicit(ends_of(c), memory_order_acquire)}, new;
    uint32_t slot, n;
    atomic_uint *claimed;

    if (old.head % c->nr == old.tail % c->nr)
        return 0;
    claimed = claim(c, old.head % c->nr);
    do {
        slot = old.head % c->nr;
        n = distance(c, slot, old.tail % c->nr);
        n = (unsigned long)max < n ? (uint32_t)max : n;
        new = (union ends){.head = (slot + n) % c->nr, .tail = old.tail};
        /* seq_cst: in ring__reserve() the claim is seen, or the old head. */
        atomic_store_explicit(claimed, slot + 1, memory_order_seq_cst);
    } while (n > 0 &&
             !atomic_compare_exchange_weak_explicit(ends_of(c), &old.both, new.both,
                                                    memory_order_seq_cst, memory_order_acquire));
    /* acquire: pairs with put(), which stores it before the ring's own. */
    (void)atomic_load_explicit(&c->tail, memory_order_acquire);
    copy(c, slot, n, to);
    atomic_store_explicit(claimed, 0, memory_order_release);
    return (long)n;
}

/*
 * Events that cannot get into the ring, as whoever publishes has been
 * interrupted, perhaps by the handler that calls us: one, if there is any.
 */
static long reap_backlog(struct context *c, unsigned char *to)
{
    struct request *first, *rest;
    sigset_t mask;

    if (!ring__has_backlog(c))
        return 0;
    publish_backlog_here(c);
    pool__signals_block(&mask);
    first = take_backlog(c);
    rest = first ? completion_of(first)->next : NULL;
    while (rest) {
        struct request *next = completion_of(rest)->next;
        push_backlog(c, rest);
        rest = next;
    }
    if (first) {
        struct linux_event event = event_of(first);
        memcpy(to, &event, sizeof event);
        atomic_fetch_add_explicit(&c->bypassed, 1, memory_order_acq_rel);
        announce(c, first);
    }
    publish_backlog(c);
    pool__signals_restore(&mask);
    return first ? 1 : 0;
}

long ring__reap(struct context *c, unsigned char *to, long max)
{
    long n = reap_ring(c, to, max);

    while (n < max && ring__has_backlog(c)) {
        long more = reap_ring(c, to + n * (long)EVENT_BYTES, max - n);
        if (more == 0)
            more = reap_backlog(c, to + n * (long)EVENT_BYTES);
        if (more == 0)
            break;
        n += more;
    }
    return n;
}

/* ---- waiting ---------------------------------------------------------------- */

unsigned ring__sequence(struct context *c)
{
    return uaio__event_sequence(&c->event);
}

static void lower_wake_at(struct context *c, uint64_t at)
{
    uint64_t now = atomic_load_explicit(&c->wake_at, memory_order_relaxed);

    while (at < now && !atomic_compare_exchange_weak_explicit(
                           &c->wake_at, &now, at, memory_order_seq_cst, memory_order_relaxed))
        ;
}

/* Where a thread with a mask of its own waits: ppoll() changes the mask and
 * sleeps in one step, a futex cannot. */
struct masked_sleep {
    int fd; /* an eventfd, or -1: then look again and again */
    atomic_int *place;
};

static struct masked_sleep masked_begin(struct context *c)
{
    struct masked_sleep here = {eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), NULL};

    for (unsigned i = 0; here.fd > 0 && i < WAKEABLE_MASKED; i++) {
        int none = 0;
        if (atomic_compare_exchange_strong_explicit(&c->masked[i], &none, here.fd,
                                                    memory_order_seq_cst, memory_order_relaxed)) {
            here.place = &c->masked[i];
            return here;
        }
    }
    if (here.fd >= 0)
        close(here.fd);
    here.fd = -1;
    return here;
}

static void masked_end(const struct masked_sleep *here)
{
    int fd = here->fd;

    if (fd < 0)
        return;
    /* It is ours to take back, or somebody writes to it right now, or did. */
    while (!atomic_compare_exchange_strong_explicit(here->place, &fd, 0, memory_order_acquire,
                                                    memory_order_acquire) &&
           fd == -1) {
        sched_yield();
        fd = here->fd;
    }
    close(here->fd);
}

#define LOOK_AGAIN_NS 1000000

static struct timespec left_until(int64_t deadline_ns, int64_t most_ns)
{
    int64_t left = deadline_ns - pool__now_ns();

    left = left < 0 ? 0 : left > most_ns ? most_ns : left;
    return (struct timespec){(time_t)(left / 1000000000), (long)(left % 1000000000)};
}

static int masked_sleep(struct context *c, const struct masked_sleep *here, unsigned sequence,
                        int64_t deadline_ns, const sigset_t *mask)
{
    struct pollfd wait = {here->fd, POLLIN, 0};
    struct timespec left =
        left_until(deadline_ns, here->fd < 0 ? LOOK_AGAIN_NS : INT64_C(3600000000000));
    int n;

    if (uaio__event_sequence(&c->event) != sequence)
        left = (struct timespec){0, 0}; /* but let signals in */
    n = ppoll(&wait, here->fd < 0 ? 0 : 1, &left, mask);
    if (n < 0)
        return -errno;
    return n == 0 && pool__now_ns() >= deadline_ns ? -ETIMEDOUT : 0;
}

/*
 * put() moves the ring's tail a moment after c->tail: events that only the
 * latter counts are still to come, and their publisher will look at wake_at.
 */
static bool prepare_to_sleep(struct context *c, unsigned wanted)
{
    uint32_t seen = atomic_load_explicit(tail_of(c), memory_order_seq_cst) % c->nr;
    uint32_t head = atomic_load_explicit(head_of(c), memory_order_seq_cst) % c->nr;
    uint64_t tail = atomic_load_explicit(&c->tail, memory_order_seq_cst);
    unsigned available = distance(c, head, seen);

    if (wanted > 0 && available >= wanted)
        return false;
    tail -= distance(c, seen, (uint32_t)(tail % c->nr));
    lower_wake_at(c, wanted ? tail + wanted - available : tail);
    /* What was published before wake_at was lowered is seen now, see wake(). */
    return (wanted == 0 || ring__available(c) < wanted) && !ring__has_backlog(c);
}

int ring__sleep(struct context *c, unsigned sequence, unsigned wanted, int64_t deadline_ns,
                const sigset_t *mask)
{
    struct masked_sleep here = {-1, NULL};
    int err = 0;

    if (mask)
        here = masked_begin(c);
    if (prepare_to_sleep(c, wanted) &&
        (wanted || atomic_load_explicit(&c->prompt, memory_order_seq_cst)))
        err = mask ? masked_sleep(c, &here, sequence, deadline_ns, mask)
                   : uaio__event_wait(&c->event, sequence, deadline_ns);
    masked_end(&here);
    return err;
}
