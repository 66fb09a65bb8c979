/* SPDX-License-Identifier: MIT */
/* io_submit(): what is accepted, in which order it is checked, and how much of a list. */
#include "helpers.h"

#include <sched.h>
#include <sys/epoll.h>

#define UNKNOWN_RWF 0x40000000U /* no RWF_ flag has this value */
#define BAD_PRIORITY ((int16_t)-1)

/* "nr < 0 or unknown ctx: EINVAL" */
START_TEST(einval_for_a_negative_number)
{
    aio_context_t ctx = new_context(4);
    struct iocb cb, *list[1] = {&cb};

    prep_read(&cb, temp_file(4), NULL, 0, 0);
    ck_assert_int_eq(t_submit(ctx, -1, list), -EINVAL);
    ck_assert_int_eq(t_submit(ctx, LONG_MIN, list), -EINVAL);
    nothing_to_reap(ctx);
}
END_TEST

START_TEST(einval_for_an_unknown_context)
{
    struct iocb cb, *list[1] = {&cb};

    prep_read(&cb, temp_file(4), NULL, 0, 0);
    ck_assert_int_eq(t_submit(0, 1, list), -EINVAL);
    ck_assert_int_eq(t_submit(0, 0, list), -EINVAL);
    ck_assert_int_eq(t_submit(0, 1, NULL), -EINVAL);
}
END_TEST

/* "nr == 0: 0" */
START_TEST(nothing_of_nothing)
{
    aio_context_t ctx = new_context(4);

    ck_assert_int_eq(t_submit(ctx, 0, NULL), 0);
    ck_assert_int_eq(t_submit(ctx, 0, bad_address(1)), 0);
}
END_TEST

/* "nr above the ring's size is clipped": what lies behind is not looked at. */
START_TEST(more_than_the_ring_holds_is_clipped)
{
    struct iocb cb, **list;
    char byte;
    aio_context_t ctx = new_context(4);
    unsigned nr = ring_of(ctx)->nr;
    int accepted;

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    list = (struct iocb **)(void *)page_end() - nr;
    for (unsigned i = 0; i < nr; i++)
        list[i] = &cb;
    accepted = t_submit(ctx, LONG_MAX, list);
    ck_assert_int_ge(accepted, 4);
    ck_assert_int_lt(accepted, (int)nr);
    reap(ctx, (size_t)accepted, NULL);
    nothing_to_reap(ctx);
#if LONG_MAX > 0xffffffff
    /* A C int of -1 that went through varargs. */
    accepted = t_submit(ctx, 0xffffffff, list);
    ck_assert_int_ge(accepted, 4);
    reap(ctx, (size_t)accepted, NULL);
#endif
}
END_TEST

/* "Entries in order; [...] returns how many were accepted" */
START_TEST(all_of_a_list_is_accepted)
{
    struct iocb cbs[50], *list[COUNT(cbs)];
    struct io_event events[COUNT(cbs)];
    char bytes[COUNT(cbs)];
    bool seen[COUNT(cbs)] = {false};
    aio_context_t ctx = new_context(COUNT(cbs));
    int fd = temp_file(COUNT(cbs));

    for (size_t i = 0; i < COUNT(cbs); i++) {
        prep_read(&cbs[i], fd, &bytes[i], 1, (int64_t)i);
        list[i] = &cbs[i];
    }
    ck_assert_int_eq(t_submit(ctx, COUNT(cbs), list), COUNT(cbs));
    reap(ctx, COUNT(cbs), events);
    for (size_t i = 0; i < COUNT(cbs); i++) {
        size_t which = (size_t)((struct iocb *)(uintptr_t)events[i].obj - cbs);

        ck_assert_uint_lt(which, COUNT(cbs));
        ck_assert(!seen[which]);
        seen[which] = true;
        ck_assert(is_event_of(&events[i], &cbs[which]));
        ck_assert_int_eq((int)events[i].res, 1);
    }
    ck_assert(is_pattern(bytes, COUNT(cbs), 0));
    nothing_to_reap(ctx);
}
END_TEST

