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
    ssize_t n = r->write ? pwrite(r->fd, r->buffer, r->nbytes, r->offset)
                         : pread(r->fd, r->buffer, r->nbytes, r->offset);

    engine->done(engine, i, n < 0 ? -errno : n);
    return 0;
}

static void end(struct engine *engine)
{
    (void)engine;
}

const struct contender contender__blocking = {
    .name = "blocking",
    .title = "blocking calls",
    .colour = "#7a5ea8",
    .open = begin,
    .submit = submit,
    .close = end,
    .synchronous = true,
};
