/* SPDX-License-Identifier: MIT */
/*
 * Does this thread wait for what it has just submitted?
 *
 * Programs that use AIO as if it were read() do nothing between submission and
 * waiting.  The waiter then runs the request itself (engine__help()), and the
 * worker that was woken for it has only cost time: its wake-up takes as long as
 * a fast disk, and where it wins, the waiter has to be woken in its turn.
 *
 * So a thread that has done so many times in a row gets its next single request
 * posted to no one in particular (pool__post_lazily()).  Whoever does wait runs
 * it, and loses nothing.  Who has changed his ways loses up to WATCH_NS (pool.c)
 * once, and the next time has to do more to be believed.  Who takes some time
 * before he waits is not meant: his request is to be under way meanwhile.
 *
 * All of it is a guess, kept by each thread for itself; nothing depends on its
 * being right.  Async-signal-safe in the sense that a handler's requests spoil
 * the guess.
 */
#ifndef UAIO_HABIT_H
#define UAIO_HABIT_H

#include "request.h"

/* The thread submits a single request: will it wait for it at once? */
bool habit__submits(struct request_id id);

/* It submits something else. */
void habit__submits_otherwise(void);

/* It waits for that request, and for no other. */
void habit__waits(struct request_id id);

/* It asks whether a request is over, and it is not. */
void habit__polls(void);

/* Was it believed to wait for that request, and nothing has come of it yet?
 * Any, and forgotten. */
bool habit__is_expected(struct request_id id);
bool habit__take_expected(struct request_id *id);

#endif
