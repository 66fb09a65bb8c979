/* SPDX-License-Identifier: MIT */
/* lio_listio(). */
#include "helpers.h"

#define ENTRIES 32

static struct aiocb cbs[ENTRIES];
static struct aiocb *list[ENTRIES];
static char bytes[ENTRIES];

/* Entries that each read the byte of their index from fd. */
static void prep_reads(int fd)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        bytes[i] = 0;
        prep(&cbs[i], fd, &bytes[i], 1, (off_t)i);
        cbs[i].aio_lio_opcode = LIO_READ;
        list[i] = &cbs[i];
    }
}

static void check_reads(void)
{
    for (size_t i = 0; i < ENTRIES; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
    ck_assert(is_pattern(bytes, ENTRIES, 0));
}

/* "LIO_READ, LIO_WRITE", "LIO_WAIT: returns when all are done" */
START_TEST(wait_does_reads_and_writes_and_returns_when_all_are_done)
{
    char buf[10];
    int in = temp_file(ENTRIES), out = temp_file(0);

    if (_i > 0)
        queue_everything();
    prep_reads(in);
    for (size_t i = 0; i < ENTRIES; i += 2) {
        prep(&cbs[i], out, "written", 7, (off_t)i * 10);
        cbs[i].aio_lio_opcode = LIO_WRITE;
    }
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, ENTRIES, NULL), 0);
    for (size_t i = 0; i < ENTRIES; i++) {
        ck_assert_int_eq(aio_error(&cbs[i]), 0);
        ck_assert_int_eq(aio_return(&cbs[i]), i % 2 == 0 ? 7 : 1);
        if (i % 2 == 0) {
            ck_assert_int_eq(pread(out, buf, 7, (off_t)i * 10), 7);
            ck_assert_mem_eq(buf, "written", 7);
        } else {
            ck_assert(is_pattern(&bytes[i], 1, i));
        }
    }
}
END_TEST

START_TEST(nowait_does_reads_and_writes)
{
    if (_i > 0)
        queue_everything();
    prep_reads(temp_file(ENTRIES));
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, ENTRIES, NULL), 0);
    check_reads();
}
END_TEST

/* "LIO_NOP (ignored)" */
START_TEST(nop_is_ignored)
{
    const int modes[] = {LIO_WAIT, LIO_NOWAIT};
    int fd = temp_file(ENTRIES);

    for (size_t m = 0; m < COUNT(modes); m++) {
        prep_reads(fd);
        for (size_t i = 0; i < ENTRIES; i += 3) {
            memset(&cbs[i], 0xa5, sizeof cbs[i]);
            cbs[i].aio_lio_opcode = LIO_NOP;
        }
        ck_assert_int_eq(lio_listio(modes[m], list, ENTRIES, NULL), 0);
        for (size_t i = 0; i < ENTRIES; i++) {
            if (i % 3 != 0) {
                ck_assert_int_eq(finish(&cbs[i]), 1);
                ck_assert(is_pattern(&bytes[i], 1, i));
            }
        }
    }
}
END_TEST

/* "NULL entries ignored" */
START_TEST(null_entries_are_ignored)
{
    const int modes[] = {LIO_WAIT, LIO_NOWAIT};
    int fd = temp_file(ENTRIES);

    for (size_t m = 0; m < COUNT(modes); m++) {
        prep_reads(fd);
        for (size_t i = 0; i < ENTRIES; i += 3)
            list[i] = NULL;
        ck_assert_int_eq(lio_listio(modes[m], list, ENTRIES, NULL), 0);
        for (size_t i = 0; i < ENTRIES; i++) {
            if (list[i] != NULL) {
                ck_assert_int_eq(finish(&cbs[i]), 1);
                ck_assert(is_pattern(&bytes[i], 1, i));
            }
        }
    }
}
END_TEST

START_TEST(an_empty_list_is_done_at_once)
{
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, 0, NULL), 0);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, 0, NULL), 0);
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, ENTRIES, NULL), 0);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, ENTRIES, NULL), 0);
}
END_TEST

/* Writes to a file that has to stay empty: nothing was started. */
static void prep_forbidden_writes(int fd)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        prep(&cbs[i], fd, "x", 1, (off_t)i);
        cbs[i].aio_lio_opcode = LIO_WRITE;
        list[i] = &cbs[i];
    }
}

static void check_nothing_started(int fd)
{
    let_others_run();
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 0);
    for (size_t i = 0; i < ENTRIES; i++)
        ck_assert_int_ne(aio_error(&cbs[i]), EINPROGRESS);
}

