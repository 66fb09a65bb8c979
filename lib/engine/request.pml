/* SPDX-License-Identifier: MIT */
/*
 * A request's life as a Promela model: request.c, engine.c, completion.c,
 * stream.c, what order.c does with its state, and the marks of pool.c.
 *
 *     spin -a request.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * must report no error (2.8 million states), and with any of these after spin a
 * failed assertion or an invalid end state:
 *
 *     -DBROKEN_GENERATION  a transition does not look whose slot it is
 *     -DBROKEN_MOVE        a transition looks and then moves, in two steps
 *     -DBROKEN_HOLD        who retires a request does not hold it until it is told
 *     -DBROKEN_SUBMITTER   the submitter of a stream's does not hold it
 *     -DBROKEN_MARK        what has retired before it arrives does not leave
 *     -DBROKEN_WATCH       what was attempted in vain is not watched
 *     -DBROKEN_NOTICE      the notice does not hold the request
 *     -DBROKEN_GIVING      what a helper gives back is not queued again
 *
 * One slot, and two requests that use it one after the other.  Each is to be
 * performed or cancelled, one of them, once; published once; freed once; and
 * not touched after that.  A helping waiter and two cancellers have the id of
 * one of them each, at any time from its making on, for ever.  What is forgotten shows
 * as a deadlock: the observer waits until both are freed.
 *
 * Kinds: a FILE's request is QUEUED at once, and may be helped with.  A
 * STREAM's is attempted by its submitter, then waits for the poller, who
 * attempts it, runs it in a thread of its own, or has to give it to a worker.
 * A POLL's is never posted.  Requests that are held behind others are
 * descriptor.pml's.
 *
 * Taken for granted: the control word and `holders` are changed by
 * read-modify-writes (acq_rel), so that who frees comes after all who let go.
 * The worker looks whenever there is something in the inbox (pool.pml).  A
 * canceller that comes again until a state has settled is here one that waits.
 */
mtype = { FREE, HELD, QUEUED, WAITING, TRYING, RUNNING, PUBLISHING, DONE };
mtype = { FILE, STREAM, POLL };

/* the slot */
mtype state = FREE;
byte generation, holders;
mtype kind;
bool arrived, retired; /* job.marks */
bool inbox, ready;     /* where the job is */
bool polled;
byte watched; /* the generation whose lane, or descriptor, the poller watches */
byte notice;  /* the same, of which the notice is on its way */
bool locked;

/* what has become of the requests; a request's generation is its number + 1 */
byte made;
bool performed[2], cancelled[2], published[2], freed[2];

#define lock() atomic { !locked -> locked = true }
#define unlock() locked = false

/* request__move() */
#ifdef BROKEN_GENERATION
# define is(k, from) (state == from)
#else
# define is(k, from) (generation == k + 1 && state == from)
#endif
#ifdef BROKEN_MOVE
# define move(k, from, to) is(k, from) -> state = to
#else
# define move(k, from, to) atomic { is(k, from) -> state = to }
#endif

/* Whoever has to do with the request may: it is not free. */
#define touch(k) assert(generation == k + 1 && state != FREE)

/* request__advance() */
inline advance(k, from, to)
{
    atomic {
        assert(generation == k + 1 && state == from);
        state = to
    }
}

inline hold(k)
{
    atomic { touch(k); holders++ }
}

inline release(k)
{
    atomic {
        touch(k);
        assert(holders > 0);
        holders--;
        if
        :: holders == 0 ->
            assert(state == DONE && !freed[k]);
            assert(!inbox && !ready && notice == 0);
            freed[k] = true;
            state = FREE
        :: else
        fi
    }
}

inline perform(k)
{
    atomic {
        touch(k);
        assert(!performed[k] && !cancelled[k]);
        performed[k] = true
    }
}

/* completion__publish() [PUBLISHING] */
inline publish(k)
{
    atomic {
        assert(performed[k] != cancelled[k]);
        assert(!published[k]);
        published[k] = true
    };
    advance(k, PUBLISHING, DONE);
    touch(k) /* wait__wake() */
}

/* ---- the pool ---- */

