/* SPDX-License-Identifier: MIT */
/*
 * The writer's native face: a group's writes by one io_submit; a FSYNC or
 * FDSYNC, which is no barrier, when the last of them is over.
 */
#include "../linux/api.h"
#include "durability.h"

#include <string.h>

struct group {
    unsigned number, members, left; /* 0 left: it is over */
    bool syncing;
    struct iocb cbs[GROUP_MAX];
    unsigned char data[GROUP_MAX][SLOT_BYTES];
};

const char *const face_name = ROAD_LIBAIO ? "libaio" : "native";

static struct group groups[DEPTH_MAX];
static aio_context_t ctx;

/* README.md: of libaio.so.1 alone, exit. */
bool face_promises(enum ending ending)
{
    return ending == BY_EXIT || (!ROAD_LIBAIO && (ending == BY__EXIT || ending == BY_EXEC));
}

static void must(bool condition, const char *what)
{
    if (!condition)
        note_broken(what);
}

static void submit_writes(const struct plan *plan, struct group *g, int fd)
{
    struct iocb *list[GROUP_MAX];
    unsigned first = g->number * GROUP_MAX;
    long n;

    for (unsigned i = 0; i < g->members; i++) {
        plan_fill(plan, first + i, g->data[i]);
        g->cbs[i] = (struct iocb){.aio_data = (uintptr_t)g,
                                  .aio_lio_opcode = IOCB_CMD_PWRITE,
                                  .aio_fildes = (uint32_t)fd,
                                  .aio_buf = (uintptr_t)g->data[i],
                                  .aio_nbytes = plan_length(plan, first + i),
                                  .aio_offset = (int64_t)(first + i) * SLOT_BYTES};
        list[i] = &g->cbs[i];
        note_submission(first + i);
    }
    n = t_submit(ctx, (long)g->members, list);
    must(n == (long)g->members, "io_submit failed");
    for (unsigned i = 0; i < g->members; i++)
        note_acceptance(first + i);
}

static void submit_sync(const struct plan *plan, struct group *g, int fd)
{
    struct iocb *list[] = {&g->cbs[0]};

    g->syncing = true;
    g->left = 1;
    g->cbs[0] = (struct iocb){
        .aio_data = (uintptr_t)g,
        .aio_lio_opcode = plan_sync_is_full(plan, g->number) ? IOCB_CMD_FSYNC : IOCB_CMD_FDSYNC,
        .aio_fildes = (uint32_t)fd};
    must(t_submit(ctx, 1, list) == 1, "io_submit of a sync failed");
}

static void take_event(const struct plan *plan, const struct io_event *event, int fd)
{
    struct group *g = (struct group *)(uintptr_t)event->data;
    const struct iocb *cb = (const struct iocb *)(uintptr_t)event->obj;

    must(event->res == (g->syncing ? 0 : (int64_t)cb->aio_nbytes), "a write or a sync failed");
    if (--g->left > 0)
        return;
    if (g->syncing)
        note_acknowledged(plan, g->number);
    else
        submit_sync(plan, g, fd);
}

static void await(const struct plan *plan, const struct group *g, int fd)
{
    struct io_event events[GROUP_MAX];

    while (g->left > 0) {
        long n = t_getevents(ctx, 1, GROUP_MAX, events, NULL);

        must(n > 0, "io_getevents failed");
        for (long i = 0; i < n; i++)
            take_event(plan, &events[i], fd);
    }
}

void face_write(const struct plan *plan, int fd)
{
    must(t_setup(DEPTH_MAX * GROUP_MAX, &ctx) == 0, "io_setup failed");
    for (unsigned n = 0; n < plan->stop; n++) {
        struct group *g = &groups[n % plan->depth];

        await(plan, g, fd);
        g->number = n;
        g->members = g->left = plan_members(plan, n);
        g->syncing = false;
        submit_writes(plan, g, fd);
    }
    if (plan->ending != BY_KILL)
        return;
    for (unsigned i = 0; i < plan->depth; i++)
        await(plan, &groups[i], fd);
}
