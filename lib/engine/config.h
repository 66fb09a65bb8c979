/* SPDX-License-Identifier: MIT */
/*
 * Settings: read from the environment once, at the first use of the library,
 * validated there, never changed after (but threads and idle_ms, which
 * aio_init() may set where the environment does not).
 *
 * A value that cannot be used is named in one line on stderr, and the default
 * stands.  Nothing is read in a set-user-ID program.
 */
#ifndef UAIO_CONFIG_H
#define UAIO_CONFIG_H

#include <stdbool.h>

struct config {
    unsigned threads;      /* UAIO_THREADS: the most I/O threads at once */
    unsigned idle_ms;      /* UAIO_IDLE_MS: how long an idle thread stays */
    unsigned max_requests; /* UAIO_MAX_REQUESTS: in flight at once */
    unsigned max_events;   /* UAIO_MAX_EVENTS: asked for by all io_setup() together; 0: any */
    bool inline_reads;     /* UAIO_INLINE: cached reads in the submitting thread */
    bool help;             /* UAIO_HELP: waiters run what they wait for */
    bool strict;           /* UAIO_STRICT: check every pointer of the Linux face each time */
    bool native_first;     /* UAIO_BACKEND: the kernel's native AIO where it can be had */
    const char *stats;     /* UAIO_STATS: "stderr", a path, or NULL for no report */
    bool threads_fixed;    /* set in the environment */
    bool idle_fixed;
};

/* The settings.  Thread-safe; the first call reads the environment. */
const struct config *uaio__config(void);

/* The same, for who only looks: the defaults as long as nobody has called that. */
extern const struct config *const uaio__settings;

#endif
