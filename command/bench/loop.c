/* SPDX-License-Identifier: MIT */
/*
 * What a thread of a round does: start requests until all are in flight or the
 * contender takes no more, reap at least one, and so on.
 */

#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECKED 64 /* every so many-th block */

int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void *must_allocate(size_t n, size_t size)
{
    void *memory = NULL;

    /* Whole pages, which exist: what the library takes is counted beside these. */
    if (n == 0 || size > SIZE_MAX / n || posix_memalign(&memory, 4096, n * size) != 0) {
        fprintf(stderr, "uaio bench: no memory for %zu x %zu bytes\n", n, size);
        exit(1);
    }
    memset(memory, 0, n * size);
    return memory;
}

#define MAX_BUFFERS ((size_t)256 << 20) /* bytes; beyond, requests share them */

size_t work__buffers(const struct work *work)
{
    size_t n = MAX_BUFFERS / work->block;

    return n < work->depth ? n : work->depth;
}

/* ---- which block comes next -------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t blocks_of(const struct loop *loop)
{
    return loop->files->bytes / loop->work->block * loop->files->n;
}

/* What is cold is so once: a walk through all blocks that comes to each but once. */
static uint64_t next_block(struct loop *loop)
{
    uint64_t n = blocks_of(loop), i = loop->begun * loop->of + loop->number;

    if (loop->work->order == ORDER_SEQUENTIAL)
        return i % n;
    if (loop->work->media == MEDIA_COLD)
        return (loop->options->seed + i * UINT64_C(7368787)) % n; /* a prime: no n's divisor */
    return next_random(&loop->random) % n;
}

static bool is_done(const struct loop *loop)
{
    if (loop->limit > 0 && loop->begun >= loop->limit)
        return true;
    return loop->work->media == MEDIA_COLD && loop->begun * loop->of >= blocks_of(loop);
}

/* ---- the loop ------------------------------------------------------------------------- */

static bool uses_sockets(const struct loop *loop)
{
    return loop->work->media == MEDIA_SOCKETS;
}

static void set_up(struct loop *loop, struct request *r)
{
    enum io io = loop->work->io;
    uint64_t block;

    if (uses_sockets(loop)) {
        r->made_at = r->turn * SECTOR;
        return;
    }
    block = next_block(loop);
    r->file = (unsigned)(block % loop->files->n);
    r->fd = loop->files->fd[r->file];
    r->offset = (int64_t)(block / loop->files->n * loop->work->block);
    r->made_at = (uint64_t)r->offset;
    r->write = io == IO_WRITE || (io == IO_MIXED && next_random(&loop->random) & 1);
    if (r->write)
        files__fill(r->buffer, r->nbytes, r->file, (uint64_t)r->offset);
}

static bool is_right(const struct loop *loop, const struct request *r)
{
    uint64_t word;

    if (r->write || loop->shares_buffers || loop->operations % CHECKED)
        return true;
    memcpy(&word, r->buffer, sizeof word);
    return word == files__word(r->file, r->made_at);
}

void loop__done(struct engine *engine, unsigned i, long result)
{
    struct loop *loop = engine->loop;
    struct request *r = &engine->requests[i];

    if (result != (long)r->nbytes)
        loop->failed++;
    else if (!is_right(loop, r))
        loop->wrong++;
    loop->operations++;
    histogram__add(&loop->completion, now_ns() - r->begun_ns);
    loop->idle[loop->n_idle++] = i;
}

/* Who reads at once has to ask before; the others ask when their reads are pending. */
static int ask_for(struct loop *loop, unsigned i)
{
    uint32_t number = loop->engine.requests[i].file;

    if (!uses_sockets(loop))
        return 0;
    loop->engine.requests[i].turn++;
    if (loop->engine.contender->synchronous)
        return sockets__ask(&loop->files->sockets, &number, 1);
    loop->to_ask[loop->n_to_ask++] = number;
    return 0;
}

static int ask_all(struct loop *loop)
{
    const struct contender *contender = loop->engine.contender;
    unsigned n = loop->n_to_ask;
    int err = n > 0 && contender->flush ? contender->flush(&loop->engine) : 0;

    loop->n_to_ask = 0;
    return err ? err : sockets__ask(&loop->files->sockets, loop->to_ask, n);
}

/* Not before all have been in flight, however deep the queue and short the time. */
static bool time_is_over(const struct loop *loop, int64_t now)
{
    return loop->limit == 0 && now >= loop->end_ns && loop->begun >= loop->engine.depth;
}

/* Start one; false: no more can be started now. */
static bool start(struct loop *loop)
{
    unsigned i = loop->idle[loop->n_idle - 1];
    struct request *r = &loop->engine.requests[i];
    unsigned in_flight;
    int err = 0;

    set_up(loop, r);
    r->begun_ns = now_ns();
    if (time_is_over(loop, r->begun_ns))
        return false;
    in_flight = loop->engine.depth - --loop->n_idle;
    if (loop->engine.contender->synchronous)
        err = ask_for(loop, i);
    if (!err)
        err = loop->engine.contender->submit(&loop->engine, i);
    if (!err && !loop->engine.contender->synchronous)
        err = ask_for(loop, i);
    if (err) {
        loop->idle[loop->n_idle++] = i;
        if (err != EAGAIN || loop->n_idle == loop->engine.depth)
            loop->error = err;
        return false;
    }
    loop->begun++;
    if (in_flight > loop->in_flight)
        loop->in_flight = in_flight;
    histogram__add(&loop->submission, now_ns() - r->begun_ns);
    return true;
}

static void work_until_done(struct loop *loop)
{
    const struct contender *contender = loop->engine.contender;

    for (;;) {
        while (loop->n_idle > 0 && !loop->error && !is_done(loop) && start(loop))
            ;
        if (loop->n_idle == loop->engine.depth)
            return;
        if (!contender->synchronous) {
            int err = ask_all(loop);
            if (!err)
                err = contender->reap(&loop->engine);
            if (err) {
                loop->error = err;
                return;
            }
        }
    }
}

void *loop__run(void *argument)
{
    struct loop *loop = argument;
    const struct contender *contender = loop->engine.contender;

    loop->error = contender->open(&loop->engine, loop->reason);
    pthread_barrier_wait(loop->ready);
    if (loop->error)
        return NULL;
    loop->begun_ns = now_ns();
    loop->end_ns = loop->begun_ns + (int64_t)(loop->options->seconds * 1e9);
    work_until_done(loop);
    loop->ended_ns = now_ns();
    if (!loop->error)
        contender->close(&loop->engine);
    return NULL;
}

void loop__make_requests(struct loop *loop, char *buffers, size_t n_buffers)
{
    struct engine *engine = &loop->engine;

    engine->requests = must_allocate(engine->depth, sizeof *engine->requests);
    loop->idle = must_allocate(engine->depth, sizeof *loop->idle);
    loop->to_ask = must_allocate(engine->depth, sizeof *loop->to_ask);
    loop->n_idle = engine->depth;
    for (unsigned i = 0; i < engine->depth; i++) {
        size_t buffer = ((size_t)loop->first + i) % n_buffers;
        engine->requests[i].buffer = buffers + buffer * loop->work->block;
        engine->requests[i].nbytes = loop->work->block;
        if (uses_sockets(loop)) {
            engine->requests[i].file = loop->first + i;
            engine->requests[i].fd = loop->files->sockets.fd[loop->first + i];
        }
        loop->idle[i] = engine->depth - 1 - i;
    }
}
