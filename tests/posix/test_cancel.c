/* SPDX-License-Identifier: MIT */
/*
 * aio_cancel().  Requests that wait on pipes, sockets and terminals are not
 * here: only what is queued behind a worker, runs in one, or is done.
 */
#include "helpers.h"

#define QUEUED 10

static struct aiocb slow;
static struct gate gate;

/* One worker, stopped at page 0 in a read of another file. */
#define HOLD_THE_WORKER()         \
 do {                             \
  queue_everything();             \
  use_workers(1);                 \
  MAKE_GATE(&gate, 4);            \
  occupy_worker(&gate, 0, &slow); \
 } while (0)

static void release_the_worker(void)
{
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
}

static void queue_reads(struct aiocb *cbs, char *bytes, size_t n, int fd)
{
    for (size_t i = 0; i < n; i++) {
        bytes[i] = '?';
        prep(&cbs[i], fd, &bytes[i], 1, (off_t)i);
        must_read(&cbs[i]);
    }
}

/* "aio_cancel(fd, NULL): all requests of fd", "AIO_CANCELED (all asked-for were cancelled)" */
START_TEST(null_cancels_all_of_the_descriptor)
{
    struct aiocb mine[QUEUED], others[QUEUED];
    char mine_bytes[QUEUED], others_bytes[QUEUED];
    int fd = temp_file(QUEUED), other = temp_file(QUEUED);

    HOLD_THE_WORKER();
    queue_reads(mine, mine_bytes, QUEUED, fd);
    queue_reads(others, others_bytes, QUEUED, other);
    ck_assert_int_eq(aio_cancel(fd, NULL), AIO_CANCELED);
    for (size_t i = 0; i < QUEUED; i++) {
        ck_assert_int_eq(aio_error(&mine[i]), ECANCELED);
        ck_assert_int_eq(aio_error(&others[i]), EINPROGRESS);
    }
    release_the_worker();
    for (size_t i = 0; i < QUEUED; i++) {
        ck_assert_int_eq(finish(&others[i]), 1);
        finish_with(&mine[i], ECANCELED);
        ck_assert_int_eq(mine_bytes[i], '?');
    }
}
END_TEST

