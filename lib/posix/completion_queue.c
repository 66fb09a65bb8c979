/* SPDX-License-Identifier: MIT */
#include "completion_queue.h"
#include "completion.h"
#include "config.h"
#include "descriptor.h"
#include "doorbell.h"
#include "event.h"
#include "habit.h"
#include "posix.h"
#include "queue.h"

#include <limits.h>
#include <sched.h>

struct cq_record {
    struct slab_slot slot;
    _Atomic uint32_t generation; /* atomic: unique; 0 when nobody has it */
    bool over;                   /* queue.lock */
    struct uaio_queue *queue;    /* immutable while somebody has it */
    struct uaio_aiocb *cb;       /* the same, from cq__bind() on */
    struct queue_node node;      /* queue.lock; in done, if over */
};

enum queue_state { QUEUE_CLOSED, QUEUE_OPENING, QUEUE_OPEN, QUEUE_CLOSING };

struct uaio_queue {
    atomic_int state; /* atomic: enum queue_state; seq_cst, with pending, of a submission and a
                         close: one sees the other */
    pthread_mutex_t lock;
    struct queue done;       /* lock */
    unsigned ndone;          /* lock */
    unsigned threshold;      /* lock; so many over wake the sleepers; UINT_MAX: nobody sleeps */
    struct doorbell bell;    /* lock */
    atomic_uint pending;     /* atomic: in progress; lowered under lock */
    atomic_uint held;        /* atomic: records, with those that are over */
    _Atomic uint64_t latest; /* atomic: the request that was submitted last, to help with */
    struct event event;
    struct uaio_queue_settings settings; /* immutable while open */
};

atomic_bool cq__in_use, cq__collects_all;

/* The first is that of the process. */
static struct uaio_queue queues[1 + UAIO_QUEUES_MAX];
static struct slab records = {.slot_size = sizeof(struct cq_record)};
static _Atomic uint32_t last_generation;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- queues ---------------------------------------------------------------- */

static void lock(struct uaio_queue *q, struct guard *guard)
{
    completion__guard(guard);
    pthread_mutex_lock(&q->lock);
}

static void unlock(struct uaio_queue *q, const struct guard *guard)
{
    pthread_mutex_unlock(&q->lock);
    completion__unguard(guard);
}

/* One that is closing may yet be as open as before; who closes it has its lock, blocks
 * signals and waits for nobody.  [not under the lock] */
static bool is_open(const struct uaio_queue *q)
{
    int state;

    while ((state = atomic_load_explicit(&q->state, memory_order_seq_cst)) == QUEUE_CLOSING)
        sched_yield();
    return state == QUEUE_OPEN;
}

/* Nobody else is here: at the start, and in a forked child. */
static void make_closed(struct uaio_queue *q)
{
    pthread_mutex_init(&q->lock, NULL);
    atomic_store_explicit(&q->pending, 0, memory_order_relaxed);
    atomic_store_explicit(&q->held, 0, memory_order_relaxed);
    atomic_store_explicit(&q->state, QUEUE_CLOSED, memory_order_relaxed);
}

/* Late users of the queue that was here before may yet come for the lock, and find
 * out: so that, the event and the numbers, which go to 0 by themselves, stay. */
static void make_open(struct uaio_queue *q)
{
    struct guard guard;

    lock(q, &guard);
    queue_init(&q->done);
    q->ndone = 0;
    q->threshold = UINT_MAX;
    q->bell = NO_DOORBELL;
    atomic_store_explicit(&q->latest, 0, memory_order_relaxed);
    atomic_store_explicit(&q->state, QUEUE_OPEN, memory_order_seq_cst);
    unlock(q, &guard);
}

/* The descriptors are closed already: descriptor__reset(). */
static void reset(void)
{
    bool collects = is_open(&queues[0]);

    slab__reset(&records);
    for (unsigned i = 0; i <= UAIO_QUEUES_MAX; i++) {
        make_closed(&queues[i]);
        uaio__event_reset(&queues[i].event);
    }
    if (collects)
        make_open(&queues[0]);
}

