/* SPDX-License-Identifier: MIT */
/* io_setup(). */
#include "helpers.h"

/* "`*ctxp != 0` [...]: EINVAL", and it is left as it is. */
START_TEST(einval_for_a_context_that_is_not_zero)
{
    const aio_context_t values[] = {1, (aio_context_t)-1, 0x1000};

    for (size_t i = 0; i < COUNT(values); i++) {
        aio_context_t ctx = values[i];

        ck_assert_int_eq(t_setup(1, &ctx), -EINVAL);
        ck_assert(ctx == values[i]);
    }
}
END_TEST

/* The context of a first io_setup is not zero for a second. */
START_TEST(einval_for_a_live_context)
{
    aio_context_t ctx = new_context(1), same = ctx;

    ck_assert_int_eq(t_setup(1, &same), -EINVAL);
    ck_assert(same == ctx);
    must_destroy(ctx);
}
END_TEST

/* "`nr == 0`: EINVAL" */
START_TEST(einval_for_no_requests)
{
    aio_context_t ctx = 0;

    ck_assert_int_eq(t_setup(0, &ctx), -EINVAL);
    ck_assert(ctx == 0);
}
END_TEST

/* "The raw argument is a 32-bit unsigned: `io_setup(-1)` and INT_MAX are EINVAL." */
START_TEST(einval_for_absurd_numbers_of_requests)
{
    const int numbers[] = {-1, -2, INT_MAX, INT_MAX - 1, INT_MAX / 2, 8388608, 4194305};

    for (size_t i = 0; i < COUNT(numbers); i++) {
        aio_context_t ctx = 0;

        ck_assert_int_eq(t_setup(numbers[i], &ctx), -EINVAL);
        ck_assert(ctx == 0);
    }
}
END_TEST

/* "Absurdly large nr: EINVAL." */
START_TEST(einval_for_int_min)
{
    aio_context_t ctx = 0;

    BEYOND_THE_KERNEL(); /* twice that is 0 to it: EAGAIN */
    ck_assert_int_eq(t_setup(INT_MIN, &ctx), -EINVAL);
    ck_assert_int_eq(t_setup(INT_MIN + 1, &ctx), -EINVAL);
    ck_assert(ctx == 0);
}
END_TEST

/* "Bad pointer: EFAULT, before EINVAL for NULL and kernel addresses." */
START_TEST(efault_for_a_bad_pointer_comes_first)
{
    const int numbers[] = {1, 0, -1};

    for (size_t i = 0; i < BAD_ADDRESSES; i++) {
        aio_context_t *bad = bad_address(i);

        for (size_t j = 0; j < COUNT(numbers); j++)
            ck_assert_int_eq(t_setup(numbers[j], bad), -EFAULT);
    }
}
END_TEST

/* A context that cannot be told is no context: EFAULT. */
START_TEST(efault_for_a_pointer_that_can_only_be_read)
{
    aio_context_t *zero = read_only_page();

    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(t_setup(1, zero), -EFAULT);
}
END_TEST

/* A pointer that ends in a page that is not there. */
START_TEST(efault_for_half_a_pointer)
{
    char *end = page_end();

    memset(end - page_size(), 0, page_size());
    ck_assert_int_eq(t_setup(1, (aio_context_t *)(void *)(end - sizeof(aio_context_t) / 2)),
                     -EFAULT);
}
END_TEST

/* A pointer need not be aligned. */
START_TEST(a_misaligned_pointer_will_do)
{
    char room[2 * sizeof(aio_context_t)] = {0};
    aio_context_t ctx;

    ck_assert_int_eq(t_setup(1, (aio_context_t *)(void *)(room + 1)), 0);
    memcpy(&ctx, room + 1, sizeof ctx);
    must_destroy(ctx);
}
END_TEST

/* "The context holds at least nr requests." */
START_TEST(a_context_holds_what_was_asked_for)
{
    const int numbers[] = {1, 2, 62, 63, 128, 256, 1000, 2048};
    int ends[2];

    make_pipe(ends);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        aio_context_t ctx = new_context(numbers[i]);
        struct iocb cb;

        prep_poll(&cb, ends[0], POLLIN);
        for (int n = 0; n < numbers[i]; n++)
            must_submit(ctx, &cb);
        must_destroy(ctx);
    }
}
END_TEST

START_TEST(contexts_differ)
{
    aio_context_t contexts[64];

    for (size_t i = 0; i < COUNT(contexts); i++) {
        contexts[i] = new_context(1);
        for (size_t j = 0; j < i; j++)
            ck_assert(contexts[i] != contexts[j]);
    }
    for (size_t i = 0; i < COUNT(contexts); i++)
        must_destroy(contexts[i]);
}
END_TEST

