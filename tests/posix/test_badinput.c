/* SPDX-License-Identifier: MIT */
/*
 * What programs hand in that they should not, or that looks as if they should
 * not: "Only the public fields may be trusted: aiocbs and sigevents are often
 * uninitialised stack, resubmitted without aio_return, or copied."
 */
#include "helpers.h"

#include <sys/mman.h>

#define MANY 64

/*
 * libc declares its parameters nonnull, and a compiler may make use of it.
 * Calls through these pointers are not of such a type.
 */
static int (*volatile call_read)(struct aiocb *) = aio_read;
static int (*volatile call_write)(struct aiocb *) = aio_write;
static int (*volatile call_fsync)(int, struct aiocb *) = aio_fsync;
static int (*volatile call_error)(const struct aiocb *) = aio_error;
static ssize_t (*volatile call_return)(struct aiocb *) = aio_return;
static int (*volatile call_suspend)(const struct aiocb *const[], int,
                                    const struct timespec *) = aio_suspend;
static int (*volatile call_listio)(int, struct aiocb *const[], int, struct sigevent *) = lio_listio;

/* What private fields may hold by accident; the last is for the addresses below. */
static const int garbage[] = {0xff, 0xa5, 0x5a, 0x01, 0x7f, 0x80, EINPROGRESS, ECANCELED};

static struct aiocb cbs[MANY];
static char bytes[MANY];

/*
 * The bytes of a control block that may be in flight.  A worker may write the
 * private ones at the same time: that is what the tests of copies are about,
 * and no fault to report.
 */
#ifdef __clang__
__attribute__((no_sanitize("thread")))
#elif defined(__SANITIZE_THREAD__)
__attribute__((no_sanitize_thread))
#endif
static void
copy_in_flight(struct aiocb *to, const struct aiocb *from)
{
    const volatile unsigned char *in = (const volatile unsigned char *)from;
    volatile unsigned char *out = (volatile unsigned char *)to;

    for (size_t i = 0; i < sizeof *to; i++)
        out[i] = in[i];
}

static bool is_einval_or_efault(int error)
{
    return error == EINVAL || error == EFAULT;
}

static void check_all_is_well(void)
{
    int fd = temp_file(MANY);

    for (size_t i = 0; i < MANY; i++) {
        prep(&cbs[i], fd, &bytes[i], 1, (off_t)i);
        must_read(&cbs[i]);
    }
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(finish(&cbs[i]), 1);
        ck_assert(is_pattern(&bytes[i], 1, i));
    }
    close(fd);
}

/* --- NULL --- */

START_TEST(null_aiocbs_are_refused)
{
    errno = 0;
    ck_assert_int_eq(call_read(NULL), -1);
    ck_assert(is_einval_or_efault(errno));
    errno = 0;
    ck_assert_int_eq(call_write(NULL), -1);
    ck_assert(is_einval_or_efault(errno));
    errno = 0;
    ck_assert_int_eq(call_fsync(O_SYNC, NULL), -1);
    ck_assert(is_einval_or_efault(errno));
    ck_assert_int_ne(call_error(NULL), EINPROGRESS);
    errno = 0;
    ck_assert_int_eq(call_return(NULL), -1);
    ck_assert(is_einval_or_efault(errno));
    check_all_is_well();
}
END_TEST

START_TEST(null_lists_are_refused_or_empty)
{
    const struct timespec no_time = {0, 0};

    ck_assert_int_eq(call_suspend(NULL, 0, &no_time), 0);
    ck_assert_int_eq(call_listio(LIO_WAIT, NULL, 0, NULL), 0);
    ck_assert_int_eq(call_listio(LIO_NOWAIT, NULL, 0, NULL), 0);
    errno = 0;
    ck_assert_int_eq(call_suspend(NULL, 3, &no_time), -1);
    ck_assert(is_einval_or_efault(errno));
    errno = 0;
    ck_assert_int_eq(call_listio(LIO_WAIT, NULL, 3, NULL), -1);
    ck_assert(is_einval_or_efault(errno));
    check_all_is_well();
}
END_TEST

