/* SPDX-License-Identifier: MIT */
/*
 * "Order" of the contract, and priorities.
 *
 * That a request is held back is shown in two steps: others are given every
 * chance to run it (let_others_run), and it must still be in progress.  Such
 * a test cannot fail wrongly; it may miss a fault, but hardly each time.
 */
#include "helpers.h"

#include <sys/resource.h>

#define MANY 500

static struct aiocb cbs[MANY];
static char bytes[MANY];
static struct aiocb slow;
static struct gate gate;

#define HOLD_THE_WORKER(npages)   \
 do {                             \
  queue_everything();             \
  use_workers(1);                 \
  MAKE_GATE(&gate, (npages));     \
  occupy_worker(&gate, 0, &slow); \
 } while (0)

static void release_the_worker(void)
{
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
}

/* One-byte writes, of the pattern's bytes in call order; i's priority is given by prio(i). */
static void write_pattern(int fd, int (*prio)(int))
{
    for (int i = 0; i < MANY; i++) {
        bytes[i] = (char)pattern((size_t)i);
        prep(&cbs[i], fd, &bytes[i], 1, 0);
        cbs[i].aio_reqprio = prio(i);
        must_write(&cbs[i]);
    }
}

static void finish_writes(void)
{
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
}

static int same_prio(int i)
{
    (void)i;
    return 0;
}

static int rising_prio(int i)
{
    return AIO_PRIO_DELTA_MAX - i % (AIO_PRIO_DELTA_MAX + 1);
}

/* --- appends --- */

/* "O_APPEND ([...]): writes append in call order." */
START_TEST(appends_are_written_in_call_order)
{
    char back[MANY + 1];
    int fd = reopen(temp_file(0), O_RDWR | O_APPEND);

    if (_i > 0)
        queue_everything();
    write_pattern(fd, same_prio);
    finish_writes();
    ck_assert_int_eq(pread(fd, back, sizeof back, 0), MANY);
    ck_assert(is_pattern(back, MANY, 0));
}
END_TEST

/* The same with all of them queued before the first can run. */
START_TEST(queued_appends_are_written_in_call_order)
{
    char back[MANY + 1];
    int fd = reopen(temp_file(0), O_RDWR | O_APPEND);
    struct aiocb held[4];

    queue_everything();
    use_workers(COUNT(held));
    MAKE_GATE(&gate, COUNT(held));
    for (unsigned i = 0; i < COUNT(held); i++)
        occupy_worker(&gate, i, &held[i]);
    write_pattern(fd, same_prio);
    for (unsigned i = 0; i < COUNT(held); i++)
        gate_open(&gate, i);
    for (unsigned i = 0; i < COUNT(held); i++)
        ck_assert_int_eq(finish(&held[i]), 16);
    finish_writes();
    ck_assert_int_eq(pread(fd, back, sizeof back, 0), MANY);
    ck_assert(is_pattern(back, MANY, 0));
}
END_TEST

/* A slow append holds up those that were called after it. */
START_TEST(an_append_waits_for_the_one_before_it)
{
    char back[8];
    int fd = reopen(temp_file(0), O_RDWR | O_APPEND);

    queue_everything();
    MAKE_GATE(&gate, 1);
    prep(&cbs[0], fd, gate_page(&gate, 0), 3, 0);
    prep(&cbs[1], fd, "two", 3, 0);
    must_write(&cbs[0]);
    must_write(&cbs[1]);
    gate_await(&gate, 0);
    let_others_run();
    ck_assert_int_eq(aio_error(&cbs[1]), EINPROGRESS);
    gate_open_with(&gate, 0, '1');
    ck_assert_int_eq(finish(&cbs[0]), 3);
    ck_assert_int_eq(finish(&cbs[1]), 3);
    ck_assert_int_eq(pread(fd, back, sizeof back, 0), 6);
    ck_assert_mem_eq(back, "111two", 6);
}
END_TEST

