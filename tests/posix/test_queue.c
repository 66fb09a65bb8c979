/* SPDX-License-Identifier: MIT */
/* Completion queues: what <uaio/queue.h> says. */
#include "helpers.h"

#ifdef UAIO_TEST_PREFIXED

# include <poll.h>
# include <sys/mman.h>
# include <sys/wait.h>

static const struct timespec at_once;

static struct uaio_queue *open_queue(const struct uaio_queue_settings *settings)
{
    struct uaio_queue *queue = NULL;

    ck_assert_int_eq(uaio_queue_open(&queue, settings), 0);
    ck_assert_ptr_nonnull(queue);
    return queue;
}

static void prep_queued(struct aiocb *cb, struct uaio_queue *queue, int fd, void *buf,
                        size_t nbytes)
{
    prep(cb, fd, buf, nbytes, 0);
    cb->aio_sigevent.sigev_notify = UAIO_SIGEV_QUEUE;
    cb->aio_sigevent.sigev_value.sival_ptr = queue;
}

static void fails_with(int result, int error)
{
    int found = errno;

    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(found, error);
}

static void has_nothing(struct uaio_queue *queue)
{
    struct aiocb *cb;

    fails_with((int)uaio_waitcomplete(queue, &cb, &at_once), EAGAIN);
    ck_assert_ptr_null(cb);
}

START_TEST(requests_go_to_their_queue)
{
    struct uaio_queue *queues[3];
    struct aiocb cbs[4], *found;
    char bytes[4];
    int fd = temp_file(4);

    if (_i)
        queue_everything();
    for (int i = 0; i < 3; i++)
        queues[i] = open_queue(NULL);
    for (int i = 0; i < 3; i++) {
        prep_queued(&cbs[i], queues[i], fd, &bytes[i], 1);
        must_read(&cbs[i]);
    }
    prep(&cbs[3], fd, &bytes[3], 1, 0); /* in none */
    must_read(&cbs[3]);
    ck_assert_int_eq(finish(&cbs[3]), 1);
    for (int i = 2; i >= 0; i--) {
        ck_assert_int_eq(uaio_waitcomplete(queues[i], &found, NULL), 1);
        ck_assert_ptr_eq(found, &cbs[i]);
        has_nothing(queues[i]);
        ck_assert_int_eq(uaio_queue_close(queues[i]), 0);
    }
}
END_TEST

/* "Until it is taken": aio_suspend() and aio_error() do not take it. */
START_TEST(waiting_for_one_does_not_take_it)
{
    struct uaio_queue *queue = open_queue(NULL);
    struct aiocb cb, *found;
    char byte;

    prep_queued(&cb, queue, temp_file(1), &byte, 1);
    must_read(&cb);
    ck_assert_int_eq(wait_done(&cb), 0);
    ck_assert_int_eq(uaio_waitcomplete(queue, &found, NULL), 1);
    ck_assert_ptr_eq(found, &cb);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 1);
    has_nothing(queue);
}
END_TEST

/* --- uaio_waitn() ------------------------------------------------------------------------------ */

START_TEST(waitn_gives_out_what_is_over)
{
    enum { N = 20 };
    struct uaio_queue *queue = open_queue(NULL);
    struct aiocb cbs[N], *list[N];
    char bytes[N];
    unsigned n = 5, sum = 0;
    int fd = temp_file(1);

    if (_i)
        queue_everything();
    for (int i = 0; i < N; i++) {
        prep_queued(&cbs[i], queue, fd, &bytes[i], 1);
        must_read(&cbs[i]);
    }
    while (sum < N) {
        n = N - sum < 5 ? N - sum : 5;
        ck_assert_int_eq(uaio_waitn(queue, list, N, &n, NULL), 0);
        ck_assert_uint_ge(n, N - sum < 5 ? N - sum : 5);
        for (unsigned i = 0; i < n; i++) {
            ck_assert_int_eq(aio_error(list[i]), 0);
            ck_assert_int_eq(aio_return(list[i]), 1);
        }
        sum += n;
    }
    ck_assert_uint_eq(sum, N);
    n = 1;
    fails_with(uaio_waitn(queue, list, N, &n, NULL), EAGAIN);
    ck_assert_uint_eq(n, 0);
}
END_TEST

