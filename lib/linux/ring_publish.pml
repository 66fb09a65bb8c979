/* SPDX-License-Identifier: MIT */
/*
 * Publishing, the backlog and the sleepers of ring.c as a Promela model.  Slots
 * are ring.pml's: here there are enough, and a claim and its copy are one step.
 *
 *     spin -a ring_publish.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * must report no error (4.2 million states), and with any of these after spin a
 * failed assertion or an invalid end state:
 *
 *     -DBROKEN_BACKLOG    who publishes does not look at the backlog afterwards
 *     -DBROKEN_HOLDERS    two may publish at once
 *     -DBROKEN_WAKE_AT    who publishes looks for sleepers first
 *     -DBROKEN_SLEEP      the sleeper does not look again after lowering wake_at
 *     -DBROKEN_SEQUENCE   the sequence is read after the last look
 *
 * Each event is to be reaped once.  One that is lost, or a wake-up, shows as a
 * deadlock: the observer waits until all are reaped.  There are two publishers and a reaper, or
 * the other way round; one reaper waits for one event, the other for two.  A reaper takes one from the backlog, past the
 * ring, if it finds nothing there; a handler that has interrupted who
 * publishes is such a reaper.
 *
 * Events are numbered, and in the backlog they are a set: their order is of
 * no interest here.  The futex is one step: wait.pml has its steps.
 *
 * Taken for granted: seq_cst of what two sides store and then load crosswise
 * (publishing and the backlog; wake_at and the tails), as everything is here.
 */
#define EVENTS 3
#define NEVER 255

byte head, ring_tail, tail; /* never wrapping; the program's two, and ours */
byte ring[EVENTS];          /* event + 1 */
byte backlog;               /* a bit an event */
byte reaped;                /* a bit an event */
bool publishing;
byte wake_at = NEVER;
bool moved[2]; /* the sequence, since the reaper has read it */

#define available() (ring_tail - head)

/* ---- filling ---- */

/* With `tail` as it was: nobody else is to change it. */
inline put(e)
{
    atomic { old = tail; ring[old] = e + 1; tail = old + 1 };
    atomic { ring_tail = old + 1; old = 0 }
}

inline try_publishing()
{
    if
    :: publishing
    :: !publishing ->
#ifdef BROKEN_HOLDERS
        publishing = true;
        got = true
#else
        atomic { got = !publishing; publishing = true }
#endif
    fi
}

inline wake_all()
{
    wake_at = NEVER;
    atomic { moved[0] = true; moved[1] = true }
}

inline look_for_sleepers()
{
    at = wake_at
}

/* An event has become visible. */
inline wake()
{
#ifndef BROKEN_WAKE_AT
    look_for_sleepers();
#endif
    if
    :: at != NEVER && tail >= at -> wake_all()
    :: else
    fi;
    at = 0
}

inline publish_backlog()
{
    do
    :: backlog == 0 -> break
    :: else ->
        try_publishing();
        if
        :: !got -> break
        :: else
        fi;
#ifdef BROKEN_WAKE_AT
        look_for_sleepers();
#endif
        atomic { taken = backlog; backlog = 0 };
        any = taken != 0;
        do
        :: taken == 0 -> break
        :: taken & 1 -> taken = taken & ~1; put(0)
        :: taken & 2 -> taken = taken & ~2; put(1)
        :: taken & 4 -> taken = taken & ~4; put(2)
        od;
        atomic { publishing = false; got = false };
        if /* announce(): once for all of them, which is less */
        :: any -> any = false; wake()
        :: else
        fi
    od;
    if
    :: backlog != 0 && wake_at != NEVER -> wake_all()
    :: else
    fi
}

/* ring__publish() */
proctype publisher(byte e; byte last)
{
    byte old, taken, at;
    bool got, any;

again:
    try_publishing();
    if
    :: got ->
#ifdef BROKEN_WAKE_AT
        look_for_sleepers();
#endif
        put(e);
        atomic { publishing = false; got = false };
        wake()
    :: else ->
        backlog = backlog | (1 << e)
    fi;
#ifndef BROKEN_BACKLOG
    publish_backlog();
#endif
    if
    :: e < last -> e++; goto again
    :: else
    fi
}

/* ---- emptying ---- */

inline take_event(e)
{
    assert(e != 0);
    assert(!(reaped & (1 << (e - 1))));
    reaped = reaped | (1 << (e - 1))
}

/* reap_ring(), see ring.pml */
inline reap_ring()
{
    atomic {
        do
        :: head < ring_tail && total < nr -> take_event(ring[head]); head++; total++; progress = true
        :: else -> break
        od
    }
}

inline reap_backlog()
{
    if
    :: backlog == 0
    :: else ->
        publish_backlog();
        atomic { left = backlog; backlog = 0 };
        if
        :: left == 0
        :: else ->
            /* one is ours, the others go back */
            if
            :: left & (left - 1) ->
                atomic { backlog = backlog | (left & (left - 1)); left = left & ~(left & (left - 1)) }
            :: else
            fi;
            atomic {
                take_event((left == 4 -> 3 : left));
                total++;
                progress = true;
                left = 0
            };
            wake()
        fi;
        publish_backlog()
    fi
}

/* ring__reap() */
inline reap()
{
    reap_ring();
    progress = true;
    do
    :: !progress || total == nr || backlog == 0 -> progress = false; break
    :: else ->
        progress = false;
        reap_ring();
        if
        :: !progress -> reap_backlog()
        :: else
        fi
    od
}

/* collect() of getevents.c, again and again */
proctype reaper(byte me; byte min_nr; byte nr)
{
    byte old, taken, left, at, total, visible, n;
    bool got, any, progress;

    do
    :: true ->
        moved[me] = false;
        reap();
        if
        :: total >= min_nr -> total = 0
        :: else ->
            /* prepare_to_sleep() */
            visible = ring_tail;
            n = visible - head;
            if
            :: n >= min_nr - total -> skip
            :: else ->
                atomic { at = tail; at = visible + min_nr - total - n };
                atomic { /* lower_wake_at() */
                    if
                    :: at < wake_at -> wake_at = at
                    :: else
                    fi;
                    at = 0
                };
#ifdef BROKEN_SLEEP
end_asleep:     moved[me]
#else
                if
                :: available() >= min_nr - total || backlog != 0
                :: else ->
# ifdef BROKEN_SEQUENCE
                    moved[me] = false;
# endif
end_asleep:         moved[me]
                fi
#endif
            fi;
            atomic { visible = 0; n = 0 }
        fi
    od
}

init
{
    byte expected;

    atomic {
        if
        :: run publisher(0, 0); run publisher(1, 2); run reaper(0, 1, 2); expected = 7
        :: run publisher(0, 1); run reaper(0, 1, 2); run reaper(1, 2, 2); expected = 3
        fi
    }
    reaped == expected
}
