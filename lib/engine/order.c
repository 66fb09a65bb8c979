/* SPDX-License-Identifier: MIT */
#include "order.h"
#include "descriptor.h"
#include "poller.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

enum direction { INWARD, OUTWARD, DIRECTIONS };

/* One direction of a stream, or the appends of a file. */
struct turn {
    struct request *owner; /* the one that may run */
    struct queue held;     /* those after it */
};

enum identity {
    UNKNOWN,
    KNOWN,
    UNKNOWABLE,
};

struct lane {
    struct slab_slot slot;
    int fd;
    uint32_t serial; /* tells this lane from a later one of the same fd */
    enum identity identity;
    bool watched;              /* the poller knows of it */
    bool detached;             /* not found by fd any more: it is closed */
    struct file_identity file; /* if KNOWN */
    struct queue requests;     /* all in flight, oldest first */
    struct turn turn[DIRECTIONS];
    struct queue syncs;             /* syncs that wait for this lane, oldest first */
    struct lane *next_same_fd;      /* hash chain */
    struct lane *next_same_file;    /* hash chain, if KNOWN */
    struct queue_node unknown_node; /* in `unknown`, if UNKNOWN */
};

#define FIRST_BUCKETS 256u

static struct lane *first_fd_buckets[FIRST_BUCKETS], *first_file_buckets[FIRST_BUCKETS];

static struct {
    struct slab slab;
    struct lane **by_fd;
    struct lane **by_file;
    unsigned buckets; /* a power of two */
    unsigned lanes;
    uint32_t serial;
    uint32_t arrival;
    struct queue unknown;  /* lanes whose file is UNKNOWN */
    struct queue barriers; /* syncs that are held */
} order = {
    .slab = {.slot_size = (sizeof(struct lane) + 63) & ~(size_t)63},
    .by_fd = first_fd_buckets,
    .by_file = first_file_buckets,
    .buckets = FIRST_BUCKETS,
    .unknown = {{&order.unknown.ring, &order.unknown.ring}},
    .barriers = {{&order.barriers.ring, &order.barriers.ring}},
};

