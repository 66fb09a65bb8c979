/* SPDX-License-Identifier: MIT */
/* The process that is watched, as process.c and sample.c know it. */
#ifndef UAIO_TOP_PROCESS_H
#define UAIO_TOP_PROCESS_H

#include "top.h"

#include "beacon.h"

#define MAX_SOURCES 8

struct process {
    pid_t pid;
    pid_t inner_pid;          /* as it calls itself */
    unsigned long long start; /* never 0 */
    int memory;               /* its memory as a file; -1: not opened */
    int handle;
    char name[64];
    char objects[256];
    struct source { /* an engine of uaio's in it */
        uint64_t at;
        struct beacon beacon;
    } sources[MAX_SOURCES];
    unsigned n_sources;
};

/* All of so many bytes of its memory: 0 or -errno. */
int process__read(struct process *process, void *to, uint64_t from, size_t n);

bool process__is_over(const struct process *process);

#endif
