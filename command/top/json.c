/* SPDX-License-Identifier: MIT */
#include "top.h"

/* How many bytes of text are a character of UTF-8; 0: none is. */
static unsigned character(const unsigned char *text)
{
    unsigned n = text[0] < 0x80                      ? 1
                 : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                 : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                 : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                     : 0;

    for (unsigned i = 1; i < n; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    /* Too long a form, or no character at all. */
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return n;
}

/* Names of files are any bytes; JSON is UTF-8. */
static void put_string(FILE *to, const char *value)
{
    const unsigned char *at = (const unsigned char *)value;

    putc('"', to);
    while (*at) {
        unsigned n = character(at);
        if (n == 0)
            fputs("\\ufffd", to);
        else if (*at == '"' || *at == '\\')
            fprintf(to, "\\%c", *at);
        else if (*at < 0x20 || *at == 0x7f)
            fprintf(to, "\\u%04x", *at);
        else
            fwrite(at, 1, n, to);
        at += n > 0 ? n : 1;
    }
    putc('"', to);
}

static void put_counters(FILE *to, const struct view *view)
{
    fputs(", \"total\": {", to);
    for (unsigned i = 0; i < n_counter_names; i++)
        fprintf(to, "%s\"%s\": %llu", i ? ", " : "", counter_names[i].key,
                (unsigned long long)sample__counter(view->now, i));
    putc('}', to);
    if (view->seconds <= 0)
        return;
    fputs(", \"per_second\": {", to);
    for (unsigned i = 0; i < n_counter_names; i++)
        fprintf(to, "%s\"%s\": %.3f", i ? ", " : "", counter_names[i].key,
                (double)sample__counter(view->change, i) / view->seconds);
    putc('}', to);
}

static void put_latencies(FILE *to, const struct view *view)
{
    fputs(", \"latency_us\": {", to);
    for (unsigned i = 0; i < LATENCIES; i++) {
        const struct uaio_latency *latency = sample__latency(view->change, i);
        fprintf(to, "%s\"%s\": {\"samples\": %llu", i ? ", " : "", latency_names[i],
                (unsigned long long)latency->samples);
        for (unsigned p = 0; latency->samples && p < sizeof top__percents / sizeof *top__percents;
             p++)
            fprintf(to, ", \"%s\": %.3f", top__percent_names[p],
                    (double)uaio_latency_percentile(latency, top__percents[p]) / 1000);
        if (latency->samples)
            fprintf(to, ", \"max\": %.3f", (double)latency->max_ns / 1000);
        putc('}', to);
    }
    putc('}', to);
}

static void put_descriptors(FILE *to, const struct view *view)
{
    static unsigned fds[DESCRIPTORS];
    unsigned n = sample__busiest(view->change, fds, DESCRIPTORS);
    char name[4096];

    fputs(", \"descriptors\": [", to);
    for (unsigned i = 0; i < n; i++) {
        fprintf(to, "%s{\"fd\": %u, \"total\": %u", i ? ", " : "", fds[i],
                view->now->requests[fds[i]]);
        if (view->seconds > 0)
            fprintf(to, ", \"per_second\": %.3f", view->change->requests[fds[i]] / view->seconds);
        fprintf(to, ", \"in_flight\": %u, \"file\": ", view->now->in_flight[fds[i]]);
        process__file(view->process, fds[i], name, sizeof name);
        put_string(to, name);
        putc('}', to);
    }
    putc(']', to);
}

void view__write_json(FILE *to, const struct view *view)
{
    const struct uaio_stats *stats = &view->now->stats;

    fprintf(to, "{\"pid\": %d, \"program\": ", (int)process__pid(view->process));
    put_string(to, process__name(view->process));
    fputs(", \"version\": ", to);
    put_string(to, process__version(view->process));
    fputs(", \"objects\": ", to);
    put_string(to, process__objects(view->process));
    fprintf(to, ", \"time\": %.3f", view->now->time);
    if (view->seconds > 0)
        fprintf(to, ", \"seconds\": %.3f", view->seconds);
    fprintf(to,
            ", \"in_flight\": %llu, \"in_flight_max\": %llu, \"threads\": %llu, \"threads_max\": "
            "%llu, \"callback_threads\": %llu",
            (unsigned long long)stats->in_flight, (unsigned long long)stats->in_flight_max,
            (unsigned long long)stats->threads, (unsigned long long)stats->threads_max,
            (unsigned long long)stats->callback_threads);
    put_counters(to, view);
    put_latencies(to, view);
    put_descriptors(to, view);
    fprintf(to,
            ", \"settings\": {\"threads\": %u, \"idle_ms\": %u, \"max_requests\": %u, \"inline\": "
            "%s, \"help\": %s, \"backend\": \"%s\"}}\n",
            view->now->max_threads, view->now->idle_ms, view->now->max_requests,
            view->now->inline_reads ? "true" : "false", view->now->help ? "true" : "false",
            view->now->native_first ? "native-first" : "emulate");
}
