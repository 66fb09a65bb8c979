/* SPDX-License-Identifier: MIT */
/* <uaio/stats.h>: what the library tells of itself.  Of uaio's own libraries alone. */
#include "helpers.h"

#include <uaio/stats.h>

#include <sys/wait.h>

static struct uaio_stats stats; /* too large for some stacks */

static void look(void)
{
    memset(&stats, 0xa5, sizeof stats);
    ck_assert_int_eq(uaio_stats(&stats, sizeof stats), 0);
}

static uint64_t sum_of(const struct uaio_latency *latency)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < UAIO_LATENCY_BUCKETS; i++)
        sum += latency->buckets[i];
    return sum;
}

static void read_once(int fd)
{
    struct aiocb cb;
    char buf[16];

    prep(&cb, fd, buf, sizeof buf, 0);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), sizeof buf);
}

static void write_once(int fd)
{
    struct aiocb cb;

    prep(&cb, fd, "of no account...", 16, 0);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 16);
}

static void sync_once(int fd)
{
    struct aiocb cb;

    prep(&cb, fd, NULL, 0, 0);
    must_fsync(&cb);
    ck_assert_int_eq(finish(&cb), 0);
}

/* "All of it is 0 if the process has made no request." */
START_TEST(all_is_zero_before_the_first_request)
{
    static const struct uaio_stats zero;

    look();
    ck_assert_mem_eq(&stats, &zero, sizeof stats);
}
END_TEST

/* "what a request has added is seen once it is known to be over" */
static void counts_add_up(void)
{
    struct aiocb failing;
    int fd = temp_file(16);

    for (int i = 0; i < 30; i++)
        read_once(fd);
    for (int i = 0; i < 20; i++)
        write_once(fd);
    for (int i = 0; i < 3; i++)
        sync_once(fd);
    prep(&failing, closed_fd(), &fd, 1, 0);
    must_read(&failing);
    finish_with(&failing, EBADF);
    look();
    ck_assert_uint_eq(stats.reads, 31);
    ck_assert_uint_eq(stats.writes, 20);
    ck_assert_uint_eq(stats.syncs, 3);
    ck_assert_uint_eq(stats.completed, 53);
    ck_assert_uint_eq(stats.failed, 1);
    ck_assert_uint_eq(stats.canceled, 0);
    ck_assert_uint_eq(stats.polls + stats.contexts + stats.refused, 0);
    ck_assert_uint_eq(stats.in_flight, 0);
}

START_TEST(the_counts_add_up)
{
    counts_add_up();
}
END_TEST

START_TEST(the_counts_add_up_of_what_is_queued)
{
    queue_everything();
    counts_add_up();
    ck_assert_uint_eq(stats.inline_hits, 0);
    ck_assert_uint_ge(stats.in_flight_max, 1);
    ck_assert_uint_ge(stats.threads_started, 1);
    ck_assert_uint_ge(stats.threads_max, 1);
}
END_TEST

static void *read_many(void *fd)
{
    for (int i = 0; i < 1000; i++)
        read_once(*(int *)fd);
    return NULL;
}

START_TEST(the_counts_of_many_threads_add_up)
{
    pthread_t threads[20]; /* more than there are shards */
    int fd = temp_file(16);

    for (unsigned i = 0; i < COUNT(threads); i++)
        start_thread(&threads[i], read_many, &fd);
    for (unsigned i = 0; i < COUNT(threads); i++)
        join_thread(threads[i]);
    look();
    ck_assert_uint_eq(stats.reads, 1000 * COUNT(threads));
    ck_assert_uint_eq(stats.completed, 1000 * COUNT(threads));
    ck_assert_uint_eq(stats.read.samples, sum_of(&stats.read));
}
END_TEST

