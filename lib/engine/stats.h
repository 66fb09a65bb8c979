/* SPDX-License-Identifier: MIT */
/*
 * Counters, always on: relaxed additions to one of several cache lines, chosen
 * by thread, summed up when somebody looks.
 */
#ifndef UAIO_STATS_H
#define UAIO_STATS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum counter {
    STAT_READS, /* submitted, by kind ... */
    STAT_WRITES,
    STAT_SYNCS,
    STAT_POLLS,
    STAT_LISTS,         /* lio_listio() calls */
    STAT_CONTEXTS,      /* io_setup() calls that succeeded ... */
    STAT_NATIVE,        /* ... and those that the kernel was left to serve */
    STAT_COMPLETED,     /* ended, with success ... */
    STAT_FAILED,        /* ... with an error ... */
    STAT_CANCELED,      /* ... or by cancellation */
    STAT_REFUSED,       /* not accepted: EAGAIN */
    STAT_INLINE_HITS,   /* done in the submitting thread */
    STAT_INLINE_MISSES, /* tried there, and passed to the pool */
    STAT_WAITED,        /* waited for readiness, or for their turn to */
    STAT_HELPED,        /* run by a thread that waited for them */
    STAT_SIGNALS,       /* notifications sent: signals ... */
    STAT_CALLBACKS,     /* ... and callbacks */
    STATS,
};

void uaio__count(enum counter counter);

/* A request has ended with that result. */
void uaio__count_result(ssize_t result);

/* This process is about to make a request, perhaps its first. */
void uaio__stats_begin(void);

/* Is this the process that has made requests, and not a child with our memory? */
bool uaio__stats_own(void);

/* In a forked child: it has made none yet. */
void uaio__stats_reset(void);

/* So many requests are in flight now. */
void uaio__stats_in_flight(unsigned n);

uint64_t uaio__stat(enum counter counter);

/*
 * Write the report that UAIO_STATS asks for, if this process has made any
 * request; once.  Async-signal-safe.
 */
void uaio__report(void);

/* Open a report's file for appending; -1 with errno. */
int uaio__open_stats(const char *path);

#endif
