/* SPDX-License-Identifier: MIT */
/*
 * The report: one page with its plots in it, which needs nothing else.
 */

#include "plot.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const char *const head =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>uaio bench</title>\n<style>\n"
    ":root{color-scheme:light dark;--ink:#222;--soft:#6a6a6a;--line:#ddd;--back:#fff;--best:#eef3f8}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#ddd;--soft:#9a9a9a;--line:#3c3c3c;"
    "--back:#1b1b1b;--best:#26313c}}\n"
    "body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--back);"
    "max-width:94em;margin:2em auto;padding:0 1.5em}\n"
    "h2{font-size:1.25em;margin:2.4em 0 .6em}h3{font-size:1.05em;margin:2.6em 0 .5em;"
    "border-top:1px solid var(--line);padding-top:1em}\n"
    "p,dl{max-width:60em}dl{display:grid;grid-template-columns:max-content 1fr;gap:.15em 1.2em}"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}code{font-size:.92em}\n"
    "table{border-collapse:collapse;font-size:.88em;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.25em .75em;text-align:right;border-bottom:1px solid var(--line)}"
    "th{font-weight:600;vertical-align:bottom}th.group{text-align:center}\n"
    "th:first-child,td:first-child{text-align:left}td{white-space:nowrap}"
    "td.none{text-align:left;color:var(--soft);white-space:normal}td.best{background:var(--best);"
    "font-weight:600}\n"
    "a{color:inherit}.soft{color:var(--soft)}i.mark{display:inline-block;width:.7em;height:.7em;"
    "margin-right:.5em;border-radius:2px}\n"
    ".wide{overflow-x:auto}.plots{display:flex;flex-wrap:wrap;align-items:flex-start;gap:.5em 1.5em}"
    ".plots svg{flex:0 1 650px;min-width:min(100%,340px)}\n"
    "svg{display:block;margin:.8em 0;max-width:100%;height:auto}"
    "svg text{fill:var(--ink);font:12px system-ui,sans-serif}svg .title{font-weight:600}"
    "svg .grid{stroke:var(--line)}svg .spread{stroke:var(--ink)}\n"
    "</style></head><body>\n<h1>uaio bench</h1>\n";

/* ---- what, where, how ------------------------------------------------------------------------ */

static void fact(FILE *to, const char *name, const char *value)
{
    if (!*value)
        return;
    fprintf(to, "<dt>%s</dt><dd>", name);
    plot__text(to, value);
    fputs("</dd>\n", to);
}

static void facts(FILE *to, const struct options *options)
{
    const struct machine *m = &options->machine;
    char text[512];

    fputs("<dl>\n<dt>Command</dt><dd><code>", to);
    plot__text(to, options->command);
    fputs("</code></dd>\n", to);
    fact(to, "Date", m->date);
    snprintf(text, sizeof text, "%ld usable processors, %s", m->processors, m->processor);
    fact(to, "Machine", text);
    snprintf(text, sizeof text, "%s, %s", m->kernel, m->filesystem);
    fact(to, "Kernel, filesystem", text);
    snprintf(text, sizeof text, "uaio %s, %s%s%s", UAIO_VERSION, m->libc,
             m->liburing[0] ? ", " : "", m->liburing);
    fact(to, "Versions", text);
    snprintf(text, sizeof text, "%u rounds of %g s of each, by turns; files (%u) of %zu MiB in all",
             options->rounds, options->seconds, options->files, options->bytes >> 20);
    fact(to, "Measured", text);
    fact(to, "Settings, ignored", options->settings);
    fputs("</dl>\n<p>Figures are medians of the rounds; the line at the end of a bar or through a "
          "mark goes from the least to the greatest. CPU time, system calls and context switches "
          "are per operation; system calls were counted in a run of their own under ptrace, which "
          "makes some of them more. Memory is at most, beside buffers and control blocks. "
          "In plots of latency, distances to the right grow with each nine: what is at 99.9% is "
          "exceeded by one request in a thousand.</p>\n",
          to);
}

/* ---- all works at a glance ----------------------------------------------------------------- */

static double best_of(const struct series *series)
{
    double best = 0;

    for (unsigned i = 0; i < series->n; i++)
        if (!series->results[i].contender->synchronous)
            best = fmax(best, series->results[i].iops);
    return best;
}

static void overview_row(FILE *to, const struct series *series, unsigned number)
{
    const double best = best_of(series);
    char name[128];

    work__name(&series->work, name, sizeof name);
    fprintf(to, "<tr><td><a href=\"#work%u\">%s</a></td>", number, name);
    for (unsigned i = 0; i < series->n; i++) {
        const struct result *r = &series->results[i];
        bool is_best = !r->contender->synchronous && r->iops >= best;

        if (r->reason[0])
            fputs("<td class=\"soft\">&ndash;</td>", to);
        else
            fprintf(to, "<td%s>%.1f</td>", is_best ? " class=\"best\"" : "", r->iops / 1e3);
    }
    fputs("</tr>\n", to);
}

static void mark(FILE *to, const struct contender *contender)
{
    fprintf(to, "<i class=\"mark\" style=\"background:%s\"></i>%s", contender->colour,
            contender->title);
}

