/* SPDX-License-Identifier: MIT */
/* The report's plots as files of their own, named after their works: for documents. */

#include "plot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool complain(const char *path)
{
    fprintf(stderr, "uaio bench: %s: %s\n", path, strerror(errno));
    return false;
}

/* NULL, with a message: it cannot be made. */
static FILE *open_picture(const char *directory, const struct work *work, const char *kind,
                          char **path)
{
    char name[128];
    FILE *to;

    work__name(work, name, sizeof name);
    for (char *c = name; *c; c++)
        if (*c == ' ')
            *c = '-';
    if (asprintf(path, "%s/%s-%s.svg", directory, name, kind) < 0) {
        *path = NULL;
        complain(directory);
        return NULL;
    }
    to = fopen(*path, "we");
    if (!to)
        complain(*path);
    return to;
}

static bool close_picture(FILE *to, char *path)
{
    bool good = to != NULL;

    if (to) {
        good = !ferror(to);
        good = fclose(to) == 0 && good;
        if (!good)
            complain(path);
    }
    free(path);
    return good;
}

static bool depths(const struct options *options, const struct series *all, unsigned i)
{
    struct work work = all[i].work;
    char *path;
    FILE *to;

    if (!plots__has_depths(options, all, i))
        return true;
    work.depth = 0;
    to = open_picture(options->svg, &work, "by-depth", &path);
    if (to)
        plots__depths(to, options, all, i, options);
    return close_picture(to, path);
}

static bool bars(const struct options *options, const struct series *series)
{
    char *path;
    FILE *to = open_picture(options->svg, &series->work, "operations", &path);

    if (to)
        plots__bars(to, series, options);
    return close_picture(to, path);
}

static bool latencies(const struct options *options, const struct series *series, bool submission)
{
    char *path;
    FILE *to =
        open_picture(options->svg, &series->work, submission ? "submission" : "latency", &path);

    if (to)
        plots__latencies(to, series, submission, options);
    return close_picture(to, path);
}

bool pictures__make_directory(const char *directory)
{
    struct stat about;

    if (mkdir(directory, 0777) == 0 || (stat(directory, &about) == 0 && S_ISDIR(about.st_mode)))
        return true;
    return complain(directory);
}

bool pictures__write(const struct options *options, const struct series *all)
{
    bool good = true;

    for (unsigned i = 0; good && i < options->n_works; i++) {
        if (!plots__is_measured(&all[i]))
            continue;
        good = depths(options, all, i) && bars(options, &all[i]) &&
               latencies(options, &all[i], false) &&
               (!plots__has_submissions(&all[i]) || latencies(options, &all[i], true));
    }
    return good;
}