static void init(void)
{
    engine__pool(); /* its reset comes first */
    for (unsigned i = 0; i <= UAIO_QUEUES_MAX; i++)
        make_closed(&queues[i]);
    process__in_child(reset);
    atomic_store_explicit(&cq__in_use, true, memory_order_release);
}

static void open_first(void)
{
    make_open(&queues[0]);
    cq__collect_all();
}

static struct uaio_queue *queue_of_process(void)
{
    static pthread_once_t first = PTHREAD_ONCE_INIT;

    pthread_once(&once, init);
    pthread_once(&first, open_first);
    return &queues[0];
}

void cq__collect_all(void)
{
    atomic_store_explicit(&cq__collects_all, true, memory_order_relaxed);
}

/* The open queue of that name, or NULL. */
static struct uaio_queue *find(struct uaio_queue *queue)
{
    size_t at = (size_t)((uintptr_t)queue - (uintptr_t)queues);

    process__check();
    if (!queue)
        return queue_of_process();
    return at < sizeof queues && at % sizeof *queue == 0 && at > 0 && is_open(queue) ? queue : NULL;
}

static bool is_choice(enum uaio_choice choice)
{
    return choice == UAIO_INHERIT || choice == UAIO_OFF || choice == UAIO_ON;
}

static int open_queue(struct uaio_queue **queue, const struct uaio_queue_settings *settings)
{
    static const struct uaio_queue_settings none = {.size = sizeof none};

    if (!settings)
        settings = &none;
    if (!queue || settings->size != sizeof none || !is_choice(settings->inline_reads) ||
        !is_choice(settings->help))
        return -EINVAL;
    pthread_once(&once, init);
    process__check();
    for (unsigned i = 1; i <= UAIO_QUEUES_MAX; i++) {
        int state = QUEUE_CLOSED;
        if (!atomic_compare_exchange_strong_explicit(&queues[i].state, &state, QUEUE_OPENING,
                                                     memory_order_acquire, memory_order_relaxed))
            continue;
        queues[i].settings = *settings;
        make_open(&queues[i]);
        *queue = &queues[i];
        return 0;
    }
    return -EMFILE;
}

int uaio_queue_open(struct uaio_queue **queue, const struct uaio_queue_settings *settings)
{
    return posix__return(open_queue(queue, settings));
}

/* ---- records --------------------------------------------------------------- */

static struct cq_record *new_record(struct uaio_queue *q)
{
    struct cq_record *record = (struct cq_record *)(void *)slab__get(&records);
    uint32_t generation;

    if (!record)
        return NULL;
    do
        generation = atomic_fetch_add_explicit(&last_generation, 1, memory_order_relaxed) + 1;
    while (generation == 0);
    record->over = false;
    record->queue = q;
    record->cb = NULL;
    atomic_store_explicit(&record->generation, generation, memory_order_relaxed);
    return record;
}

static void free_record(struct cq_record *record)
{
    atomic_fetch_sub_explicit(&record->queue->held, 1, memory_order_relaxed);
    atomic_store_explicit(&record->generation, 0, memory_order_relaxed);
    slab__put(&records, &record->slot);
}

/* The record that the control block names, if that is so; NULL. */
static struct cq_record *record_of(const struct uaio_aiocb *cb)
{
    uint32_t index = (uint32_t)cb->uaio_private_1[0] - 1;
    struct cq_record *record = (struct cq_record *)(void *)slab__at(&records, index);

    if (!record || atomic_load_explicit(&record->generation, memory_order_relaxed) !=
                       (uint32_t)cb->uaio_private_1[1])
        return NULL;
    return record->cb == cb ? record : NULL;
}

/* [queue.lock] It is over, and leaves. */
static void remove_done(struct uaio_queue *q, struct cq_record *record)
{
    queue_remove(&record->node);
    if (--q->ndone == 0)
        uaio__doorbell_silence(&q->bell);
    free_record(record);
}

