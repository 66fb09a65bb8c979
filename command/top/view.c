/* SPDX-License-Identifier: MIT */
/*
 * A view is text of so many columns; where there are fewer than two tables take side
 * by side, one is below the other.  What comes from the other process, names of files
 * above all, has nothing in it that a terminal would obey.
 */
#include "top.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

#define WIDTH 80      /* if nobody says */
#define CELL_WIDTH 37 /* a counter */
#define CELL_GAP 4
#define FILE_COLUMN 46 /* where the names of files begin */
#define DESCRIPTORS_SHOWN 10

#define NUMBER_BYTES 24

/* In at most `width` characters: thousands and more if they have to be. */
static const char *number(char to[NUMBER_BYTES], double n, int width)
{
    static const char units[] = " kMGTPE";
    unsigned unit = 0;

    if (n < 10 && n != (double)(int)n) {
        snprintf(to, NUMBER_BYTES, "%.1f", n);
        return to;
    }
    while (snprintf(to, NUMBER_BYTES, "%.0f", n) > width - (unit > 0) && units[unit + 1]) {
        n /= 1000;
        unit++;
    }
    if (unit > 0)
        snprintf(to + strlen(to), NUMBER_BYTES - strlen(to), "%c", units[unit]);
    return to;
}

/* What prints, as the locale has it; '?' for the rest. */
static void put_clean(FILE *to, const char *text)
{
    mbstate_t state = {0};
    wchar_t c;

    while (*text) {
        size_t n = mbrtowc(&c, text, strlen(text), &state);
        if (n == (size_t)-1 || n == (size_t)-2) {
            state = (mbstate_t){0};
            n = 1;
            putc('?', to);
        } else if (iswprint((wint_t)c)) {
            fwrite(text, 1, n, to);
        } else {
            putc('?', to);
        }
        text += n;
    }
}

/* The end of a name tells more than its beginning. */
static void put_file(FILE *to, const char *name, size_t room)
{
    if (strlen(name) > room && room > 3) {
        name += strlen(name) - (room - 3);
        while ((*name & 0xc0) == 0x80) /* within a character */
            name++;
        fputs("...", to);
    }
    put_clean(to, name);
}

static unsigned width_of(const struct view *view)
{
    return view->columns ? view->columns : WIDTH;
}

/* ---- the parts ------------------------------------------------------------------ */

static void put_heading(FILE *to, const struct view *view)
{
    time_t seconds = (time_t)view->now->time;
    char clock[32] = "";
    struct tm local;

    fprintf(to, "uaio %s in process %d, ", process__version(view->process),
            (int)process__pid(view->process));
    put_clean(to, process__name(view->process));
    fputs(" (", to);
    put_clean(to, process__objects(view->process));
    if (localtime_r(&seconds, &local))
        strftime(clock, sizeof clock, "%H:%M:%S", &local);
    fprintf(to, ")\n%s, ", clock);
    if (view->seconds > 0)
        fprintf(to, "the last %.1f s\n", view->seconds);
    else
        fputs("since the first request\n", to);
}

static void put_state(FILE *to, const struct view *view)
{
    const struct sample *now = view->now;
    double hits = sample__hit_rate(view->change);

    if (!now->used)
        fputs("no request has been made yet\n", to);
    else
        fprintf(to, "in flight %llu (most %llu)   threads %llu (most %llu of %u)",
                (unsigned long long)now->stats.in_flight,
                (unsigned long long)now->stats.in_flight_max,
                (unsigned long long)now->stats.threads, (unsigned long long)now->stats.threads_max,
                now->max_threads);
    if (now->used && hits >= 0)
        fprintf(to, "   inline hits %.1f %%", hits);
    fprintf(to, "%sup to %u threads, idle for %u ms, and %u requests; inline %s, help %s%s\n\n",
            now->used ? "\n" : "", now->max_threads, now->idle_ms, now->max_requests,
            now->inline_reads ? "on" : "off", now->help ? "on" : "off",
            now->native_first ? ", native first" : "");
}

static void put_cell(FILE *to, const struct view *view, unsigned i)
{
    char rate[NUMBER_BYTES] = "", total[NUMBER_BYTES];

    if (view->seconds > 0)
        number(rate, (double)sample__counter(view->change, i) / view->seconds, 9);
    number(total, (double)sample__counter(view->now, i), 12);
    fprintf(to, "%-14s%10s%13s", counter_names[i].name, rate, total);
}

