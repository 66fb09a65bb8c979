/* SPDX-License-Identifier: MIT */
/* slab.h: slots are one user's at a time, whatever is given back meanwhile. */
#include "unit.h"

#include "slab.h"

#include <check.h>
#include <pthread.h>

enum { SLOTS = 3 * SLAB_CHUNK_SLOTS / 2, ROUNDS = 20000 };

struct marked {
    struct slab_slot slot;
    _Atomic uint32_t mark;
    char rest[240];
};

static struct slab slab = {.slot_size = sizeof(struct marked)};
static struct marked *slots[SLOTS];
static atomic_bool stop;

static struct marked *get(void)
{
    return (struct marked *)(void *)slab__get(&slab);
}

START_TEST(each_slot_is_given_once)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        slots[i] = get();
        ck_assert_ptr_nonnull(slots[i]);
        ck_assert_uint_eq(slots[i]->mark, 0);
        slots[i]->mark = i + 1;
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        ck_assert_uint_eq(slots[i]->mark, i + 1);
        ck_assert_ptr_eq(slab__at(&slab, slots[i]->slot.index), &slots[i]->slot);
        slab__put(&slab, &slots[i]->slot);
    }
    ck_assert_ptr_null(slab__at(&slab, SLAB_CHUNKS * SLAB_CHUNK_SLOTS));
}
END_TEST

static void *trim(void *arg)
{
    while (!atomic_load(&stop))
        slab__trim(&slab);
    return arg;
}

/* A slot in use is not zeroed by a trim, be it the first after all that were free. */
START_TEST(trimming_leaves_what_is_in_use)
{
    pthread_t thread;
    bool kept = true;

    for (uint32_t i = 0; i < SLOTS; i++)
        slots[i] = get();
    for (uint32_t i = 0; i < SLOTS; i++)
        slab__put(&slab, &slots[i]->slot);
    ck_assert_int_eq(pthread_create(&thread, NULL, trim, NULL), 0);
    for (uint32_t i = 0; i < ROUNDS && kept; i++) {
        struct marked *one = get(), *other = get();
        uint32_t index = one->slot.index;
        atomic_store(&one->mark, i + 1);
        atomic_store(&other->mark, i + 2);
        for (int spin = 0; spin < 100; spin++)
            kept = kept && atomic_load(&one->mark) == i + 1 && atomic_load(&other->mark) == i + 2;
        kept = kept && one->slot.index == index;
        slab__put(&slab, &other->slot);
        slab__put(&slab, &one->slot);
    }
    atomic_store(&stop, true);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(kept);
}
END_TEST

Suite *slab_suite(void)
{
    Suite *suite = suite_create("slab");
    TCase *tc = tcase_create("slab");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, each_slot_is_given_once);
    tcase_add_test(tc, trimming_leaves_what_is_in_use);
    suite_add_tcase(suite, tc);
    return suite;
}
