/* SPDX-License-Identifier: MIT */
#include "spin.h"
#include "spin_score.h"
#include "os/thread.h"

#include <sched.h>

static _Thread_local int score;

bool spin__begin(struct spin *spin, struct pool *pool, int64_t deadline_ns)
{
    int64_t ns = pool__worth_looking_ns(pool);

    if (ns == 0 || !spin_score__wanted(&score))
        return false;
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
    spin_score__count(&score, paid);
}
