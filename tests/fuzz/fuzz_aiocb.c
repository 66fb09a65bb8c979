/* SPDX-License-Identifier: MIT */
/*
 * The calls of POSIX AIO, in any order, with any control blocks.
 *
 * What must hold: a request that was accepted is over at last, its result can be
 * had once, and its notification comes once; of one that was refused none comes;
 * a call writes to nothing but its buffer and the block's private fields; all
 * ends.
 *
 * The private fields are what the input says, or a copy of another block's.  A
 * block that is in flight is not changed or submitted again: that would be the
 * program's fault; but a list may name a block twice, after which nothing is
 * said of it until all is over.
 */
#define _GNU_SOURCE
#include "fuzz.h"
#include "engine.h"
#include "stats.h"

#include <uaio/aio.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCKS 12
#define LIST 8
#define CALLS 200
#define LAST_CALL_S 10

static struct uaio_aiocb *blocks;
static const struct uaio_aiocb **list_end;

/* What is known of a block. */
static struct {
    bool flying;     /* accepted, and not seen to be over */
    bool muddled;    /* it was twice in a list */
    bool returned;   /* its result was had */
    bool certain;    /* it will be over without anybody's help */
    unsigned notice; /* its number, or 0 */
} known[BLOCKS];

/* ---- notifications -------------------------------------------------------------- */

/* A notification's value is its number and the round of numbers that it is of,
 * never used again.  One that need not come is not waited for, and may come in a
 * later round. */
#define NOTICES (1u << 16)

static atomic_int told[NOTICES]; /* the last value that came */
static bool asked[NOTICES], optional[NOTICES];
static unsigned first_notice = 1, next_notice = 1, notice_round;
static pthread_attr_t attributes;

static int value_of(unsigned notice)
{
    return (int)(notice_round * NOTICES + notice);
}

static bool is_told(unsigned notice)
{
    return atomic_load_explicit(&told[notice], memory_order_relaxed) == value_of(notice);
}

static void note(int value)
{
    atomic_int *last = &told[(unsigned)value % NOTICES];
    int before = atomic_load_explicit(last, memory_order_relaxed);

    must(value > 0, "a notification of nothing", value);
    do {
        must(before != value, "told twice", value);
        if (before > value)
            return; /* it is late, and its number in use again */
    } while (!atomic_compare_exchange_weak_explicit(last, &before, value, memory_order_relaxed,
                                                    memory_order_relaxed));
}

static void catch (int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    note(info->si_value.sival_int);
}

static void call_back(union sigval value)
{
    note(value.sival_int);
}