/* "aio_cancel(fd, cb): that one" */
START_TEST(one_request_is_cancelled_and_no_other)
{
    struct aiocb cbs[QUEUED];
    char bytes[QUEUED];
    int fd = temp_file(QUEUED);

    HOLD_THE_WORKER();
    queue_reads(cbs, bytes, QUEUED, fd);
    ck_assert_int_eq(aio_cancel(fd, &cbs[4]), AIO_CANCELED);
    release_the_worker();
    for (size_t i = 0; i < QUEUED; i++) {
        if (i == 4)
            finish_with(&cbs[i], ECANCELED);
        else
            ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    ck_assert_int_eq(bytes[4], '?');
}
END_TEST

/* "A cancelled request has error ECANCELED, return -1" */
START_TEST(a_cancelled_request_has_ecanceled_and_minus_1)
{
    struct aiocb cb, synced;
    int fd = temp_file(10);

    HOLD_THE_WORKER();
    prep(&cb, fd, "data", 4, 0);
    must_write(&cb);
    prep(&synced, fd, NULL, 0, 0);
    must_fsync(&synced);
    ck_assert_int_eq(aio_cancel(fd, &synced), AIO_CANCELED);
    ck_assert_int_eq(aio_cancel(fd, &cb), AIO_CANCELED);
    ck_assert_int_eq(aio_error(&cb), ECANCELED);
    ck_assert_int_eq(aio_return(&cb), -1);
    ck_assert_int_eq(aio_error(&synced), ECANCELED);
    ck_assert_int_eq(aio_return(&synced), -1);
    release_the_worker();
}
END_TEST

/* "cb->aio_fildes != fd: EINVAL" */
START_TEST(einval_for_another_descriptors_request)
{
    struct aiocb cb;
    char byte;
    int fd = temp_file(1), other = temp_file(1);

    HOLD_THE_WORKER();
    queue_reads(&cb, &byte, 1, fd);
    ck_assert_int_eq(aio_cancel(other, &cb), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(aio_error(&cb), EINPROGRESS);
    release_the_worker();
    ck_assert_int_eq(finish(&cb), 1);
}
END_TEST

/* "EBADF if fd is not open." */
START_TEST(ebadf_for_a_descriptor_not_open)
{
    const int fds[] = {closed_fd(), -1, INT_MAX, INT_MIN};
    struct aiocb cb;
    char byte;

    for (size_t i = 0; i < COUNT(fds); i++) {
        ck_assert_int_eq(aio_cancel(fds[i], NULL), -1);
        ck_assert_int_eq(errno, EBADF);
        prep(&cb, fds[i], &byte, 1, 0);
        ck_assert_int_eq(aio_cancel(fds[i], &cb), -1);
        ck_assert_int_eq(errno, EBADF);
    }
}
END_TEST

/* "The EBADF check comes first." */
START_TEST(ebadf_comes_before_einval)
{
    struct aiocb cb;
    char byte;

    prep(&cb, temp_file(1), &byte, 1, 0);
    ck_assert_int_eq(aio_cancel(closed_fd(), &cb), -1);
    ck_assert_int_eq(errno, EBADF);
}
END_TEST

/*
 * "AIO_NOTCANCELED (at least one is in progress and cannot be)", "It never
 * blocks."
 */
START_TEST(a_running_request_is_not_cancelled)
{
    HOLD_THE_WORKER();
    ck_assert_int_eq(aio_cancel(slow.aio_fildes, &slow), AIO_NOTCANCELED);
    ck_assert_int_eq(aio_cancel(slow.aio_fildes, NULL), AIO_NOTCANCELED);
    ck_assert_int_eq(aio_error(&slow), EINPROGRESS);
    release_the_worker();
}
END_TEST

/* "at least one": the others of the descriptor are cancelled. */
START_TEST(notcanceled_if_one_runs_though_others_are_cancelled)
{
    struct aiocb cbs[QUEUED];
    char bytes[QUEUED];

    HOLD_THE_WORKER();
    queue_reads(cbs, bytes, QUEUED, slow.aio_fildes);
    ck_assert_int_eq(aio_cancel(slow.aio_fildes, NULL), AIO_NOTCANCELED);
    for (size_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(aio_error(&cbs[i]), ECANCELED);
    ck_assert_int_eq(aio_error(&slow), EINPROGRESS);
    release_the_worker();
}
END_TEST

/* "AIO_ALLDONE (all had completed [...])" */
START_TEST(alldone_when_all_had_completed)
{
    struct aiocb cbs[QUEUED];
    char bytes[QUEUED];
    int fd = temp_file(QUEUED);

    queue_reads(cbs, bytes, QUEUED, fd);
    for (size_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(wait_done(&cbs[i]), 0);
    ck_assert_int_eq(aio_cancel(fd, &cbs[0]), AIO_ALLDONE);
    ck_assert_int_eq(aio_cancel(fd, NULL), AIO_ALLDONE);
    for (size_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(aio_return(&cbs[i]), 1);
    ck_assert_int_eq(aio_cancel(fd, &cbs[0]), AIO_ALLDONE);
    ck_assert_int_eq(aio_cancel(fd, NULL), AIO_ALLDONE);
}
END_TEST

START_TEST(alldone_when_it_was_cancelled_before)
{
    struct aiocb cb;
    char byte;
    int fd = temp_file(1);

    HOLD_THE_WORKER();
    queue_reads(&cb, &byte, 1, fd);
    ck_assert_int_eq(aio_cancel(fd, &cb), AIO_CANCELED);
    ck_assert_int_eq(aio_cancel(fd, &cb), AIO_ALLDONE);
    ck_assert_int_eq(aio_cancel(fd, NULL), AIO_ALLDONE);
    ck_assert_int_eq(aio_error(&cb), ECANCELED);
    release_the_worker();
}
END_TEST

/* "AIO_ALLDONE ([...] or there are none [...])" */
START_TEST(alldone_when_there_are_none)
{
    ck_assert_int_eq(aio_cancel(temp_file(1), NULL), AIO_ALLDONE);
}
END_TEST

/* "AIO_ALLDONE ([...] or the aiocb was never submitted)" */
START_TEST(alldone_when_never_submitted)
{
    const int fillings[] = {0x00, 0xff, 0xa5, EINPROGRESS};
    struct aiocb cb;
    int fd = temp_file(1);

    for (int after_others = 0; after_others <= 1; after_others++) {
        for (size_t i = 0; i < COUNT(fillings); i++) {
            memset(&cb, fillings[i], sizeof cb);
            cb.aio_fildes = fd;
            ck_assert_int_eq(aio_cancel(fd, &cb), AIO_ALLDONE);
        }
        let_others_run();
    }
}
END_TEST

/* "and its notification IS delivered": a signal. */
START_TEST(a_cancelled_request_sends_its_signal)
{
    struct aiocb cb;
    siginfo_t info;
    char byte;
    int fd = temp_file(1);

    block_signal(SIGRTMIN);
    HOLD_THE_WORKER();
    prep(&cb, fd, &byte, 1, 0);
    notify_by_signal(&cb.aio_sigevent, SIGRTMIN, &cb);
    must_read(&cb);
    ck_assert_int_eq(aio_cancel(fd, &cb), AIO_CANCELED);
    take_signal(SIGRTMIN, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, &cb);
    ck_assert_int_eq(info.si_code, SI_ASYNCIO);
    release_the_worker();
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

static sem_t called_back;
static atomic_int status_in_callback;

static void note_status(union sigval value)
{
    atomic_store(&status_in_callback, aio_error(value.sival_ptr));
    sem_post(&called_back);
}

/* "and its notification IS delivered": a callback. */
START_TEST(a_cancelled_request_calls_back)
{
    struct aiocb cb;
    char byte;
    int fd = temp_file(1);

    HOLD_THE_WORKER();
    ck_assert_int_eq(sem_init(&called_back, 0, 0), 0);
    prep(&cb, fd, &byte, 1, 0);
    notify_by_thread(&cb.aio_sigevent, note_status, &cb, NULL);
    must_read(&cb);
    ck_assert_int_eq(aio_cancel(fd, &cb), AIO_CANCELED);
    await(&called_back);
    ck_assert_int_eq(atomic_load(&status_in_callback), ECANCELED);
    release_the_worker();
}
END_TEST

/* Cancelling one of the appends leaves the others, in order. */
START_TEST(cancelled_append_leaves_the_others_in_order)
{
    static const char letters[] = "abcdefghij";
    struct aiocb cbs[QUEUED];
    char back[QUEUED];
    int fd = temp_file(0);

    ck_assert_int_eq(fcntl(fd, F_SETFL, O_APPEND), 0);
    HOLD_THE_WORKER();
    for (size_t i = 0; i < QUEUED; i++) {
        prep(&cbs[i], fd, &letters[i], 1, 0);
        must_write(&cbs[i]);
    }
    ck_assert_int_eq(aio_cancel(fd, &cbs[0]), AIO_CANCELED);
    ck_assert_int_eq(aio_cancel(fd, &cbs[4]), AIO_CANCELED);
    ck_assert_int_eq(aio_cancel(fd, &cbs[9]), AIO_CANCELED);
    release_the_worker();
    for (size_t i = 0; i < QUEUED; i++)
        wait_done(&cbs[i]);
    ck_assert_int_eq(pread(fd, back, sizeof back, 0), 7);
    ck_assert_mem_eq(back, "bcdfghi", 7);
}
END_TEST

#define RACERS 20000
#define CANCELLERS 2

static struct aiocb racing[RACERS];
static atomic_int submitted;
static atomic_bool said_cancelled[RACERS];
static atomic_int bad_answers;

static void *cancel_at_random(void *argument)
{
    unsigned random = (unsigned)(uintptr_t)argument;
    int known;

    while ((known = atomic_load_explicit(&submitted, memory_order_acquire)) < RACERS) {
        int i;

        if (known == 0)
            continue;
        /* Mostly among the newest: those may be queued still. */
        random = random * 1664525U + 1013904223U;
        i = known - 1 - (int)((random >> 8) % (known < 64 ? (unsigned)known : 64U));
        switch (aio_cancel(racing[i].aio_fildes, &racing[i])) {
        case AIO_CANCELED:
            atomic_store(&said_cancelled[i], true);
            break;
        case AIO_NOTCANCELED:
        case AIO_ALLDONE:
            break;
        default:
            atomic_fetch_add(&bad_answers, 1);
        }
    }
    return NULL;
}

/*
 * "A request that is cancelled is never also performed, one that was
 * performed is never reported cancelled."
 *
 * Invariant: byte i of the file is written if and only if request i has the
 * status 0; else it has ECANCELED.  If aio_cancel said AIO_CANCELED of it, it
 * has ECANCELED.
 */
START_TEST(cancelled_or_performed_never_both)
{
    static char back[RACERS];
    const unsigned seed = (unsigned)time(NULL) + (unsigned)_i;
    pthread_t threads[CANCELLERS];
    int fd = temp_file(0);
    int cancelled = 0;

    printf("cancelled_or_performed_never_both: seed %u\n", seed);
    queue_everything();
    ck_assert_int_eq(ftruncate(fd, RACERS), 0);
    for (unsigned i = 0; i < CANCELLERS; i++)
        start_thread(&threads[i], cancel_at_random, (void *)(uintptr_t)(seed + i * 77777U));
    for (int i = 0; i < RACERS; i++) {
        prep(&racing[i], fd, "x", 1, i);
        must_write(&racing[i]);
        atomic_store_explicit(&submitted, i + 1, memory_order_release);
    }
    for (int i = 0; i < CANCELLERS; i++)
        join_thread(threads[i]);
    for (int i = 0; i < RACERS; i++)
        wait_done(&racing[i]);
    ck_assert_int_eq(atomic_load(&bad_answers), 0);
    ck_assert_int_eq(pread(fd, back, RACERS, 0), RACERS);
    for (int i = 0; i < RACERS; i++) {
        int error = aio_error(&racing[i]);

        ck_assert(error == 0 || error == ECANCELED);
        ck_assert_int_eq(aio_return(&racing[i]), error == 0 ? 1 : -1);
        ck_assert_msg(back[i] == (error == 0 ? 'x' : 0), "request %d: status %d, byte %d", i, error,
                      back[i]);
        if (atomic_load(&said_cancelled[i]))
            ck_assert_int_eq(error, ECANCELED);
        cancelled += error == ECANCELED;
    }
    printf("cancelled_or_performed_never_both: %d of %d cancelled\n", cancelled, RACERS);
}
END_TEST

Suite *cancel_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("aio_cancel", 60, &tc);

    tcase_add_test(tc, null_cancels_all_of_the_descriptor);
    tcase_add_test(tc, one_request_is_cancelled_and_no_other);
    tcase_add_test(tc, a_cancelled_request_has_ecanceled_and_minus_1);
    tcase_add_test(tc, einval_for_another_descriptors_request);
    tcase_add_test(tc, ebadf_for_a_descriptor_not_open);
    tcase_add_test(tc, ebadf_comes_before_einval);
    tcase_add_test(tc, a_running_request_is_not_cancelled);
    tcase_add_test(tc, notcanceled_if_one_runs_though_others_are_cancelled);
    tcase_add_test(tc, alldone_when_all_had_completed);
    tcase_add_test(tc, alldone_when_it_was_cancelled_before);
    tcase_add_test(tc, alldone_when_there_are_none);
    tcase_add_test(tc, alldone_when_never_submitted);
    tcase_add_test(tc, a_cancelled_request_sends_its_signal);
    tcase_add_test(tc, a_cancelled_request_calls_back);
    tcase_add_test(tc, cancelled_append_leaves_the_others_in_order);
    tcase_add_loop_test(tc, cancelled_or_performed_never_both, 0, 3);
    return suite;
}
