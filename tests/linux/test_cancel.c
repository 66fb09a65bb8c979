/* SPDX-License-Identifier: MIT */
/* io_cancel(). */
#include "helpers.h"

/* "Bad iocb pointer: EFAULT, before the context is looked at" */
START_TEST(efault_for_a_bad_iocb_comes_first)
{
    struct io_event result;
    aio_context_t ctx = new_context(4);

    for (size_t i = 0; i < BAD_ADDRESSES; i++) {
        struct iocb *bad = bad_address(i);

        ck_assert_int_eq(t_cancel(ctx, bad, &result), -EFAULT);
        ck_assert_int_eq(t_cancel(0, bad, &result), -EFAULT);
    }
}
END_TEST

/* "`key != 0`: EINVAL; unknown ctx [...]: EINVAL" */
START_TEST(einval_for_a_key_or_a_context)
{
    struct iocb cb;
    struct io_event result;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    prep_poll(&cb, ends[0], POLLIN);
    must_submit(ctx, &cb);
    ck_assert_int_eq(t_cancel(0, &cb, &result), -EINVAL);
    ck_assert_int_eq(t_cancel(new_context(4), &cb, &result), -EINVAL);
    cb.aio_key = 1;
    ck_assert_int_eq(t_cancel(ctx, &cb, &result), -EINVAL);
    nothing_to_reap(ctx);
    cb.aio_key = 0;
    ck_assert_int_eq(t_cancel(ctx, &cb, &result), -EINPROGRESS);
}
END_TEST

/* "unknown or finished request: EINVAL" */
START_TEST(einval_for_what_is_not_in_flight)
{
    struct iocb never, finished, cancelled;
    struct io_event result;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    prep_poll(&never, ends[0], POLLIN);
    ck_assert_int_eq(t_cancel(ctx, &never, &result), -EINVAL);
    prep_poll(&finished, ends[1], POLLOUT);
    must_submit(ctx, &finished);
    await_in_ring(ring_of(ctx), 1);
    ck_assert_int_eq(t_cancel(ctx, &finished, &result), -EINVAL);
    reap(ctx, 1, NULL);
    ck_assert_int_eq(t_cancel(ctx, &finished, &result), -EINVAL);
    prep_poll(&cancelled, ends[0], POLLIN);
    must_submit(ctx, &cancelled);
    ck_assert_int_eq(t_cancel(ctx, &cancelled, &result), -EINPROGRESS);
    reap(ctx, 1, NULL);
    ck_assert_int_eq(t_cancel(ctx, &cancelled, &result), -EINVAL);
}
END_TEST

/* "success returns EINPROGRESS [...], `result` is not written, and the event goes to the ring" */
START_TEST(a_cancelled_poll_has_an_event)
{
    struct iocb cb;
    struct io_event result, before, event;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    memset(&result, 0x5a, sizeof result);
    before = result;
    prep_poll(&cb, ends[0], POLLIN);
    must_submit(ctx, &cb);
    ck_assert_int_eq(t_cancel(ctx, &cb, &result), -EINPROGRESS);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
    ck_assert_int_eq((int)event.res, 0); /* "(res 0 for a poll)" */
    ck_assert_mem_eq(&result, &before, sizeof result);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    nothing_to_reap(ctx);
}
END_TEST

/* "a NULL result for io_cancel is legal", as is any other pointer */
START_TEST(the_result_may_be_anything)
{
    struct iocb cb;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    for (size_t i = 0; i < BAD_ADDRESSES; i++) {
        prep_poll(&cb, ends[0], POLLIN);
        must_submit(ctx, &cb);
        ck_assert_int_eq(t_cancel(ctx, &cb, bad_address(i)), -EINPROGRESS);
        reap(ctx, 1, NULL);
    }
}
END_TEST

/* Only the one that is meant. */
START_TEST(others_stay)
{
    struct iocb cbs[20];
    struct io_event event;
    int ends[2];
    aio_context_t ctx = new_context(COUNT(cbs));

    make_pipe(ends);
    for (size_t i = 0; i < COUNT(cbs); i++) {
        prep_poll(&cbs[i], ends[0], POLLIN);
        must_submit(ctx, &cbs[i]);
    }
    for (size_t i = 0; i < COUNT(cbs); i += 2) {
        ck_assert_int_eq(t_cancel(ctx, &cbs[i], NULL), -EINPROGRESS);
        event = reap_one(ctx);
        ck_assert(is_event_of(&event, &cbs[i]));
    }
    nothing_to_reap(ctx);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    for (size_t i = 1; i < COUNT(cbs); i += 2) {
        event = reap_one(ctx);
        ck_assert_int_ne((int)event.res & POLLIN, 0);
    }
    nothing_to_reap(ctx);
}
END_TEST

