/* SPDX-License-Identifier: MIT */
#include "engine.h"
#include "completion.h"
#include "config.h"
#include "descriptor.h"
#include "habit.h"
#include "process.h"
#include "order.h"
#include "poller.h"
#include "positioned.h"
#include "probes.h"
#include "report.h"
#include "spread.h"
#include "spin_score.h"
#include "stats.h"
#include "stream.h"
#include "vector.h"
#include "os/thread.h"

#include <errno.h>
#include <string.h>

/* Bytes of an I/O thread's stack: its own needs are below 4 KiB, but a
 * callback may have to run on it (notify.h). */
#define STACK_BYTES (256 * 1024)

/* How long a worker looks for the next request before it sleeps: about what it
 * costs to wake one. */
#define SPIN_US 50

/* A waiter may find something else done once it has copied so much. */
#define HELP_COPY_BYTES (1024 * 1024)

typedef void tidy_function(void);

struct pool engine__io;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool made; /* release: the pools, and all that init() has done */

static void arrive(struct pool *pool, struct pool_job *job);
static bool claim(struct pool *pool, struct pool_job *job);
static void unclaim(struct pool *pool, struct pool_job *job);
static bool copy(struct pool *pool, struct pool_job *job);
static void run(struct pool *pool, struct pool_job *job);
static void leave(struct pool *pool, struct pool_job *job);
static void idle(struct pool *pool);
static void attend(struct pool *pool);

/*
 * One CPU is the submitter's: on what does not sleep, more workers than the
 * others only take turns with it.
 */
static unsigned cpu_limit(void)
{
    unsigned cpus = pool__cpus();
    return cpus > 1 ? cpus - 1 : 1;
}

static void make_pools(void)
{
    static const struct pool_hooks hooks = {
        .arrive = arrive,
        .claim = claim,
        .unclaim = unclaim,
        .copy = copy,
        .run = run,
        .leave = leave,
        .idle = idle,
        .attend = attend,
    };
    const struct config *settings = uaio__config();
    const struct pool_config config = {
        .hooks = &hooks,
        .name = "uaio-io",
        .stack = STACK_BYTES,
        .max_threads = settings->threads,
        .cpu_limit = cpu_limit(),
        .copy_limit = pool__cpus(), /* the submitter sleeps, or helps */
        .idle_ms = settings->idle_ms,
        .spin_us = SPIN_US,
    };
    pool__init(&engine__io, &config);
    notify__init(settings->idle_ms);
    spread__init(settings->threads, settings->idle_ms);
}

static void reset(void)
{
    request__reset();
    vector__reset();
    order__reset();
    wait__reset();
    poller__reset();
    descriptor__reset();
    make_pools();
    uaio__stats_reset();
    uaio__report_reset();
}

static void init(void)
{
    make_pools();
    process__in_child(reset);
    atomic_store_explicit(&made, true, memory_order_release);
}

struct pool *engine__pool(void)
{
    if (!atomic_load_explicit(&made, memory_order_acquire))
        pthread_once(&once, init);
    process__check();
    uaio__stats_begin();
    return &engine__io;
}

/* ---- the pool's hooks ---------------------------------------------------- */

static void arrive(struct pool *p, struct pool_job *job)
{
    order__arrive(p, request__of_job(job));
}

static bool claim(struct pool *p, struct pool_job *job)
{
    struct request *r = request__of_job(job);

    (void)p;
    return request__move(r, request__id(r).generation, REQUEST_QUEUED, REQUEST_RUNNING);
}

/* Who closes its descriptor waits while it is running, and can end it now. */
static void unclaim(struct pool *p, struct pool_job *job)
{
    struct request *r = request__of_job(job);

    (void)p;
    request__advance(r, REQUEST_RUNNING, REQUEST_QUEUED);
    wait__nudge(r);
}

/*
 * Without a lane there was no memory to keep its order.  A thread of the
 * program's that stands in for ours must not wait for a stream: that may last
 * until this very thread writes or reads the other end.
 */
