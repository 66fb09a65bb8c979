/* SPDX-License-Identifier: MIT */
/* threadpool/queue.h: intrusive lists. */
#include "queue.h"
#include "unit.h"

struct thing {
    int before; /* so that the node is not at the start */
    struct queue_node node;
};

static struct queue queue;
static struct thing a, b, c;

static void setup(void)
{
    queue_init(&queue);
}

/* Are `n` things, `want`, what the queue holds, both ways round? */
static bool holds(struct thing *const *want, unsigned n)
{
    struct queue_node *node = queue_first(&queue);
    const struct queue_node *back = queue.ring.prev;

    for (unsigned i = 0; i < n; i++, node = queue_next(&queue, node))
        if (!node || queue_entry(node, struct thing, node) != want[i])
            return false;
    for (unsigned i = n; i-- > 0; back = back->prev)
        if (back != &want[i]->node)
            return false;
    return node == NULL && back == &queue.ring;
}

START_TEST(starts_empty)
{
    ck_assert(queue_empty(&queue));
    ck_assert_ptr_null(queue_first(&queue));
}
END_TEST

START_TEST(push_back_keeps_the_order)
{
    queue_push_back(&queue, &a.node);
    queue_push_back(&queue, &b.node);
    queue_push_back(&queue, &c.node);
    ck_assert(!queue_empty(&queue));
    ck_assert(holds((struct thing *[]){&a, &b, &c}, 3));
}
END_TEST

START_TEST(push_front_reverses_it)
{
    queue_push_front(&queue, &a.node);
    queue_push_front(&queue, &b.node);
    queue_push_front(&queue, &c.node);
    ck_assert(holds((struct thing *[]){&c, &b, &a}, 3));
}
END_TEST

START_TEST(insert_after_puts_it_in_between)
{
    queue_push_back(&queue, &a.node);
    queue_push_back(&queue, &c.node);
    queue_insert_after(&a.node, &b.node);
    ck_assert(holds((struct thing *[]){&a, &b, &c}, 3));
}
END_TEST

/* "unlinking is O(1) from the middle", and the ends are no special case. */
START_TEST(remove_works_at_any_place)
{
    struct thing *left[3][2] = {{&b, &c}, {&a, &c}, {&a, &b}};
    struct thing *all[3] = {&a, &b, &c};

    for (unsigned gone = 0; gone < 3; gone++) {
        queue_init(&queue);
        for (unsigned i = 0; i < 3; i++)
            queue_push_back(&queue, &all[i]->node);
        queue_remove(&all[gone]->node);
        ck_assert(holds(left[gone], 2));
    }
}
END_TEST

START_TEST(is_empty_again_and_of_use)
{
    queue_push_back(&queue, &a.node);
    queue_remove(&a.node);
    ck_assert(queue_empty(&queue));
    queue_push_front(&queue, &b.node);
    ck_assert(holds((struct thing *[]){&b}, 1));
}
END_TEST

Suite *queue_suite(void)
{
    Suite *suite = suite_create("queue");
    TCase *tcase = add_case(suite, "queue");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, starts_empty);
    tcase_add_test(tcase, push_back_keeps_the_order);
    tcase_add_test(tcase, push_front_reverses_it);
    tcase_add_test(tcase, insert_after_puts_it_in_between);
    tcase_add_test(tcase, remove_works_at_any_place);
    tcase_add_test(tcase, is_empty_again_and_of_use);
    return suite;
}