/* lio_listio: the call order of a list is its own. */
START_TEST(appends_of_a_list_are_written_in_list_order)
{
    static struct aiocb *list[MANY];
    char back[MANY + 1];
    int fd = reopen(temp_file(0), O_RDWR | O_APPEND);

    if (_i > 0)
        queue_everything();
    for (int i = 0; i < MANY; i++) {
        bytes[i] = (char)pattern((size_t)i);
        prep(&cbs[i], fd, &bytes[i], 1, 0);
        cbs[i].aio_lio_opcode = LIO_WRITE;
        list[i] = &cbs[i];
    }
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, MANY, NULL), 0);
    ck_assert_int_eq(pread(fd, back, sizeof back, 0), MANY);
    ck_assert(is_pattern(back, MANY, 0));
}
END_TEST

/* "O_APPEND (read at submission, never cached across a change)" */
START_TEST(append_mode_is_not_cached)
{
    char back[32];
    struct aiocb cb;
    int fd = temp_file(0);

    if (_i > 0)
        queue_everything();
    prep(&cb, fd, "aaaa", 4, 0);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 4);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_APPEND), 0);
    prep(&cb, fd, "bbbb", 4, 0);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 4);
    ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
    prep(&cb, fd, "cc", 2, 1);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 2);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_APPEND), 0);
    prep(&cb, fd, "dddd", 4, 0);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 4);
    ck_assert_int_eq(pread(fd, back, sizeof back, 0), 12);
    ck_assert_mem_eq(back, "accabbbbdddd", 12);
}
END_TEST

/* The same when the number is closed and opened anew, for another file. */
START_TEST(append_mode_is_not_cached_across_a_close)
{
    char back[32];
    struct aiocb cb;
    int fd = reopen(temp_file(4), O_RDWR | O_APPEND), other;

    prep(&cb, fd, "aaaa", 4, 0);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 4);
    other = temp_file(4);
    ck_assert_int_eq(dup2(other, fd), fd);
    prep(&cb, fd, "bb", 2, 1);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 2);
    ck_assert_int_eq(pread(fd, back, sizeof back, 0), 4);
    ck_assert_mem_eq(back + 1, "bb", 2);
}
END_TEST

/* "O_APPEND (read at submission [...])": what is queued keeps to what was at its call. */
START_TEST(append_mode_is_that_of_the_call)
{
    char back[32];
    struct aiocb cb;
    int fd = temp_file(0);

    ck_assert_int_eq(pwrite(fd, "0123", 4, 0), 4);
    HOLD_THE_WORKER(1);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_APPEND), 0);
    prep(&cb, fd, "tail", 4, 0);
    must_write(&cb);
    ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
    release_the_worker();
    ck_assert_int_eq(finish(&cb), 4);
    ck_assert_int_eq(pread(fd, back, sizeof back, 0), 8);
    ck_assert_mem_eq(back, "0123tail", 8);
}
END_TEST

/* --- streams --- */

/* "Non-seekable: call order per direction": writes. */
START_TEST(stream_writes_are_in_call_order)
{
    char back[MANY];
    int pair[2];

    if (_i % 2 == 0)
        make_pipe(pair);
    else
        make_sockets(pair);
    write_pattern(pair[1], same_prio);
    read_fully(pair[0], back, MANY);
    finish_writes();
    ck_assert(is_pattern(back, MANY, 0));
}
END_TEST

/* "Non-seekable: call order per direction": reads that all wait for their data. */
START_TEST(stream_reads_are_in_call_order)
{
    char sent[MANY];
    int pair[2];

    if (_i % 2 == 0)
        make_pipe(pair);
    else
        make_sockets(pair);
    for (int i = 0; i < MANY; i++) {
        prep(&cbs[i], pair[0], &bytes[i], 1, 0);
        must_read(&cbs[i]);
    }
    for (size_t i = 0; i < MANY; i++)
        sent[i] = (char)pattern(i);
    ck_assert_int_eq(write(pair[1], sent, MANY), MANY);
    finish_writes();
    ck_assert(is_pattern(bytes, MANY, 0));
}
END_TEST

