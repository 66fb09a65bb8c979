/* SPDX-License-Identifier: MIT */
/*
 * The calls of native AIO, in any order, with any iocb, pointers and counts.
 *
 * What must hold: each accepted request has exactly one event, with the data
 * and address of its iocb and a result that can be; a call writes to what it is
 * to write to alone; no call on what is no context succeeds; all ends.
 *
 * A wait without a timeout is made only if it must end: what is in flight on
 * regular files is known.  UAIO_FUZZ_KERNEL=1 asks the kernel about each iocb
 * that is refused, too: it has to give the same error.
 */
#define _GNU_SOURCE
#include "fuzz.h"
#include "abi.h"
#include "linux.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define CONTEXTS 3
#define SLOTS 16 /* iocbs at once */
#define FILLS 64 /* iocbs in one input */
#define SEGMENTS 8
#define LIST 8
#define EVENTS 64
#define CALLS 200
#define LAST_CALL_S 10

struct tracked {
    unsigned long ctx; /* 0: none */
    unsigned flying[FILLS];
    long certain; /* of these: on regular files */
};

/* An iocb's data is SALT + the number of its filling. */
#define SALT UINT64_C(0x5a17000000)

static struct tracked contexts[CONTEXTS];
static unsigned char *slots, *lists, *events_end;
static struct iovec *segments;
static struct {
    uint64_t object;
    uint64_t nbytes;
    bool certain; /* as far as known at its last submission */
} fills[FILLS];
static unsigned filled;
static unsigned long kernel_context;

/* Of its own alignment each. */
static unsigned char *slot(unsigned i)
{
    return slots + i * (sizeof(struct linux_iocb) + 8) + i % 8;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    size_t bytes = SLOTS * (sizeof(struct linux_iocb) + 8) + 8;

    (void)argc;
    (void)argv;
    fuzz_init();
    slots = end_of_memory(bytes) - bytes;
    lists = end_of_memory(page_bytes());
    events_end = end_of_memory(page_bytes());
    segments = (struct iovec *)(void *)(end_of_memory(page_bytes())) - SEGMENTS;
    if (getenv("UAIO_FUZZ_KERNEL"))
        must(syscall(SYS_io_setup, 8, &kernel_context) == 0, "the kernel has no native AIO", errno);
    return 0;
}

/* ---- iocbs --------------------------------------------------------------------- */

static bool is_vectored(unsigned opcode)
{
    return opcode == IOCB_PREADV || opcode == IOCB_PWRITEV;
}

static uint64_t take_segments(struct input *in, uint64_t *n)
{
    unsigned how = take(in), first = how % SEGMENTS, count = how / SEGMENTS % SEGMENTS;

    if (how >= 0xf0) {
        *n = take_number(in);
        return take_bad_address(in);
    }
    for (unsigned i = first; i < SEGMENTS && i < first + count; i++) {
        segments[i].iov_base = (void *)(uintptr_t)take_address(in);
        segments[i].iov_len = (size_t)take_number(in);
    }
    *n = how >= 0xe0 ? take_number(in) : count;
    return (uintptr_t)&segments[first];
}

/* What is seldom anything but 0. */
static uint64_t take_rare(struct input *in, unsigned nbytes)
{
    return take(in) < 0xe0 ? 0 : take_bytes(in, nbytes);
}

static unsigned take_opcode(struct input *in)
{
    static const uint8_t known[] = {IOCB_PREAD,  IOCB_PWRITE, IOCB_FSYNC,  IOCB_FDSYNC,
                                    IOCB_PREADV, IOCB_POLL,   IOCB_PWRITEV};
    unsigned how = take(in);

    return how < 0xe0 ? known[how % sizeof known] : (unsigned)take_bytes(in, 2);
}