/* "stops at the first one that fails and returns how many were accepted" */
START_TEST(stops_at_the_first_bad_one)
{
    struct iocb cbs[10], *list[COUNT(cbs)];
    char bytes[COUNT(cbs)];
    aio_context_t ctx = new_context(COUNT(cbs));
    int fd = temp_file(COUNT(cbs)), closed = closed_fd();

    for (size_t bad = 1; bad < COUNT(cbs); bad++) {
        memset(bytes, 0, sizeof bytes);
        for (size_t i = 0; i < COUNT(cbs); i++) {
            prep_read(&cbs[i], i == bad ? closed : fd, &bytes[i], 1, (int64_t)i);
            list[i] = &cbs[i];
        }
        ck_assert_int_eq(t_submit(ctx, COUNT(cbs), list), (int)bad);
        reap(ctx, bad, NULL);
        nothing_to_reap(ctx);
        ck_assert(is_pattern(bytes, bad, 0));
        for (size_t i = bad; i < COUNT(cbs); i++)
            ck_assert(bytes[i] == 0);
        /* "nobody may lose the rest" */
        ck_assert_int_eq(t_submit(ctx, (long)(COUNT(cbs) - bad), list + bad), -EBADF);
        if (bad + 1 < COUNT(cbs)) {
            long rest = (long)(COUNT(cbs) - bad - 1);

            ck_assert_int_eq(t_submit(ctx, rest, list + bad + 1), (int)rest);
            reap(ctx, (size_t)rest, NULL);
        }
    }
}
END_TEST

/* "or that error if it was the first" */
START_TEST(the_first_ones_error_is_the_result)
{
    struct iocb cbs[2], *list[2] = {&cbs[0], &cbs[1]};
    char byte = 0;
    aio_context_t ctx = new_context(4);

    prep_read(&cbs[0], closed_fd(), &byte, 1, 0);
    prep_read(&cbs[1], temp_file(1), &byte, 1, 0);
    ck_assert_int_eq(t_submit(ctx, 2, list), -EBADF);
    nothing_to_reap(ctx);
    ck_assert_int_eq(byte, 0);
}
END_TEST

/* "unreadable iocbpp entry [...]: EFAULT", and those before it are accepted. */
START_TEST(an_unreadable_entry_ends_the_list)
{
    struct iocb cb, **list = (struct iocb **)(void *)page_end() - 3;
    char byte;
    aio_context_t ctx = new_context(8);

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    for (int i = 0; i < 3; i++)
        list[i] = &cb;
    ck_assert_int_eq(t_submit(ctx, 8, list), 3);
    reap(ctx, 3, NULL);
    ck_assert_int_eq(t_submit(ctx, 8, list + 3), -EFAULT);
    nothing_to_reap(ctx);
}
END_TEST

/* "unreadable [...] iocb: EFAULT" */
START_TEST(an_unreadable_iocb_ends_the_list)
{
    struct iocb cb, *list[3] = {&cb, &cb, NULL};
    char byte;
    aio_context_t ctx = new_context(8);

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    for (size_t i = 0; i < BAD_ADDRESSES; i++) {
        list[2] = bad_address(i);
        ck_assert_int_eq(t_submit(ctx, 3, list), 2);
        reap(ctx, 2, NULL);
        ck_assert_int_eq(t_submit(ctx, 1, list + 2), -EFAULT);
    }
    /* One that only begins in a page. */
    list[2] = (struct iocb *)(void *)(page_end() - sizeof cb / 2);
    ck_assert_int_eq(t_submit(ctx, 1, list + 2), -EFAULT);
    nothing_to_reap(ctx);
}
END_TEST

/* A request with everything wrong that io_submit looks at; the errors are taken away one by one. */
static void prep_all_wrong(struct iocb *cb, int closed)
{
    prep_write(cb, closed, kernel_address(), (size_t)-1, -1);
    cb->aio_reserved2 = 1;
    cb->aio_rw_flags = (__kernel_rwf_t)UNKNOWN_RWF;
    cb->aio_flags = IOCB_FLAG_IOPRIO;
    cb->aio_reqprio = BAD_PRIORITY;
    cb->aio_key = 0x12345678;
    set_resfd(cb, closed);
}

