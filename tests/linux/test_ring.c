/* SPDX-License-Identifier: MIT */
/*
 * The ring in the program's memory, and programs that read it themselves.
 *
 * The readers are modelled on what QEMU, fio, libev, Seastar and libaio do with
 * it, each in its own manner of reading and storing the indices.
 */
#include "helpers.h"

#include <sched.h>
#include <sys/mman.h>

/* "`unsigned id, nr, head, tail, magic (0xa10a10a1), compat_features (1), [...]`" */
START_TEST(the_header_is_as_programs_expect)
{
    aio_context_t ctx = new_context(4);
    struct ring *ring = ring_of(ctx);

    ck_assert_uint_eq(ring->magic, RING_MAGIC);
    ck_assert_uint_eq(ring->compat_features, 1);
    ck_assert_uint_eq(ring->incompat_features, 0);
    ck_assert_uint_eq(ring->header_length, 32);
    ck_assert_uint_eq(ring->head, 0);
    ck_assert_uint_eq(ring->tail, 0);
    ck_assert_uint_gt(ring->nr, 4);
    ck_assert_uint_eq(sizeof(struct ring), 32);
    ck_assert_uint_eq((uintptr_t)ring % page_size(), 0);
}
END_TEST

static unsigned rounded_up(unsigned asked)
{
    unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_CONF);
    size_t nr = 2 * (size_t)(asked > 4 * cpus ? asked : 4 * cpus) + 2;
    size_t bytes = sizeof(struct ring) + nr * sizeof(struct io_event);

    bytes = (bytes + page_size() - 1) / page_size() * page_size();
    return (unsigned)((bytes - sizeof(struct ring)) / sizeof(struct io_event));
}

/* "capacity is rounded up as the kernel's" */
START_TEST(its_size_is_rounded_up_as_the_kernels)
{
    const int asked[] = {1, 2, 61, 62, 63, 64, 126, 127, 128, 256, 1000, 1024, 2048, 5000};

    for (size_t i = 0; i < COUNT(asked); i++) {
        aio_context_t ctx = new_context(asked[i]);

        ck_assert_uint_eq(ring_of(ctx)->nr, rounded_up((unsigned)asked[i]));
        must_destroy(ctx);
    }
}
END_TEST

/* Rings have ids of their own. */
START_TEST(ids_differ)
{
    aio_context_t contexts[16];

    for (size_t i = 0; i < COUNT(contexts); i++) {
        contexts[i] = new_context(1);
        for (size_t j = 0; j < i; j++)
            ck_assert_uint_ne(ring_of(contexts[i])->id, ring_of(contexts[j])->id);
    }
}
END_TEST

/* --- readers: each takes at least one event, and at most max --- */

typedef unsigned (*reader)(aio_context_t ctx, struct io_event *events, unsigned max);

