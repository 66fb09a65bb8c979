/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "context.h"
#include "kernel.h"
#include "config.h"
#include "process.h"
#include "user_memory.h"
#include "os/thread.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALIVE (UINT64_C(1) << 31)
#define GENERATION(life) ((life) >> 32)

#define BUCKETS 4096u

static struct {
    pthread_mutex_t lock;
    struct slab slab;
    struct context *bucket[BUCKETS]; /* lock; by address */
    uint32_t last_id;                /* lock */
    atomic_uint contexts;            /* atomic: in the table */
    atomic_uint events;              /* atomic: asked for by those alive */
} table = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .slab = {.slot_size = (sizeof(struct context) + 63) & ~(size_t)63},
};

static void lock(sigset_t *mask)
{
    pool__signals_block(mask);
    pthread_mutex_lock(&table.lock);
}

static void unlock(const sigset_t *mask)
{
    pthread_mutex_unlock(&table.lock);
    pool__signals_restore(mask);
}

static struct context **bucket_of(unsigned long address)
{
    return &table.bucket[(address >> 12) * 2654435761u / 16 % BUCKETS];
}

/* ---- the table ------------------------------------------------------------- */

static void enter(struct context *c, unsigned long address)
{
    struct context **bucket = bucket_of(address);

    atomic_store_explicit(&c->address, address, memory_order_relaxed);
    atomic_store_explicit(&c->trust, 0, memory_order_relaxed);
    c->next = *bucket;
    *bucket = c;
    atomic_fetch_add_explicit(&table.contexts, 1, memory_order_release);
}

static void leave(struct context *c)
{
    struct context **at = bucket_of(atomic_load_explicit(&c->address, memory_order_relaxed));

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    atomic_fetch_sub_explicit(&table.contexts, 1, memory_order_release);
}

static struct context *find(unsigned long address)
{
    struct context *c = *bucket_of(address);

    while (c && atomic_load_explicit(&c->address, memory_order_relaxed) != address)
        c = c->next;
    return c;
}

/*
 * [lock] A new mapping is at the address: a ring that we know there has been
 * moved away by the program, nobody has told us where to.  It is listed as NULL,
 * which is no context's value, until find_moved() finds it.
 */
static void evict(unsigned long address)
{
    struct context *gone = find(address);

    if (!gone)
        return;
    leave(gone);
    enter(gone, 0);
}

/* [lock] Is what lies at the address the context's ring, and neither a copy of
 * it nor our mapping?  A new id that we write into ours shows there, too. */
static bool is_ring_of(struct context *c, unsigned long address)
{
    struct linux_ring there;

    if (address == (uintptr_t)c->ring)
        return false;
    c->ring->id = ++table.last_id;
    return user__copy(&there, (const void *)address, sizeof there) && there.id == table.last_id;
}

/*
 * [lock] Has the program moved one of our rings to the address?  It may also
 * vanish from there at any time.
 */
static struct context *find_moved(unsigned long address)
{
    struct linux_ring there;

    if (!user__copy(&there, (const void *)address, sizeof there) || there.magic != RING_MAGIC)
        return NULL;
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct context *c = table.bucket[i]; c; c = c->next) {
            if (c->ring->id == there.id && is_ring_of(c, address)) {
                leave(c);
                enter(c, address);
                return c;
            }
        }
    }
    return NULL;
}

/* ---- use ------------------------------------------------------------------- */

/* One more user, if the context is alive and of that generation (0: of any). */
static bool use(struct context *c, uint64_t generation)
{
    uint64_t life = atomic_load_explicit(&c->life, memory_order_relaxed);

    do {
        if (!(life & ALIVE) || (generation && GENERATION(life) != generation))
            return false;
        /* acquire: pairs with context__new() and context__put(). */
    } while (!atomic_compare_exchange_weak_explicit(&c->life, &life, life + 1, memory_order_acquire,
                                                    memory_order_relaxed));
    return true;
}

#define LAST_USED 8u

static _Thread_local struct {
    unsigned long address;
    struct context *context;
    uint64_t generation;
} last_used[LAST_USED];

static struct context *get_known(unsigned long address)
{
    unsigned i = (address >> 12) % LAST_USED;
    struct context *c = last_used[i].context;

    if (!c || last_used[i].address != address || !use(c, last_used[i].generation))
        return NULL;
    if (atomic_load_explicit(&c->address, memory_order_relaxed) == address)
        return c;
    context__put(c);
    return NULL;
}

static struct context *look_up(unsigned long address)
{
    unsigned i = (address >> 12) % LAST_USED;
    struct context *c;
    sigset_t mask;

    lock(&mask);
    c = find(address);
    if (!c)
        c = find_moved(address);
    if (c && !use(c, 0))
        c = NULL;
    if (c) {
        last_used[i].context = c;
        last_used[i].address = address;
        last_used[i].generation = GENERATION(atomic_load_explicit(&c->life, memory_order_relaxed));
    }
    unlock(&mask);
    return c;
}

struct context *context__get(unsigned long value)
{
    struct context *c;

    process__check();
    c = get_known(value);