/* ---- a request's way through the queue --------------------------------------- */

/* One that is not in progress any more, and has not come to be over, either. */
static void unpend(struct uaio_queue *q)
{
    if (atomic_fetch_sub_explicit(&q->pending, 1, memory_order_release) == 1)
        uaio__event_signal(&q->event);
}

static int join(struct submission *s, struct uaio_queue *q, struct cq_record **record)
{
    unsigned most;

    if (!is_open(q))
        return -EINVAL;
    most = q->settings.max_requests;
    *record = new_record(q);
    if (!*record)
        return -EAGAIN;
    if (atomic_fetch_add_explicit(&q->held, 1, memory_order_relaxed) >= most && most > 0) {
        free_record(*record);
        return -EAGAIN;
    }
    s->inline_reads = q->settings.inline_reads == UAIO_INHERIT ? INLINE_AS_SET
                      : q->settings.inline_reads == UAIO_ON    ? INLINE_ALWAYS
                                                               : INLINE_NEVER;
    return 0;
}

int cq__join_queue(struct submission *s, const struct sigevent *sigevent, struct cq_record **record)
{
    bool named = sigevent->sigev_notify == UAIO_SIGEV_QUEUE && sigevent->sigev_value.sival_ptr;
    struct uaio_queue *q = find(named ? sigevent->sigev_value.sival_ptr : NULL);
    int err;

    if (!q)
        return -EINVAL;
    /* Before the look at the state: see there. */
    atomic_fetch_add_explicit(&q->pending, 1, memory_order_seq_cst);
    err = join(s, q, record);
    if (err)
        unpend(q);
    return err;
}

void cq__drop(struct cq_record *record)
{
    struct uaio_queue *q;

    if (!record)
        return;
    q = record->queue;
    free_record(record);
    unpend(q);
}

void cq__bind(struct cq_record *record, struct uaio_aiocb *cb)
{
    struct request_id id = aiocb__id(cb);

    record->cb = cb;
    cb->uaio_private_1[0] = (int)(record->slot.index + 1);
    cb->uaio_private_1[1] = (int)atomic_load_explicit(&record->generation, memory_order_relaxed);
    atomic_store_explicit(&record->queue->latest, (uint64_t)id.generation << 32 | id.index,
                          memory_order_relaxed);
}

void cq__publish_queued(struct uaio_aiocb *cb, ssize_t result)
{
    struct cq_record *record = record_of(cb);
    struct uaio_queue *q;
    struct guard guard;
    bool wake;

    if (!record) { /* the program has written into its private fields */
        aiocb__publish(cb, result);
        return;
    }
    q = record->queue;
    lock(q, &guard);
    aiocb__publish(cb, result);
    record->over = true;
    queue_push_back(&q->done, &record->node);
    if (q->ndone++ == 0)
        uaio__doorbell_ring(&q->bell);
    wake = atomic_fetch_sub_explicit(&q->pending, 1, memory_order_release) == 1 ||
           q->ndone >= q->threshold;
    if (wake)
        q->threshold = UINT_MAX;
    unlock(q, &guard);
    if (wake)
        uaio__event_signal(&q->event);
}

void cq__forget_queued(struct uaio_aiocb *cb)
{
    struct cq_record *record;
    struct uaio_queue *q;
    struct guard guard;

    if (cb->uaio_private_2[TAIL_EPOCH] != process__epoch())
        return;
    record = record_of(cb);
    if (!record)
        return;
    q = record->queue;
    if (!q) /* all of them have just been given back */
        return;
    lock(q, &guard);
    if (record_of(cb) == record && record->over)
        remove_done(q, record);
    unlock(q, &guard);
}

/* [queue.lock] The first that is over, or NULL. */
static struct cq_record *first_done(struct uaio_queue *q)
{
    struct queue_node *node;