/* "Per entry, in this order" */
START_TEST(the_order_of_the_checks)
{
    struct iocb cb;
    char byte;
    aio_context_t ctx = new_context(4);
    int closed = closed_fd(), fd = temp_file(4), read_only = reopen(fd, O_RDONLY);

    prep_all_wrong(&cb, closed);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL); /* aio_reserved2 */
    cb.aio_reserved2 = 0;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL); /* the overflow */
    cb.aio_nbytes = 1;
    ck_assert_int_eq(submit(ctx, &cb), -EBADF); /* the descriptor */
    cb.aio_fildes = (uint32_t)read_only;
    ck_assert_int_eq(submit(ctx, &cb), -EBADF); /* the eventfd */
    cb.aio_resfd = (uint32_t)fd;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL); /* which is none */
    ck_assert_uint_eq(cb.aio_key, 0x12345678);
    cb.aio_resfd = (uint32_t)make_eventfd(0);
    cb.aio_lio_opcode = 99;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL); /* the opcode */
    ck_assert_uint_eq(cb.aio_key, 0);
    cb.aio_lio_opcode = IOCB_CMD_PWRITE;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL); /* the priority */
    cb.aio_reqprio = 0;
    ck_assert_int_eq(submit(ctx, &cb), -EOPNOTSUPP); /* the flags */
    cb.aio_rw_flags = 0;
    ck_assert_int_eq(submit(ctx, &cb), -EBADF); /* the mode */
    cb.aio_fildes = (uint32_t)fd;
#if UINTPTR_MAX > 0xffffffff
    ck_assert_int_eq(submit(ctx, &cb), -EFAULT); /* the buffer, in the kernel's half */
#endif
    cb.aio_buf = as_u64(&byte);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL); /* the offset */
    cb.aio_offset = 0;
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    ck_assert_uint_eq(take_count((int)cb.aio_resfd), 1);
}
END_TEST

/* "`aio_reserved2 != 0`: EINVAL", before the descriptor, and with the key left as it is */
START_TEST(einval_for_the_reserved_field)
{
    struct iocb cb;
    aio_context_t ctx = new_context(4);

    prep_read(&cb, closed_fd(), NULL, 0, 0);
    cb.aio_key = 77;
    for (int bit = 0; bit < 64; bit++) {
        cb.aio_reserved2 = (uint64_t)1 << bit;
        ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    }
    ck_assert_uint_eq(cb.aio_key, 77);
}
END_TEST

/* "`aio_buf`/`aio_nbytes` overflow: EINVAL" */
START_TEST(einval_for_an_overflow)
{
    struct iocb cb;
    aio_context_t ctx = new_context(4);

    prep_read(&cb, closed_fd(), NULL, 0, 0);
    cb.aio_nbytes = (uint64_t)SSIZE_MAX + 1;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    cb.aio_nbytes = UINT64_MAX;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
#if UINTPTR_MAX == 0xffffffff
    cb.aio_nbytes = 0;
    cb.aio_buf = (uint64_t)1 << 32;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
#endif
    cb.aio_nbytes = SSIZE_MAX;
    cb.aio_buf = 0;
    ck_assert_int_eq(submit(ctx, &cb), -EBADF);
}
END_TEST

/* "no free slot: EAGAIN", before the descriptor, after the fields; those before are accepted */
START_TEST(eagain_when_full)
{
    struct iocb cb, bad, *list[2] = {&bad, &cb};
    struct io_event event;
    aio_context_t ctx = new_context(4);
    int ends[2], accepted = 0, error;

    make_pipe(ends);
    prep_poll(&cb, ends[0], POLLIN);
    while ((error = submit(ctx, &cb)) == 1)
        accepted++;
    ck_assert_int_eq(error, -EAGAIN);
    ck_assert_int_ge(accepted, 4);
    ck_assert_int_lt(accepted, (int)ring_of(ctx)->nr);
    prep_read(&bad, closed_fd(), NULL, 0, 0);
    ck_assert_int_eq(t_submit(ctx, 2, list), -EAGAIN);
    bad.aio_reserved2 = 1;
    ck_assert_int_eq(t_submit(ctx, 2, list), -EINVAL);
    list[0] = NULL;
    ck_assert_int_eq(t_submit(ctx, 2, list), -EFAULT);
    ck_assert_int_eq(t_getevents(ctx, 0, 1, &event, &no_time), 0);
    must_destroy(ctx);
}
END_TEST