/* "bad mode [...]: EINVAL and nothing started" */
START_TEST(einval_for_a_bad_mode_and_nothing_started)
{
    const int modes[] = {-1, 2, 99, INT_MAX};
    int fd = temp_file(0);

    prep_forbidden_writes(fd);
    for (size_t i = 0; i < COUNT(modes); i++) {
        ck_assert_int_eq(lio_listio(modes[i], list, ENTRIES, NULL), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
    check_nothing_started(fd);
}
END_TEST

/* "count < 0: EINVAL and nothing started" */
START_TEST(einval_for_a_negative_count_and_nothing_started)
{
    int fd = temp_file(0);

    prep_forbidden_writes(fd);
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, -1, NULL), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, INT_MIN, NULL), -1);
    ck_assert_int_eq(errno, EINVAL);
    check_nothing_started(fd);
}
END_TEST

/* The list's own sigevent is checked like every other, before anything starts. */
START_TEST(einval_for_a_bad_sig_and_nothing_started)
{
    struct sigevent sig;
    int fd = temp_file(0);

    prep_forbidden_writes(fd);
    memset(&sig, 0, sizeof sig);
    sig.sigev_notify = 99;
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, ENTRIES, &sig), -1);
    ck_assert_int_eq(errno, EINVAL);
    sig.sigev_notify = SIGEV_SIGNAL;
    sig.sigev_signo = SIGRTMAX + 1;
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, ENTRIES, &sig), -1);
    ck_assert_int_eq(errno, EINVAL);
    check_nothing_started(fd);
}
END_TEST

/* "AIO_LISTIO_MAX unlimited here." */
START_TEST(a_list_may_be_very_long)
{
    const size_t n = SANITIZED ? 20000 : 100000;
    struct aiocb *many = calloc(n, sizeof *many);
    struct aiocb **long_list = calloc(n, sizeof *long_list);
    char *to = calloc(n, 1);
    int fd = temp_file(n);

    ck_assert(many != NULL && long_list != NULL && to != NULL);
    for (size_t i = 0; i < n; i++) {
        prep(&many[i], fd, &to[i], 1, (off_t)i);
        many[i].aio_lio_opcode = LIO_READ;
        long_list[i] = &many[i];
    }
    ck_assert_int_eq(lio_listio(LIO_WAIT, long_list, (int)n, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(aio_error(&many[i]), 0);
        ck_assert_int_eq(aio_return(&many[i]), 1);
    }
    ck_assert(is_pattern(to, n, 0));
    free(many);
    free(long_list);
    free(to);
}
END_TEST

/*
 * "An entry with an unknown opcode: its aio_error is EINVAL and the call gives
 * EIO; the others run."  "Internal opcodes never leak out: lio opcodes 3, 4,
 * 128 are invalid like any other."
 */
static void unknown_opcodes_in(int mode)
{
    const int opcodes[] = {3, 4, 5, 6, 128, 129, 99, -1, INT_MAX, INT_MIN};
    int fd = temp_file(ENTRIES);

    for (size_t k = 0; k < COUNT(opcodes); k++) {
        prep_reads(fd);
        cbs[5].aio_lio_opcode = opcodes[k];
        errno = 0;
        ck_assert_msg(lio_listio(mode, list, ENTRIES, NULL) == -1, "opcode %d", opcodes[k]);
        ck_assert_int_eq(errno, EIO);
        for (size_t i = 0; i < ENTRIES; i++) {
            if (i == 5)
                continue;
            ck_assert_int_eq(finish(&cbs[i]), 1);
            ck_assert(is_pattern(&bytes[i], 1, i));
        }
        ck_assert_int_eq(aio_error(&cbs[5]), EINVAL);
        ck_assert_int_eq(bytes[5], 0);
    }
}

START_TEST(unknown_opcode_is_einval_and_eio_with_wait)
{
    unknown_opcodes_in(LIO_WAIT);
}
END_TEST

START_TEST(unknown_opcode_is_einval_and_eio_with_nowait)
{
    unknown_opcodes_in(LIO_NOWAIT);
}
END_TEST

/* "LIO_WAIT: [...] sig ignored": sent nowhere, and not even looked at. */
START_TEST(wait_ignores_sig)
{
    struct sigevent sig;

    block_signal(SIGRTMIN);
    prep_reads(temp_file(ENTRIES));
    notify_by_signal(&sig, SIGRTMIN, NULL);
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, ENTRIES, &sig), 0);
    check_reads();
    memset(&sig, 0xa5, sizeof sig);
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, ENTRIES, &sig), 0);
    check_reads();
    let_others_run();
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

