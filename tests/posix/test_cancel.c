/* SPDX-License-Identifier: MIT */
/*
 * aio_cancel(): of what is queued behind a worker, runs in one, or is done;
 * and of what waits on pipes, sockets and terminals, where a loop test runs
 * once for each kind (enum stream).
 */
#include "helpers.h"

#include <sched.h>
#include <sys/eventfd.h>

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

/* --- streams --- */

static int ends[2];
static struct aiocb cbs[200];
static char bytes[COUNT(cbs)];

static void read_one_byte(size_t i, int fd)
{
    bytes[i] = '?';
    prep(&cbs[i], fd, &bytes[i], 1, 0);
    must_read(&cbs[i]);
}

static void is_cancelled(size_t i)
{
    ck_assert_int_eq(aio_error(&cbs[i]), ECANCELED); /* already */
    ck_assert_int_eq(aio_return(&cbs[i]), -1);
    ck_assert_int_eq(bytes[i], '?');
}

static void must_cancel(int fd, struct aiocb *cb)
{
    ck_assert_int_eq(aio_cancel(fd, cb), AIO_CANCELED);
}

/* Asserts that request i reads byte j of the pattern, which nobody has read before. */
static void reads_pattern(size_t i, size_t j)
{
    send_pattern(ends[1], j);
    ck_assert_int_eq(finish(&cbs[i]), 1);
    ck_assert(is_pattern(&bytes[i], 1, j));
}

/* "Requests waiting on a pipe, socket or terminal that is not ready ARE cancellable." */
START_TEST(a_waiting_read_is_cancelled)
{
    char byte;

    MAKE_STREAM(_i, ends);
    for (int round = 0; round < 3; round++) {
        read_one_byte(0, ends[0]);
        if (round > 0)
            let_others_run();
        must_cancel(ends[0], &cbs[0]);
        is_cancelled(0);
        ck_assert_int_eq(aio_cancel(ends[0], &cbs[0]), AIO_ALLDONE);
        ck_assert_int_eq(aio_cancel(ends[0], NULL), AIO_ALLDONE);
        /* What comes afterwards is for others, and the descriptor works on. */
        send_pattern(ends[1], 0);
        read_fully(ends[0], &byte, 1);
        ck_assert(is_pattern(&byte, 1, 0));
        read_one_byte(0, ends[0]);
        reads_pattern(0, 1);
    }
}
END_TEST

/* The same though the only worker is stuck: nobody is needed for it. */
START_TEST(a_waiting_read_is_cancelled_without_a_worker)
{
    HOLD_THE_WORKER();
    MAKE_STREAM(_i, ends);
    read_one_byte(0, ends[0]);
    read_one_byte(1, ends[0]);
    must_cancel(ends[0], &cbs[0]);
    is_cancelled(0);
    must_cancel(ends[0], &cbs[1]);
    is_cancelled(1);
    release_the_worker();
}
END_TEST

/* The last have two directions. */
static const int filling[] = {STREAM_PIPE, STREAM_FIFO, STREAM_UNIX, STREAM_SEQPACKET,
                              STREAM_DGRAM};

/* The same of a write, of which not a byte has been written. */
START_TEST(a_waiting_write_is_cancelled)
{
    struct aiocb writing;
    char byte;

    MAKE_STREAM(filling[_i], ends);
    fill_up(ends[1]); /* with zeros */
    prep(&writing, ends[1], "w", 1, 0);
    for (int round = 0; round < 3; round++) {
        must_write(&writing);
        if (round > 0)
            let_others_run();
        must_cancel(ends[1], &writing);
        ck_assert_int_eq(aio_error(&writing), ECANCELED);
        ck_assert_int_eq(aio_return(&writing), -1);
    }
    prep(&writing, ends[1], "l", 1, 0);
    must_write(&writing);
    do {
        ck_assert_int_eq(read(ends[0], &byte, 1), 1);
        ck_assert_int_ne(byte, 'w');
    } while (byte != 'l');
    ck_assert_int_eq(finish(&writing), 1);
    ck_assert(!is_readable(ends[0]));
}
END_TEST

