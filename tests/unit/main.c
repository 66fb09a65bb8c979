/* SPDX-License-Identifier: MIT */
/*
 * Runs the suites.  Check's environment chooses among them: CK_RUN_SUITE,
 * CK_RUN_CASE; CK_FORK=no for a debugger.
 */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

void await(sem_t *sem)
{
    while (sem_wait(sem) != 0 && errno == EINTR)
        ;
}

void await_n(sem_t *sem, unsigned n)
{
    while (n--)
        await(sem);
}

bool eventually(bool (*holds)(void *arg), void *arg)
{
    for (int left = 60000; left > 0; left--) {
        if (holds(arg))
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    return false;
}

TCase *add_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, HUNG_AFTER);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int main(void)
{
    SRunner *runner = srunner_create(queue_suite());
    int failed;

    srunner_add_suite(runner, park_suite());
    srunner_add_suite(runner, pool_suite());
    srunner_add_suite(runner, slab_suite());
    srunner_add_suite(runner, spin_suite());
    srunner_add_suite(runner, spread_suite());
    srunner_add_suite(runner, tuner_suite());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
