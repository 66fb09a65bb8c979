/* SPDX-License-Identifier: MIT */

#include "plot.h"

#include <math.h>

/* ---- operations against depth --------------------------------------------------------------- */

static bool differ_in_depth_only(const struct work *a, const struct work *b)
{
    return a->media == b->media && a->io == b->io && a->order == b->order && a->block == b->block &&
           a->threads == b->threads && a->depth != b->depth;
}

static bool is_of_kind(const struct series *all, unsigned first, unsigned i)
{
    return i == first || differ_in_depth_only(&all[first].work, &all[i].work);
}

/* The range of what is plotted; false: there are not two depths. */
static bool find_range(const struct options *options, const struct series *all, unsigned first,
                       double depths[2], double iops[2])
{
    depths[0] = iops[0] = INFINITY;
    depths[1] = iops[1] = 0;
    for (unsigned i = first; i < options->n_works; i++) {
        if (!is_of_kind(all, first, i))
            continue;
        depths[0] = fmin(depths[0], all[i].work.depth);
        depths[1] = fmax(depths[1], all[i].work.depth);
        for (unsigned k = 0; k < all[i].n; k++) {
            if (all[i].results[k].reason[0])
                continue;
            iops[0] = fmin(iops[0], all[i].results[k].iops_least);
            iops[1] = fmax(iops[1], all[i].results[k].iops_greatest);
        }
    }
    return depths[1] > depths[0] && iops[1] > 0;
}

bool plots__has_depths(const struct options *options, const struct series *all, unsigned first)
{
    double depths[2], iops[2];

    for (unsigned k = 0; k < first; k++)
        if (differ_in_depth_only(&all[k].work, &all[first].work))
            return false;
    return find_range(options, all, first, depths, iops);
}

/* False: there was nothing of that contender. */
static bool line_of(FILE *to, const struct options *options, const struct series *all,
                    unsigned first, unsigned contender, const struct axis *x, const struct axis *y)
{
    bool begun = false;

    plot__begin_line(to, all[first].results[contender].contender);
    for (unsigned i = first; i < options->n_works; i++) {
        const struct result *r = &all[i].results[contender];
        if (!is_of_kind(all, first, i) || r->reason[0])
            continue;
        fprintf(to, "%c%.1f %.1f ", begun ? 'L' : 'M', plot__place(x, all[i].work.depth),
                plot__place(y, r->iops));
        begun = true;
    }
    fputs("\"/>\n", to);
    return begun;
}

static void marks_of(FILE *to, const struct options *options, const struct series *all,
                     unsigned first, unsigned contender, const struct axis *x, const struct axis *y)
{
    for (unsigned i = first; i < options->n_works; i++) {
        const struct result *r = &all[i].results[contender];
        double at = plot__place(x, all[i].work.depth);

        if (!is_of_kind(all, first, i) || r->reason[0])
            continue;
        fprintf(to, "<path stroke=\"%s\" d=\"M%.1f %.1fV%.1f\"/>", r->contender->colour, at,
                plot__place(y, r->iops_least), plot__place(y, r->iops_greatest));
        plot__mark(to, r->contender, at, plot__place(y, r->iops));
    }
}

/* At the depths that there are, as far as there is room. */
static void depth_ticks(FILE *to, const struct options *options, const struct series *all,
                        unsigned first, const struct axis *x)
{
    double last = -INFINITY;

    for (unsigned i = first; i < options->n_works; i++) {
        unsigned depth = all[i].work.depth;
        double at = plot__place(x, depth);
        char label[32];

        if (!is_of_kind(all, first, i) || fabs(at - last) < 34)
            continue;
        if (depth >= 1024 && depth % 1024 == 0)
            snprintf(label, sizeof label, depth % (1 << 20) ? "%uk" : "%um",
                     depth % (1 << 20) ? depth >> 10 : depth >> 20);
        else
            snprintf(label, sizeof label, "%u", depth);
        plot__tick_below(to, at, label);
        last = at;
    }
}