static ssize_t perform(struct pool *p, struct request *r)
{
    struct operation *op = &r->operation;
    ssize_t result;

    if (!r->lane)
        return -EAGAIN;
    if (!operation__is_stream(op) || !pool__stands_in(p))
        return operation__run(op);
    result = operation__attempt(op);
    if (result != OPERATION_PENDING)
        return result;
    if (op->must_wait && operation__is_ready(op))
        return operation__run(op);
    return operation__cut_short(op, EAGAIN);
}

static void publish(struct request *r, ssize_t result)
{
    request__advance(r, REQUEST_RUNNING, REQUEST_PUBLISHING);
    completion__publish(r, result);
}

static void run(struct pool *p, struct pool_job *job)
{
    struct request *r = request__of_job(job);

    PROBE3(run, r->operation.kind, r->operation.fd, r);
    publish(r, perform(p, r));
    notify__send(r);
}

static bool copy(struct pool *p, struct pool_job *job)
{
    struct request *r = request__of_job(job);
    ssize_t result;

    (void)p;
    request__set_work(r, WORK_SLEEPS); /* to waiters it is nothing any more */
    if (!r->lane)
        return false;
    result = operation__copy(&r->operation);
    if (result == OPERATION_PENDING)
        return false;
    PROBE3(run, r->operation.kind, r->operation.fd, r);
    publish(r, result);
    notify__send(r);
    return true;
}

static void leave(struct pool *p, struct pool_job *job)
{
    struct request *r = request__of_job(job);

    order__leave(p, r, r->result);
    request__release(r);
}

static _Atomic(tidy_function *) when_idle; /* atomic: set once */

void engine__when_idle(tidy_function *tidy)
{
    atomic_store_explicit(&when_idle, tidy, memory_order_release);
}

static void idle(struct pool *p)
{
    tidy_function *tidy = atomic_load_explicit(&when_idle, memory_order_acquire);

    (void)p;
    request__trim();
    order__trim();
    if (tidy)
        tidy();
}

void engine__attend(void)
{
    pool__catch_up(&engine__io);
    pool__catch_up(notify__pool());
}

static void attend(struct pool *p)
{
    (void)p;
    engine__attend();
}

/* ---- submission ---------------------------------------------------------- */

static enum counter counter_of(const struct operation *op)
{
    return op->kind == OPERATION_READ    ? STAT_READS
           : op->kind == OPERATION_WRITE ? STAT_WRITES
           : op->kind == OPERATION_POLL  ? STAT_POLLS
                                         : STAT_SYNCS;
}

/*
 * A new request.  At the bound, requests that are over may still wait in the
 * pool for their leave: let them go, then try once more.
 */
static struct request *new_request(enum request_state state)
{
    struct request *r = request__new(state, true);
    sigset_t mask;

    if (r)
        return r;
    pool__enter(&engine__io, &mask);
    pool__exit(&engine__io, &mask);
    r = request__new(state, true);
    if (!r)
        uaio__count(STAT_REFUSED);
    return r;
}

static enum request_state first_state(const struct operation *op, bool over)
{
    if (over)
        return REQUEST_RUNNING;
    if (op->kind == OPERATION_POLL)
        return REQUEST_WAITING;
    return op->barrier || operation__ordered(op) ? REQUEST_HELD : REQUEST_QUEUED;
}

/* A callback may need a thread to be started, which a waiter in a signal
 * handler must not. */
static bool calls_back(const struct submission *s)
{
    return s->notice.kind == NOTICE_THREAD ||
           (s->list && !s->list->list.waited && s->list->notice.kind == NOTICE_THREAD);
}

static enum help help_for(const struct submission *s)
{
    const struct operation *op = &s->operation;

    if (op->stream || calls_back(s))
        return HELP_NEVER;
    return op->kind == OPERATION_WRITE ? HELP_UNLIMITED : HELP_ALWAYS;
}

static enum pool_class class_of(const struct operation *op)
{
    if (operation__copies(op))
        return POOL_COPY;
    return op->tried ? POOL_STARTED : op->blocking ? POOL_BLOCKING : POOL_CPU;
}

