/* SPDX-License-Identifier: MIT */
/*
 * What a program does with asynchronous I/O, all of it, with every byte and
 * every notification accounted for; and what it puts up with.
 *
 * Without a fault nothing may fail.  With one, what is documented, and only as
 * often and only there: a submission is refused, a request ends with the error
 * (or the short count) that its own system call had.  What was refused or cut
 * short is done again, and then has to succeed: each fault comes once, and one
 * that stays is taken away as soon as it has been told of.
 */
#ifndef UAIO_TESTS_FAULTS_WORK_H
#define UAIO_TESTS_FAULTS_WORK_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a fault may lead to. */
enum effect {
    UNNOTICED = 0,
    REFUSED = 1, /* a submission or an io_setup: EAGAIN, ENOMEM */
    TOLD = 2,    /* a result: the error itself, or a short count */
    INVALID = 4, /* a submission to native AIO: EINVAL, as of what it cannot do */
};

struct tolerance {
    unsigned effects;
    int error;          /* of the fault, or FAULT_SHORT */
    bool needs_threads; /* without any, what waits would wait in its submission */
};

/* Of the run that follows; NULL: nothing may go wrong. */
void work_tolerates(const struct tolerance *tolerance);

/* Both faces, or the one that the program has. */
void work_on_posix(void);
void work_on_linux(void);

/* ---- for the two ------------------------------------------------------------ */

/* What is being done, a literal, for whoever finds that it failed or hangs. */
void work_at(const char *place);
_Noreturn void work_failed(const char *what, long detail);

#define NEED(condition)            \
 do {                              \
  if (!(condition))                \
   work_failed(#condition, errno); \
 } while (0)

/* A submission, or an io_setup, has failed with this error: return if that is
 * to be done again. */
void work_excuse_refusal(int error, bool is_native);
/* A request on this buffer (NULL: a sync) ended with `result`, not `wanted`:
 * return how much of it is done. */
size_t work_excuse_result(ssize_t result, size_t wanted, const void *buffer, size_t nbytes);
/* The same of a read of a stream, which may have less whenever another had more. */
size_t work_excuse_stream(ssize_t result, size_t wanted, const void *buffer);
/* Has there been a fault yet that may excuse anything? */
bool work_is_disturbed(void);
/* What follows waits for what only comes later: it cannot be done in the
 * submission, and so there must be threads. */
void work_needs_threads(void);

void work_fill(unsigned char *buffer, size_t nbytes, unsigned tag);
void work_check(const unsigned char *buffer, size_t nbytes, unsigned tag, const char *what);
/* It ends by itself, with status 0. */
void work_await_child(pid_t pid);
/* A file without a name. */
int work_file(int flags);
void work_check_file(int fd, off_t offset, size_t nbytes, unsigned tag);

#endif
