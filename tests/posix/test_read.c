/* SPDX-License-Identifier: MIT */
/* aio_read(): "Submission" of the contract, for reads. */
#include "helpers.h"

/* "The return value says only whether the request was queued." */
START_TEST(read_gives_the_bytes_at_the_offset)
{
    char buf[5000];
    struct aiocb cb;
    int fd = temp_file(20000);

    for (off_t offset = 0; offset <= 15000; offset += 5000) {
        memset(buf, 0, sizeof buf);
        prep(&cb, fd, buf, sizeof buf, offset);
        must_read(&cb);
        ck_assert_int_eq(finish(&cb), sizeof buf);
        ck_assert(is_pattern(buf, sizeof buf, (size_t)offset));
    }
}
END_TEST

/* The same with nothing done in the submitting thread. */
START_TEST(queued_read_gives_the_bytes_at_the_offset)
{
    char buf[5000] = {0};
    struct aiocb cb;

    queue_everything();
    prep(&cb, temp_file(20000), buf, sizeof buf, 12345);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), sizeof buf);
    ck_assert(is_pattern(buf, sizeof buf, 12345));
}
END_TEST

/* A read's result is read()'s: less than asked for before the end of file, 0 there. */
START_TEST(read_is_short_at_end_of_file)
{
    char buf[100] = {0};
    struct aiocb cb;
    int fd = temp_file(1000);

    prep(&cb, fd, buf, sizeof buf, 970);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 30);
    ck_assert(is_pattern(buf, 30, 970));
    prep(&cb, fd, buf, sizeof buf, 1000);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 0);
    prep(&cb, fd, buf, sizeof buf, 123456789);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 0);
}
END_TEST

START_TEST(read_of_no_bytes_gives_0)
{
    struct aiocb cb;

    prep(&cb, temp_file(1000), NULL, 0, 10);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 0);
}
END_TEST

START_TEST(read_of_many_megabytes_is_whole)
{
    const size_t nbytes = (size_t)24 << 20;
    char *buf = calloc(1, nbytes);
    struct aiocb cb;

    ck_assert_ptr_nonnull(buf);
    prep(&cb, temp_file(nbytes + 10), buf, nbytes, 3);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), (ssize_t)nbytes);
    ck_assert(is_pattern(buf, nbytes, 3));
    free(buf);
}
END_TEST

/*
 * Several at once, which a waiter may try to do: of a file that the page cache has in
 * part, to its end and beyond.
 */
START_TEST(large_reads_of_what_is_cached_in_part)
{
    enum { N = 8, SIZE = (3 << 20) + 77, MOST = (1 << 20) + 1 };
    static const size_t sizes[] = {MOST, 256 << 10, MOST - 1, (256 << 10) + 1};
    static char bufs[N][MOST];
    struct aiocb cbs[N];
    int fd = temp_file(SIZE);

    ck_assert_int_eq(fsync(fd), 0);
    for (size_t round = 0; round < 40; round++) {
        const struct aiocb *list[N];
        size_t waited = N;
        posix_fadvise(fd, (off_t)(round % 3) << 20, 700000, POSIX_FADV_DONTNEED);
        for (size_t i = 0; i < N; i++) {
            off_t offset = (off_t)((round * 79193 + i * 370001) % (SIZE + 99999));
            memset(bufs[i], 0, MOST);
            prep(&cbs[i], fd, bufs[i], sizes[(round + i) % COUNT(sizes)], offset);
            must_read(&cbs[i]);
            list[i] = &cbs[i];
        }
        while (waited > 0) {
            ck_assert_int_eq(aio_suspend(list, N, NULL), 0);
            for (size_t i = 0; i < N; i++) {
                if (!list[i] || aio_error(list[i]) == EINPROGRESS)
                    continue;
                list[i] = NULL;
                waited--;
            }
        }
        for (size_t i = 0; i < N; i++) {
            size_t offset = (size_t)cbs[i].aio_offset, nbytes = cbs[i].aio_nbytes;
            size_t there = offset < SIZE ? SIZE - offset : 0;
            size_t expected = there < nbytes ? there : nbytes;
            ck_assert_int_eq(finish(&cbs[i]), (ssize_t)expected);
            ck_assert(is_pattern(bufs[i], expected, offset));
            ck_assert(expected == MOST || bufs[i][expected] == 0);
        }
    }
}
END_TEST