/* "one at a time": each read gets its own message, whole, however they come. */
START_TEST(stream_reads_run_one_at_a_time)
{
    static char bufs[MANY][16];
    int pair[2];

    make_sockets(pair);
    for (int i = 0; i < 100; i++) {
        prep(&cbs[i], pair[0], bufs[i], 16, 0);
        must_read(&cbs[i]);
    }
    for (int i = 0; i < 100; i++) {
        char message[16];

        memset(message, 'A' + i % 26, sizeof message);
        ck_assert_int_eq(write(pair[1], message, sizeof message), sizeof message);
        ck_assert_int_eq(finish(&cbs[i]), sizeof message);
        ck_assert_mem_eq(bufs[i], message, sizeof message);
        if (i < 99)
            ck_assert_int_eq(aio_error(&cbs[i + 1]), EINPROGRESS);
    }
}
END_TEST

/* "one at a time": large writes, each in several parts, do not mix. */
START_TEST(stream_writes_do_not_mix)
{
    enum { WRITERS = 8, SIZE = 1 << 20 };
    static char data[WRITERS][SIZE], back[SIZE];
    int pair[2];

    if (_i == 0)
        make_pipe(pair);
    else
        make_sockets(pair);
    for (int i = 0; i < WRITERS; i++) {
        memset(data[i], 'a' + i, SIZE);
        prep(&cbs[i], pair[1], data[i], SIZE, 0);
        must_write(&cbs[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        read_fully(pair[0], back, SIZE);
        ck_assert_mem_eq(back, data[i], SIZE);
    }
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(finish(&cbs[i]), SIZE);
}
END_TEST

/* "per direction": a blocked read does not hold up a write of the same socket. */
START_TEST(a_blocked_read_does_not_hold_up_a_write)
{
    char buf[8], back[5];
    struct aiocb reading, writing;
    int pair[2];

    make_sockets(pair);
    prep(&reading, pair[0], buf, sizeof buf, 0);
    must_read(&reading);
    prep(&writing, pair[0], "hello", 5, 0);
    must_write(&writing);
    ck_assert_int_eq(finish(&writing), 5);
    read_fully(pair[1], back, 5);
    ck_assert_mem_eq(back, "hello", 5);
    ck_assert_int_eq(aio_error(&reading), EINPROGRESS);
    ck_assert_int_eq(write(pair[1], "world", 5), 5);
    ck_assert_int_eq(finish(&reading), 5);
    ck_assert_mem_eq(buf, "world", 5);
}
END_TEST

/* And the other way round. */
START_TEST(a_blocked_write_does_not_hold_up_a_read)
{
    static char block[65536], drain[65536];
    char buf[8];
    struct aiocb reading, writing;
    int pair[2];
    size_t full;

    make_sockets(pair);
    full = fill_up(pair[0]);
    prep(&writing, pair[0], block, sizeof block, 0);
    must_write(&writing);
    prep(&reading, pair[0], buf, sizeof buf, 0);
    must_read(&reading);
    ck_assert_int_eq(write(pair[1], "world", 5), 5);
    ck_assert_int_eq(finish(&reading), 5);
    ck_assert_mem_eq(buf, "world", 5);
    ck_assert_int_eq(aio_error(&writing), EINPROGRESS);
    while (full > 0) {
        size_t part = full < sizeof drain ? full : sizeof drain;

        read_fully(pair[1], drain, part);
        full -= part;
    }
    read_fully(pair[1], drain, sizeof block);
    ck_assert_int_eq(finish(&writing), sizeof block);
}
END_TEST

/*
 * "one at a time: the second write of a socket is still queued, and
 * cancellable, while the first is blocked."
 */
START_TEST(second_write_is_still_cancellable_while_the_first_is_blocked)
{
    static char block[65536], drain[65536];
    struct aiocb first, second, third;
    int pair[2];
    size_t full;

    make_sockets(pair);
    full = fill_up(pair[0]);
    memset(block, '1', sizeof block);
    prep(&first, pair[0], block, sizeof block, 0);
    prep(&second, pair[0], "222", 3, 0);
    prep(&third, pair[0], "333", 3, 0);
    must_write(&first);
    must_write(&second);
    must_write(&third);
    let_others_run();
    ck_assert_int_eq(aio_error(&first), EINPROGRESS);
    ck_assert_int_eq(aio_error(&second), EINPROGRESS);
    ck_assert_int_eq(aio_cancel(pair[0], &second), AIO_CANCELED);
    ck_assert_int_eq(aio_error(&second), ECANCELED);
    ck_assert_int_eq(aio_error(&first), EINPROGRESS);
    while (full > 0) {
        size_t part = full < sizeof drain ? full : sizeof drain;

        read_fully(pair[1], drain, part);
        full -= part;
    }
    read_fully(pair[1], drain, sizeof drain);
    ck_assert_mem_eq(drain, block, sizeof block);
    ck_assert_int_eq(finish(&first), sizeof block);
    read_fully(pair[1], drain, 3);
    ck_assert_mem_eq(drain, "333", 3);
    ck_assert_int_eq(finish(&third), 3);
}
END_TEST

/* What is neither appended nor a stream runs in parallel, on one descriptor too. */
START_TEST(seekable_requests_of_one_descriptor_run_in_parallel)
{
    int fd = temp_file(16);

    queue_everything();
    use_workers(4);
    MAKE_GATE(&gate, 4);
    for (unsigned i = 0; i < 4; i++) {
        prep(&cbs[i], fd, gate_page(&gate, i), 16, 0);
        must_read(&cbs[i]);
    }
    for (unsigned i = 0; i < 4; i++)
        gate_await(&gate, i); /* all four are stopped in their reads at once */
    for (unsigned i = 0; i < 4; i++)
        gate_open(&gate, i);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(finish(&cbs[i]), 16);
}
END_TEST

/* --- fsync --- */

/* Holds a write of fd at page 0, then checks that a synchronisation of other waits for it. */
static void check_fsync_waits(int fd, int other, int op, int prio)
{
    struct aiocb writing, syncing;

    prep(&writing, fd, gate_page(&gate, 0), 16, 0);
    writing.aio_reqprio = prio;
    must_write(&writing);
    prep(&syncing, other, NULL, 0, 0);
    ck_assert_int_eq(aio_fsync(op, &syncing), 0);
    gate_await(&gate, 0);
    let_others_run();
    ck_assert_int_eq(aio_error(&syncing), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&syncing), 0);
    ck_assert_int_eq(aio_error(&writing), 0);
    ck_assert_int_eq(aio_return(&writing), 16);
}

/* "covers every operation queued on that descriptor at the call, whatever their priority" */
START_TEST(fsync_waits_for_a_write_queued_before_it)
{
    static const int prios[] = {0, AIO_PRIO_DELTA_MAX};
    int fd = temp_file(16);

    queue_everything();
    MAKE_GATE(&gate, 1);
    check_fsync_waits(fd, fd, _i % 2 == 0 ? O_SYNC : O_DSYNC, prios[_i / 2]);
}
END_TEST

START_TEST(fsync_waits_for_a_read_queued_before_it)
{
    struct aiocb syncing;
    int fd = temp_file(16);

    queue_everything();
    MAKE_GATE(&gate, 1);
    prep(&cbs[0], fd, gate_page(&gate, 0), 16, 0);
    must_read(&cbs[0]);
    prep(&syncing, fd, NULL, 0, 0);
    must_fsync(&syncing);
    gate_await(&gate, 0);
    let_others_run();
    ck_assert_int_eq(aio_error(&syncing), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&syncing), 0);
    ck_assert_int_eq(aio_error(&cbs[0]), 0);
}
END_TEST

