/* SPDX-License-Identifier: MIT */
#include "spin.h"
#include "os/thread.h"

#include <sched.h>

/* One that pays makes up for so many that do not; after those it rests for so many
 * waits. */
enum { PAID = 4, MOST = 32, REST = -64 };

static _Thread_local int score; /* its sign says whether to */

bool spin__begin(struct spin *spin, struct pool *pool, int64_t deadline_ns)
{
    int64_t ns = pool__worth_looking_ns(pool);

    if (ns == 0)
        return false;
    if (score < 0) {
        score++;
        return false;
    }
    spin->end_ns = pool__now_ns() + ns;
    if (spin->end_ns > deadline_ns)
        spin->end_ns = deadline_ns;
    return true;
}

bool spin__goes_on(const struct spin *spin)
{
    if (pool__now_ns() >= spin->end_ns)
        return false;
    sched_yield();
    return true;
}

void spin__end(bool paid)
{
    score += paid ? PAID : -1;
    if (score > MOST)
        score = MOST;
    if (score < 0)
        score = REST;
}