void plots__depths(FILE *to, const struct options *options, const struct series *all,
                   unsigned first, const struct options *alone)
{
    double depths[2], iops[2];
    struct work work = all[first].work;
    char name[128], title[160];
    bool shown[MAX_CONTENDERS];
    struct axis x, y;

    if (!find_range(options, all, first, depths, iops))
        return;
    work.depth = 0;
    work__name(&work, name, sizeof name);
    snprintf(title, sizeof title, "%s: operations a second by depth", name);
    x = (struct axis){log10(depths[0]), log10(depths[1]), LEFT + 14, WIDTH - RIGHT - 14};
    y = plot__axis(iops[0], iops[1], HEIGHT - BOTTOM, TOP);
    plot__begin(to, HEIGHT, title, alone);
    plot__vertical_ticks(to, &y);
    depth_ticks(to, options, all, first, &x);
    plot__axis_name(to, "requests in flight");
    for (unsigned k = 0; k < all[first].n; k++)
        shown[k] = line_of(to, options, all, first, k, &x, &y);
    for (unsigned k = 0; k < all[first].n; k++)
        marks_of(to, options, all, first, k, &x, &y);
    plot__legend(to, &all[first], shown);
    plot__end(to, HEIGHT, alone);
}

/* ---- operations ------------------------------------------------------------------------------ */

enum { BAR = 24, NAMES = 140, FIGURES = 70 };

bool plots__is_measured(const struct series *series)
{
    for (unsigned i = 0; i < series->n; i++)
        if (!series->results[i].reason[0])
            return true;
    return false;
}

static void bar(FILE *to, const struct result *r, int y, double most)
{
    double scale = (WIDTH - NAMES - FIGURES) / most;
    char label[32];

    fprintf(to, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", NAMES - 10, y + 14,
            r->contender->title);
    if (r->reason[0]) {
        fprintf(to, "<text x=\"%d\" y=\"%d\" font-style=\"italic\">not measured</text>\n", NAMES,
                y + 14);
        return;
    }
    plot__number(label, sizeof label, r->iops);
    fprintf(to,
            "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"16\" fill=\"%s\"/>"
            "<path class=\"spread\" d=\"M%.1f %dH%.1fm0 -3v6\"/>"
            "<text x=\"%.1f\" y=\"%d\">%s</text>\n",
            NAMES, y + 2, r->iops * scale, r->contender->colour, NAMES + r->iops_least * scale,
            y + 10, NAMES + r->iops_greatest * scale, NAMES + r->iops_greatest * scale + 8, y + 14,
            label);
}

void plots__bars(FILE *to, const struct series *series, const struct options *alone)
{
    const int height = TOP + (int)series->n * BAR;
    char name[128], title[160];
    double most = 0;

    for (unsigned i = 0; i < series->n; i++)
        most = fmax(most, series->results[i].iops_greatest);
    work__name(&series->work, name, sizeof name);
    snprintf(title, sizeof title, "%s: operations a second", name);
    plot__begin(to, height, title, alone);
    for (unsigned i = 0; i < series->n; i++)
        bar(to, &series->results[i], TOP - 8 + (int)i * BAR, most);
    plot__end(to, height, alone);
}

/* ---- latencies -------------------------------------------------------------------------------- */

/* As far to the right as there are nines: 90, 99, 99.9 % are at equal distances. */
static const double nines[] = {0, 50, 90, 99, 99.9, 99.99, 99.999};
enum { N_NINES = sizeof nines / sizeof *nines };

static double nines_of(double percent)
{
    return -log10(1 - percent / 100);
}

static const struct histogram *histogram_of(const struct result *r, bool submission)
{
    return submission ? &r->submission : &r->completion;
}

/* Who answers at once has no submission apart. */
static bool is_plotted(const struct result *r, bool submission)
{
    return !r->reason[0] && !(submission && r->contender->synchronous);
}

