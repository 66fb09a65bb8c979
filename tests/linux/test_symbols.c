/* SPDX-License-Identifier: MIT */
/* libaio's names and their versions, and the helpers that are functions there. */
#include "helpers.h"

#include <dlfcn.h>
#include <sys/syscall.h>

/* "with versions LIBAIO_0.1, LIBAIO_0.4 and LIBAIO_0.5 [...] exactly as libaio 0.3.113 has them" */
START_TEST(names_have_libaios_versions)
{
#if ROAD_LIBAIO && defined(__GLIBC__)
    static const char *const names[][2] = {
        {"io_setup", "LIBAIO_0.4"},      {"io_destroy", "LIBAIO_0.4"},
        {"io_submit", "LIBAIO_0.1"},     {"io_cancel", "LIBAIO_0.4"},
        {"io_cancel", "LIBAIO_0.1"},     {"io_getevents", "LIBAIO_0.4"},
        {"io_getevents", "LIBAIO_0.1"},  {"io_pgetevents", "LIBAIO_0.5"},
        {"io_queue_init", "LIBAIO_0.1"}, {"io_queue_release", "LIBAIO_0.1"},
        {"io_queue_run", "LIBAIO_0.1"},  {"io_queue_wait", "LIBAIO_0.1"},
        {"io_queue_wait", "LIBAIO_0.4"},
    };
    void *library = dlopen("libaio.so.1", RTLD_NOW | RTLD_NOLOAD);

    ck_assert_msg(library != NULL, "%s", dlerror());
    for (size_t i = 0; i < COUNT(names); i++)
        ck_assert_msg(dlvsym(library, names[i][0], names[i][1]) != NULL, "%s@%s", names[i][0],
                      names[i][1]);
#else
    SKIP("not over this road");
#endif
}
END_TEST

#if ROAD_LIBAIO
extern int io_queue_init(int, aio_context_t *);
extern int io_queue_release(aio_context_t);
extern int io_queue_run(aio_context_t);

static atomic_int called;

static void callback(aio_context_t ctx, struct iocb *cb, long res, long res2)
{
    (void)ctx;
    if (res == 1 && res2 == 0 && cb != NULL)
        atomic_fetch_add(&called, 1);
}
#endif

/* "io_queue_init io_queue_release io_queue_run" */
START_TEST(queues_of_callbacks)
{
#if ROAD_LIBAIO
    struct iocb cbs[3];
    char byte;
    int fd = temp_file(1);
    aio_context_t ctx = 12345; /* not looked at */

    ck_assert_int_eq(io_queue_init(0, &ctx), -EINVAL);
    ck_assert_int_eq(io_queue_init(-1, &ctx), -EINVAL);
    ck_assert_int_eq(io_queue_init(4, &ctx), 0);
    for (size_t i = 0; i < COUNT(cbs); i++) {
        prep_read(&cbs[i], fd, &byte, 1, 0);
        cbs[i].aio_data = (uintptr_t)callback;
        must_submit(ctx, &cbs[i]);
    }
    await_in_ring(ring_of(ctx), COUNT(cbs));
    ck_assert_int_eq(io_queue_run(ctx), 0);
    ck_assert_int_eq(atomic_load(&called), COUNT(cbs));
    ck_assert_int_eq(io_queue_run(ctx), 0);
    ck_assert_int_eq(atomic_load(&called), COUNT(cbs));
    ck_assert_int_eq(io_queue_release(ctx), 0);
#else
    SKIP("not over this road");
#endif
}
END_TEST

