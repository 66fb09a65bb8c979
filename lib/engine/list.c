/* SPDX-License-Identifier: MIT */
#include "list.h"
#include "notify.h"
#include "wait.h"

struct request *list__new(bool waited)
{
    struct request *list = request__new(REQUEST_RUNNING, false);

    if (!list)
        return NULL;
    list->operation.kind = OPERATION_LIST;
    list->list.waited = waited;
    atomic_store_explicit(&list->list.pending, 1, memory_order_relaxed);
    return list;
}

void list__join(struct request *list, struct request *member)
{
    member->group = list;
    atomic_fetch_add_explicit(&list->list.pending, 1, memory_order_relaxed);
}

bool list__member_over(struct request *list)
{
    /* acq_rel: who ends the list sees what all members did. */
    if (atomic_fetch_sub_explicit(&list->list.pending, 1, memory_order_acq_rel) != 1)
        return true;
    request__advance(list, REQUEST_RUNNING, REQUEST_PUBLISHING);
    request__advance(list, REQUEST_PUBLISHING, REQUEST_DONE);
    wait__wake(list);
    if (!notify__send(list))
        return false;
    request__release(list);
    return true;
}

void list__close(struct request *list, bool keep)
{
    if (keep)
        request__hold(list);
    list__member_over(list);
}
