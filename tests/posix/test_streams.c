/* SPDX-License-Identifier: MIT */
/*
 * Requests of what has no positions: pipes, FIFOs, sockets, terminals,
 * eventfds and timerfds.  How they end is in test_stream_ends.c, cancelling them
 * in test_cancel.c.
 *
 * A loop test that is about streams in general runs once for each kind; its
 * number (_i) is the kind (enum stream).
 *
 * That a request waits is shown as in test_order.c: others are given every
 * chance to run it, and it must still be in progress.
 */
#include "helpers.h"

#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <termios.h>

#define MANY 200

static struct aiocb cbs[MANY];
static char bytes[MANY];
static int streams[MANY][2];
static char large[LARGE], back[LARGE];

/* Asserts that the first n requests have the first n bytes of the pattern. */
static void finish_reads_of_pattern(size_t n)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
    ck_assert(is_pattern(bytes, n, 0));
}

static void read_one_byte(size_t i, int fd)
{
    bytes[i] = 0;
    prep(&cbs[i], fd, &bytes[i], 1, 0);
    must_read(&cbs[i]);
}

/* --- waiting, and what it costs others --- */

/* "Blocking descriptors never take workers from files." */
START_TEST(waiting_reads_take_no_worker)
{
    queue_everything();
    use_workers(2);
    for (size_t i = 0; i < MANY; i++) {
        MAKE_STREAM(_i, streams[i]);
        read_one_byte(i, streams[i][0]);
    }
    let_others_run();
    /* The last first, for there is no order among descriptors. */
    for (size_t i = MANY; i-- > 0;) {
        is_waiting(&cbs[i]);
        send_pattern(streams[i][1], i);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    ck_assert(is_pattern(bytes, MANY, 0));
}
END_TEST

START_TEST(waiting_writes_take_no_worker)
{
    enum { WRITES = 50 };
    ssize_t nbytes[WRITES];

    queue_everything();
    use_workers(2);
    for (size_t i = 0; i < WRITES; i++) {
        MAKE_STREAM(_i, streams[i]);
        nbytes[i] = prep_waiting_write(_i, streams[i][1], &cbs[i]);
        must_write(&cbs[i]);
    }
    let_others_run();
    for (size_t i = WRITES; i-- > 0;) {
        is_waiting(&cbs[i]);
        receive_waiting_write(_i, streams[i][0], nbytes[i]);
        ck_assert_int_eq(finish(&cbs[i]), nbytes[i]);
    }
}
END_TEST

/* Nor do streams wait for workers: those may all be stuck in files. */
START_TEST(a_stream_goes_on_though_the_only_worker_is_stuck)
{
    static struct gate gate;
    struct aiocb slow;

    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    MAKE_STREAM(_i, streams[0]);
    occupy_worker(&gate, 0, &slow);
    for (size_t i = 0; i < MANY; i++) {
        read_one_byte(0, streams[0][0]);
        is_waiting(&cbs[0]);
        send_pattern(streams[0][1], 0);
        finish_reads_of_pattern(1);
    }
    is_waiting(&slow);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
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

/* How many descriptors the process may have; asks for `wanted`. */
static size_t raise_descriptor_limit(size_t wanted)
{
    struct rlimit limit = {wanted, wanted};

    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = limit.rlim_max;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    return (size_t)limit.rlim_cur;
}

#define CROWD 10000

static struct aiocb crowd[CROWD];
static char crowd_bytes[CROWD];
static struct sockaddr_un crowd_addresses[CROWD];
static socklen_t crowd_lengths[CROWD];

/* A socket with an address that the kernel finds: one sender can reach all of them. */
static int make_receiver(size_t i)
{
    struct sockaddr *address = (struct sockaddr *)&crowd_addresses[i];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    address->sa_family = AF_UNIX;
    crowd_lengths[i] = sizeof crowd_addresses[i];
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, address, sizeof address->sa_family), 0);
    ck_assert_int_eq(getsockname(fd, address, &crowd_lengths[i]), 0);
    return fd;
}

/* "ten thousand pending socket reads cost one thread": of as many sockets, or of one. */
START_TEST(ten_thousand_waiting_reads_take_one_thread)
{
    const bool one = _i > 0;
    size_t n = one ? CROWD : raise_descriptor_limit(CROWD + 200) - 200;
    int before = count_threads(), fd = -1, sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(sender, 0);
    if (n < CROWD)
        printf("ten_thousand_waiting_reads_take_one_thread: only %zu: RLIMIT_NOFILE\n", n);
    else
        n = CROWD;
    for (size_t i = 0; i < n; i++) {
        if (!one || i == 0)
            fd = make_receiver(i);
        prep(&crowd[i], fd, &crowd_bytes[i], 1, 0);
        must_read(&crowd[i]);
    }
    ck_assert_int_le(count_threads(), before + 1 + SANITIZED); /* the sanitizer may have one */
    for (size_t i = 0; i < n; i++) {
        const size_t to = one ? 0 : i;
        const unsigned char byte = pattern(i);

        is_waiting(&crowd[i]);
        ck_assert_int_eq(
            sendto(sender, &byte, 1, 0, (struct sockaddr *)&crowd_addresses[to], crowd_lengths[to]),
            1);
        if (i % 1000 == 0)
            ck_assert_int_eq(wait_done(&crowd[i]), 0);
    }
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(finish(&crowd[i]), 1);
    ck_assert(is_pattern(crowd_bytes, n, 0));
    ck_assert_int_le(count_threads(), before + 1 + SANITIZED); /* the sanitizer may have one */
}
END_TEST

