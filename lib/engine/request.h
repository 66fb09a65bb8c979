/* SPDX-License-Identifier: MIT */
/*
 * The request: the one thing that the engine is about.
 *
 *                      claimed by a worker, or by a waiter that helps
 *   HELD --> QUEUED -----------------------------> RUNNING
 *     |        |  ^                                   |
 *     |        |  +-------------------+               |
 *     |        |                      |               |
 *     +--------+--> (cancelled) --> PUBLISHING <------+
 *     |        |                     ^  |
 *     |        |          (done) ----+  v
 *     |        |             |         DONE --> FREE
 *     v        |  ready      |
 *   WAITING ---+--------> TRYING       (or RUNNING, in a thread of its own,
 *        ^                   |          and QUEUED if there is none)
 *        +-------------------+
 *
 *   HELD        an earlier request must go first (order.h)
 *   QUEUED      may be run by whoever claims it
 *   WAITING     until its descriptor is ready (stream.h, poller.h)
 *   TRYING      somebody does what can be done without waiting: for a moment
 *   RUNNING     claimed: it will be performed, and cannot be cancelled
 *   PUBLISHING  the result is decided and on its way to the caller
 *   DONE        the caller has it; the engine has still to let go
 *
 * Every transition is made by request__move(), a compare-and-swap: of a
 * worker, a helping waiter and a canceller that reach for the same request,
 * one wins, and it alone goes on.
 *
 * Lifetime.  A caller names a request by its id, index and generation, never
 * by a pointer: what stands in a caller's control block may be garbage or
 * stale.  The slot behind an id stays mapped for ever (slab.h) and its
 * generation changes with every use, in the same word as the state, so that a
 * compare-and-swap with a stale id fails.  The slot goes back when all of its
 * holders have let go: the pool (from posting to leave), and the notification
 * or the waiting call, if there is one.
 *
 * The caller's memory.  The face's publish() hands the result over; from then
 * on the control block and the buffer are the caller's, who may free them at
 * once.  Nothing after publish() touches them: what notification needs was
 * copied at submission.
 *
 * Locks, in the order in which they may nest: pool.lock of the I/O pool,
 * pool.lock of the notification pool.  Neither is held while a request runs,
 * publishes or notifies.
 */
#ifndef UAIO_REQUEST_H
#define UAIO_REQUEST_H

#include "operation.h"
#include "pool.h"
#include "slab.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum request_state {
    REQUEST_FREE,
    REQUEST_HELD,
    REQUEST_QUEUED,
    REQUEST_RUNNING,
    REQUEST_PUBLISHING,
    REQUEST_DONE,
    REQUEST_WAITING,
    REQUEST_TRYING,
};

/* May a thread that waits for the request run it? */
enum help {
    HELP_NEVER, /* it may block for as long as others please */
    HELP_ALWAYS,
    HELP_UNLIMITED, /* unless RLIMIT_FSIZE is set: SIGXFSZ would hit the waiter */
};

/* What is it to a waiter who might run it? */
enum work {
    WORK_SLEEPS,
    WORK_COMPUTES, /* a copy to the page cache: POOL_CPU */
    WORK_COPIES,   /* one from it, and not a long one, if all of it is there: POOL_COPY */
};

struct request_id {
    uint32_t index;
    uint32_t generation;
};

struct request;

/* Where a face takes its results. */
struct request_face {
    /*
     * Hand the result (>= 0, or -errno) to the owner of the request's cookie:
     * the result first, then the status with release.  Called once a request,
     * with no lock held, by any thread.
     */
    void (*publish)(struct request *r, ssize_t result);
    /*
     * The submission is about to become a request: fetch what that needs, and
     * put a descriptor into the operation that will stay the file's.  0; 1:
     * it is to be run at once after all; or -errno, the submission fails.
     * Called by the submitter.  NULL: nothing to do.
     */
    int (*pin)(struct operation *operation, void *face_data);
    /* It does not become one after all. */
    void (*unpin)(struct operation *operation, void *face_data);
};

/* What a face keeps in a request; not of one that has a notice. */
#define REQUEST_FACE_BYTES 40

enum notice_kind {
    NOTICE_NONE,
    NOTICE_SIGNAL,    /* to the process */
    NOTICE_THREAD_ID, /* a signal to one thread */
    NOTICE_THREAD,    /* a callback */
};

/* How to tell of a completion; see notify.h. */
struct notice {
    enum notice_kind kind;
    int signal;
    union sigval value;
    union {
        void (*function)(union sigval);
        pid_t thread_id;
    };
    pthread_attr_t *attributes; /* the caller's, outlives the request; or NULL */
};