/* What ThreadSanitizer can make nothing of is replaced by what it can. */
static void barrier(struct ring *ring)
{
#ifdef __SANITIZE_THREAD__
    __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
#else
    (void)ring;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* Peeks and walks with plain accesses and barriers; no look at the magic. */
static unsigned qemu_reads(aio_context_t ctx, struct io_event *events, unsigned max)
{
    struct ring *ring = ring_of(ctx);
    unsigned n = 0, head, available;

    do {
        head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
        available = (__atomic_load_n(&ring->tail, __ATOMIC_RELAXED) + ring->nr - head) % ring->nr;
        sched_yield();
    } while (available == 0);
    barrier(ring);
    for (; n < available && n < max; n++)
        events[n] = ring->events[(head + n) % ring->nr];
    barrier(ring);
    __atomic_store_n(&ring->head, (head + n) % ring->nr, __ATOMIC_RELAXED);
    return n;
}

/* One event at a time, after a look at the magic. */
static unsigned fio_reads(aio_context_t ctx, struct io_event *events, unsigned max)
{
    struct ring *ring = ring_of(ctx);
    unsigned n = 0;

    if (ring->magic != RING_MAGIC)
        return 0;
    while (n < max) {
        unsigned head = ring_head(ring);

        if (head == ring_tail(ring)) {
            if (n > 0)
                break;
            sched_yield();
            continue;
        }
        events[n++] = ring->events[head];
        ring_set_head(ring, (head + 1) % ring->nr);
    }
    return n;
}

/* All there is, in two pieces where it wraps; head becomes tail. */
static unsigned libev_reads(aio_context_t ctx, struct io_event *events, unsigned max)
{
    struct ring *ring = ring_of(ctx);
    unsigned head = ring_head(ring), tail, n = 0;

    if (ring->magic != RING_MAGIC || ring->incompat_features != 0 ||
        ring->header_length != sizeof *ring)
        return 0;
    while ((tail = ring_tail(ring)) == head)
        sched_yield();
    if ((tail + ring->nr - head) % ring->nr > max)
        tail = (head + max) % ring->nr; /* libev itself has no bound */
    for (; head > tail && head < ring->nr; head++)
        events[n++] = ring->events[head];
    if (head == ring->nr)
        head = 0;
    for (; head < tail; head++)
        events[n++] = ring->events[head];
    ring_set_head(ring, tail);
    return n;
}

/* Finds the events by header_length, and reads only if there are enough. */
static unsigned seastar_reads(aio_context_t ctx, struct io_event *events, unsigned max)
{
    struct ring *ring = ring_of(ctx);
    const struct io_event *slots = (const void *)((const char *)ring + ring->header_length);
    unsigned head = ring_head(ring), tail = ring_tail(ring), n = 0;
    unsigned available = head <= tail ? tail - head : ring->nr - head + tail;

    if (available == 0) {
        int got = t_getevents(ctx, 1, (long)max, events, NULL);

        return got < 0 ? 0 : (unsigned)got;
    }
    for (; n < available && n < max; n++) {
        events[n] = slots[head++];
        if (head == ring->nr)
            head = 0;
    }
    ring_set_head(ring, head);
    return n;
}

/* Looks whether the ring is empty, and else calls. */
static unsigned libaio_reads(aio_context_t ctx, struct io_event *events, unsigned max)
{
    const struct ring *ring = ring_of(ctx);

    while (ring_head(ring) == ring_tail(ring))
        sched_yield();
    return (unsigned)t_getevents(ctx, 0, (long)max, events, &no_time);
}

static unsigned call_reads(aio_context_t ctx, struct io_event *events, unsigned max)
{
    return (unsigned)t_getevents(ctx, 1, (long)max, events, NULL);
}

static const reader readers[] = {qemu_reads,    fio_reads,    libev_reads,
                                 seastar_reads, libaio_reads, call_reads};

enum { BATCH = 50 };

/* Rounds of requests until the ring has wrapped often, each event exactly once. */
static void read_by(const reader *by, size_t n_by, bool with_polls)
{
    struct iocb cbs[BATCH], *list[BATCH];
    struct io_event events[BATCH];
    char bytes[BATCH];
    int fd = temp_file(BATCH), ends[2];
    aio_context_t ctx = new_context(BATCH);
    uint64_t serial = 0;

    make_pipe(ends);
    for (unsigned round = 0; round < 200; round++) {
        bool seen[BATCH] = {false};
        unsigned size = 1 + round * 7 % BATCH, got = 0;

        for (unsigned i = 0; i < size; i++) {
            if (with_polls && i % 2 == 0)
                prep_poll(&cbs[i], ends[1], POLLOUT);
            else
                prep_read(&cbs[i], fd, &bytes[i], 1, i);
            cbs[i].aio_data = serial + i;
            list[i] = &cbs[i];
        }
        ck_assert_int_eq(t_submit(ctx, (long)size, list), (int)size);
        for (unsigned turn = round; got < size; turn++) {
            unsigned n = by[turn % n_by](ctx, events, 1 + turn % (size - got));

            ck_assert_uint_gt(n, 0);
            ck_assert_uint_le(got + n, size);
            for (unsigned i = 0; i < n; i++) {
                uint64_t which = events[i].data - serial;

                ck_assert_uint_lt(which, size);
                ck_assert(!seen[which]);
                seen[which] = true;
                ck_assert(is_event_of(&events[i], &cbs[which]));
                ck_assert_int_gt((int)events[i].res, 0);
            }
            got += n;
        }
        serial += size;
        ck_assert_uint_eq(in_ring(ring_of(ctx)), 0);
    }
    must_destroy(ctx);
}

/* "a reader in the program may itself consume" */
START_TEST(programs_read_it_themselves)
{
    read_by(&readers[_i], 1, false);
}
END_TEST

START_TEST(programs_read_polls_themselves)
{
    read_by(&readers[_i], 1, true);
}
END_TEST

/* "So `io_getevents` and foreign reapers share the same head" */
START_TEST(all_readers_take_turns)
{
    read_by(readers, COUNT(readers), true);
}
END_TEST

/* "QEMU: [...] submits up to 32 with RESFD, peeks right after submit" */
START_TEST(as_qemu_does)
{
    enum { N = 32 };
    static char bytes[N][16];
    struct iocb cbs[N], *list[N];
    struct io_event events[N];
    int fd = temp_file(sizeof bytes), count = make_eventfd(0);
    aio_context_t ctx = new_context(1024);
    uint64_t counted = 0;

    for (int round = 0; round < 500; round++) {
        unsigned got = 0;

        for (unsigned i = 0; i < N; i++) {
            prep_read(&cbs[i], fd, bytes[i], 16, i * 16);
            set_resfd(&cbs[i], count);
            list[i] = &cbs[i];
        }
        ck_assert_int_eq(t_submit(ctx, N, list), N);
        while (got < N) {
            if (in_ring(ring_of(ctx)) == 0) {
                await_readable(count);
                counted += take_count(count);
                continue; /* an event of before may have been told late */
            }
            got += qemu_reads(ctx, events, N);
        }
        ck_assert_uint_eq(got, N);
    }
    while (counted < 500 * N) {
        await_readable(count);
        counted += take_count(count);
    }
    ck_assert_uint_eq(counted, 500 * N);
    ck_assert(is_pattern(bytes, sizeof bytes, 0));
}
END_TEST

/* "libev: [...] submits more POLLs than it asked room for (82 on a setup(15))" */
START_TEST(more_polls_than_asked_for)
{
    enum { N = 82 };
    struct iocb cbs[N];
    struct io_event events[N];
    int ends[N][2];
    unsigned got = 0;
    aio_context_t ctx = new_context(15);

    for (unsigned i = 0; i < N; i++) {
        make_pipe(ends[i]);
        prep_poll(&cbs[i], ends[i][0], POLLIN);
        must_submit(ctx, &cbs[i]);
    }
    for (unsigned i = 0; i < N; i++)
        ck_assert_int_eq((int)write(ends[i][1], "x", 1), 1);
    while (got < N) {
        unsigned n = libev_reads(ctx, events, N);

        for (unsigned i = 0; i < n; i++)
            ck_assert_int_ne((int)events[i].res & POLLIN, 0);
        got += n;
    }
    ck_assert_uint_eq(got, N);
    nothing_to_reap(ctx);
}
END_TEST

/* "all progress is independent of io_getevents" */
START_TEST(events_come_without_a_call)
{
    struct iocb cbs[40];
    char bytes[COUNT(cbs)];
    int fd = temp_file(COUNT(cbs));
    aio_context_t ctx = new_context(COUNT(cbs));

    for (unsigned i = 0; i < COUNT(cbs); i++) {
        prep_read(&cbs[i], fd, &bytes[i], 1, i);
        must_submit(ctx, &cbs[i]);
    }
    await_in_ring(ring_of(ctx), COUNT(cbs));
    ck_assert(is_pattern(bytes, COUNT(cbs), 0));
}
END_TEST

static aio_context_t shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint taken;
static atomic_uchar times[20000];
static atomic_bool wrong;

static void note(const struct io_event *events, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (events[i].data >= COUNT(times) || events[i].res != 1)
            atomic_store(&wrong, true);
        else
            atomic_fetch_add(&times[events[i].data], 1);
    }
    atomic_fetch_add(&taken, n);
}

