/* SPDX-License-Identifier: MIT */
/*
 * Stress of the ring: every event is seen exactly once.
 *
 *     ring-stress [EVENTS [SEED]]      or UAIO_STRESS_EVENTS, UAIO_STRESS_SEED
 *
 * Three phases.  Invariant of the first two: each request has a serial number
 * as its aio_data, and each number is reaped once, with the result 1.
 *
 *  locked   On several contexts at once, threads submit while others take
 *           events by io_getevents and others read the ring.  Who takes from
 *           a ring holds its mutex: with plain stores to head, two who take at
 *           once cannot both be right, be one of them io_getevents.  Who
 *           publishes holds nothing.
 *  unlocked The readers of the ring take an event by copying it and then moving
 *           head with compare-and-swap, and nobody excludes anybody.  Less
 *           than a ring's worth of events pass between two barriers, for else
 *           head could come round to the same value between the copy and the
 *           swap.  The kernel stores head without looking, so this is not for
 *           it.
 *  destroy  On one new context after the other, io_destroy races with threads
 *           that submit and threads that wait; all get EINVAL in the end, and
 *           no more eventfd counts than there were requests.  Nobody reads the
 *           ring then: its memory may go at any time.
 *
 * Exit status: 0, 1 if the invariant does not hold, 77 where the kernel is the
 * oracle and has no AIO.
 */
#include "api.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CONTEXTS = 3, SUBMITTERS = 2, CALLERS = 2, READERS = 2, ASKED = 62 };
enum { OF_A_CONTEXT = SUBMITTERS + CALLERS + READERS };

struct ring {
    unsigned id, nr, head, tail, magic, compat_features, incompat_features, header_length;
    struct io_event events[];
};

struct context {
    aio_context_t ctx;
    struct ring *ring;
    pthread_mutex_t mutex;
    pthread_barrier_t barrier; /* of all its threads, in the unlocked phase */
    unsigned first, n;         /* its serial numbers */
    atomic_uint next;          /* the next to submit */
    atomic_uint taken;
    unsigned round_end; /* both of the unlocked phase: written by one, between barriers */
    bool over;
};

struct worker {
    struct context *of;
    unsigned number; /* among those of the context */
    unsigned random;
};

static struct context contexts[CONTEXTS];
static unsigned n_events;
static atomic_uchar *seen;
static int file;
static atomic_bool broken;
static const struct timespec no_time = {0, 0};
static const struct timespec moment = {0, 1000000};

static void must(bool condition, const char *what)
{
    if (!condition && !atomic_exchange(&broken, true))
        fprintf(stderr, "ring-stress: %s\n", what);
}

static void insist(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "ring-stress: cannot go on: %s\n", what);
        exit(1);
    }
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

static void note(struct context *c, const struct io_event *events, int n)
{
    for (int i = 0; i < n; i++) {
        must(events[i].res == 1 && events[i].res2 == 0, "an event with another result");
        if (events[i].data < c->first || events[i].data >= c->first + c->n)
            must(false, "an event of nobody");
        else
            must(atomic_fetch_add(&seen[events[i].data], 1) == 0, "an event seen twice");
    }
    if (n > 0)
        atomic_fetch_add(&c->taken, (unsigned)n);
}

static void fill_in(struct iocb *cb, unsigned serial)
{
    static char bytes[256];

    memset(cb, 0, sizeof *cb);
    cb->aio_data = serial;
    cb->aio_lio_opcode = IOCB_CMD_PREAD;
    cb->aio_fildes = (uint32_t)file;
    cb->aio_buf = (uintptr_t)&bytes[serial % sizeof bytes];
    cb->aio_nbytes = 1;
    cb->aio_offset = serial % 100;
}

/* Submits the numbers up to `end`, in batches of any size, of which some are taken in part. */
static void submit_until(struct worker *w, unsigned end)
{
    struct context *c = w->of;

    while (!atomic_load(&broken)) {
        struct iocb cbs[8], *list[8];
        unsigned size = 1 + next_random(&w->random) % 8;
        unsigned from = atomic_fetch_add(&c->next, size);
        unsigned done = 0;

        if (from >= end) {
            atomic_fetch_sub(&c->next, size);
            return;
        }
        if (size > end - from) {
            atomic_fetch_sub(&c->next, size - (end - from));
            size = end - from;
        }
        for (unsigned i = 0; i < size; i++) {
            fill_in(&cbs[i], from + i);
            list[i] = &cbs[i];
        }
        while (done < size && !atomic_load(&broken)) {
            int n = t_submit(c->ctx, (long)(size - done), list + done);

            must(n > 0 || n == -EAGAIN, "io_submit");
            if (n > 0)
                done += (unsigned)n;
            else
                sched_yield();
        }
    }
}