static void fill_iocb(struct input *in)
{
    unsigned char *to = slot(take(in) % SLOTS);
    struct linux_iocb iocb = {0};

    if (filled == FILLS)
        return;
    iocb.data = SALT + filled;
    iocb.opcode = (uint16_t)take_opcode(in);
    iocb.fildes = (uint32_t)take_descriptor(in);
    if (iocb.opcode == IOCB_POLL) {
        iocb.buf = take(in) < 0xf0 ? take_bytes(in, 2) : take_number(in);
    } else if (is_vectored(iocb.opcode)) {
        iocb.buf = take_segments(in, &iocb.nbytes);
    } else if (iocb.opcode <= IOCB_PWRITE || take(in) >= 0xe0) {
        iocb.buf = take_address(in);
        iocb.nbytes = take_number(in);
    }
    if (iocb.opcode <= IOCB_PWRITE || is_vectored(iocb.opcode) || take(in) >= 0xe0)
        iocb.offset = (int64_t)take_number(in);
    iocb.flags = (uint32_t)take_rare(in, 1);
    iocb.resfd = (uint32_t)(iocb.flags ? take_eventfd(in) : 0);
    iocb.reqprio = (int16_t)(iocb.flags ? take_bytes(in, 2) : 0);
    iocb.rw_flags = (uint32_t)take_rare(in, 2);
    iocb.key = (uint32_t)take_rare(in, 1);
    iocb.reserved2 = take_rare(in, 1);
    fills[filled].object = (uintptr_t)to;
    memcpy(to, &iocb, sizeof iocb);
    filled++;
}

/* One of the slots, or a pointer that is bad. */
static uint64_t take_iocb(struct input *in)
{
    unsigned how = take(in);

    return how < 0xf0 ? (uintptr_t)slot(how % SLOTS) : take_bad_address(in);
}

static bool is_slot(uint64_t address)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (address == (uintptr_t)slot(i))
            return true;
    return false;
}

/* ---- contexts ------------------------------------------------------------------ */

/* NULL, and a value that is no context, or one of those there are. */
static struct tracked *take_context(struct input *in, unsigned long *value)
{
    static unsigned long local;
    unsigned how = take(in);
    struct tracked *t = &contexts[how % CONTEXTS];

    *value = t->ctx;
    if (how >= 0xf0)
        *value = (unsigned long)take_address(in);
    else if (how >= 0xec)
        *value = (uintptr_t)&local;
    else if (how >= 0xe8 && t->ctx)
        *value = t->ctx + (how % 2 ? 1 : page_bytes());
    for (unsigned i = 0; i < CONTEXTS; i++)
        if (*value && contexts[i].ctx == *value)
            return &contexts[i];
    return NULL;
}

static void set_up(struct input *in)
{
    struct tracked *t = &contexts[take(in) % CONTEXTS];
    unsigned nr = (unsigned)take_number(in), how = take(in);
    unsigned long ctx = 0;
    int err;

    if (nr > 4096 && how < 0xf0)
        nr %= 4096; /* for the speed */
    if (how >= 0xe0) {
        ctx = (unsigned long)take_bytes(in, 8);
        err = how >= 0xf0 ? linux__setup(nr, (unsigned long *)(uintptr_t)take_bad_address(in))
              : ctx       ? linux__setup(nr, &ctx)
                          : -EINVAL;
        must(err < 0, "io_setup with a bad argument", err);
        return;
    }
    if (t->ctx)
        return;
    err = linux__setup(nr, &ctx);
    must(err == 0 || (ctx == 0 && err >= -4095 && err < 0), "io_setup", err);
    memset(t, 0, sizeof *t);
    t->ctx = ctx;
}

static bool is_anything_flying(void)
{
    for (unsigned i = 0; i < CONTEXTS; i++)
        for (unsigned n = 0; n < FILLS; n++)
            if (contexts[i].flying[n])
                return true;
    return false;
}

