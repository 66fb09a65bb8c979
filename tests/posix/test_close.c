/* SPDX-License-Identifier: MIT */
/*
 * "close with requests outstanding" of the contract.  Not for the prefixed
 * library, which cannot see what the program closes.
 *
 * Most tests are done once for each way to give up a number.  What is closed
 * has a number APART from all others, since some ways close more than one.
 * After that the number means the decoy, a file that must stay empty.
 */
#include "helpers.h"

#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define QUEUED 10
#define APART 600

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
# define HAVE_CLOSE_RANGE 1
# include <linux/close_range.h>
#else
# define HAVE_CLOSE_RANGE 0
#endif

/* Those that a signal handler may use come first. */
enum way {
    BY_CLOSE,
    BY_DUP2,
    BY_DUP3,
#if HAVE_CLOSE_RANGE
    BY_RANGE_OF_ONE,
    BY_RANGE_AROUND,
    BY_CLOSEFROM,
#endif
    BY_FCLOSE,
    WAYS
};

static struct aiocb slow;
static struct gate gate;
static struct aiocb cbs[QUEUED + 1];
static char bytes[QUEUED];
static int decoy;

/* One worker, stopped at page 0 in a read of another file. */
#define HOLD_THE_WORKER()         \
 do {                             \
  queue_everything();             \
  use_workers(1);                 \
  MAKE_GATE(&gate, 2);            \
  occupy_worker(&gate, 0, &slow); \
 } while (0)

static void release_the_worker(void)
{
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
}

static int set_apart_from(int fd, int lowest)
{
    int number = fcntl(fd, F_DUPFD_CLOEXEC, lowest);

    ck_assert_int_ge(number, 0);
    ck_assert_int_eq(close(fd), 0);
    return number;
}

static int set_apart(int fd)
{
    return set_apart_from(fd, APART);
}

static bool give_up_by_fclose(int fd)
{
    const int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
    FILE *stream = fdopen(fd, mode == O_RDONLY ? "r" : mode == O_WRONLY ? "w" : "r+");

    return stream != NULL && fclose(stream) == 0;
}

/* Any thread may call it; false if it failed. */
static bool give_up(int way, int fd)
{
    switch (way) {
    case BY_CLOSE:
        return close(fd) == 0;
    case BY_DUP2:
        return dup2(decoy, fd) == fd;
    case BY_DUP3:
        return dup3(decoy, fd, O_CLOEXEC) == fd;
#if HAVE_CLOSE_RANGE
    case BY_RANGE_OF_ONE:
        return close_range((unsigned)fd, (unsigned)fd, 0) == 0;
    case BY_RANGE_AROUND:
        return close_range((unsigned)fd - 2, (unsigned)fd + 2, 0) == 0;
    case BY_CLOSEFROM:
        closefrom(fd);
        return true;
#endif
    case BY_FCLOSE:
        return give_up_by_fclose(fd);
    default:
        return false;
    }
}

#ifdef __SANITIZE_THREAD__
/*
 * ThreadSanitizer looks at a close before the library does, which waits there for
 * who uses the descriptor; and at the look that one test takes at control blocks
 * that another thread submits.
 */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:give_up\n"
           "race:swap_the_victim\n"
           "race:closing_all_there_is_leaves_the_library_working_fn\n"
           "race:the_librarys_own_descriptors_are_refused_fn\n"
           "race:who_waits_for_a_list_of_them_is_woken_fn\n";
}
#endif

/* Opens the decoy under the number, if it is not there already. */
static void reuse_number(int fd)
{
    if (fcntl(fd, F_GETFD) < 0)
        ck_assert_int_eq(fcntl(decoy, F_DUPFD_CLOEXEC, fd), fd);
}

static off_t size_of(int fd)
{
    struct stat status;

    ck_assert_int_eq(fstat(fd, &status), 0);
    return status.st_size;
}

/* At once, and without a wait. */
static void is_cancelled(struct aiocb *cb)
{
    ck_assert_int_eq(aio_error(cb), ECANCELED);
    ck_assert_int_eq(aio_return(cb), -1);
}

static void prep_read(size_t i, int fd)
{
    bytes[i] = '?';
    prep(&cbs[i], fd, &bytes[i], 1, (off_t)i);
}

static void queue_reads(int fd)
{
    for (size_t i = 0; i < QUEUED; i++) {
        prep_read(i, fd);
        must_read(&cbs[i]);
    }
}

static void queue_writes(int fd)
{
    for (size_t i = 0; i < QUEUED; i++) {
        prep(&cbs[i], fd, "x", 1, (off_t)i);
        must_write(&cbs[i]);
    }
}

static void are_cancelled(void)
{
    for (size_t i = 0; i < QUEUED; i++)
        is_cancelled(&cbs[i]);
}

/* --- what is queued, held or waiting is cancelled --- */