/* "(0 < ret < nr is normal [...])": the list that meets a full context. */
START_TEST(a_list_that_does_not_fit_is_accepted_in_part)
{
    struct iocb cbs[500], *list[COUNT(cbs)];
    bool seen[COUNT(cbs)] = {false};
    char bytes[COUNT(cbs)];
    aio_context_t ctx = new_context(4);
    int fd = temp_file(COUNT(cbs));
    size_t done = 0, reaped = 0;

    ck_assert_uint_lt(ring_of(ctx)->nr, COUNT(cbs));
    for (size_t i = 0; i < COUNT(cbs); i++) {
        prep_read(&cbs[i], fd, &bytes[i], 1, (int64_t)i);
        list[i] = &cbs[i];
    }
    while (reaped < COUNT(cbs)) {
        int n = t_submit(ctx, (long)(COUNT(cbs) - done), list + done);

        ck_assert(n >= 0 || n == -EAGAIN);
        if (n > 0)
            done += (size_t)n;
        while (reaped < done) {
            struct io_event event = reap_one(ctx);
            size_t which = (size_t)((struct iocb *)(uintptr_t)event.obj - cbs);

            ck_assert_uint_lt(which, COUNT(cbs));
            ck_assert(!seen[which]);
            seen[which] = true;
            ck_assert_int_eq((int)event.res, 1);
            reaped++;
        }
    }
    ck_assert(is_pattern(bytes, COUNT(cbs), 0));
    nothing_to_reap(ctx);
}
END_TEST

/* A request that is refused takes no slot. */
START_TEST(refused_requests_take_no_slots)
{
    struct iocb bad, cb;
    int closed = closed_fd(), fd = temp_file(4), ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    for (int i = 0; i < 5000; i++) {
        prep_read(&bad, i % 2 == 0 ? closed : fd, NULL, 0, -1);
        ck_assert_int_lt(submit(ctx, &bad), 0);
    }
    prep_poll(&cb, ends[0], POLLIN);
    for (int i = 0; i < 4; i++)
        must_submit(ctx, &cb);
    must_destroy(ctx);
}
END_TEST

/* "bad descriptor: EBADF" */
START_TEST(ebadf_for_a_descriptor_that_is_not_open)
{
    const int opcodes[] = {IOCB_CMD_PREAD,  IOCB_CMD_PWRITE,  IOCB_CMD_FSYNC, IOCB_CMD_FDSYNC,
                           IOCB_CMD_PREADV, IOCB_CMD_PWRITEV, IOCB_CMD_POLL,  99};
    const int fds[] = {closed_fd(), -1, INT_MAX, INT_MIN};
    aio_context_t ctx = new_context(4);

    for (size_t i = 0; i < COUNT(opcodes); i++) {
        for (size_t j = 0; j < COUNT(fds); j++) {
            struct iocb cb;

            prep(&cb, opcodes[i], fds[j], NULL, 0, 0);
            ck_assert_int_eq(submit(ctx, &cb), -EBADF);
        }
    }
}
END_TEST

/* A descriptor of O_PATH gives no access to the file. */
START_TEST(ebadf_for_a_mere_path)
{
    struct iocb cb;
    char byte;
    aio_context_t ctx = new_context(4);

    prep_read(&cb, open(".", O_PATH | O_CLOEXEC), &byte, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EBADF);
}
END_TEST