    /* Most of the kernel's own contexts, too, end here. */
    if (c || atomic_load_explicit(&table.contexts, memory_order_acquire) == 0 ||
        value % sizeof(uint64_t) != 0 || !user__in_range(value, sizeof(struct linux_ring)) ||
        !user__readable_now((const void *)value))
        return c;
    return look_up(value);
}

/* ---- may the program still read its ring? ------------------------------------ */

#define TRUST 15 /* calls that rely on the last look */

/* atomic: counts changes of the program's mappings; 0: they are not told */
static atomic_uint mappings;

void context__mappings_are_told(void)
{
    atomic_store_explicit(&mappings, 1, memory_order_relaxed);
}

void context__mappings_changed(void)
{
    /* Without a context there is nobody who could have looked. */
    if (atomic_load_explicit(&table.contexts, memory_order_relaxed) > 0 &&
        atomic_load_explicit(&mappings, memory_order_relaxed) > 0)
        atomic_fetch_add_explicit(&mappings, 2, memory_order_release); /* odd: never 0 */
}

static bool is_trusted(struct context *c, unsigned now)
{
    unsigned left = atomic_load_explicit(&c->trust, memory_order_relaxed);

    if (now == 0 || left == 0 || atomic_load_explicit(&c->readable_at, memory_order_relaxed) != now)
        return false;
    atomic_store_explicit(&c->trust, left - 1, memory_order_relaxed);
    return true;
}

bool context__accessible(struct context *c)
{
    /* acquire: pairs with context__mappings_changed(); the look comes after it. */
    unsigned now = atomic_load_explicit(&mappings, memory_order_acquire);

    if (is_trusted(c, now))
        return true;
    if (!user__readable_now((const void *)atomic_load_explicit(&c->address, memory_order_relaxed)))
        return false;
    atomic_store_explicit(&c->readable_at, now, memory_order_relaxed);
    atomic_store_explicit(&c->trust, uaio__config()->strict ? 0 : TRUST, memory_order_relaxed);
    return true;
}

/* ---- users -------------------------------------------------------------------- */

bool context__in_place(struct context *c)
{
    sigset_t mask;
    bool there;

    lock(&mask);
    there = is_ring_of(c, atomic_load_explicit(&c->address, memory_order_relaxed));
    unlock(&mask);
    return there;
}

bool context__alive(struct context *c)
{
    /* seq_cst: pairs with context__kill(). */
    return atomic_load_explicit(&c->life, memory_order_seq_cst) & ALIVE;
}

/* The bound that stands for the kernel's fs.aio-max-nr, if one is set. */
static bool take_events(unsigned nr)
{
    unsigned taken = atomic_load_explicit(&table.events, memory_order_relaxed);
    unsigned max = uaio__config()->max_events;

    do {
        if (max && (nr > max || taken > max - nr))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&table.events, &taken, taken + nr,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void give_events(unsigned nr)
{
    atomic_fetch_sub_explicit(&table.events, nr, memory_order_relaxed);
}

static void unmap_ring(struct context *c)
{
    munmap(c->ring, c->ring_bytes);
    c->ring = NULL;
    pthread_mutex_destroy(&c->waiting_lock);
    slab__put(&table.slab, &c->slot);
}

void context__put(struct context *c)
{
    uint64_t life = atomic_fetch_sub_explicit(&c->life, 1, memory_order_acq_rel) - 1;

    if ((life & (ALIVE | (ALIVE - 1))) == 0)
        unmap_ring(c);
}

void context__keep(struct context *c)
{
    atomic_fetch_add_explicit(&c->life, 1, memory_order_relaxed);
}

void context__request_add(struct context *c)
{
    /* seq_cst: pairs with context__kill() and the look at `requests` after it. */
    atomic_fetch_add_explicit(&c->requests, 1, memory_order_seq_cst);
}

bool context__request_begin(struct context *c)
{
    context__request_add(c);
    if (context__alive(c))
        return true;
    context__request_over(c);
    return false;
}

void context__request_over(struct context *c)
{
    /* The destroyer may free the record at once; the event in it stays mapped. */
    if (atomic_fetch_sub_explicit(&c->requests, 1, memory_order_seq_cst) == 1 && !context__alive(c))
        uaio__event_signal(&c->event);
}

bool context__kill(struct context *c)
{
    uint64_t life;
    sigset_t mask;

    lock(&mask);
    life = atomic_fetch_and_explicit(&c->life, ~ALIVE, memory_order_seq_cst);
    if (life & ALIVE)
        leave(c);
    unlock(&mask);
    return life & ALIVE;
}

void context__unmap(struct context *c)
{
    unsigned long address = atomic_load_explicit(&c->address, memory_order_relaxed);
    give_events(c->asked);
    c->ring->magic = 0;
    munmap((void *)address, c->ring_bytes);
}

/* ---- setting up ------------------------------------------------------------ */

/* What the kernel makes of the number asked for: twice that, one more than is
 * usable, whole pages. */
static size_t size_of_ring(unsigned nr)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), events = nr, bytes;
    long cpus = sysconf(_SC_NPROCESSORS_CONF);

    if (cpus > 0 && events < (size_t)cpus * 4)
        events = (size_t)cpus * 4;
    bytes = sizeof(struct linux_ring) + (events * 2 + 2) * sizeof(struct linux_event);
    return (bytes + page - 1) & ~(page - 1);
}

