/* SPDX-License-Identifier: MIT */
/*
 * Plots, each an <svg> that can be in a page or in a file of its own.  The colours
 * are of middling lightness, and stand out from light and from dark.
 */
#ifndef UAIO_BENCH_PLOT_H
#define UAIO_BENCH_PLOT_H

#include "bench.h"

/* ---- what all have in common ------------------------------------------------------------- */

enum { WIDTH = 720, HEIGHT = 300, LEFT = 64, RIGHT = 190, TOP = 36, BOTTOM = 46 };

struct axis {
    double least, most; /* logarithms to the base of 10 */
    int from, to;       /* pixels */
};

void plot__text(FILE *to, const char *text); /* for XML */
void plot__number(char *to, size_t size, double value);

/* `alone`: in a file of its own, with these lines about the machine. */
void plot__begin(FILE *to, int height, const char *title, const struct options *alone);
void plot__end(FILE *to, int height, const struct options *alone);

struct axis plot__axis(double least, double most, int from, int pixels_to);
double plot__place(const struct axis *axis, double value);
void plot__vertical_ticks(FILE *to, const struct axis *y);
void plot__tick_below(FILE *to, double x, const char *label);
void plot__axis_name(FILE *to, const char *name);

/* Of contenders[i] of the series: its line, its mark, and who is which. */
void plot__begin_line(FILE *to, const struct contender *contender);
void plot__mark(FILE *to, const struct contender *contender, double x, double y);
void plot__legend(FILE *to, const struct series *series, const bool shown[]);

/* ---- the plots ---------------------------------------------------------------------------- */

/* Operations a second against depth, of all works that differ in depth alone from this
 * one; has_depths: there are others, and this is the first. */
bool plots__has_depths(const struct options *options, const struct series *all, unsigned first);
void plots__depths(FILE *to, const struct options *options, const struct series *all,
                   unsigned first, const struct options *alone);

/* Operations a second of one work; how long they took, by percentile. */
bool plots__is_measured(const struct series *series);
bool plots__has_submissions(const struct series *series); /* of somebody who reaps later */
void plots__bars(FILE *to, const struct series *series, const struct options *alone);
void plots__latencies(FILE *to, const struct series *series, bool submission,
                      const struct options *alone);

#endif
