/* SPDX-License-Identifier: MIT */
/*
 * Lists of many reads, which the submitting thread may have somebody help it with:
 * nobody may be able to tell.
 */
#include "helpers.h"
#include "../long_list.h"

#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static struct iocb cbs[MANY], *list[MANY];
static unsigned char buffers[MANY][BLOCK];

/* A read of one of the file's blocks into its own buffer. */
static void prep_block(size_t i, int fd)
{
    list[i] = &cbs[i];
    memset(buffers[i], 0xee, BLOCK);
    prep_read(&cbs[i], fd, buffers[i], BLOCK, (int64_t)(below(MANY) * BLOCK));
    cbs[i].aio_key = 7;
}

static void prep_blocks(size_t n, int fd)
{
    for (size_t i = 0; i < n; i++)
        prep_block(i, fd);
}

static void has_read_block(size_t i)
{
    ck_assert(is_pattern(buffers[i], BLOCK, (size_t)cbs[i].aio_offset));
    ck_assert_uint_eq(cbs[i].aio_key, 0);
}

static bool stormy; /* the kernel says EINTR where there is nothing */

/* Reaps the events of the list's first n, each once; results[i] is to be that of cbs[i]. */
static void reap_list(aio_context_t ctx, size_t n, int64_t *results)
{
    struct io_event events[MANY];
    bool seen[MANY] = {false};

    reap(ctx, n, events);
    for (size_t i = 0; i < n; i++) {
        size_t which = (size_t)((struct iocb *)(uintptr_t)events[i].obj - cbs);
        ck_assert_uint_lt(which, n);
        ck_assert(!seen[which]);
        ck_assert(is_event_of(&events[i], &cbs[which]));
        seen[which] = true;
        results[which] = events[i].res;
    }
    if (!stormy)
        nothing_to_reap(ctx);
}

static void reap_blocks(aio_context_t ctx, size_t n)
{
    int64_t results[MANY];

    reap_list(ctx, n, results);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq((int)results[i], (int)BLOCK);
        has_read_block(i);
    }
}

START_TEST(each_is_read_once)
{
    size_t n = (size_t)sizes[_i];
    int fd = temp_file(FILE_BYTES);
    aio_context_t ctx = new_context(MANY);

    for (int round = 0; round < ROUNDS; round++) {
        prep_blocks(n, fd);
        ck_assert_int_eq(t_submit(ctx, (long)n, list), (int)n);
        reap_blocks(ctx, n);
    }
    must_destroy(ctx);
}
END_TEST

START_TEST(of_several_files)
{
    int fds[3];
    aio_context_t ctx = new_context(MANY);

    for (size_t f = 0; f < COUNT(fds); f++)
        fds[f] = temp_file(FILE_BYTES);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < MANY; i++)
            prep_block(i, fds[below(COUNT(fds))]);
        ck_assert_int_eq(t_submit(ctx, MANY, list), MANY);
        reap_blocks(ctx, MANY);
    }
    must_destroy(ctx);
}
END_TEST

/* What can be wrong with an iocb, and what is said of it. */
static int spoil(size_t i, int way)
{
    switch (way) {
    case 0:
        cbs[i].aio_fildes = (unsigned)closed_fd();
        return -EBADF;
    case 1:
        cbs[i].aio_offset = -1;
        return -EINVAL;
    case 2:
        cbs[i].aio_reserved2 = 1;
        return -EINVAL;
    case 3:
        list[i] = bad_address(1);
        return -EFAULT;
    default:
        cbs[i].aio_buf = as_u64(kernel_address());
        return -EFAULT;
    }
}

#define WAYS_TO_SPOIL 5

START_TEST(stops_at_a_bad_one_wherever_it_is)
{
    int fd = temp_file(FILE_BYTES);
    aio_context_t ctx = new_context(MANY);

    for (size_t bad = 0; bad < 50; bad++) {
        int error;
        prep_blocks(50, fd);
        if (sizeof(void *) < 8 && _i == 4)
            SKIP("no address of 32 bits need be the kernel's");
        error = spoil(bad, _i);
        ck_assert_int_eq(t_submit(ctx, 50, list), bad > 0 ? (int)bad : error);
        reap_blocks(ctx, bad);
    }
    must_destroy(ctx);
}
END_TEST