/* "or all that there are": it does not wait for what nobody has submitted. */
START_TEST(waitn_ends_with_the_last)
{
    struct uaio_queue *queue = open_queue(NULL);
    struct aiocb cbs[2], *list[10];
    char bytes[2];
    unsigned n = 10;
    int fd = temp_file(1);

    if (_i)
        queue_everything();
    for (int i = 0; i < 2; i++) {
        prep_queued(&cbs[i], queue, fd, &bytes[i], 1);
        must_read(&cbs[i]);
    }
    ck_assert_int_eq(uaio_waitn(queue, list, 10, &n, NULL), 0);
    ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(waitn_gives_out_what_there_is_when_time_is_up)
{
    static const struct timespec times[] = {{0, 0}, {0, 20000000}};
    struct uaio_queue *queue = open_queue(NULL);
    struct aiocb over, waits, *list[4];
    char bytes[2];
    unsigned n = 2;
    int ends[2];

    make_pipe(ends);
    prep_queued(&waits, queue, ends[0], &bytes[0], 1);
    must_read(&waits);
    prep_queued(&over, queue, temp_file(1), &bytes[1], 1);
    must_read(&over);
    ck_assert_int_eq(wait_done(&over), 0);
    fails_with(uaio_waitn(queue, list, 4, &n, &times[_i]), ETIME);
    ck_assert_uint_eq(n, 1);
    ck_assert_ptr_eq(list[0], &over);
    n = 1;
    send_pattern(ends[1], 0);
    ck_assert_int_eq(uaio_waitn(queue, list, 4, &n, NULL), 0);
    ck_assert_ptr_eq(list[0], &waits);
}
END_TEST

START_TEST(waitn_checks_its_arguments)
{
    struct uaio_queue *queue = open_queue(NULL);
    struct aiocb *list[2];
    unsigned n = 0;

    fails_with(uaio_waitn(queue, list, 2, &n, NULL), EINVAL);
    n = 3;
    fails_with(uaio_waitn(queue, list, 2, &n, NULL), EINVAL);
    ck_assert_uint_eq(n, 3);
    n = 1;
    fails_with(uaio_waitn(queue, NULL, 2, &n, NULL), EINVAL);
    fails_with(uaio_waitn(queue, list, 2, NULL, NULL), EINVAL);
    fails_with(uaio_waitn(queue, list, 2, &n, &(struct timespec){0, -1}), EINVAL);
    fails_with(uaio_waitn((struct uaio_queue *)list, list, 2, &n, NULL), EINVAL);
}
END_TEST

/* What was submitted anew, to another queue or to none, is not given out by the first. */
START_TEST(stale_entries_are_passed_over)
{
    struct uaio_queue *queue = open_queue(NULL), *other = open_queue(NULL);
    struct aiocb cbs[3], *list[3];
    char bytes[3];
    unsigned n = 3;
    int fd = temp_file(1), ends[2];

    make_pipe(ends);
    for (int i = 0; i < 3; i++) {
        prep_queued(&cbs[i], queue, fd, &bytes[i], 1);
        must_read(&cbs[i]);
        ck_assert_int_eq(wait_done(&cbs[i]), 0);
    }
    prep_queued(&cbs[1], other, fd, &bytes[1], 1);
    must_read(&cbs[1]);
    cbs[2].aio_sigevent.sigev_notify = SIGEV_NONE;
    must_read(&cbs[2]);
    ck_assert_int_eq(wait_done(&cbs[2]), 0);
    ck_assert_int_eq(uaio_waitn(queue, list, 3, &n, NULL), 0);
    ck_assert_uint_eq(n, 1);
    ck_assert_ptr_eq(list[0], &cbs[0]);
    n = 1;
    ck_assert_int_eq(uaio_waitn(other, list, 3, &n, NULL), 0);
    ck_assert_ptr_eq(list[0], &cbs[1]);
}
END_TEST

/* Submitted anew it has left the queue for its former request, and may go with its last. */
enum { TO_THE_QUEUE, TO_NONE, REFUSED, LAST_REQUESTS };

START_TEST(a_block_may_go_with_its_last_request)
{
    struct uaio_queue *queue = open_queue(NULL);
    struct aiocb *cb =
        mmap(NULL, sizeof *cb, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char byte;

    ck_assert_ptr_ne(cb, MAP_FAILED);
    prep_queued(cb, queue, temp_file(1), &byte, 1);
    must_read(cb);
    ck_assert_int_eq(wait_done(cb), 0);
    if (_i == TO_NONE)
        cb->aio_sigevent.sigev_notify = SIGEV_NONE;
    if (_i == REFUSED) {
        cb->aio_reqprio = -1;
        fails_with(aio_read(cb), EINVAL);
    } else {
        must_read(cb);
        ck_assert_int_eq(finish(cb), 1);
    }
    ck_assert_int_eq(munmap(cb, sizeof *cb), 0);
    ck_assert(!is_readable(uaio_queue_fd(queue)));
    has_nothing(queue);
    ck_assert_int_eq(uaio_queue_close(queue), 0);
}
END_TEST

/* --- the descriptor ------------------------------------------------------------------------------ */

START_TEST(the_descriptor_is_readable_while_something_is_over)
{
    struct uaio_queue *queue = _i ? NULL : open_queue(NULL);
    struct aiocb cbs[2], *found;
    char bytes[2];
    int fd = uaio_queue_fd(queue), ends[2];

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(uaio_queue_fd(queue), fd);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert(!is_readable(fd));
    make_pipe(ends);
    for (int i = 0; i < 2; i++) {
        prep_queued(&cbs[i], queue, ends[0], &bytes[i], 1);
        must_read(&cbs[i]);
    }
    ck_assert(!is_readable(fd));
    send_pattern(ends[1], 0);
    send_pattern(ends[1], 1);
    ck_assert_int_eq(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1), 1);
    ck_assert_int_eq(wait_done(&cbs[1]), 0);
    ck_assert_int_eq(uaio_waitcomplete(queue, &found, &at_once), 1);
    ck_assert(is_readable(fd));
    ck_assert_int_eq(uaio_waitcomplete(queue, &found, &at_once), 1);
    ck_assert(!is_readable(fd));
    must_read(&cbs[0]);
    send_pattern(ends[1], 0);
    ck_assert_int_eq(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1), 1);
}
END_TEST

