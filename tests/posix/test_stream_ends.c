/* SPDX-License-Identifier: MIT */
/*
 * How streams end: end of file, broken pipes, hang-up, reset, shutdown; and
 * sockets that have not begun.  A request completes with what read() or
 * write() would say.
 *
 * SIGPIPE: its default action would end the test.
 */
#include "helpers.h"

#include <dirent.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#define MANY 100

static struct aiocb cbs[MANY];
static char bytes[MANY];
static int ends[2], others[2];
static char data[LARGE];

static void read_one_byte(size_t i, int fd)
{
    bytes[i] = 0;
    prep(&cbs[i], fd, &bytes[i], 1, 0);
    must_read(&cbs[i]);
}

/* The first n requests have read the first n bytes of the pattern. */
static void finish_reads_of_pattern(size_t n)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
    ck_assert(is_pattern(bytes, n, 0));
}

/* A write of which no byte can be taken before others are read, where that can be had. */
static void prep_blocked_write(int kind, int fd, struct aiocb *cb)
{
    if (stays_full(kind))
        fill_up(fd);
    prep_waiting_write(kind, fd, cb);
}

/* Reads all until the end; returns how much that was. */
static ssize_t read_to_the_end(int fd)
{
    ssize_t total = 0, n;

    while ((n = read(fd, data, sizeof data)) > 0)
        total += n;
    ck_assert_int_eq(n, 0);
    return total;
}

/* --- the end of a stream --- */

static const int ending[] = {STREAM_PIPE, STREAM_FIFO, STREAM_UNIX, STREAM_TCP, STREAM_SEQPACKET};

/* End of file is the end of all reads that wait, and of those that come. */
START_TEST(end_of_file_gives_0)
{
    char buf[10];
    struct aiocb first;

    MAKE_STREAM(ending[_i], ends);
    prep(&first, ends[0], buf, sizeof buf, 0);
    must_read(&first);
    for (size_t i = 0; i < 5; i++)
        read_one_byte(i, ends[0]);
    ck_assert_int_eq(write(ends[1], "last", 4), 4);
    ck_assert_int_eq(finish(&first), 4);
    let_others_run();
    for (size_t i = 0; i < 5; i++)
        is_waiting(&cbs[i]);
    close(ends[1]);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(finish(&cbs[i]), 0);
    must_read(&first);
    ck_assert_int_eq(finish(&first), 0);
}
END_TEST

/* read() of a FIFO that nobody has opened for writing does not wait; poll() says nothing of it. */
START_TEST(a_fifo_without_writers_is_at_its_end)
{
    int fd;

    MAKE_STREAM(STREAM_FIFO, ends);
    close(ends[1]);
    fd = reopen(ends[0], O_RDONLY | O_NONBLOCK);
    set_nonblocking(fd, false);
    if (_i == 1)
        queue_everything();
    read_one_byte(0, fd);
    ck_assert_int_eq(finish(&cbs[0]), 0);
    /* With a writer it is a stream again, each time. */
    for (int i = 0; i < 3; i++) {
        int writer = reopen(fd, O_WRONLY);

        read_one_byte(0, fd);
        read_one_byte(1, fd);
        let_others_run();
        is_waiting(&cbs[0]);
        send_pattern(writer, 0);
        finish_reads_of_pattern(1);
        is_waiting(&cbs[1]);
        close(writer);
        ck_assert_int_eq(finish(&cbs[1]), 0);
    }
}
END_TEST