/* --- how much, and in which order --- */

/* A read completes with what is there, as read() does. */
START_TEST(a_read_completes_with_what_is_there)
{
    char buf[100];
    struct aiocb cb;

    MAKE_STREAM(_i, streams[0]);
    for (int waits = 0; waits <= 1; waits++) {
        memset(buf, 0, sizeof buf);
        prep(&cb, streams[0][0], buf, sizeof buf, 0);
        if (waits)
            must_read(&cb);
        ck_assert_int_eq(write(streams[0][1], "data", 4), 4);
        if (!waits) {
            while (!is_readable(streams[0][0]))
                ;
            must_read(&cb);
        }
        ck_assert_int_eq(finish(&cb), 4);
        ck_assert_mem_eq(buf, "data\0", 5);
    }
}
END_TEST

/* "Non-seekable: call order per direction" */
START_TEST(reads_are_in_call_order)
{
    MAKE_STREAM(_i, streams[0]);
    for (size_t i = 0; i < MANY; i++)
        read_one_byte(i, streams[0][0]);
    let_others_run();
    for (size_t i = 0; i < MANY; i++) {
        is_waiting(&cbs[i]);
        send_pattern(streams[0][1], i);
        if (i % 7 == 0)
            ck_assert_int_eq(wait_done(&cbs[i]), 0);
    }
    finish_reads_of_pattern(MANY);
}
END_TEST

