/* SPDX-License-Identifier: MIT */
/*
 * The slots of ring.c as a Promela model: submitters that reserve one, events
 * that are put there, reapers that claim by compare-and-swap and copy
 * afterwards.  ring_publish.pml has the backlog and the sleepers.
 *
 *     spin -a ring.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * must report no error (2.8 million states), and with any of these after spin a
 * failed assertion or an invalid end state:
 *
 *     -DBROKEN_CLAIMS     who reserves a slot does not look at the claims
 *     -DBROKEN_ANNOUNCE   the claim is announced only after the compare-and-swap
 *     -DBROKEN_COPY       events are copied before they are claimed
 *     -DBROKEN_PUT        the ring's tail moves before the event is there
 *     -DBROKEN_BYPASSED   events that did not go through the ring keep their slot
 *
 * Each event is to be reaped once, and to be the one that was put there; a slot
 * that somebody copies from is not written.  What is lost shows as a deadlock:
 * the observer waits until all are reaped.
 *
 * Each producer is a submitter, too, and reserves before it publishes; an
 * io_submit() that finds no slot is called again when there is room.  A reaper
 * waits until there is an event.  One that a signal handler has interrupted is
 * one that does not go on for a while, as any.
 *
 * Taken for granted: the claim and the head are seq_cst, as everything is
 * here; a copy ends before its claim is given back, and an event is there
 * before the tail (release).
 */
#ifndef NR
# define NR 3 /* slots; one stays empty */
#endif
#ifndef EVENTS
# define EVENTS 4
#endif
#define REAPERS 2

byte head, ring_tail;  /* one word, the program's */
short accepted, bypassed, tail;
byte events[NR];       /* 0: never written; else event number + 1 */
bool publishing;
byte claims[REAPERS];  /* slot + 1 */

byte reaped;           /* a bit an event */
byte copying[NR];      /* reapers that have claimed the slot, and still copy */

#define all ((1 << EVENTS) - 1)
#define distance(a, b) ((b + NR - a) % NR)
#define free_after(at, wanted) (wanted == at -> NR - 1 : distance(at, wanted) - 1)

/* ---- slots ---- */

/* fits(), as of one moment: for who has been refused. */
#define has_room() (accepted + 1 - bypassed - tail <= free_after(tail % NR, head))

/* ring__reserve() */
inline reserve()
{
    do
    :: true ->
        atomic { before = accepted; passed = bypassed; at_head = head };
#ifndef BROKEN_CLAIMS
        atomic { claim_0 = claims[0]; claim_1 = claims[1] };
#endif
        atomic {
            now = tail;
            room = free_after(now % NR, at_head);
            if
            :: claim_0 && claim_0 - 1 != now % NR && free_after(now % NR, (claim_0 - 1)) < room ->
                room = free_after(now % NR, (claim_0 - 1))
            :: else
            fi;
            if
            :: claim_1 && claim_1 - 1 != now % NR && free_after(now % NR, (claim_1 - 1)) < room ->
                room = free_after(now % NR, (claim_1 - 1))
            :: else
            fi;
            /* unsigned in C: less than nothing is a lot */
            fits = before + 1 - passed - now <= room && before + 1 - passed - now >= 0;
            passed = 0; at_head = 0; claim_0 = 0; claim_1 = 0; now = 0; room = 0
        };
        if
        :: fits ->
            atomic {
                fits = false;
                if
                :: accepted == before -> accepted++; before = 0; break
                :: else
                fi
            }
        :: else -> has_room() /* then once more */
        fi
    od
}

/* ---- filling ---- */

inline put(e)
{
#ifdef BROKEN_PUT
    tail++;
    ring_tail = tail % NR;
    write(e)
#else
    write(e);
    tail++;
    ring_tail = tail % NR
#endif
}

inline write(e)
{
    atomic {
        assert(!copying[tail % NR]);
        events[tail % NR] = e + 1
    }
}

inline take_event(e)
{
    assert(e != 0);
    assert(!(reaped & (1 << (e - 1))));
    reaped = reaped | (1 << (e - 1))
}

/* ring__reserve(), ring__publish() */
proctype producer(byte first; byte last)
{
    short before, passed, now, room;
    byte at_head, claim_0, claim_1, mine;
    bool fits;

    mine = first;

    do
    :: mine > last -> break
    :: else ->
        reserve();
        if
        :: atomic { !publishing -> publishing = true };
            put(mine);
            publishing = false
        :: atomic { take_event(mine + 1) }; /* from the backlog, past the ring */
#ifndef BROKEN_BYPASSED
            bypassed++
#endif
        fi;
        mine++
    od
}

/* ---- emptying ---- */

/* reap_ring() */
inline reap_ring(max)
{
    atomic { old_head = head; old_tail = ring_tail };
    n = 0;
    if
    :: old_head == old_tail
    :: else ->
        do
        :: true ->
#ifndef BROKEN_ANNOUNCE
            claims[me] = old_head + 1;
#endif
            n = distance(old_head, old_tail);
            n = (n > max -> max : n);
#ifdef BROKEN_COPY
            copied = events[old_head];
            n = (n > 1 -> 1 : n);
#endif
            atomic {
                if
                :: n == 0 -> break
                :: n > 0 && head == old_head && ring_tail == old_tail ->
                    head = (head + n) % NR;
                    i = 0;
                    do
                    :: i == n -> break
                    :: else -> copying[(old_head + i) % NR]++; i++
                    od;
                    i = 0;
                    break
                :: else -> old_head = head; old_tail = ring_tail
                fi
            }
        od;
#ifdef BROKEN_ANNOUNCE
        claims[me] = old_head + 1;
#endif
        do /* copy() */
        :: i == n -> break
        :: else ->
            atomic {
#ifdef BROKEN_COPY
                take_event(copied);
#else
                take_event(events[(old_head + i) % NR]);
#endif
                copying[(old_head + i) % NR]--;
                i++
            }
        od;
        claims[me] = 0
    fi;
    atomic { old_head = 0; old_tail = 0; i = 0; n = 0; copied = 0 }
}

/* io_getevents(), again and again */
proctype reaper(byte me; byte nr)
{
    byte old_head, old_tail, n, i, copied;

end_idle:
    do
    :: head != ring_tail -> reap_ring(nr)
    od
}

init
{
    atomic {
        run producer(0, EVENTS - 2);
        run producer(EVENTS - 1, EVENTS - 1);
        run reaper(0, 1);
        run reaper(1, 2)
    }
    reaped == all
}
