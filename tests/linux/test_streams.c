/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes of pipes and sockets that have to wait.  The kernel waits
 * within io_submit: what cannot be tested there is said to be beyond it.
 *
 * A loop test runs once for each of the two kinds (make_stream).
 */
#include "helpers.h"

#include <dirent.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { PIPE, SOCKETS, KINDS };

#define MANY 200
#define LARGE (1 << 20) /* more than a stream takes */

static struct iocb cbs[MANY];
static struct io_event events[MANY];
static char bytes[MANY];
static int ends[2];
static char large[LARGE], back[LARGE];

/* What is written to pair[1] is read from pair[0]. */
static void make_stream(int kind, int pair[2])
{
    if (kind == PIPE)
        make_pipe(pair);
    else
        make_sockets(pair);
}

static void send_pattern(int fd, size_t i)
{
    const unsigned char byte = pattern(i);

    ck_assert_int_eq((int)write(fd, &byte, 1), 1);
}

static void expect_pattern(int fd, size_t i)
{
    char byte;

    ck_assert_int_eq((int)read(fd, &byte, 1), 1);
    ck_assert(is_pattern(&byte, 1, i));
}

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static void submit_read(aio_context_t ctx, size_t i, int fd)
{
    bytes[i] = '?';
    prep_read(&cbs[i], fd, &bytes[i], 1, 0);
    must_submit(ctx, &cbs[i]);
}

/* Fills it with zeros. */
static void fill_up(int fd)
{
    static const char zeros[4096];
    int flags = fcntl(fd, F_GETFL);

    ck_assert_int_eq(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
    for (size_t size = sizeof zeros; size > 0; size /= 2) {
        while (write(fd, zeros, size) > 0)
            ;
        ck_assert_int_eq(errno, EAGAIN);
    }
    ck_assert_int_eq(fcntl(fd, F_SETFL, flags), 0);
}

static void read_fully(int fd, char *to, size_t nbytes)
{
    while (nbytes > 0) {
        ssize_t n = read(fd, to, nbytes);

        ck_assert_int_gt((int)n, 0);
        to += n;
        nbytes -= (size_t)n;
    }
}

/* The next event is that of request i, with this result. */
static void expect_event(aio_context_t ctx, size_t i, int res)
{
    struct io_event event = reap_one(ctx);

    ck_assert(is_event_of(&event, &cbs[i]));
    ck_assert_int_eq((int)event.res, res);
}

/* Reads of files are done, by workers, while everything else in the context waits. */
static void files_go_on(aio_context_t ctx)
{
    static struct iocb reads[50];
    static char found[COUNT(reads)];
    int fd = temp_file(COUNT(reads));

    for (size_t i = 0; i < COUNT(reads); i++) {
        prep_read(&reads[i], fd, &found[i], 1, (int64_t)i);
        must_submit(ctx, &reads[i]);
    }
    for (size_t i = 0; i < COUNT(reads); i++) {
        struct io_event event = reap_one(ctx);

        ck_assert_int_eq((int)event.res, 1);
        ck_assert(event.obj >= as_u64(reads) && event.obj < as_u64(reads + COUNT(reads)));
    }
    ck_assert(is_pattern(found, sizeof found, 0));
    nothing_to_reap(ctx);
}

static void use_few_workers(void)
{
    ck_assert_int_eq(setenv("UAIO_THREADS", "2", 1), 0);
    queue_everything();
}

/* --- waiting --- */

/* "io_submit does not block on I/O", and what waits takes no worker from files: reads. */
START_TEST(waiting_reads_hold_up_nobody)
{
    static int pairs[MANY][2];
    aio_context_t ctx;

    BEYOND_THE_KERNEL();
    use_few_workers();
    ctx = new_context(2 * MANY);
    for (size_t i = 0; i < MANY; i++) {
        make_stream(_i, pairs[i]);
        submit_read(ctx, i, pairs[i][0]);
    }
    files_go_on(ctx);
    for (size_t i = MANY; i-- > 0;) {
        send_pattern(pairs[i][1], i);
        expect_event(ctx, i, 1);
    }
    ck_assert(is_pattern(bytes, MANY, 0));
}
END_TEST

/* The same of writes. */
START_TEST(waiting_writes_hold_up_nobody)
{
    enum { WRITES = 50 };
    static int pairs[WRITES][2];
    aio_context_t ctx;

    BEYOND_THE_KERNEL();
    use_few_workers();
    ctx = new_context(2 * MANY);
    memset(large, 'w', LARGE);
    for (size_t i = 0; i < WRITES; i++) {
        make_stream(_i, pairs[i]);
        prep_write(&cbs[i], pairs[i][1], large, LARGE, 0);
        must_submit(ctx, &cbs[i]);
    }
    files_go_on(ctx);
    for (size_t i = WRITES; i-- > 0;) {
        read_fully(pairs[i][0], back, LARGE);
        ck_assert_mem_eq(back, large, LARGE);
        expect_event(ctx, i, LARGE);
    }
}
END_TEST

static int count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    int n = 0;

    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* And takes one thread, all together. */
START_TEST(waiting_reads_take_one_thread)
{
    enum { READS = 1000 };
    static struct iocb reads[READS];
    static char found[READS];
    static int pairs[READS][2];
    struct rlimit limit;
    int before = count_threads();
    aio_context_t ctx;

    BEYOND_THE_KERNEL();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 4 * READS) /* two each, and what the library needs */
        SKIP("RLIMIT_NOFILE is too low");
    ctx = new_context(READS);
    for (size_t i = 0; i < READS; i++) {
        make_stream(_i, pairs[i]);
        prep_read(&reads[i], pairs[i][0], &found[i], 1, 0);
        must_submit(ctx, &reads[i]);
    }
    ck_assert_int_le(count_threads(), before + 1 + SANITIZED);
    nothing_to_reap(ctx);
    for (size_t i = 0; i < READS; i++)
        send_pattern(pairs[i][1], i);
    reap(ctx, READS, NULL);
    ck_assert(is_pattern(found, READS, 0));
    ck_assert_int_le(count_threads(), before + 1 + SANITIZED);
}
END_TEST