/* Before and after it, and whatever else there is. */
START_TEST(results_of_their_own)
{
    static unsigned char written[BLOCK];
    int fd = temp_file(FILE_BYTES), other = temp_file(0), ends[2];
    aio_context_t ctx = new_context(MANY);
    int64_t results[MANY], expected[MANY];
    struct iovec segments[3] = {
        {buffers[1], 100}, {buffers[1] + 100, 200}, {buffers[1] + 300, BLOCK - 300}};
    struct iovec whole = {buffers[2], BLOCK};

    make_pipe(ends);
    for (int round = 0; round < ROUNDS; round++) {
        prep_blocks(MANY, fd);
        for (size_t i = 0; i < MANY; i++)
            expected[i] = BLOCK;
        prep_readv(&cbs[1], fd, segments, 3, 5 * BLOCK);
        prep_readv(&cbs[2], fd, &whole, 1, 6 * BLOCK);
        for (size_t i = 3; i < MANY; i += 7 + below(20)) {
            switch (below(5)) {
            case 0: /* beyond the end */
                cbs[i].aio_offset = (int64_t)FILE_BYTES;
                expected[i] = 0;
                break;
            case 1: /* some of it */
                cbs[i].aio_offset = (int64_t)FILE_BYTES - 10;
                expected[i] = 10;
                break;
            case 2:
                cbs[i].aio_buf = as_u64(no_access_page());
                expected[i] = -EFAULT;
                break;
            case 3:
                prep_write(&cbs[i], other, written, BLOCK, 0);
                break;
            case 4:
                prep(&cbs[i], IOCB_CMD_FDSYNC, other, NULL, 0, 0);
                expected[i] = 0;
                break;
            }
        }
        ck_assert_int_eq(t_submit(ctx, MANY, list), MANY);
        reap_list(ctx, MANY, results);
        for (size_t i = 0; i < MANY; i++) {
            ck_assert_int_eq((int)results[i], (int)expected[i]);
            if (expected[i] == BLOCK && cbs[i].aio_fildes == (unsigned)fd)
                ck_assert(is_pattern(buffers[i], BLOCK, (size_t)cbs[i].aio_offset));
        }
    }
    must_destroy(ctx);
}
END_TEST

START_TEST(as_many_as_there_is_room_for)
{
    int fd = temp_file(FILE_BYTES);
    aio_context_t ctx = new_context(40);
    int room = 0, n;

    prep_blocks(MANY, fd);
    while ((n = t_submit(ctx, 11, list)) > 0)
        room += n;
    ck_assert_int_eq(n, -EAGAIN);
    ck_assert_int_ge(room, 40);
    reap(ctx, (size_t)room, NULL);
    /* The more so of lists that end where the room does.  The kernel keeps some of it
     * for each processor: what there is depends on where the thread runs. */
    for (int left = 0; left < 20 && left <= room && !on_kernel(); left++) {
        for (n = 0; n < room - left; n++)
            must_submit(ctx, &cbs[0]);
        ck_assert_int_eq(t_submit(ctx, 32, list), left > 0 ? left : -EAGAIN);
        reap(ctx, (size_t)room, NULL);
    }
    must_destroy(ctx);
}
END_TEST

START_TEST(each_tells_its_eventfd)
{
    int fd = temp_file(FILE_BYTES), told[2];
    aio_context_t ctx = new_context(MANY);

    told[0] = make_eventfd(EFD_NONBLOCK);
    told[1] = make_eventfd(EFD_NONBLOCK);
    for (int round = 0; round < ROUNDS; round++) {
        prep_blocks(60, fd);
        for (size_t i = 0; i < 60; i++) {
            if (i % 3 < 2)
                set_resfd(&cbs[i], told[i % 3]);
        }
        ck_assert_int_eq(t_submit(ctx, 60, list), 60);
        reap_blocks(ctx, 60);
        ck_assert_uint_eq(take_count(told[0]), 20);
        ck_assert_uint_eq(take_count(told[1]), 20);
    }
    must_destroy(ctx);
}
END_TEST

