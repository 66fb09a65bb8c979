/* SPDX-License-Identifier: MIT */
/*
 * Programs that spoil the ring in their memory, and what they do with it then.
 *
 * The header and the events are the program's to write to, and it may move or
 * protect the mapping.  What must hold whatever stands there: nothing beside
 * the events asked for is written to, no call crashes, one that is not to wait
 * returns, and once the mapping is the program's own again io_destroy() ends
 * it, with all that was in flight.  Which events come, and when, is its own
 * fault.
 *
 * A second thread spoils the header while the first uses it.  An input still
 * has one meaning, if not one course.
 */
#define _GNU_SOURCE
#include "fuzz.h"
#include "abi.h"
#include "linux.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CONTEXTS 2
#define BATCH 16
#define EVENTS 64
#define CALLS 200
#define CANARY 0x5c
#define WORDS (sizeof(struct linux_ring) / sizeof(uint32_t))
#define SPOILED 16
#define READ_MAX 256

struct tracked {
    volatile struct linux_ring *ring; /* where it is now */
    size_t bytes;
    uint32_t nr;    /* as the library has set it */
    bool is_buffer; /* of a request, perhaps in flight: not to be moved away */
};

static struct tracked contexts[CONTEXTS];
static struct linux_iocb iocbs[BATCH];
static unsigned char *events_end;

/* ---- the spoiler --------------------------------------------------------------- */

static struct {
    sem_t begin, ended;
    atomic_bool stop;
    bool runs;                /* the first thread's */
    volatile uint32_t *words; /* before `begin`: what is spoiled, */
    unsigned n;               /* and with what */
    struct {
        unsigned word;
        uint32_t value;
    } list[SPOILED];
} spoiler;

static void *spoil_on(void *unused)
{
    for (;;) {
        while (sem_wait(&spoiler.begin) != 0)
            ;
        do {
            for (unsigned i = 0; i < spoiler.n; i++)
                __atomic_store_n(&spoiler.words[spoiler.list[i].word], spoiler.list[i].value,
                                 __ATOMIC_RELAXED);
        } while (!atomic_load_explicit(&spoiler.stop, memory_order_acquire));
        sem_post(&spoiler.ended);
    }
    return unused;
}

static void stop_spoiling(void)
{
    if (!spoiler.runs)
        return;
    atomic_store_explicit(&spoiler.stop, true, memory_order_release);
    while (sem_wait(&spoiler.ended) != 0)
        ;
    spoiler.runs = false;
}

static uint32_t take_word(struct input *in, const struct tracked *t)
{
    unsigned how = take(in);

    if (how >= 0xc0)
        return (uint32_t)take_number(in);
    if (how >= 0x80)
        return t->nr + how % 4 - 2;
    return how;
}

static void start_spoiling(struct input *in, struct tracked *t)
{
    stop_spoiling();
    if (!t->ring)
        return;
    spoiler.words = (volatile uint32_t *)(volatile void *)t->ring;
    spoiler.n = take(in) % SPOILED + 1;
    for (unsigned i = 0; i < spoiler.n; i++) {
        spoiler.list[i].word = take(in) % WORDS;
        spoiler.list[i].value = take_word(in, t);
    }
    atomic_store_explicit(&spoiler.stop, false, memory_order_relaxed);
    spoiler.runs = true;
    sem_post(&spoiler.begin);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    pthread_t thread;

    (void)argc;
    (void)argv;
    setenv("UAIO_STRICT", "1", 1); /* rings are unmapped, and their addresses used as pointers */
    fuzz_init();
    events_end = end_of_memory(page_bytes());
    must(sem_init(&spoiler.begin, 0, 0) == 0 && sem_init(&spoiler.ended, 0, 0) == 0 &&
             pthread_create(&thread, NULL, spoil_on, NULL) == 0,
         "init", errno);
    return 0;
}

/* ---- contexts ------------------------------------------------------------------ */

static void set_up(struct input *in, struct tracked *t)
{
    unsigned nr = take(in) % 200 + 1;
    unsigned long ctx = 0;

    if (t->ring)
        return;
    must(linux__setup(nr, &ctx) == 0, "io_setup", 0);
    t->ring = (volatile struct linux_ring *)ctx;
    t->is_buffer = false;
    t->nr = t->ring->nr;
    t->bytes = sizeof(struct linux_ring) + t->nr * sizeof(struct linux_event);
    t->bytes = (t->bytes + page_bytes() - 1) / page_bytes() * page_bytes();
    must(t->nr > nr, "nr", t->nr);
}