/* The same of writes, where the one that has its turn waits. */
START_TEST(writes_are_in_call_order)
{
    struct aiocb first;
    ssize_t nbytes;

    MAKE_STREAM(_i, streams[0]);
    nbytes = prep_waiting_write(_i, streams[0][1], &first);
    must_write(&first);
    for (size_t i = 0; i < MANY; i++) {
        bytes[i] = (char)pattern(i);
        prep(&cbs[i], streams[0][1], &bytes[i], 1, 0);
        must_write(&cbs[i]);
    }
    let_others_run();
    is_waiting(&first);
    receive_waiting_write(_i, streams[0][0], nbytes);
    for (size_t i = 0; i < MANY; i++) {
        char byte;

        ck_assert_int_eq(read(streams[0][0], &byte, 1), 1);
        ck_assert(is_pattern(&byte, 1, i));
    }
    ck_assert_int_eq(finish(&first), nbytes);
    for (size_t i = 0; i < MANY; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
}
END_TEST

/* Blocking writes complete when all is written, and do not mix with each other. */
START_TEST(large_writes_are_whole_and_do_not_mix)
{
    enum { WRITES = 4, PIECE = 8191 };
    static char data[WRITES][LARGE];

    MAKE_STREAM(_i, streams[0]);
    for (size_t i = 0; i < WRITES; i++) {
        memset(data[i], 'a' + (int)i, LARGE);
        prep(&cbs[i], streams[0][1], data[i], LARGE, 0);
        must_write(&cbs[i]);
    }
    let_others_run();
    for (size_t i = 0; i < WRITES; i++) {
        for (size_t done = 0, n; done < LARGE; done += n) {
            is_waiting(&cbs[WRITES - 1]);
            n = LARGE - done < PIECE ? LARGE - done : PIECE;
            read_fully(streams[0][0], back, n);
            ck_assert_mem_eq(back, data[i], n);
            if (i == WRITES - 1 && done > LARGE / 2)
                break; /* it may have been written by now */
        }
        if (i < WRITES - 1)
            ck_assert_int_eq(finish(&cbs[i]), LARGE);
    }
    while (aio_error(&cbs[WRITES - 1]) == EINPROGRESS) {
        if (is_readable(streams[0][0]))
            ck_assert_int_gt(read(streams[0][0], back, PIECE), 0);
    }
    ck_assert_int_eq(finish(&cbs[WRITES - 1]), LARGE);
}
END_TEST

/* "the two directions [are] independent": a waiting read holds up no write. */
START_TEST(a_waiting_read_holds_up_no_write)
{
    int mine, other;

    MAKE_STREAM(_i, streams[0]);
    mine = streams[0][0];
    other = streams[0][1];
    read_one_byte(0, mine);
    for (size_t i = 1; i < MANY; i++) {
        char byte;

        bytes[i] = (char)pattern(i);
        prep(&cbs[i], mine, &bytes[i], 1, 0);
        must_write(&cbs[i]);
        ck_assert_int_eq(finish(&cbs[i]), 1);
        read_fully(other, &byte, 1);
        ck_assert(is_pattern(&byte, 1, i));
    }
    is_waiting(&cbs[0]);
    send_pattern(other, 0);
    finish_reads_of_pattern(1);
}
END_TEST

/* And the other way round. */
START_TEST(a_waiting_write_holds_up_no_read)
{
    struct aiocb writing;
    int mine, other;
    ssize_t nbytes;

    MAKE_STREAM(_i, streams[0]);
    mine = streams[0][0];
    other = streams[0][1];
    nbytes = prep_waiting_write(_i, mine, &writing);
    must_write(&writing);
    for (size_t i = 0; i < MANY; i++) {
        read_one_byte(i, mine);
        send_pattern(other, i);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    ck_assert(is_pattern(bytes, MANY, 0));
    is_waiting(&writing);
    receive_waiting_write(_i, other, nbytes);
    ck_assert_int_eq(finish(&writing), nbytes);
}
END_TEST

/* Both wait, and readiness for the one does not complete the other. */
START_TEST(both_directions_may_wait_at_once)
{
    struct aiocb writing;
    ssize_t nbytes;

    MAKE_STREAM(_i, streams[0]);
    nbytes = prep_waiting_write(_i, streams[0][0], &writing);
    read_one_byte(0, streams[0][0]);
    must_write(&writing);
    let_others_run();
    is_waiting(&cbs[0]);
    is_waiting(&writing);
    receive_waiting_write(_i, streams[0][1], nbytes);
    ck_assert_int_eq(finish(&writing), nbytes);
    is_waiting(&cbs[0]);
    send_pattern(streams[0][1], 0);
    finish_reads_of_pattern(1);
}
END_TEST

/* Two descriptors of one file: each has its order, and each byte is had once. */
START_TEST(reads_of_two_descriptors_of_one_file)
{
    bool had[MANY] = {false};

    MAKE_STREAM(_i, streams[0]);
    streams[1][0] = dup(streams[0][0]);
    ck_assert_int_ge(streams[1][0], 0);
    for (size_t i = 0; i < MANY; i++)
        read_one_byte(i, streams[i % 2][0]);
    let_others_run();
    for (size_t i = 0; i < MANY; i++) {
        const unsigned char byte = (unsigned char)i;

        ck_assert_int_eq(write(streams[0][1], &byte, 1), 1);
    }
    for (size_t i = 0; i < MANY; i++) {
        unsigned byte;

        ck_assert_int_eq(wait_done(&cbs[i]), 0);
        byte = (unsigned char)bytes[i];
        ck_assert_uint_lt(byte, MANY);
        ck_assert(!had[byte]);
        had[byte] = true;
        if (i >= 2)
            ck_assert_uint_gt(byte, (unsigned char)bytes[i - 2]);
    }
}
END_TEST

/* --- O_NONBLOCK --- */

/* "non-blocking EAGAIN": in its turn one attempt decides. */
START_TEST(a_nonblocking_read_fails_with_eagain)
{
    struct aiocb cb;
    char byte = 0;

    MAKE_STREAM(_i, streams[0]);
    set_nonblocking(streams[0][0], true);
    prep(&cb, streams[0][0], &byte, 1, 0);
    must_read(&cb);
    finish_with(&cb, EAGAIN);
    send_pattern(streams[0][1], 0);
    while (!is_readable(streams[0][0]))
        ;
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 1);
    ck_assert(is_pattern(&byte, 1, 0));
    must_read(&cb);
    finish_with(&cb, EAGAIN);
}
END_TEST

/* The count of a write tells how much of it there was room for. */
START_TEST(a_nonblocking_write_is_partial_or_fails_with_eagain)
{
    struct aiocb cb;
    size_t total = 0, got = 0;
    int error = 0;

    MAKE_STREAM(_i, streams[0]);
    set_nonblocking(streams[0][1], true);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)pattern(i);
    /* Several times, for room may be made behind the buffer. */
    while (error == 0) {
        prep(&cb, streams[0][1], large + total, LARGE - total, 0);
        must_write(&cb);
        error = wait_done(&cb);
        if (error == 0) {
            ssize_t n = aio_return(&cb);

            ck_assert_int_gt(n, 0);
            total += (size_t)n;
            ck_assert_uint_lt(total, LARGE);
        }
    }
    finish_with(&cb, EAGAIN);
    ck_assert_uint_gt(total, 0);
    for (ssize_t n; got < total; got += (size_t)n) {
        n = read(streams[0][0], back + got, LARGE - got);
        ck_assert_int_gt(n, 0);
    }
    ck_assert_uint_eq(got, total);
    ck_assert(is_pattern(back, got, 0));
}
END_TEST

START_TEST(a_nonblocking_message_that_does_not_fit_fails_with_eagain)
{
    struct aiocb cb;

    MAKE_STREAM(_i, streams[0]);
    fill_up(streams[0][1]);
    set_nonblocking(streams[0][1], true);
    prep(&cb, streams[0][1], "message", 7, 0);
    must_write(&cb);
    finish_with(&cb, EAGAIN);
}
END_TEST

/* "O_NONBLOCK descriptor (as at submission)": who had to wait goes on waiting. */
START_TEST(nonblocking_mode_is_that_of_the_call)
{
    struct aiocb writing;
    ssize_t nbytes = 0;

    MAKE_STREAM(_i, streams[0]);
    if (_i >= STREAM_UNIX && _i < STREAMS_THAT_FILL) {
        nbytes = prep_waiting_write(_i, streams[0][0], &writing);
        must_write(&writing);
    }
    read_one_byte(0, streams[0][0]);
    set_nonblocking(streams[0][0], true);
    let_others_run();
    is_waiting(&cbs[0]);
    send_pattern(streams[0][1], 0);
    finish_reads_of_pattern(1);
    if (nbytes > 0) {
        is_waiting(&writing);
        receive_waiting_write(_i, streams[0][1], nbytes);
        ck_assert_int_eq(finish(&writing), nbytes);
    }
}
END_TEST

