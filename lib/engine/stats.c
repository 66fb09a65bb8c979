/* SPDX-License-Identifier: MIT */
#include "stats.h"
#include "config.h"
#include "engine.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define SHARDS 16u

static struct {
    _Alignas(64) _Atomic uint64_t count[STATS];
} shards[SHARDS];

static atomic_uint next_shard;
static _Thread_local unsigned own_shard; /* plus 1; 0: not chosen yet */

static atomic_uint in_flight_max;
static atomic_bool reported;
static _Atomic pid_t used_by; /* the process that has made a request; 0: none */

void uaio__count(enum counter counter)
{
    if (!own_shard)
        own_shard = atomic_fetch_add_explicit(&next_shard, 1, memory_order_relaxed) % SHARDS + 1;
    atomic_fetch_add_explicit(&shards[own_shard - 1].count[counter], 1, memory_order_relaxed);
}

void uaio__count_result(ssize_t result)
{
    uaio__count(result >= 0 ? STAT_COMPLETED : result == -ECANCELED ? STAT_CANCELED : STAT_FAILED);
}

void uaio__stats_in_flight(unsigned n)
{
    unsigned max = atomic_load_explicit(&in_flight_max, memory_order_relaxed);

    while (n > max && !atomic_compare_exchange_weak_explicit(
                          &in_flight_max, &max, n, memory_order_relaxed, memory_order_relaxed))
        ;
}

uint64_t uaio__stat(enum counter counter)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < SHARDS; i++)
        sum += atomic_load_explicit(&shards[i].count[counter], memory_order_relaxed);
    return sum;
}

void uaio__stats_begin(void)
{
    if (atomic_load_explicit(&used_by, memory_order_relaxed) == 0)
        atomic_store_explicit(&used_by, getpid(), memory_order_relaxed);
}

/* Its first request starts the count, and makes a report of its own due. */
void uaio__stats_reset(void)
{
    for (unsigned i = 0; i < SHARDS; i++)
        for (unsigned n = 0; n < STATS; n++)
            atomic_store_explicit(&shards[i].count[n], 0, memory_order_relaxed);
    atomic_store_explicit(&in_flight_max, 0, memory_order_relaxed);
    atomic_store_explicit(&reported, false, memory_order_relaxed);
    atomic_store_explicit(&used_by, 0, memory_order_relaxed);
}

bool uaio__stats_own(void)
{
    return atomic_load_explicit(&used_by, memory_order_relaxed) == getpid();
}

/* ---- the report ---------------------------------------------------------- */

/* Formatted by hand: snprintf() is not async-signal-safe, _exit() is. */
struct text {
    char bytes[2048];
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

static void put_line(struct text *text, const char *name, uint64_t n)
{
    put(text, "  ");
    put(text, name);
    for (size_t width = strlen(name); width < 16; width++)
        put(text, " ");
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
    put_line(text, "in_flight_max", atomic_load_explicit(&in_flight_max, memory_order_relaxed));
}

void uaio__report(void)
{ /* Else our settings are not read, nor locks taken. */
    if (!uaio__stats_own() || !uaio__config()->stats ||
        atomic_exchange_explicit(&reported, true, memory_order_relaxed))
        return;

    bool to_stderr = strcmp(uaio__config()->stats, "stderr") == 0;
    int fd = to_stderr ? STDERR_FILENO : uaio__open_stats(uaio__config()->stats);
    struct text text = {.length = 0};

    if (fd < 0)
        return;
    put_counters(&text);
    (void)!write(fd, text.bytes, text.length);
    if (!to_stderr)
        close(fd);
}