/* "RESFD flag with a non-eventfd: EINVAL (bad fd: EBADF)" */
START_TEST(resfd_must_be_an_eventfd)
{
    struct iocb cb;
    char byte;
    int fd = temp_file(1), ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    prep_read(&cb, fd, &byte, 1, 0);
    set_resfd(&cb, fd);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    set_resfd(&cb, ends[1]);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    set_resfd(&cb, closed_fd());
    ck_assert_int_eq(submit(ctx, &cb), -EBADF);
    set_resfd(&cb, -1);
    ck_assert_int_eq(submit(ctx, &cb), -EBADF);
    nothing_to_reap(ctx);
}
END_TEST

/* Without the flag aio_resfd is not looked at. */
START_TEST(resfd_counts_only_with_its_flag)
{
    struct iocb cb;
    char byte;
    aio_context_t ctx = new_context(4);

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    cb.aio_resfd = (uint32_t)closed_fd();
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
}
END_TEST

/* "key set to 0 in the caller's iocb" */
START_TEST(the_key_becomes_zero)
{
    struct iocb cb;
    char byte;
    aio_context_t ctx = new_context(4);

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    cb.aio_key = 0xdeadbeef;
    must_submit(ctx, &cb);
    ck_assert_uint_eq(cb.aio_key, 0);
    reap(ctx, 1, NULL);
}
END_TEST

/* Nothing else of the caller's iocb changes. */
START_TEST(nothing_but_the_key_is_written)
{
    struct iocb cb, before;
    char byte;
    aio_context_t ctx = new_context(4);

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    cb.aio_resfd = 12345;
    before = cb;
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    ck_assert_mem_eq(&cb, &before, sizeof cb);
}
END_TEST

/* "(EFAULT if not writable)" */
START_TEST(efault_for_an_iocb_that_can_only_be_read)
{
    struct iocb *zero = read_only_page(); /* a read from descriptor 0 */
    aio_context_t ctx = new_context(4);

    if (fcntl(STDIN_FILENO, F_GETFD) < 0)
        ck_assert_int_eq(open("/dev/null", O_RDONLY), STDIN_FILENO);
    ck_assert_int_eq(submit(ctx, zero), -EFAULT);
    nothing_to_reap(ctx);
}
END_TEST

/* "Unknown opcode, NOOP among them: EINVAL." */
START_TEST(einval_for_an_unknown_opcode)
{
    const int opcodes[] = {4, IOCB_CMD_NOOP, 9, 10, 100, 0x7fff, 0x8000, 0xffff};
    aio_context_t ctx = new_context(4);
    int fd = temp_file(4);

    for (size_t i = 0; i < COUNT(opcodes); i++) {
        struct iocb cb;

        prep(&cb, opcodes[i], fd, NULL, 0, 0);
        ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    }
    nothing_to_reap(ctx);
}
END_TEST

/* "Directory, epoll descriptor: EINVAL." */
START_TEST(einval_for_what_has_no_bytes)
{
    struct iocb cb;
    char byte;
    aio_context_t ctx = new_context(4);

    prep_read(&cb, open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), &byte, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep_read(&cb, epoll_create1(EPOLL_CLOEXEC), &byte, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    cb.aio_lio_opcode = IOCB_CMD_PWRITE;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
}
END_TEST

/* "unknown `aio_flags` bits are accepted" */
START_TEST(unknown_flags_are_accepted)
{
    struct iocb cb;
    char byte;
    aio_context_t ctx = new_context(4);

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    for (int bit = 2; bit < 32; bit++) {
        cb.aio_flags = (uint32_t)1 << bit;
        ck_assert_int_eq((int)perform(ctx, &cb), 1);
    }
}
END_TEST

/* "`data` and `obj` as submitted" */
START_TEST(data_comes_back_as_it_was)
{
    const uint64_t values[] = {0, 1, UINT64_MAX, 0x8000000000000000, 0x0123456789abcdef};
    struct iocb cb;
    char byte;
    aio_context_t ctx = new_context(4);
    int fd = temp_file(1);

    for (size_t i = 0; i < COUNT(values); i++) {
        prep_read(&cb, fd, &byte, 1, 0);
        cb.aio_data = values[i];
        ck_assert_int_eq((int)perform(ctx, &cb), 1);
    }
}
END_TEST

/* One iocb may be in flight many times. */
START_TEST(one_iocb_many_requests)
{
    struct iocb cb, *list[20];
    struct io_event events[20];
    char byte;
    aio_context_t ctx = new_context(20);

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    for (size_t i = 0; i < COUNT(list); i++)
        list[i] = &cb;
    ck_assert_int_eq(t_submit(ctx, COUNT(list), list), COUNT(list));
    reap(ctx, COUNT(list), events);
    for (size_t i = 0; i < COUNT(list); i++)
        ck_assert(is_event_of(&events[i], &cb));
    nothing_to_reap(ctx);
}
END_TEST

/* "io_submit does not block on I/O": an empty pipe. */
START_TEST(it_does_not_block_on_a_pipe)
{
    struct iocb cb, other;
    struct io_event event;
    char byte = 0, another = 0;
    int ends[2];
    aio_context_t ctx = new_context(4);

    BEYOND_THE_KERNEL();
    make_pipe(ends);
    prep_read(&cb, ends[0], &byte, 1, 0);
    must_submit(ctx, &cb);
    /* Nor does it keep others from being done. */
    prep_read(&other, temp_file(1), &another, 1, 0);
    must_submit(ctx, &other);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &other));
    nothing_to_reap(ctx);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
    ck_assert_int_eq((int)event.res, 1);
    ck_assert_int_eq(byte, 'x');
}
END_TEST