/* Asked for late, it says what there is. */
START_TEST(the_descriptor_may_come_late)
{
    struct uaio_queue *queue = open_queue(NULL);
    struct aiocb cb;
    char byte;

    prep_queued(&cb, queue, temp_file(1), &byte, 1);
    must_read(&cb);
    ck_assert_int_eq(wait_done(&cb), 0);
    ck_assert(is_readable(uaio_queue_fd(queue)));
}
END_TEST

/* --- opening and closing ---------------------------------------------------------------------------- */

START_TEST(a_queue_with_requests_in_progress_is_busy)
{
    struct uaio_queue *queue = open_queue(NULL);
    struct aiocb cb, *found;
    int ends[2], fd = uaio_queue_fd(queue);
    char byte;

    make_pipe(ends);
    prep_queued(&cb, queue, ends[0], &byte, 1);
    must_read(&cb);
    fails_with(uaio_queue_close(queue), EBUSY);
    send_pattern(ends[1], 0);
    ck_assert_int_eq(wait_done(&cb), 0);
    ck_assert_int_eq(uaio_queue_close(queue), 0);
    ck_assert_int_eq(aio_return(&cb), 1); /* "out of it, with its result" */
    fails_with(fcntl(fd, F_GETFD), EBADF);
    fails_with(uaio_queue_close(queue), EINVAL);
    fails_with(uaio_queue_fd(queue), EINVAL);
    fails_with((int)uaio_waitcomplete(queue, &found, &at_once), EINVAL);
    fails_with(aio_read(&cb), EINVAL);
    ck_assert_int_eq(aio_error(&cb), EINVAL);
    fails_with(uaio_queue_close(NULL), EINVAL);
}
END_TEST