/* "in its turn": behind one that waits, a non-blocking one does not fail at once. */
START_TEST(a_nonblocking_read_waits_for_its_turn)
{
    MAKE_STREAM(_i, streams[0]);
    read_one_byte(0, streams[0][0]);
    set_nonblocking(streams[0][0], true);
    read_one_byte(1, streams[0][0]);
    read_one_byte(2, streams[0][0]);
    let_others_run();
    for (size_t i = 0; i < 3; i++)
        is_waiting(&cbs[i]);
    send_pattern(streams[0][1], 0);
    finish_reads_of_pattern(1);
    finish_with(&cbs[1], EAGAIN);
    finish_with(&cbs[2], EAGAIN);
}
END_TEST

/* --- another reader --- */

/* Takes a byte that the library may want, too; false if there is none. */
static bool steal(int kind, int fd, char *byte)
{
    ssize_t n;

    if (kind == STREAM_PIPE || kind == STREAM_FIFO)
        n = read(fd, byte, 1); /* fd is an open of its own, non-blocking */
    else
        n = recv(fd, byte, 1, MSG_DONTWAIT);
    return n == 1;
}

static int thiefs_descriptor(int kind, int fd)
{
    if (kind == STREAM_PIPE || kind == STREAM_FIFO)
        return reopen(fd, O_RDONLY | O_NONBLOCK);
    return dup(fd);
}

/*
 * "another reader may have been faster": the request goes on waiting, and
 * stays cancellable.  Each byte is had once.
 */
START_TEST(who_was_robbed_waits_on)
{
    enum { ROUNDS = 5000 };
    int fd, stolen = 0;

    queue_everything();
    use_workers(1);
    MAKE_STREAM(_i, streams[0]);
    fd = thiefs_descriptor(_i, streams[0][0]);
    read_one_byte(0, streams[0][0]);
    for (size_t i = 0; i < ROUNDS; i++) {
        char byte;

        send_pattern(streams[0][1], i);
        if (steal(_i, fd, &byte)) {
            stolen++;
            ck_assert(is_pattern(&byte, 1, i));
            is_waiting(&cbs[0]);
            if (stolen % 8 == 0) {
                ck_assert_int_eq(aio_cancel(streams[0][0], &cbs[0]), AIO_CANCELED);
                finish_with(&cbs[0], ECANCELED);
                read_one_byte(0, streams[0][0]);
            }
        } else {
            ck_assert_int_eq(finish(&cbs[0]), 1);
            ck_assert(is_pattern(bytes, 1, i));
            read_one_byte(0, streams[0][0]);
        }
    }
    let_others_run();
    is_waiting(&cbs[0]);
    send_pattern(streams[0][1], 0);
    finish_reads_of_pattern(1);
    printf("who_was_robbed_waits_on: %d of %d stolen\n", stolen, ROUNDS);
}
END_TEST

static int thief_kind, thief_fd;
static atomic_bool thief_may_go;
static atomic_int sum_of_the_stolen;

static void *steal_all(void *argument)
{
    while (!atomic_load(&thief_may_go)) {
        char byte;

        if (steal(thief_kind, thief_fd, &byte))
            atomic_fetch_add(&sum_of_the_stolen, (unsigned char)byte);
    }
    return argument;
}

/* The same with a thief at work all the time, and many requests. */
START_TEST(a_thief_and_many_requests_share_the_bytes)
{
    enum { SENT = 20000 };
    pthread_t thief;
    int sum = 0;

    queue_everything();
    use_workers(1);
    MAKE_STREAM(_i, streams[0]);
    thief_kind = _i;
    thief_fd = thiefs_descriptor(_i, streams[0][0]);
    for (size_t i = 0; i < MANY; i++)
        read_one_byte(i, streams[0][0]);
    start_thread(&thief, steal_all, NULL);
    for (size_t i = 0; i < SENT; i++) {
        send_pattern(streams[0][1], i);
        sum += pattern(i);
    }
    let_others_run(); /* no worker waits in a read that was robbed */
    while (is_readable(streams[0][0]))
        ;
    atomic_store(&thief_may_go, true);
    join_thread(thief);
    for (size_t i = 0; i < MANY; i++) {
        if (aio_cancel(streams[0][0], &cbs[i]) != AIO_CANCELED) {
            ck_assert_int_eq(finish(&cbs[i]), 1);
            sum -= (unsigned char)bytes[i];
        }
    }
    ck_assert_int_eq(sum, atomic_load(&sum_of_the_stolen));
}
END_TEST

/* --- nothing, and messages --- */

