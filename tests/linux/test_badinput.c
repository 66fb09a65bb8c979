/* SPDX-License-Identifier: MIT */
/* Contexts and pointers that are none. */
#include "helpers.h"

#include <sys/mman.h>

/* "Contexts 0, -1, 8, a stack address, an inaccessible page [...]: EINVAL, no crash." */
static aio_context_t garbage_context(size_t i)
{
    static char bytes[256];
    static int on_no_stack;
    struct ring *forged;

    switch (i) {
    case 0:
        return 0;
    case 1:
        return (aio_context_t)-1;
    case 2:
        return 8;
    case 3:
        return (aio_context_t)(uintptr_t)&on_no_stack;
    case 4:
        return (aio_context_t)(uintptr_t)no_access_page();
    case 5:
        return (aio_context_t)(uintptr_t)unmapped_page();
    case 6:
        return (aio_context_t)(uintptr_t)kernel_address();
    case 7: /* the end of a page */
        return (aio_context_t)(uintptr_t)(page_end() - 2);
    case 8: /* misaligned */
        return (aio_context_t)(uintptr_t)(bytes + 1);
    case 9: /* just beside a true one */
        return new_context(4) + 1;
    case 10:
        return new_context(4) + (aio_context_t)page_size();
    default: /* what looks like a ring, with the id of a true one */
        forged =
            mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(forged, MAP_FAILED);
        memcpy(forged, ring_of(new_context(4)), sizeof *forged);
        return (aio_context_t)(uintptr_t)forged;
    }
}

enum { GARBAGE = 12 };

START_TEST(einval_for_garbage_contexts)
{
    struct iocb cb, *list[1] = {&cb};
    struct io_event event;
    char byte;
    aio_context_t on_stack[64], ctx = garbage_context((size_t)_i);

    memset(on_stack, _i % 2 == 0 ? 0 : 0xff, sizeof on_stack);
    prep_read(&cb, temp_file(1), &byte, 1, 0);
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(t_submit(ctx, 1, list), -EINVAL);
        ck_assert_int_eq(t_submit(ctx, 0, NULL), -EINVAL);
        ck_assert_int_eq(t_cancel(ctx, &cb, &event), -EINVAL);
        if (!ROAD_LIBAIO || !on_kernel()) { /* libaio itself reads the context */
            ck_assert_int_eq(t_getevents(ctx, 1, 1, &event, NULL), -EINVAL);
            ck_assert_int_eq(t_getevents(ctx, 0, 1, &event, &long_time), -EINVAL);
            ck_assert_int_eq(t_pgetevents(ctx, 1, 1, &event, NULL, NULL), -EINVAL);
        }
        ck_assert_int_eq(t_destroy(ctx), -EINVAL);
        ctx = (aio_context_t)(uintptr_t)on_stack;
    }
    ctx = new_context(1);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
}
END_TEST

/* A header that goes beyond the end of what there is, as true as it can be. */
START_TEST(einval_for_what_is_too_near_a_pages_end)
{
    struct iocb cb, *list[1] = {&cb};
    struct io_event event;
    char *end = page_end(), byte;
    struct ring *ring = ring_of(new_context(4));

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    for (size_t room = 4; room <= sizeof(struct ring); room += 4) {
        aio_context_t ctx = (aio_context_t)(uintptr_t)(end - room);

        for (int round = 0; round < 2; round++) {
            if (round == 0)
                memset(end - room, 0, room);
            else
                memcpy(end - room, ring, room);
            ck_assert_int_eq(t_submit(ctx, 1, list), -EINVAL);
            ck_assert_int_eq(t_cancel(ctx, &cb, &event), -EINVAL);
            if (!ROAD_LIBAIO || !on_kernel()) { /* libaio itself reads the context */
                ck_assert_int_eq(t_getevents(ctx, 0, 1, &event, &no_time), -EINVAL);
                ck_assert_int_eq(t_getevents(ctx, 1, 1, &event, NULL), -EINVAL);
            }
            ck_assert_int_eq(t_destroy(ctx), -EINVAL);
        }
    }
}
END_TEST

/* One that was destroyed. */
START_TEST(einval_for_a_destroyed_context)
{
    struct iocb cb, *list[1] = {&cb};
    struct io_event event;
    aio_context_t ctx = new_context(4);

    prep_read(&cb, temp_file(1), NULL, 0, 0);
    must_destroy(ctx);
    ck_assert_int_eq(t_submit(ctx, 1, list), -EINVAL);
    ck_assert_int_eq(t_cancel(ctx, &cb, &event), -EINVAL);
    if (!ROAD_LIBAIO || !on_kernel()) { /* libaio itself reads the context */
        ck_assert_int_eq(t_getevents(ctx, 1, 1, &event, NULL), -EINVAL);
        ck_assert_int_eq(t_pgetevents(ctx, 1, 1, &event, NULL, NULL), -EINVAL);
    }
    ck_assert_int_eq(t_destroy(ctx), -EINVAL);
}
END_TEST

/* "unreadable iocbpp entry or iocb: EFAULT" */
START_TEST(efault_for_bad_lists)
{
    aio_context_t ctx = new_context(4);

    for (size_t i = 0; i < BAD_ADDRESSES; i++) {
        ck_assert_int_eq(t_submit(ctx, 1, bad_address(i)), -EFAULT);
        ck_assert_int_eq(t_submit(ctx, LONG_MAX, bad_address(i)), -EFAULT);
        ck_assert_int_eq(submit(ctx, bad_address(i)), -EFAULT);
    }
    ck_assert_int_eq(t_submit(ctx, 1, (struct iocb **)(void *)(page_end() - 3)), -EFAULT);
    nothing_to_reap(ctx);
}
END_TEST