struct lane;

struct request {
    struct slab_slot slot;
    _Atomic uint32_t control; /* atomic: generation << 3 | state */
    atomic_uint holders;      /* atomic: who has not let go yet: three at most */
    _Atomic uint64_t waiters; /* atomic: a bit a wait slot, see wait.h */
    struct pool_job job;      /* the I/O pool's */
    union {
        struct pool_job notice_job;                              /* the notification pool's */
        _Alignas(8) unsigned char face_data[REQUEST_FACE_BYTES]; /* the face's */
    };
    const struct request_face *face; /* immutable after submit */
    void *cookie;                    /* immutable after submit; the face's */
    struct request *group;           /* immutable after submit; the list it is in, or NULL */
    struct operation operation;      /* immutable after submit, but `error` */
    struct notice notice;            /* immutable after submit */
    union {
        struct {                         /* of one that is posted: */
            struct lane *lane;           /* pool.lock; set on arrival */
            struct queue_node lane_node; /* pool.lock; in lane.requests */
        };
        struct {                 /* of a list of requests: */
            atomic_uint pending; /* atomic: members not yet over, and the submitter */
            atomic_bool failed;  /* atomic: a member failed */
            bool waited;         /* immutable; the caller waits: members are over before their
                            notification, not after */
        } list;
    };
    uint32_t arrival;    /* pool.lock; place in the order of arrival */
    uint32_t stamp;      /* of order__stamp(): when a sync was submitted, or when
                                         a request failed */
    uint16_t generation; /* immutable after submit; of the descriptor, if `numbered` */
    /* pool.lock: */
    bool parked : 1;    /* job.node is in one of the lane's queues ... */
    bool held_back : 1; /* ... and counts for pool__hold() */
    bool polled : 1;    /* it waits for readiness, not in a worker */
    bool detached : 1;  /* it runs on a descriptor of its own */
    bool barrier : 1;   /* a sync that is held; its barrier_node is listed */
    /* immutable after submit: */
    struct {
        bool over : 1;     /* done by engine__prepare() */
        bool numbered : 1; /* it uses the program's own descriptor, see descriptor.h */
    };
    bool counted;      /* its owner's; it is one of in_flight */
    atomic_uchar help; /* atomic: enum help, immutable after submit; a waiter with a
                             stale id may read it, and then fail to claim */
    atomic_uchar work; /* atomic: enum work; a waiter may read it in the same way */
    union {
        int64_t began_ns; /* immutable until PUBLISHING, unless it is `over`: when it was
                             submitted, if it is one that is timed, or 0 */
        ssize_t result;   /* its owner's, from PUBLISHING on */
    };
};

static inline struct request *request__of_job(struct pool_job *job)
{
    return queue_entry(job, struct request, job);
}

static inline struct request *request__of_notice_job(struct pool_job *job)
{
    return queue_entry(job, struct request, notice_job);
}

static inline struct request_id request__id(const struct request *r)
{
    uint32_t control = atomic_load_explicit(&r->control, memory_order_relaxed);
    return (struct request_id){r->slot.index, control >> 3};
}

/*
 * A new request in state HELD or QUEUED with one holder, all fields zero; or
 * NULL if the bound on requests (unless !counted) or the memory is used up.
 */
struct request *request__new(enum request_state state, bool counted);

void request__hold(struct request *r);

/* Let go; the last holder's call frees it. */
void request__release(struct request *r);

/*
 * The transition `from` -> `to` of the request with that generation.  False if
 * it is in another state, or another request by now.  acq_rel.
 */
bool request__move(struct request *r, uint32_t generation, enum request_state from,
                   enum request_state to);

/* The same by the thread that owns the request, which cannot fail. */
void request__advance(struct request *r, enum request_state from, enum request_state to);

/* The slot that the id names, whoever uses it now; NULL if there is none. */
struct request *request__at(struct request_id id);

/* The state of the request with that id; REQUEST_FREE if it is over. */
enum request_state request__state(const struct request *r, uint32_t generation);

/* It is decided what becomes of the request: it is in flight no more. */
void request__uncount(struct request *r);

/* How many are in flight now: their end is not decided yet. */
extern atomic_uint request__now_in_flight; /* relaxed */
unsigned request__in_flight(void);

/* Its owner says what it is to waiters; and of how many it is WORK_COPIES. */
void request__set_work(struct request *r, enum work work);
extern atomic_uint request__copies_in_flight; /* relaxed */

bool request__reserve(unsigned n);
void request__trim(void);

/* In a forked child: there are none. */
void request__reset(void);

#endif
