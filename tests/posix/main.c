/* SPDX-License-Identifier: MIT */
/*
 * The POSIX contract's tests, one suite for each function and promise.
 *
 * Check's variables select and steer: CK_RUN_SUITE=aio_read runs one suite,
 * CK_VERBOSITY=verbose names each test, CK_TIMEOUT_MULTIPLIER gives slow
 * builds more time.  Each test must have a process of its own (CK_FORK, on by
 * default), for the library reads its settings at the first use.
 */
#include "helpers.h"

int main(void)
{
    SRunner *runner = srunner_create(symbols_suite());
    int failed;

    srunner_add_suite(runner, read_suite());
    srunner_add_suite(runner, write_suite());
    srunner_add_suite(runner, fsync_suite());
    srunner_add_suite(runner, error_suite());
    srunner_add_suite(runner, return_suite());
    srunner_add_suite(runner, suspend_suite());
    srunner_add_suite(runner, cancel_suite());
    srunner_add_suite(runner, listio_suite());
    srunner_add_suite(runner, long_list_suite());
    srunner_add_suite(runner, init_suite());
    srunner_add_suite(runner, order_suite());
    srunner_add_suite(runner, notify_suite());
    srunner_add_suite(runner, threads_suite());
    srunner_add_suite(runner, handlers_suite());
    srunner_add_suite(runner, reentry_suite());
    srunner_add_suite(runner, badinput_suite());
    srunner_add_suite(runner, fork_suite());
    srunner_add_suite(runner, process_suite());
    srunner_add_suite(runner, new_image_suite());
    srunner_add_suite(runner, credentials_suite());
    srunner_add_suite(runner, scale_suite());
#ifndef UAIO_TEST_PREFIXED /* that library does not see what is closed */
    srunner_add_suite(runner, close_suite());
#else /* and it alone has these names */
    srunner_add_suite(runner, queue_suite());
#endif
    srunner_add_suite(runner, vectors_suite());
    srunner_add_suite(runner, waitcomplete_suite());
#ifdef UAIO_TEST_STATS /* linked with one of uaio's libraries that has it */
    srunner_add_suite(runner, stats_suite());
#endif
    srunner_add_suite(runner, streams_suite());
    srunner_add_suite(runner, stream_ends_suite());

    if (!temp_begin()) {
        perror("temporary directory");
        srunner_free(runner);
        return EXIT_FAILURE;
    }
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    temp_end();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
