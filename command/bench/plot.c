/* SPDX-License-Identifier: MIT */

#include "plot.h"

#include <math.h>
#include <string.h>

/* In a page, the page says so. */
static const char *const style =
    "<style>text{font:12px system-ui,sans-serif;fill:#7d7d7d}.title{font-weight:600}"
    ".grid{stroke:#888;stroke-opacity:.3}.spread{stroke:#888}</style>\n";

void plot__text(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", to);
        else if (*text == '>')
            fputs("&gt;", to);
        else if (*text == '&')
            fputs("&amp;", to);
        else
            putc(*text, to);
    }
}

void plot__number(char *to, size_t size, double value)
{
    if (value >= 1e6)
        snprintf(to, size, "%.3gM", value / 1e6);
    else if (value >= 1e3)
        snprintf(to, size, "%.3gk", value / 1e3);
    else
        snprintf(to, size, "%.3g", value);
}

/* ---- the frame ----------------------------------------------------------------------------- */

void plot__begin(FILE *to, int height, const char *title, const struct options *alone)
{
    if (alone)
        height += 20;
    fputs("<svg ", to);
    if (alone)
        fputs("xmlns=\"http://www.w3.org/2000/svg\" ", to);
    fprintf(to, "viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">\n<title>", WIDTH,
            height, WIDTH, height);
    plot__text(to, title);
    fputs("</title>\n", to);
    if (alone) {
        fputs("<desc>", to);
        plot__text(to, alone->command);
        fputs("</desc>\n", to);
        fputs(style, to);
    }
    fputs("<text class=\"title\" x=\"4\" y=\"16\">", to);
    plot__text(to, title);
    fputs("</text>\n", to);
}

void plot__end(FILE *to, int height, const struct options *alone)
{
    if (alone) {
        const struct machine *m = &alone->machine;
        fprintf(to, "<text x=\"4\" y=\"%d\" style=\"font-size:10px\">", height + 12);
        fprintf(to, "uaio %s, %ld &#215; ", UAIO_VERSION, m->processors);
        plot__text(to, m->processor);
        fprintf(to, ", %s, %s, %u rounds of %g s, %.10s</text>\n", m->kernel, m->filesystem,
                alone->rounds, alone->seconds, m->date);
    }
    fputs("</svg>\n", to);
}

/* ---- axes ---------------------------------------------------------------------------------- */

/* The greatest of ..., 0.1, 0.2, 0.5, 1, 2, 5, ... that is not above the value. */
static double step_below(double value)
{
    double decade = pow(10, floor(log10(value) + 1e-9));

    return decade * (value / decade > 4.999 ? 5 : value / decade > 1.999 ? 2 : 1);
}

static double step_above(double value)
{
    double below = step_below(value), decade = pow(10, floor(log10(below) + 1e-9));

    if (below > value * 0.999)
        return below;
    return below / decade < 1.5 ? 2 * decade : below / decade < 3 ? 5 * decade : 10 * decade;
}

struct axis plot__axis(double least, double most, int from, int pixels_to)
{
    struct axis axis = {log10(step_below(least)), log10(step_above(most)), from, pixels_to};

    if (axis.most < axis.least + 0.3)
        axis.most = axis.least + 0.31;
    return axis;
}

double plot__place(const struct axis *axis, double value)
{
    double at = log10(value > 0 ? value : 1e-9);

    return axis->from + (at - axis->least) / (axis->most - axis->least) * (axis->to - axis->from);
}

/* At 1, 2 and 5 of each decade, or at decades alone where there are many. */
void plot__vertical_ticks(FILE *to, const struct axis *y)
{
    const bool few = y->most - y->least < 3;
    double value = pow(10, y->least);
    char label[32];

    while (value < pow(10, y->most) * 1.001) {
        double p = plot__place(y, value), decades = log10(value);
        if (few || fabs(decades - round(decades)) < 0.01) {
            plot__number(label, sizeof label, value);
            fprintf(to,
                    "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
                    "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                    LEFT, p, WIDTH - RIGHT, p, LEFT - 6, p + 4, label);
        }
        value = step_above(value * 1.01);
    }
}

void plot__tick_below(FILE *to, double x, const char *label)
{
    fprintf(to,
            "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
            "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
            x, TOP, x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 16, label);
}

void plot__axis_name(FILE *to, const char *name)
{
    fprintf(to, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, name);
}

/* ---- contenders ------------------------------------------------------------------------------ */

static unsigned index_of(const struct contender *contender)
{
    unsigned i = 0;

    while (i < n_contenders && contenders[i] != contender)
        i++;
    return i;
}

/* Ours are thick; what is nobody's library is dashed. */
void plot__begin_line(FILE *to, const struct contender *contender)
{
    fprintf(to, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"%s\"%s d=\"", contender->colour,
            strncmp(contender->name, "uaio", 4) == 0 ? "2.75" : "1.5",
            contender->synchronous ? " stroke-dasharray=\"5 3\"" : "");
}

/* Each has a shape of its own, for those to whom colours say little. */
void plot__mark(FILE *to, const struct contender *contender, double x, double y)
{
    static const char *const shapes[] = {
        "m-4 -4h8v8h-8z",                                /* square */
        "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z", /* disc */
        "m0 -5l5 9h-10z",                                /* triangle */
        "m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",           /* diamond */
        "m0 5l5 -9h-10z",                                /* triangle, upside down */
        "m-4 -1.2h8v2.4h-8z",                            /* dash */
    };

    fprintf(to, "<path fill=\"%s\" d=\"M%.1f %.1f%s\"/>\n", contender->colour, x, y,
            shapes[index_of(contender) % (sizeof shapes / sizeof *shapes)]);
}

void plot__legend(FILE *to, const struct series *series, const bool shown[])
{
    const int x = WIDTH - RIGHT + 16;
    int y = TOP + 10 - 22;

    for (unsigned i = 0; i < series->n; i++) {
        const struct contender *contender = series->results[i].contender;

        if (!shown[i])
            continue;
        y += 22;
        plot__begin_line(to, contender);
        fprintf(to, "M%d %dh26\"/>", x, y);
        plot__mark(to, contender, x + 13, y);
        fprintf(to, "<text x=\"%d\" y=\"%d\">%s</text>\n", x + 34, y + 4, contender->title);
    }
}
