/* SPDX-License-Identifier: MIT */
#include "in_flight.h"

struct aiocb in_flight[IN_FLIGHT];

static int made;
static struct gate gate;
static char plain_bytes[16], reads[3][4];
static int plain, appended;
static int empty[2], full[2], silent[2];
static size_t in_full;

/* --- files --- */

static bool prep_files(const char *test)
{
    queue_everything();
    use_workers(1);
    if (!gate_make(&gate, 1, test))
        return false;
    plain = temp_file(sizeof plain_bytes);
    appended = temp_file(0);
    ck_assert_int_eq(fcntl(appended, F_SETFL, O_APPEND), 0);
    prep(&in_flight[0], temp_file(16), gate_page(&gate, 0), 16, 0);
    prep(&in_flight[1], plain, "queued", 6, 4);
    prep(&in_flight[2], appended, "a", 1, 0);
    prep(&in_flight[3], appended, "b", 1, 0);
    prep(&in_flight[4], appended, NULL, 0, 0);
    return true;
}

static void submit_files(void)
{
    must_read(&in_flight[0]);
    gate_await(&gate, 0);
    must_write(&in_flight[1]);
    must_write(&in_flight[2]);
    must_write(&in_flight[3]);
    must_fsync(&in_flight[4]);
}

static void finish_files(void)
{
    const ssize_t results[IN_FLIGHT] = {16, 6, 1, 1, 0};
    char back[8];

    gate_open(&gate, 0);
    for (size_t i = 0; i < IN_FLIGHT; i++)
        ck_assert_int_eq(finish(&in_flight[i]), results[i]);
    ck_assert_int_eq(pread(plain, plain_bytes, sizeof plain_bytes, 0), sizeof plain_bytes);
    ck_assert(is_pattern(plain_bytes, 4, 0));
    ck_assert_mem_eq(plain_bytes + 4, "queued", 6);
    ck_assert(is_pattern(plain_bytes + 10, 6, 10));
    ck_assert_int_eq(pread(appended, back, sizeof back, 0), 2);
    ck_assert_mem_eq(back, "ab", 2);
}

/* --- streams --- */

static void prep_streams(void)
{
    queue_everything();
    make_pipe(empty);
    make_pipe(full);
    make_sockets(silent);
    in_full = fill_up(full[1]);
    prep(&in_flight[0], empty[0], reads[0], 4, 0);
    prep(&in_flight[1], empty[0], reads[1], 4, 0);
    prep(&in_flight[2], full[1], "3333", 4, 0);
    prep(&in_flight[3], full[1], "4444", 4, 0);
    prep(&in_flight[4], silent[0], reads[2], 4, 0);
}

static void submit_streams(void)
{
    must_read(&in_flight[0]);
    must_read(&in_flight[1]);
    must_write(&in_flight[2]);
    must_write(&in_flight[3]);
    must_read(&in_flight[4]);
    let_others_run();
}

static void finish_streams(void)
{
    char *sink = malloc(in_full), back[8];

    ck_assert_ptr_nonnull(sink);
    ck_assert_int_eq(write(empty[1], "1111", 4), 4);
    ck_assert_int_eq(finish(&in_flight[0]), 4);
    ck_assert_mem_eq(reads[0], "1111", 4);
    ck_assert_int_eq(write(empty[1], "2222", 4), 4);
    ck_assert_int_eq(finish(&in_flight[1]), 4);
    ck_assert_mem_eq(reads[1], "2222", 4);
    read_fully(full[0], sink, in_full);
    read_fully(full[0], back, sizeof back);
    ck_assert_mem_eq(back, "33334444", 8);
    ck_assert_int_eq(finish(&in_flight[2]), 4);
    ck_assert_int_eq(finish(&in_flight[3]), 4);
    ck_assert_int_eq(write(silent[1], "5555", 4), 4);
    ck_assert_int_eq(finish(&in_flight[4]), 4);
    ck_assert_mem_eq(reads[2], "5555", 4);
    free(sink);
}

/* --- either --- */

bool in_flight_make(int kind, void (*prepare)(struct aiocb *cb, size_t i), const char *test)
{
    made = kind;
    if (kind == IN_FLIGHT_STREAMS)
        prep_streams();
    else if (!prep_files(test))
        return false;
    for (size_t i = 0; prepare && i < IN_FLIGHT; i++)
        prepare(&in_flight[i], i);
    if (kind == IN_FLIGHT_STREAMS)
        submit_streams();
    else
        submit_files();
    in_flight_untouched();
    return true;
}