/* "covers every operation": whoever sees the fsync done sees all of them done. */
START_TEST(fsync_is_done_after_all_it_covers)
{
    struct aiocb syncing;
    int fd = temp_file(0);

    if (_i > 0)
        queue_everything();
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < MANY; i++) {
            prep(&cbs[i], fd, "x", 1, i);
            cbs[i].aio_reqprio = rising_prio(i);
            must_write(&cbs[i]);
        }
        prep(&syncing, fd, NULL, 0, 0);
        must_fsync(&syncing);
        ck_assert_int_eq(finish(&syncing), 0);
        for (int i = 0; i < MANY; i++) {
            ck_assert_int_eq(aio_error(&cbs[i]), 0);
            ck_assert_int_eq(aio_return(&cbs[i]), 1);
        }
    }
}
END_TEST

/* "queued on that descriptor at the call": what comes later neither is waited for nor waits. */
START_TEST(fsync_does_not_wait_for_later_requests)
{
    struct aiocb before, syncing, after;
    int fd = temp_file(16);

    queue_everything();
    MAKE_GATE(&gate, 2);
    prep(&before, fd, gate_page(&gate, 0), 16, 0);
    must_read(&before);
    prep(&syncing, fd, NULL, 0, 0);
    must_fsync(&syncing);
    prep(&after, fd, gate_page(&gate, 1), 16, 0);
    must_read(&after);
    gate_await(&gate, 0);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&syncing), 0);
    ck_assert_int_eq(aio_error(&after), EINPROGRESS);
    gate_open(&gate, 1);
    ck_assert_int_eq(finish(&after), 16);
    ck_assert_int_eq(finish(&before), 16);
}
END_TEST

