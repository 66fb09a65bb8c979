/* SPDX-License-Identifier: MIT */
/*
 * The library is beside this command, in a build tree and in an installation that was
 * moved as a whole, or else where it was to be installed.
 */
#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libuaio-preload.so"

static bool take(struct preload *preload, const char *path)
{
    return realpath(path, preload->path) != NULL;
}

/* Beside the command: "" if it cannot be known where that is. */
static void own_directory(char dir[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);

    dir[n > 0 ? n : 0] = '\0';
    if (strrchr(dir, '/'))
        *strrchr(dir, '/') = '\0';
}

static bool search(struct preload *preload)
{
    static const char *const beside[] = {"../lib", UAIO_RELATIVE_LIBDIR};
    char dir[PATH_MAX], path[2 * PATH_MAX];

    own_directory(dir);
    for (unsigned i = 0; *dir && i < sizeof beside / sizeof *beside; i++) {
        snprintf(path, sizeof path, "%s/%s/" LIBRARY, dir, beside[i]);
        if (take(preload, path))
            return true;
    }
    if (take(preload, UAIO_LIBDIR "/" LIBRARY))
        return true;
    snprintf(preload->why, TEXT_MAX,
             "there is no " LIBRARY " in %.300s/../lib, nor in " UAIO_LIBDIR
             ": say where it is with --preload FILE",
             dir);
    return false;
}

bool preload__find(struct preload *preload, const char *given)
{
    char why[TEXT_MAX] = "";
    enum elf_state state;

    *preload = (struct preload){.elf.fd = -1};
    if (given && !take(preload, given)) {
        snprintf(preload->why, TEXT_MAX, "--preload %.300s: %s", given, strerror(errno));
        return false;
    }
    if (!given && !search(preload))
        return false;
    state = elf__open(&preload->elf, preload->path, why);
    if (state == ELF_GOOD && preload->elf.legible && !elf__is_library(&preload->elf)) {
        state = ELF_NONE;
        snprintf(why, sizeof why, "it is no shared library");
    }
    if (state != ELF_GOOD)
        snprintf(preload->why, TEXT_MAX, "%.400s cannot be preloaded: %.400s", preload->path, why);
    return state == ELF_GOOD;
}

void preload__close(struct preload *preload)
{
    elf__close(&preload->elf);
}