void in_flight_untouched(void)
{
    for (size_t i = 0; i < IN_FLIGHT; i++)
        ck_assert_int_eq(aio_error(&in_flight[i]), EINPROGRESS);
}

void in_flight_finish(void)
{
    if (made == IN_FLIGHT_STREAMS)
        finish_streams();
    else
        finish_files();
}

/* --- everything works --- */

#define N 8

static sem_t called;

static void call(union sigval value)
{
    (void)value;
    block_signal(IN_FLIGHT_SIGNAL); /* unblocked here: the next one is not for this thread */
    sem_post(&called);
}

static void single_requests_work(int fd)
{
    struct aiocb cb;
    char buf[4];

    prep(&cb, fd, "data", 4, 100);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 4);
    prep(&cb, fd, buf, 4, 100);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 4);
    ck_assert_mem_eq(buf, "data", 4);
    must_fsync(&cb);
    ck_assert_int_eq(finish(&cb), 0);
}

static void lists_work(int fd)
{
    struct aiocb cbs[N], *list[N];
    struct sigevent sig;
    siginfo_t info;
    char byte[N];

    for (size_t i = 0; i < N; i++) {
        prep(&cbs[i], fd, i < N / 2 ? "x" : &byte[i], 1, (off_t)(100 + i % 4));
        cbs[i].aio_lio_opcode = i < N / 2 ? LIO_WRITE : LIO_READ;
        list[i] = &cbs[i];
    }
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, N, NULL), 0);
    for (size_t i = 0; i < N; i++)
        ck_assert_int_eq(aio_return(&cbs[i]), 1);
    notify_by_signal(&sig, IN_FLIGHT_SIGNAL, &cbs);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, N, &sig), 0);
    take_signal(IN_FLIGHT_SIGNAL, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, &cbs);
    for (size_t i = 0; i < N; i++)
        ck_assert_int_eq(aio_return(&cbs[i]), 1);
}

static void appends_work(int fd)
{
    struct aiocb cbs[N];
    const char letters[] = "abcdefgh";
    char back[N];
    off_t end = lseek(fd, 0, SEEK_END);

    ck_assert_int_eq(fcntl(fd, F_SETFL, O_APPEND), 0);
    for (size_t i = 0; i < N; i++) {
        prep(&cbs[i], fd, &letters[i], 1, 0);
        must_write(&cbs[i]);
    }
    for (size_t i = 0; i < N; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
    ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
    ck_assert_int_eq(pread(fd, back, N, end), N);
    ck_assert_mem_eq(back, letters, N);
}

static void streams_work(void)
{
    struct aiocb read, write;
    char buf[4];
    int ends[2];

    make_sockets(ends);
    prep(&read, ends[0], buf, 4, 0);
    must_read(&read);
    prep(&write, ends[1], "data", 4, 0);
    must_write(&write);
    ck_assert_int_eq(finish(&write), 4);
    ck_assert_int_eq(finish(&read), 4);
    ck_assert_mem_eq(buf, "data", 4);
    close(ends[0]);
    close(ends[1]);
}

static void notifications_work(int fd)
{
    struct aiocb cb;
    siginfo_t info;
    char byte;

    prep(&cb, fd, &byte, 1, 0);
    notify_by_signal(&cb.aio_sigevent, IN_FLIGHT_SIGNAL, &cb);
    must_read(&cb);
    take_signal(IN_FLIGHT_SIGNAL, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, &cb);
    ck_assert_int_eq(info.si_pid, getpid());
    ck_assert_int_eq(info.si_uid, getuid());
    ck_assert_int_eq(finish(&cb), 1);
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    notify_by_thread(&cb.aio_sigevent, call, NULL, NULL);
    must_read(&cb);
    await(&called);
    ck_assert_int_eq(finish(&cb), 1);
}

void aio_works(int fd)
{
    block_signal(IN_FLIGHT_SIGNAL);
    single_requests_work(fd);
    lists_work(fd);
    appends_work(fd);
    streams_work();
    notifications_work(fd);
}
