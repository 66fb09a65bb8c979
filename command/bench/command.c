/* SPDX-License-Identifier: MIT */
/* The command: from its arguments to what it writes. */

#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_stdout(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

/* Better known now than after minutes of measuring. */
static bool can_be_written(const char *path)
{
    FILE *file = path && !is_stdout(path) ? fopen(path, "ae") : NULL;

    if (file)
        return fclose(file) == 0;
    if (!path || is_stdout(path))
        return true;
    fprintf(stderr, "uaio bench: %s: %s\n", path, strerror(errno));
    return false;
}

static void introduce(const struct options *options, FILE *to)
{
    const struct machine *machine = &options->machine;

    if (options->settings[0])
        fprintf(stderr, "uaio bench: uaio is measured as it is without %s\n", options->settings);
    fprintf(to, "%s, %s, %ld x %s, %s, %u rounds of %g s, medians\n", machine->date,
            machine->kernel, machine->processors, machine->processor, machine->filesystem,
            options->rounds, options->seconds);
}

/* What has been measured is written even if something was wrong. */
static int run(struct options *options, FILE *table)
{
    struct series *all = must_allocate(options->n_works, sizeof *all);
    int status;

    introduce(options, table);
    status = series__run(options, all, table);
    if (all[0].n > 0) {
        if (options->json && !json__write(options->json, options, all))
            status = 1;
        if (options->svg && !pictures__write(options, all))
            status = 1;
        if (options->html && !report__write(options->html, options, all))
            status = 1;
    }
    series__free(options, all);
    return status;
}

int bench__main(int argc, char **argv)
{
    struct options *options = must_allocate(1, sizeof *options);
    int status;

    if (options__parse(options, argc, argv, &status)) {
        settings__take_out(options->settings, sizeof options->settings);
        machine__describe(&options->machine, options->directory);
        status = 1;
        if (can_be_written(options->json) && can_be_written(options->html) &&
            (!options->svg || pictures__make_directory(options->svg)))
            status = run(options, is_stdout(options->json) ? stderr : stdout);
    }
    free(options->command);
    free(options);
    return status;
}
