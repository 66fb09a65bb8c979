/* SPDX-License-Identifier: MIT */
/* Blocking calls, a thread for each request: the limit for all who use such. */

#include "bench.h"

#include <errno.h>
#include <unistd.h>

static int begin(struct engine *engine, char reason[REASON_MAX])
{
    (void)engine;
    *reason = '\0';
    return 0;
}

static int submit(struct engine *engine, unsigned i)
{
    const struct request *r = &engine->requests[i];
    ssize_t n;

    if (engine->stream)
        n = read(r->fd, r->buffer, r->nbytes);
    else
        n = r->write ? pwrite(r->fd, r->buffer, r->nbytes, r->offset)
                     : pread(r->fd, r->buffer, r->nbytes, r->offset);

    engine->done(engine, i, n < 0 ? -errno : n);
    return 0;
}

static void end(struct engine *engine)
{
    (void)engine;
}

static const char *cannot(const struct work *work)
{
    if (work->media == MEDIA_SOCKETS && work->depth > MAX_THREADS)
        return "a thread for each socket would be needed, and it has 64 at most";
    return NULL;
}

const struct contender contender__blocking = {
    .name = "blocking",
    .title = "blocking calls",
    .colour = "#8a6fc0",
    .open = begin,
    .submit = submit,
    .close = end,
    .cannot = cannot,
    .synchronous = true,
};
