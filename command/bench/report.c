/* SPDX-License-Identifier: MIT */
/*
 * The report: one HTML file with its plots in it, which needs nothing else.
 */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { WIDTH = 640, HEIGHT = 260, LEFT = 70, RIGHT = 20, TOP = 15, BOTTOM = 40, BAR = 24 };

static const char *const head =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>uaio bench</title>\n<style>\n"
    ":root{color-scheme:light dark;--ink:#222;--soft:#777;--line:#ddd;--back:#fff}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#ddd;--soft:#999;--line:#444;--back:#1b1b1b}}\n"
    "body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--back);"
    "max-width:70em;margin:2em auto;padding:0 1em}\n"
    "h2{font-size:1.1em;margin-top:2.2em}table{border-collapse:collapse;font-size:.88em}\n"
    "th,td{padding:.2em .7em;text-align:right;border-bottom:1px solid var(--line)}\n"
    "th:first-child,td:first-child{text-align:left}td{white-space:nowrap}td.none{text-align:left;color:var(--soft)}\n"
    "svg{display:block;margin:.8em 0;max-width:100%;height:auto}svg text{fill:var(--ink);"
    "font-size:12px}.soft{color:var(--soft);fill:var(--soft)}svg .grid{stroke:var(--line)}\n"
    ".wide{overflow-x:auto}\n</style></head><body>\n";

static void text(FILE *to, const char *s)
{
    for (; *s; s++) {
        if (*s == '<')
            fputs("&lt;", to);
        else if (*s == '&')
            fputs("&amp;", to);
        else
            putc(*s, to);
    }
}

static void number(char *to, size_t size, double value)
{
    if (value >= 1e6)
        snprintf(to, size, "%.3gM", value / 1e6);
    else if (value >= 1e3)
        snprintf(to, size, "%.3gk", value / 1e3);
    else
        snprintf(to, size, "%.3g", value);
}

/* ---- axes ------------------------------------------------------------------------------ */

struct axis {
    double least, most; /* logarithms to the base of 10, if so */
    int from, to;       /* pixels */
    bool logarithmic;
};

static double place(const struct axis *axis, double value)
{
    double at = axis->logarithmic ? log10(value > 0 ? value : 1e-9) : value;

    return axis->from + (at - axis->least) / (axis->most - axis->least) * (axis->to - axis->from);
}

/* Whole powers of ten around the values. */
static struct axis logarithmic_axis(double least, double most, int from, int to)
{
    struct axis axis = {floor(log10(least)), ceil(log10(most)), from, to, true};

    if (axis.most <= axis.least)
        axis.most = axis.least + 1;
    return axis;
}

static void ticks(FILE *to, const struct axis *axis, bool horizontal, const char *unit)
{
    for (int power = (int)axis->least; power <= (int)axis->most; power++) {
        double at = power;
        double p =
            axis->from + (at - axis->least) / (axis->most - axis->least) * (axis->to - axis->from);
        char label[32];

        number(label, sizeof label, pow(10, at));
        if (horizontal)
            fprintf(to,
                    "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
                    "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s%s</text>\n",
                    p, TOP, p, HEIGHT - BOTTOM, p, HEIGHT - BOTTOM + 16, label, unit);
        else
            fprintf(to,
                    "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
                    "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s%s</text>\n",
                    LEFT, p, WIDTH - RIGHT, p, LEFT - 6, p + 4, label, unit);
    }
}

static void begin_plot(FILE *to, int height, const char *what)
{
    fprintf(to, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\"><title>", WIDTH,
            height, WIDTH, height);
    text(to, what);
    fputs("</title>\n", to);
}

