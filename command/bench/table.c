/* SPDX-License-Identifier: MIT */
#include "bench.h"

void table__heading(FILE *to)
{
    fprintf(to, "%-11s %9s %17s %8s %8s %8s %8s %8s %6s %6s %7s %7s %7s\n", "", "kIOPS",
            "least..greatest", "sub p50", "sub p99", "p50", "p99", "p99.9", "CPU", "calls",
            "switch", "threads", "MiB");
}

static void line(FILE *to, const struct result *r)
{
    char spread[32], calls[16] = "-", switches[16] = "-";

    if (r->reason[0]) {
        fprintf(to, "%-11s not measured: %s\n", r->contender->name, r->reason);
        return;
    }
    snprintf(spread, sizeof spread, "%.1f..%.1f", r->iops_least / 1e3, r->iops_greatest / 1e3);
    if (r->calls >= 0)
        snprintf(calls, sizeof calls, "%.2f", r->calls);
    if (r->switches >= 0)
        snprintf(switches, sizeof switches, "%.3f", r->switches);
    fprintf(to, "%-11s %9.1f %17s %8.1f %8.1f %8.1f %8.1f %8.1f %6.2f %6s %7s %7u %7.1f\n",
            r->contender->name, r->iops / 1e3, spread, r->submission_us[0], r->submission_us[2],
            r->completion_us[0], r->completion_us[2], r->completion_us[3], r->cpu_us, calls,
            switches, r->threads, (double)r->kibibytes / 1024);
}

/* Times are microseconds; CPU, calls and switches are per operation. */
void table__series(FILE *to, const struct series *series)
{
    char name[128], note[NOTE_MAX];
    unsigned at = 0;

    work__name(&series->work, name, sizeof name);
    fprintf(to, "%s\n", name);
    for (unsigned i = 0; i < series->n; i++)
        line(to, &series->results[i]);
    while (notes__next(series, &at, note))
        fprintf(to, "  %s\n", note);
}
