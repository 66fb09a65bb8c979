/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "work.h"
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct tolerance nothing;
static const struct tolerance *tolerance = &nothing;
enum { REFUSALS_MAX = 16 }; /* a list may have several */

static unsigned refusals;
static unsigned told; /* of this run: requests that failed, without the syncs that cover them */

void work_tolerates(const struct tolerance *t)
{
    tolerance = t ? t : &nothing;
    told = refusals = 0;
}

void work_at(const char *place)
{
    atomic_store(&faults_log->place, place);
}

void work_failed(const char *what, long detail)
{
    const char *place = atomic_load(&faults_log->place);

    fprintf(stderr, "%s: %s (%ld, %s)\n", place ? place : "?", what, detail,
            detail > 0 && detail < 200 ? strerror((int)detail) : "-");
    fflush(stderr);
    _exit(1);
}

bool work_is_disturbed(void)
{
    return tolerance->effects != UNNOTICED && atomic_load(&faults_log->hits) > 0;
}

void work_needs_threads(void)
{
    if (tolerance->needs_threads)
        faults_disarm();
}

void work_excuse_refusal(int error, bool is_native)
{
    bool known = error == EAGAIN || error == ENOMEM;

    if (!work_is_disturbed())
        work_failed("a submission was refused without a reason", error);
    if (!(tolerance->effects & REFUSED && known) &&
        !(tolerance->effects & INVALID && is_native && (error == EINVAL || error == EBADF)))
        work_failed("a submission was refused with a wrong reason", error);
    if (++refusals > REFUSALS_MAX)
        work_failed("submissions are refused for ever", error);
    faults_disarm();
}

/* Of the request that the fault was in, or a sync that covers it. */
static bool is_victim(const void *buffer, size_t nbytes)
{
    uintptr_t victim = atomic_load(&faults_log->victim), from = (uintptr_t)buffer;

    return !buffer || (victim >= from && victim < from + nbytes);
}

size_t work_excuse_stream(ssize_t result, size_t wanted, const void *buffer)
{
    /* What another request left of what was there. */
    if (work_is_disturbed() && tolerance->effects & TOLD && result > 0 && (size_t)result < wanted)
        return (size_t)result;
    return work_excuse_result(result, wanted, buffer, wanted);
}

size_t work_excuse_result(ssize_t result, size_t wanted, const void *buffer, size_t nbytes)
{
    bool is_short = result >= 0 && (size_t)result < wanted;

    if (!work_is_disturbed())
        work_failed("a request failed without a reason", result);
    /* There was no memory to keep its order. */
    if (tolerance->effects & REFUSED && result == -EAGAIN) {
        faults_disarm();
        return 0;
    }
    if (result == -EOPNOTSUPP && tolerance->error == ENOSYS)
        result = -ENOSYS; /* flags that nobody can obey */
    if (!(tolerance->effects & TOLD) || !is_victim(buffer, nbytes) ||
        (result < 0 && result != -tolerance->error) || (result >= 0 && !is_short))
        work_failed("a request failed in a wrong way", result);
    told += buffer != NULL;
    if (told > atomic_load(&faults_log->hits))
        work_failed("more requests failed than there were faults", told);
    faults_disarm();
    return result < 0 ? 0 : (size_t)result;
}

/* ---- data ------------------------------------------------------------------- */

static unsigned char byte_of(size_t at, unsigned tag)
{
    return (unsigned char)(at * 7 + (at >> 8) * 13 + tag * 101 + 1);
}

void work_fill(unsigned char *buffer, size_t nbytes, unsigned tag)
{
    for (size_t i = 0; i < nbytes; i++)
        buffer[i] = byte_of(i, tag);
}

void work_check(const unsigned char *buffer, size_t nbytes, unsigned tag, const char *what)
{
    for (size_t i = 0; i < nbytes; i++)
        if (buffer[i] != byte_of(i, tag))
            work_failed(what, (long)i);
}

void work_await_child(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        NEED(errno == EINTR);
    NEED(status == 0);
}

int work_file(int flags)
{
    char path[] = "uaio-faults-XXXXXX";
    int witness = mkstemp(path), fd;

    NEED(witness >= 0);
    fd = open(path, O_RDWR | O_CLOEXEC | flags);
    NEED(fd >= 0 && unlink(path) == 0);
    close(witness);
    return fd;
}

void work_check_file(int fd, off_t offset, size_t nbytes, unsigned tag)
{
    unsigned char *there = malloc(nbytes);

    NEED(there != NULL && pread(fd, there, nbytes, offset) == (ssize_t)nbytes);
    work_check(there, nbytes, tag, "a file is not what was written");
    free(there);
}
