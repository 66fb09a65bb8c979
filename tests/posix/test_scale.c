/* SPDX-License-Identifier: MIT */
/*
 * Very many requests on one descriptor, and very long lists.
 *
 * All workers (there is one) are held, so that every request is queued at the
 * same moment: what costs time in proportion to the queue's length makes
 * these tests run into their timeout.
 */
#include "helpers.h"

static const size_t n_requests = SANITIZED ? 50000 : 1000000;
static const size_t n_entries = SANITIZED ? 100000 : 2000000;

static struct aiocb slow;
static struct gate gate;
static struct aiocb *cbs;
static char *bytes;

#define HOLD_THE_WORKER()         \
 do {                             \
  queue_everything();             \
  use_workers(1);                 \
  MAKE_GATE(&gate, 1);            \
  occupy_worker(&gate, 0, &slow); \
 } while (0)

static void release_the_worker(void)
{
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
}

/* Queues a one-byte read of fd for every byte of it. */
static void queue_reads(int fd)
{
    cbs = malloc(n_requests * sizeof *cbs);
    bytes = malloc(n_requests);
    ck_assert(cbs != NULL && bytes != NULL);
    memset(bytes, 0, n_requests);
    for (size_t i = 0; i < n_requests; i++) {
        prep(&cbs[i], fd, &bytes[i], 1, (off_t)i);
        must_read(&cbs[i]);
    }
}

static void check_reads(void)
{
    for (size_t i = 0; i < n_requests; i++) {
        if (wait_done(&cbs[i]) != 0 || aio_return(&cbs[i]) != 1)
            ck_abort_msg("request %zu: status %d", i, aio_error(&cbs[i]));
    }
    ck_assert(is_pattern(bytes, n_requests, 0));
}

/* "The library's default maximum" is not reached: a million requests of one descriptor. */
START_TEST(a_million_requests_of_one_descriptor_complete)
{
    int fd = temp_file(n_requests);

    HOLD_THE_WORKER();
    queue_reads(fd);
    ck_assert_int_eq(aio_error(&cbs[n_requests - 1]), EINPROGRESS);
    release_the_worker();
    check_reads();
}
END_TEST

/* The same, waited for from the last to the first. */
START_TEST(a_million_requests_waited_for_backwards)
{
    int fd = temp_file(n_requests);

    HOLD_THE_WORKER();
    queue_reads(fd);
    release_the_worker();
    for (size_t i = n_requests; i-- > 0;) {
        if (wait_done(&cbs[i]) != 0 || aio_return(&cbs[i]) != 1)
            ck_abort_msg("request %zu: status %d", i, aio_error(&cbs[i]));
    }
    ck_assert(is_pattern(bytes, n_requests, 0));
}
END_TEST

/* Cancelling one by one, in no order, costs no more than submitting. */
START_TEST(a_million_requests_are_cancelled_one_by_one)
{
    const size_t step = 7919; /* a prime: every index comes once */
    int fd = temp_file(n_requests);

    HOLD_THE_WORKER();
    queue_reads(fd);
    for (size_t i = 0, at = 0; i < n_requests; i++, at = (at + step) % n_requests) {
        if (aio_cancel(fd, &cbs[at]) != AIO_CANCELED || aio_error(&cbs[at]) != ECANCELED)
            ck_abort_msg("request %zu: status %d", at, aio_error(&cbs[at]));
    }
    release_the_worker();
    for (size_t i = 0; i < n_requests; i++) {
        if (bytes[i] != 0)
            ck_abort_msg("request %zu was performed", i);
    }
}
END_TEST

/* And all at once. */
START_TEST(a_million_requests_are_cancelled_at_once)
{
    int fd = temp_file(n_requests);

    HOLD_THE_WORKER();
    queue_reads(fd);
    ck_assert_int_eq(aio_cancel(fd, NULL), AIO_CANCELED);
    for (size_t i = 0; i < n_requests; i++) {
        if (aio_error(&cbs[i]) != ECANCELED)
            ck_abort_msg("request %zu: status %d", i, aio_error(&cbs[i]));
    }
    release_the_worker();
}
END_TEST

