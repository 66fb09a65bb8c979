/* SPDX-License-Identifier: MIT */
/* What glibc's tests of aio_* include for a main(), as far as they need it: run.sh. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *test_dir = ".";

static void *xmalloc(size_t nbytes)
{
    void *p = malloc(nbytes);

    if (!p)
        abort();
    return p;
}

static void add_temp_file(const char *name)
{
    (void)name; /* run.sh removes them all */
}

static int create_temp_file(const char *base, char **name)
{
    static char path[64];

    snprintf(path, sizeof path, "%s.XXXXXX", base);
    if (name)
        *name = path;
    return mkstemp(path);
}

#define TEST_VERIFY_EXIT(condition)               \
 do {                                             \
  if (!(condition)) {                             \
   printf("line %d: %s\n", __LINE__, #condition); \
   exit(1);                                       \
  }                                               \
 } while (0)

int main(int argc, char **argv)
{
    (void)test_dir, (void)xmalloc, (void)add_temp_file, (void)create_temp_file;
#ifdef PREPARE
    PREPARE(argc, argv);
#endif
#ifdef TEST_FUNCTION
    return TEST_FUNCTION;
#else
    return do_test(argc, argv);
#endif
}
