/* SPDX-License-Identifier: MIT */
/*
 * The watch of pool.c as a Promela model: a lazy poster wakes nobody while a
 * worker keeps watch, and the watch may end at any time.  For the rest of the
 * handshake see pool.pml.
 *
 *     spin -a watch.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * must report no error, and with -DBROKEN_END or -DBROKEN_RUN after spin an invalid
 * end state: a job that nobody begins.
 *
 * All threads there may be are there.  A job runs until all jobs have begun, so a
 * worker that runs one is of no use to another.  A worker that goes to sleep keeps
 * watch or does not, as long as one does at most; whoever does comes back some time,
 * and the others only when they are woken.
 */
#define JOBS 2 /* one is posted in the ordinary way */
#define WORKERS JOBS

byte inbox, ready;
byte searching = WORKERS, idle, wakes;
byte begun;
bool locked, watched;

#define lock() atomic { !locked -> locked = true }
#define unlock() locked = false

inline drain()
{
    d_step { ready = ready + inbox; inbox = 0 }
}

/* [lock] */
inline rouse()
{
    if
    :: searching == 0 && ready > 0 && idle > 0 -> idle--; searching++; wakes++
    :: else
    fi
}

inline end_watch()
{
    if
    :: watch -> watch = false; watched = false
    :: else
    fi
}

active [WORKERS] proctype worker()
{
    bool looks = true; /* counted in searching */
    bool watch = false;

    do
    :: lock();
       drain();
       if
       :: ready > 0 -> /* run_one() */
            ready--;
            searching = searching - looks;
            looks = false;
#ifndef BROKEN_RUN
            end_watch();
#endif
            drain();
            rouse();
            unlock();
            begun++;
            begun == JOBS;
            end_watch()
       :: else -> /* sleep_until_needed() */
            if
            :: end_watch()
            :: watch || !watched -> watch = true; watched = true
            fi;
            searching = searching - looks;
            looks = true;
            idle++;
            if
            :: inbox > 0 -> idle--; searching++; unlock()
            :: inbox == 0 && watch ->
                unlock();
                if
#ifdef BROKEN_END /* it comes after the last look */
                :: end_watch();
                   goto end_asleep
#endif
                :: atomic { wakes > 0 -> wakes-- }
                :: atomic { !locked && idle > 0 -> locked = true };
                   idle--; searching++;
                   unlock()
                fi
            :: inbox == 0 && !watch ->
                unlock();
end_asleep:     wakes > 0 -> wakes--
            fi
       fi
    od
}

inline look_for_worker() /* needs_wake() and find_worker() */
{
    if
    :: searching > 0
    :: else -> lock(); drain(); rouse(); unlock()
    fi
}

active proctype poster()
{
    inbox++;
    look_for_worker()
}

active [JOBS - 1] proctype lazy_poster()
{
    inbox++;
    if
    :: watched
    :: else -> look_for_worker()
    fi
}

active proctype all_begin()
{
    begun == JOBS
}
