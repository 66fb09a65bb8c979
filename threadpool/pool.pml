/* SPDX-License-Identifier: MIT */
/*
 * The handshake of pool.c as a Promela model: posters that take no lock,
 * workers that take jobs, sleep and end, a helper whose retiring job is what
 * another waits for.
 *
 *     spin -a pool.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * must report no error, and with -DBROKEN or -DBROKEN_RETIRE after spin an
 * invalid end state.
 *
 * A job runs until all jobs have begun, and there may be a thread for each:
 * a wake-up that is lost shows as a deadlock.  Sleeping workers are alike,
 * so whoever comes first takes a wake-up.  What posters read without the
 * lock is seq_cst in pool.c, as everything is here.
 */
#define POSTERS 2
#define JOBS (POSTERS + 1) /* theirs, and the one that is held back */

byte inbox, ready, held; /* jobs posted; that may run; that wait for the helper's */
bool follower, message;  /* in the inbox: the job to hold back; that the helper's is over */
bool gone;               /* the helper's job has left the gate */
byte searching, idle, wakes, threads, reserve = JOBS;
byte begun;
bool locked;

#define inbox_empty (inbox == 0 && !follower && !message)
#define lock() atomic { !locked -> locked = true }
#define unlock() locked = false

inline drain()
{
    d_step {
        ready = ready + inbox;
        inbox = 0;
        if
        :: follower && gone -> ready++
        :: follower && !gone -> held++
        :: else
        fi;
        follower = false;
        if
        :: message -> gone = true; ready = ready + held; held = 0
        :: else
        fi;
        message = false
    }
}

/* [lock] worker_wanted() and rouse().  Waking before the lock is released
 * makes no difference: the woken worker needs it. */
inline rouse(may_start)
{
    if
    :: searching == 0 && (ready > 0 || (held > 0 && idle == 0)) ->
        if
        :: idle > 0 -> idle--; reserve--; searching++; wakes++
        :: idle == 0 && may_start && threads < JOBS ->
            threads++; reserve--; searching++; run worker()
        :: else
        fi
    :: else
    fi
}

inline find_worker(may_start)
{
    lock(); drain(); rouse(may_start); unlock()
}

proctype worker()
{
    bool looks = true; /* counted in searching */

    do
    :: lock();
       drain();
       if
       :: ready > 0 -> /* run_one() */
            ready--;
            searching = searching - looks;
            looks = false;
#ifndef BROKEN
            drain();
#endif
            rouse(true);
            unlock();
            begun++;
            begun == JOBS
       :: else -> /* sleep_until_needed() */
            searching = searching - looks;
            idle++;
            reserve++;
            looks = true;
            if
            :: !inbox_empty -> idle--; reserve--; searching++; unlock()
            :: else ->
                unlock();
end_asleep:     if
                :: atomic { wakes > 0 -> wakes-- }
                :: atomic { !locked && idle > 0 && (held == 0 || idle > 1) -> locked = true };
                   idle--; reserve--; searching++; /* idle for long */
                   drain();
                   if
                   :: ready > 0 || (held > 0 && idle == 0) -> unlock()
                   :: else -> /* end_worker() */
                        searching--; threads--; reserve++;
                        drain();
                        rouse(true);
                        unlock();
                        break
                   fi
                fi
            fi
       fi
    od
}

inline look_for_worker() /* needs_wake() */
{
    if
    :: searching > 0
    :: else ->
        if
        :: reserve == 0
        :: else -> find_worker(true)
        fi
    fi
}

active [POSTERS] proctype poster()
{
    inbox++;
    look_for_worker()
}

active proctype poster_of_follower()
{
    follower = true;
    look_for_worker()
}

active proctype helper()
{
    message = true;
#ifdef BROKEN_RETIRE
    skip
#else
    if
    :: held > 0 -> find_worker(false)
    :: else
    fi
#endif
}
