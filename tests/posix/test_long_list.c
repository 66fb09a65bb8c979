/* SPDX-License-Identifier: MIT */
/*
 * lio_listio() with many reads, which the calling thread may have somebody help it
 * with: nobody may be able to tell.
 */
#include "helpers.h"
#include "../long_list.h"

#include <sched.h>

static struct aiocb cbs[MANY], *list[MANY];
static unsigned char buffers[MANY][BLOCK];

static void prep_block(size_t i, int fd)
{
    memset(buffers[i], 0xee, BLOCK);
    prep(&cbs[i], fd, buffers[i], BLOCK, (off_t)(below(MANY) * BLOCK));
    cbs[i].aio_lio_opcode = LIO_READ;
    list[i] = &cbs[i];
}

static void prep_blocks(size_t n, int fd)
{
    for (size_t i = 0; i < n; i++)
        prep_block(i, fd);
}

static void has_read_block(size_t i)
{
    ck_assert_int_eq((int)finish(&cbs[i]), (int)BLOCK);
    ck_assert(is_pattern(buffers[i], BLOCK, (size_t)cbs[i].aio_offset));
}

START_TEST(each_is_read_once)
{
    int n = sizes[_i % SIZES], mode = _i < SIZES ? LIO_WAIT : LIO_NOWAIT;
    int fd = temp_file(FILE_BYTES);

    for (int round = 0; round < ROUNDS; round++) {
        prep_blocks((size_t)n, fd);
        ck_assert_int_eq(lio_listio(mode, list, n, NULL), 0);
        for (int i = 0; i < n; i++)
            has_read_block((size_t)i);
    }
}
END_TEST

/* "each entry that can be is queued", whatever stands before and after it. */
START_TEST(bad_ones_fail_alone_wherever_they_are)
{
    int fd = temp_file(FILE_BYTES), closed = closed_fd();

    for (int bad = 0; bad < 40; bad++) {
        int error = EBADF;
        prep_blocks(40, fd);
        switch (_i) {
        case 0:
            cbs[bad].aio_fildes = closed;
            break;
        case 1:
            cbs[bad].aio_offset = -1;
            error = EINVAL;
            break;
        default:
            cbs[bad].aio_reqprio = -1;
            error = EINVAL;
            break;
        }
        ck_assert_int_eq(lio_listio(LIO_WAIT, list, 40, NULL), -1);
        ck_assert_int_eq(errno, EIO);
        for (int i = 0; i < 40; i++) {
            if (i == bad)
                ck_assert_int_eq(aio_error(&cbs[i]), error);
            else
                has_read_block((size_t)i);
        }
    }
}
END_TEST

START_TEST(results_of_their_own)
{
    static unsigned char written[BLOCK];
    int fd = temp_file(FILE_BYTES), other = temp_file(0);

    for (int round = 0; round < ROUNDS; round++) {
        ssize_t expected[MANY];
        prep_blocks(MANY, fd);
        for (size_t i = 0; i < MANY; i++)
            expected[i] = BLOCK;
        for (size_t i = below(20); i < MANY; i += 8 + below(20)) {
            switch (below(5)) {
            case 0:
                cbs[i].aio_offset = (off_t)FILE_BYTES;
                expected[i] = 0;
                break;
            case 1:
                cbs[i].aio_offset = (off_t)FILE_BYTES - 10;
                expected[i] = 10;
                break;
            case 2:
                prep(&cbs[i], other, written, BLOCK, 0);
                cbs[i].aio_lio_opcode = LIO_WRITE;
                break;
            case 3:
                cbs[i].aio_lio_opcode = LIO_NOP;
                expected[i] = -1;
                break;
            default:
                list[i] = NULL;
                expected[i] = -1;
                break;
            }
        }
        ck_assert_int_eq(lio_listio(LIO_WAIT, list, MANY, NULL), 0);
        for (size_t i = 0; i < MANY; i++) {
            if (expected[i] >= 0)
                ck_assert_int_eq((int)finish(&cbs[i]), (int)expected[i]);
            if (expected[i] == BLOCK && cbs[i].aio_fildes == fd)
                ck_assert(is_pattern(buffers[i], BLOCK, (size_t)cbs[i].aio_offset));
        }
    }
}
END_TEST