/* A read of no bytes takes none and does not wait for any; but for its turn it does. */
START_TEST(a_read_of_0_bytes_gives_0)
{
    struct aiocb cb;
    char byte = '?';

    MAKE_STREAM(_i, streams[0]);
    prep(&cb, streams[0][0], &byte, 0, 0);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 0);
    read_one_byte(0, streams[0][0]);
    must_read(&cb);
    let_others_run();
    is_waiting(&cb);
    send_pattern(streams[0][1], 0);
    finish_reads_of_pattern(1);
    ck_assert_int_eq(finish(&cb), 0);
    ck_assert_int_eq(byte, '?');
    send_pattern(streams[0][1], 0);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 0);
    read_one_byte(0, streams[0][0]);
    finish_reads_of_pattern(1);
}
END_TEST

/* A write of no bytes to a stream of them is nothing, even if that is full. */
START_TEST(a_write_of_0_bytes_gives_0)
{
    struct aiocb cb;

    MAKE_STREAM(_i, streams[0]);
    prep(&cb, streams[0][1], "", 0, 0);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 0);
    ck_assert(!is_readable(streams[0][0]));
    if (stays_full(_i)) {
        fill_up(streams[0][1]);
        must_write(&cb);
        ck_assert_int_eq(finish(&cb), 0);
    }
}
END_TEST

/* A message of no bytes is one. */
START_TEST(an_empty_message_is_a_message)
{
    struct aiocb cb;
    char buf[10];

    MAKE_STREAM(_i, streams[0]);
    read_one_byte(0, streams[0][0]);
    read_one_byte(1, streams[0][0]);
    prep(&cb, streams[0][1], "", 0, 0);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 0);
    ck_assert_int_eq(finish(&cbs[0]), 0);
    is_waiting(&cbs[1]);
    send_pattern(streams[0][1], 1);
    ck_assert_int_eq(finish(&cbs[1]), 1);
    ck_assert(is_pattern(&bytes[1], 1, 1));
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 0);
    ck_assert_int_eq(read(streams[0][0], buf, sizeof buf), 0);
}
END_TEST

/* Each read takes one message, and what does not fit into its buffer is gone. */
START_TEST(each_read_takes_one_message)
{
    static char bufs[20][16];
    const char message[] = "0123456789abcdefghij";

    MAKE_STREAM(_i, streams[0]);
    for (size_t i = 0; i < COUNT(bufs); i++) {
        prep(&cbs[i], streams[0][0], bufs[i], sizeof bufs[i], 0);
        must_read(&cbs[i]);
    }
    for (size_t i = 0; i < COUNT(bufs); i++) {
        prep(&cbs[100 + i], streams[0][1], message, i + 1, 0);
        must_write(&cbs[100 + i]);
    }
    for (size_t i = 0; i < COUNT(bufs); i++) {
        size_t fits = i + 1 < sizeof bufs[i] ? i + 1 : sizeof bufs[i];

        ck_assert_int_eq(finish(&cbs[100 + i]), (ssize_t)i + 1);
        ck_assert_int_eq(finish(&cbs[i]), (ssize_t)fits);
        ck_assert_mem_eq(bufs[i], message, fits);
    }
}
END_TEST

START_TEST(a_message_that_can_never_fit_is_emsgsize)
{
    struct aiocb cb;

    MAKE_STREAM(_i, streams[0]);
    prep(&cb, streams[0][1], large, LARGE, 0);
    must_write(&cb);
    finish_with(&cb, EMSGSIZE);
}
END_TEST

/* --- eventfd and timerfd --- */

static uint64_t counts[4];

static void read_count(size_t i, int fd)
{
    counts[i] = 0;
    prep(&cbs[i], fd, &counts[i], sizeof counts[i], 0);
    must_read(&cbs[i]);
}

static void finish_count(size_t i, uint64_t expected)
{
    ck_assert_int_eq(finish(&cbs[i]), sizeof counts[i]);
    ck_assert_uint_eq(counts[i], expected);
}

static int make_eventfd(uint64_t value, int flags)
{
    int fd = eventfd(0, EFD_CLOEXEC | flags);

    ck_assert_int_ge(fd, 0);
    if (value > 0)
        ck_assert_int_eq(write(fd, &value, sizeof value), sizeof value);
    return fd;
}

START_TEST(a_read_of_an_eventfd_waits_for_the_count)
{
    const uint64_t five = 5;
    struct aiocb writing;
    int fd = make_eventfd(0, 0);

    read_count(0, fd);
    read_count(1, fd);
    let_others_run();
    is_waiting(&cbs[0]);
    prep(&writing, fd, &five, sizeof five, 0);
    must_write(&writing);
    ck_assert_int_eq(finish(&writing), sizeof five);
    finish_count(0, 5);
    let_others_run();
    is_waiting(&cbs[1]);
    must_write(&writing);
    ck_assert_int_eq(finish(&writing), sizeof five);
    finish_count(1, 5);
    fd = make_eventfd(2, EFD_SEMAPHORE);
    for (size_t i = 0; i < 3; i++)
        read_count(i, fd);
    finish_count(0, 1);
    finish_count(1, 1);
    let_others_run();
    is_waiting(&cbs[2]);
    ck_assert_int_eq(write(fd, &five, sizeof five), sizeof five);
    finish_count(2, 1);
}
END_TEST

