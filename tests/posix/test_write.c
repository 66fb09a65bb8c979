/* SPDX-License-Identifier: MIT */
/* aio_write(): "Submission" of the contract, for writes. */
#include "helpers.h"

#include <sys/resource.h>

/* A file of the given size may not grow; what goes beyond is EFBIG. */
static void limit_file_size(rlim_t nbytes)
{
    const struct rlimit limit = {nbytes, RLIM_INFINITY};

    ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* "The return value says only whether the request was queued." */
START_TEST(write_puts_the_bytes_at_the_offset)
{
    char buf[100];
    struct aiocb cb;
    int fd = temp_file(1000);

    prep(&cb, fd, "0123456789", 10, 500);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 10);
    ck_assert_int_eq(pread(fd, buf, 30, 490), 30);
    ck_assert(is_pattern(buf, 10, 490));
    ck_assert_mem_eq(buf + 10, "0123456789", 10);
    ck_assert(is_pattern(buf + 20, 10, 510));
}
END_TEST

START_TEST(write_beyond_the_end_extends_the_file)
{
    char buf[4];
    struct aiocb cb;
    int fd = temp_file(10);

    prep(&cb, fd, "end", 3, 10000);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 3);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 10003);
    ck_assert_int_eq(pread(fd, buf, sizeof buf, 10000), 3);
    ck_assert_mem_eq(buf, "end", 3);
}
END_TEST

START_TEST(write_of_no_bytes_gives_0)
{
    struct aiocb cb;
    int fd = temp_file(10);

    prep(&cb, fd, NULL, 0, 100);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 10);
}
END_TEST

START_TEST(write_of_many_megabytes_is_whole)
{
    const size_t nbytes = (size_t)24 << 20;
    unsigned char *buf = malloc(nbytes);
    struct aiocb cb;
    int fd = temp_file(0);

    ck_assert_ptr_nonnull(buf);
    for (size_t i = 0; i < nbytes; i++)
        buf[i] = pattern(i);
    prep(&cb, fd, buf, nbytes, 0);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), (ssize_t)nbytes);
    memset(buf, 0, nbytes);
    read_fully(fd, buf, nbytes);
    ck_assert(is_pattern(buf, nbytes, 0));
    free(buf);
}
END_TEST

/*
 * "The return value says only whether the request was queued; later errors come
 * through aio_error."
 */
START_TEST(later_errors_come_through_aio_error)
{
    struct aiocb cb;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        SKIP("no /dev/full");
    prep(&cb, fd, "data", 4, 0);
    must_write(&cb);
    finish_with(&cb, ENOSPC);
}
END_TEST

/* The same; the signal that write() would send with it does not kill the program. */
START_TEST(a_pipe_without_reader_is_epipe_through_aio_error)
{
    struct aiocb cb;
    int ends[2];

    make_pipe(ends);
    close(ends[0]);
    prep(&cb, ends[1], "data", 4, 0);
    must_write(&cb);
    finish_with(&cb, EPIPE);
}
END_TEST

/* "EAGAIN: no resources; nothing queued, the aiocb unchanged except its status." */
START_TEST(eagain_when_full_and_nothing_queued)
{
    static struct aiocb cbs[20000];
    struct aiocb slow, before;
    struct gate gate;
    size_t accepted = 0;
    int fd = temp_file(0);

    ck_assert_int_eq(setenv("UAIO_MAX_REQUESTS", "16", 1), 0);
    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    for (;; accepted++) {
        ck_assert_uint_lt(accepted, COUNT(cbs));
        prep(&cbs[accepted], fd, "x", 1, (off_t)accepted);
        before = cbs[accepted];
        if (aio_write(&cbs[accepted]) != 0)
            break;
    }
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert(same_public_fields(&cbs[accepted], &before));
    ck_assert_int_ne(aio_error(&cbs[accepted]), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
    for (size_t i = 0; i < accepted; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), (off_t)accepted);
    must_write(&cbs[accepted]);
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
    struct aiocb cb;

    for (size_t i = 0; i < COUNT(fds); i++) {
        prep(&cb, fds[i], "data", 4, 0);
        must_write(&cb);
        finish_with(&cb, EBADF);
    }
}
END_TEST

