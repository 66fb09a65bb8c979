/* SPDX-License-Identifier: MIT */
/* threadpool/os/park.h: a place for one thread to sleep. */
#include "os/park.h"
#include "unit.h"

#include <signal.h>

enum { ROUNDS = 5000 };

static struct park here, there;
static unsigned plain; /* guarded by the token: ThreadSanitizer watches */
static atomic_bool awake;
static atomic_uint handled;

static void setup(void)
{
    pool__park_init(&here);
    pool__park_init(&there);
}

/* "A wake-up is a token that is kept until it is taken" */
START_TEST(a_wakeup_is_kept)
{
    pool__park_wake(&here);
    ck_assert(pool__park_wait(&here, PARK_FOREVER));
}
END_TEST

START_TEST(two_wakeups_are_one_token)
{
    pool__park_wake(&here);
    pool__park_wake(&here);
    ck_assert(pool__park_wait(&here, 0));
    ck_assert(!pool__park_wait(&here, 0));
}
END_TEST

/* "false if the time is up" */
START_TEST(time_runs_out)
{
    ck_assert(!pool__park_wait(&here, 0));
    ck_assert(!pool__park_wait(&here, 1000000));
    pool__park_wake(&here);
    ck_assert(pool__park_wait(&here, 1000000));
}
END_TEST

static void *answer(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        pool__park_wait(&there, i % 2 ? PARK_FOREVER : INT64_C(3600000000000));
        plain++;
        pool__park_wake(&here);
    }
    return NULL;
}

/* "it does not matter whether the sleeper or the waker comes first"; and
 * what the waker did before is visible to the sleeper. */
START_TEST(two_threads_take_turns)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, answer, NULL), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        ck_assert_uint_eq(plain, i);
        pool__park_wake(&there);
        ck_assert(pool__park_wait(&here, PARK_FOREVER));
    }
    pthread_join(thread, NULL);
    ck_assert_uint_eq(plain, ROUNDS);
}
END_TEST

static void count_signal(int sig)
{
    (void)sig;
    atomic_fetch_add_explicit(&handled, 1, memory_order_relaxed);
}

static void *sleep_once(void *arg)
{
    (void)arg;
    if (pool__park_wait(&here, PARK_FOREVER))
        atomic_store_explicit(&awake, true, memory_order_relaxed);
    pool__park_wake(&there);
    return NULL;
}

static bool ten_handled(void *arg)
{
    const pthread_t *thread = arg;
    pthread_kill(*thread, SIGUSR1);
    return atomic_load_explicit(&handled, memory_order_relaxed) >= 10;
}

/* "Sleep until there is a token" */
START_TEST(signals_do_not_end_the_sleep)
{
    struct sigaction action = {.sa_handler = count_signal};
    pthread_t thread;

    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, sleep_once, NULL), 0);
    ck_assert(eventually(ten_handled, &thread));
    ck_assert(!pool__park_wait(&there, 0));
    pool__park_wake(&here);
    ck_assert(pool__park_wait(&there, PARK_FOREVER));
    pthread_join(thread, NULL);
    ck_assert(atomic_load_explicit(&awake, memory_order_relaxed));
}
END_TEST

Suite *park_suite(void)
{
    Suite *suite = suite_create("park");
    TCase *tcase = add_case(suite, "park");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, a_wakeup_is_kept);
    tcase_add_test(tcase, two_wakeups_are_one_token);
    tcase_add_test(tcase, time_runs_out);
    tcase_add_test(tcase, two_threads_take_turns);
    tcase_add_test(tcase, signals_do_not_end_the_sleep);
    return suite;
}