/* [lock] */
inline leave(k)
{
    atomic {
        ready = false;
        if
        :: watched == k + 1 && kind == STREAM -> watched = 0 /* the lane's serial is another's */
        :: else
        fi
    };
    release(k)
}

/* [lock] With the marks as of the step that takes it out: what happens to
 * them later is for who does it. */
inline drain()
{
    if
    :: !inbox
    :: inbox ->
        atomic {
            inbox = false;
            touch((generation - 1));
            was_retired = retired;
            if
            :: !arrived ->
                arrived = true;
                if
                :: state == QUEUED -> ready = true
                :: state == HELD -> state = WAITING
                :: else
                fi
            :: else
            fi
        };
        if
#ifdef BROKEN_MARK
        :: false
#else
        :: was_retired -> was_retired = false; leave((generation - 1))
#endif
        :: else
        fi
    fi
}

/* pool__retire_now() */
inline retire_now(k)
{
    lock();
    drain();
    atomic { touch(k); retired = true };
    if
    :: arrived -> leave(k)
    :: else
    fi;
    unlock()
}

inline hold_for_telling(k)
{
#ifdef BROKEN_HOLD
    skip
#else
    hold(k)
#endif
}

/* ---- ends ---- */

/* notify__send() */
inline notify(k)
{
#ifndef BROKEN_NOTICE
    hold(k);
#endif
    if
    :: release(k)
    :: notice = k + 1 /* a thread of the notification pool */
    fi
}

proctype notifier()
{
    byte k;

end_idle:
    do
    :: notice != 0 ->
        atomic { k = notice - 1; notice = 0 };
        release(k);
        k = 0
    od
}

/* completion__tell() */
inline tell(k)
{
    notify(k);
    release(k)
}

/* completion__end(), completion__tell() */
inline finish(k, from)
{
    perform(k);
    advance(k, from, PUBLISHING);
    publish(k);
    hold_for_telling(k);
    retire_now(k);
    tell(k)
}

proctype worker()
{
    byte k;
    bool was_retired;

end_idle:
    do
    :: atomic { !locked && (inbox || ready) -> locked = true };
       drain();
       if
       :: !ready -> unlock()
       :: ready ->
            atomic { ready = false; k = generation - 1 };
            if
            :: move(k, QUEUED, RUNNING);
                unlock();
                perform(k);
                advance(k, RUNNING, PUBLISHING);
                publish(k);
                notify(k);
                lock();
                drain();
                leave(k)
            :: !is(k, QUEUED) /* who has claimed it retires it */
            fi;
            unlock();
            k = 0
       fi
    od
}

/* engine__help() */
proctype helper()
{
    byte k;
    bool was_arrived, was_retired;

    if
    :: made > 0
    :: made > 1 -> k = 1
    fi;
    if
    :: kind != STREAM
    :: kind == STREAM -> goto over
    fi;
    if
    :: move(k, QUEUED, RUNNING); /* it would sleep: pool__requeue() */
        lock();
        drain();
        advance(k, RUNNING, QUEUED);
#ifndef BROKEN_GIVING
        if
        :: arrived -> ready = true
        :: else
        fi;
#endif
        unlock()
    :: move(k, QUEUED, RUNNING);
        perform(k);
        advance(k, RUNNING, PUBLISHING);
        publish(k);
        hold_for_telling(k);
        atomic { touch(k); retired = true; was_arrived = arrived };
        if
        :: was_arrived -> atomic { touch(k); assert(!inbox); inbox = true }
        :: else
        fi;
        tell(k)
    :: !is(k, QUEUED)
    fi;
over:
    atomic { k = 0; was_arrived = false; was_retired = false }
}

/* engine__cancel() */
proctype canceller()
{
    byte k;
    bool was_retired;
    mtype from;

    if
    :: made > 0
    :: made > 1 -> k = 1
    fi;
    do
    :: !is(k, PUBLISHING) && !is(k, TRYING) ->
        atomic {
            from = state;
            if
            :: generation != k + 1 || from == FREE || from == DONE || from == RUNNING -> break
            :: generation == k + 1 && (from == PUBLISHING || from == TRYING) -> from = FREE
            :: else
            fi
        };
        if
        :: from == FREE
        :: from != FREE ->
            if
            :: move(k, from, PUBLISHING);
                atomic {
                    touch(k);
                    assert(!performed[k] && !cancelled[k]);
                    cancelled[k] = true
                };
                if
                :: kind == POLL -> watched = 0; publish(k)
                :: else -> publish(k); hold_for_telling(k); retire_now(k)
                fi;
                tell(k);
                break
            :: !is(k, from)
            fi
        fi
    od;
    atomic { k = 0; from = 0 }
}