static void destroy(struct tracked *t, unsigned long ctx)
{
    int err = linux__destroy(ctx);

    must(t ? err == 0 : err == -EINVAL, "io_destroy", err);
    if (!t)
        return;
    memset(t, 0, sizeof *t);
    must(linux__destroy(ctx) == -EINVAL, "io_destroy again", 0);
    /* "After it returns no [...] buffer of the context is touched." */
    if (!is_anything_flying())
        check_data();
}

/* ---- submitting ---------------------------------------------------------------- */

static void allow_all(const struct linux_iocb *iocb)
{
    const struct iovec *segment = (const struct iovec *)(uintptr_t)iocb->buf;

    if (iocb->opcode == IOCB_PREAD)
        allow(iocb->buf, iocb->nbytes);
    for (uint64_t i = 0; iocb->opcode == IOCB_PREADV && i < iocb->nbytes; i++)
        allow((uintptr_t)segment[i].iov_base, segment[i].iov_len);
}

/* It was accepted: with what stands there now. */
static void note_accepted(struct tracked *t, uint64_t address)
{
    struct linux_iocb iocb;
    uint64_t n;

    must(is_slot(address), "a bad pointer was accepted", (long)address);
    memcpy(&iocb, (const void *)(uintptr_t)address, sizeof iocb);
    n = iocb.data - SALT;
    must(n < filled && iocb.key == 0, "the iocb has been changed", (long)n);
    allow_all(&iocb);
    fills[n].certain = is_certain((int)iocb.fildes);
    fills[n].nbytes =
        is_vectored(iocb.opcode) || iocb.opcode == IOCB_POLL ? INT32_MAX : iocb.nbytes;
    t->flying[n]++;
    t->certain += fills[n].certain;
}

/* All of it but `key`, which may have become 0. */
static void check_iocbs(const unsigned char *before)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        struct linux_iocb old, new;
        memcpy(&old, before + i * sizeof old, sizeof old);
        memcpy(&new, slot(i), sizeof new);
        if (new.key == 0)
            old.key = 0;
        must(memcmp(&old, &new, sizeof old) == 0, "an iocb was changed", (long)i);
    }
}

static void compare_with_kernel(void *list, long nr, uint64_t first, long err)
{
    long theirs;

    if (!kernel_context || nr <= 0 || err >= 0 || err == -EAGAIN)
        return;
    theirs = syscall(SYS_io_submit, kernel_context, 1L, list);
    if (theirs < 0)
        theirs = -errno;
    /* Of two faults the kernel may see another first. */
    if (theirs == err || (err == -EFAULT && theirs == -EINVAL) ||
        (err == -EINVAL && theirs == -EFAULT))
        return;
    fprintf(stderr, "list %p, iocb %#llx\n", list, (unsigned long long)first);
    if (is_slot(first)) {
        struct linux_iocb cb;
        memcpy(&cb, (const void *)(uintptr_t)first, sizeof cb);
        fprintf(stderr, "opcode %u, descriptor %d, %#llx bytes at %#llx, offset %#llx\n", cb.opcode,
                (int)cb.fildes, (unsigned long long)cb.nbytes, (unsigned long long)cb.buf,
                (unsigned long long)cb.offset);
        fprintf(stderr, "flags %#x, resfd %d, priority %#x, rw_flags %#x\n", cb.flags,
                (int)cb.resfd, (unsigned)cb.reqprio, cb.rw_flags);
    }
    fprintf(stderr, "error %ld, the kernel's %ld\n", err, theirs);
    fail("the kernel's error is another", err);
}

