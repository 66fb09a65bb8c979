/* SPDX-License-Identifier: MIT */
/* POLL. */
#include "helpers.h"

#include <sys/wait.h>

/*
 * "res is the ready mask": of something that becomes ready later the kernel
 * tells what the file says at that time, as POLLIN | POLLRDNORM, be it asked
 * for or not.
 */
static bool tells(const struct io_event *event, unsigned mask)
{
    const unsigned in = POLLIN | POLLRDNORM, out = POLLOUT | POLLWRNORM;
    unsigned allowed = mask | (mask & in ? in : 0) | (mask & out ? out : 0);

    return event->res > 0 && ((unsigned)event->res & mask) == mask &&
           ((unsigned)event->res & ~allowed) == 0;
}

/* "res is the ready mask" */
START_TEST(what_is_ready_completes_at_once)
{
    struct iocb cb;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_sockets(ends);
    prep_poll(&cb, ends[0], POLLIN | POLLOUT | POLLPRI);
    ck_assert_int_eq((int)perform(ctx, &cb), POLLOUT);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    ck_assert_int_eq((int)perform(ctx, &cb), POLLIN | POLLOUT);
    prep_poll(&cb, ends[0], POLLIN);
    ck_assert_int_eq((int)perform(ctx, &cb), POLLIN);
}
END_TEST

START_TEST(what_becomes_ready_completes_then)
{
    struct iocb cb;
    struct io_event event;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    prep_poll(&cb, ends[0], POLLIN);
    must_submit(ctx, &cb);
    nothing_to_reap(ctx);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
    ck_assert(tells(&event, POLLIN));
}
END_TEST

/* "one-shot" */
START_TEST(it_completes_once)
{
    struct iocb cb;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    prep_poll(&cb, ends[0], POLLIN);
    must_submit(ctx, &cb);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    reap(ctx, 1, NULL);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    nothing_to_reap(ctx);
    /* And may be submitted again. */
    ck_assert_int_eq((int)perform(ctx, &cb), POLLIN);
}
END_TEST

/* What it does not ask for does not complete it. */
START_TEST(other_readiness_does_not_matter)
{
    struct iocb cb;
    struct io_event event;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    prep_poll(&cb, ends[0], POLLPRI);
    must_submit(ctx, &cb);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    nothing_to_reap(ctx);
    close(ends[1]);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
    ck_assert_int_ne((int)event.res & POLLHUP, 0);
}
END_TEST

/* "POLLERR and POLLHUP always included" */
START_TEST(hangup_and_error_are_always_told)
{
    struct iocb cb;
    struct io_event event;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    prep_poll(&cb, ends[0], POLLIN);
    must_submit(ctx, &cb);
    close(ends[1]);
    event = reap_one(ctx);
    ck_assert_int_eq((int)event.res, POLLHUP);
    make_pipe(ends);
    close(ends[0]);
    prep_poll(&cb, ends[1], POLLIN);
    ck_assert_int_eq((int)perform(ctx, &cb), POLLERR);
}
END_TEST

/* "survives the close of its descriptor" */
START_TEST(it_survives_the_close_of_its_descriptor)
{
    struct iocb cb;
    struct io_event event;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    prep_poll(&cb, ends[0], POLLIN);
    must_submit(ctx, &cb);
    close(ends[0]);
    nothing_to_reap(ctx);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1); /* there still is a reader */
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
    ck_assert(tells(&event, POLLIN));
}
END_TEST

/* Another file under the same number is not the one that is polled. */
START_TEST(another_file_may_take_the_descriptor)
{
    struct iocb cb;
    struct io_event event;
    int ends[2], other[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    make_pipe(other);
    prep_poll(&cb, ends[0], POLLIN);
    must_submit(ctx, &cb);
    ck_assert_int_eq(dup2(other[0], ends[0]), ends[0]);
    ck_assert_int_eq((int)write(other[1], "x", 1), 1);
    nothing_to_reap(ctx);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
}
END_TEST

/* "mask is 16 bits of aio_buf, [...] more than 0xffff: EINVAL" */
START_TEST(einval_for_a_mask_of_more_than_16_bits)
{
    struct iocb cb;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    for (int bit = 16; bit < (int)(8 * sizeof(void *)); bit++) {
        prep_poll(&cb, ends[1], POLLOUT);
        cb.aio_buf |= (uint64_t)1 << bit;
        ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    }
    prep_poll(&cb, ends[1], 0xffff);
    ck_assert_int_ne((int)perform(ctx, &cb) & POLLOUT, 0);
}
END_TEST

/* "0 [...]: EINVAL" for what cannot be waited for, as a regular file. */
START_TEST(einval_for_what_is_never_ready)
{
    struct iocb cb;
    int fd = temp_file(4);
    aio_context_t ctx = new_context(4);

    prep_poll(&cb, fd, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep_poll(&cb, fd, POLLPRI);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
}
END_TEST

/* Regular files and directories are always ready. */
START_TEST(files_are_always_ready)
{
    struct iocb cb;
    aio_context_t ctx = new_context(4);

    prep_poll(&cb, temp_file(4), POLLIN | POLLOUT);
    ck_assert_int_eq((int)perform(ctx, &cb), POLLIN | POLLOUT);
    prep_poll(&cb, open(".", O_RDONLY | O_CLOEXEC), POLLIN);
    ck_assert_int_eq((int)perform(ctx, &cb), POLLIN);
}
END_TEST

/* "other fields 0 else EINVAL" */
START_TEST(einval_for_fields_that_are_not_zero)
{
    struct iocb cb;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    prep_poll(&cb, ends[1], POLLOUT);
    cb.aio_offset = 1;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep_poll(&cb, ends[1], POLLOUT);
    cb.aio_nbytes = 1;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep_poll(&cb, ends[1], POLLOUT);
    cb.aio_rw_flags = 1;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    nothing_to_reap(ctx);
}
END_TEST

/* Several of one descriptor, with masks of their own. */
START_TEST(many_of_one_descriptor)
{
    struct iocb cbs[60];
    struct io_event events[COUNT(cbs)];
    int ends[2];
    aio_context_t ctx = new_context(COUNT(cbs));

    make_sockets(ends);
    for (size_t i = 0; i < COUNT(cbs); i++) {
        prep_poll(&cbs[i], ends[0], i % 2 == 0 ? POLLIN : POLLOUT);
        must_submit(ctx, &cbs[i]);
    }
    reap(ctx, COUNT(cbs) / 2, events);
    for (size_t i = 0; i < COUNT(cbs) / 2; i++)
        ck_assert_int_eq((int)events[i].res, POLLOUT);
    nothing_to_reap(ctx);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    reap(ctx, COUNT(cbs) / 2, events);
    for (size_t i = 0; i < COUNT(cbs) / 2; i++)
        ck_assert_int_ne((int)events[i].res & POLLIN, 0);
    nothing_to_reap(ctx);
}
END_TEST

/* Writers, eventfds and the rest. */
START_TEST(a_full_pipe_becomes_writable)
{
    static char block[1 << 16];
    struct iocb cb;
    struct io_event event;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], block, sizeof block) > 0)
        ;
    prep_poll(&cb, ends[1], POLLOUT);
    must_submit(ctx, &cb);
    nothing_to_reap(ctx);
    ck_assert_int_gt((int)read(ends[0], block, sizeof block), 0);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
    ck_assert(tells(&event, POLLOUT));
}
END_TEST