/* "with min_nr == 0 [...] wait for the buffered regular-file requests in flight (never for others)" */
START_TEST(getevents_of_none_does_not_wait_for_a_stream)
{
    struct io_event event;
    aio_context_t ctx = new_context(4);

    BEYOND_THE_KERNEL();
    make_stream(_i, ends);
    submit_read(ctx, 0, ends[0]);
    ck_assert_int_eq(t_getevents(ctx, 0, 1, &event, &long_time), 0);
    send_pattern(ends[1], 0);
    expect_event(ctx, 0, 1);
}
END_TEST

/* "all progress is independent of io_getevents", and an eventfd is told once. */
START_TEST(events_come_without_getevents)
{
    int count = make_eventfd(0);
    aio_context_t ctx = new_context(MANY);

    BEYOND_THE_KERNEL();
    make_stream(_i, ends);
    for (size_t i = 0; i < 20; i++) {
        prep_read(&cbs[i], ends[0], &bytes[i], 1, 0);
        set_resfd(&cbs[i], count);
        must_submit(ctx, &cbs[i]);
    }
    ck_assert_uint_eq(take_count(count), 0);
    for (size_t i = 0; i < 20; i++) {
        send_pattern(ends[1], i);
        await_readable(count);
        ck_assert_uint_eq(take_count(count), 1);
        ck_assert_uint_eq(in_ring(ring_of(ctx)), i + 1);
    }
    ck_assert(is_pattern(bytes, 20, 0));
}
END_TEST

/* --- how much, and in which order --- */

/* Reads of one stream have its bytes in the order of their submission. */
START_TEST(reads_are_in_order)
{
    aio_context_t ctx = new_context(MANY);

    BEYOND_THE_KERNEL();
    make_stream(_i, ends);
    for (size_t i = 0; i < MANY; i++)
        submit_read(ctx, i, ends[0]);
    for (size_t i = 0; i < MANY; i++) {
        send_pattern(ends[1], i);
        expect_event(ctx, i, 1);
    }
    ck_assert(is_pattern(bytes, MANY, 0));
}
END_TEST

static size_t expected_bytes;
static bool received_well;