static enum work work_of(const struct operation *op)
{
    if (operation__copies(op)) /* a vector cannot be given back when some of it is done */
        return op->nbytes <= HELP_COPY_BYTES && !op->vectored ? WORK_COPIES : WORK_SLEEPS;
    return op->blocking ? WORK_SLEEPS : WORK_COMPUTES;
}

static struct request *make_request(const struct submission *s, ssize_t result)
{
    bool over = result != OPERATION_PENDING;
    enum help help = help_for(s);
    struct request *r = new_request(first_state(&s->operation, over));

    if (!r)
        return NULL;
    r->over = over;
    if (over)
        r->result = result;
    else
        r->began_ns = s->began_ns;
    atomic_store_explicit(&r->help, help, memory_order_relaxed);
    if (!over && help != HELP_NEVER)
        request__set_work(r, work_of(&s->operation));
    r->face = s->face;
    r->cookie = s->cookie;
    r->operation = s->operation;
    r->notice = s->notice;
    r->numbered = s->numbered;
    r->generation = s->generation;
    r->polled = operation__is_stream(&s->operation);
    if (r->polled)
        poller__use();
    if (s->notice.kind == NOTICE_NONE)
        memcpy(r->face_data, s->face_data, sizeof r->face_data);
    if (s->list)
        list__join(s->list, r);
    pool__job_init(&r->job, s->priority, class_of(&s->operation));
    return r;
}

static bool may_inline(const struct submission *s)
{
    return s->inline_reads == INLINE_AS_SET ? uaio__settings->inline_reads
                                            : s->inline_reads == INLINE_ALWAYS;
}

static void count_inline(const struct operation *op, ssize_t result)
{
    if (result == OPERATION_PENDING) {
        PROBE2(inline_miss, op->kind, op->fd);
        uaio__count(STAT_INLINE_MISSES);
    } else {
        PROBE3(inline_hit, op->kind, op->fd, result);
        uaio__count(STAT_INLINE_HITS);
    }
}

static ssize_t prepare_operation(struct submission *s, bool *refused)
{
    struct operation *op = &s->operation;
    int status = s->status_known ? s->status : -1;
    ssize_t result;
    int err = 0;

    if (op->kind > OPERATION_WRITE) {
        if (operation__is_sync(op) && !s->status_known)
            err = operation__prepare_sync(op);
        *refused = err != 0;
        return err ? err : OPERATION_PENDING;
    }
    result = operation__prepare(op, status, may_inline(s), refused);
    if (*refused)
        return -EINVAL;
    if (op->tried)
        count_inline(op, result);
    return result;
}

/* See request.h. */
static ssize_t pin(struct submission *s, bool *refused)
{
    struct operation *op = &s->operation;
    int answer = s->face->pin(op, s->face_data);

    if (answer > 0)
        return operation__run(op);
    *refused = answer < 0;
    return answer < 0 ? answer : OPERATION_PENDING;
}

static ssize_t count_over(const struct submission *s, ssize_t result)
{
    uaio__count_result(result);
    if (s->list && result < 0)
        atomic_store_explicit(&s->list->list.failed, true, memory_order_relaxed);
    return result;
}

/* It will run on the number that the program uses. */
static ssize_t use_number(struct submission *s, bool *refused)
{
    s->numbered = descriptor__begin(s->operation.fd, &s->generation);
    *refused = !s->numbered;
    return *refused ? -EAGAIN : OPERATION_PENDING;
}