/* One descriptor of a FIFO, both ways: never at its end, never broken. */
START_TEST(a_fifo_open_for_both_reads_what_it_writes)
{
    int fd;

    MAKE_STREAM(STREAM_FIFO, ends);
    fd = reopen(ends[0], O_RDWR);
    close(ends[0]);
    close(ends[1]);
    for (size_t i = 0; i < MANY / 2; i++)
        read_one_byte(i, fd);
    for (size_t i = MANY / 2; i < MANY; i++) {
        bytes[i] = (char)pattern(i - MANY / 2);
        prep(&cbs[i], fd, &bytes[i], 1, 0);
        must_write(&cbs[i]);
    }
    finish_reads_of_pattern(MANY / 2);
    for (size_t i = MANY / 2; i < MANY; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
}
END_TEST

enum sigpipe {
    SIGPIPE_DEFAULT,
    SIGPIPE_HANDLED,
    SIGPIPE_BLOCKED,
    SIGPIPE_OF_THREAD,
    SIGPIPE_OF_PROCESS,
    SIGPIPE_WAYS
};

static atomic_int sigpipes;

static void count_sigpipe(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    (void)context;
    atomic_fetch_add(&sigpipes, 1);
}

/* In how many places of the process a SIGPIPE waits: its threads, or itself. */
static int count_pending_sigpipes(void)
{
    DIR *dir = opendir("/proc/self/task");
    unsigned long long set, of_process = 0;
    int n = 0;

    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[300], line[200];
        FILE *status;

        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        status = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
        if (status == NULL)
            continue; /* it has ended */
        while (fgets(line, sizeof line, status) != NULL) {
            if (sscanf(line, "SigPnd: %llx", &set) == 1)
                n += (int)(set >> (SIGPIPE - 1) & 1);
            if (sscanf(line, "ShdPnd: %llx", &set) == 1)
                of_process = set >> (SIGPIPE - 1) & 1;
        }
        fclose(status);
    }
    closedir(dir);
    return n + (int)of_process;
}

static void arrange_sigpipe(int way)
{
    if (way == SIGPIPE_DEFAULT)
        return; /* it would be the end of the test */
    handle(SIGPIPE, count_sigpipe, 0);
    if (way == SIGPIPE_HANDLED)
        return;
    block_signal(SIGPIPE);
    if (way == SIGPIPE_OF_PROCESS)
        ck_assert_int_eq(sigqueue(getpid(), SIGPIPE, (union sigval){.sival_int = 42}), 0);
    if (way == SIGPIPE_OF_THREAD)
        ck_assert_int_eq(pthread_sigqueue(pthread_self(), SIGPIPE, (union sigval){.sival_int = 42}),
                         0);
}

/* Sockets are asked for no signal; what a pipe raises, POSIX does not tell from one that
 * was pending for the process. */
static bool is_indistinguishable(int kind, int way)
{
    return PORTABLE && way == SIGPIPE_OF_PROCESS && (kind == STREAM_PIPE || kind == STREAM_FIFO);
}

static void check_sigpipe(int way)
{
    bool own = way == SIGPIPE_OF_THREAD || way == SIGPIPE_OF_PROCESS;

    ck_assert_int_eq(atomic_load(&sigpipes), 0);
    ck_assert_int_eq(is_pending(SIGPIPE), own);
    ck_assert_int_eq(count_pending_sigpipes(), own);
    if (own) { /* and it is the same */
        siginfo_t info;

        take_signal(SIGPIPE, &info);
        ck_assert_int_eq(info.si_code, SI_QUEUE);
        ck_assert_int_eq(info.si_value.sival_int, 42);
        ck_assert(!is_pending(SIGPIPE));
    }
}

/* Such that writes of pair[1] are EPIPE. */
static void break_stream(int kind, const int pair[2])
{
    if (kind == STREAM_TCP)
        ck_assert_int_eq(shutdown(pair[1], SHUT_WR), 0);
    else
        close(pair[0]);
}

/*
 * "EPIPE is told by aio_error; SIGPIPE is never raised anywhere in the process
 * for an AIO write."  That of the program's own stays pending.
 */
START_TEST(a_write_to_a_broken_stream_raises_no_sigpipe)
{
    int kind = ending[_i % (int)COUNT(ending)], way = _i / (int)COUNT(ending);

    if (is_indistinguishable(kind, way))
        SKIP("a SIGPIPE of the process cannot be told from ours");
    MAKE_STREAM(kind, ends);
    arrange_sigpipe(way);
    break_stream(kind, ends);
    for (size_t i = 0; i < MANY; i++) {
        prep(&cbs[i], ends[1], "data", 4, 0);
        must_write(&cbs[i]);
    }
    for (size_t i = 0; i < MANY; i++)
        finish_with(&cbs[i], EPIPE);
    check_sigpipe(way);
}
END_TEST