/* Two synchronisations, each with a write of its own before it. */
START_TEST(each_fsync_covers_what_was_before_it)
{
    struct aiocb first, first_sync, second, second_sync;
    int fd = temp_file(16);

    queue_everything();
    MAKE_GATE(&gate, 2);
    prep(&first, fd, gate_page(&gate, 0), 16, 0);
    must_read(&first);
    prep(&first_sync, fd, NULL, 0, 0);
    must_fsync(&first_sync);
    prep(&second, fd, gate_page(&gate, 1), 16, 0);
    must_read(&second);
    prep(&second_sync, fd, NULL, 0, 0);
    must_fsync(&second_sync);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&first_sync), 0);
    ck_assert_int_eq(aio_error(&first), 0);
    let_others_run();
    ck_assert_int_eq(aio_error(&second_sync), EINPROGRESS);
    gate_open(&gate, 1);
    ck_assert_int_eq(finish(&second_sync), 0);
    ck_assert_int_eq(aio_error(&second), 0);
}
END_TEST

/* "It covers the FILE: writes queued through another descriptor of it (dup [...]) too." */
START_TEST(fsync_covers_writes_through_a_dup)
{
    int fd = temp_file(16);
    int other = dup(fd);

    ck_assert_int_ge(other, 0);
    queue_everything();
    MAKE_GATE(&gate, 1);
    if (_i == 0)
        check_fsync_waits(fd, other, O_SYNC, 0);
    else
        check_fsync_waits(other, fd, O_DSYNC, 0);
}
END_TEST

/* "([...] second open) too" */
START_TEST(fsync_covers_writes_through_a_second_open)
{
    int fd = temp_file(16);
    int other = reopen(fd, _i == 0 ? O_RDWR : O_RDONLY);

    queue_everything();
    MAKE_GATE(&gate, 1);
    check_fsync_waits(fd, other, O_SYNC, 0);
}
END_TEST

/* "covers the FILE": but no other file. */
START_TEST(fsync_does_not_wait_for_another_file)
{
    struct aiocb writing, syncing;
    int fd = temp_file(16), other = temp_file(16);

    queue_everything();
    MAKE_GATE(&gate, 1);
    prep(&writing, fd, gate_page(&gate, 0), 16, 0);
    must_write(&writing);
    gate_await(&gate, 0);
    prep(&syncing, other, NULL, 0, 0);
    must_fsync(&syncing);
    ck_assert_int_eq(finish(&syncing), 0);
    ck_assert_int_eq(aio_error(&writing), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&writing), 16);
}
END_TEST

/* A write that is too far out, EFBIG. */
static void prep_failing_write(struct aiocb *cb, int fd)
{
    const struct rlimit limit = {4096, RLIM_INFINITY};

    ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    prep(cb, fd, "data", 4, 8192);
}

/* "If a covered request failed, the fsync completes with that error." */
START_TEST(fsync_fails_with_the_error_of_a_covered_write)
{
    struct aiocb good, failing, syncing;
    int fd = temp_file(16), other = fd;

    if (_i == 1)
        other = dup(fd);
    if (_i == 2)
        other = reopen(fd, O_RDWR);
    HOLD_THE_WORKER(1);
    prep(&good, fd, "data", 4, 0);
    must_write(&good);
    prep_failing_write(&failing, fd);
    must_write(&failing);
    prep(&syncing, other, NULL, 0, 0);
    must_fsync(&syncing);
    release_the_worker();
    finish_with(&syncing, EFBIG);
    finish_with(&failing, EFBIG);
    ck_assert_int_eq(finish(&good), 4);
}
END_TEST