static ssize_t prepare(struct submission *s, struct request **request, bool *refused)
{
    uint32_t stamp = operation__is_sync(&s->operation) ? order__stamp_sync() : 0;
    int fd = s->operation.fd; /* as the program calls it */
    ssize_t result;

    PROBE4(submit, s->operation.kind, fd, s->operation.nbytes, s->operation.offset);
    s->began_ns = completion__began(&s->operation);
    result = prepare_operation(s, refused);
    if (!*refused && result == OPERATION_PENDING && s->face->pin)
        result = pin(s, refused);
    else if (!*refused && result == OPERATION_PENDING)
        result = use_number(s, refused);
    if (*refused)
        return result;
    uaio__count(counter_of(&s->operation));
    uaio__count_descriptor(fd);
    if (result != OPERATION_PENDING)
        completion__ended(&s->operation, s->began_ns, result);
    if (result != OPERATION_PENDING && s->notice.kind == NOTICE_NONE) {
        PROBE4(complete, s->operation.kind, s->operation.fd, result, *request); /* NULL */
        return count_over(s, result);
    }
    *request = make_request(s, result);
    if (!*request) {
        *refused = true;
        if (s->numbered)
            descriptor__end(s->operation.fd);
        if (s->face->unpin)
            s->face->unpin(&s->operation, s->face_data);
        return -EAGAIN;
    }
    (*request)->stamp = stamp;
    if (s->operation.barrier)
        order__identify(&engine__io);
    return result;
}

ssize_t engine__prepare(struct submission *s, struct request **request, bool *refused)
{
    ssize_t result;

    *request = NULL;
    *refused = false;
    engine__pool();
    result = prepare(s, request, refused);
    if (!*request)
        operation__discard(&s->operation);
    return result;
}

/* Of a read that is over at once, all that is counted. */
static ssize_t count_read(const struct operation *op, int64_t began_ns, ssize_t result)
{
    if (result == OPERATION_PENDING) {
        uaio__unsample(TIMED_READ, began_ns); /* it begins once more */
        return result;
    }
    PROBE4(submit, op->kind, op->fd, op->nbytes, op->offset);
    PROBE3(inline_hit, op->kind, op->fd, result);
    uaio__count(STAT_READS_AT_ONCE);
    uaio__count_descriptor(op->fd);
    completion__ended(op, began_ns, result);
    PROBE4(complete, op->kind, op->fd, result, NULL);
    return result;
}

ssize_t engine__read_known(struct operation *op)
{
    int64_t began_ns;

    engine__pool();
    if (!uaio__settings->inline_reads)
        return OPERATION_PENDING;
    began_ns = completion__began(op);
    return count_read(op, began_ns, operation__read_known(op));
}

static ssize_t read_and_count(struct operation *op)
{
    int64_t began_ns = completion__began(op);

    return count_read(op, began_ns, operation__read_cached(op));
}

void engine__read_cached(struct cached_read *reads, unsigned n)
{
    engine__pool();
    spread__reads(reads, n, read_and_count);
}

bool engine__reads_inline(void)
{
    return uaio__config()->inline_reads;
}

void engine__add(struct batch *batch, struct request *r)
{
    if (r->over) {
        r->job.posted = batch->over;
        batch->over = &r->job;
        return;
    }
    PROBE3(queue, r->operation.kind, r->operation.fd, r);
    if (operation__is_stream(&r->operation)) {
        r->job.posted = batch->streams;
        batch->streams = &r->job;
        return;
    }
    r->job.posted = batch->newest;
    if (!batch->newest)
        batch->class = r->job.class;
    else if (batch->class != r->job.class)
        batch->class = POOL_BLOCKING;
    batch->newest = &r->job;
    if (!batch->oldest)
        batch->oldest = &r->job;
}

/* The rest is posted: now a handler of their signals may wait for any of it. */
static void finish_over(struct pool_job *over)
{
    struct guard guard;

    completion__guard(&guard);
    for (struct pool_job *job = over; job; job = job->posted) {
        struct request *r = request__of_job(job);
        publish(r, r->result);
    }
    completion__unguard(&guard);
    completion__tell_all(over);
}

/* A waiter could run it, if there is one. */
static bool is_single_helpable(const struct batch *batch)
{
    return batch->newest == batch->oldest && !batch->streams &&
           engine__helpable(request__id(request__of_job(batch->newest)));
}

static void post(struct batch *batch)
{
    if (!is_single_helpable(batch)) {
        habit__submits_otherwise();
    } else if (habit__submits(request__id(request__of_job(batch->newest)))) {
        pool__post_lazily(&engine__io, batch->newest);
        return;
    }
    pool__post(&engine__io, batch->newest, batch->oldest, batch->class);
}