/* The same of writes that wait, for room or for their turn. */
START_TEST(a_waiting_write_that_breaks_raises_no_sigpipe)
{
    int kind = ending[_i % (int)COUNT(ending)], way = _i / (int)COUNT(ending), error;
    struct aiocb first;

    if (is_indistinguishable(kind, way))
        SKIP("a SIGPIPE of the process cannot be told from ours");
    queue_everything();
    MAKE_STREAM(kind, ends);
    arrange_sigpipe(way);
    prep_blocked_write(kind, ends[1], &first);
    must_write(&first);
    for (size_t i = 0; i < 10; i++) {
        prep(&cbs[i], ends[1], "data", 4, 0);
        must_write(&cbs[i]);
    }
    let_others_run();
    is_waiting(&first);
    break_stream(kind, ends);
    error = wait_done(&first);
    if (kind == STREAM_UNIX || kind == STREAM_SEQPACKET) /* there was what nobody will read */
        ck_assert(error == EPIPE || error == ECONNRESET);
    else if (stays_full(kind))
        ck_assert_int_eq(error, EPIPE);
    else /* some of it was written */
        ck_assert_int_gt(finish(&first), 0);
    for (size_t i = 0; i < 10; i++)
        finish_with(&cbs[i], EPIPE);
    check_sigpipe(way);
}
END_TEST

static sem_t called_back;
static atomic_int callbacks_with_epipe;

static void note_epipe(union sigval value)
{
    if (aio_error(value.sival_ptr) == EPIPE)
        atomic_fetch_add(&callbacks_with_epipe, 1);
    sem_post(&called_back);
}

/*
 * The same where a callback, which has its signals unblocked, must be run by
 * a thread of the library, for it cannot have another.
 */
START_TEST(a_callback_of_a_broken_write_gets_no_sigpipe)
{
    queue_everything();
    MAKE_STREAM(ending[_i], ends);
    ck_assert_int_eq(sem_init(&called_back, 0, 0), 0);
    prep_blocked_write(ending[_i], ends[1], &cbs[0]);
    must_write(&cbs[0]);
    let_others_run();
    for (size_t i = 1; i <= 10; i++) {
        prep(&cbs[i], ends[1], "data", 4, 0);
        notify_by_thread(&cbs[i].aio_sigevent, note_epipe, &cbs[i], NULL);
        must_write(&cbs[i]);
    }
    if (!forbid_threads())
        SKIP("cannot keep pthread_create from working here");
    break_stream(ending[_i], ends);
    for (size_t i = 1; i <= 10; i++)
        await(&called_back);
    ck_assert_int_eq(atomic_load(&callbacks_with_epipe), 10);
}
END_TEST

/* "EIO if any failed (look at each aio_error)" */
START_TEST(a_list_with_a_broken_stream_gives_eio)
{
    struct aiocb *list[3] = {&cbs[0], &cbs[1], &cbs[2]};
    int kind = ending[_i];

    MAKE_STREAM(kind, ends);
    MAKE_STREAM(kind, others);
    break_stream(kind, ends);
    prep(&cbs[0], others[0], &bytes[0], 1, 0);
    cbs[0].aio_lio_opcode = LIO_READ;
    prep(&cbs[1], ends[1], "data", 4, 0);
    cbs[1].aio_lio_opcode = LIO_WRITE;
    prep(&cbs[2], others[1], "x", 1, 0);
    cbs[2].aio_lio_opcode = LIO_WRITE;
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, 3, NULL), -1);
    ck_assert_int_eq(errno, EIO);
    ck_assert_int_eq(finish(&cbs[0]), 1);
    finish_with(&cbs[1], EPIPE);
    ck_assert_int_eq(finish(&cbs[2]), 1);
}
END_TEST