static int call(struct worker *w, struct io_event *events, const struct timespec *timeout)
{
    long nr = 1 + next_random(&w->random) % 8;
    int n = t_getevents(w->of->ctx, nr / 4, nr, events, timeout);

    must(n >= 0, "io_getevents");
    return n;
}

/* As a program that alone takes from the ring. */
static int read_locked(struct ring *ring, struct io_event *events)
{
    unsigned head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
    unsigned tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    int n = 0;

    while (head != tail && n < 8) {
        events[n++] = ring->events[head];
        head = (head + 1) % ring->nr;
    }
    if (n > 0)
        __atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
    return n;
}

static int read_unlocked(struct ring *ring, struct io_event *event)
{
    unsigned head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);

    if (head == __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE))
        return 0;
    *event = ring->events[head];
    return __atomic_compare_exchange_n(&ring->head, &head, (head + 1) % ring->nr, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void *work_locked(void *argument)
{
    struct worker *w = argument;
    struct context *c = w->of;

    if (w->number < SUBMITTERS) {
        submit_until(w, c->first + c->n);
        return NULL;
    }
    while (atomic_load(&c->taken) < c->n && !atomic_load(&broken)) {
        struct io_event events[8];
        int n;

        pthread_mutex_lock(&c->mutex);
        n = w->number < SUBMITTERS + CALLERS ? call(w, events, &no_time)
                                             : read_locked(c->ring, events);
        pthread_mutex_unlock(&c->mutex);
        note(c, events, n);
        if (n <= 0)
            sched_yield();
    }
    return NULL;
}

static void *work_unlocked(void *argument)
{
    struct worker *w = argument;
    struct context *c = w->of;

    for (;;) {
        if (pthread_barrier_wait(&c->barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
            unsigned left = c->n - atomic_load(&c->taken), size = c->ring->nr - 2;

            c->over = left == 0 || atomic_load(&broken);
            c->round_end = atomic_load(&c->taken) + (left < size ? left : size);
        }
        pthread_barrier_wait(&c->barrier);
        if (c->over)
            return NULL;
        if (w->number < SUBMITTERS) {
            submit_until(w, c->first + c->round_end);
            continue;
        }
        while (atomic_load(&c->taken) < c->round_end && !atomic_load(&broken)) {
            struct io_event events[8];
            int n = w->number < SUBMITTERS + CALLERS ? call(w, events, &moment)
                                                     : read_unlocked(c->ring, events);

            note(c, events, n);
            if (n <= 0)
                sched_yield();
        }
    }
}

static void run(const char *phase, void *(*work)(void *), unsigned *random)
{
    pthread_t threads[CONTEXTS][OF_A_CONTEXT];
    struct worker workers[CONTEXTS][OF_A_CONTEXT];
    unsigned lost = 0;

    for (unsigned i = 0; i < n_events; i++)
        atomic_store(&seen[i], 0);
    for (unsigned i = 0; i < CONTEXTS; i++) {
        struct context *c = &contexts[i];

        memset(c, 0, sizeof *c);
        insist(t_setup(ASKED, &c->ctx) == 0, "io_setup");
        c->ring = (struct ring *)(uintptr_t)c->ctx;
        c->first = n_events / CONTEXTS * i;
        c->n = n_events / CONTEXTS;
        atomic_store(&c->next, c->first);
        pthread_mutex_init(&c->mutex, NULL);
        pthread_barrier_init(&c->barrier, NULL, OF_A_CONTEXT);
    }
    for (unsigned i = 0; i < CONTEXTS; i++) {
        for (unsigned j = 0; j < OF_A_CONTEXT; j++) {
            workers[i][j] = (struct worker){&contexts[i], j, next_random(random)};
            insist(pthread_create(&threads[i][j], NULL, work, &workers[i][j]) == 0, "threads");
        }
    }
    for (unsigned i = 0; i < CONTEXTS; i++) {
        for (unsigned j = 0; j < OF_A_CONTEXT; j++)
            pthread_join(threads[i][j], NULL);
        must(t_destroy(contexts[i].ctx) == 0, "io_destroy");
        for (unsigned s = 0; s < contexts[i].n; s++)
            lost += atomic_load(&seen[contexts[i].first + s]) != 1;
        pthread_barrier_destroy(&contexts[i].barrier);
        pthread_mutex_destroy(&contexts[i].mutex);
    }
    must(lost == 0, "events were not seen exactly once");
    printf("%s: %u events\n", phase, n_events / CONTEXTS * CONTEXTS);
}

/* --- io_destroy racing all else --- */

enum { DESTROY_SUBMITTERS = 2, DESTROY_WAITERS = 2, DESTROYERS = 2 };
enum { DESTROY_THREADS = DESTROY_SUBMITTERS + DESTROY_WAITERS + DESTROYERS };

static struct {
    aio_context_t ctx;
    int count;
    unsigned rounds;
    pthread_barrier_t barrier;
    atomic_uint submitted;
    atomic_uint destroyed;
} doomed;

static void submit_to_the_end(void)
{
    int n;

    do {
        struct iocb cb, *list[1] = {&cb};

        fill_in(&cb, 0);
        cb.aio_flags = IOCB_FLAG_RESFD;
        cb.aio_resfd = (uint32_t)doomed.count;
        n = t_submit(doomed.ctx, 1, list);
        must(n == 1 || n == -EAGAIN || n == -EINVAL, "io_submit to a context that goes");
        if (n == 1)
            atomic_fetch_add(&doomed.submitted, 1);
    } while (n != -EINVAL && !atomic_load(&broken));
}

static void wait_to_the_end(unsigned min_nr)
{
    struct io_event events[8];
    int n;

    do {
        n = t_getevents(doomed.ctx, (long)min_nr, 8, events, NULL);
        must(n >= 0 || n == -EINVAL, "io_getevents of a context that goes");
    } while (n != -EINVAL && !atomic_load(&broken));
}

static void *work_doomed(void *argument)
{
    struct worker *w = argument;

    for (unsigned round = 0; round < doomed.rounds; round++) {
        pthread_barrier_wait(&doomed.barrier);
        if (w->number < DESTROY_SUBMITTERS) {
            submit_to_the_end();
        } else if (w->number < DESTROY_SUBMITTERS + DESTROY_WAITERS) {
            /* libaio itself reads the ring of a context, which may be gone. */
            if (!ROAD_LIBAIO || !on_kernel())
                wait_to_the_end(1 + w->number % 8);
        } else {
            int result;

            for (unsigned i = next_random(&w->random) % 50; i > 0; i--)
                sched_yield();
            result = t_destroy(doomed.ctx);
            must(result == 0 || result == -EINVAL, "io_destroy");
            if (result == 0)
                atomic_fetch_add(&doomed.destroyed, 1);
        }
        pthread_barrier_wait(&doomed.barrier);
    }
    return NULL;
}

static void run_doomed(unsigned rounds, unsigned *random)
{
    pthread_t threads[DESTROY_THREADS];
    struct worker workers[DESTROY_THREADS];

    doomed.rounds = rounds;
    pthread_barrier_init(&doomed.barrier, NULL, DESTROY_THREADS + 1);
    for (unsigned i = 0; i < DESTROY_THREADS; i++) {
        workers[i] = (struct worker){NULL, i, next_random(random)};
        insist(pthread_create(&threads[i], NULL, work_doomed, &workers[i]) == 0, "threads");
    }
    for (unsigned round = 0; round < rounds; round++) {
        uint64_t count = 0;

        doomed.ctx = 0;
        insist(t_setup(ASKED, &doomed.ctx) == 0, "io_setup");
        doomed.count = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        insist(doomed.count >= 0, "eventfd");
        atomic_store(&doomed.submitted, 0);
        atomic_store(&doomed.destroyed, 0);
        pthread_barrier_wait(&doomed.barrier);
        pthread_barrier_wait(&doomed.barrier);
        must(atomic_load(&doomed.destroyed) == 1, "not exactly one io_destroy succeeded");
        if (read(doomed.count, &count, sizeof count) != sizeof count)
            count = 0;
        must(count <= atomic_load(&doomed.submitted), "the eventfd counts too much");
        close(doomed.count);
    }
    for (unsigned i = 0; i < DESTROY_THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("destroy: %u contexts\n", rounds);
}

static unsigned setting(int argc, char **argv, int i, const char *name, unsigned otherwise)
{
    const char *value = argc > i ? argv[i] : getenv(name);

    return value == NULL ? otherwise : (unsigned)strtoul(value, NULL, 0);
}

int main(int argc, char **argv)
{
    char path[] = "ring-stress-XXXXXX";
    struct timespec now;
    unsigned seed;
    aio_context_t probe = 0;
    int error = t_setup(1, &probe);

    if (on_kernel() && error != 0) {
        printf("SKIP: io_setup: %s\n", strerror(-error));
        return 77;
    }
    insist(error == 0 && t_destroy(probe) == 0, "io_setup");
    clock_gettime(CLOCK_REALTIME, &now);
    n_events = setting(argc, argv, 1, "UAIO_STRESS_EVENTS", 200000);
    seed = setting(argc, argv, 2, "UAIO_STRESS_SEED", (unsigned)now.tv_nsec);
    printf("%u events, seed %u\n", n_events, seed);
    fflush(stdout);
    file = mkstemp(path);
    insist(file >= 0 && unlink(path) == 0 && ftruncate(file, 4096) == 0, "file");
    seen = calloc(n_events + 1, sizeof *seen);
    insist(seen != NULL, "memory");

    run("locked", work_locked, &seed);
    if (!on_kernel())
        run("unlocked", work_unlocked, &seed);
    run_doomed(on_kernel() ? 20 : n_events / 500 + 1, &seed);
    free(seen);
    return atomic_load(&broken) ? 1 : 0;
}
