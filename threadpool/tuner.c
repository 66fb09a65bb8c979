/* SPDX-License-Identifier: MIT */
#include "tuner.h"

#define WINDOW_JOBS 256u
#define REST_MOST 64u
#define ALONE_MOST (WINDOW_JOBS / 4) /* beyond it is the poster who sets the pace */

void tuner__init(struct tuner *t, unsigned limit, unsigned most)
{
    *t = (struct tuner){.limit = limit < most ? limit : most, .most = most};
}

bool tuner__count(struct tuner *t, bool more_wait)
{
    t->alone += !more_wait;
    return ++t->jobs >= WINDOW_JOBS;
}

static void change(struct tuner *t, unsigned limit)
{
    t->settles = limit != t->limit;
    t->limit = limit;
}

static void try_another(struct tuner *t)
{
    if (t->up && t->limit * 2 <= t->most) {
        change(t, t->limit * 2);
        t->state = TUNER_TRIES_MORE;
    } else if (!t->up && t->limit > 1) {
        change(t, t->limit / 2);
        t->state = TUNER_TRIES_FEWER;
    } else {
        t->up = !t->up;
    }
}

/* On in that direction, or back and the other way next time. */
static void decide(struct tuner *t, bool better)
{
    if (better) {
        t->rest = 0;
    } else {
        change(t, t->state == TUNER_TRIES_MORE ? t->limit / 2 : t->limit * 2);
        t->up = t->state == TUNER_TRIES_FEWER;
        t->rest = t->rest * 2 < REST_MOST ? t->rest * 2 + 1 : REST_MOST;
    }
    t->rested = 0;
    t->state = TUNER_KEEPS;
}

static void weigh(struct tuner *t, int64_t ns)
{
    switch (t->state) {
    case TUNER_TRIES_MORE:
        decide(t, ns < t->usual_ns - t->usual_ns / 4);
        break;
    case TUNER_TRIES_FEWER:
        decide(t, ns < t->usual_ns + t->usual_ns / 8);
        break;
    default:
        if (t->usual_ns != 0 && ns > t->usual_ns * 2) { /* it is another world */
            t->rest = 0;
            t->up = true;
        }
        t->usual_ns = ns;
        if (t->rested++ >= t->rest)
            try_another(t);
        break;
    }
}

void tuner__judge(struct tuner *t, int64_t now_ns)
{
    bool paced = t->alone > ALONE_MOST;
    bool counts = !paced && !t->settles && t->began_ns != 0;

    t->settles = false;
    if (counts)
        weigh(t, now_ns - t->began_ns);
    else if (paced)
        t->state = TUNER_KEEPS; /* what was tried is enough */
    t->jobs = 0;
    t->alone = 0;
    t->began_ns = now_ns;
}