/* By way of a file: qemu's user mode has no mremap() of no bytes. */
static void *map_file_twice(size_t nbytes, void **theirs)
{
    int fd = uaio__memory_file();
    void *ours = MAP_FAILED;

    *theirs = MAP_FAILED;
    if (fd < 0)
        return MAP_FAILED;
    if (ftruncate(fd, (off_t)nbytes) == 0)
        ours = mmap(NULL, nbytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ours != MAP_FAILED)
        *theirs = mmap(NULL, nbytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uaio__kernel(SYS_close, fd, 0, 0, 0, 0, 0);
    if (ours != MAP_FAILED && *theirs == MAP_FAILED) {
        munmap(ours, nbytes);
        ours = MAP_FAILED;
    }
    return ours;
}

/*
 * Shared memory that is mapped twice: mremap() of no bytes duplicates.  Ours is
 * not inherited by a forked child, who has no business with it.
 */
static int map_ring(struct context *c, unsigned long *address)
{
    void *theirs =
        mmap(NULL, c->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    void *ours = MAP_FAILED;

    if (theirs != MAP_FAILED)
        ours = mremap(theirs, 0, c->ring_bytes, MREMAP_MAYMOVE);
    if (ours == MAP_FAILED) {
        if (theirs != MAP_FAILED)
            munmap(theirs, c->ring_bytes);
        ours = map_file_twice(c->ring_bytes, &theirs);
    }
    if (ours == MAP_FAILED)
        return -ENOMEM;
    madvise(ours, c->ring_bytes, MADV_DONTFORK);
    c->ring = ours;
    *address = (unsigned long)theirs;
    return 0;
}

static void fill_ring(struct context *c)
{
    *c->ring = (struct linux_ring){
        .id = ++table.last_id,
        .nr = c->nr,
        .magic = RING_MAGIC,
        .compat_features = 1,
        .header_length = sizeof(struct linux_ring),
    };
}

static void clear(struct context *c)
{
    size_t from = offsetof(struct context, requests);

    memset((char *)c + from, 0, sizeof *c - from);
    atomic_store_explicit(&c->wake_at, UINT64_MAX, memory_order_relaxed);
    pthread_mutex_init(&c->waiting_lock, NULL);
    queue_init(&c->waiting);
}

int context__new(unsigned nr, struct context **context)
{
    struct context *c;
    unsigned long address;
    uint64_t generation;
    sigset_t mask;
    int err;

    if (!take_events(nr))
        return -EAGAIN;
    c = (struct context *)(void *)slab__get(&table.slab);
    if (!c) {
        give_events(nr);
        return -ENOMEM;
    }
    c->asked = nr;
    c->ring_bytes = size_of_ring(nr);
    c->nr = (uint32_t)((c->ring_bytes - sizeof(struct linux_ring)) / sizeof(struct linux_event));
    err = map_ring(c, &address);
    if (err) {
        give_events(nr);
        slab__put(&table.slab, &c->slot);
        return err;
    }
    clear(c);
    lock(&mask);
    fill_ring(c);
    evict(address);
    enter(c, address);
    generation = GENERATION(atomic_load_explicit(&c->life, memory_order_relaxed)) + 1;
    /* release: pairs with use(). */
    atomic_store_explicit(&c->life, (generation ? generation : 1) << 32 | ALIVE | 1,
                          memory_order_release);
    unlock(&mask);
    *context = c;
    return 0;
}

/* Ours was not inherited, but a call on it may have been interrupted by the
 * handler that forked: an empty one for its return. */
static void replace_ring(struct context *c)
{
    void *ring = mmap(c->ring, c->ring_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    (void)ring; /* if not, a look at it is the child's end: as for any memory that cannot be had */
}

/* If it was about to sleep.  The eventfds are the parent's, too, where one who
 * is woken for nothing looks and sleeps again. */
static void wake_sleeper(struct context *c)
{
    uint64_t one = 1;

    uaio__event_signal(&c->event);
    for (unsigned i = 0; i < WAKEABLE_MASKED; i++) {
        int fd = atomic_load_explicit(&c->masked[i], memory_order_relaxed);
        if (fd > 0)
            (void)!write(fd, &one, sizeof one);
    }
}

/* The child has one thread, and whatever its parent's others were about to do
 * here is of no interest. */
void context__reset(void)
{
    pthread_mutex_init(&table.lock, NULL);
    atomic_store_explicit(&table.contexts, 0, memory_order_relaxed);
    atomic_store_explicit(&table.events, 0, memory_order_relaxed);
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct context *c = table.bucket[i]; c; c = c->next) {
            atomic_fetch_and_explicit(&c->life, ~ALIVE, memory_order_relaxed);
            replace_ring(c);
            wake_sleeper(c);
        }
        table.bucket[i] = NULL;
    }
}
