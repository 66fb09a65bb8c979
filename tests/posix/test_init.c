/* SPDX-License-Identifier: MIT */
/* aio_init(), glibc's extension: the settings may change speed, never results. */
#include "helpers.h"

#include <dirent.h>

/* aio_init is declared nonnull by libc; that does not go through a pointer of this type. */
static void (*volatile call_init)(const struct aioinit *) = aio_init;

static void read_a_file(void)
{
    char buf[16] = {0};
    struct aiocb cb;
    int fd = temp_file(16);

    prep(&cb, fd, buf, sizeof buf, 0);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), sizeof buf);
    ck_assert(is_pattern(buf, sizeof buf, 0));
    close(fd);
}

/* "the largest number of I/O threads": never two at work with one allowed. */
START_TEST(aio_threads_bounds_the_workers)
{
    const struct aioinit init = {.aio_threads = 1, .aio_num = 64, .aio_idle_time = 1};
    struct aiocb cbs[8];
    struct gate gate;

    ck_assert_int_eq(unsetenv("UAIO_THREADS"), 0);
    ck_assert_int_eq(setenv("UAIO_INLINE", "0", 1), 0);
    ck_assert_int_eq(setenv("UAIO_HELP", "0", 1), 0);
    aio_init(&init);
    MAKE_GATE(&gate, COUNT(cbs));
    for (unsigned i = 0; i < COUNT(cbs); i++) {
        prep(&cbs[i], temp_file(16), gate_page(&gate, i), 16, 0);
        must_read(&cbs[i]);
    }
    for (unsigned n = 0; n < COUNT(cbs); n++) {
        unsigned at = gate_next(&gate);

        for (unsigned i = 0; i < COUNT(cbs); i++) {
            if (i != at && aio_error(&cbs[i]) == EINPROGRESS)
                ck_assert(!gate_has_arrived(&gate, i));
        }
        gate_open(&gate, at);
        ck_assert_int_eq(finish(&cbs[at]), 16);
    }
}
END_TEST

/* "< 1 counts as 1" */
START_TEST(fewer_than_one_thread_counts_as_one)
{
    const int counts[] = {0, -1, INT_MIN};

    ck_assert_int_eq(unsetenv("UAIO_THREADS"), 0);
    for (size_t i = 0; i < COUNT(counts); i++) {
        const struct aioinit init = {.aio_threads = counts[i], .aio_num = 64, .aio_idle_time = 1};

        aio_init(&init);
        read_a_file();
        let_others_run();
    }
}
END_TEST

/* "Settings in the environment go before these." */
START_TEST(the_environment_goes_before)
{
    const struct aioinit init = {.aio_threads = 1, .aio_num = 64, .aio_idle_time = 1};
    struct aiocb cbs[2];
    struct gate gate;

    ck_assert_int_eq(setenv("UAIO_THREADS", "2", 1), 0);
    queue_everything();
    aio_init(&init);
    MAKE_GATE(&gate, COUNT(cbs));
    for (unsigned i = 0; i < COUNT(cbs); i++) {
        prep(&cbs[i], temp_file(16), gate_page(&gate, i), 16, 0);
        must_read(&cbs[i]);
    }
    gate_await(&gate, 0);
    gate_await(&gate, 1);
    gate_open(&gate, 0);
    gate_open(&gate, 1);
    ck_assert_int_eq(finish(&cbs[0]), 16);
    ck_assert_int_eq(finish(&cbs[1]), 16);
}
END_TEST

/* "May be called at any time": with requests in flight. */
START_TEST(it_may_be_called_at_any_time)
{
    struct aioinit init = {.aio_threads = 3, .aio_num = 100, .aio_idle_time = 1};
    struct aiocb slow;
    struct gate gate;

    queue_everything();
    MAKE_GATE(&gate, 1);
    read_a_file();
    occupy_worker(&gate, 0, &slow);
    for (int threads = 8; threads > 1; threads--) {
        init.aio_threads = threads;
        aio_init(&init);
        read_a_file();
    }
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
    let_others_run();
}
END_TEST

/* "NULL is ignored" */
START_TEST(null_is_ignored)
{
    call_init(NULL);
    read_a_file();
    call_init(NULL);
    read_a_file();
}
END_TEST

/* "requests expected at once: memory is set aside"; no number of them is a limit. */
START_TEST(any_number_of_expected_requests_will_do)
{
    const int counts[] = {0, 1, -1, INT_MIN, 1000, 100000};

    ck_assert_int_eq(unsetenv("UAIO_THREADS"), 0);
    for (size_t i = 0; i < COUNT(counts); i++) {
        const struct aioinit init = {.aio_threads = 4, .aio_num = counts[i], .aio_idle_time = 1};

        aio_init(&init);
        let_others_run();
    }
}
END_TEST

/* "Fields that are not named below are ignored." */
START_TEST(unused_fields_may_be_garbage)
{
    struct aioinit init;

    memset(&init, 0xa5, sizeof init);
    init.aio_threads = 4;
    init.aio_num = 64;
    init.aio_idle_time = 1;
    aio_init(&init);
    let_others_run();
}
END_TEST

static void *do_nothing(void *argument)
{
    return argument;
}

static int count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    int n = 0;

    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)) != NULL)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* "seconds that an idle thread stays": then the process has its own threads only. */
START_TEST(idle_threads_end)
{
    const struct aioinit init = {.aio_threads = 4, .aio_num = 64, .aio_idle_time = 1};
    pthread_t first;
    int before;

    /* A sanitizer may start a thread of its own beside the first one. */
    ck_assert_int_eq(pthread_create(&first, NULL, do_nothing, NULL), 0);
    ck_assert_int_eq(pthread_join(first, NULL), 0);
    before = count_threads();
    ck_assert_int_eq(unsetenv("UAIO_THREADS"), 0);
    ck_assert_int_eq(setenv("UAIO_INLINE", "0", 1), 0);
    ck_assert_int_eq(setenv("UAIO_HELP", "0", 1), 0);
    aio_init(&init);
    for (int round = 0; round < 2; round++) {
        let_others_run();
        ck_assert_int_gt(count_threads(), before);
        while (count_threads() > before)
            sched_yield();
    }
    read_a_file();
}
END_TEST

Suite *init_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("aio_init", 60, &tc);

    tcase_add_test(tc, aio_threads_bounds_the_workers);
    tcase_add_test(tc, fewer_than_one_thread_counts_as_one);
    tcase_add_test(tc, the_environment_goes_before);
    tcase_add_test(tc, it_may_be_called_at_any_time);
    tcase_add_test(tc, null_is_ignored);
    tcase_add_test(tc, any_number_of_expected_requests_will_do);
    tcase_add_test(tc, unused_fields_may_be_garbage);
    tcase_add_test(tc, idle_threads_end);
    return suite;
}
