/* SPDX-License-Identifier: MIT */
#include "habit.h"
#include "os/thread.h"

#define PROMPT_NS 5000 /* from submission to waiting: about what it costs to wake a worker */
#define LATE_NS 50000  /* beyond, it is no accident (the thread was interrupted, or preempted) */

enum {
    LATE_COSTS = 4,  /* times that it was prompt */
    NEEDED_MIN = 16, /* times in a row, to be believed; doubled by each disappointment ... */
    NEEDED_MAX = 16384,
    FORGIVEN = 4096, /* ... until it has been prompt that often, or as often as was needed */
};

static _Thread_local struct {
    struct request_id latest;
    int64_t submitted_ns;
    bool open;     /* latest has not been waited for */
    bool expected; /* and was posted lazily, on the belief that it will be */
    bool polled;   /* since then */
    int score;     /* how often it was prompt, in a row */
    int needed;    /* 0: nothing is known */
} habit;

static bool is_believed(void)
{
    return habit.needed > 0 && habit.score >= habit.needed;
}

static bool is_latest(struct request_id id)
{
    return habit.latest.index == id.index && habit.latest.generation == id.generation;
}

static void disappoint(void)
{
    if (is_believed() && habit.needed < NEEDED_MAX)
        habit.needed *= 2;
    habit.score = 0;
}

void habit__submits_otherwise(void)
{
    if (habit.open)
        disappoint();
    habit.open = false;
    habit.expected = false;
}

bool habit__submits(struct request_id id)
{
    habit__submits_otherwise();
    habit.latest = id;
    habit.submitted_ns = pool__now_ns();
    habit.open = true;
    habit.polled = false;
    habit.expected = is_believed();
    return habit.expected;
}

void habit__waits(struct request_id id)
{
    int64_t taken;

    if (!habit.open || !is_latest(id))
        return;
    habit.open = false;
    taken = pool__now_ns() - habit.submitted_ns;
    if (taken > LATE_NS)
        disappoint();
    else if (taken > PROMPT_NS)
        habit.score = habit.score > LATE_COSTS ? habit.score - LATE_COSTS : 0;
    else
        habit.score++;
    if (habit.needed == 0)
        habit.needed = NEEDED_MIN;
    if (habit.score >= FORGIVEN && habit.score >= habit.needed) {
        habit.needed = NEEDED_MIN;
        habit.score = FORGIVEN; /* does not overflow */
    }
}

/* Once, before it waits, is usual. */
void habit__polls(void)
{
    if (habit.open && habit.polled) {
        disappoint();
        habit.open = false;
    }
    habit.polled = true;
}

bool habit__is_expected(struct request_id id)
{
    return habit.expected && is_latest(id);
}

bool habit__take_expected(struct request_id *id)
{
    bool expected = habit.expected;

    habit.expected = false;
    *id = habit.latest;
    return expected;
}
