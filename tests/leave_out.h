/* SPDX-License-Identifier: MIT */
/*
 * Tests that cannot pass where they run, and take their time for it: UAIO_TEST_LEAVE_OUT
 * names them, `suite:test` and spaces between.  For that Check's macros are replaced.
 */
#ifndef UAIO_TESTS_LEAVE_OUT_H
#define UAIO_TESTS_LEAVE_OUT_H

#include <check.h>

#undef tcase_add_test
#define tcase_add_test(tcase, test) add_unless_left_out(tcase, test, 0, 1)
#undef tcase_add_loop_test
#define tcase_add_loop_test(tcase, test, first, end) add_unless_left_out(tcase, test, first, end)

/* What is added from now on is of that suite. */
void leave_out_of(const char *suite);

void add_unless_left_out(TCase *tcase, const TTest *test, int first, int end);

#endif