/*
 * "The return value says only whether the request was queued; later errors come
 * through aio_error."
 */
START_TEST(later_errors_come_through_aio_error)
{
    char buf[16];
    struct aiocb cb;
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    prep(&cb, fd, buf, sizeof buf, 0);
    must_read(&cb);
    finish_with(&cb, EISDIR);
}
END_TEST

START_TEST(a_bad_buffer_is_efault_through_aio_error)
{
    struct aiocb cb;

    prep(&cb, temp_file(1000), (void *)(uintptr_t)8, 100, 0);
    must_read(&cb);
    finish_with(&cb, EFAULT);
}
END_TEST

/*
 * "EAGAIN: no resources; nothing queued, the aiocb unchanged except its
 * status."  One worker is held at the gate, the bound is low: soon the next
 * request does not fit.  What was accepted completes, and then there is room.
 */
START_TEST(eagain_when_full_and_nothing_queued)
{
    static struct aiocb cbs[20000];
    static char bytes[COUNT(cbs)];
    struct aiocb slow, before;
    struct gate gate;
    size_t accepted = 0;
    int fd = temp_file(COUNT(cbs));

    ck_assert_int_eq(setenv("UAIO_MAX_REQUESTS", "16", 1), 0);
    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    for (;; accepted++) {
        ck_assert_uint_lt(accepted, COUNT(cbs));
        prep(&cbs[accepted], fd, &bytes[accepted], 1, (off_t)accepted);
        before = cbs[accepted];
        if (aio_read(&cbs[accepted]) != 0)
            break;
    }
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert(same_public_fields(&cbs[accepted], &before));
    ck_assert_int_ne(aio_error(&cbs[accepted]), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
    for (size_t i = 0; i < accepted; i++) {
        ck_assert_int_eq(finish(&cbs[i]), 1);
        ck_assert(is_pattern(&bytes[i], 1, i));
    }
    ck_assert_int_eq(bytes[accepted], 0);
    must_read(&cbs[accepted]);
    ck_assert_int_eq(finish(&cbs[accepted]), 1);
}
END_TEST

/*
 * "EBADF, not open or not open for that direction: [...] programs and suites
 * in the field expect aio_read/aio_write to return 0 and aio_error to say
 * EBADF, so defer it."
 */
START_TEST(ebadf_for_a_descriptor_not_open_is_deferred)
{
    const int fds[] = {closed_fd(), -1, INT_MAX, INT_MIN};
    char buf[16];
    struct aiocb cb;

    for (size_t i = 0; i < COUNT(fds); i++) {
        prep(&cb, fds[i], buf, sizeof buf, 0);
        must_read(&cb);
        finish_with(&cb, EBADF);
    }
}
END_TEST

START_TEST(ebadf_for_a_descriptor_not_open_for_reading_is_deferred)
{
    char buf[16];
    struct aiocb cb;
    int ends[2];

    prep(&cb, reopen(temp_file(100), O_WRONLY), buf, sizeof buf, 0);
    must_read(&cb);
    finish_with(&cb, EBADF);
    make_pipe(ends);
    prep(&cb, ends[1], buf, sizeof buf, 0);
    must_read(&cb);
    finish_with(&cb, EBADF);
}
END_TEST

/* "EINVAL: negative offset on a seekable file (at the call)" */
START_TEST(einval_for_a_negative_offset)
{
    const off_t offsets[] = {-1, -4096, (off_t)(sizeof(off_t) == 8 ? INT64_MIN : INT32_MIN)};
    char buf[16];
    struct aiocb cb;
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(offsets); i++) {
        prep(&cb, fd, buf, sizeof buf, offsets[i]);
        ck_assert_int_eq(aio_read(&cb), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
}
END_TEST

/* "EINVAL: aio_nbytes > SSIZE_MAX (at the call)" */
START_TEST(einval_for_more_than_ssize_max_bytes)
{
    const size_t sizes[] = {(size_t)SSIZE_MAX + 1, SIZE_MAX};
    char buf[16];
    struct aiocb cb;
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(sizes); i++) {
        prep(&cb, fd, buf, sizes[i], 0);
        ck_assert_int_eq(aio_read(&cb), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
}
END_TEST

/* "EINVAL: aio_reqprio out of 0..AIO_PRIO_DELTA_MAX (at the call)" */
START_TEST(einval_for_a_priority_out_of_range)
{
    const int bad[] = {-1, AIO_PRIO_DELTA_MAX + 1, INT_MAX, INT_MIN};
    char buf[16];
    struct aiocb cb;
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(bad); i++) {
        prep(&cb, fd, buf, sizeof buf, 0);
        cb.aio_reqprio = bad[i];
        ck_assert_int_eq(aio_read(&cb), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
}
END_TEST

/* "0..AIO_PRIO_DELTA_MAX", "AIO_PRIO_DELTA_MAX 20 as glibc's" */
START_TEST(every_priority_in_range_is_accepted)
{
    char buf[16];
    struct aiocb cb;
    int fd = temp_file(100);

    ck_assert_int_eq(AIO_PRIO_DELTA_MAX, 20);
    for (int prio = 0; prio <= AIO_PRIO_DELTA_MAX; prio++) {
        prep(&cb, fd, buf, sizeof buf, 0);
        cb.aio_reqprio = prio;
        must_read(&cb);
        ck_assert_int_eq(finish(&cb), sizeof buf);
    }
}
END_TEST

/*
 * "EOVERFLOW (read past offset maximum)".  Linux has such a file only for
 * 32-bit programs; elsewhere read() itself says what is right: end of file.
 */
START_TEST(read_past_the_offset_maximum_is_eoverflow_or_as_pread)
{
    const off_t offset = (off_t)(sizeof(off_t) == 8 ? INT64_MAX : INT32_MAX) - 5;
    char buf[16];
    struct aiocb cb;
    int fd = temp_file(100);
    ssize_t said = pread(fd, buf, sizeof buf, offset);
    int error = said < 0 ? errno : 0;

    prep(&cb, fd, buf, sizeof buf, offset);
    if (aio_read(&cb) != 0) {
        ck_assert_int_eq(errno, EOVERFLOW);
        return;
    }
    if (wait_done(&cb) != EOVERFLOW) {
        ck_assert_int_eq(aio_error(&cb), error);
        ck_assert_int_eq(aio_return(&cb), said);
    }
}
END_TEST

/* "Bad aio_sigevent.sigev_notify or signal number: EINVAL" */
START_TEST(einval_for_a_bad_sigev_notify)
{
    const int bad[] = {-1, 3, 99, INT_MAX};
    char buf[16];
    struct aiocb cb;
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(bad); i++) {
        prep(&cb, fd, buf, sizeof buf, 0);
        cb.aio_sigevent.sigev_notify = bad[i];
        ck_assert_int_eq(aio_read(&cb), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
}
END_TEST

START_TEST(einval_for_a_bad_signal_number)
{
    const int bad[] = {-1, NSIG, SIGRTMAX + 1, INT_MAX};
    char buf[16];
    struct aiocb cb;
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(bad); i++) {
        prep(&cb, fd, buf, sizeof buf, 0);
        cb.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
        cb.aio_sigevent.sigev_signo = bad[i];
        ck_assert_int_eq(aio_read(&cb), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
}
END_TEST

/* "SIGEV_SIGNAL with signal 0 (a zero-filled aiocb) is accepted and delivers nothing" */
START_TEST(signal_0_is_accepted_and_delivers_nothing)
{
    char buf[16];
    struct aiocb cb;
    siginfo_t info;
    sigset_t all, pending;

    sigfillset(&all);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, &all, NULL), 0);
    memset(&cb, 0, sizeof cb);
    cb.aio_fildes = temp_file(100);
    cb.aio_buf = buf;
    cb.aio_nbytes = sizeof buf;
    ck_assert_int_eq(cb.aio_sigevent.sigev_notify, SIGEV_SIGNAL);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), sizeof buf);

    /* Another's notification comes after where its own would have come. */
    notify_by_signal(&cb.aio_sigevent, SIGRTMIN, NULL);
    must_read(&cb);
    take_signal(SIGRTMIN, &info);
    ck_assert_int_eq(sigpending(&pending), 0);
    for (int signo = 1; signo < NSIG; signo++)
        ck_assert_int_ne(sigismember(&pending, signo), 1);
}
END_TEST

/* "On non-seekable descriptors the offset is ignored, -1 included." */
START_TEST(offset_is_ignored_on_non_seekable_descriptors)
{
    const off_t offsets[] = {-1, 0, 12345, (off_t)(sizeof(off_t) == 8 ? INT64_MIN : INT32_MIN)};
    char buf[3];
    struct aiocb cb;
    int pair[2];

    for (int sockets = 0; sockets <= 1; sockets++) {
        if (sockets)
            make_sockets(pair);
        else
            make_pipe(pair);
        for (size_t i = 0; i < COUNT(offsets); i++) {
            ck_assert_int_eq(write(pair[1], "abc", 3), 3);
            prep(&cb, pair[0], buf, sizeof buf, offsets[i]);
            must_read(&cb);
            ck_assert_int_eq(finish(&cb), 3);
            ck_assert_mem_eq(buf, "abc", 3);
        }
    }
}
END_TEST

/* A read of a pipe that has no data waits for them, and ends at end of file. */
START_TEST(read_of_an_empty_pipe_waits_for_data)
{
    char buf[10];
    struct aiocb cb;
    int ends[2];

    make_pipe(ends);
    prep(&cb, ends[0], buf, sizeof buf, 0);
    must_read(&cb);
    let_others_run();
    ck_assert_int_eq(aio_error(&cb), EINPROGRESS);
    ck_assert_int_eq(write(ends[1], "data", 4), 4);
    ck_assert_int_eq(finish(&cb), 4);
    must_read(&cb);
    close(ends[1]);
    ck_assert_int_eq(finish(&cb), 0);
}
END_TEST

/* "aio_lio_opcode is ignored by aio_read/aio_write." */
START_TEST(lio_opcode_is_ignored)
{
    const int opcodes[] = {LIO_WRITE, LIO_NOP, -1, 99, 128};
    char buf[16];
    struct aiocb cb;
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(opcodes); i++) {
        memset(buf, 0, sizeof buf);
        prep(&cb, fd, buf, sizeof buf, 0);
        cb.aio_lio_opcode = opcodes[i];
        must_read(&cb);
        ck_assert_int_eq(finish(&cb), sizeof buf);
        ck_assert(is_pattern(buf, sizeof buf, 0));
    }
}
END_TEST

/* "The caller's aiocb is not modified apart from the private fields." */
START_TEST(public_fields_are_not_modified)
{
    char buf[16];
    struct aiocb cb, before;

    prep_over_garbage(&cb, 0x5a, temp_file(100), buf, sizeof buf, 7);
    cb.aio_reqprio = 3;
    before = cb;
    must_read(&cb);
    ck_assert(same_public_fields(&cb, &before));
    ck_assert_int_eq(finish(&cb), sizeof buf);
    ck_assert(same_public_fields(&cb, &before));
}
END_TEST

/* "The file offset of the descriptor is not moved by seekable I/O." */
START_TEST(file_offset_is_not_moved)
{
    char buf[16];
    struct aiocb cb;
    int fd = temp_file(100);

    ck_assert_int_eq(lseek(fd, 42, SEEK_SET), 42);
    prep(&cb, fd, buf, sizeof buf, 7);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), sizeof buf);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 42);
}
END_TEST