/* The same for a write that fails while the fsync waits already. */
START_TEST(fsync_fails_though_the_failing_write_ended_long_before)
{
    struct aiocb holding, failing, syncing;
    int fd = temp_file(16);

    HOLD_THE_WORKER(2);
    prep_failing_write(&failing, fd);
    must_write(&failing);
    prep(&holding, fd, gate_page(&gate, 1), 16, 0);
    holding.aio_reqprio = AIO_PRIO_DELTA_MAX;
    must_read(&holding);
    prep(&syncing, fd, NULL, 0, 0);
    must_fsync(&syncing);
    release_the_worker();
    finish_with(&failing, EFBIG);
    gate_await(&gate, 1);
    ck_assert_int_eq(aio_error(&syncing), EINPROGRESS);
    gate_open(&gate, 1);
    finish_with(&syncing, EFBIG);
    ck_assert_int_eq(finish(&holding), 16);
}
END_TEST

/* "every operation queued [...] at the call": what had failed before is none of it. */
START_TEST(fsync_does_not_report_what_failed_before_its_call)
{
    struct aiocb failing, syncing;
    int fd = temp_file(16);

    prep_failing_write(&failing, fd);
    must_write(&failing);
    finish_with(&failing, EFBIG);
    prep(&syncing, fd, NULL, 0, 0);
    must_fsync(&syncing);
    ck_assert_int_eq(finish(&syncing), 0);
}
END_TEST

/* --- priorities --- */

/*
 * "aio_reqprio lowers the request's priority; among queued requests higher
 * priority runs first".  The order of running is the order of arriving at the
 * gate.
 */
START_TEST(higher_priority_runs_first)
{
    enum { N = AIO_PRIO_DELTA_MAX + 1 };
    int shared = temp_file(16);

    HOLD_THE_WORKER(N + 1);
    for (unsigned i = 0; i < N; i++) {
        /* Every priority once, in no order: 5 and N have no common factor. */
        unsigned prio = i * 5 % N;

        prep(&cbs[prio], _i == 0 ? temp_file(16) : shared, gate_page(&gate, prio + 1), 16, 0);
        cbs[prio].aio_reqprio = (int)prio;
        must_read(&cbs[prio]);
    }
    release_the_worker();
    for (unsigned prio = 0; prio < N; prio++) {
        ck_assert_uint_eq(gate_next(&gate), prio + 1);
        gate_open(&gate, prio + 1);
    }
    for (unsigned prio = 0; prio < N; prio++)
        ck_assert_int_eq(finish(&cbs[prio]), 16);
}
END_TEST

/* "except that it never breaks the order of appends" */
START_TEST(priority_does_not_break_the_order_of_appends)
{
    char back[MANY + 1];
    int fd = reopen(temp_file(0), O_RDWR | O_APPEND);

    HOLD_THE_WORKER(1);
    write_pattern(fd, rising_prio);
    release_the_worker();
    finish_writes();
    ck_assert_int_eq(pread(fd, back, sizeof back, 0), MANY);
    ck_assert(is_pattern(back, MANY, 0));
}
END_TEST

/* "of non-seekable descriptors": writes. */
START_TEST(priority_does_not_break_the_order_of_stream_writes)
{
    char back[MANY];
    int pair[2];

    HOLD_THE_WORKER(1);
    make_pipe(pair);
    write_pattern(pair[1], rising_prio);
    release_the_worker();
    read_fully(pair[0], back, MANY);
    finish_writes();
    ck_assert(is_pattern(back, MANY, 0));
}
END_TEST