/* poll() speaks of room for 1: it is there, but not enough, if the count is one less. */
START_TEST(a_write_of_an_eventfd_waits_for_room)
{
    const uint64_t most = UINT64_MAX - 1 - (uint64_t)_i, two = 2;
    struct aiocb writing;
    uint64_t value;
    int fd = make_eventfd(most, 0);

    prep(&writing, fd, &two, sizeof two, 0);
    must_write(&writing);
    let_others_run();
    is_waiting(&writing);
    ck_assert_int_eq(read(fd, &value, sizeof value), sizeof value);
    ck_assert_uint_eq(value, most);
    ck_assert_int_eq(finish(&writing), sizeof two);
    ck_assert_int_eq(read(fd, &value, sizeof value), sizeof value);
    ck_assert_uint_eq(value, 2);
}
END_TEST

/* What read() and write() say, at once. */
START_TEST(eventfd_errors)
{
    const uint64_t too_much = UINT64_MAX;
    struct aiocb cb;
    int fd;

    if (PORTABLE)
        SKIP("an eventfd is left alone until it is ready");
    fd = make_eventfd(0, 0);
    prep(&cb, fd, &counts[0], 4, 0);
    must_read(&cb);
    finish_with(&cb, EINVAL);
    prep(&cb, fd, &too_much, sizeof too_much, 0);
    must_write(&cb);
    finish_with(&cb, EINVAL);
    set_nonblocking(fd, true);
    read_count(0, fd);
    finish_with(&cbs[0], EAGAIN);
}
END_TEST