/* Whoever waits behind it moves up. */
START_TEST(cancelling_the_first_lets_the_next_have_its_turn)
{
    MAKE_STREAM(_i, ends);
    for (size_t i = 0; i < 4; i++)
        read_one_byte(i, ends[0]);
    must_cancel(ends[0], &cbs[0]);
    is_cancelled(0);
    reads_pattern(1, 0);
    must_cancel(ends[0], &cbs[2]);
    is_cancelled(2);
    reads_pattern(3, 1);
}
END_TEST

/* "the second [...] is still queued, and cancellable, while the first is blocked" */
START_TEST(what_waits_for_its_turn_is_cancelled)
{
    MAKE_STREAM(_i, ends);
    for (size_t i = 0; i < 5; i++)
        read_one_byte(i, ends[0]);
    must_cancel(ends[0], &cbs[2]);
    is_cancelled(2);
    must_cancel(ends[0], &cbs[4]);
    is_cancelled(4);
    reads_pattern(0, 0);
    reads_pattern(1, 1);
    reads_pattern(3, 2);
    /* And behind one that has come after the cancelled. */
    read_one_byte(5, ends[0]);
    reads_pattern(5, 3);
}
END_TEST

/* "aio_cancel(fd, NULL): all requests of fd": but not of its duplicates, nor of the other end. */
START_TEST(all_of_a_stream_are_cancelled)
{
    int copy;

    MAKE_STREAM(_i, ends);
    copy = dup(ends[0]);
    ck_assert_int_ge(copy, 0);
    for (size_t i = 0; i < 50; i++)
        read_one_byte(i, ends[0]);
    read_one_byte(50, copy);
    must_cancel(ends[0], NULL);
    for (size_t i = 0; i < 50; i++)
        is_cancelled(i);
    is_waiting(&cbs[50]);
    reads_pattern(50, 0);
    ck_assert_int_eq(aio_cancel(ends[0], NULL), AIO_ALLDONE);
    read_one_byte(0, ends[0]);
    reads_pattern(0, 1);
}
END_TEST

/* The same of both directions. */
START_TEST(both_directions_are_cancelled)
{
    MAKE_STREAM(filling[_i], ends);
    fill_up(ends[0]);
    for (size_t i = 0; i < 20; i++) {
        if (i % 2 == 0) {
            read_one_byte(i, ends[0]);
        } else {
            bytes[i] = '?';
            prep(&cbs[i], ends[0], &bytes[i], 1, 0);
            must_write(&cbs[i]);
        }
    }
    must_cancel(ends[0], NULL);
    for (size_t i = 0; i < 20; i++)
        is_cancelled(i);
    read_one_byte(0, ends[0]);
    reads_pattern(0, 0);
}
END_TEST

/* Many, in another order than theirs; the others keep it. */
START_TEST(any_of_many_are_cancelled)
{
    MAKE_STREAM(_i, ends);
    for (size_t i = 0; i < COUNT(cbs); i++)
        read_one_byte(i, ends[0]);
    for (size_t i = 0; i < COUNT(cbs); i++) {
        size_t any = i * 77 % COUNT(cbs); /* each once: 77 and 200 have no common factor */

        if (any % 3 != 0) {
            must_cancel(ends[0], &cbs[any]);
            is_cancelled(any);
        }
    }
    for (size_t i = 0; i < COUNT(cbs); i += 3)
        reads_pattern(i, i);
}
END_TEST

static int count_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 2000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

