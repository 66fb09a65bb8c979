/* SPDX-License-Identifier: MIT */
/*
 * aio_readv() and aio_writev(): "The aio_readv() system call allows the calling
 * process to read from the descriptor iocb->aio_fildes beginning at iocb->aio_offset
 * into the buffers described by iocb->aio_iov and iocb->aio_iovcnt." [FreeBSD]
 */
#include "helpers.h"

#include <sys/uio.h>

#define SEGMENTS_MAX 1024

static void prep_vector(struct aiocb *cb, int fd, struct iovec *segments, size_t n, off_t offset)
{
    prep(cb, fd, NULL, 0, offset);
    cb->aio_iov = segments;
    cb->aio_iovcnt = n;
}

/* Segments of 1, 2, 3, ... bytes, one after the other in the buffer; the sum. */
static size_t cut(char *buffer, struct iovec *segments, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        segments[i] = (struct iovec){buffer + sum, i + 1};
        sum += i + 1;
    }
    return sum;
}

/* Inline, and by the pool; of one segment, of few and of many. */
static const size_t counts[] = {1, 2, 8, 9, 64, 65, 200};

START_TEST(reads_into_each_buffer)
{
    static char buf[32768];
    struct iovec segments[200];
    size_t n = counts[(size_t)_i / 2];
    size_t sum = cut(buf, segments, n);
    struct aiocb cb;

    if (_i % 2)
        queue_everything();
    prep_vector(&cb, temp_file(sum + 100), segments, n, 50);
    ck_assert_int_eq(aio_readv(&cb), 0);
    ck_assert_int_eq(finish(&cb), (int)sum);
    ck_assert(is_pattern(buf, sum, 50));
}
END_TEST

START_TEST(writes_from_each_buffer)
{
    static char buf[32768], found[32768];
    struct iovec segments[200];
    size_t n = counts[(size_t)_i / 2];
    size_t sum = cut(buf, segments, n);
    struct aiocb cb;
    int fd = temp_file(10);

    if (_i % 2)
        queue_everything();
    for (size_t i = 0; i < sum; i++)
        buf[i] = (char)pattern(i);
    prep_vector(&cb, fd, segments, n, 10);
    ck_assert_int_eq(aio_writev(&cb), 0);
    ck_assert_int_eq(finish(&cb), (int)sum);
    ck_assert_int_eq(pread(fd, found, sizeof found, 10), (ssize_t)sum);
    ck_assert(is_pattern(found, sum, 0));
}
END_TEST

/* At the end of the file: what there is. */
START_TEST(a_short_read_at_the_end)
{
    char buf[30] = "";
    struct iovec segments[] = {{buf, 4}, {buf + 10, 10}, {buf + 20, 10}};
    struct aiocb cb;

    prep_vector(&cb, temp_file(100), segments, 3, 90);
    ck_assert_int_eq(aio_readv(&cb), 0);
    ck_assert_int_eq(finish(&cb), 10);
    ck_assert(is_pattern(buf, 4, 90));
    ck_assert(is_pattern(buf + 10, 6, 94));
    ck_assert_int_eq(buf[16], 0);
    ck_assert_int_eq(buf[20], 0);
}
END_TEST

/* The array is the caller's again when the call returns. */
START_TEST(the_array_may_go_at_once)
{
    char bytes[] = "0123456789", a[3], b[7];
    struct iovec *segments = malloc(2 * sizeof *segments);
    struct aiocb cb;
    int ends[2];

    make_pipe(ends);
    segments[0] = (struct iovec){a, sizeof a};
    segments[1] = (struct iovec){b, sizeof b};
    prep_vector(&cb, ends[0], segments, 2, 0);
    ck_assert_int_eq(aio_readv(&cb), 0);
    memset(segments, -1, 2 * sizeof *segments);
    free(segments);
    ck_assert_int_eq(aio_error(&cb), EINPROGRESS);
    ck_assert_int_eq(write(ends[1], bytes, 10), 10);
    ck_assert_int_eq(finish(&cb), 10);
    ck_assert(memcmp(a, "012", 3) == 0 && memcmp(b, "3456789", 7) == 0);
}
END_TEST

/* A write of a stream that waits is over when all of it is written, of whatever segments. */
START_TEST(a_waiting_write_is_written_whole)
{
    static char bytes[LARGE], found[LARGE];
    struct iovec segments[100];
    struct aiocb cb;
    int ends[2];

    if (_i)
        make_pipe(ends);
    else
        make_sockets(ends);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (char)pattern(i);
    for (size_t i = 0; i < COUNT(segments); i++) {
        size_t from = i * LARGE / COUNT(segments), to = (i + 1) * LARGE / COUNT(segments);
        segments[i] = (struct iovec){bytes + from, to - from};
    }
    prep_vector(&cb, ends[1], segments, COUNT(segments), 0);
    ck_assert_int_eq(aio_writev(&cb), 0);
    read_fully(ends[0], found, sizeof found);
    ck_assert_int_eq(finish(&cb), LARGE);
    ck_assert(is_pattern(found, sizeof found, 0));
}
END_TEST

