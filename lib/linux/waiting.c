/* SPDX-License-Identifier: MIT */
#include "waiting.h"
#include "engine.h"
#include "os/thread.h"

#include <errno.h>

static struct request *request_of(struct queue_node *node)
{
    struct completion *completion = queue_entry(node, struct completion, node);

    return queue_entry((unsigned char(*)[REQUEST_FACE_BYTES])(void *)completion, struct request,
                       face_data);
}

/*
 * [all signals blocked] Listed and watched in one step: who cancels finds it
 * only then, and who destroys the context after that finds it, too.
 */
int waiting__add(struct context *c, struct request *r)
{
    int err = -EINVAL;

    pthread_mutex_lock(&c->waiting_lock);
    if (context__alive(c)) {
        queue_push_back(&c->waiting, &completion_of(r)->node);
        err = r->operation.kind == OPERATION_POLL ? engine__watch(r) : 0;
        if (err)
            queue_remove(&completion_of(r)->node);
    }
    pthread_mutex_unlock(&c->waiting_lock);
    return err;
}

void waiting__remove(struct context *c, struct request *r)
{
    pthread_mutex_lock(&c->waiting_lock);
    queue_remove(&completion_of(r)->node);
    pthread_mutex_unlock(&c->waiting_lock);
}

/* Has it not been claimed by a worker, nor come to its end? */
static bool is_cancellable(enum request_state state)
{
    return state == REQUEST_HELD || state == REQUEST_WAITING || state == REQUEST_TRYING ||
           state == REQUEST_QUEUED;
}

/* The id of the first that is of that iocb (0: of any) and not yet over. */
static bool find(struct context *c, uint64_t object, struct request_id *id)
{
    bool found = false;
    sigset_t mask;

    pool__signals_block(&mask);
    pthread_mutex_lock(&c->waiting_lock);
    for (struct queue_node *node = queue_first(&c->waiting); node && !found;
         node = queue_next(&c->waiting, node)) {
        struct request *r = request_of(node);
        *id = request__id(r);
        found = (object == 0 || completion_of(r)->object == object) &&
                is_cancellable(request__state(r, id->generation));
    }
    pthread_mutex_unlock(&c->waiting_lock);
    pool__signals_restore(&mask);
    return found;
}

bool waiting__cancel(struct context *c, uint64_t object)
{
    struct request_id id;

    while (find(c, object, &id))
        if (engine__cancel(id) == CANCEL_DONE)
            return true;
    return false;
}

void waiting__cancel_all(struct context *c)
{
    while (waiting__cancel(c, 0))
        ;
}
