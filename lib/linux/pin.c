/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "pin.h"
#include "kernel.h"
#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef F_DUPFD_QUERY
# define F_DUPFD_QUERY 1027 /* Linux 6.10 */
#endif
#ifndef F_OFD_GETLK
# define F_OFD_GETLK 36
#endif
#define KCMP_FILE 0

#define LOWEST_PIN 512

/*
 * A record for each descriptor number, as a pin and as the program's own.
 *
 *   users   0           not a pin
 *           1..         requests that use it
 *           PARKED      nobody does, but it is open
 *           CLOSING     its last user decides what becomes of it
 *           OWNED | 1   one request has it to itself
 *
 * A number is a pin from the store of `users` after it was duplicated until
 * the store of 0 before it is closed, so that a new pin of that number is never
 * taken for the old one.
 */
struct number {
    atomic_uint users; /* atomic: acquire when taken, release when given back */
    atomic_int pin;    /* atomic, a hint: the pin of this number's file, or 0 */
    atomic_int origin; /* atomic: of a pin: whose it is; written before `users` ... */
    mode_t type;       /* ... S_IFREG and so on, */
    dev_t device;      /* ... and which file it is */
    ino_t inode;
};

#define PARKED 0x80000000u
#define CLOSING 0x40000000u
#define OWNED 0x20000000u

#define CHUNK_NUMBERS 2048u
#define CHUNKS 2048u /* 4 Mi descriptors; beyond them nothing is shared */

static _Atomic(struct number *) chunks[CHUNKS]; /* atomic: set once */
static atomic_int parked;                       /* atomic: how many are, about */
static atomic_bool closings_told;               /* atomic: see pin.h */

atomic_bool pin__any;

#define MAX_PARKED 64 /* descriptors that the program can do without */

static struct number *at(int fd, bool make)
{
    unsigned index = (unsigned)fd / CHUNK_NUMBERS;
    struct number *chunk, *expected = NULL;

