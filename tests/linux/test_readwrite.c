/* SPDX-License-Identifier: MIT */
/* PREAD, PWRITE, PREADV and PWRITEV. */
#include "helpers.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* <linux/fs.h> has these; the C library's may be older. */
enum { HIPRI = 1, DSYNC = 2, SYNC = 4, NOWAIT = 8, APPEND = 16, NOAPPEND = 32 };

START_TEST(pread_reads_at_the_offset)
{
    struct iocb cb;
    char buf[100];
    int fd = temp_file(1000);
    aio_context_t ctx = new_context(1);

    prep_read(&cb, fd, buf, sizeof buf, 333);
    ck_assert_int_eq((int)perform(ctx, &cb), sizeof buf);
    ck_assert(is_pattern(buf, sizeof buf, 333));
    ck_assert_int_eq((int)lseek(fd, 0, SEEK_CUR), 0);
}
END_TEST

START_TEST(pwrite_writes_at_the_offset)
{
    struct iocb cb;
    char buf[10], expected[30];
    int fd = temp_file(30);
    aio_context_t ctx = new_context(1);

    for (size_t i = 0; i < sizeof expected; i++)
        expected[i] = (char)pattern(i);
    memset(buf, 'w', sizeof buf);
    memset(expected + 7, 'w', sizeof buf);
    prep_write(&cb, fd, buf, sizeof buf, 7);
    ck_assert_int_eq((int)perform(ctx, &cb), sizeof buf);
    ck_assert_int_eq((int)lseek(fd, 0, SEEK_CUR), 0);
    {
        char found[sizeof expected];

        ck_assert_int_eq((int)pread(fd, found, sizeof found, 0), sizeof found);
        ck_assert_mem_eq(found, expected, sizeof found);
    }
}
END_TEST

START_TEST(preadv_scatters)
{
    struct iocb cb;
    char a[3], b[1], c[50];
    struct iovec iov[] = {{a, sizeof a}, {NULL, 0}, {b, sizeof b}, {c, sizeof c}};
    aio_context_t ctx = new_context(1);

    prep_readv(&cb, temp_file(40), iov, COUNT(iov), 5);
    ck_assert_int_eq((int)perform(ctx, &cb), 35);
    ck_assert(is_pattern(a, 3, 5));
    ck_assert(is_pattern(b, 1, 8));
    ck_assert(is_pattern(c, 31, 9));
}
END_TEST

START_TEST(pwritev_gathers)
{
    struct iocb cb;
    char found[8];
    struct iovec iov[] = {{"one", 3}, {"", 0}, {"three", 5}};
    int fd = temp_file(0);
    aio_context_t ctx = new_context(1);

    prep_writev(&cb, fd, iov, COUNT(iov), 100);
    ck_assert_int_eq((int)perform(ctx, &cb), 8);
    ck_assert_int_eq((int)pread(fd, found, sizeof found, 100), 8);
    ck_assert_mem_eq(found, "onethree", 8);
    ck_assert_int_eq((int)lseek(fd, 0, SEEK_END), 108);
}
END_TEST

/* "`res` = bytes": fewer at the end of the file, none behind it. */
START_TEST(short_reads_at_the_end)
{
    static char buf[100]; /* far from the end of the address space, in any layout */
    struct iocb cb;
    int fd = temp_file(10);
    aio_context_t ctx = new_context(1);

    prep_read(&cb, fd, buf, sizeof buf, 4);
    ck_assert_int_eq((int)perform(ctx, &cb), 6);
    prep_read(&cb, fd, buf, sizeof buf, 10);
    ck_assert_int_eq((int)perform(ctx, &cb), 0);
    prep_read(&cb, fd, buf, sizeof buf, 1000000);
    ck_assert_int_eq((int)perform(ctx, &cb), 0);
    prep_read(&cb, fd, buf, SSIZE_MAX, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 10);
}
END_TEST

START_TEST(no_bytes_are_no_error)
{
    struct iocb cb;
    int fd = temp_file(10);
    aio_context_t ctx = new_context(1);

    for (int opcode = 0; opcode <= IOCB_CMD_PWRITEV; opcode++) {
        if (opcode > IOCB_CMD_PWRITE && opcode < IOCB_CMD_PREADV)
            continue;
        prep(&cb, opcode, fd, NULL, 0, 3);
        ck_assert_int_eq((int)perform(ctx, &cb), 0);
    }
    ck_assert_int_eq((int)lseek(fd, 0, SEEK_END), 10);
}
END_TEST