/* What write() says when the stream breaks in the middle: how much was written. */
START_TEST(a_write_that_breaks_in_the_middle_tells_its_part)
{
    static const int kinds[] = {STREAM_PIPE, STREAM_FIFO, STREAM_UNIX, STREAM_TCP};
    static char unread[65536]; /* as much as there is room for in a pipe */
    int kind = kinds[_i], there;
    struct aiocb cb;

    MAKE_STREAM(kind, ends);
    prep_waiting_write(kind, ends[1], &cb);
    must_write(&cb);
    read_fully(ends[0], unread, sizeof unread);
    let_others_run();
    is_waiting(&cb);
    if (kind >= STREAM_UNIX) {
        ck_assert_int_eq(shutdown(ends[1], SHUT_WR), 0);
        there = (int)read_to_the_end(ends[0]);
    } else {
        await_bytes(ends[0], sizeof unread);
        ck_assert_int_eq(ioctl(ends[0], FIONREAD, &there), 0);
        close(ends[0]);
    }
    ck_assert_int_eq(finish(&cb), (ssize_t)sizeof unread + there);
}
END_TEST

/*
 * What read() says of a terminal whose other end has gone: one that was
 * waiting has EIO, one that begins afterwards may be at end of file.
 */
START_TEST(hang_up_of_a_terminal_ends_reads)
{
    struct aiocb writing;

    MAKE_STREAM(_i, ends);
    read_one_byte(0, ends[0]);
    read_one_byte(1, ends[0]);
    prep_waiting_write(_i, ends[0], &writing);
    must_write(&writing); /* it may go on waiting: write() at the master does */
    let_others_run();
    is_waiting(&cbs[0]);
    is_waiting(&cbs[1]);
    is_waiting(&writing);
    close(ends[1]);
    for (size_t i = 0; i < 2; i++) {
        int error = wait_done(&cbs[i]);

        ck_assert(error == EIO || error == 0);
        ck_assert_int_eq(aio_return(&cbs[i]), error ? -1 : 0);
    }
}
END_TEST

/* The same of write(), which tells how much was written before. */
START_TEST(hang_up_of_a_terminal_ends_writes)
{
    struct aiocb first, second;
    ssize_t n;

    MAKE_STREAM(STREAM_TTY_MASTER, ends);
    prep_waiting_write(STREAM_TTY_MASTER, ends[1], &first);
    must_write(&first);
    prep(&second, ends[1], "data", 4, 0);
    must_write(&second);
    let_others_run();
    is_waiting(&first);
    close(ends[0]); /* the master */
    n = finish(&first);
    ck_assert_int_gt(n, 0);
    ck_assert_int_lt(n, LARGE);
    finish_with(&second, EIO);
}
END_TEST

/* A line, not a byte, is what a terminal's reader gets. */
START_TEST(a_terminal_gives_lines)
{
    struct termios mode;
    struct aiocb cb;
    char line[100];

    MAKE_STREAM(STREAM_TTY, ends);
    ck_assert_int_eq(tcgetattr(ends[0], &mode), 0);
    mode.c_lflag |= ICANON;
    ck_assert_int_eq(tcsetattr(ends[0], TCSANOW, &mode), 0);
    prep(&cb, ends[0], line, sizeof line, 0);
    must_read(&cb);
    ck_assert_int_eq(write(ends[1], "half a ", 7), 7);
    let_others_run();
    is_waiting(&cb);
    ck_assert_int_eq(write(ends[1], "line\nand more", 13), 13);
    ck_assert_int_eq(finish(&cb), 12);
    ck_assert_mem_eq(line, "half a line\n", 12);
    must_read(&cb);
    let_others_run();
    is_waiting(&cb);
    ck_assert_int_eq(write(ends[1], "\n", 1), 1);
    ck_assert_int_eq(finish(&cb), 9);
    ck_assert_mem_eq(line, "and more\n", 9);
}
END_TEST

static void reset_connection(int fd)
{
    const struct linger none = {1, 0};

    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none), 0);
    close(fd);
}

/* What read() says of a reset: the one that is first has it, the others end of file. */
START_TEST(a_reset_ends_waiting_reads)
{
    MAKE_STREAM(STREAM_TCP, ends);
    for (size_t i = 0; i < 3; i++)
        read_one_byte(i, ends[0]);
    let_others_run();
    reset_connection(ends[1]);
    finish_with(&cbs[0], ECONNRESET);
    ck_assert_int_eq(finish(&cbs[1]), 0);
    ck_assert_int_eq(finish(&cbs[2]), 0);
}
END_TEST

