/* SPDX-License-Identifier: MIT */
/* io_pgetevents(). */
#include "helpers.h"

#include <sys/syscall.h>

/* Not zero: with that, and nothing in the ring, libaio looks at nothing else. */
static const struct timespec moment = {0, 1000000};

static void set_of(sigset_t *set, int signo)
{
    sigemptyset(set);
    if (signo != 0)
        sigaddset(set, signo);
}

static void block(int signo)
{
    sigset_t set;

    set_of(&set, signo);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

static bool is_blocked(int signo)
{
    sigset_t now;

    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    return sigismember(&now, signo) == 1;
}

/* Without a mask it is io_getevents. */
START_TEST(without_a_mask_it_is_io_getevents)
{
    struct iocb cb;
    struct io_event events[2];
    char byte;
    aio_context_t ctx = new_context(4);

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    must_submit(ctx, &cb);
    ck_assert_int_eq(t_pgetevents(ctx, 1, 2, events, NULL, NULL), 1);
    ck_assert(is_event_of(events, &cb));
    ck_assert_int_eq(t_pgetevents(ctx, 0, 2, events, &no_time, NULL), 0);
    ck_assert_int_eq(t_pgetevents(ctx, 1, 2, events, &moment, NULL), 0);
    ck_assert_int_eq(t_pgetevents(ctx, 2, 1, events, &long_time, NULL), -EINVAL);
    ck_assert_int_eq(t_pgetevents(0, 1, 1, events, NULL, NULL), -EINVAL);
    must_submit(ctx, &cb);
    ck_assert_int_eq(t_pgetevents(ctx, 1, 2, no_access_page(), NULL, NULL), -EFAULT);
    reap(ctx, 1, NULL);
}
END_TEST

/* "swaps the signal mask atomically around the wait": a signal that is pending interrupts. */
START_TEST(a_pending_signal_that_the_mask_lets_in_interrupts)
{
    struct io_event event;
    sigset_t none;
    aio_context_t ctx = new_context(4);

    set_of(&none, 0);
    handle(SIGUSR1, count_signal, _i == 0 ? 0 : SA_RESTART);
    block(SIGUSR1);
    for (int i = 1; i <= 200; i++) {
        ck_assert_int_eq(raise(SIGUSR1), 0);
        ck_assert_int_eq(atomic_load(&signals_seen), i - 1);
        ck_assert_int_eq(t_pgetevents(ctx, 1, 1, &event, i % 2 ? NULL : &long_time, &none), -EINTR);
        ck_assert_int_eq(atomic_load(&signals_seen), i);
        ck_assert(is_blocked(SIGUSR1));
    }
}
END_TEST

/* Also where there is nothing to wait for: for none, or not at all.  The other libaio
 * does not call the kernel then, if the ring is empty. */
START_TEST(a_pending_signal_interrupts_who_does_not_wait)
{
    const struct timespec at_once = {0, 0};
    struct io_event event;
    sigset_t none;
    aio_context_t ctx = new_context(4);

    if (ROAD_LIBAIO && on_kernel() && _i < 2)
        return;
    set_of(&none, 0);
    handle(SIGUSR1, count_signal, 0);
    block(SIGUSR1);
    ck_assert_int_eq(raise(SIGUSR1), 0);
    ck_assert_int_eq(t_pgetevents(ctx, 0, 1, &event, &at_once, NULL), 0); /* no mask */
    ck_assert_int_eq(atomic_load(&signals_seen), 0);
    ck_assert_int_eq(t_pgetevents(ctx, _i == 0, 1, &event, _i < 2 ? &at_once : &long_time, &none),
                     -EINTR);
    ck_assert_int_eq(atomic_load(&signals_seen), 1);
    ck_assert(is_blocked(SIGUSR1));
    ck_assert_int_eq(t_pgetevents(ctx, _i == 0, 1, &event, &at_once, &none), 0);
}
END_TEST

/* And one that comes while it waits. */
START_TEST(a_signal_that_comes_interrupts)
{
    struct io_event event;
    sigset_t none;
    aio_context_t ctx = new_context(4);

    set_of(&none, 0);
    handle(SIGUSR1, count_signal, SA_RESTART);
    block(SIGUSR1);
    for (int i = 0; i < 20; i++) {
        int before = atomic_load(&signals_seen);

        storm_begin(SIGUSR1, 1000);
        ck_assert_int_eq(t_pgetevents(ctx, 1, 1, &event, NULL, &none), -EINTR);
        storm_end();
        ck_assert_int_gt(atomic_load(&signals_seen), before);
        ck_assert(is_blocked(SIGUSR1));
    }
}
END_TEST

/* What the mask blocks waits until the call is over. */
START_TEST(what_the_mask_blocks_waits)
{
    const struct timespec short_time = {0, 20000000};
    struct io_event event;
    sigset_t all;
    int before;
    aio_context_t ctx = new_context(4);

    sigfillset(&all);
    handle(SIGUSR1, count_signal, 0);
    storm_begin(SIGUSR1, 1000);
    ck_assert_int_eq(t_pgetevents(ctx, 1, 1, &event, &short_time, &all), 0);
    before = atomic_load(&signals_seen);
    while (atomic_load(&signals_seen) == before)
        ; /* now it gets through */
    storm_end();
    ck_assert(!is_blocked(SIGUSR1));
}
END_TEST

/* "a ready event beats a pending signal", whose handler runs all the same */
START_TEST(a_ready_event_beats_a_pending_signal)
{
    struct iocb cb;
    struct io_event event;
    char byte;
    int fd = temp_file(1);
    sigset_t none;
    aio_context_t ctx = new_context(4);

    set_of(&none, 0);
    handle(SIGUSR1, count_signal, 0);
    block(SIGUSR1);
    for (int i = 1; i <= 200; i++) {
        prep_read(&cb, fd, &byte, 1, 0);
        must_submit(ctx, &cb);
        await_in_ring(ring_of(ctx), 1);
        ck_assert_int_eq(raise(SIGUSR1), 0);
        ck_assert_int_eq(t_pgetevents(ctx, 1, 1, &event, NULL, &none), 1);
        ck_assert(is_event_of(&event, &cb));
        ck_assert_int_eq(atomic_load(&signals_seen), i);
        ck_assert(is_blocked(SIGUSR1));
    }
}
END_TEST

/* The mask is the old one again, after every kind of result. */
START_TEST(the_mask_is_restored)
{
    struct io_event event;
    sigset_t mask;
    aio_context_t ctx = new_context(4);

    block(SIGUSR2);
    set_of(&mask, SIGUSR1);
    ck_assert_int_eq(t_pgetevents(ctx, 0, 1, &event, &no_time, &mask), 0);
    ck_assert(is_blocked(SIGUSR2) && !is_blocked(SIGUSR1));
    ck_assert_int_eq(t_pgetevents(ctx, 2, 1, &event, &moment, &mask), -EINVAL);
    ck_assert(is_blocked(SIGUSR2) && !is_blocked(SIGUSR1));
    ck_assert_int_eq(t_pgetevents(0, 1, 1, &event, &no_time, &mask), -EINVAL);
    ck_assert(is_blocked(SIGUSR2) && !is_blocked(SIGUSR1));
}
END_TEST

START_TEST(efault_for_a_bad_mask)
{
    struct io_event event;
    aio_context_t ctx = new_context(4);

    for (size_t i = 1; i < BAD_ADDRESSES; i++)
        ck_assert_int_eq(t_pgetevents(ctx, 0, 1, &event, &moment, bad_address(i)), -EFAULT);
}
END_TEST

#ifdef SYS_io_pgetevents
/* The raw call's mask comes with its size, which must be the kernel's; without a mask it is not
 * looked at. */
START_TEST(einval_for_a_mask_of_another_size)
{
    const size_t right = (_NSIG - 1) / 8, wrong[] = {0, 1, right - 1, right + 1, sizeof(sigset_t)};
    struct {
        const sigset_t *mask;
        size_t size;
    } wanted;
    struct io_event event;
    sigset_t none;
    aio_context_t ctx;

# ifdef UAIO_TEST_WITHOUT_SYSCALL
    SKIP("libaio.so.1 has no syscall(): that is the preload's");
# endif
    ctx = new_context(4);
    set_of(&none, 0);
    wanted.mask = &none;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        wanted.size = wrong[i];
        errno = 0;
        ck_assert_int_eq((int)syscall(SYS_io_pgetevents, ctx, 0L, 1L, &event, NULL, &wanted), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
    wanted.size = right;
    ck_assert_int_eq((int)syscall(SYS_io_pgetevents, ctx, 0L, 1L, &event, NULL, &wanted), 0);
    wanted.mask = NULL;
    wanted.size = 3;
    ck_assert_int_eq((int)syscall(SYS_io_pgetevents, ctx, 0L, 1L, &event, NULL, &wanted), 0);
}
END_TEST
#endif

Suite *pgetevents_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("pgetevents", 60, &tc);

    tcase_add_test(tc, without_a_mask_it_is_io_getevents);
    tcase_add_loop_test(tc, a_pending_signal_that_the_mask_lets_in_interrupts, 0, 2);
    tcase_add_loop_test(tc, a_pending_signal_interrupts_who_does_not_wait, 0, 3);
    tcase_add_test(tc, a_signal_that_comes_interrupts);
    tcase_add_test(tc, what_the_mask_blocks_waits);
    tcase_add_test(tc, a_ready_event_beats_a_pending_signal);
    tcase_add_test(tc, the_mask_is_restored);
    tcase_add_test(tc, efault_for_a_bad_mask);
#ifdef SYS_io_pgetevents
    tcase_add_test(tc, einval_for_a_mask_of_another_size);
#endif
    return suite;
}
