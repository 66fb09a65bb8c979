/* SPDX-License-Identifier: MIT */
/*
 * A program, as exec() will find it, and whether a preloaded library will get into it.
 *
 *   elf.c        what an ELF file says of itself
 *   find.c       from a name to the file that the kernel loads, through PATH and `#!`
 *   preload.c    where our library is
 *   obstacle.c   why the loader would not load it, or not into that
 */
#ifndef UAIO_PROGRAM_H
#define UAIO_PROGRAM_H

#include "elf.h"

#include <limits.h>

enum { SCRIPTS_MAX = 5 }; /* the kernel goes on no further */

struct program {
    char path[PATH_MAX];                 /* for exec() */
    char scripts[SCRIPTS_MAX][PATH_MAX]; /* with a `#!` each, the first one's path being `path` */
    unsigned n_scripts;
    char binary[PATH_MAX]; /* what is loaded in the end */
    enum elf_state state;  /* of that */
    struct elf elf;        /* closed by program__close() */
    char why[TEXT_MAX];    /* it is not ELF_GOOD */
};

/* Exit statuses, as env(1) has them. */
enum { FOUND = 0, NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

/* One of these; with a reason in why[] if it is not FOUND.  What is not to be run may be a
 * library, and is looked for in the current directory, too. */
int program__find(struct program *program, const char *name, bool to_run);
void program__close(struct program *program);

struct preload {
    char path[PATH_MAX];
    struct elf elf;
    char why[TEXT_MAX];
};

/* The one given, or that which belongs to this command.  False, with a reason and what to
 * do.  To be closed in both cases. */
bool preload__find(struct preload *preload, const char *given);
void preload__close(struct preload *preload);

struct obstacle {
    const char *kind; /* one word; NULL: there is none */
    char reason[TEXT_MAX];
    const char *way_out;
};

void obstacle__of_library(struct obstacle *obstacle, const struct preload *preload);
void obstacle__of_program(struct obstacle *obstacle, const struct program *program,
                          const struct preload *preload);

/* "glibc", "musl", "Android's libc", or NULL. */
const char *libc_name(const struct elf *elf);

/* The last part of a path. */
const char *base_name(const char *path);

#endif