/*
 * The same of writes: the first tells the part that was taken.  The next may
 * have the reset, unless that was already told in finding out about the first.
 */
START_TEST(a_reset_ends_waiting_writes)
{
    struct aiocb first, second, third;
    ssize_t n;
    int error;

    MAKE_STREAM(STREAM_TCP, ends);
    prep_waiting_write(STREAM_TCP, ends[1], &first);
    must_write(&first);
    prep(&second, ends[1], "data", 4, 0);
    must_write(&second);
    prep(&third, ends[1], "data", 4, 0);
    must_write(&third);
    let_others_run();
    is_waiting(&first);
    reset_connection(ends[0]);
    n = finish(&first);
    ck_assert_int_gt(n, 0);
    ck_assert_int_lt(n, LARGE);
    error = wait_done(&second);
    ck_assert(error == ECONNRESET || error == EPIPE);
    finish_with(&third, EPIPE);
}
END_TEST

/* What comes back when nobody is at the other port. */
START_TEST(an_unreachable_port_ends_a_waiting_read)
{
    MAKE_STREAM(STREAM_UDP, ends);
    read_one_byte(0, ends[0]);
    read_one_byte(1, ends[0]);
    let_others_run();
    close(ends[1]);
    is_waiting(&cbs[0]);
    ck_assert_int_eq(write(ends[0], "x", 1), 1);
    finish_with(&cbs[0], ECONNREFUSED);
    is_waiting(&cbs[1]);
    ck_assert_int_eq(aio_cancel(ends[0], &cbs[1]), AIO_CANCELED);
}
END_TEST

static const int connected[] = {STREAM_UNIX, STREAM_TCP, STREAM_SEQPACKET};

/*
 * "shutdown() completes waiting reads (0) / writes (EPIPE)": one's own.  On a
 * full AF_UNIX socket poll() does not tell of SHUT_WR: its writes end as soon
 * as there is room.
 */
START_TEST(shutdown_ends_what_waits)
{
    static const int hows[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
    int kind = connected[_i % 3], how = hows[_i / 3];
    struct aiocb first, second;

    MAKE_STREAM(kind, ends);
    prep_blocked_write(kind, ends[0], &first);
    read_one_byte(0, ends[0]);
    read_one_byte(1, ends[0]);
    must_write(&first);
    prep(&second, ends[0], "data", 4, 0);
    must_write(&second);
    let_others_run();
    ck_assert_int_eq(shutdown(ends[0], how), 0);
    if (how != SHUT_WR) {
        ck_assert_int_eq(finish(&cbs[0]), 0);
        ck_assert_int_eq(finish(&cbs[1]), 0);
    }
    if (how != SHUT_RD) {
        if (how == SHUT_WR)
            read_to_the_end(ends[1]);
        if (stays_full(kind))
            finish_with(&first, EPIPE);
        else /* some of it was written */
            ck_assert_int_gt(finish(&first), 0);
        finish_with(&second, EPIPE);
    }
    let_others_run();
    if (how == SHUT_WR) {
        is_waiting(&cbs[0]);
        send_pattern(ends[1], 0);
        send_pattern(ends[1], 1);
        finish_reads_of_pattern(2);
    }
    if (how == SHUT_RD) {
        is_waiting(&first);
        is_waiting(&second);
    }
}
END_TEST

/* The peer's: no more will come from it. */
START_TEST(shutdown_of_the_peer_ends_reads)
{
    MAKE_STREAM(connected[_i], ends);
    for (size_t i = 0; i < 3; i++)
        read_one_byte(i, ends[0]);
    send_pattern(ends[1], 0);
    ck_assert_int_eq(finish(&cbs[0]), 1);
    ck_assert_int_eq(shutdown(ends[1], SHUT_WR), 0);
    ck_assert_int_eq(finish(&cbs[1]), 0);
    ck_assert_int_eq(finish(&cbs[2]), 0);
    /* The other direction stays. */
    prep(&cbs[0], ends[0], "x", 1, 0);
    must_write(&cbs[0]);
    ck_assert_int_eq(finish(&cbs[0]), 1);
    read_fully(ends[1], data, 1);
    ck_assert_int_eq(data[0], 'x');
}
END_TEST

/* --- sockets that are not connected --- */

/* A socket of this kind; listening: it waits for connections. */
static int lonely_socket(int family, int type, bool listening)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    ck_assert_int_ge(fd, 0);
    if (listening) {
        if (family == AF_UNIX) /* a name is found for it */
            ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof(sa_family_t)), 0);
        ck_assert_int_eq(listen(fd, 1), 0);
    }
    return fd;
}

