/* SPDX-License-Identifier: MIT */
/*
 * Contexts: from the value that the program has to the ring behind it.
 *
 * The value is the address of the ring in the program's own mapping, which it
 * may move or protect; we write through a mapping of our own.  A value is
 * looked up in a table of addresses, by way of a few that the thread used last;
 * memory at an unknown address is read only where the kernel says that it can
 * be, and is a moved ring if it shows what we have just written into ours.
 *
 * Lifetime.  `life` holds a generation, whether the context is alive, and how
 * many calls are using it; one compare-and-swap takes it if it is alive.
 * `requests` counts what is accepted and not yet completely published.
 * io_destroy() makes it dead, wakes those who wait for events, cancels polls,
 * waits for the requests (not for the calls: one of them may be what a signal
 * handler that destroys the context has interrupted) and unmaps the program's
 * mapping; the last call to let go frees the rest.  Records stay mapped for
 * ever, so a stale pointer to one is harmless.
 *
 * The table's lock is taken with all signals blocked; the fast path takes none.
 */
#ifndef UAIO_LINUX_CONTEXT_H
#define UAIO_LINUX_CONTEXT_H

#include "abi.h"
#include "event.h"
#include "queue.h"
#include "request.h"
#include "slab.h"

#define RECENT 64u         /* a power of two */
#define WAKEABLE_MASKED 8u /* io_pgetevents() with a mask at once that are woken */
#define CLAIMS 8u          /* reapers at once on one context */

struct context {
    struct slab_slot slot;
    _Atomic uint64_t life;   /* atomic: generation << 32 | alive << 31 | users */
    atomic_ulong address;    /* atomic: of the program's mapping; changed under the table's lock */
    struct linux_ring *ring; /* immutable while alive: our mapping */
    size_t ring_bytes;       /* the same */
    uint32_t nr;             /* the same: slots of the ring */
    unsigned asked;          /* the same: what io_setup() asked for */
    struct context *next;    /* table's lock: hash chain */
    atomic_uint requests;    /* atomic: accepted, and not completely published */
    atomic_uint readable_at; /* atomic: of the program's mappings (context__accessible()): when
                                it could read the ring last ... */
    atomic_uint trust;       /* ... and how often that is believed yet */

    /* ring.c's */
    _Alignas(64) _Atomic uint64_t accepted; /* atomic: requests that have a slot, ever */
    _Atomic uint64_t bypassed;          /* atomic: events reaped without having been in the ring */
    _Alignas(64) _Atomic uint64_t tail; /* atomic: events published, ever; changed by who
                                               holds `publishing` */
    atomic_uint publishing;             /* atomic: somebody puts an event into the ring */
    _Atomic(struct request *) backlog;  /* atomic: events that wait for him, newest first */
    _Atomic uint64_t wake_at;           /* atomic: who waits wants `tail` to reach this */
    struct event event;                 /* wakes them */
    atomic_int masked[WAKEABLE_MASKED]; /* atomic: eventfds of those in ppoll(), see ring.c */
    _Alignas(64) atomic_uint claims[CLAIMS]; /* atomic: slot + 1 that a reaper copies from */

    /* requests in flight */
    atomic_uint prompt;              /* atomic: those that the kernel would have completed
                                             within io_submit() */
    atomic_uint submitted;           /* atomic: index of the next of `recent` */
    _Atomic uint64_t recent[RECENT]; /* atomic: their ids, for waiters that help */
    atomic_uint recent_over;         /* atomic: those before this index are over */
    pthread_mutex_t waiting_lock;    /* taken with all signals blocked */
    struct queue waiting;            /* waiting_lock: see waiting.h */
};

/* What the face keeps in a request (request.h). */
struct completion {
    uint64_t data;   /* of the iocb */
    uint64_t object; /* its address */
    union {
        struct queue_node node; /* in context.waiting */
        struct request *next;   /* in context.backlog */
        struct {                /* before there is a request: */
            struct context *context;
            int status; /* of the descriptor, as of F_GETFL */
            int pin;    /* its file's, if that was there already; else -1 */
        };
    };
    int resfd;        /* a pin, or -1 */
    bool resfd_waits; /* a write to it may */
    uint8_t kind;     /* enum completion_kind */
    bool prompt;      /* it is counted in context.prompt */
    bool file_write;  /* the process is not to end before it is over */
};

/* An eventfd that is told of a completion. */
struct resfd {
    int fd;     /* or -1 */
    bool waits; /* it is not O_NONBLOCK */
};

enum completion_kind {
    COMPLETION_QUEUED, /* of a request that was queued */
    COMPLETION_POLL,
    COMPLETION_STREAM,
    COMPLETION_CARRIED, /* the request stands for an event that was there at once */
};

_Static_assert(sizeof(struct completion) <= REQUEST_FACE_BYTES, "it is to fit");

static inline struct completion *completion_of(struct request *r)
{
    return (struct completion *)(void *)r->face_data;
}

/* A new context with room for `nr` events; 0 or -errno. */
int context__new(unsigned nr, struct context **c);

/* The context of that value, in use until context__put(); NULL if there is none. */
struct context *context__get(unsigned long value);
void context__put(struct context *c);

/* One more use by somebody who has one, or a request in flight. */
void context__keep(struct context *c);

/*
 * A request is accepted; or false: the context is dead by now.  It is over when
 * its event, eventfd and buffer are done with.
 */
bool context__request_begin(struct context *c);
void context__request_over(struct context *c);

/* One more, while there is one. */
void context__request_add(struct context *c);

bool context__alive(struct context *c);

/*
 * Can the program still read its ring?  It may have moved or protected it: for the
 * kernel the context is not there then.  A system call; but none where changes of
 * its mappings are told, and there was none since the last.  What comes untold is
 * noticed a few calls later.
 */
bool context__accessible(struct context *c);

/* Changes will be told; there was one.  Async-signal-safe. */
void context__mappings_are_told(void);
void context__mappings_changed(void);

/* And is it the ring that is there?  It takes its time. */
bool context__in_place(struct context *c);

/* Take it out of the table: true for the one who does. */
bool context__kill(struct context *c);

/* Nothing is in flight any more, see above; the caller still uses it. */
void context__unmap(struct context *c);

/* In a forked child: none of the contexts is ours. */
void context__reset(void);

#endif