START_TEST(ebadf_for_a_descriptor_not_open_for_writing_is_deferred)
{
    struct aiocb cb;
    int ends[2];

    prep(&cb, reopen(temp_file(100), O_RDONLY), "data", 4, 0);
    must_write(&cb);
    finish_with(&cb, EBADF);
    make_pipe(ends);
    prep(&cb, ends[0], "data", 4, 0);
    must_write(&cb);
    finish_with(&cb, EBADF);
}
END_TEST

/* "EINVAL: negative offset on a seekable file (at the call)" */
START_TEST(einval_for_a_negative_offset)
{
    const off_t offsets[] = {-1, -4096, (off_t)(sizeof(off_t) == 8 ? INT64_MIN : INT32_MIN)};
    struct aiocb cb;
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(offsets); i++) {
        prep(&cb, fd, "data", 4, offsets[i]);
        ck_assert_int_eq(aio_write(&cb), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 100);
}
END_TEST

/* "EINVAL: aio_nbytes > SSIZE_MAX (at the call)" */
START_TEST(einval_for_more_than_ssize_max_bytes)
{
    const size_t sizes[] = {(size_t)SSIZE_MAX + 1, SIZE_MAX};
    struct aiocb cb;
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(sizes); i++) {
        prep(&cb, fd, "data", sizes[i], 0);
        ck_assert_int_eq(aio_write(&cb), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
}
END_TEST

/* "EINVAL: aio_reqprio out of 0..AIO_PRIO_DELTA_MAX (at the call)" */
START_TEST(einval_for_a_priority_out_of_range)
{
    const int bad[] = {-1, AIO_PRIO_DELTA_MAX + 1, INT_MAX, INT_MIN};
    struct aiocb cb;
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(bad); i++) {
        prep(&cb, fd, "data", 4, 0);
        cb.aio_reqprio = bad[i];
        ck_assert_int_eq(aio_write(&cb), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
}
END_TEST

/* "0..AIO_PRIO_DELTA_MAX" */
START_TEST(every_priority_in_range_is_accepted)
{
    struct aiocb cb;
    int fd = temp_file(100);

    for (int prio = 0; prio <= AIO_PRIO_DELTA_MAX; prio++) {
        prep(&cb, fd, "data", 4, prio * 4);
        cb.aio_reqprio = prio;
        must_write(&cb);
        ck_assert_int_eq(finish(&cb), 4);
    }
}
END_TEST

/* "EFBIG (write)": beyond the process's limit. */
START_TEST(efbig_beyond_the_file_size_limit)
{
    struct aiocb cb;
    int fd = temp_file(100);

    limit_file_size(4096);
    prep(&cb, fd, "data", 4, 4096);
    if (aio_write(&cb) != 0)
        ck_assert_int_eq(errno, EFBIG);
    else
        finish_with(&cb, EFBIG);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 100);
}
END_TEST

/* "EFBIG (write)": beyond what the file can ever hold. */
START_TEST(efbig_beyond_the_greatest_file)
{
    const off_t offset = (off_t)(sizeof(off_t) == 8 ? INT64_MAX - 4096 : INT32_MAX);
    struct aiocb cb;
    int fd = temp_file(100);

    prep(&cb, fd, "data", 4, offset);
    if (aio_write(&cb) != 0)
        ck_assert_int_eq(errno, EFBIG);
    else
        finish_with(&cb, EFBIG);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 100);
}
END_TEST

/*
 * "EFBIG (write)": across the offset maximum, where Linux's own pwrite() says
 * EINVAL; or, where off_t has 32 bits, writes up to it.
 */
