/* SPDX-License-Identifier: MIT */
/*
 * Closing against submission as a Promela model: descriptor.c, end_all() and
 * sweep_all() of cancel.c, order__arrive() and the lanes of order.c.
 *
 *     spin -a descriptor.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * must report no error (2.7 million states), and with any of these after spin a
 * failed assertion or an invalid end state:
 *
 *     -DBROKEN_GENERATION  what arrives is not asked for its generation
 *     -DBROKEN_LATE        the generation changes after the requests were ended
 *     -DBROKEN_BEGIN       the descriptor is in use only when a request arrives
 *     -DBROKEN_END         it is in use no more when the request is claimed
 *     -DBROKEN_AWAIT       what runs is not waited for
 *     -DBROKEN_SETTLE      what is being attempted is not waited for
 *     -DBROKEN_DETACH      the closed file's lane stays the number's
 *     -DBROKEN_HELP        a waiter helps with what has not arrived
 *
 * A number means one file, is closed, and means another file.  Requests are
 * submitted at any time.  One that was submitted before the close began is not
 * performed on the second file, nor is one for the second file cancelled; each
 * ends once.  A close that does not end shows as a deadlock.  One that is
 * submitted while the number is being closed may meet either file or none: the
 * program's race, see descriptor.h.
 *
 * Two kinds of requests: those of files, QUEUED from the beginning, which a
 * worker or a waiter that helps claims; and of streams, which wait for their
 * turn and for readiness.  One of these, on a descriptor of its own, may go on
 * after the close, until the second file's requests are over: they are not to
 * wait for it.
 *
 * BROKEN_HELP: what has not arrived has not been asked for its generation, nor
 * is it seen by a close.  A waiter would perform it on the second file, if the
 * close fell within the submitting call, after descriptor__begin().
 *
 * Taken for granted: the descriptor's word is seq_cst, as everything is
 * here; who waits for the end of a request is woken (wait.pml).  Who comes again
 * and again until a state has settled is here one who waits for it.
 */
#ifndef REQUESTS
# define REQUESTS 2
#endif

mtype = { NONE, HELD, QUEUED, WAITING, TRYING, RUNNING, PUBLISHING, DONE };

bool streams; /* what kind they are of */

/* the descriptor's word */
byte users, generation;

/* what the number means: 1, 0 in between, 2 */
byte file = 1;
bool closing;

/* requests */
mtype state[REQUESTS] = NONE;
byte born[REQUESTS];  /* generation */
byte meant[REQUESTS]; /* the file; 0: either */
bool posted[REQUESTS], arrived[REQUESTS], closed[REQUESTS], left[REQUESTS];
bool detached[REQUESTS];
byte lane[REQUESTS];
byte ended;
bool over[REQUESTS];
#ifdef BROKEN_END
bool early[REQUESTS];
#endif

/* lanes, by serial number */
byte lanes, current; /* current: what the number finds; 0: none */
byte owner[REQUESTS + 1]; /* whose turn it is: request + 1 */
byte members[REQUESTS + 1];

bool locked;

#define lock() atomic { !locked -> locked = true }
#define unlock() locked = false
#define move(r, from, to) (state[r] == from) -> state[r] = to

/* ---- lanes: one step each, as the lock is held, but the states are not its ---- */

/* [lock] order__arrive() */
inline arrive(r)
{
    atomic {
        arrived[r] = true;
        if
        :: current == 0 -> lanes++; current = lanes
        :: else
        fi;
        lane[r] = current;
        members[current]++;
#ifdef BROKEN_BEGIN
        users++;
        born[r] = generation;
#endif
#ifndef BROKEN_GENERATION
        closed[r] = born[r] != generation;
#endif
        if
        :: streams && owner[current] == 0 ->
            owner[current] = r + 1;
            if
            :: move(r, HELD, WAITING)
            :: else
            fi
        :: else
        fi
    }
}

/* [lock] order__leave() */
inline leave(r)
{
    atomic {
        left[r] = true;
        members[lane[r]]--;
        if
        :: owner[lane[r]] == r + 1 ->
            owner[lane[r]] = 0;
            n = 0;
            do
            :: n == REQUESTS -> break
            :: n < REQUESTS ->
                if
                :: arrived[n] && !left[n] && lane[n] == lane[r] ->
                    owner[lane[r]] = n + 1;
                    if
                    :: move(n, HELD, WAITING)
                    :: else
                    fi;
                    break
                :: else -> n++
                fi
            od;
            n = 0
        :: else
        fi;
        if
        :: members[lane[r]] == 0 && current == lane[r] -> current = 0
        :: else
        fi
    }
}

/* [lock] The inbox, in any order. */
inline drain()
{
    atomic {
        n = 0;
        do
        :: n == REQUESTS -> break
        :: n < REQUESTS ->
            if
            :: posted[n] && !arrived[n] -> arrive(n)
            :: else
            fi;
            n++
        od;
        n = 0
    }
}

/* ---- ends ---- */

/* The system call. */
inline perform(r)
{
    if
    :: closed[r]
    :: else ->
        assert(detached[r] || file == meant[r] || meant[r] == 0)
    fi
}

inline publish(r)
{
    assert(!over[r]);
    assert(!closed[r] || meant[r] != 2);
    over[r] = true;
    ended++;
#ifdef BROKEN_END
    users = users - !early[r];
#else
    users--;
#endif
    state[r] = DONE
}

