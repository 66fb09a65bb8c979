/* SPDX-License-Identifier: MIT */
/* The suites of the unit tests, and what more than one of them uses. */
#ifndef UAIO_TESTS_UNIT_H
#define UAIO_TESTS_UNIT_H

#include <check.h>
#include <semaphore.h>
#include <stdbool.h>

/* Seconds until a test counts as hung: a lost wake-up shows as this. */
#define HUNG_AFTER 120

Suite *queue_suite(void);
Suite *park_suite(void);
Suite *spread_suite(void);
Suite *pool_suite(void);
Suite *slab_suite(void);
Suite *spin_suite(void);
Suite *tuner_suite(void);

/* sem_wait() that signals do not end. */
void await(sem_t *sem);
void await_n(sem_t *sem, unsigned n);

/*
 * Poll until `holds(arg)`, for half a minute at most.  Only for what nobody
 * announces: that a thread has gone to sleep, that it has ended.
 */
bool eventually(bool (*holds)(void *arg), void *arg);

/* A test case of `suite` with the time limit above. */
TCase *add_case(Suite *suite, const char *name);

#endif