/* A NULL buffer with bytes to move is the request's error. */
START_TEST(a_null_buffer_is_efault)
{
    struct aiocb cb;
    int fd = temp_file(100);

    prep(&cb, fd, NULL, 10, 0);
    must_read(&cb);
    finish_with(&cb, EFAULT);
    prep(&cb, fd, NULL, 10, 0);
    must_write(&cb);
    finish_with(&cb, EFAULT);
}
END_TEST

/* --- garbage --- */

/* "one must not crash or hang on a zero-filled or garbage one": every function that takes one. */
START_TEST(garbage_aiocbs_crash_and_hang_nothing)
{
    const struct timespec no_time = {0, 0};
    const struct aiocb *list[1];
    struct aiocb cb;
    int fd = temp_file(100);

    for (int started = 0; started <= 1; started++) {
        for (size_t i = 0; i < COUNT(garbage); i++) {
            memset(&cb, garbage[i], sizeof cb);
            list[0] = &cb;
            ck_assert_int_ne(aio_error(&cb), EINPROGRESS);
            ck_assert_int_eq(aio_return(&cb), -1);
            ck_assert_int_eq(aio_suspend(list, 1, &no_time), 0);
            cb.aio_fildes = fd;
            ck_assert_int_eq(aio_cancel(fd, &cb), AIO_ALLDONE);
        }
        check_all_is_well();
    }
}
END_TEST

/* The same with each word the address of something that must not be followed. */
START_TEST(aiocbs_full_of_bad_addresses_crash_nothing)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *forbidden = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const uintptr_t addresses[] = {(uintptr_t)forbidden, 8, (uintptr_t)&cbs[0] + 1,
                                   (uintptr_t)bytes, UINTPTR_MAX};
    const struct timespec no_time = {0, 0};
    const struct aiocb *list[1];
    char buf[10];
    struct aiocb cb;
    uintptr_t words[sizeof cb / sizeof(uintptr_t)];
    int fd = temp_file(100);

    ck_assert_ptr_ne(forbidden, MAP_FAILED);
    for (size_t i = 0; i < COUNT(addresses); i++) {
        for (size_t k = 0; k < COUNT(words); k++)
            words[k] = addresses[i];
        memcpy(&cb, words, sizeof words);
        list[0] = &cb;
        ck_assert_int_ne(aio_error(&cb), EINPROGRESS);
        ck_assert_int_eq(aio_return(&cb), -1);
        ck_assert_int_eq(aio_suspend(list, 1, &no_time), 0);
        cb.aio_fildes = fd;
        ck_assert_int_eq(aio_cancel(fd, &cb), AIO_ALLDONE);
        cb.aio_reqprio = 0;
        cb.aio_buf = buf;
        cb.aio_nbytes = sizeof buf;
        cb.aio_offset = 5;
        cb.aio_sigevent.sigev_notify = SIGEV_NONE;
        must_read(&cb);
        ck_assert_int_eq(finish(&cb), sizeof buf);
        ck_assert(is_pattern(buf, sizeof buf, 5));
    }
    check_all_is_well();
}
END_TEST

/* "Only the public fields may be trusted", "uninitialised sigevents" with SIGEV_NONE. */
START_TEST(private_fields_may_be_garbage_at_submission)
{
    char buf[10];
    struct aiocb cb;
    struct aiocb *list[1] = {&cb};
    int fd = temp_file(100);

    if (_i > 0)
        queue_everything();
    for (size_t i = 0; i < COUNT(garbage); i++) {
        prep_over_garbage(&cb, garbage[i], fd, buf, sizeof buf, 3);
        must_read(&cb);
        ck_assert_int_eq(finish(&cb), sizeof buf);
        ck_assert(is_pattern(buf, sizeof buf, 3));

        prep_over_garbage(&cb, garbage[i], fd, buf, sizeof buf, 3);
        must_write(&cb);
        ck_assert_int_eq(finish(&cb), sizeof buf);

        prep_over_garbage(&cb, garbage[i], fd, buf, sizeof buf, 3);
        must_fsync(&cb);
        ck_assert_int_eq(finish(&cb), 0);

        prep_over_garbage(&cb, garbage[i], fd, buf, sizeof buf, 3);
        cb.aio_lio_opcode = LIO_READ;
        ck_assert_int_eq(lio_listio(LIO_WAIT, list, 1, NULL), 0);
        ck_assert_int_eq(aio_return(&cb), sizeof buf);
    }
}
END_TEST

