/* SPDX-License-Identifier: MIT */

#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (1u << 20)

uint64_t files__word(unsigned file, uint64_t offset)
{
    uint64_t x = (offset / SECTOR + 1) * UINT64_C(0x9e3779b97f4a7c15) + file;

    return x ^ x >> 29;
}

void files__fill(void *buffer, size_t nbytes, unsigned file, uint64_t offset)
{
    for (size_t at = 0; at < nbytes; at += SECTOR) {
        uint64_t word = files__word(file, offset + at);
        memcpy((char *)buffer + at, &word, sizeof word);
    }
}

static bool write_all(int fd, const char *buffer, size_t nbytes)
{
    while (nbytes > 0) {
        ssize_t n = write(fd, buffer, nbytes);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            buffer += n;
            nbytes -= (size_t)n;
        }
    }
    return true;
}

/* All of the file, from the start. */
static bool fill_one(const struct files *files, unsigned i, int fd)
{
    static char buffer[CHUNK];
    bool good = true;

    /* Something that no device leaves out. */
    for (size_t at = 0; at < CHUNK; at++)
        buffer[at] = (char)(at * 2654435761u >> 13);
    for (size_t at = 0; good && at < files->bytes; at += CHUNK) {
        files__fill(buffer, CHUNK, i, at);
        good = write_all(fd, buffer, CHUNK);
    }
    return good && fsync(fd) == 0;
}

static bool make_one(struct files *files, unsigned i, const char *directory)
{
    char *path;
    bool good;
    int fd;

    if (asprintf(&path, "%s/uaio-bench.XXXXXX", directory) < 0)
        return false;
    /* The handler of a signal finds it from now on, and the file once there is one. */
    files->path[i] = path;
    files->n = i + 1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        files->n = i;
        free(path);
        return false;
    }
    good = fill_one(files, i, fd);
    return close(fd) == 0 && good;
}

static bool needs_files(const struct options *options)
{
    for (unsigned i = 0; i < options->n_works; i++)
        if (options->works[i].media != MEDIA_SOCKETS)
            return true;
    return false;
}

bool files__make(struct files *files, const struct options *options)
{
    bool good = true;

    *files = (struct files){.bytes = options->bytes / options->files / CHUNK * CHUNK};
    if (files->bytes == 0)
        files->bytes = CHUNK;
    for (unsigned i = 0; good && i < options->files && needs_files(options); i++)
        good = make_one(files, i, options->directory);
    if (!good) {
        int err = errno;
        files__remove(files);
        fprintf(stderr,
                "uaio bench: no files of %zu MiB in all can be made in '%s' (%s):"
                " choose another --directory or a smaller --size\n",
                options->bytes >> 20, options->directory, strerror(err));
    }
    return good;
}

void files__unlink(const struct files *files)
{
    for (unsigned i = 0; i < files->n; i++)
        unlink(files->path[i]);
}

void files__remove(struct files *files)
{
    files__unlink(files);
    while (files->n > 0)
        free(files->path[--files->n]);
}

/* ---- for a work ---------------------------------------------------------------------- */

static bool make_cached(int fd, size_t nbytes)
{
    static char buffer[CHUNK];

    for (size_t at = 0; at < nbytes; at += CHUNK)
        if (pread(fd, buffer, CHUNK, (off_t)at) < 0)
            return false;
    return true;
}

/* Nothing dirty is dropped. */
static bool make_cold(int fd)
{
    return fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
}

/* Only where it would be noticed. */
static bool mend(struct files *files, const struct work *work)
{
    bool shared = work__buffers(work) < work->depth, good = true;

    if (files->spoiled && !shared) {
        for (unsigned i = 0; good && i < files->n; i++) {
            int fd = open(files->path[i], O_WRONLY | O_CLOEXEC);
            good = fd >= 0 && fill_one(files, i, fd);
            if (fd >= 0)
                close(fd);
        }
        files->spoiled = !good;
    }
    if (shared && work->io != IO_READ)
        files->spoiled = true;
    return good;
}

bool files__prepare(struct files *files, const struct work *work, char reason[REASON_MAX])
{
    static _Alignas(4096) char block[1 << 20];
    int flags = (work->io == IO_READ ? O_RDONLY : O_RDWR) | O_CLOEXEC;
    const char *filesystem;
    bool good, memory;

    if (work->media == MEDIA_SOCKETS)
        return sockets__open(&files->sockets, work, reason);
    filesystem = filesystem__name(files->path[0], &memory);
    if (work->media != MEDIA_CACHED && memory) {
        snprintf(reason, REASON_MAX, "a %s has no device: choose another --directory", filesystem);
        return false;
    }
    if (work->media == MEDIA_DIRECT)
        flags |= O_DIRECT;
    for (unsigned i = 0; i < files->n; i++)
        files->fd[i] = -1;
    good = mend(files, work);
    for (unsigned i = 0; good && i < files->n; i++) {
        int fd = files->fd[i] = open(files->path[i], flags);
        good = fd >= 0 &&
               (work->media == MEDIA_CACHED ? make_cached(fd, files->bytes) : make_cold(fd)) &&
               (work->media != MEDIA_DIRECT || pread(fd, block, work->block, 0) >= 0);
    }
    if (!good) {
        snprintf(reason, REASON_MAX, "%s: %s",
                 work->media == MEDIA_DIRECT ? "no O_DIRECT of that block here" : "files",
                 strerror(errno));
        files__close(files);
    }
    return good;
}

void files__close(struct files *files)
{
    if (files->sockets.n > 0)
        sockets__close(&files->sockets);
    for (unsigned i = 0; i < files->n; i++) {
        if (files->fd[i] >= 0)
            close(files->fd[i]);
        files->fd[i] = -1;
    }
}