START_TEST(a_read_of_a_timerfd_waits_for_the_time)
{
    const struct itimerspec soon = {.it_interval = {0, 1000}, .it_value = {0, 1}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    for (size_t i = 0; i < COUNT(counts); i++)
        read_count(i, fd);
    let_others_run();
    is_waiting(&cbs[0]);
    ck_assert_int_eq(timerfd_settime(fd, 0, &soon, NULL), 0);
    for (size_t i = 0; i < COUNT(counts); i++) {
        ck_assert_int_eq(finish(&cbs[i]), sizeof counts[i]);
        ck_assert_uint_ge(counts[i], 1);
    }
}
END_TEST

/* --- being told --- */

/* "Each request notifies exactly once, after its status is visible." */
START_TEST(a_waiting_read_sends_its_signal)
{
    siginfo_t info;

    block_signal(SIGRTMIN);
    MAKE_STREAM(_i, streams[0]);
    for (size_t i = 0; i < 20; i++) {
        prep(&cbs[i], streams[0][0], &bytes[i], 1, 0);
        notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, &cbs[i]);
        must_read(&cbs[i]);
    }
    let_others_run();
    for (size_t i = 0; i < 20; i++) {
        ck_assert(!is_pending(SIGRTMIN));
        send_pattern(streams[0][1], i);
        take_signal(SIGRTMIN, &info);
        ck_assert_int_eq(info.si_code, SI_ASYNCIO);
        ck_assert_ptr_eq(info.si_value.sival_ptr, &cbs[i]);
        ck_assert_int_eq(aio_error(&cbs[i]), 0);
    }
    finish_reads_of_pattern(20);
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

START_TEST(a_waiting_write_sends_its_signal)
{
    siginfo_t info;
    ssize_t nbytes;

    block_signal(SIGRTMIN);
    MAKE_STREAM(_i, streams[0]);
    nbytes = prep_waiting_write(_i, streams[0][1], &cbs[0]);
    notify_by_signal(&cbs[0].aio_sigevent, SIGRTMIN, &cbs[0]);
    must_write(&cbs[0]);
    let_others_run();
    ck_assert(!is_pending(SIGRTMIN));
    receive_waiting_write(_i, streams[0][0], nbytes);
    take_signal(SIGRTMIN, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, &cbs[0]);
    ck_assert_int_eq(finish(&cbs[0]), nbytes);
}
END_TEST

static struct aiocb echoed;
static char echo_buf[64];
static sem_t echo_ended;
static atomic_bool echo_failed;

static void echo_read(union sigval value);

static void echo_written(union sigval value)
{
    struct aiocb *cb = value.sival_ptr;

    if (aio_error(cb) != 0 || aio_return(cb) != (ssize_t)cb->aio_nbytes)
        atomic_store(&echo_failed, true);
    cb->aio_nbytes = sizeof echo_buf;
    cb->aio_sigevent.sigev_notify_function = echo_read;
    if (aio_read(cb) != 0)
        atomic_store(&echo_failed, true);
}

static void echo_read(union sigval value)
{
    struct aiocb *cb = value.sival_ptr;
    ssize_t n = aio_error(cb) == 0 ? aio_return(cb) : -1;

    if (n <= 0) {
        if (n < 0)
            atomic_store(&echo_failed, true);
        sem_post(&echo_ended);
        return;
    }
    cb->aio_nbytes = (size_t)n;
    cb->aio_sigevent.sigev_notify_function = echo_written;
    if (aio_write(cb) != 0)
        atomic_store(&echo_failed, true);
}

/* "A callback may submit": a server that has nothing else. */
START_TEST(callbacks_echo_what_they_read)
{
    MAKE_STREAM(_i, streams[0]);
    ck_assert_int_eq(sem_init(&echo_ended, 0, 0), 0);
    prep(&echoed, streams[0][0], echo_buf, sizeof echo_buf, 0);
    notify_by_thread(&echoed.aio_sigevent, echo_read, &echoed, NULL);
    must_read(&echoed);
    for (size_t i = 0; i < 500; i++) {
        char message[64], answer[64];

        memset(message, pattern(i), sizeof message);
        ck_assert_int_eq(write(streams[0][1], message, sizeof message), sizeof message);
        read_fully(streams[0][1], answer, sizeof answer);
        ck_assert_mem_eq(answer, message, sizeof message);
    }
    ck_assert_int_eq(shutdown(streams[0][1], SHUT_WR), 0);
    await(&echo_ended);
    ck_assert(!atomic_load(&echo_failed));
}
END_TEST

/* aio_suspend returns for what is done, though streams of its list wait. */
START_TEST(suspend_returns_for_a_file_among_streams)
{
    const struct aiocb *list[10];
    struct aiocb file;
    char byte;

    MAKE_STREAM(_i, streams[0]);
    for (size_t i = 0; i < COUNT(list) - 1; i++) {
        read_one_byte(i, streams[0][0]);
        list[i] = &cbs[i];
    }
    prep(&file, temp_file(1), &byte, 1, 0);
    list[COUNT(list) - 1] = &file;
    must_read(&file);
    ck_assert_int_eq(aio_suspend(list, COUNT(list), NULL), 0);
    ck_assert_int_eq(finish(&file), 1);
    list[COUNT(list) - 1] = NULL;
    send_pattern(streams[0][1], 0);
    ck_assert_int_eq(aio_suspend(list, COUNT(list), NULL), 0);
    finish_reads_of_pattern(1);
    is_waiting(&cbs[1]);
}
END_TEST

/* --- lists --- */

#define EACH (STREAMS * 4) /* a read, a write, a read of a file, a write of a file */

/* "LIO_WAIT: returns when all are done": reads that wait for writes further down in the list. */
START_TEST(a_list_of_streams_and_files)
{
    static char read_bufs[EACH], file_bufs[EACH];
    struct aiocb *list[EACH + 1] = {NULL};
    int fd = temp_file(EACH);

    if (_i % 2 == 1) {
        queue_everything();
        use_workers(1);
    }
    for (size_t i = 0; i < STREAMS; i++) {
        MAKE_STREAM((int)i, streams[i]);
        bytes[i] = (char)pattern(i);
        prep(&cbs[4 * i], streams[i][0], &read_bufs[i], 1, 0);
        prep(&cbs[4 * i + 1], fd, &file_bufs[i], 1, (off_t)i);
        prep(&cbs[4 * i + 2], fd, "x", 1, (off_t)(EACH + i));
        prep(&cbs[4 * i + 3], streams[i][1], &bytes[i], 1, 0);
        for (size_t j = 0; j < 4; j++) {
            cbs[4 * i + j].aio_lio_opcode = j < 2 ? LIO_READ : LIO_WRITE;
            /* All of a kind together, such that the reads are first and their writes last. */
            list[j * STREAMS + i + (j > 1)] = &cbs[4 * i + j];
        }
    }
    if (_i < 2) {
        ck_assert_int_eq(lio_listio(LIO_WAIT, list, EACH + 1, NULL), 0);
    } else {
        struct sigevent ev;
        siginfo_t info;

        block_signal(SIGRTMIN);
        notify_by_signal(&ev, SIGRTMIN, &ev);
        ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, EACH + 1, &ev), 0);
        take_signal(SIGRTMIN, &info);
        ck_assert(!is_pending(SIGRTMIN));
    }
    for (size_t i = 0; i < EACH; i++) {
        ck_assert_int_eq(aio_error(&cbs[i]), 0);
        ck_assert_int_eq(aio_return(&cbs[i]), 1);
    }
    ck_assert(is_pattern(read_bufs, STREAMS, 0));
    ck_assert(is_pattern(file_bufs, STREAMS, 0));
}
END_TEST

/* "`sig` once when all are done": the last may be a stream that waits for long. */
START_TEST(a_lists_signal_waits_for_its_streams)
{
    struct aiocb *list[2] = {&cbs[0], &cbs[1]};
    struct sigevent ev;
    siginfo_t info;

    block_signal(SIGRTMIN);
    MAKE_STREAM(_i, streams[0]);
    prep(&cbs[0], streams[0][0], &bytes[0], 1, 0);
    prep(&cbs[1], temp_file(1), &bytes[1], 1, 0);
    cbs[0].aio_lio_opcode = cbs[1].aio_lio_opcode = LIO_READ;
    notify_by_signal(&ev, SIGRTMIN, &ev);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, 2, &ev), 0);
    ck_assert_int_eq(finish(&cbs[1]), 1);
    let_others_run();
    ck_assert(!is_pending(SIGRTMIN));
    send_pattern(streams[0][1], 0);
    take_signal(SIGRTMIN, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, &ev);
    finish_reads_of_pattern(1);
}
END_TEST