static void put_counters(FILE *to, const struct view *view)
{
    unsigned columns = width_of(view) >= 2 * CELL_WIDTH + CELL_GAP ? 2 : 1;
    unsigned lines = n_counter_names / columns;

    for (unsigned column = 0; column < columns; column++)
        fprintf(to, "%*s%-14s%10s%13s", column ? CELL_GAP : 0, "", "",
                view->seconds > 0 ? "per second" : "", "total");
    putc('\n', to);
    for (unsigned line = 0; line < lines; line++) {
        for (unsigned column = 0; column < columns; column++) {
            fprintf(to, "%*s", column ? CELL_GAP : 0, "");
            put_cell(to, view, column * lines + line);
        }
        putc('\n', to);
    }
}

/* Microseconds. */
static void put_us(FILE *to, uint64_t ns)
{
    double us = (double)ns / 1000;
    char text[NUMBER_BYTES];

    if (us < 1000)
        snprintf(text, sizeof text, "%.1f", us);
    else
        number(text, us, 9);
    fprintf(to, "%10s", text);
}

static void put_latencies(FILE *to, const struct view *view)
{
    char text[NUMBER_BYTES];

    fprintf(to, "\n%-14s%10s", "latency, us", "samples");
    for (unsigned i = 0; i < sizeof top__percents / sizeof *top__percents; i++)
        fprintf(to, "%10s", top__percent_names[i]);
    fprintf(to, "%10s\n", "max");
    for (unsigned i = 0; i < LATENCIES; i++) {
        const struct uaio_latency *latency = sample__latency(view->change, i);
        fprintf(to, "%-14s%10s", latency_names[i], number(text, (double)latency->samples, 9));
        for (unsigned p = 0; latency->samples && p < sizeof top__percents / sizeof *top__percents;
             p++)
            put_us(to, uaio_latency_percentile(latency, top__percents[p]));
        if (latency->samples)
            put_us(to, latency->max_ns);
        putc('\n', to);
    }
}

static void put_descriptor(FILE *to, const struct view *view, unsigned fd)
{
    char rate[NUMBER_BYTES] = "", total[NUMBER_BYTES], in_flight[NUMBER_BYTES];
    unsigned width = width_of(view);
    char name[4096];

    if (view->seconds > 0)
        number(rate, (double)view->change->requests[fd] / view->seconds, 10);
    number(total, view->now->requests[fd], 12);
    number(in_flight, view->now->in_flight[fd], 10);
    fprintf(to, "%-10u%11s%13s%11s ", fd, rate, total, in_flight);
    process__file(view->process, fd, name, sizeof name);
    put_file(to, name[0] ? name : "-",
             view->columns == 0         ? sizeof name
             : width > FILE_COLUMN + 10 ? width - FILE_COLUMN
                                        : 10);
    putc('\n', to);
}

static void put_descriptors(FILE *to, const struct view *view, unsigned n)
{
    unsigned fds[DESCRIPTORS], found = sample__busiest(view->change, fds, n);

    fprintf(to, "\n%-10s%11s%13s%11s file\n", "descriptor", view->seconds > 0 ? "per second" : "",
            "total", "in flight");
    for (unsigned i = 0; i < found; i++)
        put_descriptor(to, view, fds[i]);
}

static unsigned lines_of(const char *text)
{
    unsigned n = 0;

    for (; (text = strchr(text, '\n')); text++)
        n++;
    return n;
}

void view__write(FILE *to, const struct view *view)
{
    unsigned n = DESCRIPTORS_SHOWN, used;
    char *text = NULL;
    size_t size;
    FILE *upper = open_memstream(&text, &size);

    if (!upper)
        return;
    put_heading(upper, view);
    put_state(upper, view);
    put_counters(upper, view);
    put_latencies(upper, view);
    fclose(upper);
    fputs(text, to);
    used = lines_of(text) + 2;
    free(text);
    if (view->rows > 0)
        n = view->rows > used ? view->rows - used : 0;
    put_descriptors(to, view, n < DESCRIPTORS ? n : DESCRIPTORS);
}
