/* SPDX-License-Identifier: MIT */
/*
 * All figures, for programs.  Times are microseconds where the name says _us; CPU,
 * system calls and context switches are per operation.  What was not counted is
 * null, and "no_..." beside it the reason; who was not measured has "not_measured"
 * in place of figures.  "each" has the rounds as they came.
 */

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

static void number_or_null(FILE *to, const char *name, double value)
{
    if (value >= 0)
        fprintf(to, "\"%s\": %.4f", name, value);
    else
        fprintf(to, "\"%s\": null", name);
}

/* Of what is not empty, [nanoseconds, count] each. */
static void histogram(FILE *to, const char *name, const struct histogram *h)
{
    const char *separator = "";

    fprintf(to, ",\n      \"%s_histogram_ns\": [", name);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (h->count[i] == 0)
            continue;
        fprintf(to, "%s[%.0f, %llu]", separator, histogram__value(i),
                (unsigned long long)h->count[i]);
        separator = ", ";
    }
    fputs("]", to);
}

static void each_round(FILE *to, const struct result *r)
{
    fputs(",\n      \"each\": [", to);
    for (unsigned i = 0; i < r->rounds; i++) {
        const struct figures *f = &r->each[i];
        fprintf(to, "%s{\"seconds\": %.6f, \"iops\": %.1f, \"cpu_us\": %.3f, ", i ? ", " : "",
                f->seconds, f->iops, f->cpu_us);
        number_or_null(to, "context_switches", f->switches);
        fputs("}", to);
    }
    fputs("]", to);
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

    number_or_null(to, name, value);
    fputs(", ", to);
    if (value >= 0)
        return;
    snprintf(not_counted, sizeof not_counted, "no_%s", name);
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
    each_round(to, r);
    histogram(to, "submission", &r->submission);
    histogram(to, "completion", &r->completion);
    fputs("}", to);
}

static void series(FILE *to, const struct series *s)
{
    const struct work *w = &s->work;

    fputs("  {", to);
    string(to, "media", media_words[w->media]);
    fputs(", ", to);
    string(to, "io", io_words[w->io]);
    fputs(", ", to);
    string(to, "order", w->media == MEDIA_SOCKETS ? "none" : order_words[w->order]);
    fprintf(to, ", \"block\": %zu, \"depth\": %u, \"threads\": %u, \"results\": [\n", w->block,
            w->depth, w->threads);
    for (unsigned i = 0; i < s->n; i++) {
        result(to, &s->results[i]);
        fputs(i + 1 < s->n ? ",\n" : "\n", to);
    }
    fputs("  ]}", to);
}

/* What has been run, and where. */
static void about(FILE *to, const struct options *options)
{
    const struct machine *m = &options->machine;
    const char *const strings[][2] = {
        {"command", options->command},
        {"date", m->date},
        {"uaio", UAIO_VERSION},
        {"libc", m->libc},
        {"liburing", m->liburing},
        {"kernel", m->kernel},
        {"processor", m->processor},
        {"filesystem", m->filesystem},
        {"settings_ignored", options->settings},
    };

    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        string(to, strings[i][0], strings[i][1]);
        fputs(",\n ", to);
    }
    fprintf(to,
            "\"processors\": %ld, \"rounds\": %u, \"seconds\": %g, \"files\": %u, "
            "\"bytes\": %zu, \"seed\": %llu",
            m->processors, options->rounds, options->seconds, options->files, options->bytes,
            (unsigned long long)options->seed);
}

bool json__write(const char *path, const struct options *options, const struct series *all)
{
    FILE *to = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    bool good;

    if (!to) {
        fprintf(stderr, "uaio bench: %s: %s\n", path, strerror(errno));
        return false;
    }
    fputs("{", to);
    about(to, options);
    fputs(", \"works\": [\n", to);
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