START_TEST(efbig_across_the_offset_maximum_or_as_pwrite)
{
    const off_t offset = (off_t)(sizeof(off_t) == 8 ? INT64_MAX : INT32_MAX) - 1;
    struct aiocb cb;
    int fd = temp_file(100);
    const ssize_t said = pwrite(fd, "data", 4, offset);
    const int error = said < 0 ? errno : 0;

    if (sizeof(off_t) == 8)
        ck_assert_int_eq(said, -1);
    ck_assert_int_eq(ftruncate(fd, 100), 0);
    prep(&cb, fd, "data", 4, offset);
    if (aio_write(&cb) != 0) {
        ck_assert(errno == EFBIG || errno == error);
    } else {
        const int status = wait_done(&cb);

        ck_assert(status == EFBIG || status == error);
        ck_assert_int_eq(aio_return(&cb), status == EFBIG ? -1 : said);
    }
    ck_assert_int_eq(ftruncate(fd, 100), 0);
}
END_TEST

/* "Bad aio_sigevent.sigev_notify or signal number: EINVAL" */
START_TEST(einval_for_a_bad_sigevent)
{
    struct aiocb cb;
    int fd = temp_file(100);

    prep(&cb, fd, "data", 4, 0);
    cb.aio_sigevent.sigev_notify = 99;
    ck_assert_int_eq(aio_write(&cb), -1);
    ck_assert_int_eq(errno, EINVAL);
    prep(&cb, fd, "data", 4, 0);
    cb.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    cb.aio_sigevent.sigev_signo = SIGRTMAX + 1;
    ck_assert_int_eq(aio_write(&cb), -1);
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* "SIGEV_SIGNAL with signal 0 (a zero-filled aiocb) is accepted and delivers nothing" */
START_TEST(signal_0_is_accepted)
{
    static char data[] = "data";
    struct aiocb cb;

    memset(&cb, 0, sizeof cb);
    cb.aio_fildes = temp_file(100);
    cb.aio_buf = data;
    cb.aio_nbytes = 4;
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 4);
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
            prep(&cb, pair[1], "abc", 3, offsets[i]);
            must_write(&cb);
            ck_assert_int_eq(finish(&cb), 3);
            read_fully(pair[0], buf, 3);
            ck_assert_mem_eq(buf, "abc", 3);
        }
    }
}
END_TEST

/* "aio_lio_opcode is ignored by aio_read/aio_write." */
START_TEST(lio_opcode_is_ignored)
{
    const int opcodes[] = {LIO_READ, LIO_NOP, -1, 99, 128};
    char buf[4];
    struct aiocb cb;
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(opcodes); i++) {
        prep(&cb, fd, "data", 4, (off_t)(i * 4));
        cb.aio_lio_opcode = opcodes[i];
        must_write(&cb);
        ck_assert_int_eq(finish(&cb), 4);
        ck_assert_int_eq(pread(fd, buf, 4, (off_t)(i * 4)), 4);
        ck_assert_mem_eq(buf, "data", 4);
    }
}
END_TEST

/* "The caller's aiocb is not modified apart from the private fields." */
START_TEST(public_fields_are_not_modified)
{
    struct aiocb cb, before;

    prep_over_garbage(&cb, 0x5a, temp_file(100), "data", 4, 7);
    cb.aio_reqprio = 3;
    before = cb;
    must_write(&cb);
    ck_assert(same_public_fields(&cb, &before));
    ck_assert_int_eq(finish(&cb), 4);
    ck_assert(same_public_fields(&cb, &before));
}
END_TEST

/* "The file offset of the descriptor is not moved by seekable I/O." */
START_TEST(file_offset_is_not_moved)
{
    struct aiocb cb;
    int fd = temp_file(100);

    ck_assert_int_eq(lseek(fd, 42, SEEK_SET), 42);
    prep(&cb, fd, "data", 4, 7);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 4);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 42);
}
END_TEST

