/* SPDX-License-Identifier: MIT */
/*
 * A descriptor for the program's poll(): readable from ring to silence.
 *
 * doorbell_eventfd.c (Linux), doorbell_pipe.c (POSIX).  The caller sees to it
 * that ring and silence alternate, so that neither has to wait.
 * Async-signal-safe all of it.
 */
#ifndef UAIO_OS_DOORBELL_H
#define UAIO_OS_DOORBELL_H

struct doorbell {
    int readable; /* what the program polls; -1: there is none */
    int writable;
};

#define NO_DOORBELL ((struct doorbell){-1, -1})

/* 0, or -errno and none.  Closed by exec(). */
int uaio__doorbell_open(struct doorbell *bell);
void uaio__doorbell_close(struct doorbell *bell);

/* Nothing is done of one that is not open. */
void uaio__doorbell_ring(const struct doorbell *bell);
void uaio__doorbell_silence(const struct doorbell *bell);

#endif
