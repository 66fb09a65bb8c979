/* SPDX-License-Identifier: MIT */
/*
 * Requests in every state that one can be in before it is done, for the tests
 * of what happens to the process meanwhile.
 *
 * IN_FLIGHT_FILES: one that a worker is stopped in, at a gate; one queued behind
 * it; and on a descriptor with O_APPEND a write, a second that waits for the
 * first, and an fsync that waits for both.  There is one worker.
 *
 * IN_FLIGHT_STREAMS: reads that wait for data and writes that wait for room, and
 * for each one that waits for its turn.
 *
 * Nothing asserts off the main thread; a forked child may assert.
 */
#ifndef UAIO_TESTS_POSIX_IN_FLIGHT_H
#define UAIO_TESTS_POSIX_IN_FLIGHT_H

#include "helpers.h"

enum { IN_FLIGHT_FILES, IN_FLIGHT_STREAMS, IN_FLIGHT_KINDS };

#define IN_FLIGHT 5
extern struct aiocb in_flight[IN_FLIGHT];

/*
 * Submits them; before that, `prepare` may add how number i notifies.  It
 * makes the settings too, so it comes before any other AIO call.  False, with
 * the reason printed, where a gate is wanted and cannot be had.
 */
bool in_flight_make(int kind, void (*prepare)(struct aiocb *cb, size_t i), const char *test);

/* Asserts that all are still in flight. */
void in_flight_untouched(void);

/* Lets them go on, and asserts that each does what it was to do, once. */
void in_flight_finish(void);

/*
 * Asserts that every kind of request and notification works, with fd, a
 * regular file for this purpose, and with streams.  The signal is its own; the
 * greatest ones are qemu-user's.
 */
#define IN_FLIGHT_SIGNAL (SIGRTMAX - 4)
void aio_works(int fd);

#endif