/* ---- lanes --------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x *= UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 32;
}

static struct lane **fd_bucket(int fd)
{
    return &order.by_fd[mix((unsigned)fd) & (order.buckets - 1)];
}

static struct lane **file_bucket(const struct file_identity *file)
{
    return &order.by_file[mix(file->inode ^ mix(file->device)) & (order.buckets - 1)];
}

static bool same_file(const struct file_identity *a, const struct file_identity *b)
{
    return a->inode == b->inode && a->device == b->device;
}

static struct lane *find(int fd)
{
    struct lane *lane = *fd_bucket(fd);
    while (lane && lane->fd != fd)
        lane = lane->next_same_fd;
    return lane;
}

static void enter_file(struct lane *lane)
{
    struct lane **bucket = file_bucket(&lane->file);
    lane->next_same_file = *bucket;
    *bucket = lane;
}

static void enter_fd(struct lane *lane)
{
    struct lane **bucket = fd_bucket(lane->fd);
    lane->next_same_fd = *bucket;
    *bucket = lane;
}

/* Twice the buckets; or, if there is no memory, longer chains. */
static void grow(void)
{
    unsigned old = order.buckets;
    struct lane **by_fd = order.by_fd, **by_file = order.by_file;
    size_t nbytes = (size_t)old * 2 * sizeof *by_fd;
    void *fresh =
        mmap(NULL, nbytes * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (fresh == MAP_FAILED)
        return;
    order.by_fd = fresh;
    order.by_file = order.by_fd + (size_t)old * 2;
    order.buckets = old * 2;
    for (unsigned i = 0; i < old; i++) {
        for (struct lane *lane = by_fd[i], *next; lane; lane = next) {
            next = lane->next_same_fd;
            enter_fd(lane);
        }
        for (struct lane *lane = by_file[i], *next; lane; lane = next) {
            next = lane->next_same_file;
            enter_file(lane);
        }
    }
    if (by_fd != first_fd_buckets)
        munmap(by_fd, nbytes);
}

static struct lane *open_lane(int fd)
{
    struct lane *lane = find(fd);

    if (lane)
        return lane;
    lane = (struct lane *)(void *)slab__get(&order.slab);
    if (!lane)
        return NULL;
    if (++order.lanes > order.buckets * 2)
        grow();
    lane->fd = fd;
    lane->serial = ++order.serial;
    lane->identity = UNKNOWN;
    lane->watched = lane->detached = false;
    queue_init(&lane->requests);
    queue_init(&lane->syncs);
    for (int d = 0; d < DIRECTIONS; d++) {
        lane->turn[d].owner = NULL;
        queue_init(&lane->turn[d].held);
    }
    enter_fd(lane);
    queue_push_back(&order.unknown, &lane->unknown_node);
    return lane;
}

static void identify(struct lane *lane, const struct file_identity *file)
{
    if (lane->identity != UNKNOWN)
        return;
    queue_remove(&lane->unknown_node);
    lane->identity = file ? KNOWN : UNKNOWABLE;
    if (file) {
        lane->file = *file;
        enter_file(lane);
    }
}

static void leave_fd(struct lane *lane)
{
    struct lane **at = fd_bucket(lane->fd);

    while (*at != lane)
        at = &(*at)->next_same_fd;
    *at = lane->next_same_fd;
}

static void close_lane(struct lane *lane)
{
    struct lane **at;

    if (!lane->detached)
        leave_fd(lane);
    if (lane->identity == UNKNOWN)
        queue_remove(&lane->unknown_node);
    if (lane->identity == KNOWN) {
        at = file_bucket(&lane->file);
        while (*at != lane)
            at = &(*at)->next_same_file;
        *at = lane->next_same_file;
    }
    slab__put(&order.slab, &lane->slot);
    order.lanes--;
}

static struct request *of_lane_node(struct queue_node *node)
{
    return node ? queue_entry(node, struct request, lane_node) : NULL;
}

static struct request *of_job_node(struct queue_node *node)
{
    return node ? queue_entry(node, struct request, job.node) : NULL;
}

struct request *order__first(int fd)
{
    struct lane *lane = find(fd);
    return lane ? of_lane_node(queue_first(&lane->requests)) : NULL;
}

struct request *order__next(const struct request *r)
{
    return of_lane_node(queue_next(&r->lane->requests, &r->lane_node));
}

/* ---- holding and letting go --------------------------------------------- */

static bool is_older(const struct request *a, const struct request *b)
{
    return (int32_t)(a->arrival - b->arrival) < 0;
}

static bool is_polled(const struct request *r)
{
    return r && r->polled;
}

static bool move(struct request *r, enum request_state from, enum request_state to)
{
    return request__move(r, request__id(r).generation, from, to);
}

static bool waits(const struct request *r)
{
    return is_polled(r) && request__state(r, request__id(r).generation) == REQUEST_WAITING;
}

/* To a worker: what cannot be watched is run there, and blocks it. */
static void give_to_worker(struct pool *pool, struct request *r, enum request_state from)
{
    if (move(r, from, REQUEST_QUEUED))
        pool__ready(pool, &r->job);
}

static uint64_t tag_of(const struct lane *lane)
{
    return poller__lane_tag(lane->slot.index, lane->serial);
}

/* NULL: it is gone by now. */
static struct lane *lane_of(uint64_t tag)
{
    struct lane *lane = (struct lane *)(void *)slab__at(&order.slab, poller__lane_index(tag));

    return lane && lane->serial == (uint32_t)tag && find(lane->fd) == lane ? lane : NULL;
}

static const unsigned short conditions_for[DIRECTIONS] = {
    [INWARD] = POLLIN,
    [OUTWARD] = POLLOUT,
};

/*
 * Have the lane's descriptor watched for those whose turn it is.  A report ends
 * the watch, so this is repeated whenever one begins, or goes on, to wait.
 */
static void watch(struct pool *pool, struct lane *lane)
{
    unsigned conditions = 0;
    int err;

    for (int d = 0; d < DIRECTIONS; d++)
        if (waits(lane->turn[d].owner))
            conditions |= conditions_for[d];
    if (conditions == 0 || lane->detached)
        return;
    err = poller__watch(lane->fd, conditions, tag_of(lane));
    lane->watched = true;
    if (err == 0 || err == -ENXIO) /* who starts the thread comes here again */
        return;
    for (int d = 0; d < DIRECTIONS; d++)
        if (waits(lane->turn[d].owner))
            give_to_worker(pool, lane->turn[d].owner, REQUEST_WAITING);
}

/* Nothing holds the request up any more.  If it was cancelled meanwhile, its
 * canceller retires it. */
static void let_go(struct pool *pool, struct request *r)
{
    if (!r->polled || operation__never_waits(&r->operation))
        give_to_worker(pool, r, REQUEST_HELD); /* who lets go is no one to attempt it */
    else if (move(r, REQUEST_HELD, REQUEST_WAITING))
        watch(pool, r->lane);
}

/*
 * Who goes before a polled request is polled, too, or run by a worker: he
 * leaves under the lock, and need not be looked for in the inbox.
 */
static void park(struct pool *pool, struct request *r)
{
    r->parked = true;
    r->held_back = !r->polled;
    if (r->held_back)
        pool__hold(pool, 1);
}

static void unpark(struct pool *pool, struct request *r)
{
    queue_remove(&r->job.node);
    r->parked = false;
    if (r->held_back)
        pool__hold(pool, -1);
}

static struct turn *turn_of(const struct request *r)
{
    return &r->lane->turn[r->operation.kind == OPERATION_WRITE ? OUTWARD : INWARD];
}

static void wait_turn(struct pool *pool, struct request *r)
{
    struct turn *turn = turn_of(r);

    if (turn->owner) {
        queue_push_back(&turn->held, &r->job.node);
        park(pool, r);
        return;
    }
    turn->owner = r;
    if (r->polled)
        move(r, REQUEST_HELD, REQUEST_WAITING); /* whoever posts it attempts it first */
    else
        let_go(pool, r);
}

static void pass_turn(struct pool *pool, struct request *r)
{
    struct turn *turn = turn_of(r);

    if (turn->owner != r)
        return;
    turn->owner = of_job_node(queue_first(&turn->held));
    if (turn->owner) {
        unpark(pool, turn->owner);
        let_go(pool, turn->owner);
    }
}

/* ---- streams ------------------------------------------------------------- */

void order__wait(struct pool *pool, struct request *r)
{
    r->detached = r->operation.reopened;
    if (!r->polled)
        give_to_worker(pool, r, REQUEST_TRYING);
    else if (move(r, REQUEST_TRYING, REQUEST_WAITING))
        watch(pool, r->lane);
}

void order__watch(struct pool *pool, struct request *r)
{
    if (waits(r))
        watch(pool, r->lane);
}

void order__unpoll(struct pool *pool, struct request *r)
{
    r->polled = false;
    if (r->parked && !r->held_back) {
        r->held_back = true;
        pool__hold(pool, 1);
    }
    give_to_worker(pool, r, REQUEST_WAITING);
}

static void push(struct pool_job **chain, struct request *r)
{
    r->job.posted = *chain;
    *chain = &r->job;
}

/* It may have been cancelled. */
static void take(struct pool *pool, struct request *r, struct taken *taken)
{
    if (!waits(r) || !move(r, REQUEST_WAITING, REQUEST_TRYING))
        return;
    if (!r->operation.must_wait) {
        push(&taken->to_attempt, r);
        return;
    }
    r->detached = operation__detach(&r->operation); /* ours now: nobody discards it meanwhile */
    if (r->detached) {
        request__advance(r, REQUEST_TRYING, REQUEST_RUNNING);
        push(&taken->to_run, r);
    } else {
        give_to_worker(pool, r, REQUEST_TRYING);
    }
}

void order__ready(struct pool *pool, uint64_t tag, unsigned conditions, struct taken *taken)
{
    struct lane *lane = lane_of(tag);
    unsigned always = POLLHUP | POLLERR | POLLNVAL;

    if (!lane)
        return;
    for (int d = 0; d < DIRECTIONS; d++)
        if (conditions & (conditions_for[d] | always))
            take(pool, lane->turn[d].owner, taken);
    watch(pool, lane); /* for the other direction */
}

void order__take(int fd, struct taken *taken)
{
    struct lane *lane = find(fd);

    for (int d = 0; lane && d < DIRECTIONS; d++) {
        struct request *r = lane->turn[d].owner;
        if (waits(r) && !r->operation.must_wait && move(r, REQUEST_WAITING, REQUEST_TRYING))
            push(&taken->to_attempt, r);
    }
}

void order__return(struct pool *pool, struct request *r)
{
    give_to_worker(pool, r, REQUEST_RUNNING);
}

/* ---- syncs --------------------------------------------------------------- */

/* Does the lane have a request in flight that is older than the sync? */
static bool lane_blocks(const struct lane *lane, const struct request *sync)
{
    struct request *oldest = of_lane_node(queue_first(&lane->requests));
    return oldest && is_older(oldest, sync);
}

/* A lane that the sync must wait for, or NULL. */
static struct lane *blocking_lane(const struct request *sync)
{
    if (lane_blocks(sync->lane, sync))
        return sync->lane;
    if (!sync->operation.identified)
        return NULL;
    for (struct lane *lane = *file_bucket(&sync->operation.file); lane; lane = lane->next_same_file)
        if (same_file(&lane->file, &sync->operation.file) && lane_blocks(lane, sync))
            return lane;
    return NULL;
}

/* Park the sync where it must wait, in order of age, or let it go. */
static void place_sync(struct pool *pool, struct request *sync)
{
    struct lane *lane = blocking_lane(sync);
    struct queue_node *after;

    if (!lane) {
        queue_remove(&sync->operation.barrier_node);
        sync->barrier = false;
        let_go(pool, sync);
        return;
    }
    after = lane->syncs.ring.prev;
    while (after != &lane->syncs.ring && is_older(sync, of_job_node(after)))
        after = after->prev;
    queue_insert_after(after, &sync->job.node);
    park(pool, sync);
}

static void arrive_sync(struct pool *pool, struct request *sync)
{
    if (sync->operation.identified)
        identify(sync->lane, &sync->operation.file);
    sync->barrier = true;
    queue_push_back(&order.barriers, &sync->operation.barrier_node);
    place_sync(pool, sync);
}

/* The lane's oldest request has left: move on the syncs that waited for it. */
static void advance_syncs(struct pool *pool, struct lane *lane)
{
    struct request *sync;

    while ((sync = of_job_node(queue_first(&lane->syncs))) && !lane_blocks(lane, sync)) {
        unpark(pool, sync);
        place_sync(pool, sync);
    }
}

static _Atomic uint32_t syncs_submitted; /* atomic, seq_cst: the clock of the stamps */

uint32_t order__stamp_sync(void)
{
    return atomic_fetch_add_explicit(&syncs_submitted, 1, memory_order_seq_cst) + 1;
}

uint32_t order__stamp_failure(void)
{
    return atomic_load_explicit(&syncs_submitted, memory_order_seq_cst);
}

/* A request failed: the syncs that cover it are to say so. */
static void tell_syncs(const struct request *r, int error)
{
    const struct lane *lane = r->lane;

    for (struct queue_node *node = queue_first(&order.barriers); node;
         node = queue_next(&order.barriers, node)) {
        struct request *sync = queue_entry(node, struct request, operation.barrier_node);
        bool covers =
            sync->lane == lane || (sync->operation.identified && lane->identity == KNOWN &&
                                   same_file(&sync->operation.file, &lane->file));
        bool unknown = (int32_t)(r->stamp - sync->stamp) >= 0;
        if (covers && unknown && is_older(r, sync) && sync->operation.error == 0)
            sync->operation.error = error;
    }
}

/* ---- the gate ------------------------------------------------------------ */

void order__arrive(struct pool *pool, struct request *r)
{
    struct lane *lane = open_lane(r->operation.fd);

    r->lane = lane;
    if (!lane) {
        /* No memory even for this: it runs, and says so (see engine.c). */
        r->polled = false;
        if (!request__move(r, request__id(r).generation, REQUEST_HELD, REQUEST_QUEUED) &&
            request__state(r, request__id(r).generation) != REQUEST_QUEUED)
            return;
        pool__ready(pool, &r->job);
        return;
    }
    r->arrival = ++order.arrival;
    if (r->numbered && !descriptor__is_current(lane->fd, r->generation))
        r->operation.closed = true;
    queue_push_back(&lane->requests, &r->lane_node);
    if (r->operation.barrier)
        arrive_sync(pool, r);
    else if (operation__ordered(&r->operation))
        wait_turn(pool, r);
    else if (request__state(r, request__id(r).generation) == REQUEST_QUEUED)
        pool__ready(pool, &r->job); /* else a waiter has claimed it already */
}

void order__leave(struct pool *pool, struct request *r, ssize_t result)
{
    struct lane *lane = r->lane;
    bool oldest;

    if (!lane)
        return;
    if (r->parked)
        unpark(pool, r);
    if (r->barrier)
        queue_remove(&r->operation.barrier_node);
    if (result < 0 && result != -ECANCELED)
        tell_syncs(r, (int)-result);
    oldest = queue_first(&lane->requests) == &r->lane_node;
    queue_remove(&r->lane_node);
    if (operation__ordered(&r->operation))
        pass_turn(pool, r);
    if (oldest)
        advance_syncs(pool, lane);
    if (queue_empty(&lane->requests))
        close_lane(lane);
}

void order__detach(int fd)
{
    struct lane *lane = find(fd);

    if (!lane)
        return;
    if (lane->watched)
        poller__unwatch(fd);
    identify(lane, NULL); /* nobody need look what it was */
    leave_fd(lane);
    lane->detached = true;
}

void order__reset(void)
{
    memset(order.by_fd, 0, order.buckets * sizeof *order.by_fd);
    memset(order.by_file, 0, order.buckets * sizeof *order.by_file);
    order.lanes = 0;
    queue_init(&order.unknown);
    queue_init(&order.barriers);
    slab__reset(&order.slab);
}

void order__trim(void)
{
    slab__trim(&order.slab);
}

/* ---- files --------------------------------------------------------------- */

struct unknown_lane {
    int fd;
    uint32_t serial;
    bool found;
    struct file_identity file;
};

/* [lock] Give the lanes the files that were found; those that are not what
 * they were by now need none, as they are younger than the sync. */
static void note_files(const struct unknown_lane *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct lane *lane = find(list[i].fd);
        if (lane && lane->serial == list[i].serial)
            identify(lane, list[i].found ? &list[i].file : NULL);
    }
}

/* [lock] Lanes of unknown file up to that serial; younger ones come last. */
static unsigned list_unknown(struct unknown_lane *list, unsigned max, uint32_t serial)
{
    unsigned n = 0;

    for (struct queue_node *node = queue_first(&order.unknown); node && n < max;
         node = queue_next(&order.unknown, node)) {
        const struct lane *lane = queue_entry(node, struct lane, unknown_node);
        if ((int32_t)(lane->serial - serial) > 0)
            break;
        list[n].fd = lane->fd;
        list[n++].serial = lane->serial;
    }
    return n;
}

void order__identify(struct pool *pool)
{
    struct unknown_lane list[32];
    unsigned n = 0;
    bool first = true;
    uint32_t serial = 0;
    sigset_t mask;

    do {
        pool__enter(pool, &mask);
        if (first)
            serial = order.serial;
        first = false;
        note_files(list, n);
        n = list_unknown(list, sizeof list / sizeof list[0], serial);
        pool__exit(pool, &mask);
        for (unsigned i = 0; i < n; i++)
            list[i].found = operation__identify(list[i].fd, &list[i].file) == 0;
    } while (n > 0);
}
