/* SPDX-License-Identifier: MIT */
/* The works: their names, and which are measured. */

#include "options.h"

#include <string.h>

const char *const media_words[] = {"cached", "cold", "direct", "sockets", NULL};
const char *const io_words[] = {"read", "write", "mixed", NULL};
const char *const order_words[] = {"random", "sequential", NULL};

void work__name(const struct work *work, char *name, size_t size)
{
    const char *unit = work->block % 1024 == 0 ? "k" : "";
    size_t block = *unit ? work->block / 1024 : work->block;
    const char *order = work->media == MEDIA_SOCKETS ? "" : order_words[work->order];
    size_t n = (size_t)snprintf(name, size, "%s %s%s%s %zu%s", media_words[work->media], order,
                                *order ? " " : "", io_words[work->io], block, unit);

    if (work->depth > 0 && n < size)
        n += (size_t)snprintf(name + n, size - n, " depth %u", work->depth);
    if (work->threads > 1 && n < size)
        snprintf(name + n, size - n, " threads %u", work->threads);
}

static void choose_works(struct options *options)
{
    static const struct work choice[] = {
        {MEDIA_CACHED, IO_READ, ORDER_RANDOM, 4096, 1, 1},
        {MEDIA_CACHED, IO_READ, ORDER_RANDOM, 4096, 32, 1},
        {MEDIA_CACHED, IO_READ, ORDER_RANDOM, 4096, 1024, 1},
        {MEDIA_CACHED, IO_READ, ORDER_RANDOM, 4096, 32, 4},
        {MEDIA_CACHED, IO_READ, ORDER_RANDOM, 256 * 1024, 8, 1},
        {MEDIA_CACHED, IO_WRITE, ORDER_RANDOM, 4096, 1, 1},
        {MEDIA_CACHED, IO_WRITE, ORDER_RANDOM, 4096, 32, 1},
        {MEDIA_COLD, IO_READ, ORDER_RANDOM, 4096, 32, 1},
        {MEDIA_COLD, IO_READ, ORDER_SEQUENTIAL, 64 * 1024, 8, 1},
        {MEDIA_DIRECT, IO_READ, ORDER_RANDOM, 4096, 1, 1},
        {MEDIA_DIRECT, IO_READ, ORDER_RANDOM, 4096, 32, 1},
        {MEDIA_DIRECT, IO_MIXED, ORDER_RANDOM, 4096, 32, 1},
        {MEDIA_SOCKETS, IO_READ, ORDER_RANDOM, 4096, 32, 1},
        {MEDIA_SOCKETS, IO_READ, ORDER_RANDOM, 4096, 1024, 1},
    };

    memcpy(options->works, choice, sizeof choice);
    options->n_works = sizeof choice / sizeof *choice;
}

static void default_to(struct list *list, unsigned n, const uint64_t values[])
{
    if (list->n == 0) {
        list->n = n;
        memcpy(list->value, values, n * sizeof *values);
    }
}

/* The i-th of the combinations, the last list running fastest. */
static struct work combination(const struct lists *lists, unsigned i)
{
    const struct list *const each[] = {&lists->threads, &lists->depth, &lists->block,
                                       &lists->order,   &lists->io,    &lists->media};
    uint64_t value[6];

    for (unsigned k = 0; k < 6; k++) {
        value[k] = each[k]->value[i % each[k]->n];
        i /= each[k]->n;
    }
    return (struct work){(enum media)value[5], (enum io)value[4],  (enum order)value[3],
                         (size_t)value[2],     (unsigned)value[1], (unsigned)value[0]};
}

bool works__combine(struct options *options, struct lists *lists)
{
    unsigned n;

    if (lists->media.n + lists->io.n + lists->order.n + lists->block.n + lists->depth.n +
            lists->threads.n ==
        0) {
        choose_works(options);
        return true;
    }
    default_to(&lists->media, 1, (uint64_t[]){MEDIA_CACHED});
    default_to(&lists->io, 1, (uint64_t[]){IO_READ});
    default_to(&lists->order, 1, (uint64_t[]){ORDER_RANDOM});
    default_to(&lists->block, 1, (uint64_t[]){4096});
    default_to(&lists->depth, 2, (uint64_t[]){1, 32});
    default_to(&lists->threads, 1, (uint64_t[]){1});
    n = lists->media.n * lists->io.n * lists->order.n * lists->block.n * lists->depth.n *
        lists->threads.n;
    if (n > MAX_WORKS) {
        fprintf(stderr, "uaio bench: %u combinations, and at most %d can be measured in a run\n", n,
                MAX_WORKS);
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        struct work work = combination(lists, i);
        if (work.threads > work.depth)
            work.threads = work.depth;
        if (work.media == MEDIA_SOCKETS && work.order != (enum order)lists->order.value[0])
            continue; /* they have none: once is enough */
        options->works[options->n_works++] = work;
    }
    return true;
}