/* "LIO_WAIT: [...] EIO if any failed (look at each aio_error)" */
START_TEST(wait_gives_eio_if_any_failed)
{
    prep_reads(temp_file(ENTRIES));
    cbs[7].aio_fildes = closed_fd();
    cbs[9].aio_buf = (volatile void *)(uintptr_t)8;
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, ENTRIES, NULL), -1);
    ck_assert_int_eq(errno, EIO);
    for (size_t i = 0; i < ENTRIES; i++) {
        if (i == 7) {
            finish_with(&cbs[i], EBADF);
        } else if (i == 9) {
            finish_with(&cbs[i], EFAULT);
        } else {
            ck_assert_int_eq(aio_error(&cbs[i]), 0);
            ck_assert_int_eq(aio_return(&cbs[i]), 1);
        }
    }
}
END_TEST

/* The same with an entry that aio_read() itself would refuse. */
START_TEST(wait_gives_eio_if_an_entry_is_not_valid)
{
    prep_reads(temp_file(ENTRIES));
    cbs[3].aio_reqprio = -1;
    cbs[7].aio_offset = -1;
    cbs[9].aio_nbytes = SIZE_MAX;
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, ENTRIES, NULL), -1);
    ck_assert_int_eq(errno, EIO);
    for (size_t i = 0; i < ENTRIES; i++) {
        if (i == 3 || i == 7 || i == 9)
            ck_assert_int_eq(aio_error(&cbs[i]), EINVAL);
        else
            ck_assert_int_eq(finish(&cbs[i]), 1);
    }
}
END_TEST

static int cancel_fd;
static struct gate gate;

static void *cancel_then_open(void *argument)
{
    gate_await(&gate, 0);
    while (aio_cancel(cancel_fd, NULL) == AIO_ALLDONE)
        sched_yield(); /* its entry is not submitted yet */
    gate_open(&gate, 0);
    return argument;
}

/* "LIO_WAIT: [...] EIO if any failed": one that another thread cancels counts. */
START_TEST(wait_gives_eio_if_one_was_cancelled)
{
    pthread_t thread;

    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    cancel_fd = temp_file(ENTRIES);
    prep_reads(temp_file(ENTRIES));
    cbs[0].aio_buf = gate_page(&gate, 0);
    cbs[20].aio_fildes = cancel_fd;
    start_thread(&thread, cancel_then_open, NULL);
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, ENTRIES, NULL), -1);
    ck_assert_int_eq(errno, EIO);
    join_thread(thread);
    for (size_t i = 0; i < ENTRIES; i++)
        ck_assert_int_eq(aio_error(&cbs[i]), i == 20 ? ECANCELED : 0);
}
END_TEST

static atomic_int interruptions;

static void count_interruption(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    (void)context;
    atomic_fetch_add(&interruptions, 1);
}

/* Submits with the list on this frame, and gives errno. */
static __attribute__((noinline)) int wait_on_a_frame(int n)
{
    struct aiocb *frame_list[ENTRIES];
    struct sigevent frame_sig;

    memcpy(frame_list, list, sizeof frame_list);
    memset(&frame_sig, 0xa5, sizeof frame_sig);
    errno = 0;
    if (lio_listio(LIO_WAIT, frame_list, n, &frame_sig) == 0)
        return 0;
    return errno;
}

static __attribute__((noinline)) void overwrite_dead_frames(int value)
{
    volatile char dead[32768];

    for (size_t i = 0; i < sizeof dead; i++)
        dead[i] = (char)value;
}

/*
 * "EINTR leaves the requests running and no memory of the call's in use": the
 * list was on a stack frame that is gone, and written over, when they end.
 */