/* UAIO_STRICT: "each pointer [...] is checked each time, not only the first time in a page" */
START_TEST(efault_for_what_was_good_before)
{
    size_t nbytes = (size_t)sysconf(_SC_PAGESIZE);
    struct iocb **list, cb;
    struct io_event *events;
    aio_context_t ctx;
    char byte;

    ck_assert_int_eq(setenv("UAIO_STRICT", "1", 1), 0);
    ctx = new_context(4);
    prep_read(&cb, temp_file(1), &byte, 1, 0);
    list = mmap(NULL, 2 * nbytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(list, MAP_FAILED);
    events = (struct io_event *)(void *)((char *)list + nbytes);
    list[0] = &cb;
    ck_assert_int_eq(t_submit(ctx, 1, list), 1);
    ck_assert_int_eq(t_getevents(ctx, 1, 1, events, NULL), 1);
    ck_assert_int_eq(t_submit(ctx, 1, list), 1);
    ck_assert_int_eq(mprotect(events, nbytes, PROT_READ), 0);
    ck_assert_int_eq(t_getevents(ctx, 1, 1, events, NULL), -EFAULT);
    ck_assert_int_eq(munmap(list, nbytes), 0);
    ck_assert_int_eq(t_submit(ctx, 1, list), -EFAULT);
    must_destroy(ctx);
}
END_TEST

/* Nothing need be aligned. */
START_TEST(misaligned_pointers_will_do)
{
    char cb_room[sizeof(struct iocb) + 1], list_room[sizeof(struct iocb *) + 1];
    char event_room[sizeof(struct io_event) + 1], iov_room[sizeof(struct iovec) + 1], byte;
    char time_room[sizeof(struct timespec) + 1];
    void *where = cb_room + 1;
    struct iovec iov = {&byte, 1};
    struct iocb cb;
    struct io_event event;
    aio_context_t ctx = new_context(4);

    memcpy(iov_room + 1, &iov, sizeof iov);
    prep(&cb, IOCB_CMD_PREADV, temp_file(1), iov_room + 1, 1, 0);
    cb.aio_key = 1;
    memcpy(where, &cb, sizeof cb);
    memcpy(list_room + 1, &where, sizeof where);
    memset(time_room, 0, sizeof time_room);
    ck_assert_int_eq(t_submit(ctx, 1, (struct iocb **)(void *)(list_room + 1)), 1);
    memcpy(&cb, where, sizeof cb);
    ck_assert_uint_eq(cb.aio_key, 0);
    await_in_ring(ring_of(ctx), 1);
    if (ROAD_LIBAIO && on_kernel()) /* libaio itself reads it, which the sanitizers mind */
        memset(time_room, 0, sizeof time_room);
    ck_assert_int_eq(
        t_getevents_at(ctx, 1, 1, (struct io_event *)(void *)(event_room + 1), time_room + 1), 1);
    memcpy(&event, event_room + 1, sizeof event);
    ck_assert(event.obj == as_u64(where) && event.res == 1);
}
END_TEST

/* Every field of a request with every bit set, and random ones: an error or an event, no crash. */
START_TEST(garbage_in_requests)
{
    unsigned seed = (unsigned)now_ns() | 1, state = seed;
    char bytes[64];
    int fd = reopen(temp_file(sizeof bytes), O_RDONLY), pending = 0;
    aio_context_t ctx = new_context(64);

    printf("seed %u\n", seed);
    for (int round = 0; round < 5000; round++) {
        struct iocb cb;
        unsigned char *raw = (unsigned char *)&cb;

        prep_read(&cb, fd, bytes, sizeof bytes, 0);
        for (int i = 0; i < 1 + round % 3; i++) {
            size_t at;

            state = state * 1664525 + 1013904223;
            at = state >> 8 & (sizeof cb - 1);
            /* Not the descriptor, nor the address, which might be someone's. */
            if ((at >= offsetof(struct iocb, aio_fildes) && at < offsetof(struct iocb, aio_nbytes)))
                continue;
            raw[at] = (unsigned char)(state >> 24);
        }
        if (cb.aio_nbytes > sizeof bytes && cb.aio_lio_opcode >= IOCB_CMD_PREADV)
            cb.aio_nbytes = 1;
        if (submit(ctx, &cb) == 1)
            pending++;
        if (pending > 0) {
            reap(ctx, 1, NULL);
            pending--;
        }
    }
    nothing_to_reap(ctx);
}
END_TEST

Suite *badinput_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("badinput", 60, &tc);

    tcase_add_loop_test(tc, einval_for_garbage_contexts, 0, GARBAGE);
    tcase_add_test(tc, einval_for_what_is_too_near_a_pages_end);
    tcase_add_test(tc, einval_for_a_destroyed_context);
    tcase_add_test(tc, efault_for_bad_lists);
    tcase_add_test(tc, efault_for_what_was_good_before);
    tcase_add_test(tc, misaligned_pointers_will_do);
    tcase_add_test(tc, garbage_in_requests);
    return suite;
}