/* As the library has made it. */
static void repair(struct tracked *t)
{
    t->ring->nr = t->nr;
    t->ring->magic = RING_MAGIC;
}

static void end_context(struct tracked *t)
{
    int err;

    if (!t->ring)
        return;
    stop_spoiling();
    do { /* a read in flight may spoil it yet */
        repair(t);
        err = linux__destroy((uintptr_t)t->ring);
    } while (err != 0 && t->is_buffer && usleep(1000) == 0);
    must(err == 0, "io_destroy", err);
    t->ring = NULL;
}

/* A context, or what is none. */
static unsigned long take_context(struct input *in, const struct tracked *t)
{
    unsigned how = take(in);
    unsigned long ring = (uintptr_t)t->ring;

    if (how < 0xe0 || (how < 0xf0 && !ring))
        return ring;
    if (how >= 0xf0)
        return (unsigned long)take_address(in);
    if (how & 1)
        return ring + how;
    for (unsigned i = 0; i < CONTEXTS; i++) /* it may lie there */
        if ((uintptr_t)contexts[i].ring == ring + page_bytes())
            return ring;
    return ring + page_bytes();
}

/* ---- what the program does to its ring ------------------------------------------ */

static void spoil(struct input *in, struct tracked *t)
{
    unsigned word = take(in);
    uint32_t value = take_word(in, t);

    if (!t->ring)
        return;
    if (word < 0xf0)
        ((volatile uint32_t *)(volatile void *)t->ring)[word % WORDS] = value;
    else
        memset((void *)(uintptr_t)t->ring, (int)value, t->bytes);
}

/* As libaio's and others' readers do. */
static void read_own(const struct tracked *t)
{
    if (t->ring && t->ring->head != t->ring->tail && t->ring->head < t->nr)
        t->ring->head = (t->ring->head + 1) % t->nr;
}

/* And uses it there: until then another ring that is moved to its old place would
 * be taken for it. */