START_TEST(wait_interrupted_leaves_the_requests_running_and_no_memory_in_use)
{
    int fd = temp_file(ENTRIES);

    queue_everything();
    MAKE_GATE(&gate, 20);
    handle(SIGUSR1, count_interruption, _i == 0 ? 0 : SA_RESTART);
    for (unsigned round = 0; round < 20; round++) {
        prep_reads(fd);
        cbs[ENTRIES - 1].aio_buf = gate_page(&gate, round);
        storm_begin(SIGUSR1, 500);
        ck_assert_int_eq(wait_on_a_frame(ENTRIES), EINTR);
        storm_end();
        overwrite_dead_frames(round % 2 == 0 ? 0xa5 : 0);
        ck_assert_int_eq(aio_error(&cbs[ENTRIES - 1]), EINPROGRESS);
        gate_open(&gate, round);
        for (size_t i = 0; i < ENTRIES; i++)
            ck_assert_int_eq(finish(&cbs[i]), 1);
        overwrite_dead_frames(0xff);
        ck_assert(is_pattern(bytes, ENTRIES - 1, 0));
        ck_assert(is_pattern(gate_page(&gate, round), 1, ENTRIES - 1));
    }
    ck_assert_int_ge(atomic_load(&interruptions), 20);
}
END_TEST

/* "LIO_NOWAIT: each aiocb's own notification fires" */
START_TEST(nowait_notifies_of_each_entry)
{
    bool seen[ENTRIES] = {false};
    siginfo_t info;

    block_signal(SIGRTMIN);
    prep_reads(temp_file(ENTRIES));
    for (size_t i = 0; i < ENTRIES; i++)
        notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, &cbs[i]);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, ENTRIES, NULL), 0);
    for (size_t i = 0; i < ENTRIES; i++) {
        take_signal(SIGRTMIN, &info);
        seen[(struct aiocb *)info.si_value.sival_ptr - cbs] = true;
    }
    for (size_t i = 0; i < ENTRIES; i++)
        ck_assert(seen[i]);
    check_reads();
}
END_TEST

/* "Each request notifies exactly once": those of LIO_WAIT too. */
START_TEST(wait_notifies_of_each_entry)
{
    bool seen[ENTRIES] = {false};
    siginfo_t info;

    block_signal(SIGRTMIN);
    prep_reads(temp_file(ENTRIES));
    for (size_t i = 0; i < ENTRIES; i++)
        notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, &cbs[i]);
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, ENTRIES, NULL), 0);
    for (size_t i = 0; i < ENTRIES; i++) {
        take_signal(SIGRTMIN, &info);
        seen[(struct aiocb *)info.si_value.sival_ptr - cbs] = true;
    }
    for (size_t i = 0; i < ENTRIES; i++)
        ck_assert(seen[i]);
    check_reads();
}
END_TEST

/* "and sig once when all are done" */
START_TEST(nowait_sends_sig_once_when_all_are_done)
{
    struct sigevent sig;
    siginfo_t info;

    block_signal(SIGRTMIN);
    queue_everything();
    MAKE_GATE(&gate, 1);
    prep_reads(temp_file(ENTRIES));
    cbs[0].aio_buf = gate_page(&gate, 0);
    notify_by_signal(&sig, SIGRTMIN, list);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, ENTRIES, &sig), 0);
    let_others_run();
    ck_assert(!is_pending(SIGRTMIN));
    gate_open(&gate, 0);
    take_signal(SIGRTMIN, &info);
    ck_assert_int_eq(info.si_code, SI_ASYNCIO);
    ck_assert_ptr_eq(info.si_value.sival_ptr, list);
    for (size_t i = 0; i < ENTRIES; i++) {
        ck_assert_int_eq(aio_error(&cbs[i]), 0);
        ck_assert_int_eq(aio_return(&cbs[i]), 1);
    }
    let_others_run();
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

static sem_t all_done;
static atomic_int not_done_in_callback;
static atomic_int list_callbacks;

static void note_all_done(union sigval value)
{
    struct aiocb **entries = value.sival_ptr;

    for (size_t i = 0; i < ENTRIES; i++) {
        if (aio_error(entries[i]) == EINPROGRESS)
            atomic_fetch_add(&not_done_in_callback, 1);
    }
    atomic_fetch_add(&list_callbacks, 1);
    sem_post(&all_done);
}

START_TEST(nowait_calls_back_once_when_all_are_done)
{
    struct sigevent sig;

    if (_i > 0)
        queue_everything();
    ck_assert_int_eq(sem_init(&all_done, 0, 0), 0);
    for (int round = 1; round <= 20; round++) {
        prep_reads(temp_file(ENTRIES));
        notify_by_thread(&sig, note_all_done, list, NULL);
        ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, ENTRIES, &sig), 0);
        await(&all_done);
        ck_assert_int_eq(atomic_load(&list_callbacks), round);
        check_reads();
    }
    ck_assert_int_eq(atomic_load(&not_done_in_callback), 0);
}
END_TEST