/* What was a file when it was written to last may be a stream now, whoever saw it. */
START_TEST(a_number_may_become_a_streams)
{
    struct aiocb cb;
    char byte;
    int fd, ends[2];

    for (int round = 0; round < 20; round++) {
        fd = temp_file(64);
        for (int i = 0; i < round % 4; i++) {
            prep(&cb, fd, "file", 4, i);
            must_write(&cb);
            ck_assert_int_eq(finish(&cb), 4);
        }
        make_pipe(ends);
        ck_assert_int_eq((int)syscall(SYS_dup3, ends[1], fd, 0), fd);
        prep(&cb, fd, "pipe", 4, 0);
        must_write(&cb);
        ck_assert_int_eq(finish(&cb), 4);
        ck_assert_int_eq((int)syscall(SYS_dup3, ends[0], fd, 0), fd);
        for (int i = 0; i < 4; i++) {
            prep(&cb, fd, &byte, 1, 1000);
            must_read(&cb);
            ck_assert_int_eq(finish(&cb), 1);
            ck_assert_int_eq(byte, "pipe"[i]);
        }
        close(fd);
        close(ends[0]);
        close(ends[1]);
    }
}
END_TEST

Suite *streams_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("streams", 60, &tc);

    tcase_add_test(tc, a_number_may_become_a_streams);
    tcase_add_loop_test(tc, waiting_reads_take_no_worker, 0, STREAMS);
    tcase_add_loop_test(tc, waiting_writes_take_no_worker, 0, STREAMS_THAT_FILL);
    tcase_add_loop_test(tc, a_stream_goes_on_though_the_only_worker_is_stuck, 0, STREAMS);
    tcase_add_loop_test(tc, ten_thousand_waiting_reads_take_one_thread, 0, 2);
    tcase_add_loop_test(tc, a_read_completes_with_what_is_there, 0, STREAMS);
    tcase_add_loop_test(tc, reads_are_in_call_order, 0, STREAMS);
    tcase_add_loop_test(tc, writes_are_in_call_order, 0, STREAMS_THAT_FILL);
    tcase_add_loop_test(tc, large_writes_are_whole_and_do_not_mix, 0, STREAMS_OF_BYTES);
    tcase_add_loop_test(tc, a_waiting_read_holds_up_no_write, STREAM_UNIX, STREAMS);
    tcase_add_loop_test(tc, a_waiting_write_holds_up_no_read, STREAM_UNIX, STREAMS_THAT_FILL);
    tcase_add_loop_test(tc, both_directions_may_wait_at_once, STREAM_UNIX, STREAMS_THAT_FILL);
    tcase_add_loop_test(tc, reads_of_two_descriptors_of_one_file, 0,
                        STREAMS_THAT_FILL); /* UDP drops */
    tcase_add_loop_test(tc, a_nonblocking_read_fails_with_eagain, 0, STREAMS);
    tcase_add_loop_test(tc, a_nonblocking_write_is_partial_or_fails_with_eagain, 0,
                        STREAMS_OF_BYTES);
    tcase_add_loop_test(tc, a_nonblocking_message_that_does_not_fit_fails_with_eagain,
                        STREAMS_OF_BYTES, STREAMS_THAT_FILL);
    tcase_add_loop_test(tc, nonblocking_mode_is_that_of_the_call, 0, STREAMS);
    tcase_add_loop_test(tc, a_nonblocking_read_waits_for_its_turn, 0, STREAMS);
    tcase_add_loop_test(tc, who_was_robbed_waits_on, STREAM_PIPE, STREAM_TCP);
    tcase_add_loop_test(tc, a_thief_and_many_requests_share_the_bytes, STREAM_PIPE, STREAM_TCP);
    tcase_add_loop_test(tc, a_read_of_0_bytes_gives_0, 0, STREAMS);
    tcase_add_loop_test(tc, a_write_of_0_bytes_gives_0, 0, STREAMS_OF_BYTES);
    tcase_add_loop_test(tc, an_empty_message_is_a_message, STREAMS_OF_BYTES, STREAMS);
    tcase_add_loop_test(tc, each_read_takes_one_message, STREAMS_OF_BYTES, STREAMS);
    tcase_add_loop_test(tc, a_message_that_can_never_fit_is_emsgsize, STREAMS_OF_BYTES, STREAMS);
    tcase_add_test(tc, a_read_of_an_eventfd_waits_for_the_count);
    tcase_add_loop_test(tc, a_write_of_an_eventfd_waits_for_room, 0, 2);
    tcase_add_test(tc, eventfd_errors);
    tcase_add_test(tc, a_read_of_a_timerfd_waits_for_the_time);
    tcase_add_loop_test(tc, a_waiting_read_sends_its_signal, 0, STREAMS);
    tcase_add_loop_test(tc, a_waiting_write_sends_its_signal, 0, STREAMS_THAT_FILL);
    tcase_add_loop_test(tc, callbacks_echo_what_they_read, STREAM_UNIX, STREAM_TTY);
    tcase_add_loop_test(tc, suspend_returns_for_a_file_among_streams, 0, STREAMS);
    tcase_add_loop_test(tc, a_list_of_streams_and_files, 0, 3);
    tcase_add_loop_test(tc, a_lists_signal_waits_for_its_streams, 0, STREAMS);
    return suite;
}