/* A slot that a cancelled request had is free when its event is reaped. */
START_TEST(cancelling_leaks_no_slots)
{
    struct iocb cb;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    for (int i = 0; i < 1000; i++) {
        prep_poll(&cb, ends[0], POLLIN);
        must_submit(ctx, &cb);
        ck_assert_int_eq(t_cancel(ctx, &cb, NULL), -EINPROGRESS);
        reap(ctx, 1, NULL);
    }
}
END_TEST

/* "a plain read or write in progress: EINVAL" */
START_TEST(einval_for_a_read_in_progress)
{
    struct iocb cb;
    struct io_event event;
    struct gate gate;
    aio_context_t ctx;

    MAKE_GATE(&gate);
    ctx = new_context(4);
    prep_read(&cb, temp_file(16), gate.page, 16, 0);
    must_submit(ctx, &cb);
    gate_await(&gate);
    ck_assert_int_eq(t_cancel(ctx, &cb, NULL), -EINVAL);
    gate_open(&gate);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
    ck_assert_int_eq((int)event.res, 16);
}
END_TEST

/* "we can also cancel what is still queued": either way there is one event. */
START_TEST(a_read_of_an_empty_pipe_has_one_event)
{
    struct iocb cb;
    struct io_event event;
    char byte;
    int ends[2], result;
    aio_context_t ctx = new_context(4);

    BEYOND_THE_KERNEL();
    make_pipe(ends);
    prep_read(&cb, ends[0], &byte, 1, 0);
    must_submit(ctx, &cb);
    result = t_cancel(ctx, &cb, NULL);
    ck_assert(result == -EINPROGRESS || result == -EINVAL);
    if (result == -EINVAL)
        ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
    if (result == -EINVAL)
        ck_assert_int_eq((int)event.res, 1);
    else
        ck_assert_int_lt((int)event.res, 0);
    nothing_to_reap(ctx);
}
END_TEST

static struct iocb raced;
static int raced_ends[2];
static pthread_barrier_t barrier;
static atomic_bool failed;

static void *make_ready(void *argument)
{
    for (int i = 0; i < 500; i++) {
        char byte;

        pthread_barrier_wait(&barrier);
        if (write(raced_ends[1], "x", 1) != 1)
            atomic_store(&failed, true);
        pthread_barrier_wait(&barrier);
        if (read(raced_ends[0], &byte, 1) != 1)
            atomic_store(&failed, true);
        pthread_barrier_wait(&barrier);
    }
    return argument;
}

/* Cancelled or ready, never both, never neither. */
START_TEST(cancelling_races_with_readiness)
{
    pthread_t thread;
    aio_context_t ctx = new_context(4);

    make_pipe(raced_ends);
    pthread_barrier_init(&barrier, NULL, 2);
    start_thread(&thread, make_ready, NULL);
    for (int i = 0; i < 500; i++) {
        struct io_event event;
        int result;

        prep_poll(&raced, raced_ends[0], POLLIN);
        must_submit(ctx, &raced);
        pthread_barrier_wait(&barrier);
        result = t_cancel(ctx, &raced, NULL);
        ck_assert(result == -EINPROGRESS || result == -EINVAL);
        pthread_barrier_wait(&barrier);
        event = reap_one(ctx);
        ck_assert(is_event_of(&event, &raced));
        if (result == -EINVAL)
            ck_assert_int_ne((int)event.res & POLLIN, 0);
        nothing_to_reap(ctx);
        pthread_barrier_wait(&barrier);
    }
    join_thread(thread);
    ck_assert(!atomic_load(&failed));
}
END_TEST

Suite *cancel_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("cancel", 60, &tc);

    tcase_add_test(tc, efault_for_a_bad_iocb_comes_first);
    tcase_add_test(tc, einval_for_a_key_or_a_context);
    tcase_add_test(tc, einval_for_what_is_not_in_flight);
    tcase_add_test(tc, a_cancelled_poll_has_an_event);
    tcase_add_test(tc, the_result_may_be_anything);
    tcase_add_test(tc, others_stay);
    tcase_add_test(tc, cancelling_leaks_no_slots);
    tcase_add_test(tc, einval_for_a_read_in_progress);
    tcase_add_test(tc, a_read_of_an_empty_pipe_has_one_event);
    tcase_add_test(tc, cancelling_races_with_readiness);
    return suite;
}