static void axis_name(FILE *to, const char *name)
{
    fprintf(to, "<text class=\"soft\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, name);
}

/* Who is which colour. */
static void legend(FILE *to, const struct series *series)
{
    fputs("<p>", to);
    for (unsigned i = 0; i < series->n; i++)
        fprintf(to, "<span style=\"color:%s\">&#9632;</span> %s &nbsp; ",
                series->results[i].contender->colour, series->results[i].contender->title);
    fputs("</p>\n", to);
}

/* ---- operations against depth --------------------------------------------------------------- */

static bool differ_in_depth_only(const struct work *a, const struct work *b)
{
    return a->media == b->media && a->io == b->io && a->order == b->order && a->block == b->block &&
           a->threads == b->threads && a->depth != b->depth;
}

static void line_of(FILE *to, const struct options *options, const struct series *all,
                    unsigned first, unsigned contender, const struct axis *x, const struct axis *y)
{
    const char *colour = all[first].results[contender].contender->colour;
    bool begun = false;

    fprintf(to, "<path fill=\"none\" stroke-width=\"2\" stroke=\"%s\" d=\"", colour);
    for (unsigned i = first; i < options->n_works; i++) {
        const struct result *r = &all[i].results[contender];
        if ((i != first && !differ_in_depth_only(&all[first].work, &all[i].work)) || r->reason[0])
            continue;
        fprintf(to, "%c%.1f %.1f ", begun ? 'L' : 'M', place(x, all[i].work.depth),
                place(y, r->iops));
        begun = true;
    }
    fputs("\"/>\n", to);
}

/* The range of what is plotted; false: there are not two depths. */
static bool find_range(const struct options *options, const struct series *all, unsigned first,
                       double depths[2], double iops[2])
{
    unsigned n = 0;

    depths[0] = iops[0] = INFINITY;
    depths[1] = iops[1] = 0;
    for (unsigned i = first; i < options->n_works; i++) {
        if (i != first && !differ_in_depth_only(&all[first].work, &all[i].work))
            continue;
        n++;
        depths[0] = fmin(depths[0], all[i].work.depth);
        depths[1] = fmax(depths[1], all[i].work.depth);
        for (unsigned k = 0; k < all[i].n; k++) {
            if (all[i].results[k].reason[0])
                continue;
            iops[0] = fmin(iops[0], all[i].results[k].iops);
            iops[1] = fmax(iops[1], all[i].results[k].iops);
        }
    }
    return n > 1 && iops[1] > 0;
}

static bool is_first_of_kind(const struct series *all, unsigned i)
{
    for (unsigned k = 0; k < i; k++)
        if (differ_in_depth_only(&all[k].work, &all[i].work))
            return false;
    return true;
}

static void plot_depths(FILE *to, const struct options *options, const struct series *all,
                        unsigned first)
{
    double depths[2], iops[2];
    struct work work = all[first].work;
    struct axis x, y;
    char name[128];

    if (!is_first_of_kind(all, first) || !find_range(options, all, first, depths, iops))
        return;
    x = logarithmic_axis(depths[0], depths[1], LEFT, WIDTH - RIGHT);
    y = logarithmic_axis(iops[0], iops[1], HEIGHT - BOTTOM, TOP);
    work__name(&work, name, sizeof name);
    if (strstr(name, " depth"))
        *strstr(name, " depth") = '\0';
    fputs("<h2>Operations a second against depth: ", to);
    text(to, name);
    fputs("</h2>\n", to);
    legend(to, &all[first]);
    begin_plot(to, HEIGHT, name);
    ticks(to, &x, true, "");
    ticks(to, &y, false, "");
    axis_name(to, "requests in flight");
    for (unsigned k = 0; k < all[first].n; k++)
        line_of(to, options, all, first, k, &x, &y);
    fputs("</svg>\n", to);
}

/* ---- one work ----------------------------------------------------------------------------- */

static void bars(FILE *to, const struct series *series)
{
    int height = (int)series->n * BAR + 8;
    double most = 0;

    for (unsigned i = 0; i < series->n; i++)
        most = fmax(most, series->results[i].iops_greatest);
    if (most <= 0)
        return;
    begin_plot(to, height, "operations a second");
    for (unsigned i = 0; i < series->n; i++) {
        const struct result *r = &series->results[i];
        int y = (int)i * BAR + 4, room = WIDTH - 170 - 80;
        char label[32];

        fprintf(to, "<text x=\"160\" y=\"%d\" text-anchor=\"end\">%s</text>", y + 14,
                r->contender->title);
        if (r->reason[0]) {
            fprintf(to, "<text class=\"soft\" x=\"170\" y=\"%d\">not measured</text>\n", y + 14);
            continue;
        }
        number(label, sizeof label, r->iops);
        fprintf(to,
                "<rect x=\"170\" y=\"%d\" width=\"%.1f\" height=\"16\" fill=\"%s\"/>"
                "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"currentColor\"/>"
                "<text x=\"%.1f\" y=\"%d\">%s</text>\n",
                y + 2, r->iops / most * room, r->contender->colour,
                170 + r->iops_least / most * room, 170 + r->iops_greatest / most * room, y + 10,
                y + 10, 176 + r->iops_greatest / most * room, y + 14, label);
    }
    fputs("</svg>\n", to);
}

static void distribution(FILE *to, const struct result *r, const struct axis *x,
                         const struct axis *y)
{
    fprintf(to, "<path fill=\"none\" stroke-width=\"2\" stroke=\"%s\" d=\"", r->contender->colour);
    for (int i = 0; i <= 200; i++) {
        double percent = i < 190 ? i * 0.5 + 0.25 : 95.0 + (i - 190) * 0.5;
        double us = histogram__percentile(&r->completion, percent) / 1e3;
        fprintf(to, "%c%.1f %.1f ", i ? 'L' : 'M', place(x, us), place(y, percent));
    }
    fputs("\"/>\n", to);
}

/* How long requests take, from submission to the result in hand. */
static void plot_latencies(FILE *to, const struct series *series)
{
    struct axis x, y = {0, 100, HEIGHT - BOTTOM, TOP, false};
    double least = INFINITY, most = 0;

    for (unsigned i = 0; i < series->n; i++) {
        const struct result *r = &series->results[i];
        if (r->reason[0])
            continue;
        least = fmin(least, histogram__percentile(&r->completion, 0.25) / 1e3);
        most = fmax(most, histogram__percentile(&r->completion, 100) / 1e3);
    }
    if (most <= 0)
        return;
    x = logarithmic_axis(fmax(least, 0.01), most, LEFT, WIDTH - RIGHT);
    begin_plot(to, HEIGHT, "latency");
    ticks(to, &x, true, "");
    for (int percent = 0; percent <= 100; percent += 25)
        fprintf(to,
                "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%d %%</text>\n",
                LEFT, place(&y, percent), WIDTH - RIGHT, place(&y, percent), LEFT - 6,
                place(&y, percent) + 4, percent);
    axis_name(to, "done within so many microseconds");
    for (unsigned i = 0; i < series->n; i++)
        if (!series->results[i].reason[0])
            distribution(to, &series->results[i], &x, &y);
    fputs("</svg>\n", to);
}

static void row(FILE *to, const struct result *r)
{
    fprintf(to, "<tr><td>%s</td>", r->contender->title);
    if (r->reason[0]) {
        fputs("<td class=\"none\" colspan=\"12\">not measured: ", to);
        text(to, r->reason);
        fputs("</td></tr>\n", to);
        return;
    }
    fprintf(to, "<td>%.1f</td><td>%.1f to %.1f</td>", r->iops / 1e3, r->iops_least / 1e3,
            r->iops_greatest / 1e3);
    fprintf(to, "<td>%.2f</td><td>%.2f</td>", r->submission_us[0], r->submission_us[2]);
    for (int i = 0; i < 4; i++)
        fprintf(to, "<td>%.1f</td>", r->completion_us[i]);
    fprintf(to, "<td>%.2f</td>", r->cpu_us);
    if (r->calls >= 0)
        fprintf(to, "<td>%.2f</td>", r->calls);
    else
        fputs("<td>&ndash;</td>", to);
    if (r->switches >= 0)
        fprintf(to, "<td>%.3f</td>", r->switches);
    else
        fputs("<td>&ndash;</td>", to);
    fprintf(to, "<td>%u</td><td>%.1f</td></tr>\n", r->threads, (double)r->kibibytes / 1024);
}

static void one_work(FILE *to, const struct series *series)
{
    char name[128], note[NOTE_MAX];
    unsigned at = 0;

    work__name(&series->work, name, sizeof name);
    fputs("<h2>", to);
    text(to, name);
    fputs("</h2>\n<div class=\"wide\"><table><tr><th></th><th>kIOPS</th><th>spread</th>"
          "<th>submission p50</th><th>p99 &micro;s</th><th>latency p50</th><th>p90</th><th>p99</th>"
          "<th>p99.9 &micro;s</th><th>CPU &micro;s</th><th>calls</th><th>switches</th>"
          "<th>threads</th><th>MiB</th></tr>\n",
          to);
    for (unsigned i = 0; i < series->n; i++)
        row(to, &series->results[i]);
    fputs("</table></div>\n", to);
    while (notes__next(series, &at, note)) {
        fputs("<p class=\"soft\">", to);
        text(to, note);
        fputs("</p>\n", to);
    }
    bars(to, series);
    plot_latencies(to, series);
}

static void write_all(FILE *to, const struct options *options, const struct series *all)
{
    const struct machine *machine = &options->machine;

    fputs(head, to);
    fprintf(to,
            "<h1>uaio bench</h1>\n<p>%s, %ld processors, %s, %s. %u rounds of %g s of each, by "
            "turns; medians, and the least and greatest as a line. CPU, system calls and context "
            "switches are per operation; system calls were counted under ptrace, which makes some "
            "of them more; memory is beside buffers and control blocks.</p>\n",
            machine->kernel, machine->processors, machine->filesystem, machine->date,
            options->rounds, options->seconds);
    for (unsigned i = 0; i < options->n_works; i++)
        plot_depths(to, options, all, i);
    for (unsigned i = 0; i < options->n_works; i++)
        one_work(to, &all[i]);
    fputs("</body></html>\n", to);
}

bool report__write(const char *path, const struct options *options, const struct series *all)
{
    FILE *to = fopen(path, "we");
    bool good;

    if (!to) {
        fprintf(stderr, "uaio bench: %s: %s\n", path, strerror(errno));
        return false;
    }
    write_all(to, options, all);
    good = !ferror(to);
    good = fclose(to) == 0 && good;
    if (!good)
        fprintf(stderr, "uaio bench: %s: %s\n", path, strerror(errno));
    return good;
}
