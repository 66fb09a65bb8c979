/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <errno.h>
#include <string.h>

/* Reasons hold what strerror() says, and names of files. */
static void string(FILE *to, const char *name, const char *value)
{
    fprintf(to, "\"%s\": \"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            fprintf(to, "\\%c", *value);
        else if ((unsigned char)*value < 0x20)
            fprintf(to, "\\u%04x", (unsigned char)*value);
        else
            putc(*value, to);
    }
    putc('"', to);
}

static void latencies(FILE *to, const char *name, const double us[4])
{
    fprintf(to, ", \"%s_us\": {\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"p99.9\": %.3f}", name,
            us[0], us[1], us[2], us[3]);
}

/* `reason`: why it was not counted. */
static void count(FILE *to, const char *name, double value, const char *reason)
{
    char not_counted[40];

    if (value >= 0) {
        fprintf(to, "\"%s\": %.4f, ", name, value);
        return;
    }
    snprintf(not_counted, sizeof not_counted, "no_%s", name);
    fprintf(to, "\"%s\": null, ", name);
    string(to, not_counted, reason);
    fputs(", ", to);
}

static void result(FILE *to, const struct result *r)
{
    fputs("    {", to);
    string(to, "contender", r->contender->name);
    fputs(", ", to);
    if (r->reason[0]) {
        string(to, "not_measured", r->reason);
        fputs("}", to);
        return;
    }
    fprintf(to,
            "\"rounds\": %u, \"iops\": %.1f, \"iops_least\": %.1f, \"iops_greatest\": %.1f, "
            "\"cpu_us\": %.3f, ",
            r->rounds, r->iops, r->iops_least, r->iops_greatest, r->cpu_us);
    count(to, "context_switches", r->switches, r->no_switches);
    count(to, "system_calls", r->calls, r->no_calls);
    fprintf(to, "\"threads\": %u, \"in_flight\": %u, \"kibibytes\": %llu", r->threads, r->in_flight,
            (unsigned long long)r->kibibytes);
    latencies(to, "submission", r->submission_us);
    latencies(to, "completion", r->completion_us);
    fputs("}", to);
}

static void series(FILE *to, const struct series *s)
{
    const struct work *w = &s->work;

    fprintf(
        to,
        "  {\"media\": \"%s\", \"io\": \"%s\", \"order\": \"%s\", \"block\": %zu, \"depth\": %u, "
        "\"threads\": %u, \"results\": [\n",
        media_words[w->media], io_words[w->io], order_words[w->order], w->block, w->depth,
        w->threads);
    for (unsigned i = 0; i < s->n; i++) {
        result(to, &s->results[i]);
        fputs(i + 1 < s->n ? ",\n" : "\n", to);
    }
    fputs("  ]}", to);
}

bool json__write(const char *path, const struct options *options, const struct series *all)
{
    FILE *to = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    struct machine machine;
    bool good;

    if (!to) {
        fprintf(stderr, "uaio bench: %s: %s\n", path, strerror(errno));
        return false;
    }
    machine__describe(&machine, options->directory);
    fputs("{", to);
    string(to, "kernel", machine.kernel);
    fputs(", ", to);
    string(to, "filesystem", machine.filesystem);
    fputs(", ", to);
    string(to, "date", machine.date);
    fputs(", ", to);
    string(to, "settings_ignored", options->settings);
    fprintf(to, ", \"processors\": %ld, \"seconds\": %g, \"files\": %u, \"works\": [\n",
            machine.processors, options->seconds, options->files);
    for (unsigned i = 0; i < options->n_works; i++) {
        series(to, &all[i]);
        fputs(i + 1 < options->n_works ? ",\n" : "\n", to);
    }
    fputs("]}\n", to);
    good = !ferror(to);
    good = (to == stdout ? fflush(to) : fclose(to)) == 0 && good;
    if (!good)
        fprintf(stderr, "uaio bench: %s: %s\n", path, strerror(errno));
    return good;
}