/* "at once if the list is empty" */
START_TEST(nowait_sends_sig_at_once_if_the_list_is_empty)
{
    struct sigevent sig;
    siginfo_t info;

    block_signal(SIGRTMIN);
    notify_by_signal(&sig, SIGRTMIN, list);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, 0, &sig), 0);
    take_signal(SIGRTMIN, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, list);

    /* Nothing but what is ignored is as good as empty. */
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, ENTRIES, &sig), 0);
    take_signal(SIGRTMIN, &info);
    prep_reads(temp_file(ENTRIES));
    for (size_t i = 0; i < ENTRIES; i++)
        cbs[i].aio_lio_opcode = LIO_NOP;
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, ENTRIES, &sig), 0);
    take_signal(SIGRTMIN, &info);
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

/*
 * "and after every single notification of its entries": all are the same
 * realtime signal, which queues in the order sent, and the list's is last.
 */
START_TEST(sig_comes_after_every_notification_of_its_entries)
{
    int fd = temp_file(ENTRIES);
    struct sigevent sig;
    siginfo_t info;

    if (_i > 0)
        queue_everything();
    block_signal(SIGRTMIN);
    notify_by_signal(&sig, SIGRTMIN, list);
    for (int round = 0; round < 200; round++) {
        prep_reads(fd);
        for (size_t i = 0; i < ENTRIES; i++)
            notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, &cbs[i]);
        ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, ENTRIES, &sig), 0);
        for (size_t i = 0; i < ENTRIES; i++) {
            take_signal(SIGRTMIN, &info);
            ck_assert_ptr_ne(info.si_value.sival_ptr, list);
        }
        take_signal(SIGRTMIN, &info);
        ck_assert_ptr_eq(info.si_value.sival_ptr, list);
        check_reads();
    }
}
END_TEST

/* "sig once when all are done": failed and not valid ones count as done. */
START_TEST(sig_is_sent_though_some_failed)
{
    struct sigevent sig;
    siginfo_t info;

    block_signal(SIGRTMIN);
    prep_reads(temp_file(ENTRIES));
    cbs[2].aio_fildes = closed_fd();
    cbs[4].aio_lio_opcode = 99;
    notify_by_signal(&sig, SIGRTMIN, list);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, ENTRIES, &sig), -1);
    ck_assert_int_eq(errno, EIO);
    take_signal(SIGRTMIN, &info);
    for (size_t i = 0; i < ENTRIES; i++)
        ck_assert_int_eq(aio_error(&cbs[i]), i == 2 ? EBADF : i == 4 ? EINVAL : 0);
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

/*
 * "EAGAIN if some could not be queued (those have aio_error EAGAIN, the others
 * run)."
 */
START_TEST(eagain_if_some_could_not_be_queued)
{
    const size_t n = 20000;
    struct aiocb *many, **long_list;
    struct aiocb slow;
    size_t refused = 0;
    char *to;
    int fd = temp_file(n);

    ck_assert_int_eq(setenv("UAIO_MAX_REQUESTS", "16", 1), 0);
    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    many = calloc(n, sizeof *many);
    long_list = calloc(n, sizeof *long_list);
    to = calloc(n, 1);
    ck_assert(many != NULL && long_list != NULL && to != NULL);
    for (size_t i = 0; i < n; i++) {
        prep(&many[i], fd, &to[i], 1, (off_t)i);
        many[i].aio_lio_opcode = LIO_READ;
        long_list[i] = &many[i];
    }
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, long_list, (int)n, NULL), -1);
    ck_assert_int_eq(errno, EAGAIN);
    gate_open(&gate, 0);
    for (size_t i = 0; i < n; i++) {
        if (wait_done(&many[i]) == EAGAIN) {
            refused++;
            ck_assert_int_eq(to[i], 0);
        } else {
            ck_assert_int_eq(finish(&many[i]), 1);
            ck_assert(is_pattern(&to[i], 1, i));
        }
    }
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_lt(refused, n);
    ck_assert_int_eq(finish(&slow), 16);
    free(many);
    free(long_list);
    free(to);
}
END_TEST

static __attribute__((noinline)) int submit_from_a_frame(void)
{
    struct aiocb *frame_list[ENTRIES];
    struct sigevent frame_sig;

    memcpy(frame_list, list, sizeof frame_list);
    notify_by_signal(&frame_sig, SIGRTMIN, list);
    return lio_listio(LIO_NOWAIT, frame_list, ENTRIES, &frame_sig);
}