START_TEST(cancelling_leaks_no_descriptors)
{
    int before;

    MAKE_STREAM(_i, ends);
    before = count_descriptors();
    for (int round = 0; round < 2000; round++) {
        read_one_byte(0, ends[0]);
        read_one_byte(1, ends[0]);
        must_cancel(ends[0], round % 2 == 0 ? NULL : &cbs[0]);
        if (round % 2 != 0)
            must_cancel(ends[0], &cbs[1]);
    }
    read_one_byte(0, ends[0]);
    reads_pattern(0, 0);
    /* Some may be the library's own. */
    ck_assert_int_le(count_descriptors(), before + 4);
}
END_TEST

/* Terminals whose master writes are not here: such a write() cannot be asked not to wait. */
static const int begun[] = {STREAM_PIPE, STREAM_FIFO, STREAM_UNIX, STREAM_TCP, STREAM_TTY_MASTER};

/* A write of LARGE bytes, some of which have been written. */
static void begin_write(int kind, struct aiocb *cb)
{
    prep_waiting_write(kind, ends[1], cb);
    must_write(cb);
    while (!is_readable(ends[0]))
        sched_yield();
}

/* The next that come are n bytes of that write, and then `next`. */
static void expect_part(ssize_t n, char next)
{
    static char back[LARGE];

    ck_assert_int_gt(n, 0);
    ck_assert_int_lt(n, LARGE);
    read_fully(ends[0], back, (size_t)n);
    for (ssize_t i = 0; i < n; i++)
        ck_assert_int_eq(back[i], 'w');
    read_fully(ends[0], back, 1);
    ck_assert_int_eq(back[0], next);
}

/*
 * "A write that had written part when it is cancelled completes at once with
 * that count": a short write.  For it has been performed, so far.
 */
START_TEST(a_write_that_had_begun_completes_with_its_part)
{
    struct aiocb writing;

    MAKE_STREAM(begun[_i], ends);
    begin_write(begun[_i], &writing);
    prep(&cbs[0], ends[1], "x", 1, 0);
    must_write(&cbs[0]);
    if (_i % 2 == 0)
        let_others_run();
    ck_assert_int_eq(aio_cancel(ends[1], &writing), AIO_ALLDONE);
    ck_assert_int_eq(aio_error(&writing), 0);
    expect_part(aio_return(&writing), 'x');
    ck_assert_int_eq(finish(&cbs[0]), 1);
}
END_TEST

/* And those behind it are cancelled, where all are. */
START_TEST(all_are_cancelled_behind_a_write_that_had_begun)
{
    struct aiocb writing;

    MAKE_STREAM(begun[_i], ends);
    begin_write(begun[_i], &writing);
    for (size_t i = 0; i < 10; i++) {
        bytes[i] = '?';
        prep(&cbs[i], ends[1], &bytes[i], 1, 0);
        must_write(&cbs[i]);
    }
    ck_assert_int_ne(aio_cancel(ends[1], NULL), AIO_NOTCANCELED);
    ck_assert_int_eq(aio_error(&writing), 0);
    for (size_t i = 0; i < 10; i++)
        is_cancelled(i);
    prep(&cbs[0], ends[1], "y", 1, 0);
    must_write(&cbs[0]);
    expect_part(aio_return(&writing), 'y');
    ck_assert_int_eq(finish(&cbs[0]), 1);
}
END_TEST

/* "and its notification IS delivered", once: of one that waits, and of those behind it. */
START_TEST(cancelled_reads_of_a_stream_send_their_signals)
{
    siginfo_t info;
    bool told[10] = {false};

    block_signal(SIGRTMIN);
    MAKE_STREAM(_i, ends);
    for (size_t i = 0; i < COUNT(told); i++) {
        bytes[i] = '?';
        prep(&cbs[i], ends[0], &bytes[i], 1, 0);
        notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, &cbs[i]);
        must_read(&cbs[i]);
    }
    must_cancel(ends[0], NULL);
    for (size_t i = 0; i < COUNT(told); i++) {
        size_t which;

        take_signal(SIGRTMIN, &info);
        ck_assert_int_eq(info.si_code, SI_ASYNCIO);
        which = (size_t)((struct aiocb *)info.si_value.sival_ptr - cbs);
        ck_assert_uint_lt(which, COUNT(told));
        ck_assert(!told[which]);
        told[which] = true;
        is_cancelled(which);
    }
    let_others_run();
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