START_TEST(there_are_as_many_as_promised)
{
    static struct uaio_queue *queues[UAIO_QUEUES_MAX];
    struct uaio_queue *more;

    for (int i = 0; i < UAIO_QUEUES_MAX; i++)
        queues[i] = open_queue(NULL);
    fails_with(uaio_queue_open(&more, NULL), EMFILE);
    ck_assert_int_eq(uaio_queue_close(queues[500]), 0);
    ck_assert_int_eq(uaio_queue_open(&more, NULL), 0);
    for (int i = 0; i < UAIO_QUEUES_MAX; i++)
        ck_assert_int_eq(uaio_queue_close(queues[i]), 0);
}
END_TEST

START_TEST(what_is_no_queue_is_einval)
{
    char bytes[256];
    struct uaio_queue *bad[] = {(struct uaio_queue *)bytes, (struct uaio_queue *)1,
                                (struct uaio_queue *)UINTPTR_MAX};
    struct uaio_queue *odd = (struct uaio_queue *)((char *)open_queue(NULL) + 8);
    struct aiocb cb;

    prep_queued(&cb, _i < 3 ? bad[_i] : odd, temp_file(1), bytes, 1);
    fails_with(aio_read(&cb), EINVAL);
    fails_with(aio_fsync(O_SYNC, &cb), EINVAL);
    ck_assert_int_eq(aio_error(&cb), EINVAL);
    fails_with(uaio_queue_fd(_i < 3 ? bad[_i] : odd), EINVAL);
}
END_TEST

START_TEST(a_list_has_no_queue_of_its_own)
{
    struct uaio_queue *queue = open_queue(NULL);
    struct sigevent event = {.sigev_notify = UAIO_SIGEV_QUEUE};
    struct aiocb cb, *list[] = {&cb};
    char byte;

    event.sigev_value.sival_ptr = queue;
    prep(&cb, temp_file(1), &byte, 1, 0);
    cb.aio_lio_opcode = LIO_READ;
    fails_with(lio_listio(LIO_NOWAIT, list, 1, &event), EINVAL);
}
END_TEST

/* --- settings ----------------------------------------------------------------------------------------- */

START_TEST(max_requests_counts_what_is_not_taken)
{
    struct uaio_queue *queue = open_queue(&(struct uaio_queue_settings){
        .size = sizeof(struct uaio_queue_settings), .max_requests = 2});
    struct aiocb cbs[3], *found;
    char bytes[3];
    int fd = temp_file(1);

    for (int i = 0; i < 3; i++)
        prep_queued(&cbs[i], queue, fd, &bytes[i], 1);
    must_read(&cbs[0]);
    must_read(&cbs[1]);
    fails_with(aio_read(&cbs[2]), EAGAIN);
    ck_assert_int_eq(aio_error(&cbs[2]), EAGAIN);
    ck_assert_int_eq(uaio_waitcomplete(queue, &found, NULL), 1);
    must_read(&cbs[2]);
    ck_assert_int_eq(uaio_waitcomplete(queue, &found, NULL), 1);
    ck_assert_int_eq(uaio_waitcomplete(queue, &found, NULL), 1);
    has_nothing(queue);
}
END_TEST

/* While the one worker is held up, a queue with inline_reads on has a cached read done by its
 * submitter; the others have not, as the environment says. */
START_TEST(inline_reads_are_the_queues_own_choice)
{
    const struct uaio_queue_settings settings = {.size = sizeof settings, .inline_reads = UAIO_ON};
    struct uaio_queue *on, *inherits;
    struct aiocb held, cb, left, *found;
    struct gate gate;
    char bytes[2];
    int fd = temp_file(1);

    if (PORTABLE)
        SKIP("nothing is done inline");
    queue_everything();
    use_workers(1);
    on = open_queue(&settings);
    inherits = open_queue(NULL);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &held);
    prep_queued(&cb, on, fd, &bytes[0], 1);
    must_read(&cb);
    ck_assert_int_eq(aio_error(&cb), 0);
    prep_queued(&left, inherits, fd, &bytes[1], 1);
    must_read(&left);
    ck_assert_int_eq(aio_error(&left), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(uaio_waitcomplete(on, &found, NULL), 1);
    ck_assert_int_eq(uaio_waitcomplete(inherits, &found, NULL), 1);
    ck_assert_ptr_eq(found, &left);
    ck_assert_int_eq(finish(&held), 16);
}
END_TEST

