/* SPDX-License-Identifier: MIT */
/*
 * What the stress programs share: settings, a watchdog, the check of an
 * invariant, random numbers, temporary files, and notifications that are
 * counted.
 *
 * A request's struct notices counts submissions and notifications for ever, and
 * is never reset: one that comes twice makes `told` overtake `asked` at last,
 * however late it comes.
 */
#ifndef UAIO_TESTS_STRESS_H
#define UAIO_TESTS_STRESS_H

#include <aio.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

struct record {
    unsigned long long tag, sequence;
};

struct notices {
    atomic_ulong asked, told;
    sem_t *each; /* posted once for each notification */
};

enum notification { NOTIFY_NONE, NOTIFY_SIGNAL, NOTIFY_THREAD, NOTIFICATIONS };

/* Reads `[seconds] [seed]`, starts the watchdog and the taker of signals.  Before any thread. */
void stress_begin(int argc, char **argv, const char *name);
/* Whether time is left and the invariant holds. */
bool stress_goes_on(void);
/* Says how it went, after all threads have ended; the exit status. */
int stress_end(void);
unsigned stress_seed(void);

/* What this thread does now, a literal, for the watchdog. */
void stress_at(const char *where);

/* The invariant: noted if it does not hold, in any thread. */
bool must(bool condition, const char *what);
/* Without it nothing can be tested. */
void insist(bool condition, const char *what);

unsigned next_random(unsigned *state);

/* A new file that is gone when `*witness`, a second opening of it, and the result are closed. */
int open_unlinked(int flags, int *witness);

/* Submits a read of one byte of an empty pipe; the end to write to. */
int read_of_empty_pipe(struct aiocb *cb, char *byte);

/* Fills in the sigevent; to be followed by a submission that succeeds. */
void ask_notice(struct aiocb *cb, struct notices *notices, enum notification how);
/* Waits for `n` notifications. */
void await_notices(sem_t *each, unsigned n);

#endif