/* One that will come, or one that is refused.  The number, or 0 for none. */
static unsigned take_sigevent(struct input *in, struct sigevent *event)
{
    static const int wrong[] = {-1, INT_MIN, INT_MAX, 65, 128, 1 << 16};
    unsigned how = take(in);

    memset(event, how & 1 ? 0 : 0xff, sizeof *event);
    event->sigev_notify = SIGEV_NONE;
    if (how < 0x40 || next_notice == NOTICES)
        return 0;
    event->sigev_value.sival_int = value_of(next_notice);
    switch (how / 2 % 8) {
    case 0:
    case 1:
        event->sigev_notify = SIGEV_THREAD;
        event->sigev_notify_function = call_back;
        event->sigev_notify_attributes = how & 0x80 ? &attributes : NULL;
        return next_notice++;
    case 2:
    case 3:
        event->sigev_notify = SIGEV_SIGNAL;
        event->sigev_signo = SIGRTMIN + 3;
        return next_notice++;
    case 4:
        event->sigev_notify = SIGEV_SIGNAL;
        event->sigev_signo = wrong[take(in) % (sizeof wrong / sizeof *wrong)];
        return 0;
    case 5:
        event->sigev_notify = (int)take_number(in);
        if (event->sigev_notify == SIGEV_SIGNAL || event->sigev_notify == SIGEV_THREAD ||
            event->sigev_notify == SIGEV_THREAD_ID)
            event->sigev_notify = SIGEV_NONE;
        return 0;
    case 6: /* no function, or the number of no signal */
        event->sigev_notify = how & 0x80 ? SIGEV_THREAD : SIGEV_SIGNAL;
        event->sigev_notify_function = NULL;
        event->sigev_signo = 0;
        return 0;
    default:
        event->sigev_notify = SIGEV_THREAD_ID;
        event->sigev_signo = SIGRTMIN + 3;
#ifdef sigev_notify_thread_id
        event->sigev_notify_thread_id = how & 0x80 ? (pid_t)syscall(SYS_gettid) : -1;
#else
        event->_sigev_un._tid = how & 0x80 ? (pid_t)syscall(SYS_gettid) : -1;
#endif
        return how & 0x80 ? next_notice++ : 0;
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct sigaction action = {.sa_sigaction = catch, .sa_flags = SA_SIGINFO | SA_RESTART};

    (void)argc;
    (void)argv;
    fuzz_init();
    sigaction(SIGRTMIN + 3, &action, NULL);
    pthread_attr_init(&attributes);
    blocks = (struct uaio_aiocb *)(void *)end_of_memory(page_bytes()) - BLOCKS;
    list_end = (const struct uaio_aiocb **)(void *)end_of_memory(page_bytes());
    return 0;
}

/* ---- blocks -------------------------------------------------------------------- */

static bool is_busy(unsigned i)
{
    return known[i].muddled || (known[i].flying && uaio_error(&blocks[i]) == EINPROGRESS);
}

static void fill_block(struct input *in)
{
    unsigned i = take(in) % BLOCKS, how = take(in);
    struct uaio_aiocb *cb = &blocks[i];

    if (is_busy(i))
        return;
    memset(&known[i], 0, sizeof known[i]);
    memset(cb, how >= 0xc0 ? (int)take(in) : 0, sizeof *cb);
    cb->aio_fildes = take_descriptor(in);
    cb->aio_buf = (volatile void *)(uintptr_t)take_address(in);
    cb->aio_nbytes = (size_t)take_number(in);
    cb->aio_offset = (int64_t)take_number(in);
    cb->aio_lio_opcode = how & 1 ? UAIO_LIO_READ : how & 2 ? UAIO_LIO_WRITE : (int)take_number(in);
    cb->aio_reqprio = how & 4 ? (int)take_number(in) : 0;
    known[i].notice = take_sigevent(in, &cb->aio_sigevent);
}

static void copy_block(struct input *in)
{
    unsigned to = take(in) % BLOCKS, from = take(in) % BLOCKS;

    if (to == from || is_busy(to) || known[from].muddled)
        return;
    memset(&known[to], 0, sizeof known[to]);
    known[to].returned = true; /* nothing is known of it until it is submitted */
    blocks[to] = blocks[from];
    blocks[to].aio_sigevent.sigev_notify = SIGEV_NONE;
}

static void spoil_block(struct input *in)
{
    unsigned i = take(in) % BLOCKS;
    unsigned *words = blocks[i].uaio_private_2;

    if (is_busy(i))
        return;
    known[i].flying = false;
    known[i].returned = true;
    blocks[i].uaio_private_status = take(in) & 1 ? EINPROGRESS : (int)take_number(in);
    words[take(in) % 8] = (unsigned)take_number(in);
}

/* ---- submitting ---------------------------------------------------------------- */

static void note_accepted(unsigned i, bool writes)
{
    const struct uaio_aiocb *cb = &blocks[i];

    if (!writes)
        allow((uintptr_t)cb->aio_buf, cb->aio_nbytes);
    known[i].flying = true;
    known[i].returned = false;
    known[i].certain = is_certain(cb->aio_fildes);
    asked[known[i].notice] = true;
}

/* Of a block that is twice in a list nobody is told. */
static void hush(unsigned i)
{
    blocks[i].aio_sigevent.sigev_notify = SIGEV_NONE;
    known[i].notice = 0;
}

/* A notification's number is for one request. */
static void renew_notice(unsigned i)
{
    if (!known[i].notice || !asked[known[i].notice])
        return;
    if (next_notice == NOTICES) {
        hush(i);
        return;
    }
    known[i].notice = next_notice++;
    blocks[i].aio_sigevent.sigev_value.sival_int = value_of(known[i].notice);
}

static void submit(struct input *in)
{
    static const int ops[] = {O_SYNC, O_DSYNC, 0, -1, O_RDWR, INT_MAX};
    unsigned i = take(in) % BLOCKS, how = take(in) % 8;
    struct uaio_aiocb before, *cb = &blocks[i];
    int result, op = ops[how < 7 ? how % 2 : take(in) % 6];

    if (is_busy(i))
        return;
    renew_notice(i);
    before = *cb;
    result = how < 3 ? uaio_read(cb) : how < 6 ? uaio_write(cb) : uaio_fsync(op, cb);
    must(result == 0 || result == -1, "a submission's result", result);
    must(memcmp(&before, cb, offsetof(struct uaio_aiocb, uaio_private_0)) == 0 &&
             before.aio_offset == cb->aio_offset,
         "public fields were changed", i);
    if (result == 0) {
        note_accepted(i, how >= 3);
        return;
    }
    must(uaio_error(cb) == errno, "another error", uaio_error(cb));
    must(errno == EINVAL || errno == EAGAIN || errno == EBADF, "a submission's errno", errno);
    known[i].flying = false;
    known[i].returned = true;
}

/* NULL, a block, or the same one again; nothing in flight if they are to be
 * submitted. */
static int take_list(struct input *in, bool to_submit)
{
    int n = (int)(take(in) % (LIST + 1));

    for (int i = 0; i < n; i++) {
        unsigned which = take(in);
        bool none = which >= 0xe0 || (to_submit && is_busy(which % BLOCKS));
        list_end[i - n] = none ? NULL : &blocks[which % BLOCKS];
    }
    return n;
}

static unsigned index_of(const struct uaio_aiocb *cb)
{
    return (unsigned)(cb - blocks);
}

static int times_in_list(int n, const struct uaio_aiocb *cb)
{
    int times = 0;

    for (int i = 0; i < n; i++)
        times += list_end[i - n] == cb;
    return times;
}

/* One of a list: whether it was accepted is not known, where it has failed. */
static void note_listed(int n, const struct uaio_aiocb *cb)
{
    unsigned i = index_of(cb);
    bool muddled = times_in_list(n, cb) > 1;

    optional[known[i].notice] = optional[known[i].notice] || muddled || uaio_error(cb) > 0;
    note_accepted(i, cb->aio_lio_opcode == UAIO_LIO_WRITE);
    known[i].muddled = muddled;
}

/* Would it wait for ever? */
static bool may_wait(int n)
{
    for (int i = 0; i < n; i++)
        if (list_end[i - n] &&
            (!is_certain(list_end[i - n]->aio_fildes) || times_in_list(n, list_end[i - n]) > 1))
            return true;
    return false;
}

static void submit_list(struct input *in)
{
    int n = take_list(in, true), nent = n, result;
    unsigned how = take(in), notice;
    int mode = how & 1 ? UAIO_LIO_NOWAIT : UAIO_LIO_WAIT;
    struct uaio_aiocb *const *list = (struct uaio_aiocb *const *)(list_end - n);
    struct sigevent event;
    bool usable;

    notice = take_sigevent(in, &event);
    if (how >= 0xf0)
        mode = (int)take_number(in);
    else if (how >= 0xe0)
        nent = (int)take_number(in);
    if (nent > n)
        nent = how & 2 ? n : INT_MIN + nent;
    if (mode == UAIO_LIO_WAIT && may_wait(n))
        mode = UAIO_LIO_NOWAIT;
    if (how >= 0xd8 && how < 0xe0 && nent > 0)
        list = NULL;
    for (int i = 0; i < n; i++) {
        if (list_end[i - n] && times_in_list(n, list_end[i - n]) > 1)
            hush(index_of(list_end[i - n]));
        else if (list_end[i - n])
            renew_notice(index_of(list_end[i - n]));
    }
    usable = (mode == UAIO_LIO_WAIT || mode == UAIO_LIO_NOWAIT) && nent >= 0 && list;
    result = uaio_lio_listio(mode, list, nent, how & 4 ? &event : NULL);
    must(result == 0 || (result == -1 &&
                         (errno == EINVAL || errno == EIO || errno == EAGAIN || errno == EINTR)),
         "lio_listio", errno);
    if (result == -1 && errno == EINVAL)
        return;
    must(usable, "lio_listio took bad arguments", nent);
    if (mode == UAIO_LIO_NOWAIT && how & 4) {
        asked[notice] = true;
        optional[notice] = result != 0;
    }
    for (int i = 0; i < nent; i++)
        if (list[i] && list[i]->aio_lio_opcode != UAIO_LIO_NOP)
            note_listed(n, list[i]);
}

/* ---- asking -------------------------------------------------------------------- */

static void ask_error(struct input *in)
{
    unsigned i = take(in) % BLOCKS;
    int status = uaio_error(&blocks[i]);

    if (known[i].muddled || known[i].returned)
        return;
    must(status >= 0 && status < 4096, "aio_error", status);
    must(status != EINPROGRESS || known[i].flying, "in progress, but over", i);
}

static void ask_return(struct input *in)
{
    unsigned i = take(in) % BLOCKS;
    int status = uaio_error(&blocks[i]);
    ssize_t n = uaio_return(&blocks[i]);

    if (known[i].muddled || !known[i].flying || known[i].returned)
        return;
    if (n == -1 && errno == EINPROGRESS) {
        must(status == EINPROGRESS, "in progress, but over", status);
        return;
    }
    if (status == EINPROGRESS) /* it has ended between the two calls */
        status = uaio_error(&blocks[i]);
    must(n == -1 ? status == errno && status > 0 : status == 0 && n >= 0, "aio_return", status);
    known[i].returned = true;
    must(uaio_return(&blocks[i]) == -1 && errno == EINVAL, "aio_return again", errno);
}

static void suspend(struct input *in)
{
    int n = take_list(in, false), nent = n, result;
    unsigned how = take(in);
    struct timespec time = {0, how & 1 ? (long)take(in) * 1000 : 0};
    bool ends = n == 0;

    for (int i = 0; i < n; i++) {
        const struct uaio_aiocb *cb = list_end[i - n];
        if (cb && !known[index_of(cb)].muddled && known[index_of(cb)].flying &&
            known[index_of(cb)].certain)
            ends = true;
    }
    if (how >= 0xf0)
        nent = n == 0 ? 0 : -(int)(take(in) + 1);
    if (how >= 0xc0) {
        time.tv_sec = (time_t)take_number(in);
        time.tv_nsec = (long)take_number(in);
        if (!ends && time.tv_sec >= 0 && time.tv_nsec >= 0)
            time.tv_sec = time.tv_nsec = 0;
    }
    result = uaio_suspend(list_end - n, nent, ends && how & 8 ? NULL : &time);
    must(result == 0 || (result == -1 && (errno == EAGAIN || errno == EINTR || errno == EINVAL)),
         "aio_suspend", errno);
}

static void cancel(struct input *in)
{
    unsigned i = take(in) % BLOCKS, how = take(in);
    int fd = how & 1 ? blocks[i].aio_fildes : take_descriptor(in);
    int result = uaio_cancel(fd, how & 2 ? NULL : &blocks[i]);

    must(result == UAIO_CANCELED || result == UAIO_NOTCANCELED || result == UAIO_ALLDONE ||
             (result == -1 && (errno == EBADF || errno == EINVAL)),
         "aio_cancel", result);
    must(how & 2 || result != UAIO_CANCELED || known[i].muddled || known[i].returned ||
             uaio_error(&blocks[i]) != EINPROGRESS,
         "cancelled, but in progress", i);
}

static void call_with_null(struct input *in)
{
    switch (take(in) % 5) {
    case 0:
        must(uaio_read(NULL) == -1 && errno == EINVAL, "aio_read(NULL)", errno);
        break;
    case 1:
        must(uaio_write(NULL) == -1 && errno == EINVAL, "aio_write(NULL)", errno);
        break;
    case 2:
        must(uaio_fsync(O_SYNC, NULL) == -1 && errno == EINVAL, "aio_fsync(NULL)", errno);
        break;
    case 3:
        must(uaio_error(NULL) == EINVAL, "aio_error(NULL)", 0);
        break;
    default:
        must(uaio_return(NULL) == -1 && errno == EINVAL, "aio_return(NULL)", errno);
        break;
    }
}

/* ---- one input ------------------------------------------------------------------ */

static uint64_t submitted(void)
{
    return uaio__stat(STAT_READS) + uaio__stat(STAT_WRITES) + uaio__stat(STAT_SYNCS);
}

static uint64_t over(void)
{
    return uaio__stat(STAT_COMPLETED) + uaio__stat(STAT_FAILED) + uaio__stat(STAT_CANCELED);
}

static bool are_all_over(void)
{
    for (unsigned i = 0; i < BLOCKS; i++)
        if (is_busy(i) && !known[i].muddled)
            return false;
    for (unsigned n = first_notice; n < next_notice; n++)
        if (asked[n] && !optional[n] && !is_told(n))
            return false;
    return over() == submitted();
}

/* Whatever is in flight ends: by cancellation, or as its other end is gone. */
static void finish(void)
{
    for (unsigned i = 0; i < BLOCKS; i++)
        if (fcntl(blocks[i].aio_fildes, F_GETFL) >= 0)
            uaio_cancel(blocks[i].aio_fildes, NULL);
    close_peers();
    for (int i = 0; !are_all_over(); i++) {
        must(i < LAST_CALL_S * 10000, "a request or its notification was lost",
             (long)(submitted() - over()));
        usleep(100);
    }
    for (unsigned n = first_notice; n < next_notice; n++)
        must(asked[n] || !is_told(n), "told of what was refused", n);
    first_notice = next_notice;
    if (next_notice > NOTICES / 2) {
        notice_round++;
        first_notice = next_notice = 1;
        memset(asked, 0, sizeof asked);
        memset(optional, 0, sizeof optional);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct input in = {data, data + nbytes};

    fuzz_begin();
    memset(blocks, 0, BLOCKS * sizeof *blocks);
    memset(known, 0, sizeof known);
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i].aio_fildes = -1;
        blocks[i].aio_sigevent.sigev_notify = SIGEV_NONE;
        known[i].returned = true;
    }
    for (int i = 0; is_left(&in) && i < CALLS; i++) {
        unsigned what = take(&in);
        if (what < 0x50)
            fill_block(&in);
        else if (what < 0x80)
            submit(&in);
        else if (what < 0xa0)
            submit_list(&in);
        else if (what < 0xb0)
            ask_error(&in);
        else if (what < 0xc0)
            ask_return(&in);
        else if (what < 0xd0)
            suspend(&in);
        else if (what < 0xe0)
            cancel(&in);
        else if (what < 0xf0)
            copy_block(&in);
        else if (what < 0xf8)
            spoil_block(&in);
        else
            call_with_null(&in);
    }
    finish();
    fuzz_end();
    return 0;
}