static void move(struct tracked *t)
{
    unsigned char *to = mmap(NULL, t->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    must(to != MAP_FAILED, "mmap", errno);
    stop_spoiling();
    to = mremap((void *)(uintptr_t)t->ring, t->bytes, t->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    must(to != MAP_FAILED, "mremap", errno);
    t->ring = (volatile struct linux_ring *)(volatile void *)to;
    repair(t);
    must(linux__submit((uintptr_t)to, 0, NULL) == 0, "io_submit to a moved ring", 0);
}

/* "For the kernel the context is not there then." */
static void protect(struct tracked *t, int protection)
{
    static struct linux_event event;
    const int64_t now[2] = {0, 0};
    unsigned long ctx = (uintptr_t)t->ring;
    long n;

    stop_spoiling();
    repair(t);
    mprotect((void *)ctx, t->bytes, protection);
    n = linux__getevents(ctx, 0, 1, &event, now, LINUX_TIME_64);
    must(n == 1 || n == (protection ? 0 : -EINVAL), "io_getevents", n);
    n = linux__submit(ctx, 0, NULL);
    must(n == (protection ? 0 : -EINVAL), "io_submit", n);
    if (!protection)
        must(linux__destroy(ctx) == -EINVAL, "io_destroy", 0);
    mprotect((void *)ctx, t->bytes, PROT_READ | PROT_WRITE);
}

static void forge(const struct tracked *t)
{
    unsigned char *to = events_end - page_bytes();

    memcpy(to, (const void *)(uintptr_t)t->ring, sizeof(struct linux_ring));
    must(linux__destroy((uintptr_t)to) == -EINVAL, "io_destroy of a copy", 0);
    must(linux__submit((uintptr_t)to, 0, NULL) == -EINVAL, "io_submit to a copy", 0);
}

/* ---- calls ----------------------------------------------------------------------- */

static void submit(struct input *in, struct tracked *t)
{
    static const uint8_t opcodes[] = {IOCB_PREAD, IOCB_PWRITE, IOCB_POLL, IOCB_FSYNC};
    unsigned n = take(in) % BATCH, how = take(in);
    unsigned long ctx = take_context(in, t);
    void *list[BATCH];
    long result;

    for (unsigned i = 0; i < n; i++) {
        list[i] = &iocbs[i];
        memset(&iocbs[i], 0, sizeof iocbs[i]);
        iocbs[i].opcode = opcodes[how % 4];
        iocbs[i].fildes = (uint32_t)(how & 4 || iocbs[i].opcode == IOCB_POLL ? take_descriptor(in)
                                                                             : regular_file());
        if (iocbs[i].opcode == IOCB_POLL)
            iocbs[i].buf = 5; /* POLLIN | POLLOUT */
        if (iocbs[i].opcode <= IOCB_PWRITE) {
            iocbs[i].buf = take_address(in);
            iocbs[i].nbytes = take(in) % READ_MAX;
        }
        if (iocbs[i].opcode == IOCB_PREAD)
            allow(iocbs[i].buf, iocbs[i].nbytes);
        if (how & 8 && t->ring) { /* reads are into the ring itself */
            iocbs[i].buf = (uintptr_t)t->ring + take_bytes(in, 2) % (t->bytes - READ_MAX);
            t->is_buffer = true;
        }
    }
    result = linux__submit(ctx, (long)n, list);
    must(result >= -4095 && result <= (long)n && (t->ring || result < 0), "io_submit", result);
}

static void reap(struct input *in, const struct tracked *t)
{
    unsigned how = take(in);
    long min_nr = (long)take(in), nr = min_nr + (long)take(in);
    long room = (long)(take(in) % (EVENTS + 1)), n;
    unsigned char *events = events_end - (size_t)room * sizeof(struct linux_event);
    int64_t time[2] = {0, how % 4 == 3 ? take(in) * 1000 : 0};
    unsigned long ctx = take_context(in, t);

    memset(events_end - page_bytes(), CANARY, page_bytes());
    if (how >= 0xf0 && t->ring) { /* into the ring itself, and not beyond */
        room = (long)(t->bytes / sizeof(struct linux_event));
        events = (unsigned char *)(uintptr_t)t->ring;
        nr = nr < room ? nr : room;
    }
    n = linux__getevents(ctx, min_nr, nr, events, time, LINUX_TIME_64);
    must(n >= -4095 && n <= nr && n <= room && (t->ring || n < 0), "io_getevents", n);
    for (const unsigned char *at = events_end - page_bytes(); at < events_end; at++)
        if ((uintptr_t)at - (uintptr_t)events >=
            (size_t)(n > 0 ? n : 0) * sizeof(struct linux_event))
            must(*at == CANARY, "stray write beside the events", *at);
}

static void cancel(struct input *in, const struct tracked *t)
{
    unsigned i = take(in) % BATCH;
    int err = linux__cancel(take_context(in, t), &iocbs[i], NULL);

    must(err == -EINPROGRESS || err == -EINVAL, "io_cancel", err);
}

static void destroy(struct input *in, struct tracked *t)
{
    unsigned long ctx = take_context(in, t);
    int err = linux__destroy(ctx);

    must(err == 0 || err == -EINVAL, "io_destroy", err);
    if (err != 0)
        return;
    must(ctx == (uintptr_t)t->ring, "io_destroy of no context", 0);
    t->ring = NULL;
}

/* ---- one input ------------------------------------------------------------------ */

static void do_one(struct input *in)
{
    unsigned what = take(in);
    struct tracked *t = &contexts[what / 16 % CONTEXTS];

    switch (what % 16) {
    case 0:
    case 1:
    case 2:
        submit(in, t);
        break;
    case 3:
    case 4:
    case 5:
        reap(in, t);
        break;
    case 6:
    case 7:
    case 8:
        spoil(in, t);
        break;
    case 9:
        start_spoiling(in, t);
        break;
    case 10:
        stop_spoiling();
        break;
    case 11:
        set_up(in, t);
        break;
    case 12:
        read_own(t);
        break;
    case 13:
        cancel(in, t);
        break;
    case 14:
        if (!t->ring)
            break;
        if (what >= 0xc0 && !t->is_buffer)
            move(t);
        else if (what >= 0x80 && !t->is_buffer)
            protect(t, what & 0x20 ? PROT_READ : PROT_NONE);
        else
            forge(t);
        break;
    default:
        stop_spoiling();
        destroy(in, t);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct input in = {data, data + nbytes};

    fuzz_begin();
    memset(iocbs, 0, sizeof iocbs);
    set_up(&(struct input){NULL, NULL}, &contexts[0]);
    for (int i = 0; is_left(&in) && i < CALLS; i++)
        do_one(&in);
    for (unsigned i = 0; i < CONTEXTS; i++)
        end_context(&contexts[i]);
    fuzz_end();
    return 0;
}
