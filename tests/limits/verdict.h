/* SPDX-License-Identifier: MIT */
/* What both programs say when something is wrong, and how they fill a control block. */
#ifndef UAIO_TESTS_LIMITS_VERDICT_H
#define UAIO_TESTS_LIMITS_VERDICT_H

#include <aio.h>
#include <stdbool.h>
#include <stddef.h>

extern const char *step; /* what is being done */

/* The program of that name ends with an error after so many seconds. */
void begin(const char *program, unsigned alarm_s);

/* uaio is at fault. */
_Noreturn void fail(const char *what);
void must(bool condition, const char *what);

/* The test could not do its own part. */
void insist(bool condition, const char *what);

void fill(struct aiocb *cb, int fd, void *buffer, size_t nbytes, off_t offset);

#endif