/* "The list and sig itself may go out of scope as soon as the call returns: copy them." */
START_TEST(list_and_sig_may_go_out_of_scope)
{
    int fd = temp_file(ENTRIES);
    siginfo_t info;

    queue_everything();
    block_signal(SIGRTMIN);
    MAKE_GATE(&gate, 10);
    for (unsigned round = 0; round < 10; round++) {
        prep_reads(fd);
        cbs[0].aio_buf = gate_page(&gate, round);
        ck_assert_int_eq(submit_from_a_frame(), 0);
        overwrite_dead_frames(0xa5);
        gate_open(&gate, round);
        take_signal(SIGRTMIN, &info);
        ck_assert_ptr_eq(info.si_value.sival_ptr, list);
        for (size_t i = 0; i < ENTRIES; i++) {
            ck_assert_int_eq(aio_error(&cbs[i]), 0);
            ck_assert_int_eq(aio_return(&cbs[i]), 1);
        }
    }
}
END_TEST

/* "The caller's aiocb is not modified apart from the private fields." */
START_TEST(public_fields_are_not_modified)
{
    const int modes[] = {LIO_WAIT, LIO_NOWAIT};
    struct aiocb before[ENTRIES];
    int fd = temp_file(ENTRIES);

    for (size_t m = 0; m < COUNT(modes); m++) {
        for (size_t i = 0; i < ENTRIES; i++) {
            prep_over_garbage(&cbs[i], 0x5a, fd, &bytes[i], 1, (off_t)i);
            cbs[i].aio_lio_opcode = i == 3 ? 99 : i == 5 ? LIO_NOP : LIO_READ;
            list[i] = &cbs[i];
            if (i % 2 == 0)
                notify_by_signal(&cbs[i].aio_sigevent, 0, NULL);
            before[i] = cbs[i];
        }
        ck_assert_int_eq(lio_listio(modes[m], list, ENTRIES, NULL), -1);
        for (size_t i = 0; i < ENTRIES; i++) {
            if (i != 5)
                wait_done(&cbs[i]);
            ck_assert(same_public_fields(&cbs[i], &before[i]));
        }
    }
}
END_TEST

Suite *listio_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("lio_listio", 60, &tc);

    tcase_add_loop_test(tc, wait_does_reads_and_writes_and_returns_when_all_are_done, 0, 2);
    tcase_add_loop_test(tc, nowait_does_reads_and_writes, 0, 2);
    tcase_add_test(tc, nop_is_ignored);
    tcase_add_test(tc, null_entries_are_ignored);
    tcase_add_test(tc, an_empty_list_is_done_at_once);
    tcase_add_test(tc, einval_for_a_bad_mode_and_nothing_started);
    tcase_add_test(tc, einval_for_a_negative_count_and_nothing_started);
    tcase_add_test(tc, einval_for_a_bad_sig_and_nothing_started);
    tcase_add_test(tc, a_list_may_be_very_long);
    tcase_add_test(tc, unknown_opcode_is_einval_and_eio_with_wait);
    tcase_add_test(tc, unknown_opcode_is_einval_and_eio_with_nowait);
    tcase_add_test(tc, wait_ignores_sig);
    tcase_add_test(tc, wait_gives_eio_if_any_failed);
    tcase_add_test(tc, wait_gives_eio_if_an_entry_is_not_valid);
    tcase_add_test(tc, wait_gives_eio_if_one_was_cancelled);
    tcase_add_loop_test(tc, wait_interrupted_leaves_the_requests_running_and_no_memory_in_use, 0,
                        2);
    tcase_add_test(tc, nowait_notifies_of_each_entry);
    tcase_add_test(tc, wait_notifies_of_each_entry);
    tcase_add_test(tc, nowait_sends_sig_once_when_all_are_done);
    tcase_add_loop_test(tc, nowait_calls_back_once_when_all_are_done, 0, 2);
    tcase_add_test(tc, nowait_sends_sig_at_once_if_the_list_is_empty);
    tcase_add_loop_test(tc, sig_comes_after_every_notification_of_its_entries, 0, 2);
    tcase_add_test(tc, sig_is_sent_though_some_failed);
    tcase_add_test(tc, eagain_if_some_could_not_be_queued);
    tcase_add_test(tc, list_and_sig_may_go_out_of_scope);
    tcase_add_test(tc, public_fields_are_not_modified);
    return suite;
}