START_TEST(a_write_that_had_begun_sends_its_signal)
{
    struct aiocb writing;
    siginfo_t info;

    block_signal(SIGRTMIN);
    MAKE_STREAM(begun[_i], ends);
    prep_waiting_write(begun[_i], ends[1], &writing);
    notify_by_signal(&writing.aio_sigevent, SIGRTMIN, &writing);
    must_write(&writing);
    while (!is_readable(ends[0]))
        sched_yield();
    ck_assert(!is_pending(SIGRTMIN));
    ck_assert_int_eq(aio_cancel(ends[1], &writing), AIO_ALLDONE);
    take_signal(SIGRTMIN, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, &writing);
    ck_assert_int_gt(finish(&writing), 0);
    let_others_run();
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

START_TEST(a_cancelled_read_of_a_stream_calls_back)
{
    ck_assert_int_eq(sem_init(&called_back, 0, 0), 0);
    MAKE_STREAM(_i, ends);
    for (size_t i = 0; i < 2; i++) {
        prep(&cbs[i], ends[0], &bytes[i], 1, 0);
        notify_by_thread(&cbs[i].aio_sigevent, note_status, &cbs[i], NULL);
        must_read(&cbs[i]);
    }
    for (size_t i = 2; i-- > 0;) {
        atomic_store(&status_in_callback, -1);
        must_cancel(ends[0], &cbs[i]);
        await(&called_back);
        ck_assert_int_eq(atomic_load(&status_in_callback), ECANCELED);
    }
}
END_TEST

static void *suspend_on_first(void *argument)
{
    const struct aiocb *list[] = {&cbs[0]};

    while (aio_suspend(list, 1, NULL) != 0)
        ;
    return argument;
}

/* Who waits for it is woken. */
START_TEST(cancelling_wakes_who_waits_for_it)
{
    pthread_t thread;

    MAKE_STREAM(_i, ends);
    read_one_byte(0, ends[0]);
    start_thread(&thread, suspend_on_first, NULL);
    let_others_run();
    must_cancel(ends[0], &cbs[0]);
    join_thread(thread);
    is_cancelled(0);
}
END_TEST

START_TEST(requests_of_an_eventfd_are_cancelled)
{
    const uint64_t most = UINT64_MAX - 1, one = 1;
    uint64_t value = 0;
    int fd = eventfd(0, EFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    prep(&cbs[0], fd, &value, sizeof value, 0);
    must_read(&cbs[0]);
    let_others_run();
    must_cancel(fd, &cbs[0]);
    finish_with(&cbs[0], ECANCELED);
    ck_assert_int_eq(write(fd, &most, sizeof most), sizeof most);
    prep(&cbs[0], fd, &one, sizeof one, 0);
    must_write(&cbs[0]);
    let_others_run();
    must_cancel(fd, &cbs[0]);
    finish_with(&cbs[0], ECANCELED);
    ck_assert_int_eq(read(fd, &value, sizeof value), sizeof value);
    ck_assert_uint_eq(value, most);
    must_write(&cbs[0]);
    ck_assert_int_eq(finish(&cbs[0]), sizeof one);
}
END_TEST

/* --- streams: races --- */

static sem_t go;
static atomic_bool race_failed;
static size_t race_rounds, race_depth;

static void *send_when_told(void *argument)
{
    for (size_t i = 0; i < race_rounds; i++) {
        await(&go);
        for (size_t j = 0; j < race_depth; j++) {
            const unsigned char byte = pattern(i * race_depth + j);

            if (write(ends[1], &byte, 1) != 1)
                atomic_store(&race_failed, true);
        }
    }
    return argument;
}

static void start_race(pthread_t *thread, size_t rounds, size_t depth, void *(*function)(void *))
{
    const unsigned seed = (unsigned)time(NULL);

    printf("seed %u\n", seed);
    srand(seed);
    race_rounds = rounds;
    race_depth = depth;
    ck_assert_int_eq(sem_init(&go, 0, 0), 0);
    start_thread(thread, function, NULL);
}

/* For a moment of no certain length. */
static void dawdle(int most)
{
    for (volatile int left = rand() % most; left > 0; left--)
        ;
}

/*
 * Invariant: a read is either cancelled, and its byte is there for others, or
 * it has been performed, and its byte is not.  If aio_cancel said
 * AIO_CANCELED, it is the former.
 */
START_TEST(cancelling_a_read_races_with_its_data)
{
    enum { ROUNDS = SANITIZED ? 500 : 3000 };
    pthread_t thread;
    int cancelled = 0;

    MAKE_STREAM(_i, ends);
    start_race(&thread, ROUNDS, 1, send_when_told);
    for (size_t i = 0; i < ROUNDS; i++) {
        int answer, error;
        char byte;

        read_one_byte(0, ends[0]);
        sem_post(&go);
        dawdle(200000);
        answer = aio_cancel(ends[0], &cbs[0]);
        error = wait_done(&cbs[0]);
        ck_assert(error == 0 || error == ECANCELED);
        ck_assert_int_eq(answer == AIO_CANCELED, error == ECANCELED);
        ck_assert_int_eq(aio_return(&cbs[0]), error ? -1 : 1);
        if (error == ECANCELED) {
            cancelled++;
            read_fully(ends[0], &byte, 1);
            ck_assert(is_pattern(&byte, 1, i));
            ck_assert_int_eq(bytes[0], '?');
        } else {
            ck_assert(is_pattern(&bytes[0], 1, i));
        }
        ck_assert(!is_readable(ends[0]));
    }
    join_thread(thread);
    ck_assert(!atomic_load(&race_failed));
    printf("cancelling_a_read_races_with_its_data: %d of %d cancelled\n", cancelled, ROUNDS);
}
END_TEST

/*
 * The same of several, all cancelled at once.  Invariant: those that have been
 * performed have the first bytes, in their order; the rest is there for others.
 */
START_TEST(cancelling_all_races_with_their_data)
{
    enum { ROUNDS = SANITIZED ? 200 : 1000, DEPTH = 8 };
    pthread_t thread;
    int cancelled = 0;

    MAKE_STREAM(_i, ends);
    start_race(&thread, ROUNDS, DEPTH, send_when_told);
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t next = i * DEPTH;

        for (size_t j = 0; j < DEPTH; j++)
            read_one_byte(j, ends[0]);
        sem_post(&go);
        dawdle(200000);
        aio_cancel(ends[0], NULL);
        for (size_t j = 0; j < DEPTH; j++) {
            int error = wait_done(&cbs[j]);

            ck_assert(error == 0 || error == ECANCELED);
            if (error == 0)
                ck_assert(is_pattern(&bytes[j], 1, next++));
            else
                ck_assert_int_eq(bytes[j], '?');
            cancelled += error == ECANCELED;
        }
        for (; next < (i + 1) * DEPTH; next++) {
            char byte;

            read_fully(ends[0], &byte, 1);
            ck_assert(is_pattern(&byte, 1, next));
        }
        ck_assert(!is_readable(ends[0]));
    }
    join_thread(thread);
    ck_assert(!atomic_load(&race_failed));
    printf("cancelling_all_races_with_their_data: %d of %d cancelled\n", cancelled, ROUNDS * DEPTH);
}
END_TEST

static size_t received;

static void *receive_pattern(void *argument)
{
    unsigned random = 1;
    static char back[65536];
    ssize_t n;

    do {
        random = random * 1664525U + 1013904223U;
        n = read(ends[0], back, 1 + (random >> 17));
        if (n < 0 || !is_pattern(back, (size_t)n, received))
            atomic_store(&race_failed, true);
        received += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    return argument;
}

/*
 * Invariant: what comes out of the stream is the pattern, without a gap, so
 * long as each write begins where the result of the one before says that it
 * ended: none if that was cancelled.
 */
START_TEST(cancelling_a_write_races_with_its_reader)
{
    enum { ROUNDS = SANITIZED ? 200 : 1000, MOST = 100000 };
    static char data[MOST];
    pthread_t thread;
    size_t sent = 0;
    int cancelled = 0, cut_short = 0;

    MAKE_STREAM(_i, ends);
    start_race(&thread, 0, 0, receive_pattern);
    for (int round = 0; round < ROUNDS; round++) {
        struct aiocb writing;
        size_t nbytes = 1 + (size_t)rand() % MOST;
        int answer, error;
        ssize_t n;

        for (size_t i = 0; i < nbytes; i++)
            data[i] = (char)pattern(sent + i);
        prep(&writing, ends[1], data, nbytes, 0);
        must_write(&writing);
        dawdle(200000);
        answer = aio_cancel(ends[1], &writing);
        error = wait_done(&writing);
        n = aio_return(&writing);
        ck_assert_int_eq(answer == AIO_CANCELED, error == ECANCELED);
        if (error == ECANCELED) {
            ck_assert_int_eq(n, -1);
            cancelled++;
            continue;
        }
        ck_assert_int_eq(error, 0);
        ck_assert_int_gt(n, 0);
        ck_assert_uint_le((size_t)n, nbytes);
        cut_short += (size_t)n < nbytes;
        sent += (size_t)n;
    }
    close(ends[1]);
    join_thread(thread);
    ck_assert(!atomic_load(&race_failed));
    ck_assert_uint_eq(received, sent);
    printf("cancelling_a_write_races_with_its_reader: %d cancelled, %d cut short of %d\n",
           cancelled, cut_short, ROUNDS);
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
    tcase_add_loop_test(tc, a_waiting_read_is_cancelled, 0, STREAMS);
    tcase_add_loop_test(tc, a_waiting_read_is_cancelled_without_a_worker, 0, STREAMS);
    tcase_add_loop_test(tc, a_waiting_write_is_cancelled, 0, COUNT(filling));
    tcase_add_loop_test(tc, cancelling_the_first_lets_the_next_have_its_turn, 0, STREAMS);
    tcase_add_loop_test(tc, what_waits_for_its_turn_is_cancelled, 0, STREAMS);
    tcase_add_loop_test(tc, all_of_a_stream_are_cancelled, 0, STREAMS);
    tcase_add_loop_test(tc, both_directions_are_cancelled, 2, COUNT(filling));
    tcase_add_loop_test(tc, any_of_many_are_cancelled, 0, STREAMS);
    tcase_add_loop_test(tc, cancelling_leaks_no_descriptors, 0, STREAMS);
    tcase_add_loop_test(tc, a_write_that_had_begun_completes_with_its_part, 0, COUNT(begun));
    tcase_add_loop_test(tc, all_are_cancelled_behind_a_write_that_had_begun, 0, COUNT(begun));
    tcase_add_loop_test(tc, cancelled_reads_of_a_stream_send_their_signals, 0, STREAMS);
    tcase_add_loop_test(tc, a_write_that_had_begun_sends_its_signal, 0, COUNT(begun));
    tcase_add_loop_test(tc, a_cancelled_read_of_a_stream_calls_back, 0, STREAMS);
    tcase_add_loop_test(tc, cancelling_wakes_who_waits_for_it, 0, STREAMS);
    tcase_add_test(tc, requests_of_an_eventfd_are_cancelled);
    tcase_add_loop_test(tc, cancelling_a_read_races_with_its_data, 0, STREAMS);
    tcase_add_loop_test(tc, cancelling_all_races_with_their_data, 0, STREAMS);
    tcase_add_loop_test(tc, cancelling_a_write_races_with_its_reader, 0, STREAM_TTY);
    return suite;
}
