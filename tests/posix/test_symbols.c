/* SPDX-License-Identifier: MIT */
/* "Symbols": which names there are, and that they are one library's. */
#include "helpers.h"

#include <dlfcn.h>

#ifdef UAIO_TEST_PREFIXED
static const char *const names[] = {"uaio_read",   "uaio_write",     "uaio_fsync",
                                    "uaio_error",  "uaio_return",    "uaio_suspend",
                                    "uaio_cancel", "uaio_lio_listio"};
static const char *const names64[] = {"uaio_read"};
static const char *const init_name = "uaio_init";
#else
static const char *const names[] = {"aio_read",   "aio_write",   "aio_fsync",  "aio_error",
                                    "aio_return", "aio_suspend", "aio_cancel", "lio_listio"};
static const char *const names64[] = {"aio_read64",   "aio_write64",  "aio_fsync64",
                                      "aio_error64",  "aio_return64", "aio_suspend64",
                                      "aio_cancel64", "lio_listio64"};
static const char *const init_name = "aio_init";
#endif

/* The start of the object that defines the name; NULL if there is none. */
static const void *home_of(const char *name)
{
    const void *address = dlsym(RTLD_DEFAULT, name);
    Dl_info info;

    if (address == NULL || dladdr(address, &info) == 0)
        return NULL;
    return info.dli_fbase;
}

/*
 * "aio_read aio_write aio_fsync aio_error aio_return aio_suspend aio_cancel
 * lio_listio"
 */
START_TEST(every_function_is_there_and_of_one_library)
{
    const void *home = home_of(names[0]);

    if (home == NULL)
        SKIP("linked statically, no dynamic symbols");
    for (size_t i = 0; i < COUNT(names); i++)
        ck_assert_msg(home_of(names[i]) == home, "%s is not the library's", names[i]);
}
END_TEST

/* "each also as ...64" */
START_TEST(every_function_is_also_there_as_64)
{
    const void *home = home_of(names[0]);

    if (home == NULL)
        SKIP("linked statically, no dynamic symbols");
    for (size_t i = 0; i < COUNT(names64); i++)
        ck_assert_msg(home_of(names64[i]) == home, "%s is not the library's", names64[i]);
}
END_TEST

/* "and glibc's aio_init" */
START_TEST(aio_init_is_there)
{
    if (home_of(names[0]) == NULL)
        SKIP("linked statically, no dynamic symbols");
    ck_assert_ptr_eq(home_of(init_name), home_of(names[0]));
}
END_TEST

/* "On 32-bit with 64-bit time_t: __aio_suspend_time64" */
START_TEST(suspend_time64_is_there_on_32_bit)
{
#ifdef UAIO_TEST_PREFIXED
    SKIP("a name of libc's only");
#else
    if (sizeof(long) > 4)
        SKIP("64-bit");
    if (home_of(names[0]) == NULL)
        SKIP("linked statically, no dynamic symbols");
    ck_assert_ptr_eq(home_of("__aio_suspend_time64"), home_of(names[0]));
#endif
}
END_TEST

#if !defined(UAIO_TEST_PREFIXED) && !(defined(_FILE_OFFSET_BITS) && _FILE_OFFSET_BITS == 64)
# define HAVE_BOTH_NAMES 1

/* "programs built with _FILE_OFFSET_BITS=64 call those" */
START_TEST(the_64_functions_do_the_same)
{
    char buf[100] = {0};
    struct aiocb64 cb;
    struct aiocb64 *const list[] = {&cb};
    const struct aiocb64 *const waited[] = {&cb};
    int fd = temp_file(1000);

    memset(&cb, 0, sizeof cb);
    cb.aio_fildes = fd;
    cb.aio_buf = buf;
    cb.aio_nbytes = sizeof buf;
    cb.aio_offset = 200;
    cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    ck_assert_int_eq(aio_read64(&cb), 0);
    while (aio_error64(&cb) == EINPROGRESS)
        ck_assert_int_eq(aio_suspend64(waited, 1, NULL), 0);
    ck_assert_int_eq(aio_error64(&cb), 0);
    ck_assert_int_eq(aio_return64(&cb), sizeof buf);
    ck_assert(is_pattern(buf, sizeof buf, 200));

    cb.aio_offset = 2000;
    ck_assert_int_eq(aio_write64(&cb), 0);
    while (aio_error64(&cb) == EINPROGRESS)
        ck_assert_int_eq(aio_suspend64(waited, 1, NULL), 0);
    ck_assert_int_eq(aio_return64(&cb), sizeof buf);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 2000 + (off_t)sizeof buf);

    ck_assert_int_eq(aio_fsync64(O_SYNC, &cb), 0);
    while (aio_error64(&cb) == EINPROGRESS)
        ck_assert_int_eq(aio_suspend64(waited, 1, NULL), 0);
    ck_assert_int_eq(aio_return64(&cb), 0);

    cb.aio_lio_opcode = LIO_READ;
    cb.aio_offset = 0;
    ck_assert_int_eq(lio_listio64(LIO_WAIT, list, 1, NULL), 0);
    ck_assert_int_eq(aio_return64(&cb), sizeof buf);
    ck_assert(is_pattern(buf, sizeof buf, 0));
    ck_assert_int_eq(aio_cancel64(fd, &cb), AIO_ALLDONE);
}
END_TEST
#endif

Suite *symbols_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("symbols", 30, &tc);

    tcase_add_test(tc, every_function_is_there_and_of_one_library);
    tcase_add_test(tc, every_function_is_also_there_as_64);
    tcase_add_test(tc, aio_init_is_there);
    tcase_add_test(tc, suspend_time64_is_there_on_32_bit);
#ifdef HAVE_BOTH_NAMES
    tcase_add_test(tc, the_64_functions_do_the_same);
#endif
    return suite;
}