START_TEST(the_number_may_mean_another_file)
{
    int fd = temp_file(FILE_BYTES), empty = temp_file(0), full = reopen(fd, O_RDONLY);
    aio_context_t ctx = new_context(MANY);
    int64_t results[MANY];

    for (int round = 0; round < ROUNDS; round++) {
        prep_blocks(50, fd);
        ck_assert_int_eq(t_submit(ctx, 50, list), 50);
        reap_blocks(ctx, 50);
        ck_assert_int_eq(dup2(empty, fd), fd);
        ck_assert_int_eq(t_submit(ctx, 50, list), 50);
        reap_list(ctx, 50, results);
        for (size_t i = 0; i < 50; i++)
            ck_assert_int_eq((int)results[i], 0);
        ck_assert_int_eq(dup2(full, fd), fd);
    }
    must_destroy(ctx);
}
END_TEST

static aio_context_t shared;
static int shared_fd, shared_empty, wrong;

static int read_from_ones_own(void *argument)
{
    struct io_event events[MANY];

    (void)argument;
    wrong = dup2(shared_empty, shared_fd) != shared_fd;
    for (int round = 0; round < ROUNDS; round++) {
        wrong += t_submit(shared, 50, list) != 50;
        wrong += t_getevents(shared, 50, 50, events, NULL) != 50;
        for (int i = 0; i < 50; i++)
            wrong += events[i].res != 0;
    }
    syscall(SYS_exit, 0);
    return 0;
}

/* The child has our memory, but its number is another file's. */
START_TEST(a_child_has_descriptors_of_its_own)
{
    static char stack[1 << 18] __attribute__((aligned(64)));
    pid_t pid;

    if (SANITIZED)
        SKIP("the sanitizers do not know such children");
    shared = new_context(MANY);
    shared_fd = temp_file(FILE_BYTES);
    shared_empty = temp_file(0);
    prep_blocks(50, shared_fd);
    for (int round = 0; round < ROUNDS; round++) {
        ck_assert_int_eq(t_submit(shared, 50, list), 50);
        reap_blocks(shared, 50);
    }
    pid = clone(read_from_ones_own, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(status_of(pid, 0), 0);
    ck_assert_int_eq(wrong, 0);
    must_destroy(shared);
}
END_TEST

#define SUBMITTERS 4

struct submitter {
    pthread_t thread;
    int fd, wrong;
};

/* Off the main thread, so without assertions, and with blocks of its own. */
static void *submit_lists(void *argument)
{
    struct submitter *s = argument;
    static _Thread_local struct iocb own[32];
    static _Thread_local unsigned char block[32][BLOCK];
    struct iocb *own_list[32];
    struct io_event events[32];
    aio_context_t ctx = 0;

    s->wrong = t_setup(32, &ctx) != 0;
    for (int round = 0; round < 20 * ROUNDS; round++) {
        for (size_t i = 0; i < 32; i++) {
            own_list[i] = &own[i];
            prep_read(&own[i], s->fd, block[i], BLOCK,
                      (int64_t)(((size_t)round + i) % MANY * BLOCK));
            memset(block[i], 0xee, BLOCK);
        }
        s->wrong += t_submit(ctx, 32, own_list) != 32;
        s->wrong += t_getevents(ctx, 32, 32, events, NULL) != 32;
        for (size_t i = 0; i < 32; i++)
            s->wrong +=
                events[i].res != BLOCK || !is_pattern(block[i], BLOCK, (size_t)own[i].aio_offset);
    }
    s->wrong += t_destroy(ctx) != 0;
    return NULL;
}

static void nothing(int signo)
{
    (void)signo;
}

START_TEST(from_many_threads_under_signals)
{
    struct submitter submitters[SUBMITTERS];
    int fd = temp_file(FILE_BYTES);

    aio_context_t ctx = new_context(MANY);

    handle(SIGUSR1, nothing, SA_RESTART);
    for (size_t i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (struct submitter){.fd = fd};
        ck_assert_int_eq(pthread_create(&submitters[i].thread, NULL, submit_lists, &submitters[i]),
                         0);
    }
    stormy = true;
    storm_begin(SIGUSR1, 100);
    for (int round = 0; round < ROUNDS; round++) {
        prep_blocks(MANY, fd);
        ck_assert_int_eq(t_submit(ctx, MANY, list), MANY);
        reap_blocks(ctx, MANY);
    }
    storm_end();
    for (size_t i = 0; i < SUBMITTERS; i++)
        ck_assert_int_eq(pthread_join(submitters[i].thread, NULL), 0);
    for (size_t i = 0; i < SUBMITTERS; i++)
        ck_assert_int_eq(submitters[i].wrong, 0);
    must_destroy(ctx);
}
END_TEST

static aio_context_t handlers;
static atomic_int by_handler, wrong_by_handler;
static sem_t end_of_other;

static void submit_in_handler(int signo)
{
    struct io_event events[50];
    int saved = errno;

    (void)signo;
    for (int round = 0; round < 3; round++) { /* the last could make good use of a thread */
        if (t_submit(handlers, 50, list) != 50 || t_getevents(handlers, 50, 50, events, NULL) != 50)
            atomic_fetch_add(&wrong_by_handler, 1);
    }
    atomic_fetch_add(&by_handler, 1);
    errno = saved;
}

/* With it malloc() takes locks. */
static void *sit_by(void *argument)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (sem_wait(&end_of_other) != 0)
        ;
    return argument;
}