/* "All roads [...] share one table of contexts": one's events are not another's. */
START_TEST(contexts_do_not_share_events)
{
    aio_context_t contexts[16];
    struct iocb cbs[COUNT(contexts)];
    char bytes[COUNT(contexts)];
    int fd = temp_file(COUNT(contexts));

    for (size_t i = 0; i < COUNT(contexts); i++) {
        contexts[i] = new_context(4);
        prep_read(&cbs[i], fd, &bytes[i], 1, (int64_t)i);
        must_submit(contexts[i], &cbs[i]);
    }
    for (size_t i = COUNT(contexts); i-- > 0;) {
        struct io_event event = reap_one(contexts[i]);

        ck_assert(is_event_of(&event, &cbs[i]));
        ck_assert(bytes[i] == (char)pattern(i));
        nothing_to_reap(contexts[i]);
    }
}
END_TEST

/* Made and destroyed again and again: nothing is used up. */
START_TEST(contexts_can_be_made_for_ever)
{
    char byte;
    int fd = temp_file(1), rounds = on_kernel() ? 50 : 3000; /* io_destroy is slow there */

    for (int i = 0; i < rounds; i++) {
        aio_context_t ctx = new_context(1);
        struct iocb cb;

        prep_read(&cb, fd, &byte, 1, 0);
        if (i % 2 == 0)
            ck_assert_int_eq((int)perform(ctx, &cb), 1);
        else
            must_submit(ctx, &cb);
        must_destroy(ctx);
    }
}
END_TEST

/* "There is no system-wide quota here": the kernel's own is 65536 by default. */
START_TEST(there_is_no_quota_of_requests)
{
    aio_context_t contexts[8] = {0};

    BEYOND_THE_KERNEL();
    for (size_t i = 0; i < COUNT(contexts); i++)
        contexts[i] = new_context(50000);
    for (size_t i = 0; i < COUNT(contexts); i++)
        must_destroy(contexts[i]);
}
END_TEST

/* UAIO_MAX_EVENTS: "events asked for by all io_setup together; beyond it EAGAIN" */
START_TEST(there_is_a_quota_if_one_is_set)
{
    aio_context_t first = 0, second = 0, none = 0;

    BEYOND_THE_KERNEL();
    ck_assert_int_eq(setenv("UAIO_MAX_EVENTS", "100", 1), 0);
    ck_assert_int_eq(t_setup(101, &none), -EAGAIN);
    ck_assert_int_eq(t_setup(60, &first), 0);
    ck_assert_int_eq(t_setup(41, &none), -EAGAIN);
    ck_assert(none == 0);
    ck_assert_int_eq(t_setup(40, &second), 0);
    ck_assert_int_eq(t_setup(1, &none), -EAGAIN);
    must_destroy(first); /* what it had is free again, once */
    first = 0;
    ck_assert_int_eq(t_setup(61, &none), -EAGAIN);
    ck_assert_int_eq(t_setup(60, &first), 0);
    must_destroy(first);
    must_destroy(second);
}
END_TEST

/* "65536 contexts at once are possible (ENOMEM tolerated, EAGAIN not)." */
START_TEST(very_many_contexts)
{
    static aio_context_t contexts[65536];
    size_t n = 0;

    BEYOND_THE_KERNEL();
    for (; n < COUNT(contexts); n++) {
        int error = t_setup(1, &contexts[n]);

        if (error != 0) {
            ck_assert_int_eq(error, -ENOMEM);
            break;
        }
    }
    ck_assert_uint_gt(n, 1000);
    while (n-- > 0)
        must_destroy(contexts[n]);
}
END_TEST

Suite *setup_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("setup", 60, &tc);

    tcase_add_test(tc, einval_for_a_context_that_is_not_zero);
    tcase_add_test(tc, einval_for_a_live_context);
    tcase_add_test(tc, einval_for_no_requests);
    tcase_add_test(tc, einval_for_absurd_numbers_of_requests);
    tcase_add_test(tc, einval_for_int_min);
    tcase_add_test(tc, efault_for_a_bad_pointer_comes_first);
    tcase_add_test(tc, efault_for_a_pointer_that_can_only_be_read);
    tcase_add_test(tc, efault_for_half_a_pointer);
    tcase_add_test(tc, a_misaligned_pointer_will_do);
    tcase_add_test(tc, a_context_holds_what_was_asked_for);
    tcase_add_test(tc, contexts_differ);
    tcase_add_test(tc, contexts_do_not_share_events);
    tcase_add_test(tc, contexts_can_be_made_for_ever);
    tcase_add_test(tc, there_is_no_quota_of_requests);
    tcase_add_test(tc, there_is_a_quota_if_one_is_set);
    tcase_add_test(tc, very_many_contexts);
    return suite;
}