static void submit(struct input *in)
{
    unsigned char before[SLOTS * sizeof(struct linux_iocb)], *list;
    unsigned how = take(in), n = how % (LIST + 1);
    uintptr_t pointers[LIST];
    unsigned long ctx;
    struct tracked *t = take_context(in, &ctx);
    long nr = (long)n, result;

    for (unsigned i = 0; i < n; i++)
        pointers[i] = (uintptr_t)take_iocb(in);
    if (how >= 0xe0)
        nr = (long)take_number(in);
    list = lists - n * sizeof *pointers;
    if (n > 0 && how % 16 == 15) /* the last one goes beyond the end */
        list++;
    memcpy(list, pointers, (n - (list + n * sizeof *pointers > lists)) * sizeof *pointers);
    if (how >= 0xf8)
        list = (unsigned char *)(uintptr_t)take_bad_address(in);
    for (unsigned i = 0; i < SLOTS; i++)
        memcpy(before + i * sizeof(struct linux_iocb), slot(i), sizeof(struct linux_iocb));
    result = linux__submit(ctx, nr, (void *const *)(void *)list);
    must(result >= -4095 && result <= (long)n && (t || result < 0), "io_submit", result);
    check_iocbs(before);
    for (long i = 0; i < result; i++)
        note_accepted(t, pointers[i]);
    if (t)
        compare_with_kernel(list, nr, n > 0 ? pointers[0] : 0, result);
}

/* ---- reaping ------------------------------------------------------------------- */

static void note_event(struct tracked *t, const struct linux_event *event)
{
    uint64_t n = event->data - SALT;

    must(n < filled && t->flying[n] > 0, "an event of no request", (long)n);
    must(event->obj == fills[n].object, "an event of another iocb", (long)n);
    must(event->res2 == 0 && event->res >= -4095 && event->res <= (int64_t)INT32_MAX &&
             (event->res < 0 || (uint64_t)event->res <= fills[n].nbytes),
         "an impossible result", (long)event->res);
    t->flying[n]--;
    t->certain -= fills[n].certain;
}

static unsigned char *take_events(struct input *in, long *room)
{
    unsigned how = take(in);

    *room = (long)(how % (EVENTS + 1));
    if (how >= 0xf0) {
        *room = 0;
        return (unsigned char *)(uintptr_t)take_bad_address(in);
    }
    return events_end - (size_t)*room * sizeof(struct linux_event) - (how >= 0x80 ? how % 8 : 0);
}

#define CANARY 0x5c

/* Nothing but the events was written. */
static void check_events(struct tracked *t, const unsigned char *events, long n)
{
    size_t nbytes = (size_t)n * sizeof(struct linux_event);

    for (const unsigned char *at = events_end - page_bytes(); at < events_end; at++)
        if ((uintptr_t)at - (uintptr_t)events >= nbytes)
            must(*at == CANARY, "stray write beside the events at", (long)*at);
    for (long i = 0; i < n; i++) {
        struct linux_event event;
        memcpy(&event, events + (size_t)i * sizeof event, sizeof event);
        note_event(t, &event);
    }
}

static long get_events(struct tracked *t, unsigned long ctx, long min_nr, long nr,
                       unsigned char *events, long room, const void *timeout, bool masked)
{
    uint64_t no_signal = 0;
    long n;

    memset(events_end - page_bytes(), CANARY, page_bytes());
    n = masked ? linux__pgetevents(ctx, min_nr, nr, events, timeout, LINUX_TIME_64, &no_signal,
                                   sizeof no_signal)
               : linux__getevents(ctx, min_nr, nr, events, timeout, LINUX_TIME_64);
    must(n >= -4095 && n <= room && n <= (nr > 0 ? nr : 0), "io_getevents", n);
    must(t || n < 0, "io_getevents of no context", n);
    if (t)
        check_events(t, events, n > 0 ? n : 0);
    return n;
}