static const struct lonely {
    int family, type;
    bool listening, reads_wait;
} lonely[] = {
    {AF_UNIX, SOCK_STREAM, false, false},    {AF_UNIX, SOCK_STREAM, true, false},
    {AF_UNIX, SOCK_SEQPACKET, false, false}, {AF_UNIX, SOCK_SEQPACKET, true, false},
    {AF_UNIX, SOCK_DGRAM, false, true},      {AF_INET, SOCK_STREAM, false, false},
    {AF_INET, SOCK_STREAM, true, false},     {AF_INET, SOCK_DGRAM, false, true},
};

/* What is an error at once for read() and write() does not wait for readiness. */
START_TEST(a_socket_that_is_not_connected_fails_at_once)
{
    const struct lonely *kind = &lonely[_i];
    struct aiocb cb;
    char byte;
    int fd = lonely_socket(kind->family, kind->type, kind->listening);

    handle(SIGPIPE, ignore_quietly, 0);
    if (!kind->reads_wait) {
        ck_assert_int_eq(read(fd, &byte, 1), -1);
        prep(&cb, fd, &byte, 1, 0);
        must_read(&cb);
        finish_with(&cb, errno);
    }
    fd = lonely_socket(kind->family, kind->type, kind->listening);
    ck_assert_int_eq(write(fd, "x", 1), -1);
    prep(&cb, fd, "x", 1, 0);
    must_write(&cb);
    finish_with(&cb, errno);
}
END_TEST

Suite *stream_ends_suite(void)
{
    enum { ENDING = COUNT(ending) };
    TCase *tc;
    Suite *suite = new_suite("stream_ends", 60, &tc);

    tcase_add_loop_test(tc, end_of_file_gives_0, 0, ENDING);
    tcase_add_loop_test(tc, a_fifo_without_writers_is_at_its_end, 0, 2);
    tcase_add_test(tc, a_fifo_open_for_both_reads_what_it_writes);
    tcase_add_loop_test(tc, a_write_to_a_broken_stream_raises_no_sigpipe, 0, ENDING * SIGPIPE_WAYS);
    tcase_add_loop_test(tc, a_waiting_write_that_breaks_raises_no_sigpipe, 0,
                        ENDING * SIGPIPE_WAYS);
    tcase_add_loop_test(tc, a_callback_of_a_broken_write_gets_no_sigpipe, 0, ENDING);
    tcase_add_loop_test(tc, a_write_that_breaks_in_the_middle_tells_its_part, 0, 4);
    tcase_add_loop_test(tc, hang_up_of_a_terminal_ends_reads, STREAM_TTY, STREAM_TTY_MASTER + 1);
    tcase_add_test(tc, hang_up_of_a_terminal_ends_writes);
    tcase_add_test(tc, a_terminal_gives_lines);
    tcase_add_test(tc, a_reset_ends_waiting_reads);
    tcase_add_test(tc, a_reset_ends_waiting_writes);
    tcase_add_test(tc, an_unreachable_port_ends_a_waiting_read);
    tcase_add_loop_test(tc, shutdown_ends_what_waits, 0, 9);
    tcase_add_loop_test(tc, shutdown_of_the_peer_ends_reads, 0, 3);
    tcase_add_loop_test(tc, a_socket_that_is_not_connected_fails_at_once, 0, COUNT(lonely));
    tcase_add_loop_test(tc, a_list_with_a_broken_stream_gives_eio, 0, ENDING);
    return suite;
}