/* "for buffered files too (the kernel's does: this is where we beat it)" */
START_TEST(it_does_not_block_on_a_slow_file)
{
    struct iocb cb, other;
    struct io_event event;
    struct gate gate;
    char byte;
    aio_context_t ctx;

    MAKE_GATE(&gate);
    ctx = new_context(4);
    prep_read(&cb, temp_file(16), gate.page, 16, 0);
    must_submit(ctx, &cb);
    gate_await(&gate);
    prep_read(&other, temp_file(1), &byte, 1, 0);
    must_submit(ctx, &other);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &other));
    nothing_to_reap(ctx);
    gate_open(&gate);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
    ck_assert_int_eq((int)event.res, 16);
}
END_TEST

Suite *submit_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("submit", 60, &tc);

    tcase_add_test(tc, einval_for_a_negative_number);
    tcase_add_test(tc, einval_for_an_unknown_context);
    tcase_add_test(tc, nothing_of_nothing);
    tcase_add_test(tc, more_than_the_ring_holds_is_clipped);
    tcase_add_test(tc, all_of_a_list_is_accepted);
    tcase_add_test(tc, stops_at_the_first_bad_one);
    tcase_add_test(tc, the_first_ones_error_is_the_result);
    tcase_add_test(tc, an_unreadable_entry_ends_the_list);
    tcase_add_test(tc, an_unreadable_iocb_ends_the_list);
    tcase_add_test(tc, the_order_of_the_checks);
    tcase_add_test(tc, einval_for_the_reserved_field);
    tcase_add_test(tc, einval_for_an_overflow);
    tcase_add_test(tc, eagain_when_full);
    tcase_add_test(tc, a_list_that_does_not_fit_is_accepted_in_part);
    tcase_add_test(tc, refused_requests_take_no_slots);
    tcase_add_test(tc, ebadf_for_a_descriptor_that_is_not_open);
    tcase_add_test(tc, ebadf_for_a_mere_path);
    tcase_add_test(tc, resfd_must_be_an_eventfd);
    tcase_add_test(tc, resfd_counts_only_with_its_flag);
    tcase_add_test(tc, the_key_becomes_zero);
    tcase_add_test(tc, nothing_but_the_key_is_written);
    tcase_add_test(tc, efault_for_an_iocb_that_can_only_be_read);
    tcase_add_test(tc, einval_for_an_unknown_opcode);
    tcase_add_test(tc, einval_for_what_has_no_bytes);
    tcase_add_test(tc, unknown_flags_are_accepted);
    tcase_add_test(tc, data_comes_back_as_it_was);
    tcase_add_test(tc, one_iocb_many_requests);
    tcase_add_test(tc, it_does_not_block_on_a_pipe);
    tcase_add_test(tc, it_does_not_block_on_a_slow_file);
    return suite;
}