/* "who waits for the one request there is runs it himself": while the one worker is held
 * up, nobody else could; and does not where the environment forbids it. */
START_TEST(helping_is_the_queues_own_choice)
{
    const struct uaio_queue_settings settings = {.size = sizeof settings, .help = UAIO_ON};
    const struct timespec long_enough_to_help = {0, 150000000};
    struct uaio_queue *on, *inherits;
    struct aiocb held, cb, left, *found;
    struct gate gate;
    char bytes[2];
    int fd = temp_file(1);

    queue_everything();
    use_workers(1);
    on = open_queue(&settings);
    inherits = open_queue(NULL);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &held);
    prep_queued(&cb, on, fd, &bytes[0], 1);
    must_read(&cb);
    ck_assert_int_eq(aio_error(&cb), EINPROGRESS);
    ck_assert_int_eq(uaio_waitcomplete(on, &found, NULL), 1);
    ck_assert_ptr_eq(found, &cb);
    prep_queued(&left, inherits, fd, &bytes[1], 1);
    must_read(&left);
    fails_with((int)uaio_waitcomplete(inherits, &found, &long_enough_to_help), EAGAIN);
    ck_assert_int_eq(aio_error(&left), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(uaio_waitcomplete(inherits, &found, NULL), 1);
    ck_assert_ptr_eq(found, &left);
    ck_assert_int_eq(finish(&held), 16);
}
END_TEST

START_TEST(settings_are_checked)
{
    struct uaio_queue *queue = NULL;
    const struct uaio_queue_settings bad[] = {
        {.size = sizeof *bad - 1},
        {.size = sizeof *bad, .inline_reads = (enum uaio_choice)3},
        {.size = sizeof *bad, .help = (enum uaio_choice) - 1},
    };

    fails_with(uaio_queue_open(&queue, &bad[_i]), EINVAL);
    ck_assert_ptr_null(queue);
    fails_with(uaio_queue_open(NULL, NULL), EINVAL);
}
END_TEST

/* --- processes and threads ------------------------------------------------------------------------------ */

START_TEST(a_child_has_none_of_them)
{
    struct uaio_queue *queue = open_queue(NULL);
    struct aiocb cb, *found;
    int ends[2], fd = uaio_queue_fd(queue);
    char byte;
    pid_t pid;

    make_pipe(ends);
    prep_queued(&cb, queue, ends[0], &byte, 1);
    must_read(&cb);
    pid = fork_by(_i);
    if (pid == 0) {
        struct uaio_queue *own;
        struct aiocb read_own;
        fails_with((int)uaio_waitcomplete(queue, &found, &at_once), EINVAL);
        own = open_queue(NULL);
        prep_queued(&read_own, own, temp_file(1), &byte, 1);
        must_read(&read_own);
        ck_assert_int_eq(uaio_waitcomplete(own, &found, NULL), 1);
        ck_assert_ptr_eq(found, &read_own);
        _exit(0);
    }
    if (pid < 0 && errno == ENOSYS)
        SKIP("no such way to fork here");
    ck_assert_int_eq(status_of(pid), 0);
    send_pattern(ends[1], 0);
    ck_assert_int_eq(uaio_waitcomplete(queue, &found, NULL), 1);
    ck_assert_ptr_eq(found, &cb);
    ck_assert(!is_readable(fd));
}
END_TEST

/* Threads that submit and threads that take, on one queue: each request is taken once, by
 * somebody, whichever way. */
# define PER_THREAD 400
# define PAIRS 3