/* "of non-seekable descriptors": reads. */
START_TEST(priority_does_not_break_the_order_of_stream_reads)
{
    char sent[MANY];
    int pair[2];

    HOLD_THE_WORKER(1);
    make_pipe(pair);
    for (size_t i = 0; i < MANY; i++)
        sent[i] = (char)pattern(i);
    ck_assert_int_eq(write(pair[1], sent, MANY), MANY);
    for (int i = 0; i < MANY; i++) {
        prep(&cbs[i], pair[0], &bytes[i], 1, 0);
        cbs[i].aio_reqprio = rising_prio(i);
        must_read(&cbs[i]);
    }
    release_the_worker();
    finish_writes();
    ck_assert(is_pattern(bytes, MANY, 0));
}
END_TEST

/* "nor lets an fsync overtake requests queued before it" */
START_TEST(priority_does_not_let_an_fsync_overtake)
{
    struct aiocb writing, syncing;
    int fd = temp_file(16);

    HOLD_THE_WORKER(2);
    prep(&writing, fd, gate_page(&gate, 1), 16, 0);
    writing.aio_reqprio = AIO_PRIO_DELTA_MAX;
    must_write(&writing);
    prep(&syncing, fd, NULL, 0, 0);
    must_fsync(&syncing);
    release_the_worker();
    gate_await(&gate, 1);
    ck_assert_int_eq(aio_error(&syncing), EINPROGRESS);
    gate_open(&gate, 1);
    ck_assert_int_eq(finish(&syncing), 0);
    ck_assert_int_eq(aio_error(&writing), 0);
}
END_TEST

Suite *order_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("order", 60, &tc);

    tcase_add_loop_test(tc, appends_are_written_in_call_order, 0, 2);
    tcase_add_test(tc, queued_appends_are_written_in_call_order);
    tcase_add_test(tc, an_append_waits_for_the_one_before_it);
    tcase_add_loop_test(tc, appends_of_a_list_are_written_in_list_order, 0, 2);
    tcase_add_loop_test(tc, append_mode_is_not_cached, 0, 2);
    tcase_add_test(tc, append_mode_is_not_cached_across_a_close);
    tcase_add_test(tc, append_mode_is_that_of_the_call);
    tcase_add_loop_test(tc, stream_writes_are_in_call_order, 0, 2);
    tcase_add_loop_test(tc, stream_reads_are_in_call_order, 0, 2);
    tcase_add_test(tc, stream_reads_run_one_at_a_time);
    tcase_add_loop_test(tc, stream_writes_do_not_mix, 0, 2);
    tcase_add_test(tc, a_blocked_read_does_not_hold_up_a_write);
    tcase_add_test(tc, a_blocked_write_does_not_hold_up_a_read);
    tcase_add_test(tc, second_write_is_still_cancellable_while_the_first_is_blocked);
    tcase_add_test(tc, seekable_requests_of_one_descriptor_run_in_parallel);
    tcase_add_loop_test(tc, fsync_waits_for_a_write_queued_before_it, 0, 4);
    tcase_add_test(tc, fsync_waits_for_a_read_queued_before_it);
    tcase_add_loop_test(tc, fsync_is_done_after_all_it_covers, 0, 2);
    tcase_add_test(tc, fsync_does_not_wait_for_later_requests);
    tcase_add_test(tc, each_fsync_covers_what_was_before_it);
    tcase_add_loop_test(tc, fsync_covers_writes_through_a_dup, 0, 2);
    tcase_add_loop_test(tc, fsync_covers_writes_through_a_second_open, 0, 2);
    tcase_add_test(tc, fsync_does_not_wait_for_another_file);
    tcase_add_loop_test(tc, fsync_fails_with_the_error_of_a_covered_write, 0, 3);
    tcase_add_test(tc, fsync_fails_though_the_failing_write_ended_long_before);
    tcase_add_test(tc, fsync_does_not_report_what_failed_before_its_call);
    tcase_add_loop_test(tc, higher_priority_runs_first, 0, 2);
    tcase_add_test(tc, priority_does_not_break_the_order_of_appends);
    tcase_add_test(tc, priority_does_not_break_the_order_of_stream_writes);
    tcase_add_test(tc, priority_does_not_break_the_order_of_stream_reads);
    tcase_add_test(tc, priority_does_not_let_an_fsync_overtake);
    return suite;
}
