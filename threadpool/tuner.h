/* SPDX-License-Identifier: MIT */
/*
 * How many workers are best for a class of jobs, found out by trying.
 *
 * The time that a number of jobs takes is compared with what as many took before,
 * under half the limit or twice it.  Twice as many have to be faster by a third, half
 * as many may lose an eighth: what jobs of the one kind gain or lose is about a half,
 * those of the other next to nothing, and neighbours make all of it vary.  Jobs are
 * compared only while more of them wait: else it is the poster who sets the pace.
 * What has not paid is tried again ever more rarely.  A step is a factor of two, so a job that sleeps where others
 * compute, or the other way round, is found out within some thousand jobs.
 *
 * Pure arithmetic, without a clock; the caller has a lock.
 */
#ifndef UAIO_TUNER_H
#define UAIO_TUNER_H

#include <stdbool.h>
#include <stdint.h>

struct tuner {
    unsigned limit; /* the result */
    unsigned most;  /* its bound */
    unsigned jobs;  /* of the window, so far */
    unsigned alone; /* of them: when they were over, no more waited */
    bool settles;   /* the limit has just changed: the window does not count */
    bool up;        /* which way to try next */
    enum { TUNER_KEEPS, TUNER_TRIES_MORE, TUNER_TRIES_FEWER } state;
    unsigned rest, rested; /* windows between tries; since the last */
    int64_t began_ns;      /* the window */
    int64_t usual_ns;      /* what one took when nothing was tried */
};

void tuner__init(struct tuner *t, unsigned limit, unsigned most);

/* A job is over, and more wait or do not.  True: tuner__judge() is due. */
bool tuner__count(struct tuner *t, bool more_wait);
void tuner__judge(struct tuner *t, int64_t now_ns);

#endif
