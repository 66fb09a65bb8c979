/* SPDX-License-Identifier: MIT */
/*
 * pwrite(), fsync() and fdatasync() of the writer, and of the library in it: the
 * program's own functions go before libc's.  They note when a record was
 * written, and when a sync began that succeeded.
 *
 * All that is written in this way, or synced, is the file of records, under
 * whatever number native AIO has it.
 */
#include "durability.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef ssize_t pwrite_function(int, const void *, size_t, off_t);
typedef ssize_t pwrite64_function(int, const void *, size_t, off64_t);
typedef int sync_function(int);

static pwrite_function *libc_pwrite;
static pwrite64_function *libc_pwrite64;
static sync_function *libc_fsync, *libc_fdatasync;

static void find(void *function, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    if (symbol == NULL)
        abort();
    memcpy(function, &symbol, sizeof symbol);
}

__attribute__((constructor)) static void find_libc(void)
{
    find(&libc_pwrite, "pwrite");
    find(&libc_pwrite64, "pwrite64");
    find(&libc_fsync, "fsync");
    find(&libc_fdatasync, "fdatasync");
}

static unsigned now(void)
{
    return atomic_fetch_add(&notes->clock, 1) + 1;
}

/* A short write is found by its result. */
static ssize_t note_write(ssize_t n, int64_t offset)
{
    if (n > 0) {
        atomic_store(&notes->written[offset / SLOT_BYTES], now());
        atomic_fetch_add(&notes->progress[WRITTEN], 1);
    }
    return n;
}

ssize_t pwrite(int fd, const void *buffer, size_t nbytes, off_t offset)
{
    return note_write(libc_pwrite(fd, buffer, nbytes, offset), offset);
}

ssize_t pwrite64(int fd, const void *buffer, size_t nbytes, off64_t offset)
{
    return note_write(libc_pwrite64(fd, buffer, nbytes, offset), offset);
}

static void raise_to(atomic_uint *at, unsigned value)
{
    unsigned former = atomic_load(at);

    while (former < value && !atomic_compare_exchange_weak(at, &former, value))
        ;
}

static int counted_sync(sync_function *sync, int fd, bool full)
{
    unsigned begun = now();
    int err;

    atomic_fetch_add(&notes->progress[SYNC_BEGUN], 1);
    err = sync(fd);
    if (err == 0) {
        raise_to(&notes->synced[0], begun);
        if (full)
            raise_to(&notes->synced[1], begun);
        atomic_fetch_add(&notes->progress[SYNC_DONE], 1);
    }
    return err;
}

int fsync(int fd)
{
    return counted_sync(libc_fsync, fd, true);
}

int fdatasync(int fd)
{
    return counted_sync(libc_fdatasync, fd, false);
}