/* io_queue_wait, of either version, asks for no event: it neither waits nor takes any. */
START_TEST(io_queue_wait_takes_nothing)
{
#if ROAD_LIBAIO && defined(__GLIBC__)
    static const char *const versions[] = {"LIBAIO_0.1", "LIBAIO_0.4"};
    int (*wait)(aio_context_t, const struct timespec *);
    struct iocb cb;
    struct io_event event;
    char byte;
    void *library = dlopen("libaio.so.1", RTLD_NOW | RTLD_NOLOAD);
    void *symbol = dlvsym(library, "io_queue_wait", versions[_i]);
    aio_context_t ctx = new_context(4);

    ck_assert_ptr_nonnull(symbol);
    memcpy(&wait, &symbol, sizeof wait);
    ck_assert_int_eq(wait(ctx, NULL), 0);
    ck_assert_int_eq(wait(ctx, &long_time), 0);
    ck_assert_int_eq(wait(0, NULL), -EINVAL);
    prep_read(&cb, temp_file(1), &byte, 1, 0);
    must_submit(ctx, &cb);
    await_in_ring(ring_of(ctx), 1);
    ck_assert_int_eq(wait(ctx, NULL), 0);
    ck_assert_int_eq(wait(ctx, &no_time), 0);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
#else
    SKIP("not over this road");
#endif
}
END_TEST

/*
 * "Interpose it: the six AIO numbers are ours, everything else passes straight
 * through, all six arguments, errno and return value untouched".
 */
START_TEST(other_system_calls_pass)
{
    struct iocb cb;
    char buf[4] = {0}, byte;
    int fd = temp_file(100), zero = temp_file(100);
    off_t from = 7, to = 9;
    aio_context_t ctx = new_context(4);

    prep_read(&cb, fd, &byte, 1, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    ck_assert_int_eq((int)syscall(SYS_getpid), (int)getpid());
    errno = 0;
    ck_assert_int_eq((int)syscall(SYS_close, -1), -1);
    ck_assert_int_eq(errno, EBADF);
    errno = 4095;
    ck_assert_int_eq((int)syscall(SYS_read, fd, buf, sizeof buf), sizeof buf);
    ck_assert_int_eq(errno, 4095);
    ck_assert(is_pattern(buf, sizeof buf, 0));
    /* Six arguments, of 64 bits each. */
#if UINTPTR_MAX > 0xffffffff
    ck_assert_int_eq((int)syscall(SYS_copy_file_range, fd, &from, zero, &to, (size_t)20, 0U), 20);
    ck_assert_int_eq((int)from, 27);
    ck_assert_int_eq((int)to, 29);
    errno = 0;
    ck_assert_int_eq((int)syscall(SYS_copy_file_range, fd, &from, zero, &to, (size_t)20, 99U), -1);
    ck_assert_int_eq(errno, EINVAL);
#else
    (void)zero;
    (void)from;
    (void)to;
#endif
    errno = 0;
    ck_assert_int_eq((int)syscall(100000), -1);
    ck_assert_int_eq(errno, ENOSYS);
}
END_TEST

#ifdef SYS_io_getevents
/* "MariaDB: setup, submit, destroy by libaio's symbols but getevents by `syscall(208)`" */
START_TEST(roads_may_be_mixed)
{
    struct iocb cb;
    struct io_event event;
    char byte;
    aio_context_t ctx;

# ifdef UAIO_TEST_WITHOUT_SYSCALL
    SKIP("libaio.so.1 has no syscall(): that is the preload's");
# endif
    ctx = new_context(4);
    prep_read(&cb, temp_file(1), &byte, 1, 0);
    must_submit(ctx, &cb);
    ck_assert_int_eq((int)syscall(SYS_io_getevents, ctx, 1L, 1L, &event, NULL), 1);
    ck_assert(is_event_of(&event, &cb));
    must_destroy(ctx);
    errno = 0;
    ck_assert_int_eq((int)syscall(SYS_io_getevents, ctx, 1L, 1L, &event, NULL), -1);
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST
#endif

Suite *symbols_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("symbols", 60, &tc);

    tcase_add_test(tc, names_have_libaios_versions);
    tcase_add_test(tc, queues_of_callbacks);
    tcase_add_loop_test(tc, io_queue_wait_takes_nothing, 0, 2);
    tcase_add_test(tc, other_system_calls_pass);
#ifdef SYS_io_getevents
    tcase_add_test(tc, roads_may_be_mixed);
#endif
    return suite;
}