    if (fd < 0 || index >= CHUNKS)
        return NULL;
    chunk = atomic_load_explicit(&chunks[index], memory_order_acquire);
    if (!chunk && make) {
        atomic_store_explicit(&pin__any, true, memory_order_relaxed);
        size_t nbytes = CHUNK_NUMBERS * sizeof *chunk;
        void *p = mmap(NULL, nbytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            return NULL;
        chunk = p;
        if (!atomic_compare_exchange_strong_explicit(&chunks[index], &expected, chunk,
                                                     memory_order_acq_rel, memory_order_acquire)) {
            munmap(p, nbytes);
            chunk = expected;
        }
    }
    return chunk ? &chunk[(unsigned)fd % CHUNK_NUMBERS] : NULL;
}

/* ---- what the kernel says -------------------------------------------------- */

static long control(int fd, int command, long argument)
{
#if defined(SYS_fcntl64)
    return uaio__kernel(SYS_fcntl64, fd, command, argument, 0, 0, 0);
#else
    return uaio__kernel(SYS_fcntl, fd, command, argument, 0, 0, 0);
#endif
}

/*
 * Where the kernel cannot tell: the same inode, opened in the same way.  For
 * reading and writing at a position that is as good, and the inode cannot be
 * another by now, as the pin keeps it.
 */
static bool same_inode(int a, int b)
{
    struct stat of_a, of_b;

    return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 && of_a.st_ino == of_b.st_ino &&
           of_a.st_dev == of_b.st_dev && control(a, F_GETFL, 0) == control(b, F_GETFL, 0);
}

static bool same_file(int a, int b)
{
    static atomic_bool no_query, no_compare; /* relaxed: each may find out for itself */

    if (!atomic_load_explicit(&no_query, memory_order_relaxed)) {
        long same = control(a, F_DUPFD_QUERY, b);
        if (same >= 0 || same == -EBADF)
            return same > 0;
        atomic_store_explicit(&no_query, true, memory_order_relaxed);
    }
#ifdef SYS_kcmp
    if (!atomic_load_explicit(&no_compare, memory_order_relaxed)) {
        long self = uaio__kernel(SYS_getpid, 0, 0, 0, 0, 0, 0);
        long order = uaio__kernel(SYS_kcmp, self, self, KCMP_FILE, a, b, 0);
        if (order >= 0 || order == -EBADF)
            return order == 0;
        atomic_store_explicit(&no_compare, true, memory_order_relaxed);
    }
#endif
    return same_inode(a, b);
}

/* Has anybody locked any part of the file?  Our process's POSIX locks are seen
 * by a request in the open file's name. */
static bool is_locked(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static int duplicate(int fd)
{
    long pin = control(fd, F_DUPFD_CLOEXEC, LOWEST_PIN);

    /* No number left above, or none allowed there: any will do. */
    if (pin == -EMFILE || pin == -EINVAL)
        pin = control(fd, F_DUPFD_CLOEXEC, 3);
    return (int)pin;
}

static void close_number(int fd)
{
    uaio__kernel(SYS_close, fd, 0, 0, 0, 0, 0);
}

void pin__make_room(void)
{
    int fd = uaio__memory_file();
    int pin = fd >= 0 ? duplicate(fd) : -1;

    if (pin >= 0)
        close_number(pin);
    if (fd >= 0)
        close_number(fd);
}

/* ---- sharing --------------------------------------------------------------- */

/* Become a user of the pin, if it is one. */
static bool join(struct number *pin)
{
    unsigned users = atomic_load_explicit(&pin->users, memory_order_relaxed);

    do {
        if (users == 0 || users & (CLOSING | OWNED))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&pin->users, &users,
                                                    users == PARKED ? 1 : users + 1,
                                                    memory_order_acquire, memory_order_relaxed));
    if (users == PARKED)
        atomic_fetch_sub_explicit(&parked, 1, memory_order_relaxed);
    return true;
}

/* The pin that the number had last, if it still means that file. */
static int join_current(int fd, struct number *number)
{
    int pin = atomic_load_explicit(&number->pin, memory_order_relaxed);
    struct number *record = pin ? at(pin, false) : NULL;

    if (!record || !join(record))
        return -ENOENT;
    if (same_file(fd, pin))
        return pin;
    pin__put(pin);
    return -ENOENT;
}

mode_t pin__type(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

mode_t pin__type_of(int pin)
{
    return at(pin, false)->type;
}

static int pin_anew(int fd, mode_t *type, unsigned users)
{
    int pin = duplicate(fd);
    struct number *record = pin >= 0 ? at(pin, true) : NULL;
    struct stat st;

    if (pin < 0)
        return pin;
    if (fstat(pin, &st) != 0) { /* all who share it would believe it of no type */
        close_number(pin);
        return -EAGAIN;
    }
    if (type)
        *type = st.st_mode & S_IFMT;
    /* acquire: pairs with settle(); the number was a pin before, until 0. */
    if (record && atomic_load_explicit(&record->users, memory_order_acquire) == 0) {
        record->origin = fd;
        record->type = st.st_mode & S_IFMT;
        record->device = st.st_dev;
        record->inode = st.st_ino;
        atomic_store_explicit(&record->users, users, memory_order_release);
    }
    return pin;
}

/* A number's last pin may have had this one's number: who comes by that must not
 * join, see OWNED. */
int pin__get_own(int fd, mode_t *type)
{
    return pin_anew(fd, type, OWNED | 1);
}

/* The program may have closed what it did not open, and the number be its own
 * by now. */
static bool is_ours(int pin, const struct number *record)
{
    struct stat st;

    return fstat(pin, &st) == 0 && st.st_ino == record->inode && st.st_dev == record->device;
}

static void close_pin(int pin, struct number *record)
{
    bool ours = is_ours(pin, record);

    atomic_store_explicit(&record->users, 0, memory_order_release);
    if (ours)
        close_number(pin);
}

/* From PARKED to CLOSING: true for the one who does. */
static bool unpark(struct number *record)
{
    unsigned users = PARKED;

    if (!atomic_compare_exchange_strong_explicit(&record->users, &users, CLOSING,
                                                 memory_order_seq_cst, memory_order_relaxed))
        return false;
    atomic_fetch_sub_explicit(&parked, 1, memory_order_relaxed);
    return true;
}

/* The number's pin that is not its current one any more: who parked it meanwhile
 * has seen that, or is seen here. */
static void unpark_last(int fd, int pin)
{
    struct number *record = pin ? at(pin, false) : NULL;

    if (record && record->origin == fd && unpark(record))
        close_pin(pin, record);
}

int pin__get_current(int fd, mode_t *type)
{
    struct number *number = at(fd, false);
    int pin = number ? join_current(fd, number) : -ENOENT;

    if (pin >= 0 && type)
        *type = pin__type_of(pin);
    return pin;
}

int pin__get(int fd, mode_t *type)
{
    struct number *number = at(fd, true);
    int pin = pin__get_current(fd, type);

    if (pin >= 0)
        return pin;
    pin = pin_anew(fd, type, 1);
    if (pin >= 0 && number)
        unpark_last(fd, atomic_exchange_explicit(&number->pin, pin, memory_order_seq_cst));
    return pin;
}

static struct number *current_of(const struct number *record)
{
    return at(record->origin, false);
}

/* Does the program's number still lead to the pin? */
static bool is_current(int pin, const struct number *record)
{
    struct number *origin = current_of(record);

    return origin && atomic_load_explicit(&origin->pin, memory_order_seq_cst) == pin;
}

/*
 * Is it to stay open without a user?  Where closings are told, nearly always;
 * elsewhere only for the sake of locks, and if the program's own is open still:
 * that comes last, as its end may not be noticed for long.
 */
static bool parks(int pin, const struct number *record)
{
    if (pin__hears_of_closings() &&
        atomic_load_explicit(&parked, memory_order_relaxed) < MAX_PARKED)
        return is_current(pin, record);
    return is_locked(pin) && same_file(record->origin, pin);
}

/* The caller has set PARKED.  seq_cst: of that and the look here, and the two in
 * pin__closing() and unpark_last(), one sees the other. */
static void check_parked(int pin, struct number *record)
{
    atomic_fetch_add_explicit(&parked, 1, memory_order_relaxed);
    if (!is_current(pin, record) && unpark(record))
        close_pin(pin, record);
}

/* The caller has set CLOSING. */
static void settle(int pin, struct number *record)
{
    if (!parks(pin, record)) {
        close_pin(pin, record);
        return;
    }
    atomic_store_explicit(&record->users, PARKED, memory_order_seq_cst);
    check_parked(pin, record);
}

static bool is_last(unsigned users)
{
    return (users & ~OWNED) == 1;
}

/* What its last user leaves it as.  Where parks() is as good as certain there is no
 * moment in which the pin cannot be joined, or each would have another one made. */
static unsigned last_state(unsigned users)
{
    return users == 1 && pin__hears_of_closings() &&
                   atomic_load_explicit(&parked, memory_order_relaxed) < MAX_PARKED
               ? PARKED
               : CLOSING;
}

void pin__put(int pin)
{
    struct number *record = at(pin, false);
    unsigned users, left;

    if (!record) {
        close_number(pin);
        return;
    }
    users = atomic_load_explicit(&record->users, memory_order_relaxed);
    do
        left = is_last(users) ? last_state(users) : users - 1;
    while (!atomic_compare_exchange_weak_explicit(&record->users, &users, left,
                                                  memory_order_seq_cst, memory_order_relaxed));
    if (left == CLOSING)
        settle(pin, record);
    else if (left == PARKED)
        check_parked(pin, record);
}

/* Parked, and the program's own is closed. */
static void sweep_one(int pin, struct number *record)
{
    if (atomic_load_explicit(&record->users, memory_order_acquire) == PARKED &&
        !same_file(record->origin, pin) && unpark(record))
        close_pin(pin, record);
}

static void close_one(int pin, struct number *record)
{
    if (atomic_exchange_explicit(&record->users, 0, memory_order_relaxed))
        close_number(pin);
}

static void each(void (*visit)(int pin, struct number *record))
{
    for (unsigned i = 0; i < CHUNKS; i++) {
        struct number *chunk = atomic_load_explicit(&chunks[i], memory_order_acquire);
        for (unsigned n = 0; chunk && n < CHUNK_NUMBERS; n++)
            if (atomic_load_explicit(&chunk[n].users, memory_order_relaxed))
                visit((int)(i * CHUNK_NUMBERS + n), &chunk[n]);
    }
}

/* ---- what the program does with its descriptors ------------------------------- */

void pin__closings_are_told(void)
{
    atomic_store_explicit(&closings_told, true, memory_order_relaxed);
}

bool pin__hears_of_closings(void)
{
    return atomic_load_explicit(&closings_told, memory_order_relaxed);
}

void pin__closing(int fd)
{
    struct number *number = at(fd, false);

    if (!number || atomic_load_explicit(&number->pin, memory_order_relaxed) == 0 ||
        !uaio__stats_own())
        return;
    unpark_last(fd, atomic_exchange_explicit(&number->pin, 0, memory_order_seq_cst));
}

bool pin__is(int fd)
{
    struct number *record = at(fd, false);

    return record && atomic_load_explicit(&record->users, memory_order_relaxed) != 0 &&
           uaio__stats_own();
}

int pin__origin(int pin)
{
    struct number *record = at(pin, false);

    return record ? atomic_load_explicit(&record->origin, memory_order_relaxed) : -1;
}

int pin__next(int fd)
{
    for (unsigned n = fd < 0 ? 0 : (unsigned)fd; n / CHUNK_NUMBERS < CHUNKS;) {
        if (!atomic_load_explicit(&chunks[n / CHUNK_NUMBERS], memory_order_acquire))
            n = (n / CHUNK_NUMBERS + 1) * CHUNK_NUMBERS;
        else if (pin__is((int)n))
            return (int)n;
        else
            n++;
    }
    return -1;
}

/* ---- all of them ----------------------------------------------------------- */

void pin__sweep(void)
{
    if (atomic_load_explicit(&parked, memory_order_relaxed) > 0)
        each(sweep_one);
}

void pin__reset(void)
{
    each(close_one);
    atomic_store_explicit(&parked, 0, memory_order_relaxed);
}