static struct uaio_queue *shared;
static int shared_fd;
static atomic_int in_all, twice;
static struct aiocb blocks[PAIRS][PER_THREAD];
static char bytes_of[PAIRS][PER_THREAD];
static atomic_char seen[PAIRS * PER_THREAD];

static void *submit_all(void *argument)
{
    int row = *(int *)argument;

    for (int i = 0; i < PER_THREAD; i++) {
        struct aiocb *cb = &blocks[row][i];
        prep_queued(cb, shared, shared_fd, &bytes_of[row][i], 1);
        while (aio_read(cb) != 0)
            ;
    }
    return NULL;
}

static void note(const struct aiocb *cb)
{
    if (atomic_exchange(&seen[cb - blocks[0]], 1))
        atomic_fetch_add(&twice, 1);
    atomic_fetch_add(&in_all, 1);
}

static void *take_all(void *argument)
{
    bool many = *(int *)argument;

    while (atomic_load(&in_all) < PAIRS * PER_THREAD) {
        const struct timespec patience = {0, 1000000};
        struct aiocb *list[16];
        unsigned n = 3;
        if (many) {
            uaio_waitn(shared, list, 16, &n, &patience);
            for (unsigned i = 0; i < n; i++)
                if (aio_return(list[i]) == 1)
                    note(list[i]);
        } else if (uaio_waitcomplete(shared, &list[0], &patience) == 1) {
            note(list[0]);
        }
    }
    return NULL;
}

START_TEST(threads_submit_and_take)
{
    static int numbers[] = {0, 1, 2};
    pthread_t submitters[PAIRS], takers[PAIRS];

    if (_i)
        queue_everything();
    shared = open_queue(NULL);
    shared_fd = temp_file(1);
    for (int i = 0; i < PAIRS; i++) {
        start_thread(&submitters[i], submit_all, &numbers[i]);
        start_thread(&takers[i], take_all, &numbers[i]);
    }
    for (int i = 0; i < PAIRS; i++) {
        join_thread(submitters[i]);
        join_thread(takers[i]);
    }
    ck_assert_int_eq(atomic_load(&twice), 0);
    ck_assert_int_eq(atomic_load(&in_all), PAIRS * PER_THREAD);
    has_nothing(shared);
    ck_assert_int_eq(uaio_queue_close(shared), 0);
}
END_TEST

struct block {
    struct aiocb cb; /* first */
    atomic_bool taken;
};

static atomic_int accepted, refused, failed;

/* Takes what is over, whosever it is.  False: the queue is closed. */
static bool take_one(void)
{
    const struct timespec patience = {0, 1000000};
    struct aiocb *cb;
    ssize_t n = uaio_waitcomplete(shared, &cb, &patience);

    if (n == 1)
        atomic_store(&((struct block *)(void *)cb)->taken, true);
    else if (n < 0 && errno == EINVAL)
        return false;
    else if (n >= 0 || errno != EAGAIN)
        atomic_fetch_add(&failed, 1);
    return true;
}

/* One after the other until the queue is closed: then none is in progress. */
static void *submit_until_closed(void *argument)
{
    struct block *block = argument;
    char byte;

    for (;;) {
        prep_queued(&block->cb, shared, shared_fd, &byte, 1);
        atomic_store(&block->taken, false);
        if (aio_read(&block->cb) != 0)
            break;
        atomic_fetch_add(&accepted, 1);
        while (!atomic_load(&block->taken) && take_one())
            ;
        if (!atomic_load(&block->taken))
            return NULL;
    }
    if (errno != EINVAL)
        atomic_fetch_add(&failed, 1);
    atomic_fetch_add(&refused, 1);
    return NULL;
}

static void *take_until_closed(void *argument)
{
    while (take_one())
        ;
    return argument;
}