void engine__post_some(struct batch *batch)
{
    struct pool_job *streams_over = NULL;

    if (batch->newest)
        post(batch);
    if (batch->streams)
        streams_over = stream__post(&engine__io, batch->streams);
    if (batch->over)
        finish_over(pool__reversed(batch->over));
    completion__tell_all(streams_over);
}

/* ---- requests that wait for readiness ------------------------------------- */

int engine__watch(struct request *r)
{
    int err;

    poller__use();
    err = poller__watch_request(r->operation.fd, r->operation.readiness, request__id(r));
    if (err)
        poller__unuse();
    return err == 0 || err == -EPERM ? err : -EAGAIN;
}

void engine__drop(struct request *r)
{
    request__uncount(r);
    request__advance(r, request__state(r, request__id(r).generation), REQUEST_PUBLISHING);
    request__advance(r, REQUEST_PUBLISHING, REQUEST_DONE);
    operation__discard(&r->operation);
    if (operation__is_stream(&r->operation))
        poller__unuse();
    request__release(r);
}

static bool poll_is_ready(struct request_id id, unsigned conditions)
{
    struct request *r = request__at(id);

    if (!r || !request__move(r, id.generation, REQUEST_WAITING, REQUEST_PUBLISHING))
        return false;
    completion__publish_watched(r, (ssize_t)conditions);
    completion__tell(r);
    return true;
}

bool engine__ready(const struct readiness *ready, int n)
{
    bool progress = false, lanes = false;

    for (int i = 0; i < n; i++) {
        bool request = poller__is_request(ready[i].tag);
        lanes = lanes || !request;
        if (request && poll_is_ready(poller__request_of(ready[i].tag), ready[i].conditions))
            progress = true;
    }
    if (lanes && stream__ready(&engine__io, ready, n))
        progress = true;
    return progress;
}

/* ---- waiters that help --------------------------------------------------- */

/*
 * A request that computes rather than sleeps is better left to the worker that
 * runs its neighbours: two threads that write to one file take turns with its
 * lock, and are slower than one.  Alone, it costs least here and now.
 *
 * One that sleeps is not for a waiter whose other requests may be done earlier:
 * while it sleeps in this one, it submits nothing new, and the disk runs dry.
 *
 * But if all workers are stuck, there is nobody to leave it to.
 */
static bool may_help(const struct request *r, struct request_id id, unsigned how)
{
    bool computes = atomic_load_explicit(&r->work, memory_order_relaxed) == WORK_COMPUTES;
    bool wanted =
        computes ? how & HELP_NEIGHBOURS || request__in_flight() <= 1 : how & HELP_SLEEPERS;

    wanted = wanted || habit__is_expected(id);

    if (!wanted && pool__has_reserve(&engine__io))
        return false;
    switch (atomic_load_explicit(&r->help, memory_order_relaxed)) {
    case HELP_ALWAYS:
        return true;
    case HELP_UNLIMITED:
        return !uaio__file_size_limited();
    default:
        return false;
    }
}

enum way { NOT_AT_ALL, COPYING, WHOLLY };

/* Did such copies lately find all in the page cache?  (spin_score.h) */
static _Thread_local int copy_score;

/*
 * What can be copied without sleeping is fair game for each waiter, whatever else he
 * waits for: he would sleep meanwhile, and all it takes from a worker is work.
 */
static enum way way_to_help(const struct request *r, struct request_id id, unsigned how)
{
    bool copies = atomic_load_explicit(&r->work, memory_order_relaxed) == WORK_COPIES;

    if (may_help(r, id, how))
        return WHOLLY;
    return copies && how & HELP_COPIES && spin_score__wanted(&copy_score) ? COPYING : NOT_AT_ALL;
}

bool engine__helpable(struct request_id id)
{
    struct request *r = request__at(id);

    return r && request__state(r, id.generation) == REQUEST_QUEUED &&
           atomic_load_explicit(&r->help, memory_order_relaxed) != HELP_NEVER;
}

