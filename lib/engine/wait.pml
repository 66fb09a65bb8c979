/* SPDX-License-Identifier: MIT */
/*
 * The handshake of wait.c, lib/os/event_futex.c and lib/posix/suspend.c as a
 * Promela model: waiters that set their bits, look, and sleep; completers that
 * publish, take the bits, and signal.
 *
 *     spin -a wait.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * must report no error (4.6 million states), and with any of these after spin an
 * invalid end state:
 *
 *     -DBROKEN_LOOK      the waiter does not look again after setting its bit
 *     -DBROKEN_PUBLISH   the bits are taken before the status is published
 *     -DBROKEN_SEQUENCE  the sequence is read after the last look
 *     -DBROKEN_SLEEPERS  the signaller counts the sleepers before its signal
 *     -DBROKEN_UNWATCH   a shared slot's bit is taken back
 *     -DBROKEN_ONE       a signal wakes one sleeper of a slot
 *
 * Everybody ends once the requests are done, so a wake-up that is lost shows
 * as a deadlock.  There are two waiters and two requests; each waiter takes the
 * slot that has one owner, or the shared one, and waits for any of a set of the
 * requests.  The second may give up meanwhile and wait anew; its slot may go to
 * the first.
 *
 * Taken for granted: what is read-modify-write on one atomic, `waiters`, is in
 * one order for all, and carries what was written before it (acq_rel); the
 * sequence and the sleepers are seq_cst, as everything is here.  With less,
 * BROKEN_LOOK, BROKEN_PUBLISH and BROKEN_SLEEPERS are what may happen.
 */
#define REQUESTS 2
#define OWNED 1 /* slots below belong to one waiter at a time; slot OWNED is shared */
#define SLOTS 2

bool over[REQUESTS];    /* the control block's status, or the request's state */
byte waiters[REQUESTS]; /* a bit a slot */
bool taken;             /* slot 0 is */
byte sequence[SLOTS], sleepers[SLOTS];
byte asleep[SLOTS]; /* in the kernel, a bit a waiter */
bool may_give_up = true;

/* A handler ran, the time is over, the thread is cancelled: once, else no
 * wake-up would ever be missed. */
#define give_up() atomic { me == 1 && may_give_up -> may_give_up = false }

/* Whether the waiter sets bits, and takes them back, only where a look says that
 * there is something to wait for: aio_suspend(), but not cancel.c's await(). */
bool looks;

#define is_over() (((set & 1) && over[0]) || ((set & 2) && over[1]))

proctype waiter(byte me; byte set)
{
    byte slot, seen;
    bool gave_up;

begin:
    /* wait__begin() */
    atomic {
        if
        :: !taken -> taken = true; slot = 0
        :: slot = OWNED /* there are too many others */
        fi
    }
#ifdef BROKEN_LOOK
    if
    :: is_over() -> goto leave
    :: else
    fi;
#endif
    /* watch_all() */
    if
    :: (set & 1) && (!looks || !over[0]) -> waiters[0] = waiters[0] | (1 << slot)
    :: else
    fi;
    if
    :: (set & 2) && (!looks || !over[1]) -> waiters[1] = waiters[1] | (1 << slot)
    :: else
    fi;

    do
    :: true ->
#ifndef BROKEN_SEQUENCE
       seen = sequence[slot];
#endif
#ifndef BROKEN_LOOK
       if
       :: is_over() -> break
       :: else
       fi;
#endif
#ifdef BROKEN_SEQUENCE
       seen = sequence[slot];
#endif
       /* uaio__event_wait() */
       sleepers[slot]++;
       if
       :: atomic { sequence[slot] == seen -> asleep[slot] = asleep[slot] | (1 << me) };
          if
          :: !(asleep[slot] & (1 << me))
          :: give_up() -> asleep[slot] = asleep[slot] & ~(1 << me); gave_up = true
          fi
       :: sequence[slot] != seen
       fi;
       atomic { sleepers[slot]--; seen = 0 };
       if
       :: gave_up -> break
       :: else
       fi
#ifdef BROKEN_LOOK
       ;
       if
       :: is_over() -> break
       :: else
       fi
#endif
    od;

    /* unwatch_all() */
#ifdef BROKEN_UNWATCH
# define takes_back true
#else
# define takes_back (slot < OWNED)
#endif
    if
    :: (set & 1) && looks && !over[0] && takes_back -> waiters[0] = waiters[0] & ~(1 << slot)
    :: else
    fi;
    if
    :: (set & 2) && looks && !over[1] && takes_back -> waiters[1] = waiters[1] & ~(1 << slot)
    :: else
    fi;
leave:
    atomic {
        if
        :: slot < OWNED -> taken = false
        :: else
        fi;
        slot = 0; seen = 0 /* fewer states */
    };
    if
    :: gave_up -> gave_up = false; goto begin
    :: else
    fi
}

#ifdef BROKEN_ONE
# define wake(s) asleep[s] = asleep[s] & (asleep[s] - 1)
#else
# define wake(s) asleep[s] = 0
#endif

/* uaio__event_signal() */
inline signal(s)
{
#ifdef BROKEN_SLEEPERS
    some = sleepers[s];
    sequence[s]++;
#else
    sequence[s]++;
    some = sleepers[s];
#endif
    if
    :: some > 0 -> wake(s)
    :: else
    fi
}

/* completion__publish() */
proctype completer(byte r)
{
    byte bits, some;

#ifdef BROKEN_PUBLISH
    atomic { bits = waiters[r]; waiters[r] = 0 };
    over[r] = true;
#else
    over[r] = true;
    atomic { bits = waiters[r]; waiters[r] = 0 };
#endif
    if
    :: bits & 1 -> signal(0)
    :: else
    fi;
    if
    :: bits & 2 -> signal(1)
    :: else
    fi;
    atomic { bits = 0; some = 0 }
}

init
{
    atomic {
        if
        :: looks = false
        :: looks = true
        fi;
        /* What for: the waiters are alike, the requests, too. */
        if
        :: run waiter(0, 1); run waiter(1, 1)
        :: run waiter(0, 1); run waiter(1, 2)
        :: run waiter(0, 1); run waiter(1, 3)
        :: run waiter(0, 3); run waiter(1, 1)
        fi;
        run completer(0);
        run completer(1)
    }
    /* Nobody is left counted. */
    _nr_pr == 1;
    assert(sleepers[0] == 0 && sleepers[1] == 0 && !taken)
}