#define SUBMITTERS 8
#define READS_EACH 2000

static int shared_fd;
static atomic_int submit_failures;
static struct aiocb shared_cbs[SUBMITTERS][READS_EACH];
static char shared_bytes[SUBMITTERS][READS_EACH];

static void *submit_many(void *argument)
{
    size_t who = (uintptr_t)argument;

    for (size_t i = 0; i < READS_EACH; i++) {
        prep(&shared_cbs[who][i], shared_fd, &shared_bytes[who][i], 1, (off_t)i);
        if (aio_read(&shared_cbs[who][i]) != 0)
            atomic_fetch_add(&submit_failures, 1);
    }
    return NULL;
}

/*
 * "Submission from a signal handler is not required to be safe; from many
 * threads at once it is."
 */
START_TEST(many_threads_submit_at_once)
{
    pthread_t threads[SUBMITTERS];

    if (_i > 0)
        queue_everything();
    shared_fd = temp_file(READS_EACH);
    for (uintptr_t i = 0; i < SUBMITTERS; i++)
        start_thread(&threads[i], submit_many, (void *)i);
    for (int i = 0; i < SUBMITTERS; i++)
        join_thread(threads[i]);
    ck_assert_int_eq(atomic_load(&submit_failures), 0);
    for (size_t who = 0; who < SUBMITTERS; who++) {
        for (size_t i = 0; i < READS_EACH; i++) {
            ck_assert_int_eq(finish(&shared_cbs[who][i]), 1);
            ck_assert(is_pattern(&shared_bytes[who][i], 1, i));
        }
    }
}
END_TEST