static void reap(struct input *in)
{
    unsigned long ctx;
    struct tracked *t = take_context(in, &ctx);
    long min_nr = (long)take_number(in), nr = (long)take_number(in), room;
    unsigned char *events = take_events(in, &room);
    unsigned how = take(in);
    bool ends = !t || min_nr <= t->certain;
    int64_t time[2] = {0, 0};

    if (how >= 0xf0) {
        void *bad = (void *)(uintptr_t)take_bad_address(in);
        get_events(t, ctx, min_nr, nr, events, room, bad || ends ? bad : time, how & 1);
        return;
    }
    if (how >= 0xc0) {
        time[0] = (int64_t)take_number(in);
        time[1] = (int64_t)take_number(in);
        if (!ends && time[0] >= 0 && time[1] >= 0)
            time[0] = time[1] = 0;
    } else if (how >= 0x80) {
        time[1] = (int64_t)take(in) * 100;
    }
    get_events(t, ctx, min_nr, nr, events, room, ends && how >= 0x60 && how < 0x80 ? NULL : time,
               how & 1);
}

static void cancel(struct input *in)
{
    static const struct linux_event untouched;
    struct linux_event event = untouched;
    unsigned long ctx;
    struct tracked *t = take_context(in, &ctx);
    uint64_t iocb = take_iocb(in);
    int err = linux__cancel(ctx, (void *)(uintptr_t)iocb, &event);

    must(err == -EINPROGRESS || err == -EINVAL || err == -EFAULT, "io_cancel", err);
    must(err != -EINPROGRESS || t, "io_cancel in no context", 0);
    must(memcmp(&event, &untouched, sizeof event) == 0, "io_cancel has written an event", 0);
}

/* ---- one input ------------------------------------------------------------------ */

static bool is_flying(const struct tracked *t)
{
    for (unsigned n = 0; n < FILLS; n++)
        if (t->flying[n])
            return true;
    return false;
}

/* Whatever is in flight ends: by cancellation, or as its other end is gone. */
static void finish(struct tracked *t)
{
    const int64_t soon[2] = {0, 100000000};
    struct linux_iocb *iocb;

    for (unsigned i = 0; i < SLOTS; i++) {
        iocb = (struct linux_iocb *)(void *)slot(i);
        memset((char *)iocb + offsetof(struct linux_iocb, key), 0, sizeof iocb->key);
        while (linux__cancel(t->ctx, iocb, NULL) == -EINPROGRESS)
            ;
    }
    close_peers();
    for (int i = 0; is_flying(t); i++) {
        must(i < LAST_CALL_S * 10, "a request was lost", (long)t->certain);
        get_events(t, t->ctx, 1, EVENTS, events_end - EVENTS * sizeof(struct linux_event), EVENTS,
                   soon, false);
    }
    get_events(t, t->ctx, 0, EVENTS, events_end - EVENTS * sizeof(struct linux_event), EVENTS, soon,
               false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct input in = {data, data + nbytes};
    unsigned long ctx;

    fuzz_begin();
    filled = 0;
    memset(slots, 0, SLOTS * (sizeof(struct linux_iocb) + 8) + 8);
    memset(segments, 0, SEGMENTS * sizeof *segments);
    for (unsigned i = 0; i < SLOTS; i++) /* of no descriptor */
        memset(slot(i) + offsetof(struct linux_iocb, fildes), 0xff, 4);
    linux__setup(4, &contexts[0].ctx);
    for (int i = 0; is_left(&in) && i < CALLS; i++) {
        unsigned what = take(&in);
        if (what < 0x70) {
            fill_iocb(&in);
        } else if (what < 0xb0) {
            submit(&in);
        } else if (what < 0xd0) {
            reap(&in);
        } else if (what < 0xe0) {
            cancel(&in);
        } else if (what < 0xf0) {
            set_up(&in);
        } else if (what < 0xf8) {
            close_some(&in);
        } else {
            struct tracked *t = take_context(&in, &ctx);
            destroy(t, ctx);
        }
    }
    for (unsigned i = 0; i < CONTEXTS; i++)
        if (contexts[i].ctx)
            finish(&contexts[i]);
    for (unsigned i = 0; i < CONTEXTS; i++)
        if (contexts[i].ctx)
            destroy(&contexts[i], contexts[i].ctx);
    fuzz_end();
    return 0;
}