/* Megabytes in one request, at every alignment of the buffer. */
START_TEST(large_ones)
{
    const size_t size = 5 * 1024 * 1024 + 77;
    struct iocb cb;
    char *buf = malloc(size + 1);
    int from = temp_file(size), to = temp_file(0);
    aio_context_t ctx = new_context(1);

    ck_assert_ptr_nonnull(buf);
    prep_read(&cb, from, buf + 1, size, 0);
    ck_assert_int_eq((long)perform(ctx, &cb), (long)size);
    ck_assert(is_pattern(buf + 1, size, 0));
    prep_write(&cb, to, buf + 1, size, 0);
    ck_assert_int_eq((long)perform(ctx, &cb), (long)size);
    memset(buf, 0, size + 1);
    ck_assert_int_eq((long)pread(to, buf, size, 0), (long)size);
    ck_assert(is_pattern(buf, size, 0));
    free(buf);
}
END_TEST

/*
 * Several at once, into one piece of memory or three, which a waiter may try to do: of a
 * file that the page cache has in part, to its end and beyond.
 */
START_TEST(large_reads_of_what_is_cached_in_part)
{
    enum { N = 8, SIZE = (3 << 20) + 77, MOST = (1 << 20) + 1 };
    static const size_t sizes[] = {MOST, 256 << 10, MOST - 1, (256 << 10) + 1};
    static char bufs[N][MOST];
    struct iovec iov[N][3];
    struct iocb cbs[N];
    int fd = temp_file(SIZE);
    aio_context_t ctx = new_context(N);

    ck_assert_int_eq(fsync(fd), 0);
    for (size_t round = 0; round < 40; round++) {
        posix_fadvise(fd, (off_t)(round % 3) << 20, 700000, POSIX_FADV_DONTNEED);
        for (size_t i = 0; i < N; i++) {
            int64_t offset = (int64_t)((round * 79193 + i * 370001) % (SIZE + 99999));
            size_t size = sizes[(round + i) % 4];
            memset(bufs[i], 0, MOST);
            iov[i][0] = (struct iovec){bufs[i], 100001};
            iov[i][1] = (struct iovec){bufs[i] + 100001, 7};
            iov[i][2] = (struct iovec){bufs[i] + 100008, size - 100008};
            if (i % 2)
                prep_readv(&cbs[i], fd, iov[i], 3, offset);
            else
                prep_read(&cbs[i], fd, bufs[i], size, offset);
            cbs[i].aio_data = i;
            must_submit(ctx, &cbs[i]);
        }
        for (size_t done = 0; done < N; done++) {
            struct io_event event;
            ck_assert_int_eq(t_getevents(ctx, 1, 1, &event, NULL), 1);
            size_t i = (size_t)event.data, offset = (size_t)cbs[i].aio_offset;
            size_t size = sizes[(round + i) % 4], there = offset < SIZE ? SIZE - offset : 0;
            size_t expected = there < size ? there : size;
            ck_assert_int_eq((long)event.res, (long)expected);
            ck_assert(is_pattern(bufs[i], expected, offset));
            ck_assert(expected == MOST || bufs[i][expected] == 0);
        }
    }
}
END_TEST

/* Offsets are of 64 bits. */
START_TEST(offsets_beyond_four_gigabytes)
{
    struct iocb cb;
    char buf[4] = "far";
    int fd = temp_file(0);
    int64_t far = ((int64_t)1 << 32) + 12345;
    aio_context_t ctx = new_context(1);

    prep_write(&cb, fd, buf, 4, far);
    ck_assert_int_eq((int)perform(ctx, &cb), 4);
    memset(buf, 0, sizeof buf);
    prep_read(&cb, fd, buf, 4, far);
    ck_assert_int_eq((int)perform(ctx, &cb), 4);
    ck_assert_str_eq(buf, "far");
}
END_TEST

/* "descriptor not open in that mode: EBADF" */
START_TEST(ebadf_for_the_wrong_mode)
{
    struct iocb cb;
    char byte;
    struct iovec iov = {&byte, 1};
    int fd = temp_file(4), ends[2];
    int reader = reopen(fd, O_RDONLY), writer = reopen(fd, O_WRONLY);
    aio_context_t ctx = new_context(1);

    make_pipe(ends);
    prep_read(&cb, writer, &byte, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EBADF);
    prep_readv(&cb, writer, &iov, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EBADF);
    prep_write(&cb, reader, &byte, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EBADF);
    prep_writev(&cb, reader, &iov, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EBADF);
    prep_write(&cb, ends[0], &byte, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EBADF);
    prep_read(&cb, ends[1], &byte, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EBADF);
    nothing_to_reap(ctx);
}
END_TEST

/* "offset < 0: EINVAL", of things without a position, too */
START_TEST(einval_for_a_negative_offset)
{
    struct iocb cb;
    char byte;
    int ends[2], fds[3];
    aio_context_t ctx = new_context(1);

    make_pipe(ends);
    fds[0] = temp_file(4);
    fds[1] = ends[0];
    make_sockets(ends);
    fds[2] = ends[0];
    for (size_t i = 0; i < COUNT(fds); i++) {
        prep_read(&cb, fds[i], &byte, 1, -1);
        ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
        cb.aio_offset = INT64_MIN;
        ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    }
}
END_TEST