    while ((node = queue_first(&q->done)) != NULL) {
        struct cq_record *record = queue_entry(node, struct cq_record, node);
        if (record_of(record->cb) == record)
            return record;
        remove_done(q, record); /* it has been submitted anew since */
    }
    return NULL;
}

/* ---- waiting ----------------------------------------------------------------- */

struct queue_wait {
    struct uaio_queue *queue;
    unsigned wanted; /* so many that are over end it */
    bool until_idle; /* and so does that none is in progress */
    int64_t deadline_ns;
    bool help;
};

/* Of the one request that there is.  It may not be the latest: no harm done. */
static bool help(const struct queue_wait *w)
{
    uint64_t latest = atomic_load_explicit(&w->queue->latest, memory_order_relaxed);
    struct request_id id = {(uint32_t)latest, (uint32_t)(latest >> 32)};

    if (!w->help || atomic_load_explicit(&w->queue->pending, memory_order_acquire) != 1)
        return false;
    habit__waits(id);
    return engine__help(id, HELP_SLEEPERS);
}

/*
 * Until as many are over as are wanted (or a few less, if some are stale), none
 * is in progress, or time is up: 0 with the lock held; or -errno.  Sleepers ask to be woken for that many, and are all woken
 * then, to ask again: nobody is woken for each request of many.
 */
static int await(struct queue_wait *w, struct guard *guard)
{
    struct uaio_queue *q = w->queue;

    for (;;) {
        unsigned sequence = uaio__event_sequence(&q->event);
        int err;

        process__check(); /* a handler may have forked, and this be the child */
        if (!is_open(q))
            return -EINVAL;
        lock(q, guard);
        if ((first_done(q) && q->ndone >= w->wanted) || w->deadline_ns == 0 ||
            (w->until_idle && atomic_load_explicit(&q->pending, memory_order_acquire) == 0))
            return 0;
        if (w->wanted < q->threshold)
            q->threshold = w->wanted;
        unlock(q, guard);
        if (help(w))
            continue;
        engine__stop_helping();
        err = uaio__event_wait(&q->event, sequence, w->deadline_ns);
        if (err == -ETIMEDOUT)
            w->deadline_ns = 0; /* one more look */
        else if (err)
            return err;
    }
}

static int begin(struct queue_wait *w, struct uaio_queue *queue, int64_t timeout_ns)
{
    pthread_testcancel();
    if (timeout_ns < 0)
        return -EINVAL;
    w->queue = find(queue);
    if (!w->queue)
        return -EINVAL;
    w->deadline_ns =
        timeout_ns == 0 || timeout_ns == WAIT_FOREVER ? timeout_ns : pool__now_ns() + timeout_ns;
    w->help = timeout_ns >= HELP_TIMEOUT_NS &&
              (w->queue->settings.help == UAIO_INHERIT ? uaio__config()->help
                                                       : w->queue->settings.help == UAIO_ON);
    return 0;
}

/* [queue.lock] */
static ssize_t take(struct uaio_queue *q, struct cq_record *record, struct uaio_aiocb **cb)
{
    int status = aiocb__status(record->cb);

    *cb = record->cb;
    aiocb__claim_result(*cb);
    remove_done(q, record);
    return status ? -status : (*cb)->uaio_private_result;
}

int cq__wait_complete(struct uaio_queue *queue, struct uaio_aiocb **cb, int64_t timeout_ns,
                      ssize_t *result)
{
    struct cq_record *record;
    struct queue_wait w = {.wanted = 1};
    struct guard guard;
    int err;

    *cb = NULL;
    err = begin(&w, queue, timeout_ns);
    if (err == 0)
        err = await(&w, &guard);
    if (err)
        return err;
    record = first_done(w.queue);
    if (record)
        *result = take(w.queue, record, cb);
    unlock(w.queue, &guard);
    return record ? 0 : -EAGAIN;
}