/* The status is whole once a write() that follows must see it: read back through another open. */
START_TEST(a_finished_write_is_seen_by_every_reader)
{
    char byte;
    struct aiocb cb;
    int fd = temp_file(1);
    int other = reopen(fd, O_RDONLY);

    for (int i = 0; i < 500; i++) {
        const char value = (char)i;

        prep(&cb, fd, &value, 1, 0);
        must_write(&cb);
        ck_assert_int_eq(finish(&cb), 1);
        ck_assert_int_eq(pread(other, &byte, 1, 0), 1);
        ck_assert_int_eq(byte, value);
    }
}
END_TEST

#define SUBMITTERS 8
#define WRITES_EACH 1000

static int shared_fd;
static atomic_int submit_failures;
static struct aiocb shared_cbs[SUBMITTERS][WRITES_EACH];
static unsigned char shared_bytes[SUBMITTERS * WRITES_EACH];

static void *submit_many(void *argument)
{
    size_t who = (uintptr_t)argument;

    for (size_t i = 0; i < WRITES_EACH; i++) {
        size_t at = who * WRITES_EACH + i;

        prep(&shared_cbs[who][i], shared_fd, &shared_bytes[at], 1, (off_t)at);
        if (aio_write(&shared_cbs[who][i]) != 0)
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
    static unsigned char back[sizeof shared_bytes];
    pthread_t threads[SUBMITTERS];

    if (_i > 0)
        queue_everything();
    for (size_t i = 0; i < sizeof shared_bytes; i++)
        shared_bytes[i] = pattern(i);
    shared_fd = temp_file(0);
    for (uintptr_t i = 0; i < SUBMITTERS; i++)
        start_thread(&threads[i], submit_many, (void *)i);
    for (int i = 0; i < SUBMITTERS; i++)
        join_thread(threads[i]);
    ck_assert_int_eq(atomic_load(&submit_failures), 0);
    for (size_t who = 0; who < SUBMITTERS; who++) {
        for (size_t i = 0; i < WRITES_EACH; i++)
            ck_assert_int_eq(finish(&shared_cbs[who][i]), 1);
    }
    read_fully(shared_fd, back, sizeof back);
    ck_assert(is_pattern(back, sizeof back, 0));
}
END_TEST

Suite *write_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("aio_write", 60, &tc);

    tcase_add_test(tc, write_puts_the_bytes_at_the_offset);
    tcase_add_test(tc, write_beyond_the_end_extends_the_file);
    tcase_add_test(tc, write_of_no_bytes_gives_0);
    tcase_add_test(tc, write_of_many_megabytes_is_whole);
    tcase_add_test(tc, later_errors_come_through_aio_error);
    tcase_add_test(tc, a_pipe_without_reader_is_epipe_through_aio_error);
    tcase_add_test(tc, eagain_when_full_and_nothing_queued);
    tcase_add_test(tc, ebadf_for_a_descriptor_not_open_is_deferred);
    tcase_add_test(tc, ebadf_for_a_descriptor_not_open_for_writing_is_deferred);
    tcase_add_test(tc, einval_for_a_negative_offset);
    tcase_add_test(tc, einval_for_more_than_ssize_max_bytes);
    tcase_add_test(tc, einval_for_a_priority_out_of_range);
    tcase_add_test(tc, every_priority_in_range_is_accepted);
    tcase_add_test(tc, efbig_beyond_the_file_size_limit);
    tcase_add_test(tc, efbig_beyond_the_greatest_file);
    tcase_add_test(tc, efbig_across_the_offset_maximum_or_as_pwrite);
    tcase_add_test(tc, einval_for_a_bad_sigevent);
    tcase_add_test(tc, signal_0_is_accepted);
    tcase_add_test(tc, offset_is_ignored_on_non_seekable_descriptors);
    tcase_add_test(tc, lio_opcode_is_ignored);
    tcase_add_test(tc, public_fields_are_not_modified);
    tcase_add_test(tc, file_offset_is_not_moved);
    tcase_add_test(tc, a_finished_write_is_seen_by_every_reader);
    tcase_add_loop_test(tc, many_threads_submit_at_once, 0, 2);
    return suite;
}
