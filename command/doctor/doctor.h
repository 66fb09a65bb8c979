/* SPDX-License-Identifier: MIT */
/*
 * uaio doctor: what this system has of asynchronous I/O, and what a program would gain.
 *
 *   system.c       the kernel, libc and the limits
 *   filesystems.c  what can be done without waiting, directory by directory
 *   libraries.c    what the loader would load with the program; nothing of it is run
 *   roads.c        by which names program and libraries come to asynchronous I/O
 *   verdict.c      what follows from all that
 *   text.c, json.c two ways to say it
 */
#ifndef UAIO_DOCTOR_H
#define UAIO_DOCTOR_H

#include "program/program.h"

#include <stdint.h>

/* ---- the system ----------------------------------------------------------------------------- */

enum { DIRECTORIES_MAX = 16, UNKNOWN = -1 };

struct directory {
    const char *path;
    char filesystem[32];                   /* "" if that is not known */
    int error;                             /* nothing could be tried there */
    int read_nowait, write_nowait, direct; /* 0, or the error that says no */
};

struct system {
    char kernel[160], machine[80], libc[64];
    int native_aio, io_uring; /* 0: there; or the error */
    long long aio_nr, aio_max_nr, io_uring_disabled;
    long processors, usable_processors;
    double quota;                    /* of processors, by the control group; 0: none */
    uint64_t processes, descriptors; /* limits; UINT64_MAX: none */
    struct directory directories[DIRECTORIES_MAX];
    unsigned n_directories;
};

void system__examine(struct system *system);
void directory__examine(struct directory *directory);

/* ---- the program -------------------------------------------------------------------------------- */

enum { LIBRARIES_MAX = 256, USES_MAX = 128 };

struct library {
    char *name;      /* as it is asked for */
    char *path;      /* NULL: it was not found */
    unsigned parent; /* who asked first */
    struct elf elf;
};

/* The first one is the program. */
struct libraries {
    struct library all[LIBRARIES_MAX];
    unsigned n;
    bool cut; /* there are more */
};

void libraries__load(struct libraries *libraries, const struct program *program);
void libraries__close(struct libraries *libraries);

enum road { ROAD_POSIX, ROAD_NATIVE, ROAD_URING, ROAD_SYSCALL, ROAD_DLOPEN, ROAD_OWN, ROADS };

struct use {
    enum road road;
    const char *symbol;
    const struct library *library;
    bool taken; /* the preload has a symbol of this name */
};

struct roads {
    struct use uses[USES_MAX];
    unsigned n;
    bool on_uaio;      /* linked with what answers to the standard names in our way */
    bool with_libuaio; /* linked with what has names of its own */
    bool illegible;    /* a library or a table of symbols is missing, or damaged */
};

/* The one name under which all of io_uring's are counted. */
#define URING_NAME "io_uring_*"

void roads__find(struct roads *roads, const struct libraries *libraries,
                 const struct preload *preload);
bool roads__has(const struct roads *roads, enum road road, bool taken);

/* ---- what follows ----------------------------------------------------------------------------------- */

enum verdict { GAIN = 0, NO_GAIN = 1, UNREACHABLE = 3, UNEXAMINED = 4 }; /* exit statuses */

struct report {
    struct system system;
    struct preload preload;
    bool has_preload;
    const char *name; /* of the program, NULL: only the system was asked about */
    struct program program;
    int found; /* as program__find() says */
    struct obstacle obstacle;
    struct libraries libraries;
    struct roads roads;
    enum verdict verdict;
    char saying[4 * TEXT_MAX];
};

extern const char *const road_words[ROADS];

void report__judge(struct report *report);
const char *verdict__word(const struct report *report);
const char *error__word(int err); /* of a call that says what there is */

void text__print(const struct report *report);
void json__print(const struct report *report);

int doctor__main(int argc, char **argv);

#endif
