/* SPDX-License-Identifier: MIT */
/* tuner.h: the limit that is best in some worlds, which say how long a job takes. */
#include "unit.h"

#include "tuner.h"

enum { MOST = 64, START = 8, DAY = 400000 /* jobs */ };

/* Nanoseconds from one job's end to the next, with so many workers. */
typedef int64_t world(unsigned workers);

static struct tuner tuner;
static int64_t now;

/* The device sets the pace, whoever waits for it. */
static int64_t under_way(unsigned workers)
{
    (void)workers;
    return 12000;
}

/* Each job takes its time from when it is begun. */
static int64_t not_begun(unsigned workers)
{
    return 100000 / workers;
}

/* The same, but the device does no more than so many at once. */
static int64_t sixteen_at_once(unsigned workers)
{
    return 100000 / (workers < 16 ? workers : 16);
}

/* They get into each other's way. */
static int64_t crowded(unsigned workers)
{
    return 10000 + 2000 * (int64_t)workers;
}

/* -10 to 10 percent, the same in each run. */
static int64_t vary(int64_t ns)
{
    static uint32_t random = 1;

    random = random * 1664525u + 1013904223u;
    return ns + ns * ((int64_t)(random >> 24) - 128) / 1280;
}

/* The mean limit in the second half of so many jobs. */
static double live(world *takes, int jobs, bool varies)
{
    int64_t window = 0;
    double sum = 0;

    for (int i = 0; i < jobs; i++) {
        now += takes(tuner.limit);
        window += takes(tuner.limit);
        if (tuner__count(&tuner, true)) {
            if (varies)
                now += vary(window) - window;
            window = 0;
            tuner__judge(&tuner, now);
        }
        ck_assert_uint_ge(tuner.limit, 1);
        ck_assert_uint_le(tuner.limit, MOST);
        if (i >= jobs / 2)
            sum += tuner.limit;
    }
    return sum / (jobs - jobs / 2);
}

static void begin(void)
{
    now = 1;
    tuner__init(&tuner, START, MOST);
}

START_TEST(one_is_enough_for_what_is_under_way)
{
    begin();
    ck_assert_double_lt(live(under_way, DAY, _i), 1.5);
}
END_TEST

START_TEST(what_is_not_begun_gets_all_there_are)
{
    begin();
    ck_assert_double_gt(live(not_begun, DAY, _i), MOST * 0.9);
}
END_TEST

START_TEST(as_many_as_the_device_can_use)
{
    double limit;

    begin();
    limit = live(sixteen_at_once, DAY, _i);
    ck_assert_double_ge(limit, 15);
    ck_assert_double_le(limit, 34);
}
END_TEST

START_TEST(fewer_where_they_are_in_the_way)
{
    begin();
    ck_assert_double_lt(live(crowded, DAY, _i), 3);
}
END_TEST

/* Within some thousand jobs, however long it was otherwise. */
START_TEST(it_follows_a_change)
{
    begin();
    for (int i = 0; i < 3; i++) {
        ck_assert_double_lt(live(under_way, DAY, false), 1.5);
        ck_assert_double_gt(live(not_begun, DAY / 4, false), MOST * 0.9);
    }
}
END_TEST

/* "Jobs are compared only while more of them wait": or nothing would be learnt. */
START_TEST(a_slow_poster_changes_nothing)
{
    begin();
    for (int i = 0; i < DAY; i++) {
        now += 50000;
        if (tuner__count(&tuner, false))
            tuner__judge(&tuner, now);
        ck_assert_uint_eq(tuner.limit, START);
    }
}
END_TEST

START_TEST(never_more_than_may_be)
{
    now = 1;
    tuner__init(&tuner, START, 3);
    ck_assert_uint_eq(tuner.limit, 3);
    for (int i = 0; i < DAY; i++) {
        now += not_begun(tuner.limit);
        if (tuner__count(&tuner, true))
            tuner__judge(&tuner, now);
        ck_assert_uint_ge(tuner.limit, 1);
        ck_assert_uint_le(tuner.limit, 3);
    }
}
END_TEST

Suite *tuner_suite(void)
{
    Suite *suite = suite_create("tuner");
    TCase *tc = add_case(suite, "tuner");

    tcase_add_loop_test(tc, one_is_enough_for_what_is_under_way, 0, 2);
    tcase_add_loop_test(tc, what_is_not_begun_gets_all_there_are, 0, 2);
    tcase_add_loop_test(tc, as_many_as_the_device_can_use, 0, 2);
    tcase_add_loop_test(tc, fewer_where_they_are_in_the_way, 0, 2);
    tcase_add_test(tc, it_follows_a_change);
    tcase_add_test(tc, a_slow_poster_changes_nothing);
    tcase_add_test(tc, never_more_than_may_be);
    return suite;
}