bool engine__help_wanted(unsigned how)
{
    if (atomic_load_explicit(&request__copies_in_flight, memory_order_relaxed) == 0)
        how &= ~(unsigned)HELP_COPIES;
    return how || request__in_flight() <= 1 || !pool__has_reserve(&engine__io);
}

/*
 * Only what has arrived: what has not is not seen by a close, which would neither
 * end it nor wait for it, nor is it known whether its descriptor has been closed
 * since it was counted.
 */
static bool claim_arrived(struct request *r, uint32_t generation)
{
    bool claimed;

    if (pool__is_queued(&r->job))
        return request__move(r, generation, REQUEST_QUEUED, REQUEST_RUNNING);
    pool__enter(&engine__io, NULL);
    claimed =
        pool__has_arrived(&r->job) && request__move(r, generation, REQUEST_QUEUED, REQUEST_RUNNING);
    if (claimed)
        pool__unlink(&engine__io, &r->job);
    pool__exit(&engine__io, NULL);
    return claimed;
}

/* Nothing of it is done: else a cancellation would make a short read of it. */
static void give_back(struct request *r)
{
    r->operation.done = 0;
    request__set_work(r, WORK_SLEEPS);
    pool__requeue(&engine__io, &r->job, POOL_BLOCKING);
}

/* What this thread has claimed.  False: it was only to be copied, would have slept, and
 * is a worker's again. */
static bool run_claimed(struct request *r, enum way way)
{
    ssize_t result = -EAGAIN; /* without a lane, see perform() */

    PROBE3(run, r->operation.kind, r->operation.fd, r);
    if (r->lane)
        result = way == WHOLLY ? operation__run(&r->operation) : operation__copy(&r->operation);
    if (result == OPERATION_PENDING) {
        give_back(r);
        return false;
    }
    publish(r, result);
    request__hold(r);
    pool__retire(&engine__io, &r->job);
    return true;
}

enum help_given { NOTHING, IN_VAIN, DONE };

/* Signals are put off for as long as the operation takes: see struct guard. */
static enum help_given claim_and_run(struct request *r, uint32_t generation, enum way way)
{
    struct guard guard;
    enum help_given given = NOTHING;

    completion__guard(&guard);
    if (claim_arrived(r, generation)) {
        given = run_claimed(r, way) ? DONE : IN_VAIN;
        if (way == COPYING)
            spin_score__count(&copy_score, given == DONE);
    }
    completion__unguard(&guard);
    return given;
}

bool engine__help(struct request_id id, unsigned how)
{
    struct request *r = request__at(id);
    enum way way = engine__helpable(id) ? way_to_help(r, id, how) : NOT_AT_ALL;
    enum help_given given = NOTHING;

    if (way != NOT_AT_ALL)
        given = claim_and_run(r, id.generation, way);
    if (given == NOTHING)
        return false;
    if (given == DONE) {
        uaio__count(STAT_HELPED);
        completion__tell(r);
    }
    engine__attend();
    return true;
}

void engine__stop_helping(void)
{
    struct request_id id;
    struct request *r;

    if (!habit__take_expected(&id))
        return;
    r = request__at(id);
    if (r && request__state(r, id.generation) == REQUEST_QUEUED)
        pool__hurry(&engine__io);
}

/* ---- tuning -------------------------------------------------------------- */

void engine__tune(int threads, int expected_requests, int idle_seconds)
{
    const struct config *config = uaio__config();
    unsigned idle_ms = config->idle_ms;

    engine__pool();
    if (idle_seconds > 0 && !config->idle_fixed)
        idle_ms = idle_seconds < 3600 ? (unsigned)idle_seconds * 1000 : 3600000;
    if (threads < 1)
        threads = 1;
    if (threads > POOL_MAX_THREADS)
        threads = POOL_MAX_THREADS;
    pool__resize(&engine__io, config->threads_fixed ? config->threads : (unsigned)threads, idle_ms);
    if (expected_requests > 0)
        request__reserve((unsigned)expected_requests);
}