/* Also malloc(), which the start of the first thread needs, too. */
START_TEST(a_handler_may_have_interrupted_anything)
{
    int fd = temp_file(FILE_BYTES);
    pthread_t other;

    ck_assert_int_eq(sem_init(&end_of_other, 0, 0), 0);
    ck_assert_int_eq(pthread_create(&other, NULL, sit_by, NULL), 0);
    handlers = new_context(MANY);
    prep_blocks(50, fd);
    ck_assert_int_eq(t_submit(handlers, 50, list), 50);
    reap_blocks(handlers, 50);
    handle(SIGUSR1, submit_in_handler, 0);
    storm_begin(SIGUSR1, 1000);
    while (atomic_load(&by_handler) < 3) {
        void *volatile block[200];
        for (size_t i = 0; i < COUNT(block); i++)
            block[i] = malloc(2000 + below(30000));
        for (size_t i = 0; i < COUNT(block); i++)
            free(block[i]);
    }
    storm_end();
    sem_post(&end_of_other);
    ck_assert_int_eq(pthread_join(other, NULL), 0);
    ck_assert_int_eq(atomic_load(&wrong_by_handler), 0);
    must_destroy(handlers);
}
END_TEST

Suite *batch_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("batch", 60, &tc);

    tcase_add_loop_test(tc, each_is_read_once, 0, SIZES);
    tcase_add_test(tc, of_several_files);
    tcase_add_loop_test(tc, stops_at_a_bad_one_wherever_it_is, 0, WAYS_TO_SPOIL);
    tcase_add_test(tc, results_of_their_own);
    tcase_add_test(tc, as_many_as_there_is_room_for);
    tcase_add_test(tc, each_tells_its_eventfd);
    tcase_add_test(tc, the_number_may_mean_another_file);
    tcase_add_test(tc, a_child_has_descriptors_of_its_own);
    tcase_add_test(tc, from_many_threads_under_signals);
    tcase_add_loop_test(tc, a_handler_may_have_interrupted_anything, 0, 50);
    return suite;
}