static void *receive(void *argument)
{
    size_t got = 0;

    received_well = true;
    while (got < expected_bytes) {
        ssize_t n = read(ends[0], back, 8191);

        received_well = received_well && n > 0 && is_pattern(back, (size_t)n, got);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    return argument;
}

/* A write to a blocking stream completes when all is written; several do not mix. */
START_TEST(large_writes_are_whole_and_in_order)
{
    enum { WRITES = 4 };
    struct iovec iov[2];
    pthread_t thread;
    aio_context_t ctx = new_context(WRITES);

    make_stream(_i, ends);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)pattern(i);
    expected_bytes = LARGE;
    start_thread(&thread, receive, NULL);
    for (size_t i = 0; i < WRITES; i++) {
        size_t part = LARGE / WRITES;

        iov[0] = (struct iovec){large + i * part, 10};
        iov[1] = (struct iovec){large + i * part + 10, part - 10};
        if (i % 2 == 0)
            prep_write(&cbs[i], ends[1], large + i * part, part, 0);
        else
            prep_writev(&cbs[i], ends[1], iov, 2, 0);
        must_submit(ctx, &cbs[i]);
        memset(iov, 0xff, sizeof iov);
    }
    for (size_t i = 0; i < WRITES; i++)
        expect_event(ctx, i, LARGE / WRITES);
    join_thread(thread);
    ck_assert(received_well);
}
END_TEST

/* The directions do not hold up each other. */
START_TEST(directions_are_independent)
{
    aio_context_t ctx = new_context(4);

    BEYOND_THE_KERNEL();
    make_sockets(ends);
    submit_read(ctx, 0, ends[0]);
    prep_write(&cbs[1], ends[0], "x", 1, 0);
    must_submit(ctx, &cbs[1]);
    expect_event(ctx, 1, 1);
    nothing_to_reap(ctx);
    memset(large, 'w', LARGE);
    prep_write(&cbs[1], ends[0], large, LARGE, 0);
    must_submit(ctx, &cbs[1]);
    send_pattern(ends[1], 0);
    expect_event(ctx, 0, 1);
    ck_assert(is_pattern(bytes, 1, 0));
    nothing_to_reap(ctx);
    read_fully(ends[1], back, LARGE);
    read_fully(ends[1], back, 1);
    expect_event(ctx, 1, LARGE);
}
END_TEST

/* A read of several segments has what there is, and its iovec was copied. */
START_TEST(a_waiting_readv_scatters)
{
    char one[3] = "??", other[5] = "????";
    struct iovec iov[2] = {{one, 2}, {other, 4}};
    aio_context_t ctx = new_context(4);

    BEYOND_THE_KERNEL();
    make_stream(_i, ends);
    prep_readv(&cbs[0], ends[0], iov, 2, 0);
    must_submit(ctx, &cbs[0]);
    memset(iov, 0xff, sizeof iov);
    ck_assert_int_eq((int)write(ends[1], "abcd", 4), 4);
    expect_event(ctx, 0, 4);
    ck_assert_str_eq(one, "ab");
    ck_assert_str_eq(other, "cd??");
}
END_TEST

/* No bytes are had at once; to write none is nothing. */
START_TEST(no_bytes_are_had_at_once)
{
    struct iocb cb;
    char byte = '?';
    aio_context_t ctx = new_context(4);

    make_stream(_i, ends);
    prep_read(&cb, ends[0], &byte, 0, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 0);
    prep_write(&cb, ends[1], &byte, 0, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 0);
    ck_assert(!is_readable(ends[0]));
    fill_up(ends[1]);
    ck_assert_int_eq((int)perform(ctx, &cb), 0);
}
END_TEST

/* Each read has one message, and an empty one is a message. */
START_TEST(messages_are_kept_apart)
{
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
    struct iocb cb;
    char buf[4];
    aio_context_t ctx = new_context(4);

    ck_assert_int_eq(socketpair(AF_UNIX, types[_i] | SOCK_CLOEXEC, 0, ends), 0);
    prep_write(&cb, ends[1], "too long", 8, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 8);
    prep_write(&cb, ends[1], "", 0, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 0);
    prep_writev(&cb, ends[1], &(struct iovec){buf, 0}, 1, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 0);
    prep_write(&cb, ends[1], "ab", 2, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 2);
    prep_read(&cb, ends[0], buf, sizeof buf, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 4);
    ck_assert_mem_eq(buf, "too ", 4);
    ck_assert_int_eq((int)perform(ctx, &cb), 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 2);
    ck_assert_mem_eq(buf, "ab", 2);
}
END_TEST