/* Many synchronisations, each behind the others. */
START_TEST(many_fsyncs_among_many_writes_complete)
{
    const size_t n = 20000;
    int fd = temp_file(0);

    cbs = malloc(n * sizeof *cbs);
    ck_assert_ptr_nonnull(cbs);
    HOLD_THE_WORKER();
    for (size_t i = 0; i < n; i++) {
        prep(&cbs[i], fd, "x", 1, (off_t)i);
        if (i % 200 == 199)
            must_fsync(&cbs[i]);
        else
            must_write(&cbs[i]);
    }
    release_the_worker();
    for (size_t i = 0; i < n; i++) {
        if (wait_done(&cbs[i]) != 0)
            ck_abort_msg("request %zu: status %d", i, aio_error(&cbs[i]));
    }
}
END_TEST

static const struct aiocb **long_list;
static sem_t about_to_wait;

static void *suspend_on_the_long_list(void *argument)
{
    atomic_int *result = argument;

    sem_post(&about_to_wait);
    atomic_store(result, aio_suspend(long_list, (int)n_entries, NULL) == 0 ? 1 : errno);
    return NULL;
}

/* "no VLA sized by the caller": the waiter's stack is small. */
static void suspend_on_a_small_stack(void)
{
    static atomic_int result;
    const size_t stack_size = (size_t)(SANITIZED ? 1024 : 128) << 10;
    pthread_attr_t attr;
    pthread_t thread;

    ck_assert_int_eq(sem_init(&about_to_wait, 0, 0), 0);
    ck_assert_int_eq(pthread_attr_init(&attr), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&attr, stack_size), 0);
    ck_assert_int_eq(pthread_create(&thread, &attr, suspend_on_the_long_list, &result), 0);
    await(&about_to_wait);
    gate_open(&gate, 0);
    join_thread(thread);
    ck_assert_int_eq(atomic_load(&result), 1);
}

/* "Two million entries are fine.": nearly all are NULL. */
START_TEST(suspend_on_two_million_entries_with_one_request)
{
    const struct timespec no_time = {0, 0};

    HOLD_THE_WORKER();
    long_list = calloc(n_entries, sizeof *long_list);
    ck_assert_ptr_nonnull(long_list);
    long_list[n_entries - 1] = &slow;
    ck_assert_int_eq(aio_suspend(long_list, (int)n_entries, &no_time), -1);
    ck_assert_int_eq(errno, EAGAIN);
    suspend_on_a_small_stack();
    ck_assert_int_eq(finish(&slow), 16);
    ck_assert_int_eq(aio_suspend(long_list, (int)n_entries, NULL), 0);
}
END_TEST

/* "Two million entries are fine.": each is a request in progress. */
START_TEST(suspend_on_two_million_entries_that_are_all_in_progress)
{
    const struct timespec no_time = {0, 0}, short_time = {0, 1000000};
    int fd = temp_file(n_requests);

    HOLD_THE_WORKER();
    queue_reads(fd);
    long_list = calloc(n_entries, sizeof *long_list);
    ck_assert_ptr_nonnull(long_list);
    for (size_t i = 0; i < n_entries; i++)
        long_list[i] = &cbs[i % n_requests];
    ck_assert_int_eq(aio_suspend(long_list, (int)n_entries, &no_time), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(aio_suspend(long_list, (int)n_entries, &short_time), -1);
    ck_assert_int_eq(errno, EAGAIN);
    suspend_on_a_small_stack();
    check_reads();
}
END_TEST

Suite *scale_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("scale", 120, &tc);

    tcase_add_test(tc, a_million_requests_of_one_descriptor_complete);
    tcase_add_test(tc, a_million_requests_waited_for_backwards);
    tcase_add_test(tc, a_million_requests_are_cancelled_one_by_one);
    tcase_add_test(tc, a_million_requests_are_cancelled_at_once);
    tcase_add_test(tc, many_fsyncs_among_many_writes_complete);
    tcase_add_test(tc, suspend_on_two_million_entries_with_one_request);
    tcase_add_test(tc, suspend_on_two_million_entries_that_are_all_in_progress);
    return suite;
}
