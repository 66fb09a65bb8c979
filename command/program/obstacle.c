/* SPDX-License-Identifier: MIT */
/*
 * What the loader would pass over in silence, or stop at with a message that explains
 * nothing, is told before.
 */
#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

const char *libc_name(const struct elf *elf)
{
    const char *loader = elf->interpreter ? base_name(elf->interpreter) : "";
    const char *needed;

    if (strncmp(loader, "ld-musl", 7) == 0)
        return "musl";
    if (strncmp(loader, "ld-linux", 8) == 0 || strncmp(loader, "ld64.so", 7) == 0 ||
        strncmp(loader, "ld.so", 5) == 0)
        return "glibc";
    if (strncmp(loader, "linker", 6) == 0)
        return "Android's libc";
    for (unsigned i = 0; (needed = elf__string(elf, DT_NEEDED, i)); i++) {
        if (strncmp(needed, "libc.so.6", 9) == 0)
            return "glibc";
        if (strncmp(needed, "libc.musl-", 10) == 0)
            return "musl";
        if (strcmp(needed, "libc.so") == 0)
#ifdef __ANDROID__
            return "Android's libc";
#else
            return "musl";
#endif
    }
    return NULL;
}

/* ---- the library ------------------------------------------------------------------------------ */

void obstacle__of_library(struct obstacle *obstacle, const struct preload *preload)
{
    *obstacle = (struct obstacle){.kind = NULL};
    if (!strpbrk(preload->path, ": \t\n\v\f\r$"))
        return;
    obstacle->kind = "library-path";
    snprintf(obstacle->reason, TEXT_MAX,
             "LD_PRELOAD cannot hold the path '%.400s': colons and blanks divide its entries, and "
             "$ begins a variable",
             preload->path);
    obstacle->way_out = "install or copy the library to where the path has none of these, and give "
                        "it with --preload FILE";
}

/* ---- the program ------------------------------------------------------------------------------- */

/* The kernel says "secure" to the loader if the identity changes; bits that it will not
 * heed change none. */
static bool changes_identity(const struct program *program, const struct stat *about)
{
    struct statvfs mount;

    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return false;
    if (statvfs(program->binary, &mount) == 0 && (mount.f_flag & ST_NOSUID))
        return false;
    if (about->st_mode & S_ISUID && about->st_uid != getuid())
        return true;
    return (about->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
           about->st_gid != getgid();
}

static bool has_capabilities(const struct program *program)
{
    return getuid() != 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 &&
           getxattr(program->binary, "security.capability", NULL, 0) > 0;
}

static bool is_privileged(struct obstacle *obstacle, const struct program *program)
{
    struct stat about;

    if (stat(program->binary, &about) != 0)
        return false;
    if (changes_identity(program, &about)) {
        obstacle->kind = "set-id";
        snprintf(obstacle->reason, TEXT_MAX,
                 "it runs with another user's or group's rights (%s), and the loader preloads "
                 "nothing into such programs",
                 about.st_mode & S_ISUID ? "set-user-ID" : "set-group-ID");
        obstacle->way_out = "run it as that user, or a copy of it without the bit";
        return true;
    }
    if (!has_capabilities(program))
        return false;
    obstacle->kind = "capabilities";
    snprintf(obstacle->reason, TEXT_MAX,
             "its file has capabilities (getcap shows them), and the loader preloads nothing into "
             "such programs");
    obstacle->way_out = "run a copy of it, which has none, or run it as root";
    return true;
}

static bool is_foreign(struct obstacle *obstacle, const struct program *program,
                       const struct preload *preload)
{
    char machine[64];
    const struct elf *ours = &preload->elf, *theirs = &program->elf;

    if (ours->machine == theirs->machine && ours->bits == theirs->bits &&
        ours->legible == theirs->legible)
        return false;
    obstacle->kind = "machine";
    snprintf(machine, sizeof machine, "%s", elf__machine_name(theirs->machine));
    snprintf(obstacle->reason, TEXT_MAX, "it is for %s of %u bits, and the library for %s of %u",
             machine, theirs->bits, elf__machine_name(ours->machine), ours->bits);
    obstacle->way_out = "build uaio for that machine, and give its library with --preload FILE";
    return true;
}

/* musl and Android's libc are told apart by the loader's name, which a library has not. */
static bool has_another_libc(struct obstacle *obstacle, const struct program *program,
                             const struct preload *preload)
{
    const char *ours = libc_name(&preload->elf), *theirs = libc_name(&program->elf);

    if (!ours || !theirs || (strcmp(ours, "glibc") == 0) == (strcmp(theirs, "glibc") == 0))
        return false;
    obstacle->kind = "libc";
    snprintf(obstacle->reason, TEXT_MAX, "it runs on %s, and the library is for %s", theirs, ours);
    obstacle->way_out =
        strcmp(theirs, "musl") == 0
            ? "build uaio for musl (cmake --preset musl), and give its library with --preload FILE"
            : "build uaio for that libc, and give its library with --preload FILE";
    return true;
}

void obstacle__of_program(struct obstacle *obstacle, const struct program *program,
                          const struct preload *preload)
{
    *obstacle = (struct obstacle){.kind = NULL};
    if (program->state == ELF_DAMAGED) {
        obstacle->kind = "damaged";
        snprintf(obstacle->reason, TEXT_MAX, "%s", program->why);
        obstacle->way_out = "build or install the program again";
    }
    if (program->state != ELF_GOOD || is_foreign(obstacle, program, preload))
        return;
    if (!program->elf.legible) /* as the library: neither is of this machine */
        return;
    if (elf__is_static(&program->elf)) {
        obstacle->kind = "static";
        snprintf(obstacle->reason, TEXT_MAX,
                 "it is statically linked: no loader runs, so nothing can be preloaded");
        obstacle->way_out =
            "link it dynamically, or build it with libuaio.a (or uaio's libaio.a) in it";
        return;
    }
    if (!is_privileged(obstacle, program))
        has_another_libc(obstacle, program, preload);
}
