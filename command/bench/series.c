/* SPDX-License-Identifier: MIT */
/* All rounds of one work: each contender once a round, in another order each time. */

#include "bench.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const struct contender *const contenders[] = {
    &contender__libc,       &contender__uaio,     &contender__kernel,
    &contender__uaio_linux, &contender__io_uring, &contender__blocking,
};
const unsigned n_contenders = sizeof contenders / sizeof *contenders;

const double percentiles[4] = {50, 90, 99, 99.9};

static struct files files; /* so that a signal's handler finds them */

static pid_t owner; /* rounds are forked, and must not remove them */

static void remove_files(int signal_number)
{
    if (getpid() == owner)
        files__unlink(&files); /* unlink() alone: NOLINT(bugprone-signal-handler) */
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void clean_up_on_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

    owner = getpid();
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (signal(signals[i], remove_files) == SIG_IGN)
            signal(signals[i], SIG_IGN); /* as nohup wants it */
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Of the field at that offset, with the least and the greatest. */
static double median(const struct result *result, size_t offset, double extremes[2])
{
    unsigned n = result->rounds;
    double *values = must_allocate(n, sizeof *values), middle;

    for (unsigned i = 0; i < n; i++)
        memcpy(&values[i], (const char *)&result->each[i] + offset, sizeof *values);
    qsort(values, n, sizeof *values, compare);
    middle = (values[n / 2] + values[(n - 1) / 2]) / 2;
    extremes[0] = values[0];
    extremes[1] = values[n - 1];
    free(values);
    return middle;
}

static void progress(const struct options *options, const struct work *work, unsigned round,
                     const struct contender *contender)
{
    char name[128];

    if (options->quiet || !isatty(STDERR_FILENO))
        return;
    if (!work) {
        fprintf(stderr, "\r%-78s\r", "");
        return;
    }
    work__name(work, name, sizeof name);
    fprintf(stderr, "\r%-50s round %u of %u: %-10s", name, round, options->rounds, contender->name);
}

static void take_in(struct result *result, const struct outcome *outcome)
{
    double operations = (double)outcome->operations;

    result->each[result->rounds++] = (struct figures){
        .seconds = outcome->seconds,
        .iops = operations / outcome->seconds,
        .cpu_us = outcome->cpu_seconds * 1e6 / operations,
        .switches = (double)outcome->switches / operations,
    };
    if (outcome->switches < 0)
        snprintf(result->no_switches, REASON_MAX, "this kernel does not count them");
    if (outcome->threads > result->threads)
        result->threads = outcome->threads;
    if (outcome->in_flight > result->in_flight)
        result->in_flight = outcome->in_flight;
    if (outcome->kibibytes > result->kibibytes)
        result->kibibytes = outcome->kibibytes;
    histogram__merge(&result->submission, &outcome->submission);
    histogram__merge(&result->completion, &outcome->completion);
}

/* Wrong data is no matter of speed. */
static bool is_good(const struct contender *contender, const struct outcome *outcome)
{
    if (outcome->wrong == 0 && outcome->failed == 0)
        return true;
    fprintf(stderr, "uaio bench: %s: of %llu blocks %llu were wrong, and %llu requests failed\n",
            contender->title, (unsigned long long)outcome->operations,
            (unsigned long long)outcome->wrong, (unsigned long long)outcome->failed);
    return false;
}

/* False: it counts for nothing that it was fast. */
static bool run_one(const struct options *options, const struct work *work, struct result *result,
                    struct outcome *outcome)
{
    bool good;

    if (result->reason[0] || !files__prepare(&files, work, result->reason))
        return true;
    round__run(options, work, &files, result->contender, outcome);
    files__close(&files);
    memcpy(result->reason, outcome->reason, sizeof result->reason);
    good = is_good(result->contender, outcome);
    if (!good)
        snprintf(result->reason, sizeof result->reason, "wrong data, or failed requests");
    if (!result->reason[0])
        take_in(result, outcome);
    return good;
}

static void summarize(const struct work *work, struct result *result)
{
    double extremes[2];

    if (result->reason[0] || result->rounds == 0)
        return;
    if (result->in_flight < work->depth)
        snprintf(result->shallow, sizeof result->shallow, "%u", result->in_flight);
    result->cpu_us = median(result, offsetof(struct figures, cpu_us), extremes);
    result->switches = median(result, offsetof(struct figures, switches), extremes);
    result->iops = median(result, offsetof(struct figures, iops), extremes);
    result->iops_least = extremes[0];
    result->iops_greatest = extremes[1];
    for (int i = 0; i < 4; i++) {
        result->submission_us[i] = histogram__percentile(&result->submission, percentiles[i]) / 1e3;
        result->completion_us[i] = histogram__percentile(&result->completion, percentiles[i]) / 1e3;
    }
}

static void count_calls(const struct options *options, const struct work *work,
                        struct result *result, struct outcome *outcome)
{
    result->calls = -1;
    if (result->reason[0])
        return;
    if (!options->trace)
        snprintf(result->no_calls, REASON_MAX, "--no-trace");
    else if (files__prepare(&files, work, result->no_calls)) {
        result->calls =
            trace__calls(options, work, &files, result->contender, outcome, result->no_calls);
        files__close(&files);
    }
}

static void begin(const struct options *options, struct series *series)
{
    for (unsigned i = 0; i < n_contenders; i++) {
        if (options->wanted[i]) {
            struct result *result = &series->results[series->n++];
            result->contender = contenders[i];
            result->each = must_allocate(options->rounds, sizeof *result->each);
        }
    }
}

static bool measure(const struct options *options, struct series *series, struct outcome *outcome)
{
    bool good = true;

    begin(options, series);
    for (unsigned round = 0; round < options->rounds; round++) {
        for (unsigned i = 0; i < series->n; i++) {
            struct result *result = &series->results[(i + round) % series->n];
            progress(options, &series->work, round + 1, result->contender);
            good = run_one(options, &series->work, result, outcome) && good;
        }
    }
    for (unsigned i = 0; i < series->n; i++) {
        summarize(&series->work, &series->results[i]);
        count_calls(options, &series->work, &series->results[i], outcome);
    }
    progress(options, NULL, 0, NULL);
    return good;
}

void series__free(const struct options *options, struct series *all)
{
    for (unsigned i = 0; i < options->n_works; i++)
        for (unsigned k = 0; k < all[i].n; k++)
            free(all[i].results[k].each);
    free(all);
}

int series__run(const struct options *options, struct series *all, FILE *table)
{
    struct outcome *outcome =
        mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool good = true;

    if (outcome == MAP_FAILED) {
        perror("uaio bench: memory");
        return 1;
    }
    clean_up_on_signals();
    if (!files__make(&files, options))
        return 1;
    table__heading(table);
    for (unsigned i = 0; i < options->n_works; i++) {
        all[i].work = options->works[i];
        good = measure(options, &all[i], outcome) && good;
        table__series(table, &all[i]);
        fflush(table);
    }
    files__remove(&files);
    munmap(outcome, sizeof *outcome);
    return good ? 0 : 1;
}