enum { STOPS = 20 };

/* Polls, says so, and takes the event, again and again. */
static void poll_repeatedly(int fd, int begun)
{
    aio_context_t ctx = 0;

    EXPECT(t_setup(4, &ctx) == 0);
    for (int round = 0; round < STOPS; round++) {
        struct iocb cb;
        struct io_event event;
        char byte;
        int result;

        prep_poll(&cb, fd, POLLIN);
        EXPECT(submit(ctx, &cb) == 1);
        EXPECT(write(begun, "b", 1) == 1);
        while ((result = t_getevents(ctx, 1, 1, &event, NULL)) == -EINTR)
            ; /* the kernel has that even without a handler */
        EXPECT(result == 1);
        EXPECT(is_event_of(&event, &cb) && tells(&event, POLLIN));
        EXPECT(read(fd, &byte, 1) == 1);
    }
    EXPECT(t_destroy(ctx) == 0);
    _exit(0);
}

/* It waits on when the process was stopped, and sees what came meanwhile. */
START_TEST(it_survives_a_stop_of_the_process)
{
    int data[2], begun[2];
    pid_t pid;

    make_pipe(data);
    make_pipe(begun);
    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        poll_repeatedly(data[0], begun[1]);
    close(begun[1]);
    for (int round = 0; round < STOPS; round++) {
        char byte;
        int status;

        ck_assert_int_eq((int)read(begun[0], &byte, 1), 1);
        ck_assert_int_eq(kill(pid, SIGSTOP), 0);
        ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
        ck_assert(WIFSTOPPED(status));
        if (round % 2 == 1)
            ck_assert_int_eq((int)write(data[1], "x", 1), 1);
        ck_assert_int_eq(kill(pid, SIGCONT), 0);
        if (round % 2 == 0)
            ck_assert_int_eq((int)write(data[1], "x", 1), 1);
    }
    ck_assert_int_eq(status_of(pid, 0), 0);
}
END_TEST

/* A read of the same descriptor that waits, too, takes nothing from it. */
START_TEST(it_waits_beside_a_read)
{
    struct iocb reading, polling;
    struct io_event event;
    char byte;
    int ends[2];
    bool polled = false;
    aio_context_t ctx = new_context(4);

    if (on_kernel())
        return; /* its io_submit waits for the read */
    make_pipe(ends);
    prep_read(&reading, ends[0], &byte, 1, 0);
    prep_poll(&polling, ends[0], POLLIN);
    /* One before: what is remembered of it must not join the two. */
    must_submit(ctx, &reading);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &reading));
    must_submit(ctx, &polling);
    must_submit(ctx, &reading);
    nothing_to_reap(ctx);
    ck_assert_int_eq((int)write(ends[1], "xy", 2), 2);
    for (int i = 0; i < 2; i++) {
        event = reap_one(ctx);
        polled = polled || is_event_of(&event, &polling);
    }
    ck_assert(polled);
}
END_TEST

Suite *poll_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("poll", 60, &tc);

    tcase_add_test(tc, what_is_ready_completes_at_once);
    tcase_add_test(tc, what_becomes_ready_completes_then);
    tcase_add_test(tc, it_completes_once);
    tcase_add_test(tc, other_readiness_does_not_matter);
    tcase_add_test(tc, hangup_and_error_are_always_told);
    tcase_add_test(tc, it_survives_the_close_of_its_descriptor);
    tcase_add_test(tc, another_file_may_take_the_descriptor);
    tcase_add_test(tc, einval_for_a_mask_of_more_than_16_bits);
    tcase_add_test(tc, einval_for_what_is_never_ready);
    tcase_add_test(tc, files_are_always_ready);
    tcase_add_test(tc, einval_for_fields_that_are_not_zero);
    tcase_add_test(tc, many_of_one_descriptor);
    tcase_add_test(tc, a_full_pipe_becomes_writable);
    tcase_add_test(tc, it_survives_a_stop_of_the_process);
    tcase_add_test(tc, it_waits_beside_a_read);
    return suite;
}
