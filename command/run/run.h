/* SPDX-License-Identifier: MIT */
/*
 * uaio run: an unmodified program with our library preloaded.
 *
 *   options.c    what is asked for; the settings as options
 *   main.c       checks, the environment, and exec: no process stays behind
 */
#ifndef UAIO_RUN_H
#define UAIO_RUN_H

#include <stdbool.h>

enum { SETTINGS_MAX = 16, REFUSED = 125 };

struct run {
    const char *preload; /* NULL: ours */
    const char *report;  /* the file of --stats, or NULL */
    bool force, dry;
    struct {
        const char *variable, *value;
    } settings[SETTINGS_MAX]; /* in the order they were given; a later one of a name counts */
    unsigned n_settings;
    char **program; /* and its arguments */
};

/* False: the program ends with *status. */
bool run__parse(struct run *run, int argc, char **argv, int *status);

int run__main(int argc, char **argv);

#endif
