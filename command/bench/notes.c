/* SPDX-License-Identifier: MIT */
/* What the figures of a work do not say by themselves, in sentences for people. */

#include "bench.h"

#include <string.h>

struct kind {
    const char *what;
    const char *(*of)(const struct result *result); /* "": nothing to say */
};

static const char *no_calls(const struct result *result)
{
    return result->no_calls;
}

static const char *no_switches(const struct result *result)
{
    return result->no_switches;
}

static const char *shallow(const struct result *result)
{
    return result->shallow;
}

static const struct kind kinds[] = {
    {"system calls not counted of", no_calls},
    {"context switches not counted of", no_switches},
    {"requests in flight, at most, of", shallow},
};

static bool said_before(const struct kind *kind, const struct series *series, unsigned i)
{
    for (unsigned k = 0; k < i; k++)
        if (strcmp(kind->of(&series->results[k]), kind->of(&series->results[i])) == 0)
            return true;
    return false;
}

/* What holds for several is said once. */
static void say(const struct kind *kind, const struct series *series, unsigned i, char *note,
                size_t size)
{
    const char *text = kind->of(&series->results[i]);
    size_t n = (size_t)snprintf(note, size, "%s", kind->what);

    for (unsigned k = i; k < series->n && n < size; k++)
        if (strcmp(kind->of(&series->results[k]), text) == 0)
            n += (size_t)snprintf(note + n, size - n, "%s %s", k == i ? "" : ",",
                                  series->results[k].contender->name);
    if (n < size)
        snprintf(note + n, size - n, ": %s", text);
}

bool notes__next(const struct series *series, unsigned *at, char note[NOTE_MAX])
{
    const unsigned n_kinds = sizeof kinds / sizeof *kinds;

    while (*at < n_kinds * series->n) {
        const struct kind *kind = &kinds[*at / series->n];
        unsigned i = (*at)++ % series->n;

        if (series->results[i].reason[0] || !kind->of(&series->results[i])[0] ||
            said_before(kind, series, i))
            continue;
        say(kind, series, i, note, NOTE_MAX);
        return true;
    }
    return false;
}
