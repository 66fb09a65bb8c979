/* SPDX-License-Identifier: MIT */
/* spin.h: looking before sleeping, where it is worth it and as long as it pays. */
#include "unit.h"

#include "spin.h"

#include <stdatomic.h>

#define SECOND_NS INT64_C(1000000000)

static struct pool pool;
static struct spin spin;

/* As if so many workers were computing, and there were another CPU. */
static void compute(unsigned workers)
{
    pool.spin_ns = SECOND_NS;
    atomic_store(&pool.share[POOL_CPU].busy, workers);
}

static bool begins(void)
{
    return spin__begin(&spin, &pool, INT64_MAX);
}

/* Waits that are let pass until the next that looks; `most` if none does. */
static int rest(int most)
{
    int n = 0;

    while (n < most && !begins())
        n++;
    return n;
}

START_TEST(nobody_looks_for_what_sleeps)
{
    compute(0);
    for (int i = 0; i < 1000; i++)
        ck_assert(!begins());
}
END_TEST

START_TEST(nobody_looks_without_another_cpu)
{
    compute(1);
    pool.spin_ns = 0;
    ck_assert(!begins());
}
END_TEST

START_TEST(it_ends_with_the_deadline)
{
    compute(1);
    ck_assert(spin__begin(&spin, &pool, 0));
    ck_assert(!spin__goes_on(&spin));
}
END_TEST

START_TEST(it_goes_on_until_its_time_is_over)
{
    compute(1);
    ck_assert(begins());
    ck_assert(spin__goes_on(&spin));
    spin.end_ns = 0;
    ck_assert(!spin__goes_on(&spin));
}
END_TEST

START_TEST(what_does_not_pay_is_tried_now_and_then_only)
{
    compute(1);
    ck_assert(begins());
    spin__end(false);
    for (int i = 0; i < 10; i++) {
        int n = rest(1000);
        ck_assert_int_gt(n, 50);
        ck_assert_int_lt(n, 1000);
        spin__end(false);
    }
}
END_TEST

START_TEST(what_pays_is_done_each_time)
{
    compute(1);
    for (int i = 0; i < 100; i++) {
        ck_assert(begins());
        spin__end(true);
    }
    /* One that does not pay now and then is forgiven ... */
    for (int i = 0; i < 100; i++) {
        ck_assert(begins());
        spin__end(i % 4 == 0);
    }
    /* ... but not for ever. */
    for (int i = 0; i < 100 && begins(); i++)
        spin__end(false);
    ck_assert(!begins());
}
END_TEST

Suite *spin_suite(void)
{
    Suite *suite = suite_create("spin");
    TCase *tc = add_case(suite, "spin");

    tcase_add_test(tc, nobody_looks_for_what_sleeps);
    tcase_add_test(tc, nobody_looks_without_another_cpu);
    tcase_add_test(tc, it_ends_with_the_deadline);
    tcase_add_test(tc, it_goes_on_until_its_time_is_over);
    tcase_add_test(tc, what_does_not_pay_is_tried_now_and_then_only);
    tcase_add_test(tc, what_pays_is_done_each_time);
    return suite;
}