Suite *read_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("aio_read", 60, &tc);

    tcase_add_test(tc, read_gives_the_bytes_at_the_offset);
    tcase_add_test(tc, queued_read_gives_the_bytes_at_the_offset);
    tcase_add_test(tc, read_is_short_at_end_of_file);
    tcase_add_test(tc, read_of_no_bytes_gives_0);
    tcase_add_test(tc, read_of_many_megabytes_is_whole);
    tcase_add_test(tc, large_reads_of_what_is_cached_in_part);
    tcase_add_test(tc, later_errors_come_through_aio_error);
    tcase_add_test(tc, a_bad_buffer_is_efault_through_aio_error);
    tcase_add_test(tc, eagain_when_full_and_nothing_queued);
    tcase_add_test(tc, ebadf_for_a_descriptor_not_open_is_deferred);
    tcase_add_test(tc, ebadf_for_a_descriptor_not_open_for_reading_is_deferred);
    tcase_add_test(tc, einval_for_a_negative_offset);
    tcase_add_test(tc, einval_for_more_than_ssize_max_bytes);
    tcase_add_test(tc, einval_for_a_priority_out_of_range);
    tcase_add_test(tc, every_priority_in_range_is_accepted);
    tcase_add_test(tc, read_past_the_offset_maximum_is_eoverflow_or_as_pread);
    tcase_add_test(tc, einval_for_a_bad_sigev_notify);
    tcase_add_test(tc, einval_for_a_bad_signal_number);
    tcase_add_test(tc, signal_0_is_accepted_and_delivers_nothing);
    tcase_add_test(tc, offset_is_ignored_on_non_seekable_descriptors);
    tcase_add_test(tc, read_of_an_empty_pipe_waits_for_data);
    tcase_add_test(tc, lio_opcode_is_ignored);
    tcase_add_test(tc, public_fields_are_not_modified);
    tcase_add_test(tc, file_offset_is_not_moved);
    tcase_add_loop_test(tc, many_threads_submit_at_once, 0, 2);
    return suite;
}