static void overview(FILE *to, const struct options *options, const struct series *all)
{
    fputs("<h2>Thousands of operations a second</h2>\n<div class=\"wide\"><table><tr><th></th>",
          to);
    for (unsigned i = 0; i < all[0].n; i++) {
        fputs("<th>", to);
        mark(to, all[0].results[i].contender);
        fputs("</th>", to);
    }
    fputs("</tr>\n", to);
    for (unsigned i = 0; i < options->n_works; i++)
        overview_row(to, &all[i], i);
    fputs(
        "</table></div>\n<p class=\"soft\">The most of each row is marked, beside blocking calls, "
        "which are no asynchronous I/O but its limit. &ndash; was not measured: the reason is "
        "below.</p>\n",
        to);
}

/* ---- one work ------------------------------------------------------------------------------ */

static void count(FILE *to, const char *format, double value)
{
    fputs("<td>", to);
    if (value >= 0)
        fprintf(to, format, value);
    else
        fputs("&ndash;", to);
    fputs("</td>", to);
}

static void row(FILE *to, const struct result *r)
{
    fputs("<tr><td>", to);
    mark(to, r->contender);
    fputs("</td>", to);
    if (r->reason[0]) {
        fputs("<td class=\"none\" colspan=\"14\">not measured: ", to);
        plot__text(to, r->reason);
        fputs("</td></tr>\n", to);
        return;
    }
    fprintf(to, "<td>%.1f</td><td>%.1f to %.1f</td>", r->iops / 1e3, r->iops_least / 1e3,
            r->iops_greatest / 1e3);
    for (int i = 0; i < 4; i++)
        fprintf(to, "<td>%.2f</td>", r->submission_us[i]);
    for (int i = 0; i < 4; i++)
        fprintf(to, "<td>%.1f</td>", r->completion_us[i]);
    fprintf(to, "<td>%.2f</td>", r->cpu_us);
    count(to, "%.2f", r->calls);
    count(to, "%.3f", r->switches);
    fprintf(to, "<td>%u</td><td>%.1f</td></tr>\n", r->threads, (double)r->kibibytes / 1024);
}

static void notes(FILE *to, const struct series *series)
{
    char note[NOTE_MAX];
    unsigned at = 0;

    while (notes__next(series, &at, note)) {
        fputs("<p class=\"soft\">", to);
        plot__text(to, note);
        fputs("</p>\n", to);
    }
}

static void one_work(FILE *to, const struct series *series, unsigned number)
{
    static const char *const percents = "<th>p50</th><th>p90</th><th>p99</th><th>p99.9</th>";
    char name[128];

    work__name(&series->work, name, sizeof name);
    fprintf(to,
            "<h3 id=\"work%u\">%s</h3>\n<div class=\"wide\"><table>"
            "<tr><th></th><th class=\"group\" colspan=\"2\">thousands a second</th>"
            "<th class=\"group\" colspan=\"4\">submission, &micro;s</th>"
            "<th class=\"group\" colspan=\"4\">until the result, &micro;s</th>"
            "<th class=\"group\" colspan=\"3\">per operation</th>"
            "<th class=\"group\" colspan=\"2\">at most</th></tr>\n"
            "<tr><th></th><th>median</th><th>spread</th>%s%s"
            "<th>CPU &micro;s</th><th>calls</th><th>switches</th>"
            "<th>threads</th><th>MiB</th></tr>\n",
            number, name, percents, percents);
    for (unsigned i = 0; i < series->n; i++)
        row(to, &series->results[i]);
    fputs("</table></div>\n", to);
    notes(to, series);
    if (!plots__is_measured(series))
        return;
    fputs("<div class=\"plots\">\n", to);
    plots__bars(to, series, NULL);
    plots__latencies(to, series, false, NULL);
    plots__latencies(to, series, true, NULL);
    fputs("</div>\n", to);
}

/* ---- the page -------------------------------------------------------------------------------- */

static void depths(FILE *to, const struct options *options, const struct series *all)
{
    bool begun = false;

    for (unsigned i = 0; i < options->n_works; i++) {
        if (!plots__has_depths(options, all, i))
            continue;
        if (!begun)
            fputs("<h2>Operations a second against depth</h2>\n<div class=\"plots\">\n", to);
        begun = true;
        plots__depths(to, options, all, i, NULL);
    }
    if (begun)
        fputs("</div>\n", to);
}

bool report__write(const char *path, const struct options *options, const struct series *all)
{
    FILE *to = fopen(path, "we");
    bool good;

    if (!to) {
        fprintf(stderr, "uaio bench: %s: %s\n", path, strerror(errno));
        return false;
    }
    fputs(head, to);
    facts(to, options);
    overview(to, options, all);
    depths(to, options, all);
    fputs("<h2>Each work</h2>\n", to);
    for (unsigned i = 0; i < options->n_works; i++)
        one_work(to, &all[i], i);
    fputs("</body></html>\n", to);
    good = !ferror(to);
    good = fclose(to) == 0 && good;
    if (!good)
        fprintf(stderr, "uaio bench: %s: %s\n", path, strerror(errno));
    return good;
}
