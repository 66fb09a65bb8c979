/* SPDX-License-Identifier: MIT */
#include "polls.h"
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
int polls__add(struct context *c, struct request *r)
{
    int err = -EINVAL;

    pthread_mutex_lock(&c->polls_lock);
    if (context__alive(c)) {
        queue_push_back(&c->polls, &completion_of(r)->node);
        err = engine__watch(r);
        if (err)
            queue_remove(&completion_of(r)->node);
    }
    pthread_mutex_unlock(&c->polls_lock);
    return err;
}

void polls__remove(struct context *c, struct request *r)
{
    pthread_mutex_lock(&c->polls_lock);
    queue_remove(&completion_of(r)->node);
    pthread_mutex_unlock(&c->polls_lock);
}

/* The id of the first that is of that iocb (0: of any) and not yet ready. */
static bool find(struct context *c, uint64_t object, struct request_id *id)
{
    bool found = false;
    sigset_t mask;

    pool__signals_block(&mask);
    pthread_mutex_lock(&c->polls_lock);
    for (struct queue_node *node = queue_first(&c->polls); node && !found;
         node = queue_next(&c->polls, node)) {
        struct request *r = request_of(node);
        *id = request__id(r);
        found = (object == 0 || completion_of(r)->object == object) &&
                request__state(r, id->generation) == REQUEST_WAITING;
    }
    pthread_mutex_unlock(&c->polls_lock);
    pool__signals_restore(&mask);
    return found;
}

bool polls__cancel(struct context *c, uint64_t object)
{
    struct request_id id;

    while (find(c, object, &id))
        if (engine__cancel(id) == CANCEL_DONE)
            return true;
    return false;
}

void polls__cancel_all(struct context *c)
{
    while (polls__cancel(c, 0))
        ;
}