/* Every byte of the private fields is random. */
START_TEST(private_fields_may_be_random_at_submission)
{
    const unsigned seed = (unsigned)time(NULL);
    unsigned random = seed;
    unsigned char noise[sizeof(struct aiocb)];
    char buf[10];
    struct aiocb cb;
    int fd = temp_file(100);

    printf("private_fields_may_be_random_at_submission: seed %u\n", seed);
    for (int i = 0; i < 2000; i++) {
        for (size_t k = 0; k < sizeof noise; k++) {
            random = random * 1664525U + 1013904223U;
            noise[k] = (unsigned char)(random >> 24);
        }
        memcpy(&cb, noise, sizeof cb);
        ck_assert_int_ne(aio_error(&cb), EINPROGRESS);
        cb.aio_fildes = fd;
        ck_assert_int_eq(aio_cancel(fd, &cb), AIO_ALLDONE);
        cb.aio_reqprio = 0;
        cb.aio_buf = buf;
        cb.aio_nbytes = sizeof buf;
        cb.aio_offset = 5;
        cb.aio_sigevent.sigev_notify = SIGEV_NONE;
        must_read(&cb);
        ck_assert_int_eq(finish(&cb), sizeof buf);
    }
}
END_TEST

/* --- sizes and numbers --- */

/* "aio_nbytes": the greatest that is allowed does what read() does with it. */
START_TEST(the_greatest_count_is_as_reads)
{
    static char memory[4096];
    char *volatile buf = memory; /* or _FORTIFY_SOURCE ends the program */
    volatile size_t most = SSIZE_MAX;
    int fd = temp_file(100);
    const ssize_t said = pread(fd, buf, most, 0);
    const int error = said < 0 ? errno : 0;
    struct aiocb cb;

    prep(&cb, fd, buf, most, 0);
    must_read(&cb);
    ck_assert_int_eq(wait_done(&cb), error);
    ck_assert_int_eq(aio_return(&cb), said);
}
END_TEST