/* "unsupported RWF flags: EOPNOTSUPP" */
START_TEST(eopnotsupp_for_unknown_flags)
{
    struct iocb cb;
    char byte;
    int fd = temp_file(4);
    aio_context_t ctx = new_context(1);

    for (int bit = 24; bit < 32; bit++) {
        prep_read(&cb, fd, &byte, 1, 0);
        cb.aio_rw_flags = (__kernel_rwf_t)(1U << bit);
        ck_assert_int_eq(submit(ctx, &cb), -EOPNOTSUPP);
        cb.aio_lio_opcode = IOCB_CMD_PWRITE;
        ck_assert_int_eq(submit(ctx, &cb), -EOPNOTSUPP);
    }
}
END_TEST

/* "RWF_* flags (HIPRI, DSYNC, SYNC, [...]) act as in preadv2/pwritev2" */
START_TEST(flags_that_a_file_has)
{
    const int flags[] = {HIPRI, DSYNC, SYNC, HIPRI | DSYNC | SYNC};
    struct iocb cb;
    char byte = 'f';
    struct iovec iov = {&byte, 1};
    int fd = temp_file(4);
    aio_context_t ctx = new_context(1);

    for (size_t i = 0; i < COUNT(flags); i++) {
        prep_write(&cb, fd, &byte, 1, 0);
        cb.aio_rw_flags = flags[i];
        ck_assert_int_eq((int)perform(ctx, &cb), 1);
        prep_writev(&cb, fd, &iov, 1, 0);
        cb.aio_rw_flags = flags[i];
        ck_assert_int_eq((int)perform(ctx, &cb), 1);
        prep_read(&cb, fd, &byte, 1, 0);
        cb.aio_rw_flags = flags[i];
        ck_assert_int_eq((int)perform(ctx, &cb), 1);
    }
}
END_TEST

/* "[...] APPEND": at the end, wherever the offset is. */
START_TEST(append_writes_at_the_end)
{
    struct iocb cb;
    char found[7];
    struct iovec iov = {"xyz", 3};
    int fd = temp_file(0);
    aio_context_t ctx = new_context(1);

    prep_write(&cb, fd, "abcd", 4, 0);
    cb.aio_rw_flags = APPEND;
    ck_assert_int_eq((int)perform(ctx, &cb), 4);
    prep_writev(&cb, fd, &iov, 1, 1);
    cb.aio_rw_flags = APPEND;
    ck_assert_int_eq((int)perform(ctx, &cb), 3);
    ck_assert_int_eq((int)pread(fd, found, sizeof found, 0), 7);
    ck_assert_mem_eq(found, "abcdxyz", 7);
}
END_TEST

/* O_APPEND, the descriptor's own. */
START_TEST(append_mode_writes_at_the_end)
{
    struct iocb cb;
    int fd = temp_file(10);
    aio_context_t ctx = new_context(1);

    prep_write(&cb, reopen(fd, O_WRONLY | O_APPEND), "abcd", 4, 2);
    ck_assert_int_eq((int)perform(ctx, &cb), 4);
    ck_assert_int_eq((int)lseek(fd, 0, SEEK_END), 14);
}
END_TEST

/* RWF_APPEND and RWF_NOAPPEND exclude each other, for a read, too. */
START_TEST(einval_for_append_and_noappend)
{
    struct iocb cb;
    char byte = 0;
    int fd = temp_file(1), result;
    aio_context_t ctx = new_context(4);

    prep_write(&cb, fd, &byte, 1, 0);
    cb.aio_rw_flags = NOAPPEND;
    result = submit(ctx, &cb);
    if (result == -EOPNOTSUPP)
        SKIP("the kernel knows no RWF_NOAPPEND");
    reap_one(ctx);
    cb.aio_rw_flags = APPEND | NOAPPEND;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep_read(&cb, fd, &byte, 1, 0);
    cb.aio_rw_flags = APPEND | NOAPPEND;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
}
END_TEST

/* RWF_NOAPPEND: at the offset, the descriptor's O_APPEND notwithstanding. */
START_TEST(noappend_writes_at_the_offset)
{
    struct iocb cb;
    char found[12];
    struct iovec iov = {"xy", 2};
    int fd = temp_file(10), appending = reopen(fd, O_WRONLY | O_APPEND), result;
    aio_context_t ctx = new_context(1);

    prep_write(&cb, appending, "abcd", 4, 2);
    cb.aio_rw_flags = NOAPPEND;
    result = submit(ctx, &cb);
    if (result == -EOPNOTSUPP)
        SKIP("the kernel knows no RWF_NOAPPEND");
    ck_assert_int_eq(result, 1);
    ck_assert_int_eq((int)reap_one(ctx).res, 4);
    prep_writev(&cb, appending, &iov, 1, 0);
    cb.aio_rw_flags = NOAPPEND;
    ck_assert_int_eq((int)perform(ctx, &cb), 2);
    ck_assert_int_eq((int)pread(fd, found, sizeof found, 0), 10);
    ck_assert_mem_eq(found, "xyabcd", 6);
    ck_assert(is_pattern(found + 6, 4, 6));
}
END_TEST