/* [queue.lock] */
static unsigned give_out(struct uaio_queue *q, struct uaio_aiocb *list[], unsigned nent)
{
    struct cq_record *record;
    unsigned n = 0;

    while (n < nent && (record = first_done(q)) != NULL) {
        list[n++] = record->cb;
        remove_done(q, record);
    }
    return n;
}

int cq__waitn(struct uaio_queue *queue, struct uaio_aiocb *list[], unsigned nent, unsigned *nwait,
              int64_t timeout_ns)
{
    struct queue_wait w = {.until_idle = true};
    unsigned wanted, n = 0;
    bool idle = false;
    int err;

    if (!list || !nwait || *nwait == 0 || *nwait > nent)
        return -EINVAL;
    wanted = *nwait;
    err = begin(&w, queue, timeout_ns);
    if (err)
        return err;
    do {
        struct guard guard;
        w.wanted = wanted - n;
        err = await(&w, &guard);
        if (err)
            break;
        idle = atomic_load_explicit(&w.queue->pending, memory_order_acquire) == 0;
        n += give_out(w.queue, list + n, nent - n);
        unlock(w.queue, &guard);
    } while (n < wanted && !idle && w.deadline_ns != 0);
    if (err == -EINVAL)
        return err;
    *nwait = n;
    if (err || n >= wanted)
        return err;
    if (idle)
        return n > 0 ? 0 : -EAGAIN;
    return -ETIME;
}

/* ---- the rest of the interface ------------------------------------------------- */

static int close_queue(struct uaio_queue *queue)
{
    struct uaio_queue *q = queue ? find(queue) : NULL;
    struct queue_node *node;
    int state = QUEUE_OPEN;
    struct guard guard;

    if (!q)
        return -EINVAL;
    lock(q, &guard);
    if (!atomic_compare_exchange_strong_explicit(&q->state, &state, QUEUE_CLOSING,
                                                 memory_order_seq_cst, memory_order_relaxed)) {
        unlock(q, &guard);
        return -EINVAL;
    }
    /* Whoever submits counts himself before he looks at the state: one of us sees the other. */
    if (atomic_load_explicit(&q->pending, memory_order_seq_cst) > 0) {
        atomic_store_explicit(&q->state, QUEUE_OPEN, memory_order_seq_cst);
        unlock(q, &guard);
        return -EBUSY;
    }
    while ((node = queue_first(&q->done)) != NULL)
        remove_done(q, queue_entry(node, struct cq_record, node));
    if (q->bell.readable >= 0) {
        descriptor__disown(q->bell.readable);
        descriptor__disown(q->bell.writable);
    }
    uaio__doorbell_close(&q->bell);
    atomic_store_explicit(&q->state, QUEUE_CLOSED, memory_order_release);
    unlock(q, &guard);
    uaio__event_signal(&q->event);
    slab__trim(&records);
    return 0;
}

int uaio_queue_close(struct uaio_queue *queue)
{
    return posix__return(close_queue(queue));
}

/* [queue.lock] */
static int open_bell(struct uaio_queue *q)
{
    int err = uaio__doorbell_open(&q->bell);

    if (err)
        return err;
    descriptor__own(q->bell.readable);
    descriptor__own(q->bell.writable);
    if (q->ndone > 0)
        uaio__doorbell_ring(&q->bell);
    return 0;
}

static int descriptor_of(struct uaio_queue *queue)
{
    struct uaio_queue *q = find(queue);
    struct guard guard;
    int err = 0;

    if (!q)
        return -EINVAL;
    lock(q, &guard);
    if (atomic_load_explicit(&q->state, memory_order_relaxed) != QUEUE_OPEN)
        err = -EINVAL;
    else if (q->bell.readable < 0)
        err = open_bell(q);
    if (err == 0)
        err = q->bell.readable;
    unlock(q, &guard);
    return err;
}

int uaio_queue_fd(struct uaio_queue *queue)
{
    return posix__return(descriptor_of(queue));
}