/* "EBUSY": it is as open as before.  Nobody is refused who was not too late. */
START_TEST(closing_races_with_submitting_and_waiting)
{
    static struct block blocks_of[2]; /* whoever has taken one may outlive its submitter */
    const int rounds = SANITIZED ? 500 : 5000;
    pthread_t submitters[2], taker;

    if (_i)
        queue_everything();
    shared_fd = temp_file(1);
    for (int round = 0; round < rounds; round++) {
        int refused_before, result;
        shared = open_queue(NULL);
        atomic_store(&refused, 0);
        for (int i = 0; i < 2; i++)
            start_thread(&submitters[i], submit_until_closed, &blocks_of[i]);
        start_thread(&taker, take_until_closed, NULL);
        do {
            refused_before = atomic_load(&refused);
            result = uaio_queue_close(shared);
            ck_assert(result == 0 || errno == EBUSY);
        } while (result != 0);
        ck_assert_int_eq(refused_before, 0);
        for (int i = 0; i < 2; i++)
            join_thread(submitters[i]);
        join_thread(taker);
        ck_assert_int_eq(atomic_load(&failed), 0);
    }
    ck_assert_int_gt(atomic_load(&accepted), 0);
}
END_TEST

/* A handler takes what the code that it interrupts waits for. */
static atomic_int taken_by_handler;

static void take_in_handler(int signo, siginfo_t *info, void *context)
{
    struct aiocb *cb;
    int saved = errno;

    (void)signo, (void)info, (void)context;
    if (uaio_waitcomplete(shared, &cb, &at_once) == 1)
        atomic_fetch_add(&taken_by_handler, 1);
    errno = saved;
}

START_TEST(handlers_may_take)
{
    struct aiocb cb, *found;
    char byte;
    int by_main = 0, fd = temp_file(1);

    if (_i)
        queue_everything();
    shared = open_queue(NULL);
    handle(SIGALRM, take_in_handler, 0);
    storm_begin(SIGALRM, 50);
    for (int i = 0; i < 2000; i++) {
        prep_queued(&cb, shared, fd, &byte, 1);
        must_read(&cb);
        while (aio_error(&cb) == EINPROGRESS)
            ;
        by_main += uaio_waitcomplete(shared, &found, &at_once) == 1;
    }
    storm_end();
    ck_assert_int_eq(by_main + atomic_load(&taken_by_handler), 2000);
}
END_TEST

Suite *queue_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("queue", 30, &tc);

    tcase_add_loop_test(tc, requests_go_to_their_queue, 0, 2);
    tcase_add_test(tc, waiting_for_one_does_not_take_it);
    tcase_add_loop_test(tc, waitn_gives_out_what_is_over, 0, 2);
    tcase_add_loop_test(tc, waitn_ends_with_the_last, 0, 2);
    tcase_add_loop_test(tc, waitn_gives_out_what_there_is_when_time_is_up, 0, 2);
    tcase_add_test(tc, waitn_checks_its_arguments);
    tcase_add_test(tc, stale_entries_are_passed_over);
    tcase_add_loop_test(tc, a_block_may_go_with_its_last_request, 0, LAST_REQUESTS);
    tcase_add_loop_test(tc, the_descriptor_is_readable_while_something_is_over, 0, 2);
    tcase_add_test(tc, the_descriptor_may_come_late);
    tcase_add_test(tc, a_queue_with_requests_in_progress_is_busy);
    tcase_add_test(tc, there_are_as_many_as_promised);
    tcase_add_loop_test(tc, what_is_no_queue_is_einval, 0, 4);
    tcase_add_test(tc, a_list_has_no_queue_of_its_own);
    tcase_add_test(tc, max_requests_counts_what_is_not_taken);
    tcase_add_test(tc, inline_reads_are_the_queues_own_choice);
    tcase_add_test(tc, helping_is_the_queues_own_choice);
    tcase_add_loop_test(tc, settings_are_checked, 0, 3);
    tcase_add_loop_test(tc, a_child_has_none_of_them, 0, FORK_WAYS_HERE);
    tcase_add_loop_test(tc, threads_submit_and_take, 0, 2);
    tcase_add_loop_test(tc, closing_races_with_submitting_and_waiting, 0, 2);
    tcase_add_loop_test(tc, handlers_may_take, 0, 2);
    return suite;
}

#endif
