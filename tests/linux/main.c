/* SPDX-License-Identifier: MIT */
/*
 * The tests of Linux native AIO, one suite for each call and promise.
 *
 * Check's variables select and steer: CK_RUN_SUITE=ring runs one suite,
 * CK_VERBOSITY=verbose names each test, CK_TIMEOUT_MULTIPLIER gives slow
 * builds more time.  Each test must have a process of its own (CK_FORK, on by
 * default), for the library reads its settings at the first use.
 *
 * With UAIO_TEST_ORACLE=kernel they run on the kernel's AIO; where there is
 * none the exit status is 77, which is CTest's "skipped".
 */
#include "helpers.h"

static bool kernel_has_aio(void)
{
    aio_context_t ctx = 0;
    int error = t_setup(1, &ctx);

    if (error != 0) {
        printf("SKIP: io_setup: %s\n", strerror(-error));
        return false;
    }
    t_destroy(ctx);
    return true;
}

int main(void)
{
    SRunner *runner;
    int failed;

    if (on_kernel() && !kernel_has_aio())
        return 77;
    runner = srunner_create(symbols_suite());
    srunner_add_suite(runner, setup_suite());
    srunner_add_suite(runner, destroy_suite());
    srunner_add_suite(runner, submit_suite());
    srunner_add_suite(runner, readwrite_suite());
    srunner_add_suite(runner, sync_suite());
    srunner_add_suite(runner, poll_suite());
    srunner_add_suite(runner, getevents_suite());
    srunner_add_suite(runner, pgetevents_suite());
    srunner_add_suite(runner, cancel_suite());
    srunner_add_suite(runner, ring_suite());
    srunner_add_suite(runner, resfd_suite());
    srunner_add_suite(runner, badinput_suite());
    srunner_add_suite(runner, batch_suite());
    srunner_add_suite(runner, fork_suite());
    srunner_add_suite(runner, threads_suite());
    srunner_add_suite(runner, streams_suite());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
