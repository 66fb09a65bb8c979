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

/* The figures of the rounds of one contender. */
struct rounds {
    double *iops, *cpu_us, *switches;
    unsigned n;
};

static struct files files; /* so that a signal's handler finds them */

static void remove_files(int signal_number)
{
    files__unlink(&files); /* unlink() alone: NOLINT(bugprone-signal-handler) */
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void clean_up_on_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], remove_files);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, unsigned n)
{
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
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

static void take_in(struct result *result, struct rounds *rounds, const struct outcome *outcome)
{
    double operations = (double)outcome->operations;

    rounds->iops[rounds->n] = operations / outcome->seconds;
    rounds->cpu_us[rounds->n] = outcome->cpu_seconds * 1e6 / operations;
    rounds->switches[rounds->n] = (double)outcome->switches / operations;
    if (outcome->switches < 0)
        snprintf(result->no_switches, REASON_MAX, "this kernel does not count them");
    rounds->n++;
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
                    struct rounds *rounds, struct outcome *outcome)
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
        take_in(result, rounds, outcome);
    return good;
}

static void summarize(const struct work *work, struct result *result, struct rounds *rounds)
{
    if (result->reason[0] || rounds->n == 0)
        return;
    if (result->in_flight < work->depth)
        snprintf(result->shallow, sizeof result->shallow, "%u", result->in_flight);
    result->rounds = rounds->n;
    result->iops = median(rounds->iops, rounds->n);
    result->iops_least = rounds->iops[0];
    result->iops_greatest = rounds->iops[rounds->n - 1];
    result->cpu_us = median(rounds->cpu_us, rounds->n);
    result->switches = median(rounds->switches, rounds->n);
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

static bool measure(const struct options *options, struct series *series, struct outcome *outcome)
{
    struct rounds rounds[8] = {{0}};
    bool good = true;

    for (unsigned i = 0; i < n_contenders; i++)
        if (options->wanted[i])
            series->results[series->n++].contender = contenders[i];
    for (unsigned i = 0; i < series->n; i++) {
        rounds[i].iops = must_allocate(options->rounds, sizeof(double));
        rounds[i].cpu_us = must_allocate(options->rounds, sizeof(double));
        rounds[i].switches = must_allocate(options->rounds, sizeof(double));
    }
    for (unsigned round = 0; round < options->rounds; round++) {
        for (unsigned i = 0; i < series->n; i++) {
            unsigned k = (i + round) % series->n;
            progress(options, &series->work, round + 1, series->results[k].contender);
            good =
                run_one(options, &series->work, &series->results[k], &rounds[k], outcome) && good;
        }
    }
    for (unsigned i = 0; i < series->n; i++) {
        summarize(&series->work, &series->results[i], &rounds[i]);
        count_calls(options, &series->work, &series->results[i], outcome);
        free(rounds[i].iops);
        free(rounds[i].cpu_us);
        free(rounds[i].switches);
    }
    progress(options, NULL, 0, NULL);
    return good;
}

int series__run(const struct options *options, struct series *all)
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
    table__heading(stdout);
    for (unsigned i = 0; i < options->n_works; i++) {
        all[i].work = options->works[i];
        good = measure(options, &all[i], outcome) && good;
        table__series(stdout, &all[i]);
        fflush(stdout);
    }
    files__remove(&files);
    munmap(outcome, sizeof *outcome);
    return good ? 0 : 1;
}

/* ---- the command ----------------------------------------------------------------------------- */

int bench__main(int argc, char **argv)
{
    struct options *options = must_allocate(1, sizeof *options);
    struct machine machine;
    struct series *all;
    int status;

    if (!options__parse(options, argc, argv, &status))
        return status;
    settings__take_out(options->settings, sizeof options->settings);
    if (options->settings[0])
        fprintf(stderr, "uaio bench: uaio is measured as it is without %s\n", options->settings);
    machine__describe(&machine, options->directory);
    printf("%s, %ld processors, %s, %u rounds of %g s, medians\n", machine.kernel,
           machine.processors, machine.filesystem, options->rounds, options->seconds);
    all = must_allocate(options->n_works, sizeof *all);
    status = series__run(options, all);
    if (status == 0 && options->json && !json__write(options->json, options, all))
        status = 1;
    if (status == 0 && options->html && !report__write(options->html, options, all))
        status = 1;
    free(all);
    free(options);
    return status;
}