/* "with RWF_NOWAIT the event has -EAGAIN where it would block" */
START_TEST(with_rwf_nowait_it_does_not_wait)
{
    struct iocb cb;
    char byte;
    aio_context_t ctx = new_context(4);

    make_stream(_i, ends);
    prep_read(&cb, ends[0], &byte, 1, 0);
    cb.aio_rw_flags = 8; /* RWF_NOWAIT */
    ck_assert_int_eq((int)perform(ctx, &cb), -EAGAIN);
    send_pattern(ends[1], 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    fill_up(ends[1]);
    prep_write(&cb, ends[1], "x", 1, 0);
    cb.aio_rw_flags = 8;
    ck_assert_int_eq((int)perform(ctx, &cb), -EAGAIN);
}
END_TEST

/* --- the end of a stream --- */

START_TEST(end_of_file_completes_reads)
{
    aio_context_t ctx = new_context(4);

    BEYOND_THE_KERNEL();
    make_stream(_i, ends);
    for (size_t i = 0; i < 3; i++)
        submit_read(ctx, i, ends[0]);
    send_pattern(ends[1], 0);
    expect_event(ctx, 0, 1);
    nothing_to_reap(ctx);
    close(ends[1]);
    expect_event(ctx, 1, 0);
    expect_event(ctx, 2, 0);
}
END_TEST

/* "EPIPE [...] as events"; SIGPIPE is not for whoever did not write. */
START_TEST(broken_streams_are_events_and_no_signals)
{
    int error;
    aio_context_t ctx;

    BEYOND_THE_KERNEL();
    ctx = new_context(MANY);
    handle(SIGPIPE, count_signal, 0);
    make_stream(_i, ends);
    fill_up(ends[1]);
    for (size_t i = 0; i < 10; i++) {
        prep_write(&cbs[i], ends[1], "data", 4, 0);
        must_submit(ctx, &cbs[i]);
    }
    nothing_to_reap(ctx);
    close(ends[0]);
    events[0] = reap_one(ctx);
    ck_assert(is_event_of(&events[0], &cbs[0]));
    error = (int)-events[0].res;
    ck_assert(error == EPIPE || error == ECONNRESET); /* there was what nobody will read */
    for (size_t i = 1; i < 10; i++)
        expect_event(ctx, i, -EPIPE);
    for (size_t i = 0; i < 10; i++)
        ck_assert_int_eq((int)perform(ctx, &cbs[i]), -EPIPE);
    ck_assert_int_eq(atomic_load(&signals_seen), 0);
}
END_TEST

/* "The open file is pinned: a close after io_submit does not affect the request." */
START_TEST(the_descriptor_may_be_closed_while_it_waits)
{
    int other[2];
    aio_context_t ctx = new_context(MANY);

    BEYOND_THE_KERNEL();
    handle(SIGPIPE, SIG_IGN, 0);
    make_stream(_i, ends);
    make_stream(_i, other);
    for (size_t i = 0; i < 3; i++)
        submit_read(ctx, i, ends[0]);
    if (_i == 0) {
        close(ends[0]);
    } else { /* another file may take the number */
        ck_assert_int_eq(dup2(other[0], ends[0]), ends[0]);
        send_pattern(other[1], 9);
    }
    nothing_to_reap(ctx);
    for (size_t i = 0; i < 3; i++) {
        send_pattern(ends[1], i);
        expect_event(ctx, i, 1);
    }
    ck_assert(is_pattern(bytes, 3, 0));
    /* Now the file is let go. */
    ck_assert_int_eq((int)write(ends[1], "x", 1), -1);
    ck_assert_int_eq(errno, EPIPE);
}
END_TEST

/* The same of writes, one of which is half done. */
START_TEST(the_descriptor_may_be_closed_while_it_is_written)
{
    aio_context_t ctx = new_context(MANY);

    BEYOND_THE_KERNEL();
    make_stream(_i, ends);
    memset(large, 'w', LARGE);
    prep_write(&cbs[0], ends[1], large, LARGE, 0);
    must_submit(ctx, &cbs[0]);
    prep_write(&cbs[1], ends[1], "x", 1, 0);
    must_submit(ctx, &cbs[1]);
    close(ends[1]);
    read_fully(ends[0], back, LARGE);
    ck_assert_mem_eq(back, large, LARGE);
    expect_event(ctx, 0, LARGE);
    read_fully(ends[0], back, 1);
    ck_assert_int_eq(back[0], 'x');
    expect_event(ctx, 1, 1);
    ck_assert_int_eq((int)read(ends[0], back, 1), 0);
}
END_TEST

/* --- io_cancel --- */

static void must_cancel(aio_context_t ctx, size_t i)
{
    ck_assert_int_eq(t_cancel(ctx, &cbs[i], NULL), -EINPROGRESS);
    expect_event(ctx, i, -ECANCELED);
}

/* "we can also cancel what is still queued": what waits for data, or for its turn. */
START_TEST(waiting_reads_are_cancelled)
{
    aio_context_t ctx = new_context(8);

    BEYOND_THE_KERNEL();
    make_stream(_i, ends);
    for (size_t i = 0; i < 5; i++)
        submit_read(ctx, i, ends[0]);
    must_cancel(ctx, 2);
    must_cancel(ctx, 0);
    must_cancel(ctx, 4);
    ck_assert_int_eq(t_cancel(ctx, &cbs[0], NULL), -EINVAL);
    nothing_to_reap(ctx);
    send_pattern(ends[1], 0);
    expect_event(ctx, 1, 1);
    send_pattern(ends[1], 1);
    expect_event(ctx, 3, 1);
    ck_assert(is_pattern(&bytes[1], 1, 0));
    ck_assert(is_pattern(&bytes[3], 1, 1));
    ck_assert_int_eq(bytes[0], '?');
    send_pattern(ends[1], 2);
    expect_pattern(ends[0], 2);
}
END_TEST

START_TEST(waiting_writes_are_cancelled)
{
    char byte;
    aio_context_t ctx = new_context(8);

    BEYOND_THE_KERNEL();
    make_stream(_i, ends);
    fill_up(ends[1]);
    for (size_t i = 0; i < 4; i++) {
        bytes[i] = (char)('a' + i);
        prep_write(&cbs[i], ends[1], &bytes[i], 1, 0);
        must_submit(ctx, &cbs[i]);
    }
    must_cancel(ctx, 0);
    must_cancel(ctx, 2);
    nothing_to_reap(ctx);
    for (size_t i = 1; i < 4; i += 2) {
        do
            ck_assert_int_eq((int)read(ends[0], &byte, 1), 1);
        while (byte == 0);
        ck_assert_int_eq(byte, bytes[i]);
        expect_event(ctx, i, 1);
    }
    ck_assert(!is_readable(ends[0]));
}
END_TEST

/* One that had begun has the result of what it had done; either answer tells the truth. */
START_TEST(a_write_that_had_begun_has_its_part_as_result)
{
    int result;
    aio_context_t ctx = new_context(8);

    BEYOND_THE_KERNEL();
    make_stream(_i, ends);
    memset(large, 'w', LARGE);
    prep_write(&cbs[0], ends[1], large, LARGE, 0);
    must_submit(ctx, &cbs[0]);
    while (!is_readable(ends[0]))
        sched_yield();
    result = t_cancel(ctx, &cbs[0], NULL);
    ck_assert(result == -EINPROGRESS || result == -EINVAL);
    events[0] = reap_one(ctx);
    ck_assert(is_event_of(&events[0], &cbs[0]));
    ck_assert_int_gt((int)events[0].res, 0);
    ck_assert_int_lt((int)events[0].res, LARGE);
    prep_write(&cbs[1], ends[1], "x", 1, 0);
    must_submit(ctx, &cbs[1]);
    read_fully(ends[0], back, (size_t)events[0].res + 1);
    ck_assert_int_eq(back[events[0].res - 1], 'w');
    ck_assert_int_eq(back[events[0].res], 'x');
    expect_event(ctx, 1, 1);
}
END_TEST

/* "cancels what it can": slots come back, and files are let go. */
START_TEST(cancelling_leaks_nothing)
{
    aio_context_t ctx = new_context(4);

    BEYOND_THE_KERNEL();
    handle(SIGPIPE, SIG_IGN, 0);
    make_stream(_i, ends);
    for (int round = 0; round < 2000; round++) {
        submit_read(ctx, 0, ends[0]);
        submit_read(ctx, 1, ends[0]);
        must_cancel(ctx, (size_t)round % 2);
        must_cancel(ctx, 1 - (size_t)round % 2);
    }
    close(ends[0]);
    ck_assert_int_eq((int)write(ends[1], "x", 1), -1);
    ck_assert_int_eq(errno, EPIPE);
}
END_TEST

#define ROUNDS (SANITIZED ? 500 : 3000)

static sem_t go;
static atomic_bool write_failed;

static void *send_when_told(void *argument)
{
    for (size_t i = 0; i < ROUNDS; i++) {
        const unsigned char byte = pattern(i);

        await(&go);
        if (write(ends[1], &byte, 1) != 1)
            atomic_store(&write_failed, true);
    }
    return argument;
}

/* Cancelled, and its byte still there, or performed: never both, never neither. */
START_TEST(cancelling_races_with_data)
{
    const unsigned seed = (unsigned)now_ns();
    pthread_t thread;
    int cancelled = 0;
    aio_context_t ctx = new_context(4);

    BEYOND_THE_KERNEL();
    printf("cancelling_races_with_data: seed %u\n", seed);
    srand(seed);
    make_stream(_i, ends);
    ck_assert_int_eq(sem_init(&go, 0, 0), 0);
    start_thread(&thread, send_when_told, NULL);
    for (size_t i = 0; i < ROUNDS; i++) {
        int result;

        submit_read(ctx, 0, ends[0]);
        sem_post(&go);
        for (volatile int left = rand() % 200000; left > 0; left--)
            ;
        result = t_cancel(ctx, &cbs[0], NULL);
        ck_assert(result == -EINPROGRESS || result == -EINVAL);
        if (result == -EINPROGRESS) {
            expect_event(ctx, 0, -ECANCELED);
            expect_pattern(ends[0], i);
            ck_assert_int_eq(bytes[0], '?');
            cancelled++;
        } else {
            expect_event(ctx, 0, 1);
            ck_assert(is_pattern(&bytes[0], 1, i));
        }
        nothing_to_reap(ctx);
        ck_assert(!is_readable(ends[0]));
    }
    join_thread(thread);
    ck_assert(!atomic_load(&write_failed));
    printf("cancelling_races_with_data: %d of %d cancelled\n", cancelled, ROUNDS);
}
END_TEST

/* --- io_destroy --- */

/* "cancels what it can [...]; no event, eventfd bump or buffer access after it returns" */
START_TEST(destroy_cancels_what_waits)
{
    int count = make_eventfd(0), other[2];
    uint64_t counted;
    aio_context_t ctx;

    BEYOND_THE_KERNEL();
    if (_i >= KINDS)
        use_few_workers();
    ctx = new_context(MANY);
    make_stream(_i % KINDS, ends);
    make_stream(_i % KINDS, other);
    fill_up(other[1]);
    for (size_t i = 0; i < 40; i++) {
        bytes[i] = '?';
        if (i % 2 == 0)
            prep_read(&cbs[i], ends[0], &bytes[i], 1, 0);
        else
            prep_write(&cbs[i], other[1], &bytes[i], 1, 0);
        set_resfd(&cbs[i], count);
        must_submit(ctx, &cbs[i]);
    }
    must_destroy(ctx);
    counted = take_count(count);
    ck_assert_uint_le(counted, 40);
    for (size_t i = 0; i < 40; i++)
        ck_assert_int_eq(bytes[i], '?');
    /* The data are for others, and nothing is added to what was there. */
    for (size_t i = 0; i < 40; i++)
        send_pattern(ends[1], i);
    for (size_t i = 0; i < 40; i++)
        expect_pattern(ends[0], i);
    while (is_readable(other[0])) {
        ck_assert_int_eq((int)read(other[0], back, 1), 1);
        ck_assert_int_eq(back[0], 0);
    }
    ck_assert_uint_eq(take_count(count), 0);
    for (size_t i = 0; i < 40; i++)
        ck_assert_int_eq(bytes[i], '?');
}
END_TEST

/* A write that has begun is over, too: no byte more is written. */
START_TEST(destroy_ends_a_write_that_had_begun)
{
    int there;
    aio_context_t ctx = new_context(4);

    BEYOND_THE_KERNEL();
    make_stream(_i, ends);
    prep_write(&cbs[0], ends[1], large, LARGE, 0);
    must_submit(ctx, &cbs[0]);
    while (!is_readable(ends[0]))
        sched_yield();
    must_destroy(ctx);
    ck_assert_int_eq(ioctl(ends[0], FIONREAD, &there), 0);
    ck_assert_int_gt(there, 0);
    ck_assert_int_lt(there, LARGE);
    read_fully(ends[0], back, (size_t)there);
    close(ends[1]); /* the last one: it is let go */
    ck_assert_int_eq((int)read(ends[0], back, 1), 0);
}
END_TEST

/* What was a file when it was written to last may be a stream now, whoever saw it. */
START_TEST(a_number_may_become_a_streams)
{
    struct iocb cb;
    char found_bytes[4];
    aio_context_t ctx = new_context(4);

    for (int round = 0; round < 20; round++) {
        int fd = temp_file(64), pipe_ends[2];
        for (int i = 0; i < round % 4; i++) {
            prep_write(&cb, fd, "file", 4, i);
            ck_assert_int_eq((int)perform(ctx, &cb), 4);
        }
        make_pipe(pipe_ends);
        ck_assert_int_eq((int)syscall(SYS_dup3, pipe_ends[1], fd, 0), fd);
        prep_write(&cb, fd, "pipe", 4, 0);
        ck_assert_int_eq((int)perform(ctx, &cb), 4);
        ck_assert_int_eq((int)syscall(SYS_dup3, pipe_ends[0], fd, 0), fd);
        prep_read(&cb, fd, found_bytes, 4, 0);
        ck_assert_int_eq((int)perform(ctx, &cb), 4);
        ck_assert_int_eq(memcmp(found_bytes, "pipe", 4), 0);
        close(fd);
        close(pipe_ends[0]);
        close(pipe_ends[1]);
    }
    must_destroy(ctx);
}
END_TEST

Suite *streams_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("streams", 60, &tc);

    tcase_add_test(tc, a_number_may_become_a_streams);
    tcase_add_loop_test(tc, waiting_reads_hold_up_nobody, 0, KINDS);
    tcase_add_loop_test(tc, waiting_writes_hold_up_nobody, 0, KINDS);
    tcase_add_loop_test(tc, waiting_reads_take_one_thread, 0, KINDS);
    tcase_add_loop_test(tc, getevents_of_none_does_not_wait_for_a_stream, 0, KINDS);
    tcase_add_loop_test(tc, events_come_without_getevents, 0, KINDS);
    tcase_add_loop_test(tc, reads_are_in_order, 0, KINDS);
    tcase_add_loop_test(tc, large_writes_are_whole_and_in_order, 0, KINDS);
    tcase_add_test(tc, directions_are_independent);
    tcase_add_loop_test(tc, a_waiting_readv_scatters, 0, KINDS);
    tcase_add_loop_test(tc, no_bytes_are_had_at_once, 0, KINDS);
    tcase_add_loop_test(tc, messages_are_kept_apart, 0, 2);
    tcase_add_loop_test(tc, with_rwf_nowait_it_does_not_wait, 0, KINDS);
    tcase_add_loop_test(tc, end_of_file_completes_reads, 0, KINDS);
    tcase_add_loop_test(tc, broken_streams_are_events_and_no_signals, 0, KINDS);
    tcase_add_loop_test(tc, the_descriptor_may_be_closed_while_it_waits, 0, KINDS);
    tcase_add_loop_test(tc, the_descriptor_may_be_closed_while_it_is_written, 0, KINDS);
    tcase_add_loop_test(tc, waiting_reads_are_cancelled, 0, KINDS);
    tcase_add_loop_test(tc, waiting_writes_are_cancelled, 0, KINDS);
    tcase_add_loop_test(tc, a_write_that_had_begun_has_its_part_as_result, 0, KINDS);
    tcase_add_loop_test(tc, cancelling_leaks_nothing, 0, KINDS);
    tcase_add_loop_test(tc, cancelling_races_with_data, 0, KINDS);
    tcase_add_loop_test(tc, destroy_cancels_what_waits, 0, 2 * KINDS);
    tcase_add_loop_test(tc, destroy_ends_a_write_that_had_begun, 0, KINDS);
    return suite;
}