/* What has no write for AIO: EINVAL at submit, and it is not written to. */
START_TEST(einval_for_a_write_to_an_eventfd)
{
    const uint64_t one = 1;
    struct iocb cb;
    struct iovec iov = {(void *)(uintptr_t)&one, sizeof one};
    int fd = make_eventfd(0), blocking = eventfd(0, EFD_CLOEXEC);
    aio_context_t ctx = new_context(1);

    prep_write(&cb, fd, &one, sizeof one, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep_writev(&cb, fd, &iov, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep_write(&cb, blocking, &one, sizeof one, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    nothing_to_reap(ctx);
    ck_assert_uint_eq(take_count(fd), 0);
}
END_TEST

/* "with RWF_NOWAIT the event has -EAGAIN where it would block" */
START_TEST(nowait_gives_eagain)
{
    struct iocb cb;
    char byte;
    int ends[2];
    aio_context_t ctx = new_context(1);

    make_pipe(ends);
    prep_read(&cb, ends[0], &byte, 1, 0);
    cb.aio_rw_flags = NOWAIT;
    ck_assert_int_eq((int)perform(ctx, &cb), -EAGAIN);
    ck_assert_int_eq((int)write(ends[1], "n", 1), 1);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    make_sockets(ends);
    prep_read(&cb, ends[0], &byte, 1, 0);
    cb.aio_rw_flags = NOWAIT;
    ck_assert_int_eq((int)perform(ctx, &cb), -EAGAIN);
}
END_TEST

static int16_t priority(int class, int level)
{
    return (int16_t)(class << 13 | level);
}

/* "bad IOPRIO: EINVAL" */
START_TEST(einval_for_a_bad_priority)
{
    struct iocb cb;
    char byte;
    int fd = temp_file(4);
    aio_context_t ctx = new_context(1);

    prep_read(&cb, fd, &byte, 1, 0);
    cb.aio_flags = IOCB_FLAG_IOPRIO;
    for (int class = 4; class < 8; class ++) {
        cb.aio_reqprio = priority(class, 0);
        ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    }
    cb.aio_reqprio = priority(0, 1);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
}
END_TEST

START_TEST(priorities_are_accepted)
{
    struct iocb cb;
    char byte;
    int fd = temp_file(4);
    aio_context_t ctx = new_context(1);

    prep_read(&cb, fd, &byte, 1, 0);
    cb.aio_flags = IOCB_FLAG_IOPRIO;
    cb.aio_reqprio = 0;
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    for (int level = 0; level < 8; level++) {
        cb.aio_reqprio = priority(2, level);
        ck_assert_int_eq((int)perform(ctx, &cb), 1);
    }
    cb.aio_reqprio = priority(3, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
}
END_TEST

/* Without the flag aio_reqprio is not looked at. */
START_TEST(the_priority_counts_only_with_its_flag)
{
    struct iocb cb;
    char byte;
    aio_context_t ctx = new_context(1);

    prep_read(&cb, temp_file(4), &byte, 1, 0);
    cb.aio_reqprio = -1;
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
}
END_TEST

/* "(EPERM for a class that needs privilege)" */
START_TEST(eperm_for_real_time_without_the_right)
{
    struct iocb cb;
    char byte;
    int fd = temp_file(4);
    aio_context_t ctx = new_context(1);

    if (geteuid() == 0)
        ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
    prep_read(&cb, fd, &byte, 1, 0);
    cb.aio_flags = IOCB_FLAG_IOPRIO;
    cb.aio_reqprio = priority(1, 4);
    ck_assert_int_eq(submit(ctx, &cb), -EPERM);
}
END_TEST

/* "iovec count over 1024 [...]: EINVAL" */
START_TEST(einval_for_too_many_iovecs)
{
    static struct iovec iov[1025];
    static char bytes[COUNT(iov)];
    struct iocb cb;
    int fd = temp_file(COUNT(iov));
    aio_context_t ctx = new_context(1);

    for (size_t i = 0; i < COUNT(iov); i++)
        iov[i] = (struct iovec){&bytes[i], 1};
    prep_readv(&cb, fd, iov, 1024, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 1024);
    ck_assert(is_pattern(bytes, 1024, 0));
    prep_readv(&cb, fd, iov, 1025, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep_readv(&cb, fd, iov, SSIZE_MAX, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep_writev(&cb, fd, iov, 1025, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
}
END_TEST

/* "or bad lengths: EINVAL" */
START_TEST(einval_for_negative_lengths)
{
    struct iocb cb;
    char bytes[2];
    struct iovec iov[2] = {{&bytes[0], 1}, {&bytes[1], 1}};
    int fd = temp_file(4);
    aio_context_t ctx = new_context(1);

    iov[1].iov_len = (size_t)-1;
    prep_readv(&cb, fd, iov, 2, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep_readv(&cb, fd, iov + 1, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    iov[1].iov_len = (size_t)SSIZE_MAX + 1;
    prep_writev(&cb, fd, iov, 2, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    iov[0].iov_base = kernel_address(); /* lengths come first */
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
}
END_TEST

/* "bad iovec pointer: EFAULT at submit" */
START_TEST(efault_for_a_bad_iovec_pointer)
{
    struct iocb cb;
    char byte;
    struct iovec *iov = (struct iovec *)(void *)page_end() - 1;
    int fd = temp_file(4);
    aio_context_t ctx = new_context(1);

    for (size_t i = 0; i < BAD_ADDRESSES; i++) {
        prep_readv(&cb, fd, bad_address(i), 1, 0);
        ck_assert_int_eq(submit(ctx, &cb), -EFAULT);
        prep_writev(&cb, fd, bad_address(i), 2, 0);
        ck_assert_int_eq(submit(ctx, &cb), -EFAULT);
    }
    *iov = (struct iovec){&byte, 1};
    prep_readv(&cb, fd, iov, 1, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    prep_readv(&cb, fd, iov, 2, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EFAULT);
}
END_TEST

/* "Kernel-range buffer [...]: EFAULT at submit." */
START_TEST(efault_for_a_buffer_of_the_kernel)
{
#if UINTPTR_MAX > 0xffffffff
    struct iocb cb;
    char byte;
    struct iovec iov[2] = {{&byte, 1}, {kernel_address(), 1}};
    int fd = temp_file(4);
    aio_context_t ctx = new_context(1);

    prep_read(&cb, fd, kernel_address(), 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EFAULT);
    prep_write(&cb, fd, kernel_address(), 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EFAULT);
    prep_readv(&cb, fd, iov, 2, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EFAULT);
    prep_writev(&cb, fd, iov + 1, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EFAULT);
#endif
}
END_TEST

/* "A bad data pointer is accepted and the EVENT has -EFAULT." */
START_TEST(the_event_has_efault_for_a_bad_buffer)
{
    struct iocb cb;
    int fd = temp_file(100), ends[2];
    aio_context_t ctx = new_context(1);

    make_pipe(ends);
    for (size_t i = 0; i < 3; i++) {
        struct iovec iov = {bad_address(i), 10};

        prep_read(&cb, fd, iov.iov_base, 10, 0);
        ck_assert_int_eq((int)perform(ctx, &cb), -EFAULT);
        prep_write(&cb, fd, iov.iov_base, 10, 0);
        ck_assert_int_eq((int)perform(ctx, &cb), -EFAULT);
        prep_readv(&cb, fd, &iov, 1, 0);
        ck_assert_int_eq((int)perform(ctx, &cb), -EFAULT);
        prep_writev(&cb, fd, &iov, 1, 0);
        ck_assert_int_eq((int)perform(ctx, &cb), -EFAULT);
        prep_write(&cb, ends[1], iov.iov_base, 10, 0);
        ck_assert_int_eq((int)perform(ctx, &cb), -EFAULT);
    }
    prep_read(&cb, fd, read_only_page(), 10, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), -EFAULT);
    ck_assert_int_eq((int)lseek(fd, 0, SEEK_END), 100);
}
END_TEST

/* "Sockets with offset != 0: event -ESPIPE (pipes ignore it)." */
START_TEST(offsets_of_what_has_none)
{
    struct iocb cb;
    char byte = 0;
    int ends[2];
    aio_context_t ctx = new_context(1);

    make_sockets(ends);
    prep_write(&cb, ends[0], "s", 1, 7);
    ck_assert_int_eq((int)perform(ctx, &cb), -ESPIPE);
    prep_read(&cb, ends[1], &byte, 1, 7);
    ck_assert_int_eq((int)perform(ctx, &cb), -ESPIPE);
    prep_write(&cb, ends[0], "s", 1, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    prep_read(&cb, ends[1], &byte, 1, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    ck_assert_int_eq(byte, 's');
    make_pipe(ends);
    prep_write(&cb, ends[1], "p", 1, 12345);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    prep_read(&cb, ends[0], &byte, 1, 54321);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    ck_assert_int_eq(byte, 'p');
}
END_TEST

/* "EPIPE and non-blocking EAGAIN arrive as events." */
START_TEST(epipe_and_eagain_are_events)
{
    struct iocb cb;
    char byte;
    int ends[2];
    aio_context_t ctx = new_context(1);

    handle(SIGPIPE, SIG_IGN, 0);
    make_pipe(ends);
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    prep_read(&cb, ends[0], &byte, 1, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), -EAGAIN);
    close(ends[0]);
    prep_write(&cb, ends[1], "x", 1, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), -EPIPE);
    make_sockets(ends);
    close(ends[0]);
    prep_write(&cb, ends[1], "x", 1, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), -EPIPE);
}
END_TEST

/* "The iocb AND its iovec array belong to the caller again as soon as io_submit returns" */
START_TEST(iocb_and_iovec_are_free_at_once)
{
    enum { ROUNDS = 100, N = 50 };
    struct iocb cb;
    struct iovec iov[2];
    static char bytes[N][6];
    struct io_event events[N];
    aio_context_t ctx = new_context(N);
    int fd = temp_file(N * 6);

    for (int round = 0; round < ROUNDS; round++) {
        memset(bytes, 0, sizeof bytes);
        for (int i = 0; i < N; i++) {
            iov[0] = (struct iovec){bytes[i], 2};
            iov[1] = (struct iovec){bytes[i] + 2, 4};
            if (i % 2 == 0)
                prep_readv(&cb, fd, iov, 2, i * 6);
            else
                prep_read(&cb, fd, bytes[i], 6, i * 6);
            cb.aio_data = (unsigned)i;
            must_submit(ctx, &cb);
            memset(&cb, 0xff, sizeof cb);
            memset(iov, 0xff, sizeof iov);
        }
        reap(ctx, N, events);
        for (int i = 0; i < N; i++) {
            ck_assert_int_eq((int)events[i].res, 6);
            ck_assert(events[i].obj == as_u64(&cb));
        }
        ck_assert(is_pattern(bytes, sizeof bytes, 0));
    }
}
END_TEST

/* The same for a list, and for memory that goes away. */
START_TEST(the_submitted_memory_may_be_unmapped)
{
    static char bytes[16];
    aio_context_t ctx = new_context(4);
    int fd = temp_file(sizeof bytes);

    for (int round = 0; round < 200; round++) {
        struct iocb **list = malloc(sizeof *list), *cb = malloc(sizeof *cb);
        struct iovec *iov = malloc(2 * sizeof *iov);
        struct io_event event;

        iov[0] = (struct iovec){bytes, 8};
        iov[1] = (struct iovec){bytes + 8, 8};
        prep_readv(cb, fd, iov, 2, 0);
        list[0] = cb;
        ck_assert_int_eq(t_submit(ctx, 1, list), 1);
        free(iov);
        free(cb);
        free(list);
        event = reap_one(ctx);
        ck_assert_int_eq((int)event.res, sizeof bytes);
    }
}
END_TEST

/* "The open file is pinned: a close after io_submit does not affect the request." */
START_TEST(the_file_may_be_closed_at_once)
{
    char bytes[64];
    struct iocb cbs[COUNT(bytes)];
    struct io_event events[COUNT(bytes)];
    aio_context_t ctx = new_context(COUNT(bytes));
    int fd = temp_file(COUNT(bytes));

    for (size_t i = 0; i < COUNT(bytes); i++) {
        int copy = dup(fd);

        prep_read(&cbs[i], copy, &bytes[i], 1, (int64_t)i);
        must_submit(ctx, &cbs[i]);
        close(copy);
    }
    reap(ctx, COUNT(bytes), events);
    for (size_t i = 0; i < COUNT(bytes); i++)
        ck_assert_int_eq((int)events[i].res, 1);
    ck_assert(is_pattern(bytes, COUNT(bytes), 0));
}
END_TEST

/* And another may take its number. */
START_TEST(the_descriptor_may_be_another_file_at_once)
{
    char bytes[64];
    struct iocb cb;
    aio_context_t ctx = new_context(COUNT(bytes));
    int other = open("/dev/zero", O_RDONLY | O_CLOEXEC), fd = temp_file(COUNT(bytes));
    int used = dup(fd);

    for (size_t i = 0; i < COUNT(bytes); i++) {
        prep_read(&cb, used, &bytes[i], 1, (int64_t)i);
        must_submit(ctx, &cb);
        ck_assert_int_eq(dup2(other, used), used);
        ck_assert_int_eq(dup2(fd, used), used);
    }
    ck_assert_int_eq(dup2(other, used), used);
    reap(ctx, COUNT(bytes), NULL);
    ck_assert(is_pattern(bytes, COUNT(bytes), 0));
}
END_TEST

/* The same for one that surely is in flight. */
START_TEST(a_pipe_may_be_closed_while_it_is_read)
{
    struct iocb cb;
    struct io_event event;
    char byte = 0;
    int ends[2];
    aio_context_t ctx = new_context(1);

    BEYOND_THE_KERNEL(); /* it blocks in io_submit */
    make_pipe(ends);
    prep_read(&cb, ends[0], &byte, 1, 0);
    must_submit(ctx, &cb);
    close(ends[0]);
    ck_assert_int_eq((int)write(ends[1], "c", 1), 1); /* there still is a reader */
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
    ck_assert_int_eq((int)event.res, 1);
    ck_assert_int_eq(byte, 'c');
}
END_TEST

/* Writes go to the file that the number meant at io_submit, and not to the one it means now. */
START_TEST(nothing_is_written_to_another_file)
{
    enum { N = 16, SIZE = 4096 };
    static char block[SIZE], found[SIZE];
    struct iocb cbs[N], *list[N];
    struct io_event events[N];
    int file = temp_file(0), other = temp_file(SIZE);
    aio_context_t ctx;

    if (_i == 1)
        queue_everything();
    ctx = new_context(N);
    memset(block, 'w', sizeof block);
    for (int round = 0; round < 300; round++) {
        int fd = dup(file);

        ck_assert_int_eq(ftruncate(file, 0), 0);
        for (int i = 0; i < N; i++) {
            prep_write(&cbs[i], fd, block, SIZE, (int64_t)i * SIZE);
            list[i] = &cbs[i];
        }
        ck_assert_int_eq(t_submit(ctx, N, list), N);
        ck_assert_int_eq(dup2(other, fd), fd);
        close(fd);
        reap(ctx, N, events);
        for (int i = 0; i < N; i++)
            ck_assert_int_eq((int)events[i].res, SIZE);
        ck_assert_int_eq((int)lseek(file, 0, SEEK_END), N * SIZE);
        ck_assert_int_eq((int)lseek(other, 0, SEEK_END), SIZE);
        ck_assert_int_eq((int)pread(other, found, SIZE, 0), SIZE);
        ck_assert(is_pattern(found, SIZE, 0));
    }
}
END_TEST

static int lock_all_of(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_SETLK, &lock);
}

/* Another process cannot lock it: its exit status is 0. */
static int locked_for_others(int fd)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        EXPECT(lock_all_of(fd) == -1 && (errno == EAGAIN || errno == EACCES));
        _exit(0);
    }
    return status_of(pid, 0);
}

/* POSIX locks go when the process closes any descriptor of the file: none of ours may be closed. */
START_TEST(locks_of_the_program_stay)
{
    enum { N = 8 };
    static char bytes[N][512];
    struct iocb cbs[N], *list[N];
    int fd = temp_file(sizeof bytes);
    aio_context_t ctx;

    if (_i % 2 == 1)
        queue_everything();
    ctx = new_context(N);
    if (_i < 2)
        ck_assert_int_eq(lock_all_of(fd), 0);
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < N; i++) {
            if (i == 7)
                prep(&cbs[i], IOCB_CMD_FDSYNC, fd, NULL, 0, 0);
            else if (i == 6)
                prep_poll(&cbs[i], fd, POLLIN);
            else
                prep(&cbs[i], i % 2 == 0 ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE, fd, bytes[i],
                     sizeof bytes[i], (int64_t)((size_t)i * sizeof bytes[i]));
            list[i] = &cbs[i];
        }
        /* The sync but now and then: it takes its time. */
        ck_assert_int_eq(t_submit(ctx, round % 50 == 0 ? N : N - 1, list),
                         round % 50 == 0 ? N : N - 1);
        if (round == 0 && _i >= 2) /* the lock comes with requests in flight */
            ck_assert_int_eq(lock_all_of(fd), 0);
        reap(ctx, round % 50 == 0 ? N : N - 1, NULL);
        if (round % 100 == 0)
            ck_assert_int_eq(locked_for_others(fd), 0);
    }
    ck_assert_int_eq(locked_for_others(fd), 0);
    must_destroy(ctx);
    ck_assert_int_eq(locked_for_others(fd), 0);
}
END_TEST

#ifdef SYS_close_range
enum { OWN = 32 };

/* A child that closes all it has not opened, and uses the numbers itself. */
static void close_everything(int fd)
{
    static char block[512], found[512];
    struct iocb cb;
    struct io_event event;
    aio_context_t ctx = 0;
    int other, file, own[OWN];

    EXPECT(lock_all_of(fd) == 0); /* such that a duplicate of it cannot be closed */
    EXPECT(t_setup(4, &ctx) == 0);
    memset(block, 'w', sizeof block);
    prep_write(&cb, fd, block, sizeof block, 0);
    EXPECT(submit(ctx, &cb) == 1);
    EXPECT(t_getevents(ctx, 1, 1, &event, NULL) == 1 && event.res == sizeof block);
    EXPECT(syscall(SYS_close_range, 3U, ~0U, 0U) == 0);
    EXPECT((file = open(".", O_TMPFILE | O_RDWR, 0600)) >= 0);
    EXPECT((other = open(".", O_TMPFILE | O_RDWR, 0600)) >= 0);
    for (int i = 0; i < OWN; i++)
        EXPECT((own[i] = fcntl(other, F_DUPFD, 512)) == 512 + i);
    for (int round = 0; round < 100; round++) {
        memset(block, 'a' + round % 26, sizeof block);
        prep_write(&cb, file, block, sizeof block, 512L * (1 + round));
        EXPECT(submit(ctx, &cb) == 1);
        EXPECT(t_getevents(ctx, 1, 1, &event, NULL) == 1 && event.res == sizeof block);
        EXPECT(pread(file, found, sizeof found, 512L * (1 + round)) == sizeof found);
        EXPECT(memcmp(found, block, sizeof found) == 0);
    }
    EXPECT(t_destroy(ctx) == 0);
    for (int i = 0; i < OWN; i++)
        EXPECT(fcntl(own[i], F_GETFD) >= 0);
    EXPECT(lseek(other, 0, SEEK_END) == 0);
    _exit(0);
}

/* A program may close what it has not opened: the numbers are its own then. */
START_TEST(descriptors_of_ours_may_be_closed)
{
    int fd = temp_file(0);
    pid_t pid;

    queue_everything();
    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        close_everything(fd);
    ck_assert_int_eq(status_of(pid, 0), 0);
}
END_TEST
#endif

/* Direct I/O, where the file system has it. */
START_TEST(direct_files)
{
    void *buf;
    struct iocb cb;
    int fd, plain = temp_file(16 * 4096);
    aio_context_t ctx = new_context(1);
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", plain);
    fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (fd < 0)
        SKIP("no O_DIRECT here");
    ck_assert_int_eq(fsync(plain), 0);
    ck_assert_int_eq(posix_memalign(&buf, 4096, 8 * 4096), 0);
    prep_read(&cb, fd, buf, 8 * 4096, 4096);
    ck_assert_int_eq((int)perform(ctx, &cb), 8 * 4096);
    ck_assert(is_pattern(buf, 8 * 4096, 4096));
    prep_write(&cb, fd, buf, 4096, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 4096);
    ck_assert_int_eq((int)pread(plain, buf, 4096, 0), 4096);
    ck_assert(is_pattern(buf, 4096, 4096));
    free(buf);
}
END_TEST

Suite *readwrite_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("readwrite", 60, &tc);

    tcase_add_test(tc, pread_reads_at_the_offset);
    tcase_add_test(tc, pwrite_writes_at_the_offset);
    tcase_add_test(tc, preadv_scatters);
    tcase_add_test(tc, pwritev_gathers);
    tcase_add_test(tc, short_reads_at_the_end);
    tcase_add_test(tc, no_bytes_are_no_error);
    tcase_add_test(tc, large_ones);
    tcase_add_test(tc, large_reads_of_what_is_cached_in_part);
    tcase_add_test(tc, offsets_beyond_four_gigabytes);
    tcase_add_test(tc, ebadf_for_the_wrong_mode);
    tcase_add_test(tc, einval_for_a_negative_offset);
    tcase_add_test(tc, eopnotsupp_for_unknown_flags);
    tcase_add_test(tc, flags_that_a_file_has);
    tcase_add_test(tc, append_writes_at_the_end);
    tcase_add_test(tc, append_mode_writes_at_the_end);
    tcase_add_test(tc, einval_for_append_and_noappend);
    tcase_add_test(tc, noappend_writes_at_the_offset);
    tcase_add_test(tc, einval_for_a_write_to_an_eventfd);
    tcase_add_test(tc, nowait_gives_eagain);
    tcase_add_test(tc, einval_for_a_bad_priority);
    tcase_add_test(tc, priorities_are_accepted);
    tcase_add_test(tc, the_priority_counts_only_with_its_flag);
    tcase_add_test(tc, eperm_for_real_time_without_the_right);
    tcase_add_test(tc, einval_for_too_many_iovecs);
    tcase_add_test(tc, einval_for_negative_lengths);
    tcase_add_test(tc, efault_for_a_bad_iovec_pointer);
    tcase_add_test(tc, efault_for_a_buffer_of_the_kernel);
    tcase_add_test(tc, the_event_has_efault_for_a_bad_buffer);
    tcase_add_test(tc, offsets_of_what_has_none);
    tcase_add_test(tc, epipe_and_eagain_are_events);
    tcase_add_test(tc, iocb_and_iovec_are_free_at_once);
    tcase_add_test(tc, the_submitted_memory_may_be_unmapped);
    tcase_add_test(tc, the_file_may_be_closed_at_once);
    tcase_add_test(tc, the_descriptor_may_be_another_file_at_once);
    tcase_add_test(tc, a_pipe_may_be_closed_while_it_is_read);
    tcase_add_loop_test(tc, nothing_is_written_to_another_file, 0, 2);
    tcase_add_loop_test(tc, locks_of_the_program_stay, 0, 4);
#ifdef SYS_close_range
    tcase_add_test(tc, descriptors_of_ours_may_be_closed);
#endif
    tcase_add_test(tc, direct_files);
    return suite;
}
