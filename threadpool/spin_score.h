/* SPDX-License-Identifier: MIT */
/*
 * Does it pay to look for a moment before sleeping?  Looks that failed make the next
 * ones rarer, those that paid more frequent.  A score begins as 0.
 */
#ifndef UAIO_SPIN_SCORE_H
#define UAIO_SPIN_SCORE_H

#include <stdbool.h>

/* One that pays makes up for so many that do not; after those it rests for so many. */
enum { SPIN_PAID = 4, SPIN_MAX = 32, SPIN_PAUSE = -64 };

/* Is it worth a try?  When it has not paid for long, now and then. */
static inline bool spin_score__wanted(int *score)
{
    if (*score < 0)
        ++*score;
    return *score >= 0;
}

static inline void spin_score__count(int *score, bool paid)
{
    *score += paid ? SPIN_PAID : -1;
    if (*score > SPIN_MAX)
        *score = SPIN_MAX;
    if (*score < 0)
        *score = SPIN_PAUSE;
}

#endif