START_TEST(counts_that_are_negative_numbers_are_refused)
{
    struct aiocb *list[1] = {NULL};
    const struct aiocb *const waited[1] = {NULL};

    ck_assert_int_eq(aio_suspend(waited, INT_MIN, NULL), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, INT_MIN, NULL), -1);
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* Descriptors that were open a moment ago. */
START_TEST(closed_descriptors_are_ebadf)
{
    char buf[10];
    struct aiocb cb;

    for (int i = 0; i < 100; i++) {
        int fd = temp_file(100);

        prep(&cb, fd, buf, sizeof buf, 0);
        must_read(&cb);
        ck_assert_int_eq(finish(&cb), sizeof buf);
        close(fd);
        must_read(&cb);
        finish_with(&cb, EBADF);
        must_write(&cb);
        finish_with(&cb, EBADF);
        ck_assert_int_eq(aio_fsync(O_SYNC, &cb), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_int_eq(aio_cancel(fd, &cb), -1);
        ck_assert_int_eq(errno, EBADF);
    }
}
END_TEST

/* A closed number that is opened anew, for another kind of file, is taken for what it is now. */
START_TEST(a_number_that_is_reused_is_not_remembered)
{
    char buf[10];
    struct aiocb cb;
    int file, ends[2];

    for (int i = 0; i < 50; i++) {
        file = temp_file(100);
        prep(&cb, file, buf, sizeof buf, 50);
        must_read(&cb);
        ck_assert_int_eq(finish(&cb), sizeof buf);
        ck_assert(is_pattern(buf, sizeof buf, 50));
        make_pipe(ends);
        ck_assert_int_eq(dup2(ends[0], file), file);
        ck_assert_int_eq(write(ends[1], "0123456789", 10), 10);
        must_read(&cb);
        ck_assert_int_eq(finish(&cb), sizeof buf);
        ck_assert_mem_eq(buf, "0123456789", 10);
        close(file);
        close(ends[0]);
        close(ends[1]);
    }
}
END_TEST

/* --- copies --- */

/* "or copied": a copy of a request in flight is a control block of its own. */
START_TEST(a_copy_of_a_request_in_flight_can_be_submitted)
{
    char buf[10] = {0};
    struct aiocb slow, copy;
    struct gate gate;

    queue_everything();
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    copy_in_flight(&copy, &slow);
    copy.aio_buf = buf;
    copy.aio_nbytes = sizeof buf;
    must_read(&copy);
    ck_assert_int_eq(finish(&copy), sizeof buf);
    ck_assert(is_pattern(buf, sizeof buf, 0));
    ck_assert_int_eq(aio_error(&slow), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
    ck_assert_int_eq(aio_error(&copy), 0);
}
END_TEST

/* What is asked of a copy does no harm to the request it was copied from. */
START_TEST(a_copy_does_no_harm_to_its_original)
{
    const struct timespec no_time = {0, 0};
    struct aiocb slow, copy;
    const struct aiocb *list[1] = {&copy};
    struct gate gate;

    queue_everything();
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    copy_in_flight(&copy, &slow);
    aio_error(&copy);
    aio_return(&copy);
    aio_suspend(list, 1, &no_time);
    ck_assert_int_eq(aio_error(&slow), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
    aio_error(&copy);
    aio_return(&copy);
    aio_suspend(list, 1, &no_time);
    ck_assert_int_eq(aio_error(&slow), 0);
    check_all_is_well();
}
END_TEST

/* A copy of a queued request does not stand for it. */
START_TEST(cancelling_a_copy_does_not_cancel_the_original)
{
    char buf[10];
    struct aiocb slow, queued, copy;
    struct gate gate;
    int fd = temp_file(100);

    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    prep(&queued, fd, buf, sizeof buf, 0);
    must_read(&queued);
    copy_in_flight(&copy, &queued);
    ck_assert_int_eq(aio_cancel(fd, &copy), AIO_ALLDONE);
    ck_assert_int_eq(aio_error(&queued), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&queued), sizeof buf);
    ck_assert_int_eq(finish(&slow), 16);
}
END_TEST

/* A control block moved, by its bytes, once its request was done. */
START_TEST(a_done_aiocb_can_be_moved_and_submitted_again)
{
    char buf[10];
    struct aiocb *from = malloc(sizeof *from), *to = malloc(sizeof *to);
    int fd = temp_file(100);

    ck_assert(from != NULL && to != NULL);
    prep(from, fd, buf, sizeof buf, 0);
    for (int i = 0; i < 100; i++) {
        struct aiocb *swap;

        must_read(from);
        ck_assert_int_eq(finish(from), sizeof buf);
        memcpy(to, from, sizeof *to);
        memset(from, 0xa5, sizeof *from);
        swap = from;
        from = to;
        to = swap;
    }
    free(from);
    free(to);
}
END_TEST

/* --- again without aio_return --- */

/*
 * "resubmitted without aio_return": as often as one likes, though the bound
 * on requests is low.
 */
START_TEST(resubmission_without_aio_return)
{
    struct aiocb cb;
    char buf[10];
    int fd = temp_file(100);

    ck_assert_int_eq(setenv("UAIO_MAX_REQUESTS", "16", 1), 0);
    if (_i > 0)
        queue_everything();
    prep(&cb, fd, buf, sizeof buf, 0);
    for (int i = 0; i < 50000; i++) {
        must_read(&cb);
        ck_assert_int_eq(wait_done(&cb), 0);
    }
    ck_assert_int_eq(aio_return(&cb), sizeof buf);
}
END_TEST

/* Nor do control blocks that are forgotten use anything up. */
START_TEST(forgotten_aiocbs_use_nothing_up)
{
    char buf[10];
    int fd = temp_file(100);

    ck_assert_int_eq(setenv("UAIO_MAX_REQUESTS", "16", 1), 0);
    if (_i > 0)
        queue_everything();
    for (int i = 0; i < 50000; i++) {
        struct aiocb *cb = malloc(sizeof *cb);

        ck_assert_ptr_nonnull(cb);
        prep(cb, fd, buf, sizeof buf, 0);
        must_read(cb);
        ck_assert_int_eq(wait_done(cb), 0);
        memset(cb, 0xa5, sizeof *cb);
        free(cb);
    }
}
END_TEST

/* "fio reuses aiocbs after an error without aio_return." */
START_TEST(reuse_after_an_error_without_aio_return)
{
    char buf[10];
    struct aiocb cb;
    int fd = temp_file(100), closed = closed_fd();

    ck_assert_int_eq(setenv("UAIO_MAX_REQUESTS", "16", 1), 0);
    prep(&cb, fd, buf, sizeof buf, 0);
    for (int i = 0; i < 1000; i++) {
        cb.aio_fildes = closed;
        must_read(&cb);
        ck_assert_int_eq(wait_done(&cb), EBADF);
        cb.aio_fildes = fd;
        must_read(&cb);
        ck_assert_int_eq(wait_done(&cb), 0);
        cb.aio_reqprio = -1;
        ck_assert_int_eq(aio_read(&cb), -1);
        cb.aio_reqprio = 0;
        must_read(&cb);
        ck_assert_int_eq(finish(&cb), sizeof buf);
    }
}
END_TEST

/* The same after ECANCELED. */
START_TEST(reuse_after_cancelling_without_aio_return)
{
    char buf[10];
    struct aiocb slow, cb;
    struct gate gate;
    int fd = temp_file(100);

    ck_assert_int_eq(setenv("UAIO_MAX_REQUESTS", "16", 1), 0);
    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    prep(&cb, fd, buf, sizeof buf, 0);
    for (int i = 0; i < 1000; i++) {
        must_read(&cb);
        ck_assert_int_eq(aio_cancel(fd, &cb), AIO_CANCELED);
    }
    must_read(&cb);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&cb), sizeof buf);
    ck_assert_int_eq(finish(&slow), 16);
}
END_TEST