/* "requests, now ... and at most"; "Cancelled ones are not in it." */
START_TEST(in_flight_goes_up_and_down)
{
    struct aiocb cbs[2];
    int ends[2];
    char buf[2];

    make_pipe(ends);
    for (unsigned i = 0; i < COUNT(cbs); i++) {
        prep(&cbs[i], ends[0], &buf[i], 1, 0);
        must_read(&cbs[i]);
        look();
        ck_assert_uint_eq(stats.in_flight, i + 1);
    }
    ck_assert_uint_eq(stats.waited, 2);
    ck_assert_int_eq(aio_cancel(ends[0], &cbs[0]), AIO_CANCELED);
    finish_with(&cbs[0], ECANCELED);
    look();
    ck_assert_uint_eq(stats.in_flight, 1);
    ck_assert_uint_eq(stats.canceled, 1);
    ck_assert_uint_eq(stats.read.samples, 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(finish(&cbs[1]), 1);
    look();
    ck_assert_uint_eq(stats.in_flight, 0);
    ck_assert_uint_eq(stats.in_flight_max, 2);
}
END_TEST

static void check_latency(const struct uaio_latency *latency, uint64_t requests)
{
    uint64_t last = 0;

    ck_assert_uint_eq(latency->samples, sum_of(latency));
    ck_assert_uint_ge(latency->samples, requests / 24);
    ck_assert_uint_le(latency->samples, requests / 8 + 1);
    for (double percent = 0; percent <= 100; percent += 0.5) {
        uint64_t ns = uaio_latency_percentile(latency, percent);
        ck_assert_uint_gt(ns, 0);
        ck_assert_uint_ge(ns, last);
        last = ns;
    }
    ck_assert_uint_eq(last, latency->max_ns);
}

/* "one request in 16 (at irregular distances) of each thread, the first included" */
START_TEST(one_in_sixteen_is_timed)
{
    int fd = temp_file(16);

    read_once(fd);
    write_once(fd);
    sync_once(fd);
    look();
    ck_assert_uint_eq(stats.read.samples, 1);
    ck_assert_uint_eq(stats.write.samples, 1);
    ck_assert_uint_eq(stats.sync.samples, 1);
    for (int i = 1; i < 1600; i++) {
        read_once(fd);
        write_once(fd);
    }
    look();
    check_latency(&stats.read, 1600);
    check_latency(&stats.write, 1600);
    ck_assert_uint_eq(stats.sync.samples, 1);
}
END_TEST

/* A request cannot take less time than it was held up for. */
START_TEST(a_latency_is_that_of_the_request)
{
    struct timespec begin, end;
    struct aiocb cb;
    uint64_t passed;
    int ends[2];
    char c;

    make_pipe(ends);
    prep(&cb, ends[0], &c, 1, 0);
    must_read(&cb);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        clock_gettime(CLOCK_MONOTONIC, &end);
        passed = (uint64_t)((end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec);
    } while (passed < 2000000);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(finish(&cb), 1);
    look();
    ck_assert_uint_eq(stats.read.samples, 1);
    ck_assert_uint_ge(stats.read.max_ns, passed);
    ck_assert_uint_eq(uaio_latency_percentile(&stats.read, 50), stats.read.max_ns);
}
END_TEST

/* "32 ns wide up to 512 ns, and then an eighth of a power of two"; "68 minutes" */
START_TEST(buckets_are_an_eighth_wide)
{
    for (unsigned i = 0; i < UAIO_LATENCY_BUCKETS; i++) {
        uint64_t begin = uaio_latency_begin(i), width = uaio_latency_begin(i + 1) - begin;
        ck_assert_uint_ge(width, 32);
        ck_assert(width == 32 || (width * 8 <= begin && width * 16 > begin));
    }
    ck_assert_uint_eq(uaio_latency_begin(0), 0);
    ck_assert_uint_eq(uaio_latency_begin(16), 512);
    ck_assert_uint_eq(uaio_latency_begin(UAIO_LATENCY_BUCKETS - 1) / 60000000000, 68);
}
END_TEST

START_TEST(percentiles_are_ends_of_buckets)
{
    struct uaio_latency latency = {.samples = 100, .max_ns = 123456789};

    latency.buckets[20] = 90;
    latency.buckets[100] = 9;
    latency.buckets[UAIO_LATENCY_BUCKETS - 1] = 1;
    ck_assert_uint_eq(uaio_latency_percentile(&latency, 0), uaio_latency_begin(21));
    ck_assert_uint_eq(uaio_latency_percentile(&latency, 90), uaio_latency_begin(21));
    ck_assert_uint_eq(uaio_latency_percentile(&latency, 90.1), uaio_latency_begin(101));
    ck_assert_uint_eq(uaio_latency_percentile(&latency, 99), uaio_latency_begin(101));
    ck_assert_uint_eq(uaio_latency_percentile(&latency, 100), 123456789);
    ck_assert_uint_eq(uaio_latency_percentile(&(struct uaio_latency){.samples = 0}, 50), 0);
}
END_TEST

/* "a forked child's begin at 0" */
START_TEST(a_child_begins_at_zero)
{
    int way = _i, fd = temp_file(16);
    pid_t child;

    read_once(fd);
    read_once(fd);
    child = fork_by(way);
    if (child < 0 && errno == ENOSYS)
        SKIP("no such way to fork here");
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        look();
        ck_assert_uint_eq(stats.reads + stats.in_flight_max + sum_of(&stats.read), 0);
        read_once(fd);
        look();
        ck_assert_uint_eq(stats.reads, 1);
        ck_assert_uint_eq(sum_of(&stats.read), stats.read.samples);
        _exit(0);
    }
    ck_assert_int_eq(status_of(child), 0);
    look();
    ck_assert_uint_eq(stats.reads, 2);
}
END_TEST

