/* SPDX-License-Identifier: MIT */
#include "report.h"
#include "config.h"
#include "engine.h"
#include "stats.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static atomic_uint reported; /* relaxed: once a process */

/* Formatted by hand: snprintf() is not async-signal-safe, _exit() is. */
struct text {
    char bytes[4096];
    size_t length;
};

static void put(struct text *text, const char *s)
{
    size_t n = strlen(s);

    if (n > sizeof text->bytes - text->length)
        n = sizeof text->bytes - text->length;
    memcpy(text->bytes + text->length, s, n);
    text->length += n;
}

static void put_number(struct text *text, uint64_t n)
{
    char digits[24];
    char *at = digits + sizeof digits;

    *--at = '\0';
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    put(text, at);
}

static void put_name(struct text *text, const char *name)
{
    put(text, "  ");
    put(text, name);
    for (size_t width = strlen(name); width < 16; width++)
        put(text, " ");
}

static void put_line(struct text *text, const char *name, uint64_t n)
{
    put_name(text, name);
    put_number(text, n);
    put(text, "\n");
}

static void put_counters(struct text *text)
{
    struct pool_stats io = pool__stats(engine__pool());
    struct pool_stats notify = pool__stats(notify__pool());
    uint64_t reads = uaio__stat(STAT_READS), writes = uaio__stat(STAT_WRITES),
             syncs = uaio__stat(STAT_SYNCS), polls = uaio__stat(STAT_POLLS);

    put(text, "uaio: pid ");
    put_number(text, (uint64_t)getpid());
    put(text, "\n");
    put_line(text, "submitted", reads + writes + syncs + polls);
    put_line(text, "reads", reads);
    put_line(text, "writes", writes);
    put_line(text, "syncs", syncs);
    put_line(text, "polls", polls);
    put_line(text, "lists", uaio__stat(STAT_LISTS));
    put_line(text, "contexts", uaio__stat(STAT_CONTEXTS));
    put_line(text, "contexts_native", uaio__stat(STAT_NATIVE));
    put_line(text, "completed", uaio__stat(STAT_COMPLETED));
    put_line(text, "failed", uaio__stat(STAT_FAILED));
    put_line(text, "canceled", uaio__stat(STAT_CANCELED));
    put_line(text, "refused", uaio__stat(STAT_REFUSED));
    put_line(text, "inline_hits", uaio__stat(STAT_INLINE_HITS));
    put_line(text, "inline_misses", uaio__stat(STAT_INLINE_MISSES));
    put_line(text, "waited", uaio__stat(STAT_WAITED));
    put_line(text, "helped", uaio__stat(STAT_HELPED));
    put_line(text, "signals", uaio__stat(STAT_SIGNALS));
    put_line(text, "callbacks", uaio__stat(STAT_CALLBACKS));
    put_line(text, "wakeups", io.wakeups + notify.wakeups);
    put_line(text, "threads_started", io.started + notify.started);
    put_line(text, "threads_refused", io.start_fails + notify.start_fails);
    put_line(text, "threads_max", io.threads_max);
    put_line(text, "in_flight_max",
             atomic_load_explicit(&uaio__stats.in_flight_max, memory_order_relaxed));
}

/* Microseconds, with one decimal. */
static void put_us(struct text *text, const char *name, uint64_t ns)
{
    uint64_t tenths = ns / 100 + (ns % 100 >= 50);

    put(text, name);
    put_number(text, tenths / 10);
    put(text, ".");
    put_number(text, tenths % 10);
}

/* Nothing of what never happened. */
static void put_latency(struct text *text, const char *name, enum timed kind)
{
    uint64_t max = uaio__latency(kind, 1000);

    if (max == 0)
        return;
    put_name(text, name);
    put_us(text, "p50 ", uaio__latency(kind, 500));
    put_us(text, " p99 ", uaio__latency(kind, 990));
    put_us(text, " max ", max);
    put(text, "\n");
}

void uaio__report_reset(void)
{
    atomic_store_explicit(&reported, 0, memory_order_relaxed);
}

void uaio__report(void)
{ /* Else our settings are not read, nor locks taken. */
    if (!uaio__stats_own() || !uaio__config()->stats ||
        atomic_exchange_explicit(&reported, 1, memory_order_relaxed))
        return;

    bool to_stderr = strcmp(uaio__config()->stats, "stderr") == 0;
    int fd = to_stderr ? STDERR_FILENO : uaio__open_stats(uaio__config()->stats);
    struct text text = {.length = 0};

    if (fd < 0)
        return;
    put_counters(&text);
    put_latency(&text, "read_us", TIMED_READ);
    put_latency(&text, "write_us", TIMED_WRITE);
    put_latency(&text, "sync_us", TIMED_SYNC);
    (void)!write(fd, text.bytes, text.length);
    if (!to_stderr)
        close(fd);
}