/* What was refused at the call is not in flight: it can be waited for and asked about. */
START_TEST(a_refused_aiocb_is_not_in_progress)
{
    const struct timespec no_time = {0, 0};
    char buf[10];
    struct aiocb cb;
    const struct aiocb *list[1] = {&cb};
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(garbage); i++) {
        prep_over_garbage(&cb, garbage[i], fd, buf, sizeof buf, 0);
        cb.aio_reqprio = -1;
        ck_assert_int_eq(aio_read(&cb), -1);
        ck_assert_int_eq(errno, EINVAL);
        ck_assert_int_ne(aio_error(&cb), EINPROGRESS);
        ck_assert_int_eq(aio_suspend(list, 1, &no_time), 0);
        ck_assert_int_eq(aio_return(&cb), -1);
        ck_assert_int_eq(aio_cancel(fd, &cb), AIO_ALLDONE);
    }
}
END_TEST

Suite *badinput_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("badinput", 60, &tc);

    tcase_add_test(tc, null_aiocbs_are_refused);
    tcase_add_test(tc, null_lists_are_refused_or_empty);
    tcase_add_test(tc, a_null_buffer_is_efault);
    tcase_add_test(tc, garbage_aiocbs_crash_and_hang_nothing);
    tcase_add_test(tc, aiocbs_full_of_bad_addresses_crash_nothing);
    tcase_add_loop_test(tc, private_fields_may_be_garbage_at_submission, 0, 2);
    tcase_add_test(tc, private_fields_may_be_random_at_submission);
    tcase_add_test(tc, the_greatest_count_is_as_reads);
    tcase_add_test(tc, counts_that_are_negative_numbers_are_refused);
    tcase_add_test(tc, closed_descriptors_are_ebadf);
    tcase_add_test(tc, a_number_that_is_reused_is_not_remembered);
    tcase_add_test(tc, a_copy_of_a_request_in_flight_can_be_submitted);
    tcase_add_test(tc, a_copy_does_no_harm_to_its_original);
    tcase_add_test(tc, cancelling_a_copy_does_not_cancel_the_original);
    tcase_add_test(tc, a_done_aiocb_can_be_moved_and_submitted_again);
    tcase_add_loop_test(tc, resubmission_without_aio_return, 0, 2);
    tcase_add_loop_test(tc, forgotten_aiocbs_use_nothing_up, 0, 2);
    tcase_add_test(tc, reuse_after_an_error_without_aio_return);
    tcase_add_test(tc, reuse_after_cancelling_without_aio_return);
    tcase_add_test(tc, a_refused_aiocb_is_not_in_progress);
    return suite;
}