static void *read_in_turns(void *argument)
{
    struct io_event events[8];

    while (atomic_load(&taken) < COUNT(times)) {
        int n = 0;

        pthread_mutex_lock(&lock);
        if (argument != NULL)
            n = t_getevents(shared, 0, COUNT(events), events, &no_time);
        else if (in_ring(ring_of(shared)) > 0)
            n = (int)fio_reads(shared, events, COUNT(events));
        pthread_mutex_unlock(&lock);
        if (n < 0)
            atomic_store(&wrong, true);
        else
            note(events, (unsigned)n);
        if (n == 0)
            sched_yield();
    }
    return NULL;
}

/* The same of several threads at once, which exclude each other, but not those that publish. */
START_TEST(reading_and_calling_threads_share_the_head)
{
    pthread_t threads[4];
    struct iocb cb;
    static char byte;
    int fd = temp_file(1);

    shared = new_context(64);
    for (size_t i = 0; i < COUNT(threads); i++)
        start_thread(&threads[i], read_in_turns, i % 2 == 0 ? NULL : &shared);
    for (unsigned i = 0; i < COUNT(times); i++) {
        int result;

        prep_read(&cb, fd, &byte, 1, 0);
        cb.aio_data = i;
        while ((result = submit(shared, &cb)) == -EAGAIN)
            sched_yield();
        ck_assert_int_eq(result, 1);
    }
    for (size_t i = 0; i < COUNT(threads); i++)
        join_thread(threads[i]);
    ck_assert(!atomic_load(&wrong));
    for (unsigned i = 0; i < COUNT(times); i++)
        ck_assert_uint_eq(atomic_load(&times[i]), 1);
}
END_TEST

