/* SPDX-License-Identifier: MIT */
/*
 * The report at exit that UAIO_STATS asks for: the counters, and of each kind of
 * request the latencies that were sampled.
 */
#ifndef UAIO_REPORT_H
#define UAIO_REPORT_H

/* Write it, if one is asked for and this process has made any request; once.
 * Async-signal-safe. */
void uaio__report(void);

/* In a forked child: its own is still due. */
void uaio__report_reset(void);

/* Open a report's file for appending; -1 with errno. */
int uaio__open_stats(const char *path);

#endif