/* [the caller has published it] completion__retire(), or a worker's end */
inline retire(r)
{
    lock();
    drain();
    leave(r);
    unlock()
}

#ifdef BROKEN_HELP
# define claimable(r) (state[r] == QUEUED)
#else
# define claimable(r) (arrived[r] && state[r] == QUEUED)
#endif
#define claim(r, who) atomic { claimable(who) -> state[who] = RUNNING; r = who }
#define has_inbox(r) (posted[r] && !arrived[r])

#if REQUESTS > 2
# define inbox_full() (has_inbox(0) || has_inbox(1) || has_inbox(2))
#else
# define inbox_full() (has_inbox(0) || has_inbox(1))
#endif

/* A worker, or a waiter that helps. */
proctype runner()
{
    byte r, n;

end_idle:
    do
    :: if
       :: claim(r, 0)
       :: claim(r, 1)
#if REQUESTS > 2
       :: claim(r, 2)
#endif
       fi;
#ifdef BROKEN_END
       atomic { users--; early[r] = true };
#endif
       perform(r);
       state[r] = PUBLISHING;
       publish(r);
       posted[r] -> /* it leaves when it arrives */
       retire(r);
       r = 0
    :: atomic { !locked && inbox_full() -> locked = true };
       drain();
       unlock()
    od
}

/* [TRYING] */
inline finish(r)
{
    state[r] = PUBLISHING;
    publish(r);
    retire(r)
}

bool has_device;

/* One that does not answer until all others are over. */
proctype device(byte r)
{
    byte n;

    ended == REQUESTS - 1;
    state[r] = PUBLISHING;
    publish(r);
    retire(r)
}

#define turn (owner[current] - 1)
#define is_ready() (current != 0 && owner[current] != 0 && state[turn] == WAITING)

proctype poller()
{
    byte r, n;

end_idle:
    do
    :: atomic { !locked && is_ready() -> locked = true };
       drain();
       if
       :: atomic { is_ready() -> r = turn; state[r] = TRYING };
          if
          :: unlock();
             perform(r);
             finish(r)
          :: atomic { !has_device && !closed[r] && meant[r] == 1 -> has_device = true };
             perform(r); /* it is opened again */
             detached[r] = true;
             atomic { state[r] = RUNNING; run device(r) };
             unlock()
          fi
       :: !is_ready() -> unlock()
       fi;
       r = 0
    od
}

proctype submitter(byte r)
{
    byte n;

    atomic { /* descriptor__begin() */
        meant[r] = (closing -> 0 : file);
#ifndef BROKEN_BEGIN
        users++;
        born[r] = generation
#endif
    };
    state[r] = (streams -> HELD : QUEUED);
    posted[r] = true;
    if
    :: !streams
    :: streams -> /* start() in stream.c */
        lock();
        drain();
        unlock();
        if
        :: atomic { move(r, WAITING, TRYING) };
            perform(r);
            if
            :: finish(r)
            :: !closed[r] -> /* not yet */
                lock();
                drain();
                state[r] = WAITING;
                unlock()
            fi
        :: state[r] != WAITING
        fi
    fi
}

/* [lock] sweep_all() */
inline sweep()
{
    r = 0;
    do
    :: r == REQUESTS -> break
    :: r < REQUESTS ->
        atomic {
            if
            :: !arrived[r] || left[r] || lane[r] != current
            :: else ->
                if
                :: state[r] == HELD || state[r] == QUEUED || state[r] == WAITING ->
                    state[r] = PUBLISHING;
                    swept = swept | (1 << r)
                :: state[r] == RUNNING && !detached[r] -> running = r + 1
                :: state[r] == TRYING || state[r] == PUBLISHING -> unsettled = r + 1
                :: else
                fi
            fi;
            r++
        }
    od;
    r = 0
}

proctype closer()
{
    byte r, n, swept, running, unsettled;
    bool in_use;

    atomic { in_use = users != 0; closing = true };
    if
    :: !in_use
    :: in_use ->
#ifndef BROKEN_LATE
        generation++;
#endif
        do
        :: true ->
            lock();
            drain();
            sweep();
#ifdef BROKEN_AWAIT
            running = 0;
#endif
#ifdef BROKEN_SETTLE
            unsettled = 0;
#endif
#ifndef BROKEN_DETACH
            if
            :: !running && !unsettled -> current = 0
            :: else
            fi;
#endif
            unlock();
            do
            :: r == REQUESTS -> r = 0; break
            :: r < REQUESTS && (swept & (1 << r)) -> publish(r); retire(r); r++
            :: r < REQUESTS && !(swept & (1 << r)) -> r++
            od;
            swept = 0;
            if
            :: unsettled ->
                state[unsettled - 1] != TRYING && state[unsettled - 1] != PUBLISHING
            :: !unsettled && running ->
                state[running - 1] != RUNNING && state[running - 1] != PUBLISHING
            :: else -> break
            fi;
            atomic { running = 0; unsettled = 0 }
        od;
#ifdef BROKEN_LATE
        generation++
#endif
    fi;
    file = 0;
    atomic { file = 2; closing = false }
}

init
{
    atomic {
        if
        :: streams = false; run runner(); run runner()
        :: streams = true; run runner(); run poller()
        fi;
        run submitter(0);
        run submitter(1);
#if REQUESTS > 2
        run submitter(2);
#endif
        run closer()
    }
    ended == REQUESTS && file == 2 && users == 0 && current == 0
}