/* Submits until the context is full; returns how many it took. */
static unsigned fill(aio_context_t ctx, int fd)
{
    static char byte;
    struct iocb cb;
    unsigned n = 0;
    int result;

    prep_read(&cb, fd, &byte, 1, 0);
    while ((result = submit(ctx, &cb)) == 1)
        n++;
    ck_assert_int_eq(result, -EAGAIN);
    return n;
}

/* "A slot counts as occupied until its event is reaped, by whichever means." */
START_TEST(slots_are_occupied_until_reaped)
{
    struct io_event events[30];
    int fd = temp_file(1);
    aio_context_t ctx;
    struct ring *ring;
    unsigned full;

    stay_on_one_processor();
    ctx = new_context(62);
    ring = ring_of(ctx);
    full = fill(ctx, fd);
    ck_assert_uint_ge(full, 62);
    ck_assert_uint_lt(full, ring->nr);
    await_in_ring(ring, full);
    for (int round = 0; round < 50; round++) {
        ck_assert_uint_eq(fill(ctx, fd), 0);
        if (round % 2 == 0)
            ck_assert_int_eq(t_getevents(ctx, 30, 30, events, NULL), 30);
        else
            ck_assert_uint_eq(fio_reads(ctx, events, 30), 30);
        ck_assert_uint_eq(fill(ctx, fd), 30);
        await_in_ring(ring, full);
    }
}
END_TEST

/* "reap via head": moving head alone frees slots. */
START_TEST(head_alone_frees_slots)
{
    int fd = temp_file(1);
    aio_context_t ctx;
    struct ring *ring;
    unsigned full;

    stay_on_one_processor();
    ctx = new_context(62);
    ring = ring_of(ctx);
    full = fill(ctx, fd);
    for (int round = 0; round < 50; round++) {
        await_in_ring(ring, full);
        ring_set_head(ring, ring_tail(ring));
        ck_assert_uint_eq(fill(ctx, fd), full);
    }
}
END_TEST

/* "never trust its value beyond `% nr`" */
START_TEST(head_counts_modulo_nr)
{
    struct iocb cb;
    struct io_event events[4];
    char byte;
    int fd = temp_file(1);
    aio_context_t ctx = new_context(4);
    struct ring *ring = ring_of(ctx);

    for (unsigned round = 1; round < 300; round++) {
        prep_read(&cb, fd, &byte, 1, 0);
        for (int i = 0; i < 3; i++)
            must_submit(ctx, &cb);
        await_in_ring(ring, 3);
        ring_set_head(ring, ring_head(ring) + ring->nr * round);
        ck_assert_int_eq(t_getevents(ctx, 3, 4, events, &no_time), 3);
        for (int i = 0; i < 3; i++)
            ck_assert(is_event_of(&events[i], &cb));
        ck_assert_uint_lt(ring_head(ring), ring->nr);
    }
}
END_TEST

/* Garbage in head crashes nothing, and is over when head is right again. */
START_TEST(garbage_in_head)
{
    const unsigned garbage[] = {0xffffffff, 0x80000000, 0x7fffffff, 12345678, 126, 127, 128};
    struct iocb cb;
    struct io_event events[128];
    char byte;
    int fd = temp_file(1);
    aio_context_t ctx = new_context(4);
    struct ring *ring = ring_of(ctx);

    for (unsigned round = 0; round < 70; round++) {
        int result;

        ring_set_head(ring, garbage[round % COUNT(garbage)]);
        prep_read(&cb, fd, &byte, 1, 0);
        result = submit(ctx, &cb);
        ck_assert(result == 1 || result == -EAGAIN);
        result = t_getevents(ctx, 0, COUNT(events), events, &no_time);
        ck_assert(result >= 0 && result <= (int)ring->nr);
    }
    must_destroy(ctx);
}
END_TEST