/* "what is beyond those that the library knows is set to 0, and one that `size` cuts in
 * two is not filled in" */
START_TEST(it_fills_what_there_is_room_for)
{
    struct {
        struct uaio_stats known;
        uint64_t unknown;
    } later = {.unknown = 1};
    const unsigned char *bytes = (const unsigned char *)&stats;
    size_t counters = offsetof(struct uaio_stats, read);
    size_t cut = offsetof(struct uaio_stats, sync) + 8;

    read_once(temp_file(16));
    ck_assert_int_eq(uaio_stats(&later.known, sizeof later), 0);
    ck_assert_uint_eq(later.known.reads, 1);
    ck_assert_uint_eq(later.unknown, 0);

    memset(&stats, 0xa5, sizeof stats);
    ck_assert_int_eq(uaio_stats(&stats, counters), 0);
    ck_assert_uint_eq(stats.completed, 1);
    for (size_t i = counters; i < sizeof stats; i++)
        ck_assert_uint_eq(bytes[i], 0xa5);

    ck_assert_int_eq(uaio_stats(&stats, cut), 0);
    ck_assert_uint_eq(stats.read.samples, 1);
    for (size_t i = cut; i < sizeof stats; i++)
        ck_assert_uint_eq(bytes[i], 0xa5);
}
END_TEST

/* "EINVAL: stats is NULL, or size less than the counters take" */
START_TEST(a_size_without_room_is_refused)
{
    const size_t sizes[] = {0, 1, offsetof(struct uaio_stats, read) - 1};

    memset(&stats, 0xa5, sizeof stats);
    for (unsigned i = 0; i < COUNT(sizes); i++) {
        errno = 0;
        ck_assert_int_eq(uaio_stats(&stats, sizes[i]), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
    ck_assert_uint_eq(*(unsigned char *)&stats, 0xa5);
    errno = 0;
    ck_assert_int_eq(uaio_stats(NULL, sizeof stats), -1);
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST

static atomic_bool handled_well;

static void look_in_handler(int signo, siginfo_t *info, void *context)
{
    int saved = errno;

    (void)signo;
    (void)info;
    (void)context;
    if (uaio_stats(&stats, sizeof stats) != 0 || errno != saved)
        handled_well = false;
    storm_again();
}

/* "async-signal-safe": whatever it has interrupted */
START_TEST(it_may_be_called_by_handlers)
{
    int fd = temp_file(16);

    queue_everything();
    handled_well = true;
    handle(SIGUSR1, look_in_handler, SA_RESTART);
    storm_begin_shots(SIGUSR1, 50);
    for (int i = 0; i < 500; i++)
        write_once(fd);
    storm_end();
    ck_assert(handled_well);
    look();
    ck_assert_uint_eq(stats.writes, 500);
}
END_TEST

Suite *stats_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("stats", 60, &tc);

    tcase_add_test(tc, all_is_zero_before_the_first_request);
    tcase_add_test(tc, the_counts_add_up);
    tcase_add_test(tc, the_counts_add_up_of_what_is_queued);
    tcase_add_test(tc, the_counts_of_many_threads_add_up);
    tcase_add_test(tc, in_flight_goes_up_and_down);
    tcase_add_test(tc, one_in_sixteen_is_timed);
    tcase_add_test(tc, a_latency_is_that_of_the_request);
    tcase_add_test(tc, buckets_are_an_eighth_wide);
    tcase_add_test(tc, percentiles_are_ends_of_buckets);
    tcase_add_loop_test(tc, a_child_begins_at_zero, 0, FORK_WAYS_HERE);
    tcase_add_test(tc, it_fills_what_there_is_room_for);
    tcase_add_test(tc, a_size_without_room_is_refused);
    tcase_add_test(tc, it_may_be_called_by_handlers);
    return suite;
}
