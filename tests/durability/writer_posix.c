/* SPDX-License-Identifier: MIT */
/*
 * The writer's POSIX face: aio_write() or lio_listio(), and an aio_fsync() right
 * behind them, which covers all that was queued before it.  The sync is waited
 * for by aio_suspend(), or acknowledged by its callback.
 */
#include "durability.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct group {
    const struct plan *plan;
    unsigned number;
    bool by_callback;
    sem_t told;
    struct aiocb writes[GROUP_MAX], sync;
    unsigned char data[GROUP_MAX][SLOT_BYTES];
};

const char *const face_name = "posix";

bool face_promises(enum ending ending)
{
    (void)ending; /* nothing, as libc */
    return false;
}

static void must(bool condition, const char *what)
{
    if (!condition)
        note_broken(what);
}

static void submit_writes(struct group *g, int fd)
{
    unsigned first = g->number * GROUP_MAX, n = plan_members(g->plan, g->number);
    struct aiocb *list[GROUP_MAX];
    bool as_list = plan_random(g->plan, 4 * RECORDS + g->number) & 1;

    memset(g->writes, 0, sizeof g->writes);
    for (unsigned i = 0; i < n; i++) {
        plan_fill(g->plan, first + i, g->data[i]);
        g->writes[i].aio_fildes = fd;
        g->writes[i].aio_buf = g->data[i];
        g->writes[i].aio_nbytes = plan_length(g->plan, first + i);
        g->writes[i].aio_offset = (off_t)(first + i) * SLOT_BYTES;
        g->writes[i].aio_sigevent.sigev_notify = SIGEV_NONE;
        g->writes[i].aio_lio_opcode = LIO_WRITE;
        list[i] = &g->writes[i];
        note_submission(first + i);
        if (!as_list)
            must(aio_write(&g->writes[i]) == 0, "aio_write failed");
    }
    if (as_list)
        must(lio_listio(LIO_NOWAIT, list, (int)n, NULL) == 0, "lio_listio failed");
    for (unsigned i = 0; i < n; i++)
        note_acceptance(first + i);
}

static void acknowledge(struct group *g)
{
    unsigned n = plan_members(g->plan, g->number);

    must(aio_error(&g->sync) == 0 && aio_return(&g->sync) == 0, "a sync failed");
    for (unsigned i = 0; i < n; i++)
        must(aio_error(&g->writes[i]) == 0 &&
                 aio_return(&g->writes[i]) == (ssize_t)g->writes[i].aio_nbytes,
             "a write failed, or was not over before the sync");
    note_acknowledged(g->plan, g->number);
}

static void synced(union sigval value)
{
    struct group *g = value.sival_ptr;

    acknowledge(g);
    sem_post(&g->told);
}

static void submit_sync(struct group *g, int fd)
{
    memset(&g->sync, 0, sizeof g->sync);
    g->sync.aio_fildes = fd;
    g->sync.aio_sigevent.sigev_notify = SIGEV_NONE;
    g->by_callback = plan_random(g->plan, 5 * RECORDS + g->number) & 1;
    if (g->by_callback) {
        g->sync.aio_sigevent.sigev_notify = SIGEV_THREAD;
        g->sync.aio_sigevent.sigev_notify_function = synced;
        g->sync.aio_sigevent.sigev_value.sival_ptr = g;
    }
    must(aio_fsync(plan_sync_is_full(g->plan, g->number) ? O_SYNC : O_DSYNC, &g->sync) == 0,
         "aio_fsync failed");
}

static void await(struct group *g)
{
    const struct aiocb *const list[] = {&g->sync};

    if (g->by_callback) {
        while (sem_wait(&g->told) != 0)
            ;
        return;
    }
    while (aio_error(&g->sync) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    acknowledge(g);
}

void face_write(const struct plan *plan, int fd)
{
    static struct group groups[DEPTH_MAX];

    for (unsigned n = 0; n < plan->stop; n++) {
        struct group *g = &groups[n % plan->depth];

        if (n >= plan->depth)
            await(g);
        else
            sem_init(&g->told, 0, 0);
        g->plan = plan;
        g->number = n;
        submit_writes(g, fd);
        submit_sync(g, fd);
    }
    if (plan->ending != BY_KILL)
        return;
    for (unsigned n = plan->stop - plan->depth; n < plan->stop; n++)
        await(&groups[n % plan->depth]);
}