static atomic_int told;
static sem_t all_told;
static int to_be_told;

static void tell(union sigval value)
{
    (void)value;
    if (atomic_fetch_add(&told, 1) + 1 == to_be_told)
        sem_post(&all_told);
}

/* Those that are to be told of, and the list. */
START_TEST(each_notification_comes_once)
{
    struct sigevent end;
    int fd = temp_file(FILE_BYTES);

    ck_assert_int_eq(sem_init(&all_told, 0, 0), 0);
    notify_by_thread(&end, tell, NULL, NULL);
    for (int round = 0; round < 20; round++) {
        atomic_store(&told, 0);
        to_be_told = 1 + MANY / 20;
        prep_blocks(MANY, fd);
        for (size_t i = 19; i < MANY; i += 20)
            notify_by_thread(&cbs[i].aio_sigevent, tell, NULL, NULL);
        ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, MANY, &end), 0);
        await(&all_told);
        for (size_t i = 0; i < MANY; i++)
            has_read_block(i);
    }
    ck_assert_int_eq(atomic_load(&told), to_be_told);
}
END_TEST

START_TEST(the_number_may_mean_another_file)
{
    int fd = temp_file(FILE_BYTES), empty = temp_file(0), full = reopen(fd, O_RDONLY);

    for (int round = 0; round < ROUNDS; round++) {
        prep_blocks(50, fd);
        ck_assert_int_eq(lio_listio(LIO_WAIT, list, 50, NULL), 0);
        for (size_t i = 0; i < 50; i++)
            has_read_block(i);
        ck_assert_int_eq(dup2(empty, fd), fd);
        ck_assert_int_eq(lio_listio(LIO_WAIT, list, 50, NULL), 0);
        for (size_t i = 0; i < 50; i++)
            ck_assert_int_eq((int)finish(&cbs[i]), 0);
        ck_assert_int_eq(dup2(full, fd), fd);
    }
}
END_TEST

static sem_t in_the_loop;
static int file;

static void *keep_reading(void *argument)
{
    static struct aiocb own[32];
    static unsigned char blocks[32][BLOCK];
    struct aiocb *own_list[32];

    sem_post(&in_the_loop);
    for (;;) {
        for (int i = 0; i < 32; i++) {
            own_list[i] = &own[i];
            prep(&own[i], file, blocks[i], BLOCK, (off_t)(i * (int)BLOCK));
            own[i].aio_lio_opcode = LIO_READ;
        }
        lio_listio(LIO_NOWAIT, own_list, 32, NULL);
        for (int i = 0; i < 32; i++) {
            while (aio_error(&own[i]) == EINPROGRESS)
                sched_yield();
        }
        pthread_testcancel();
    }
    return argument;
}

START_TEST(a_thread_that_is_cancelled_leaves_nothing_behind)
{
    pthread_t thread;

    file = temp_file(FILE_BYTES);
    ck_assert_int_eq(sem_init(&in_the_loop, 0, 0), 0);
    for (int round = 0; round < 200; round++) {
        start_thread(&thread, keep_reading, NULL);
        await(&in_the_loop);
        for (int i = 0; i < round % 10; i++)
            let_others_run();
        ck_assert_int_eq(pthread_cancel(thread), 0);
        ck_assert_ptr_eq(join_thread(thread), PTHREAD_CANCELED);
    }
    prep_blocks(MANY, file);
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, MANY, NULL), 0);
    for (size_t i = 0; i < MANY; i++)
        has_read_block(i);
}
END_TEST

Suite *long_list_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("long_list", 60, &tc);

    tcase_add_loop_test(tc, each_is_read_once, 0, 2 * SIZES);
    tcase_add_loop_test(tc, bad_ones_fail_alone_wherever_they_are, 0, 3);
    tcase_add_test(tc, results_of_their_own);
    tcase_add_test(tc, each_notification_comes_once);
    tcase_add_test(tc, the_number_may_mean_another_file);
    tcase_add_test(tc, a_thread_that_is_cancelled_leaves_nothing_behind);
    return suite;
}
