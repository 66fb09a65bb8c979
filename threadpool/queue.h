/* SPDX-License-Identifier: MIT */
/*
 * Intrusive doubly linked lists: a node lives inside the thing that is
 * listed, so that linking never allocates and unlinking is O(1) from the
 * middle.  The list is a ring through its head, which spares every special
 * case for the ends.  Nothing here locks; the owner of a list says what
 * guards it.
 */
#ifndef UAIO_QUEUE_H
#define UAIO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct queue_node {
    struct queue_node *prev;
    struct queue_node *next;
};

struct queue {
    struct queue_node ring;
};

/* The thing of type `type` whose member `member` is the node `ptr`. */
#define queue_entry(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void queue_init(struct queue *q)
{
    q->ring.prev = &q->ring;
    q->ring.next = &q->ring;
}

static inline bool queue_empty(const struct queue *q)
{
    return q->ring.next == &q->ring;
}

/* The first node, or NULL. */
static inline struct queue_node *queue_first(const struct queue *q)
{
    return queue_empty(q) ? NULL : q->ring.next;
}

/* The node after `node`, or NULL at the end. */
static inline struct queue_node *queue_next(const struct queue *q, const struct queue_node *node)
{
    return node->next == &q->ring ? NULL : node->next;
}

static inline void queue_insert_after(struct queue_node *where, struct queue_node *node)
{
    node->prev = where;
    node->next = where->next;
    where->next->prev = node;
    where->next = node;
}

static inline void queue_push_front(struct queue *q, struct queue_node *node)
{
    queue_insert_after(&q->ring, node);
}

static inline void queue_push_back(struct queue *q, struct queue_node *node)
{
    queue_insert_after(q->ring.prev, node);
}

static inline void queue_remove(struct queue_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
}

#endif