/* "requests of fd that are queued [...] are cancelled", and no others */
START_TEST(queued_requests_are_cancelled)
{
    struct aiocb others[QUEUED];
    char others_bytes[QUEUED];
    int kept = temp_file(QUEUED), other = temp_file(QUEUED);
    int fd = set_apart(reopen(kept, O_RDWR));

    decoy = temp_file(0);
    HOLD_THE_WORKER();
    for (size_t i = 0; i < QUEUED; i++) {
        prep_read(i, fd);
        if (i % 2 == 0)
            must_read(&cbs[i]);
        else
            must_write(&cbs[i]);
        prep(&others[i], other, &others_bytes[i], 1, (off_t)i);
        must_read(&others[i]);
    }
    prep(&cbs[QUEUED], fd, NULL, 0, 0);
    must_fsync(&cbs[QUEUED]);
    ck_assert(give_up(_i, fd));
    are_cancelled();
    is_cancelled(&cbs[QUEUED]);
    for (size_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(aio_error(&others[i]), EINPROGRESS);
    release_the_worker();
    for (size_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(finish(&others[i]), 1);
    for (size_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(bytes[i], '?');
    ck_assert_int_eq(pread(kept, bytes, QUEUED, 0), QUEUED);
    ck_assert(is_pattern(bytes, QUEUED, 0));
}
END_TEST

/* "held": appends wait for the first of them, which is queued. */
START_TEST(held_appends_are_cancelled)
{
    int kept = temp_file(0);
    int fd = set_apart(reopen(kept, O_RDWR | O_APPEND));

    decoy = temp_file(0);
    HOLD_THE_WORKER();
    queue_writes(fd);
    ck_assert(give_up(_i, fd));
    are_cancelled();
    release_the_worker();
    let_others_run();
    ck_assert_int_eq(size_of(kept), 0);
}
END_TEST

/* "held": a sync waits for a write through another descriptor, which the close does not. */
START_TEST(a_held_sync_is_cancelled)
{
    struct aiocb write;
    int kept = temp_file(0);
    int fd = set_apart(dup(kept));

    decoy = temp_file(0);
    queue_everything();
    MAKE_GATE(&gate, 1);
    prep(&write, kept, gate_page(&gate, 0), 4, 0);
    must_write(&write);
    gate_await(&gate, 0);
    prep(&cbs[0], fd, NULL, 0, 0);
    must_fsync(&cbs[0]);
    let_others_run();
    ck_assert_int_eq(aio_error(&cbs[0]), EINPROGRESS);
    ck_assert(give_up(_i, fd));
    is_cancelled(&cbs[0]);
    ck_assert_int_eq(aio_error(&write), EINPROGRESS);
    gate_open_with(&gate, 0, 'w');
    ck_assert_int_eq(finish(&write), 4);
}
END_TEST

static void make_pair(bool sockets, int ends[2])
{
    if (sockets)
        make_sockets(ends);
    else
        make_pipe(ends);
}

/* "waiting": and what waits for its turn behind it; with a pipe and with sockets. */
START_TEST(waiting_reads_are_cancelled)
{
    int ends[2], kept;
    char back[4] = "";

    decoy = temp_file(0);
    make_pair(_i >= WAYS, ends);
    kept = dup(ends[0]);
    ends[0] = set_apart(ends[0]);
    queue_reads(ends[0]);
    let_others_run();
    ck_assert(give_up(_i % WAYS, ends[0]));
    are_cancelled();
    ck_assert_int_eq(write(ends[1], "abc", 3), 3);
    let_others_run();
    read_fully(kept, back, 3);
    ck_assert_str_eq(back, "abc");
    for (size_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(bytes[i], '?');
}
END_TEST

/* The same without a moment for the poller to take them up. */
START_TEST(reads_that_have_hardly_begun_to_wait_are_cancelled)
{
    decoy = temp_file(0);
    for (int round = 0; round < 100; round++) {
        int ends[2];

        make_pair(_i >= WAYS, ends);
        ends[0] = set_apart(ends[0]);
        queue_reads(ends[0]);
        ck_assert(give_up(_i % WAYS, ends[0]));
        are_cancelled();
        close(ends[0]);
        close(ends[1]);
    }
}
END_TEST

START_TEST(waiting_writes_are_cancelled)
{
    static char back[65536];
    size_t filled, found = 0;
    ssize_t n;
    int ends[2];

    decoy = temp_file(0);
    make_pair(_i >= WAYS, ends);
    filled = fill_up(ends[1]);
    ends[1] = set_apart(ends[1]);
    queue_writes(ends[1]);
    let_others_run();
    ck_assert(give_up(_i % WAYS, ends[1]));
    are_cancelled();
    while ((n = read(ends[0], back, sizeof back)) > 0)
        found += (size_t)n;
    ck_assert_int_eq(n, 0);
    ck_assert_uint_eq(found, filled);
}
END_TEST

/* However many there are. */
START_TEST(many_queued_requests_are_cancelled)
{
    enum { MANY = 20000 };
    static struct aiocb many[MANY];
    int fd = temp_file(1);
    char byte;

    HOLD_THE_WORKER();
    for (int i = 0; i < MANY; i++) {
        prep(&many[i], fd, &byte, 1, 0);
        must_read(&many[i]);
    }
    ck_assert_int_eq(close(fd), 0);
    for (int i = 0; i < MANY; i++)
        is_cancelled(&many[i]);
    release_the_worker();
}
END_TEST

/* Those that are over keep what they have. */
START_TEST(what_is_over_keeps_its_result)
{
    int fd = set_apart(temp_file(QUEUED));

    decoy = temp_file(0);
    queue_reads(fd);
    for (size_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(wait_done(&cbs[i]), 0);
    ck_assert(give_up(_i, fd));
    for (size_t i = 0; i < QUEUED; i++) {
        ck_assert_int_eq(aio_error(&cbs[i]), 0);
        ck_assert_int_eq(aio_return(&cbs[i]), 1);
    }
    ck_assert(is_pattern(bytes, QUEUED, 0));
}
END_TEST

/* --- the other end --- */

/* The file of a waiting request is let go: the peer of a socket sees the end. */
START_TEST(the_peer_of_a_socket_sees_the_end)
{
    int ends[2];
    char byte;

    decoy = temp_file(0);
    make_sockets(ends);
    ends[0] = set_apart(ends[0]);
    queue_reads(ends[0]);
    let_others_run();
    ck_assert(give_up(_i, ends[0]));
    ck_assert_int_eq(read(ends[1], &byte, 1), 0);
    are_cancelled();
}
END_TEST

/* And that of a pipe. */
START_TEST(the_writer_of_a_pipe_sees_the_end)
{
    int ends[2];

    signal(SIGPIPE, SIG_IGN);
    decoy = temp_file(0);
    make_pipe(ends);
    ends[0] = set_apart(ends[0]);
    queue_reads(ends[0]);
    let_others_run();
    ck_assert(give_up(_i, ends[0]));
    ck_assert_int_eq(write(ends[1], "x", 1), -1);
    ck_assert_int_eq(errno, EPIPE);
}
END_TEST

/* --- what is being performed is finished --- */

static struct {
    int way, fd;
    sem_t begun;
    atomic_bool over;
    bool done;  /* these two before over */
    int status; /* of cbs[0] */
    pthread_t thread;
} closer;

static void *close_it(void *argument)
{
    sem_post(&closer.begun);
    closer.done = give_up(closer.way, closer.fd);
    closer.status = aio_error(&cbs[0]);
    atomic_store(&closer.over, true);
    return argument;
}

/* Another thread closes fd, in whose request, cbs[0], someone is stopped at the page. */
static void close_meanwhile(int way, int fd, unsigned page)
{
    closer.way = way;
    closer.fd = fd;
    ck_assert_int_eq(sem_init(&closer.begun, 0, 0), 0);
    gate_await(&gate, page);
    start_thread(&closer.thread, close_it, NULL);
    await(&closer.begun);
    let_others_run();
    ck_assert(!atomic_load(&closer.over));
    ck_assert_int_eq(aio_error(&cbs[0]), EINPROGRESS);
}

static void let_it_finish(unsigned page)
{
    gate_open_with(&gate, page, 'w');
    join_thread(closer.thread);
    ck_assert(closer.done);
    ck_assert_int_eq(closer.status, 0);
    ck_assert_int_eq(aio_return(&cbs[0]), 4);
}

/* "one that is being performed is finished before the number is given up" */
START_TEST(a_running_read_is_finished_first)
{
    int fd = set_apart(temp_file(4));

    decoy = temp_file(0);
    queue_everything();
    MAKE_GATE(&gate, 1);
    prep(&cbs[0], fd, gate_page(&gate, 0), 4, 0);
    must_read(&cbs[0]);
    close_meanwhile(_i, fd, 0);
    let_it_finish(0);
    ck_assert(is_pattern(gate_page(&gate, 0), 4, 0));
}
END_TEST

START_TEST(a_running_write_is_finished_first)
{
    int kept = temp_file(0);
    int fd = set_apart(dup(kept));
    char back[8];

    decoy = temp_file(0);
    queue_everything();
    MAKE_GATE(&gate, 1);
    prep(&cbs[0], fd, gate_page(&gate, 0), 4, 0);
    must_write(&cbs[0]);
    close_meanwhile(_i, fd, 0);
    let_it_finish(0);
    ck_assert_int_eq(pread(kept, back, sizeof back, 0), 4);
    ck_assert_mem_eq(back, "wwww", 4);
    ck_assert_int_eq(size_of(decoy), 0);
}
END_TEST

/* And what is held behind it is cancelled. */
START_TEST(a_running_append_is_finished_and_the_next_cancelled)
{
    int kept = temp_file(0);
    int fd = set_apart(reopen(kept, O_RDWR | O_APPEND));

    decoy = temp_file(0);
    queue_everything();
    MAKE_GATE(&gate, 1);
    prep(&cbs[0], fd, gate_page(&gate, 0), 4, 0);
    must_write(&cbs[0]);
    for (size_t i = 1; i < QUEUED; i++) {
        prep(&cbs[i], fd, "more", 4, 0);
        must_write(&cbs[i]);
    }
    close_meanwhile(_i, fd, 0);
    let_it_finish(0);
    for (size_t i = 1; i < QUEUED; i++)
        is_cancelled(&cbs[i]);
    ck_assert_int_eq(size_of(kept), 4);
    ck_assert_int_eq(size_of(decoy), 0);
}
END_TEST

static void *wait_for_the_first(void *argument)
{
    wait_done(&cbs[0]);
    return argument;
}

/* Nor does it matter who performs it: a waiting thread, the only worker being stuck. */
START_TEST(what_a_waiter_performs_is_finished_first)
{
    pthread_t waiter;
    int fd = set_apart(temp_file(4));

    decoy = temp_file(0);
    ck_assert_int_eq(setenv("UAIO_INLINE", "0", 1), 0);
    use_workers(1);
    MAKE_GATE(&gate, 2);
    occupy_worker(&gate, 0, &slow);
    prep(&cbs[0], fd, gate_page(&gate, 1), 4, 0);
    must_read(&cbs[0]);
    start_thread(&waiter, wait_for_the_first, NULL);
    close_meanwhile(_i, fd, 1);
    let_it_finish(1);
    join_thread(waiter);
    release_the_worker();
}
END_TEST

/* A close that waits holds up no other. */
START_TEST(a_close_that_waits_holds_up_no_other)
{
    int fd = set_apart(temp_file(4));
    int ends[2];

    decoy = temp_file(0);
    make_pipe(ends);
    queue_everything();
    MAKE_GATE(&gate, 1);
    prep(&cbs[0], fd, gate_page(&gate, 0), 4, 0);
    must_read(&cbs[0]);
    close_meanwhile(BY_CLOSE, fd, 0);
    prep_read(1, ends[0]);
    must_read(&cbs[1]);
    ck_assert_int_eq(close(temp_file(1)), 0);
    ends[0] = set_apart_from(ends[0], fd + 10);
    is_cancelled(&cbs[1]);
    prep_read(1, ends[0]);
    must_read(&cbs[1]);
    ck_assert(give_up(_i, ends[0]));
    is_cancelled(&cbs[1]);
    ck_assert(!atomic_load(&closer.over));
    let_it_finish(0);
}
END_TEST

/* --- the number and what it means afterwards --- */

/* "Never does a request reach a file opened later under the number." */
START_TEST(a_queued_write_reaches_no_later_file)
{
    int kept = temp_file(0);
    int fd = set_apart(reopen(kept, _i < WAYS ? O_RDWR : O_RDWR | O_APPEND));

    decoy = temp_file(0);
    HOLD_THE_WORKER();
    queue_writes(fd);
    ck_assert(give_up(_i % WAYS, fd));
    reuse_number(fd);
    release_the_worker();
    let_others_run();
    ck_assert_int_eq(size_of(decoy), 0);
    ck_assert_int_eq(size_of(kept), 0);
    are_cancelled();
    /* It is as good as any. */
    prep(&cbs[0], fd, "new", 3, 0);
    must_write(&cbs[0]);
    ck_assert_int_eq(finish(&cbs[0]), 3);
    ck_assert_int_eq(size_of(decoy), 3);
    ck_assert_int_eq(size_of(kept), 0);
}
END_TEST

/* The same in a race with the workers. */
START_TEST(a_write_in_any_state_reaches_no_later_file)
{
    int kept = temp_file(QUEUED), cancelled = 0;

    decoy = temp_file(0);
    if (_i >= WAYS)
        queue_everything();
    for (int round = 0; round < 300; round++) {
        char back[QUEUED];
        int fd = set_apart(dup(kept));

        ck_assert_int_eq(ftruncate(kept, 0), 0);
        ck_assert_int_eq(ftruncate(kept, QUEUED), 0);
        queue_writes(fd);
        ck_assert(give_up(_i % WAYS, fd));
        reuse_number(fd);
        for (size_t i = 0; i < QUEUED; i++) {
            int error = aio_error(&cbs[i]);

            ck_assert(error == 0 || error == ECANCELED);
            cancelled += error == ECANCELED;
        }
        ck_assert_int_eq(pread(kept, back, QUEUED, 0), QUEUED);
        for (size_t i = 0; i < QUEUED; i++)
            ck_assert_int_eq(back[i], aio_error(&cbs[i]) == 0 ? 'x' : 0);
        ck_assert_int_eq(size_of(decoy), 0);
        ck_assert_int_eq(close(fd), 0);
    }
    printf("a_write_in_any_state_reaches_no_later_file: %d cancelled\n", cancelled);
}
END_TEST

/* The same of a pipe's reads: what a later pipe is given is for its own reader. */
START_TEST(a_waiting_read_reaches_no_later_pipe)
{
    int ends[2], later[2];
    char back[4] = "";

    decoy = temp_file(0);
    make_pipe(ends);
    make_pipe(later);
    ends[0] = set_apart(ends[0]);
    queue_reads(ends[0]);
    let_others_run();
    ck_assert(give_up(_i, ends[0]));
    close(ends[0]);
    ck_assert_int_eq(fcntl(later[0], F_DUPFD_CLOEXEC, ends[0]), ends[0]);
    ck_assert_int_eq(write(later[1], "abc", 3), 3);
    let_others_run();
    read_fully(ends[0], back, 3);
    ck_assert_str_eq(back, "abc");
    are_cancelled();
    prep_read(0, ends[0]);
    must_read(&cbs[0]);
    ck_assert_int_eq(write(later[1], "d", 1), 1);
    ck_assert_int_eq(finish(&cbs[0]), 1);
    ck_assert_int_eq(bytes[0], 'd');
}
END_TEST

/* Closed is closed. */
START_TEST(ebadf_afterwards)
{
    int fd = set_apart(temp_file(QUEUED));

    if (_i == BY_DUP2 || _i == BY_DUP3)
        return;
    HOLD_THE_WORKER();
    queue_reads(fd);
    ck_assert(give_up(_i, fd));
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    ck_assert_int_eq(aio_cancel(fd, NULL), -1);
    ck_assert_int_eq(errno, EBADF);
    prep(&cbs[0], fd, NULL, 0, 0);
    ck_assert_int_eq(aio_fsync(O_SYNC, &cbs[0]), -1);
    ck_assert_int_eq(errno, EBADF);
    release_the_worker();
    prep_read(0, fd);
    must_read(&cbs[0]);
    finish_with(&cbs[0], EBADF);
}
END_TEST

/* --- duplicates --- */

/* "A close of fd does nothing to requests of its duplicates." */
START_TEST(queued_requests_of_a_duplicate_go_on)
{
    int fd = set_apart(temp_file(QUEUED)), copy = dup(fd);
    struct aiocb mine;

    decoy = temp_file(0);
    HOLD_THE_WORKER();
    prep(&mine, fd, "x", 1, 0);
    must_write(&mine);
    queue_reads(copy);
    ck_assert(give_up(_i, fd));
    is_cancelled(&mine);
    for (size_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(aio_error(&cbs[i]), EINPROGRESS);
    release_the_worker();
    for (size_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
    ck_assert(is_pattern(bytes, QUEUED, 0));
}
END_TEST

START_TEST(waiting_requests_of_a_duplicate_go_on)
{
    int ends[2], copy;

    decoy = temp_file(0);
    make_pair(_i >= WAYS, ends);
    copy = dup(ends[0]);
    ends[0] = set_apart(ends[0]);
    prep_read(0, ends[0]);
    must_read(&cbs[0]);
    prep_read(1, copy);
    must_read(&cbs[1]);
    let_others_run();
    ck_assert(give_up(_i % WAYS, ends[0]));
    is_cancelled(&cbs[0]);
    let_others_run();
    ck_assert_int_eq(aio_error(&cbs[1]), EINPROGRESS);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(finish(&cbs[1]), 1);
    ck_assert_int_eq(bytes[1], 'x');
}
END_TEST

/* The other way round: what is made a duplicate loses its requests, what it is made of does not. */
START_TEST(what_is_duplicated_keeps_its_requests)
{
    int ends[2], others[2];
    int fd = temp_file(3);

    make_pipe(ends);
    make_pipe(others);
    HOLD_THE_WORKER();
    prep_read(0, ends[0]);
    prep_read(1, others[0]);
    prep_read(2, fd);
    bytes[2] = '?';
    for (size_t i = 0; i < 3; i++)
        must_read(&cbs[i]);
    if (_i == 0)
        ck_assert_int_eq(dup2(ends[0], others[0]), others[0]);
    else
        ck_assert_int_eq(dup3(ends[0], others[0], 0), others[0]);
    is_cancelled(&cbs[1]);
    ck_assert_int_eq(aio_error(&cbs[0]), EINPROGRESS);
    ck_assert_int_eq(aio_error(&cbs[2]), EINPROGRESS);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    release_the_worker();
    ck_assert_int_eq(finish(&cbs[0]), 1);
    ck_assert_int_eq(finish(&cbs[2]), 1);
}
END_TEST

/* --- calls that close nothing --- */

/* A pipe's read and a queued one, both in flight, and that they are so still. */
static int quiet[2], quiet_file;

static void begin_undisturbed(void)
{
    quiet_file = temp_file(2);
    make_pipe(quiet);
    prep_read(0, quiet[0]);
    must_read(&cbs[0]);
    prep_read(1, quiet_file);
    must_read(&cbs[1]);
}

static void check_undisturbed(void)
{
    ck_assert_int_eq(aio_error(&cbs[0]), EINPROGRESS);
    ck_assert_int_eq(aio_error(&cbs[1]), EINPROGRESS);
    ck_assert_int_eq(write(quiet[1], "x", 1), 1);
    ck_assert_int_eq(finish(&cbs[0]), 1);
    ck_assert_int_eq(bytes[0], 'x');
    release_the_worker();
    ck_assert_int_eq(finish(&cbs[1]), 1);
    ck_assert(is_pattern(&bytes[1], 1, 1));
}

/* dup2(fd, fd) does nothing. */
START_TEST(a_descriptor_duplicated_onto_itself_keeps_its_requests)
{
    HOLD_THE_WORKER();
    begin_undisturbed();
    ck_assert_int_eq(dup2(quiet[0], quiet[0]), quiet[0]);
    ck_assert_int_eq(dup2(quiet_file, quiet_file), quiet_file);
    ck_assert_int_eq(dup3(quiet[0], quiet[0], 0), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(dup3(quiet_file, quiet_file, O_CLOEXEC), -1);
    ck_assert_int_eq(errno, EINVAL);
    check_undisturbed();
}
END_TEST

/* A call that fails closes nothing. */
START_TEST(a_failed_call_cancels_nothing)
{
    const int none = closed_fd();

    HOLD_THE_WORKER();
    begin_undisturbed();
    ck_assert_int_eq(dup2(none, quiet[0]), -1);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(dup3(none, quiet_file, O_CLOEXEC), -1);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(dup3(quiet[1], quiet[0], O_APPEND), -1);
    ck_assert_int_eq(errno, EINVAL);
#if HAVE_CLOSE_RANGE
    ck_assert_int_eq(close_range((unsigned)quiet[0], (unsigned)quiet[0], 1 << 20), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(close_range((unsigned)quiet[0], (unsigned)quiet[0] - 1, 0), -1);
    ck_assert_int_eq(errno, EINVAL);
#endif
    check_undisturbed();
}
END_TEST

#if HAVE_CLOSE_RANGE
/* With CLOSE_RANGE_CLOEXEC nothing is closed. */
START_TEST(a_range_that_is_only_marked_keeps_its_requests)
{
    HOLD_THE_WORKER();
    begin_undisturbed();
    ck_assert_int_eq(fcntl(quiet[0], F_SETFD, 0), 0);
    ck_assert_int_eq(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), 0);
    ck_assert_int_eq(fcntl(quiet[0], F_GETFD), FD_CLOEXEC);
    check_undisturbed();
}
END_TEST

/* All of a range are closed, and none beside it. */
START_TEST(every_descriptor_of_a_range_is_closed)
{
    struct aiocb below, above;
    char beside[2];
    int first, fd = temp_file(QUEUED);

    HOLD_THE_WORKER();
    first = fcntl(fd, F_DUPFD_CLOEXEC, APART);
    ck_assert_int_ge(first, 0);
    for (int i = 1; i < QUEUED + 2; i++)
        ck_assert_int_eq(fcntl(fd, F_DUPFD_CLOEXEC, first + i), first + i);
    prep(&below, first, &beside[0], 1, 0);
    prep(&above, first + QUEUED + 1, &beside[1], 1, 0);
    must_read(&below);
    must_read(&above);
    for (size_t i = 0; i < QUEUED; i++) {
        prep_read(i, first + 1 + (int)i);
        must_read(&cbs[i]);
    }
    ck_assert_int_eq(close_range((unsigned)first + 1, (unsigned)first + QUEUED, 0), 0);
    are_cancelled();
    ck_assert_int_eq(aio_error(&below), EINPROGRESS);
    ck_assert_int_eq(aio_error(&above), EINPROGRESS);
    ck_assert_int_eq(fcntl(first + 1, F_GETFD), -1);
    ck_assert_int_eq(fcntl(first + QUEUED, F_GETFD), -1);
    release_the_worker();
    ck_assert_int_eq(finish(&below), 1);
    ck_assert_int_eq(finish(&above), 1);
}
END_TEST
#endif

/* Of descriptors without requests the calls say what libc's say; before any AIO, and after. */
START_TEST(without_requests_the_calls_say_what_libc_says)
{
    for (int after = 0; after <= 1; after++) {
        int fd = temp_file(1), none, other;
        FILE *stream;
        char *memory;
        size_t nbytes;
        char back[4];

        errno = 4095;
        ck_assert_int_eq(close(fd), 0);
        ck_assert_int_eq(errno, 4095);
        ck_assert_int_eq(close(fd), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_int_eq(close(-1), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_int_eq(close(INT_MAX), -1);
        ck_assert_int_eq(errno, EBADF);

        fd = temp_file(1);
        other = temp_file(1);
        none = closed_fd();
        errno = 4095;
        ck_assert_int_eq(dup2(fd, fd), fd);
        ck_assert_int_eq(dup2(fd, other), other);
        ck_assert_int_eq(dup2(fd, none), none);
        ck_assert_int_eq(close(none), 0);
        ck_assert_int_eq(dup3(fd, none, O_CLOEXEC), none);
        ck_assert_int_eq(errno, 4095);
        ck_assert_int_eq(fcntl(none, F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(close(none), 0);
        ck_assert_int_eq(dup2(none, none), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_int_eq(dup2(none, fd), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_int_eq(dup2(fd, -1), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_int_eq(dup2(fd, INT_MAX), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_int_eq(fcntl(fd, F_GETFD), 0);

        stream = fdopen(fd, "r+");
        ck_assert_ptr_nonnull(stream);
        ck_assert_int_eq(fputs("abc", stream) < 0, 0);
        errno = 4095;
        ck_assert_int_eq(fclose(stream), 0);
        ck_assert_int_eq(errno, 4095);
        ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
        ck_assert_int_eq(pread(other, back, 4, 0), 3); /* what was in the stream was written */
        stream = open_memstream(&memory, &nbytes);
        ck_assert_ptr_nonnull(stream);
        ck_assert_int_eq(fclose(stream), 0);
        free(memory);
#if HAVE_CLOSE_RANGE
        errno = 4095;
        ck_assert_int_eq(close_range((unsigned)none, (unsigned)none, 0), 0);
        ck_assert_int_eq(close_range(~0U - 1, ~0U, 0), 0);
        closefrom(APART);
        ck_assert_int_eq(errno, 4095);
        ck_assert_int_eq(close_range(2, 1, 0), -1);
        ck_assert_int_eq(errno, EINVAL);
#endif
        ck_assert_int_eq(close(other), 0);
        let_others_run();
    }
}
END_TEST

/* A close that cancels succeeds, and leaves errno alone. */
START_TEST(errno_is_left_alone)
{
    int fd = set_apart(temp_file(QUEUED)), ends[2];

    decoy = temp_file(0);
    make_pipe(ends);
    ends[0] = set_apart_from(ends[0], fd + 10); /* closefrom() takes the higher one first */
    HOLD_THE_WORKER();
    queue_reads(ends[0]);
    errno = 4095;
    ck_assert(give_up(_i, ends[0]));
    ck_assert_int_eq(errno, 4095);
    are_cancelled();
    queue_reads(fd);
    errno = 4095;
    ck_assert(give_up(_i, fd));
    ck_assert_int_eq(errno, 4095);
    are_cancelled();
    release_the_worker();
}
END_TEST

/* --- who is told --- */

static atomic_int calls, calls_before_the_end;
static sem_t called;

static void count_call(union sigval value)
{
    if (aio_error(value.sival_ptr) != ECANCELED)
        atomic_fetch_add(&calls_before_the_end, 1);
    atomic_fetch_add(&calls, 1);
    sem_post(&called);
}

/* A handler, as callbacks run with all signals unblocked and would take them. */
static atomic_int told[QUEUED];

static void count_signal(int signo, siginfo_t *info, void *context)
{
    ptrdiff_t of = (struct aiocb *)info->si_value.sival_ptr - cbs;

    (void)signo;
    (void)context;
    if (info->si_code == SI_ASYNCIO && of >= 0 && of < QUEUED)
        atomic_fetch_add(&told[of], 1);
    sem_post(&called);
}

/* Of QUEUED reads every other one is told by a callback, the rest by SIGRTMIN. */
static void queue_reads_with_notice(int fd)
{
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    handle(SIGRTMIN, count_signal, SA_RESTART);
    for (size_t i = 0; i < QUEUED; i++) {
        prep_read(i, fd);
        if (i % 2 == 0)
            notify_by_thread(&cbs[i].aio_sigevent, count_call, &cbs[i], NULL);
        else
            notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, &cbs[i]);
        must_read(&cbs[i]);
    }
}

static void each_is_told_once(void)
{
    for (size_t i = 0; i < QUEUED; i++)
        await(&called);
    let_others_run();
    for (size_t i = 0; i < QUEUED; i++)
        ck_assert_int_eq(atomic_load(&told[i]), i % 2);
    ck_assert_int_eq(atomic_load(&calls), QUEUED / 2);
    ck_assert_int_eq(atomic_load(&calls_before_the_end), 0);
}

START_TEST(queued_requests_are_told_of)
{
    int fd = set_apart(temp_file(QUEUED));

    decoy = temp_file(0);
    HOLD_THE_WORKER();
    queue_reads_with_notice(fd);
    ck_assert(give_up(_i, fd));
    are_cancelled();
    release_the_worker();
    each_is_told_once();
}
END_TEST

START_TEST(waiting_requests_are_told_of)
{
    int ends[2];

    decoy = temp_file(0);
    make_pair(_i >= WAYS, ends);
    ends[0] = set_apart(ends[0]);
    queue_reads_with_notice(ends[0]);
    ck_assert(give_up(_i % WAYS, ends[0]));
    are_cancelled();
    each_is_told_once();
}
END_TEST

/* A thread in aio_suspend() is woken by it. */
START_TEST(who_waits_for_it_is_woken)
{
    pthread_t waiters[8];
    int ends[2];

    decoy = temp_file(0);
    make_pipe(ends);
    ends[0] = set_apart(ends[0]);
    queue_reads(ends[0]);
    for (size_t i = 0; i < COUNT(waiters); i++)
        start_thread(&waiters[i], wait_for_the_first, NULL);
    let_others_run();
    ck_assert(give_up(_i, ends[0]));
    for (size_t i = 0; i < COUNT(waiters); i++)
        join_thread(waiters[i]);
    are_cancelled();
}
END_TEST

static atomic_int list_result, list_errno;

static void *wait_for_a_list(void *argument)
{
    struct aiocb *list[QUEUED];

    for (size_t i = 0; i < QUEUED; i++)
        list[i] = &cbs[i];
    sem_post(&called);
    atomic_store(&list_result, lio_listio(LIO_WAIT, list, QUEUED, NULL));
    atomic_store(&list_errno, errno);
    return argument;
}

/* And one in lio_listio(): "EIO if any failed". */
START_TEST(who_waits_for_a_list_of_them_is_woken)
{
    pthread_t waiter;
    int ends[2];

    decoy = temp_file(0);
    make_pipe(ends);
    ends[0] = set_apart(ends[0]);
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    for (size_t i = 0; i < QUEUED; i++) {
        prep_read(i, ends[0]);
        cbs[i].aio_lio_opcode = LIO_READ;
    }
    start_thread(&waiter, wait_for_a_list, NULL);
    await(&called);
    /* The last one's status says that all are queued. */
    while (aio_error(&cbs[QUEUED - 1]) != EINPROGRESS)
        sched_yield();
    let_others_run();
    ck_assert(give_up(_i, ends[0]));
    join_thread(waiter);
    ck_assert_int_eq(atomic_load(&list_result), -1);
    ck_assert_int_eq(atomic_load(&list_errno), EIO);
    are_cancelled();
}
END_TEST

/* "`sig` once when all are done" */
START_TEST(the_list_they_are_in_is_told_of)
{
    struct aiocb *list[QUEUED];
    struct sigevent event;
    siginfo_t info;
    int fd = set_apart(temp_file(QUEUED)), ends[2];

    decoy = temp_file(0);
    make_pipe(ends);
    block_signal(SIGRTMIN);
    HOLD_THE_WORKER();
    for (size_t i = 0; i < QUEUED; i++) {
        prep_read(i, i == 0 ? ends[0] : fd);
        cbs[i].aio_lio_opcode = LIO_READ;
        list[i] = &cbs[i];
    }
    notify_by_signal(&event, SIGRTMIN, list);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, QUEUED, &event), 0);
    ck_assert(give_up(_i, fd));
    for (size_t i = 1; i < QUEUED; i++)
        is_cancelled(&cbs[i]);
    ck_assert(!is_pending(SIGRTMIN));
    ck_assert_int_eq(close(ends[0]), 0);
    is_cancelled(&cbs[0]);
    take_signal(SIGRTMIN, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, list);
    release_the_worker();
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

/* --- callbacks that close --- */

static struct {
    int way, fd;
    atomic_bool done, over;
    atomic_int in_progress; /* of cbs, when it was closed */
    sem_t *submitted;       /* to wait for, or NULL */
} closing;

static void close_in_callback(union sigval value)
{
    int in_progress = 0;

    (void)value;
    if (closing.submitted)
        await(closing.submitted);
    atomic_store(&closing.done, give_up(closing.way, closing.fd));
    for (size_t i = 0; i < QUEUED; i++)
        in_progress += aio_error(&cbs[i]) == EINPROGRESS;
    atomic_store(&closing.in_progress, in_progress);
    atomic_store(&closing.over, true);
    sem_post(&called);
}

/* Has a callback close fd. */
static void close_by_callback(int way, int fd)
{
    static struct aiocb trigger;
    static char byte;
    static int ends[2];

    closing.way = way;
    closing.fd = fd;
    make_pipe(ends);
    prep(&trigger, ends[0], &byte, 1, 0);
    notify_by_thread(&trigger.aio_sigevent, close_in_callback, NULL, NULL);
    must_read(&trigger);
    ck_assert_int_eq(aio_cancel(ends[0], &trigger), AIO_CANCELED);
}

/* "Callable from signal handlers and callbacks." */
START_TEST(a_callback_may_close)
{
    int fd = set_apart(temp_file(QUEUED)), ends[2];

    decoy = temp_file(0);
    if (_i < WAYS) {
        HOLD_THE_WORKER();
    } else {
        close(fd);
        make_sockets(ends);
        fd = set_apart(ends[0]);
    }
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    queue_reads(fd);
    close_by_callback(_i % WAYS, fd);
    await(&called);
    ck_assert(atomic_load(&closing.done));
    ck_assert_int_eq(atomic_load(&closing.in_progress), 0);
    are_cancelled();
    if (_i < WAYS)
        release_the_worker();
}
END_TEST

/* "A callback may [...] block for long [...]: other callbacks and I/O go on." */
START_TEST(a_callback_that_waits_in_close_holds_up_nothing)
{
    struct aiocb read;
    char byte;
    int fd = set_apart(temp_file(QUEUED));

    decoy = temp_file(0);
    queue_everything();
    MAKE_GATE(&gate, 1);
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    prep(&cbs[0], fd, gate_page(&gate, 0), 4, 0);
    must_read(&cbs[0]);
    gate_await(&gate, 0);
    close_by_callback(_i, fd);
    prep(&read, temp_file(1), &byte, 1, 0);
    notify_by_thread(&read.aio_sigevent, count_call, &read, NULL);
    must_read(&read);
    await(&called);
    ck_assert_int_eq(atomic_load(&calls), 1);
    let_others_run();
    ck_assert(!atomic_load(&closing.over));
    gate_open(&gate, 0);
    await(&called);
    ck_assert(atomic_load(&closing.done));
    ck_assert_int_eq(atomic_load(&closing.in_progress), 0);
    ck_assert_int_eq(finish(&cbs[0]), 4);
}
END_TEST

/* Its own descriptor, whose other requests are in any state. */
START_TEST(a_callback_may_close_its_own_descriptor)
{
    int kept = temp_file(QUEUED);
    sem_t submitted;

    decoy = temp_file(0);
    if (_i >= WAYS)
        queue_everything();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    ck_assert_int_eq(sem_init(&submitted, 0, 0), 0);
    closing.submitted = &submitted;
    for (int round = 0; round < 200; round++) {
        closing.way = _i % WAYS;
        closing.fd = set_apart(dup(kept));
        for (size_t i = 0; i < QUEUED; i++)
            prep_read(i, closing.fd);
        notify_by_thread(&cbs[QUEUED / 2].aio_sigevent, close_in_callback, NULL, NULL);
        for (size_t i = QUEUED / 2; i < QUEUED; i++)
            must_read(&cbs[i]);
        sem_post(&submitted);
        await(&called);
        ck_assert(atomic_load(&closing.done));
        ck_assert_int_eq(atomic_load(&closing.in_progress), 0);
        for (size_t i = QUEUED / 2; i < QUEUED; i++) {
            int error = aio_error(&cbs[i]);

            ck_assert(error == 0 || error == ECANCELED);
            ck_assert_int_eq(aio_return(&cbs[i]), error == 0 ? 1 : -1);
        }
        close(closing.fd);
    }
}
END_TEST

/* --- handlers that close --- */

enum { VICTIMS = 4, SHOT_US = 60 };
enum { CLOSINGS = SANITIZED ? 50 : 500 };

static struct aiocb victims[VICTIMS];
static char victims_bytes[VICTIMS];
static volatile sig_atomic_t victim = -1;
static volatile sig_atomic_t in_submission;
static int handlers_way;
static atomic_int closings, wrong;

/* The request's thread may have been interrupted anywhere, in the library, too. */
static void close_the_victim(int signo, siginfo_t *info, void *context)
{
    const int saved = errno, fd = victim;

    (void)signo;
    (void)info;
    (void)context;
    if (fd >= 0) {
        if (!give_up(handlers_way, fd))
            atomic_fetch_add(&wrong, 1);
        for (int i = 0; i < VICTIMS; i++) {
            if (aio_error(&victims[i]) == EINPROGRESS)
                atomic_fetch_add(&wrong, 1);
        }
        atomic_fetch_add(&closings, 1);
        victim = -1;
    }
    errno = saved;
    storm_again();
}

/* A new descriptor with requests, for the handler to close: writes of a file, or reads of a pipe. */
static void offer_victim(int file, int *other_end)
{
    int ends[2], fd;

    *other_end = -1;
    if (atomic_load(&closings) % 2 == 0) {
        ck_assert_int_eq(ftruncate(file, 0), 0);
        ck_assert_int_eq(ftruncate(file, VICTIMS), 0);
        fd = set_apart(dup(file));
    } else {
        make_pipe(ends);
        fd = set_apart(ends[0]);
        *other_end = ends[1];
    }
    for (int i = 0; i < VICTIMS; i++) {
        victims_bytes[i] = 'x';
        prep(&victims[i], fd, &victims_bytes[i], 1, i);
        if (*other_end < 0)
            must_write(&victims[i]);
        else
            must_read(&victims[i]);
    }
    victim = fd;
}

static void check_victim(int file, int other_end)
{
    char back[VICTIMS];

    if (other_end < 0)
        ck_assert_int_eq(pread(file, back, VICTIMS, 0), VICTIMS);
    for (int i = 0; i < VICTIMS; i++) {
        int error = aio_error(&victims[i]);

        if (other_end >= 0)
            ck_assert_int_eq(error, ECANCELED);
        else
            ck_assert(error == 0 || error == ECANCELED);
        if (other_end < 0)
            ck_assert_int_eq(back[i], error == 0 ? 'x' : 0);
    }
    close(APART); /* where dup2() leaves the decoy */
    if (other_end >= 0)
        close(other_end);
}

/* Calls of all kinds, of other descriptors, to be interrupted in. */
static void be_busy(int file, int pipe_end)
{
    static struct aiocb mine[8], waiting;
    static char to[8], waiting_byte;
    const struct timespec short_time = {0, 50000};
    struct aiocb *list[8];

    for (int i = 0; i < 8; i++) {
        prep(&mine[i], file, &to[i], 1, i);
        mine[i].aio_lio_opcode = i % 2 ? LIO_READ : LIO_WRITE;
        list[i] = &mine[i];
    }
    must_read(&mine[0]);
    must_write(&mine[1]);
    wait_done(&mine[0]);
    wait_done(&mine[1]);
    if (lio_listio(LIO_WAIT, list, 8, NULL) != 0)
        ck_assert_int_eq(errno, EINTR);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(wait_done(&mine[i]), 0);
    prep(&waiting, pipe_end, &waiting_byte, 1, 0);
    must_read(&waiting);
    list[0] = &waiting;
    aio_suspend((const struct aiocb *const *)list, 1, &short_time);
    aio_cancel(pipe_end, NULL);
    ck_assert_int_eq(wait_done(&waiting), ECANCELED);
}

/* "Callable from signal handlers": whatever of ours the signal interrupts. */
START_TEST(a_handler_may_close)
{
    int file = temp_file(64), busy_file = temp_file(64), busy_pipe[2], other_end = -1;

    decoy = temp_file(0);
    make_pipe(busy_pipe);
    if (_i >= BY_FCLOSE)
        queue_everything();
    handlers_way = _i % BY_FCLOSE;
    handle(SIGUSR1, close_the_victim, SA_RESTART);
    offer_victim(file, &other_end);
    storm_begin_shots(SIGUSR1, SHOT_US);
    while (atomic_load(&closings) < CLOSINGS) {
        if (victim < 0) {
            check_victim(file, other_end);
            offer_victim(file, &other_end);
        }
        be_busy(busy_file, busy_pipe[0]);
    }
    storm_end();
    ck_assert_int_eq(atomic_load(&wrong), 0);
    ck_assert_int_eq(size_of(decoy), 0);
}
END_TEST

static void offer_victim_with_callbacks(int *other_end)
{
    int ends[2], fd;

    make_pipe(ends);
    fd = set_apart(ends[0]);
    *other_end = ends[1];
    for (int i = 0; i < VICTIMS; i++) {
        prep(&victims[i], fd, &victims_bytes[i], 1, 0);
        notify_by_thread(&victims[i].aio_sigevent, count_call, &victims[i], NULL);
        must_read(&victims[i]);
    }
    victim = fd;
}

static void *do_nothing(void *argument)
{
    return argument;
}

/* The same of libc: it holds a lock of malloc()'s or pthread_create()'s, and the callbacks that are
 * due need a thread, for there is none left. */
START_TEST(a_handler_may_close_while_its_thread_allocates_or_starts_threads)
{
    int other_end = -1, offered = 1;

    ck_assert_int_eq(setenv("UAIO_IDLE_MS", "0", 1), 0);
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    handlers_way = BY_CLOSE;
    handle(SIGUSR1, close_the_victim, SA_RESTART);
    offer_victim_with_callbacks(&other_end);
    storm_begin_shots(SIGUSR1, SHOT_US);
    while (atomic_load(&closings) < CLOSINGS) {
        pthread_t thread;

        start_thread(&thread, do_nothing, NULL);
        free(malloc(100000));
        join_thread(thread);
        if (victim >= 0)
            continue;
        for (int i = 0; i < VICTIMS; i++)
            await(&called);
        close(other_end);
        offer_victim_with_callbacks(&other_end);
        offered++;
    }
    storm_end();
    close(victim);
    for (int i = 0; i < VICTIMS; i++)
        await(&called);
    ck_assert_int_eq(atomic_load(&wrong), 0);
    ck_assert_int_eq(atomic_load(&calls), offered * VICTIMS);
    ck_assert_int_eq(atomic_load(&calls_before_the_end), 0);
}
END_TEST

/* What is submitted while it is closed may find it so; what was submitted must not find another. */
static void swap_the_victim(int signo, siginfo_t *info, void *context)
{
    const int saved = errno, fd = victim;

    (void)signo;
    (void)info;
    (void)context;
    if (fd >= 0) {
        if (in_submission ? close(fd) != 0 : dup2(decoy, fd) != fd)
            atomic_fetch_add(&wrong, 1);
        atomic_fetch_add(&closings, 1);
        victim = -1;
    }
    errno = saved;
    storm_again();
}

/* The very descriptor whose request the interrupted thread submits, waits for or performs. */
START_TEST(a_handler_may_close_what_its_thread_is_busy_with)
{
    int file = temp_file(64);

    decoy = temp_file(0);
    if (_i == 1)
        queue_everything();
    handle(SIGUSR1, swap_the_victim, SA_RESTART);
    storm_begin_shots(SIGUSR1, SHOT_US);
    while (atomic_load(&closings) < CLOSINGS) {
        int fd = fcntl(file, F_DUPFD_CLOEXEC, APART);

        ck_assert_int_ge(fd, 0);
        in_submission = true;
        victim = fd;
        for (int i = 0; i < VICTIMS; i++) {
            prep(&victims[i], fd, &victims_bytes[i], 1, i);
            if (i == 0)
                must_read(&victims[i]);
            else
                must_write(&victims[i]);
        }
        in_submission = false;
        for (int i = 0; i < VICTIMS; i++) {
            int error = wait_done(&victims[i]);

            ck_assert(error == 0 || error == ECANCELED || error == EBADF);
        }
        victim = -1;
        close(fd);
    }
    storm_end();
    ck_assert_int_eq(atomic_load(&wrong), 0);
    ck_assert_int_eq(size_of(decoy), 0);
}
END_TEST

/* --- children --- */

/* Nothing here may be an argument or a local of the function that calls vfork(). */
static void close_all_in_child(int way)
{
    for (int i = 0; i < 2; i++) {
        if (fcntl(quiet[i], F_GETFD) >= 0)
            give_up(way, quiet[i]);
    }
    if (fcntl(quiet_file, F_GETFD) >= 0)
        give_up(way, quiet_file);
    for (int fd = 3; fd < 100; fd++)
        close(fd);
#if HAVE_CLOSE_RANGE
    close_range(3, ~0U, 0);
    closefrom(3);
#endif
}

static pid_t vfork_a_closer(int way, bool exec)
{
    pid_t pid = vfork();

    if (pid == 0) {
        close_all_in_child(way);
        if (exec)
            execl("/bin/true", "true", (char *)NULL);
        _exit(exec);
    }
    return pid;
}

/* "vfork child: calls close/dup2/exec: parent's requests are untouched." */
START_TEST(a_vfork_child_may_close_all_there_is)
{
    pid_t pid;

    if (_i % WAYS == BY_FCLOSE)
        return; /* shares the streams with its parent */
    HOLD_THE_WORKER();
    decoy = temp_file(0);
    begin_undisturbed();
    pid = vfork_a_closer(_i % WAYS, _i < WAYS);
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(status_of(pid), 0);
    check_undisturbed();
    let_others_run();
    begin_undisturbed();
    ck_assert_int_eq(close(quiet[0]), 0);
    is_cancelled(&cbs[0]);
    ck_assert_int_eq(finish(&cbs[1]), 1);
}
END_TEST

/* A fork child has the numbers, not the requests. */
START_TEST(a_forked_child_may_close_all_there_is)
{
    pid_t pid;

    HOLD_THE_WORKER();
    decoy = temp_file(0);
    begin_undisturbed();
    for (int round = 0; round < 20; round++) {
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            close_all_in_child(_i);
            _exit(0);
        }
        ck_assert_int_eq(status_of(pid), 0);
    }
    check_undisturbed();
}
END_TEST

extern char **environ;

/* Nor do the ways of libc to run a program. */
START_TEST(programs_that_are_run_disturb_nothing)
{
    char *const arguments[] = {(char[]){"true"}, NULL};
    posix_spawn_file_actions_t actions;
    FILE *stream;
    char line[8];
    pid_t pid;

    HOLD_THE_WORKER();
    begin_undisturbed();
    ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
    ck_assert_int_eq(posix_spawn_file_actions_addclose(&actions, quiet[0]), 0);
    ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, quiet_file), 0);
    for (int round = 0; round < 5; round++) {
        ck_assert_int_eq(system("true"), 0);
        stream = popen("echo abc", "r");
        ck_assert_ptr_nonnull(stream);
        ck_assert_ptr_nonnull(fgets(line, sizeof line, stream));
        ck_assert_str_eq(line, "abc\n");
        ck_assert_int_eq(pclose(stream), 0);
        ck_assert_int_eq(posix_spawn(&pid, "/bin/true", &actions, NULL, arguments, environ), 0);
        ck_assert_int_eq(status_of(pid), 0);
    }
    posix_spawn_file_actions_destroy(&actions);
    check_undisturbed();
}
END_TEST

/* Leaves a child with the line that is wrong. */
#define EXPECT(condition)                                                 \
 do {                                                                     \
  if (!(condition)) {                                                     \
   dprintf(STDERR_FILENO, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
   _exit(1);                                                              \
  }                                                                       \
 } while (0)

static void use_all_in_child(void)
{
    char path[] = "/tmp/uaio-close-XXXXXX";
    int fd = mkstemp(path), ends[2];

    EXPECT(fd >= 0 && unlink(path) == 0 && pipe(ends) == 0);
    prep(&cbs[0], fd, "abc", 3, 0);
    EXPECT(aio_write(&cbs[0]) == 0 && wait_done(&cbs[0]) == 0 && aio_return(&cbs[0]) == 3);
    prep(&cbs[1], ends[0], &bytes[1], 1, 0);
    EXPECT(aio_read(&cbs[1]) == 0);
    for (size_t i = 2; i < QUEUED; i++) {
        prep(&cbs[i], fd, &bytes[i], 1, 1);
        EXPECT(aio_read(&cbs[i]) == 0);
    }
    for (size_t i = 2; i < QUEUED; i++)
        EXPECT(wait_done(&cbs[i]) == 0 && aio_return(&cbs[i]) == 1 && bytes[i] == 'b');
    EXPECT(aio_error(&cbs[1]) == EINPROGRESS);
    EXPECT(write(ends[1], "x", 1) == 1);
    EXPECT(wait_done(&cbs[1]) == 0 && bytes[1] == 'x');
}

/*
 * Programs that close all there may be, as daemons do, close nothing that the
 * library needs.  In a child: Check has descriptors of its own.
 */
START_TEST(closing_all_there_is_leaves_the_library_working)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int ends[2];

        for (int round = 0; round < 5; round++) {
            EXPECT(pipe(ends) == 0);
            prep(&cbs[0], ends[0], &bytes[0], 1, 0);
            EXPECT(aio_read(&cbs[0]) == 0);
            EXPECT(aio_error(&cbs[0]) == EINPROGRESS);
            if (_i == 0) {
                for (int fd = 3; fd < 2000; fd++)
                    close(fd);
            } else {
#if HAVE_CLOSE_RANGE
                if (_i == 1)
                    EXPECT(close_range(3, ~0U, 0) == 0);
                else
                    closefrom(3);
#endif
            }
            EXPECT(_i > 0 && !HAVE_CLOSE_RANGE ? 1 : aio_error(&cbs[0]) == ECANCELED);
            use_all_in_child();
        }
        _exit(0);
    }
    ck_assert_int_eq(status_of(pid), 0);
}
END_TEST

/*
 * SECURITY.md: "Descriptors of its own are close-on-exec; [...] they are not reached by
 * close(), dup2(), close_range() or closefrom() of the program."  They are what is left
 * when all has been closed.
 */
START_TEST(the_librarys_own_descriptors_are_refused)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int ends[2], found = 0;

        EXPECT(pipe(ends) == 0);
        prep(&cbs[0], ends[0], &bytes[0], 1, 0);
        EXPECT(aio_read(&cbs[0]) == 0); /* somebody waits for the pipe */
        for (int fd = 3; fd < 2000; fd++)
            if (fd != ends[0] && fd != ends[1])
                close(fd);
        for (int fd = 3; fd < 2000; fd++) {
            int flags = fcntl(fd, F_GETFD);

            if (flags < 0 || fd == ends[0] || fd == ends[1])
                continue;
            found++;
            EXPECT(flags & FD_CLOEXEC);
            EXPECT(close(fd) == -1 && errno == EBADF);
            EXPECT(dup2(0, fd) == -1 && errno == EBUSY);
            EXPECT(dup3(0, fd, O_CLOEXEC) == -1 && errno == EBUSY);
#if HAVE_CLOSE_RANGE
            EXPECT(close_range((unsigned)fd, (unsigned)fd, 0) == 0);
#endif
            EXPECT(fcntl(fd, F_GETFD) == flags);
        }
        EXPECT(found > 0);
        EXPECT(aio_error(&cbs[0]) == EINPROGRESS);
        EXPECT(write(ends[1], "x", 1) == 1);
        EXPECT(wait_done(&cbs[0]) == 0 && bytes[0] == 'x');
        _exit(0);
    }
    ck_assert_int_eq(status_of(pid), 0);
}
END_TEST

Suite *close_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("close", 60, &tc);

    tcase_add_loop_test(tc, queued_requests_are_cancelled, 0, WAYS);
    tcase_add_loop_test(tc, held_appends_are_cancelled, 0, WAYS);
    tcase_add_loop_test(tc, a_held_sync_is_cancelled, 0, WAYS);
    tcase_add_loop_test(tc, waiting_reads_are_cancelled, 0, 2 * WAYS);
    tcase_add_loop_test(tc, reads_that_have_hardly_begun_to_wait_are_cancelled, 0, 2 * WAYS);
    tcase_add_loop_test(tc, waiting_writes_are_cancelled, 0, 2 * WAYS);
    tcase_add_test(tc, many_queued_requests_are_cancelled);
    tcase_add_loop_test(tc, what_is_over_keeps_its_result, 0, WAYS);
    tcase_add_loop_test(tc, the_peer_of_a_socket_sees_the_end, 0, WAYS);
    tcase_add_loop_test(tc, the_writer_of_a_pipe_sees_the_end, 0, WAYS);
    tcase_add_loop_test(tc, a_running_read_is_finished_first, 0, WAYS);
    tcase_add_loop_test(tc, a_running_write_is_finished_first, 0, WAYS);
    tcase_add_loop_test(tc, a_running_append_is_finished_and_the_next_cancelled, 0, WAYS);
    tcase_add_loop_test(tc, what_a_waiter_performs_is_finished_first, 0, WAYS);
    tcase_add_loop_test(tc, a_close_that_waits_holds_up_no_other, 0, WAYS);
    tcase_add_loop_test(tc, a_queued_write_reaches_no_later_file, 0, 2 * WAYS);
    tcase_add_loop_test(tc, a_write_in_any_state_reaches_no_later_file, 0, 2 * WAYS);
    tcase_add_loop_test(tc, a_waiting_read_reaches_no_later_pipe, 0, WAYS);
    tcase_add_loop_test(tc, ebadf_afterwards, 0, WAYS);
    tcase_add_loop_test(tc, queued_requests_of_a_duplicate_go_on, 0, WAYS);
    tcase_add_loop_test(tc, waiting_requests_of_a_duplicate_go_on, 0, 2 * WAYS);
    tcase_add_loop_test(tc, what_is_duplicated_keeps_its_requests, 0, 2);
    tcase_add_test(tc, a_descriptor_duplicated_onto_itself_keeps_its_requests);
    tcase_add_test(tc, a_failed_call_cancels_nothing);
#if HAVE_CLOSE_RANGE
    tcase_add_test(tc, a_range_that_is_only_marked_keeps_its_requests);
    tcase_add_test(tc, every_descriptor_of_a_range_is_closed);
#endif
    tcase_add_test(tc, without_requests_the_calls_say_what_libc_says);
    tcase_add_loop_test(tc, errno_is_left_alone, 0, WAYS);
    tcase_add_loop_test(tc, queued_requests_are_told_of, 0, WAYS);
    tcase_add_loop_test(tc, waiting_requests_are_told_of, 0, 2 * WAYS);
    tcase_add_loop_test(tc, who_waits_for_it_is_woken, 0, WAYS);
    tcase_add_loop_test(tc, who_waits_for_a_list_of_them_is_woken, 0, WAYS);
    tcase_add_loop_test(tc, the_list_they_are_in_is_told_of, 0, WAYS);
    tcase_add_loop_test(tc, a_callback_may_close, 0, 2 * WAYS);
    tcase_add_loop_test(tc, a_callback_that_waits_in_close_holds_up_nothing, 0, WAYS);
    tcase_add_loop_test(tc, a_callback_may_close_its_own_descriptor, 0, 2 * WAYS);
    tcase_add_loop_test(tc, a_handler_may_close, 0, 2 * BY_FCLOSE);
    tcase_add_test(tc, a_handler_may_close_while_its_thread_allocates_or_starts_threads);
    tcase_add_loop_test(tc, a_handler_may_close_what_its_thread_is_busy_with, 0, 2);
    tcase_add_loop_test(tc, a_vfork_child_may_close_all_there_is, 0, 2 * WAYS);
    tcase_add_loop_test(tc, a_forked_child_may_close_all_there_is, 0, WAYS);
    tcase_add_test(tc, programs_that_are_run_disturb_nothing);
    tcase_add_loop_test(tc, closing_all_there_is_leaves_the_library_working, 0, 3);
    tcase_add_test(tc, the_librarys_own_descriptors_are_refused);
    return suite;
}
