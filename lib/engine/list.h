/* SPDX-License-Identifier: MIT */
/*
 * A list of requests that are submitted, and may be waited for, together.  It
 * is itself a request that is never posted: its completion is that of its last
 * member, and is published, waited for and notified by the same means.
 */
#ifndef UAIO_LIST_H
#define UAIO_LIST_H

#include "request.h"

/*
 * A new list, which the caller holds until list__close(); NULL without memory.
 * `waited`: the caller means to wait for the I/O of the members; else the list
 * is over when each of them has notified.
 */
struct request *list__new(bool waited);

/* A request joins the list, before it is submitted. */
void list__join(struct request *list, struct request *member);

/* A member is over (its I/O, or also its notification: see list__new()).  False
 * as from notify__send(). */
bool list__member_over(struct request *list);

/* All members have joined.  With `keep` the caller still holds the list and
 * releases it later. */
void list__close(struct request *list, bool keep);

#endif