START_TEST(appends_at_the_end)
{
    char buf[10];
    struct iovec segments[] = {{(char[]){"abc"}, 3}, {(char[]){"defg"}, 4}};
    struct aiocb cbs[2];
    int fd = temp_file(5), appender = reopen(fd, O_WRONLY | O_APPEND);

    for (int i = 0; i < 2; i++) {
        prep_vector(&cbs[i], appender, segments, i == 0 ? 2 : 1, 0);
        ck_assert_int_eq(aio_writev(&cbs[i]), 0);
    }
    ck_assert_int_eq(finish(&cbs[0]), 7);
    ck_assert_int_eq(finish(&cbs[1]), 3);
    ck_assert_int_eq(pread(fd, buf, 10, 5), 10);
    ck_assert(memcmp(buf, "abcdefgabc", 10) == 0);
}
END_TEST

START_TEST(no_segment_is_nothing_to_do)
{
    struct aiocb cb;

    prep_vector(&cb, temp_file(10), NULL, 0, 0);
    ck_assert_int_eq(aio_readv(&cb), 0);
    ck_assert_int_eq(finish(&cb), 0);
}
END_TEST

static void refused(struct aiocb *cb, int error)
{
    errno = 0;
    ck_assert_int_eq(aio_readv(cb), -1);
    ck_assert_int_eq(errno, error);
    errno = 0;
    ck_assert_int_eq(aio_writev(cb), -1);
    ck_assert_int_eq(errno, error);
}

START_TEST(too_many_segments_or_bytes_are_einval)
{
    static struct iovec segments[SEGMENTS_MAX + 1];
    static char byte;
    struct aiocb cb;
    int fd = temp_file(2000);

    for (size_t i = 0; i < COUNT(segments); i++)
        segments[i] = (struct iovec){&byte, 1};
    prep_vector(&cb, fd, segments, SEGMENTS_MAX + 1, 0);
    refused(&cb, EINVAL);
    cb.aio_iovcnt = (size_t)-1;
    refused(&cb, EINVAL);
    segments[0].iov_len = segments[1].iov_len = SSIZE_MAX / 2 + 1;
    cb.aio_iovcnt = 2;
    refused(&cb, EINVAL);
    segments[0].iov_len = (size_t)SSIZE_MAX + 1;
    cb.aio_iovcnt = 1;
    refused(&cb, EINVAL);
    segments[0].iov_len = segments[1].iov_len = 1;
    cb.aio_iovcnt = SEGMENTS_MAX;
    ck_assert_int_eq(aio_readv(&cb), 0);
    ck_assert_int_eq(finish(&cb), SEGMENTS_MAX);
    errno = 0;
    ck_assert_int_eq(aio_readv(NULL), -1);
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(a_bad_buffer_is_efault)
{
    struct iovec segments[] = {{(void *)1, 10}, {(void *)1, 10}};
    struct aiocb cb;

    prep_vector(&cb, temp_file(100), segments, 2, 0);
    ck_assert_int_eq(aio_readv(&cb), 0);
    finish_with(&cb, EFAULT);
}
END_TEST

/* LIO_READV and LIO_WRITEV, between others. */
START_TEST(lists_have_vectors)
{
    char buf[20], plain[4];
    struct iovec into[] = {{buf, 7}, {buf + 7, 13}};
    struct iovec from[] = {{(char[]){"abc"}, 3}, {(char[]){"defg"}, 4}};
    struct aiocb cbs[3], *list[] = {&cbs[0], &cbs[1], &cbs[2]};
    int fd = temp_file(100), other = temp_file(0);

    prep_vector(&cbs[0], fd, into, 2, 30);
    cbs[0].aio_lio_opcode = LIO_READV;
    prep_vector(&cbs[1], other, from, 2, 1);
    cbs[1].aio_lio_opcode = LIO_WRITEV;
    prep(&cbs[2], fd, plain, sizeof plain, 0);
    cbs[2].aio_lio_opcode = LIO_READ;
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, 3, NULL), 0);
    ck_assert_int_eq(finish(&cbs[0]), 20);
    ck_assert_int_eq(finish(&cbs[1]), 7);
    ck_assert_int_eq(finish(&cbs[2]), 4);
    ck_assert(is_pattern(buf, 20, 30));
    ck_assert_int_eq(pread(other, buf, 7, 1), 7);
    ck_assert(memcmp(buf, "abcdefg", 7) == 0);
    cbs[0].aio_lio_opcode = LIO_NOP | LIO_VECTORED;
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, 1, NULL), -1);
    ck_assert_int_eq(aio_error(&cbs[0]), EINVAL);
}
END_TEST

Suite *vectors_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("aio_readv", 30, &tc);

    tcase_add_loop_test(tc, reads_into_each_buffer, 0, 2 * COUNT(counts));
    tcase_add_loop_test(tc, writes_from_each_buffer, 0, 2 * COUNT(counts));
    tcase_add_test(tc, a_short_read_at_the_end);
    tcase_add_test(tc, the_array_may_go_at_once);
    tcase_add_loop_test(tc, a_waiting_write_is_written_whole, 0, 2);
    tcase_add_test(tc, appends_at_the_end);
    tcase_add_test(tc, no_segment_is_nothing_to_do);
    tcase_add_test(tc, too_many_segments_or_bytes_are_einval);
    tcase_add_test(tc, a_bad_buffer_is_efault);
    tcase_add_test(tc, lists_have_vectors);
    return suite;
}