/* Garbage in tail, nr and the features is the program's own misfortune, and harms nobody else. */
START_TEST(garbage_in_the_header_is_survived)
{
    struct iocb cb;
    struct io_event events[128];
    char byte;
    int fd = temp_file(1);
    aio_context_t ctx = new_context(4), other = new_context(4);
    struct ring *ring = ring_of(ctx);

    if (ROAD_LIBAIO && on_kernel())
        SKIP("libaio itself believes the header");
    prep_read(&cb, fd, &byte, 1, 0);
    for (unsigned round = 0; round < 20; round++) {
        ring->nr = round % 2 == 0 ? 0 : 0xffffffff;
        ring->magic = 0;
        ring->header_length = 0xffffffff;
        ring->compat_features = 0;
        (void)submit(ctx, &cb);
        (void)t_getevents(ctx, 0, COUNT(events), events, &no_time);
    }
    ck_assert_int_eq((int)perform(other, &cb), 1);
    must_destroy(ctx);
    ck_assert_int_eq((int)perform(other, &cb), 1);
}
END_TEST

/* "Programs also `mremap` the ring (then the new address is the context)" */
START_TEST(a_moved_ring_is_the_context)
{
    struct iocb cb, waiting;
    struct io_event event;
    char byte;
    int fd = temp_file(1), ends[2];
    aio_context_t ctx = new_context(4), moved;
    size_t size = sizeof(struct ring) + ring_of(ctx)->nr * sizeof(struct io_event);
    void *room, *ring;

    make_pipe(ends);
    prep_poll(&waiting, ends[0], POLLIN);
    must_submit(ctx, &waiting);
    room = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(room, MAP_FAILED);
    ring = mremap(ring_of(ctx), size, size, MREMAP_MAYMOVE | MREMAP_FIXED, room);
    ck_assert_ptr_eq(ring, room);
    moved = (aio_context_t)(uintptr_t)ring;
    prep_read(&cb, fd, &byte, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    ck_assert_int_eq((int)perform(moved, &cb), 1);
    must_submit(moved, &cb);
    await_in_ring(ring, 1);
    ck_assert_uint_eq(fio_reads(moved, &event, 1), 1);
    /* What was in flight arrives at the new place. */
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    event = reap_one(moved);
    ck_assert(is_event_of(&event, &waiting));
    must_destroy(moved);
    ck_assert_int_eq(t_destroy(moved), -EINVAL);
}
END_TEST

/* A new ring may lie where one was that has been moved, and not been used since. */
START_TEST(a_new_ring_where_a_moved_one_was_is_another_context)
{
    struct iocb cb;
    char byte;
    int fd = temp_file(1);
    aio_context_t ctx = new_context(4), other = 0, moved;
    size_t size = sizeof(struct ring) + ring_of(ctx)->nr * sizeof(struct io_event);
    void *room = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(room, MAP_FAILED);
    prep_read(&cb, fd, &byte, 1, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    ck_assert_ptr_eq(mremap(ring_of(ctx), size, size, MREMAP_MAYMOVE | MREMAP_FIXED, room), room);
    moved = (aio_context_t)(uintptr_t)room;
    for (int i = 0; i < 64 && other != ctx; i++)
        other = new_context(4);
    if (other != ctx)
        SKIP("no new ring lies where the old one was");
    must_submit(other, &cb);
    await_in_ring(ring_of(other), 1);
    ck_assert_uint_eq(ring_of(moved)->head, ring_of(moved)->tail);
    must_destroy(other);
    ck_assert_int_eq((int)perform(moved, &cb), 1);
    must_destroy(moved);
}
END_TEST

/* The old address is no context any more, whatever is there: io_destroy leaves that alone. */
START_TEST(where_a_ring_was_is_none_of_ours)
{
    struct iocb cb;
    char byte;
    unsigned char *copy;
    aio_context_t ctx = new_context(4), moved;
    struct ring *old = ring_of(ctx);
    size_t size = sizeof(struct ring) + old->nr * sizeof(struct io_event);
    void *room = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(room, MAP_FAILED);
    ck_assert_ptr_eq(mremap(old, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, room), room);
    moved = (aio_context_t)(uintptr_t)room;
    ck_assert_ptr_eq(
        mmap(old, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
        old);
    if (_i == 0)
        memset(old, 0x5a, size);
    else /* what looks like it */
        memcpy(old, room, size);
    copy = malloc(size);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, old, size);
    ck_assert_int_eq(t_destroy(ctx), -EINVAL);
    ck_assert_mem_eq(old, copy, size);
    memset(old, 0xa5, size); /* it is still there, to be written */
    prep_read(&cb, temp_file(1), &byte, 1, 0);
    ck_assert_int_eq((int)perform(moved, &cb), 1);
    ck_assert_int_eq(t_destroy(ctx), -EINVAL);
    must_destroy(moved);
    for (size_t i = 0; i < size; i++)
        ck_assert_int_eq(((unsigned char *)old)[i], 0xa5);
    free(copy);
}
END_TEST

/* "or make it inaccessible (then the calls give EINVAL)" */
START_TEST(an_inaccessible_ring_is_no_context)
{
    struct iocb cb, waiting;
    struct io_event event;
    char byte;
    int fd = temp_file(1), ends[2];
    aio_context_t ctx = new_context(4);
    size_t size = sizeof(struct ring) + ring_of(ctx)->nr * sizeof(struct io_event);

    make_pipe(ends);
    prep_poll(&waiting, ends[0], POLLIN);
    must_submit(ctx, &waiting);
    ck_assert_int_eq(mprotect(ring_of(ctx), size, PROT_NONE), 0);
    prep_read(&cb, fd, &byte, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    if (!ROAD_LIBAIO || !on_kernel()) /* libaio itself reads it */
        ck_assert_int_eq(t_getevents(ctx, 0, 1, &event, NULL), -EINVAL);
    ck_assert_int_eq(t_cancel(ctx, &waiting, NULL), -EINVAL);
    ck_assert_int_eq(t_destroy(ctx), -EINVAL);
    /* "keep a second mapping of the same memory for our own writes" */
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    ck_assert_int_eq(mprotect(ring_of(ctx), size, PROT_READ | PROT_WRITE), 0);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &waiting));
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    must_destroy(ctx);
}
END_TEST

/* A ring that can only be read is one all the same. */
START_TEST(a_read_only_ring_is_read)
{
    struct iocb cb;
    char byte;
    aio_context_t ctx = new_context(4);
    size_t size = sizeof(struct ring) + ring_of(ctx)->nr * sizeof(struct io_event);

    ck_assert_int_eq(mprotect(ring_of(ctx), size, PROT_READ), 0);
    prep_read(&cb, temp_file(1), &byte, 1, 0);
    for (int i = 0; i < 300; i++)
        ck_assert_int_eq((int)perform(ctx, &cb), 1);
    must_destroy(ctx);
}
END_TEST

/* "After io_destroy the memory is unmapped or at least its magic gone." */
START_TEST(after_io_destroy_it_is_gone)
{
    aio_context_t ctx = new_context(4);
    int ends[2];

    make_pipe(ends);
    must_destroy(ctx);
    /* A write from memory that is not there fails, and crashes nothing. */
    if (write(ends[1], ring_of(ctx), sizeof(struct ring)) == sizeof(struct ring)) {
        struct ring copy;

        ck_assert_int_eq((int)read(ends[0], &copy, sizeof copy), sizeof copy);
        ck_assert_uint_ne(copy.magic, RING_MAGIC);
    } else {
        ck_assert_int_eq(errno, EFAULT);
    }
    ck_assert_int_eq(t_submit(ctx, 0, NULL), -EINVAL);
}
END_TEST

Suite *ring_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("ring", 120, &tc);

    tcase_add_test(tc, the_header_is_as_programs_expect);
    tcase_add_test(tc, its_size_is_rounded_up_as_the_kernels);
    tcase_add_test(tc, ids_differ);
    tcase_add_loop_test(tc, programs_read_it_themselves, 0, COUNT(readers));
    tcase_add_loop_test(tc, programs_read_polls_themselves, 0, COUNT(readers));
    tcase_add_test(tc, all_readers_take_turns);
    tcase_add_test(tc, as_qemu_does);
    tcase_add_test(tc, more_polls_than_asked_for);
    tcase_add_test(tc, events_come_without_a_call);
    tcase_add_test(tc, reading_and_calling_threads_share_the_head);
    tcase_add_test(tc, slots_are_occupied_until_reaped);
    tcase_add_test(tc, head_alone_frees_slots);
    tcase_add_test(tc, head_counts_modulo_nr);
    tcase_add_test(tc, garbage_in_head);
    tcase_add_test(tc, garbage_in_the_header_is_survived);
    tcase_add_test(tc, a_moved_ring_is_the_context);
    tcase_add_test(tc, a_new_ring_where_a_moved_one_was_is_another_context);
    tcase_add_loop_test(tc, where_a_ring_was_is_none_of_ours, 0, 2);
    tcase_add_test(tc, an_inaccessible_ring_is_no_context);
    tcase_add_test(tc, a_read_only_ring_is_read);
    tcase_add_test(tc, after_io_destroy_it_is_gone);
    return suite;
}