bool plots__has_submissions(const struct series *series)
{
    for (unsigned i = 0; i < series->n; i++)
        if (is_plotted(&series->results[i], true))
            return true;
    return false;
}

/* Of a thousand requests nothing is known beyond 99.9 %. */
static double most_nines(const struct result *r, bool submission)
{
    uint64_t total = histogram__total(histogram_of(r, submission));

    return total > 1 ? fmin(log10((double)total), nines_of(nines[N_NINES - 1])) : 0;
}

static double across(const struct axis *x, double at)
{
    return x->from + at / x->most * (x->to - x->from);
}

static double microseconds(const struct result *r, bool submission, double percent)
{
    return histogram__percentile(histogram_of(r, submission), percent) / 1e3;
}

static void curve(FILE *to, const struct result *r, bool submission, const struct axis *x,
                  const struct axis *y)
{
    const int points = 160;
    double most = most_nines(r, submission);

    plot__begin_line(to, r->contender);
    for (int i = 0; i <= points; i++) {
        double at = most * i / points, percent = 100 * (1 - pow(10, -at));
        fprintf(to, "%c%.1f %.1f ", i ? 'L' : 'M', across(x, at),
                plot__place(y, microseconds(r, submission, percent)));
    }
    fputs("\"/>\n", to);
    for (unsigned i = 1; i < N_NINES && nines_of(nines[i]) <= most; i++)
        plot__mark(to, r->contender, across(x, nines_of(nines[i])),
                   plot__place(y, microseconds(r, submission, nines[i])));
}

static void percent_ticks(FILE *to, const struct axis *x)
{
    for (unsigned i = 0; i < N_NINES; i++) {
        double at = nines_of(nines[i]);
        char label[32];

        if (at > x->most * 1.001)
            break;
        snprintf(label, sizeof label, "%.5g%%", nines[i]);
        plot__tick_below(to, across(x, at), label);
    }
}

/* From the fastest to where the curves end; false: there are none. */
static bool find_latencies(const struct series *series, bool submission, double us[2],
                           double *deepest)
{
    us[0] = INFINITY;
    us[1] = *deepest = 0;
    for (unsigned i = 0; i < series->n; i++) {
        const struct result *r = &series->results[i];
        double most = most_nines(r, submission);

        if (!is_plotted(r, submission))
            continue;
        us[0] = fmin(us[0], fmax(microseconds(r, submission, 0), 0.01));
        us[1] = fmax(us[1], microseconds(r, submission, 100 * (1 - pow(10, -most))));
        *deepest = fmax(*deepest, most);
    }
    us[1] = fmax(us[1], us[0]);
    return *deepest > 0;
}

void plots__latencies(FILE *to, const struct series *series, bool submission,
                      const struct options *alone)
{
    char name[128], title[192];
    double us[2], deepest;
    bool shown[MAX_CONTENDERS];
    struct axis x, y;

    if (!find_latencies(series, submission, us, &deepest))
        return;
    work__name(&series->work, name, sizeof name);
    snprintf(title, sizeof title, "%s: microseconds %s", name,
             submission ? "of submitting a request" : "from submission to the result in hand");
    x = (struct axis){0, deepest, LEFT, WIDTH - RIGHT - 14};
    y = plot__axis(us[0], us[1], HEIGHT - BOTTOM, TOP);
    plot__begin(to, HEIGHT, title, alone);
    plot__vertical_ticks(to, &y);
    percent_ticks(to, &x);
    plot__axis_name(to, "of all requests took no longer");
    for (unsigned i = 0; i < series->n; i++) {
        shown[i] = is_plotted(&series->results[i], submission);
        if (shown[i])
            curve(to, &series->results[i], submission, &x, &y);
    }
    plot__legend(to, series, shown);
    plot__end(to, HEIGHT, alone);
}
