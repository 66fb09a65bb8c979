/* SPDX-License-Identifier: MIT */
/* spread.h: each read is performed once, by whoever comes first, and all are over. */
#include "unit.h"

#include "spread.h"
#include "os/thread.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define MANY 64

static struct cached_read reads[MANY];
static pthread_t submitter;
static atomic_int times[MANY], by_others, by_submitter;
static sem_t first_by_other, all_others_done;

static size_t performed(struct operation *op)
{
    size_t i = (size_t)op->offset;

    atomic_fetch_add(&times[i], 1);
    atomic_fetch_add(pthread_equal(pthread_self(), submitter) ? &by_submitter : &by_others, 1);
    return i;
}

static void prepare(void)
{
    submitter = pthread_self();
    atomic_store(&by_others, 0);
    atomic_store(&by_submitter, 0);
    for (int i = 0; i < MANY; i++) {
        reads[i] = (struct cached_read){.operation = {.offset = i}, .result = -1};
        atomic_store(&times[i], 0);
    }
}

static void each_was_performed_once(int n)
{
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(atomic_load(&times[i]), i < n);
        ck_assert_int_eq((int)reads[i].result, i < n ? 100 + i : -1);
    }
    ck_assert_int_eq(atomic_load(&by_submitter) + atomic_load(&by_others), n);
}

static ssize_t perform(struct operation *op)
{
    return (ssize_t)performed(op) + 100;
}

START_TEST(few_are_the_submitters_own)
{
    spread__init(4, 1000);
    for (int n = 0; n < (int)SPREAD_MIN; n++) {
        prepare();
        spread__reads(reads, (unsigned)n, perform);
        each_was_performed_once(n);
        ck_assert_int_eq(atomic_load(&by_others), 0);
    }
}
END_TEST

START_TEST(each_once)
{
    spread__init(4, 1000);
    for (int round = 0; round < 20000; round++) {
        int n = round % (MANY + 1);
        prepare();
        spread__reads(reads, (unsigned)n, perform);
        each_was_performed_once(n);
    }
}
END_TEST

START_TEST(without_threads_it_is_all_the_submitters)
{
    spread__init(0, 1000);
    prepare();
    spread__reads(reads, MANY, perform);
    each_was_performed_once(MANY);
    ck_assert_int_eq(atomic_load(&by_others), 0);
}
END_TEST

/* The submitter's first ends when somebody else has performed one. */
static ssize_t perform_if_assisted(struct operation *op)
{
    bool others = !pthread_equal(pthread_self(), submitter);

    if (others && atomic_load(&by_others) == 0)
        sem_post(&first_by_other);
    else if (!others && atomic_load(&by_submitter) == 0)
        await(&first_by_other);
    return perform(op);
}

/* Off the main thread, so without assertions. */
static void *submit_all(void *perform_one)
{
    spread__soon_ns = INT64_MAX;
    prepare();
    spread__reads(reads, MANY, *(spread__perform **)perform_one);
    return NULL;
}

/* A new thread has no bad experience, and asks. */
static void submit_from_a_new_thread(void *(*submit)(void *), spread__perform *perform_one)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, submit, &perform_one), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    each_was_performed_once(MANY);
}

START_TEST(somebody_helps)
{
    if (pool__cpus() < 2)
        return;
    spread__init(4, 1000);
    for (int round = 0; round < 100; round++) {
        sem_init(&first_by_other, 0, 0);
        submit_from_a_new_thread(submit_all, perform_if_assisted);
        ck_assert_int_gt(atomic_load(&by_others), 0);
    }
}
END_TEST

/* And somebody else's first ends when all the rest are over. */
static ssize_t perform_to_the_end(struct operation *op)
{
    bool others = !pthread_equal(pthread_self(), submitter);
    ssize_t result;

    if (others && atomic_load(&by_others) == 0) {
        sem_post(&first_by_other);
        await(&all_others_done);
    } else if (!others && atomic_load(&by_submitter) == 0) {
        await(&first_by_other);
    }
    result = perform(op);
    if (!others && atomic_load(&by_submitter) == MANY - 1)
        sem_post(&all_others_done);
    return result;
}

START_TEST(it_is_not_over_before_the_last)
{
    if (pool__cpus() < 2)
        return;
    spread__init(4, 1000);
    for (int round = 0; round < 100; round++) {
        sem_init(&first_by_other, 0, 0);
        sem_init(&all_others_done, 0, 0);
        submit_from_a_new_thread(submit_all, perform_to_the_end);
        ck_assert_int_eq(atomic_load(&by_others), 1);
    }
}
END_TEST

static void submit_some(int signo)
{
    (void)signo;
    for (int round = 0; round < 3; round++) {
        prepare();
        spread__reads(reads, MANY, perform);
    }
}

static void handle_by_submitting(void)
{
    struct sigaction action = {.sa_handler = submit_some};

    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
}

static int count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    int n = 0;

    if (!dir) /* another system */
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* It may have interrupted malloc(), which the start of a thread needs. */
START_TEST(a_handler_starts_no_thread)
{
    int before = count_threads();

    spread__init(4, 1000);
    spread__soon_ns = 0;
    prepare();
    spread__reads(reads, MANY, perform);
    spread__soon_ns = INT64_MAX;
    handle_by_submitting();
    raise(SIGUSR1);
    each_was_performed_once(MANY);
    ck_assert_int_eq(atomic_load(&by_others), 0);
    ck_assert_int_eq(count_threads(), before);
}
END_TEST

static void *submit_first_in_a_handler(void *perform_one)
{
    spread__soon_ns = 0;
    raise(SIGUSR1);
    return submit_all(perform_one);
}

START_TEST(somebody_helps_after_a_handlers_list)
{
    if (pool__cpus() < 2)
        return;
    spread__init(4, 1000);
    handle_by_submitting();
    sem_init(&first_by_other, 0, 0);
    submit_from_a_new_thread(submit_first_in_a_handler, perform_if_assisted);
    ck_assert_int_gt(atomic_load(&by_others), 0);
}
END_TEST

Suite *spread_suite(void)
{
    Suite *suite = suite_create("spread");
    TCase *tc = add_case(suite, "spread");

    tcase_add_test(tc, few_are_the_submitters_own);
    tcase_add_test(tc, each_once);
    tcase_add_test(tc, without_threads_it_is_all_the_submitters);
    tcase_add_test(tc, somebody_helps);
    tcase_add_test(tc, it_is_not_over_before_the_last);
    tcase_add_test(tc, a_handler_starts_no_thread);
    tcase_add_test(tc, somebody_helps_after_a_handlers_list);
    return suite;
}