/* [lock] order__wait() */
inline wait_again(k)
{
    if
    :: !polled -> advance(k, TRYING, QUEUED); ready = true
    :: polled ->
        advance(k, TRYING, WAITING);
#ifndef BROKEN_WATCH
        if
        :: is(k, WAITING) -> watched = k + 1
        :: else
        fi
#endif
    fi
}

proctype poller()
{
    byte k, report;
    bool was_retired;

end_idle:
    do
    :: watched != 0 ->
        atomic { report = watched; watched = 0; k = report - 1 };
        if
        :: report != 0 && kind == POLL ->
            if
            :: move(k, WAITING, PUBLISHING);
                perform(k);
                publish(k);
                tell(k)
            :: !is(k, WAITING)
            fi
        :: report != 0 && kind != POLL ->
            lock();
            drain();
            if
            :: generation == report && arrived && polled;
                if
                :: move(k, WAITING, TRYING);
                    if
                    :: unlock();
                        finish(k, TRYING)
                    :: unlock(); /* attempted in vain */
                        lock();
                        drain();
                        wait_again(k);
                        unlock()
                    :: advance(k, TRYING, RUNNING);
                        unlock();
                        if
                        :: finish(k, RUNNING) /* in a thread of its own */
                        :: lock();
                            drain();
                            advance(k, RUNNING, QUEUED);
                            ready = true;
                            unlock()
                        fi
                    :: polled = false; /* it cannot be watched */
                        advance(k, TRYING, QUEUED);
                        ready = true;
                        unlock()
                    fi
                :: !is(k, WAITING) -> unlock()
                fi
            :: generation != report || !arrived || !polled -> unlock()
            fi
        :: else
        fi;
        atomic { k = 0; report = 0 }
    od
}

inline make(k)
{
    atomic {
        state == FREE ->
        if
        :: kind = FILE; state = QUEUED
        :: kind = STREAM; state = HELD
        :: kind = POLL; state = WAITING
        fi;
        generation = k + 1;
        holders = 1;
        arrived = false;
        retired = false;
        polled = kind == STREAM;
        assert(!inbox && !ready);
        made = k + 1
    }
}

/* start() in stream.c */
inline post_stream(k)
{
#ifndef BROKEN_SUBMITTER
    hold(k);
#endif
    inbox = true;
    lock();
    drain();
    unlock();
    if
    :: move(k, WAITING, TRYING);
        attempted = true;
        if
        :: perform(k);
            advance(k, TRYING, PUBLISHING);
            publish(k);
            hold_for_telling(k);
            retire_now(k);
            over = true
        :: skip
        fi
    :: !is(k, WAITING)
    fi;
    if
    :: over
    :: else ->
        lock();
        drain();
        touch(k);
        if
        :: polled = false; /* there is no poller */
            if
            :: move(k, WAITING, QUEUED); ready = true
            :: !is(k, WAITING)
            fi
        :: skip
        fi;
        if
        :: attempted -> wait_again(k)
        :: !attempted && polled && is(k, WAITING) -> watched = k + 1
        :: else
        fi;
        unlock()
    fi;
#ifndef BROKEN_SUBMITTER
    release(k);
#endif
    if
    :: over -> tell(k)
    :: else
    fi;
    atomic { attempted = false; over = false }
}

init
{
    byte k;
    bool was_retired, attempted, over;

    atomic {
        run worker();
        run helper();
        run canceller();
        run canceller();
        run poller();
        run notifier()
    }
    do
    :: k == 2 -> break
    :: else ->
        make(k);
        if
        :: kind == FILE -> atomic { touch(k); inbox = true }
        :: kind == STREAM -> post_stream(k)
        :: kind == POLL -> watched = k + 1
        fi;
        k++
    od;
    freed[0] && freed[1] && published[0] && published[1]
}
