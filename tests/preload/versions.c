/* SPDX-License-Identifier: MIT */
/*
 * Which functions do libaio's names lead to under the preload?  Linked with
 * the system's libaio; calls the default variants and, as a program linked
 * before libaio 0.4 does, those of version LIBAIO_0.1.
 *
 *     versions LIBRARY FILE [PLUGIN...]
 *
 * LIBRARY is the file name of the preload, FILE has 8192 bytes at least, each
 * PLUGIN is loaded with RTLD_LOCAL and checked as well.  Built as
 *
 *   the program             (no macro)               needs libaio
 *   a plugin                UAIO_TEST_PLUGIN         needs libaio
 *   a plugin                UAIO_TEST_UNVERSIONED    needs no library: its
 *                                                    references have no version
 *   a program for plugins   UAIO_TEST_HOST           knows nothing of libaio
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int checker(const char *library, const char *file);

#ifndef UAIO_TEST_HOST

# include <uaio/libaio.h>

# include <aio.h>
# include <errno.h>
# include <fcntl.h>
# include <stdint.h>
# include <time.h>
# include <unistd.h>

int io_queue_wait(io_context_t ctx, struct timespec *timeout);

# ifndef UAIO_TEST_UNVERSIONED
int old_cancel(io_context_t ctx, struct iocb *iocb);
int old_getevents(io_context_t ctx, long nr, struct io_event *events,
                  const struct timespec *timeout);
int old_queue_wait(io_context_t ctx, const struct timespec *timeout);
__asm__(".symver old_cancel,io_cancel@LIBAIO_0.1");
__asm__(".symver old_getevents,io_getevents@LIBAIO_0.1");
__asm__(".symver old_queue_wait,io_queue_wait@LIBAIO_0.1");
# endif

static int failures;

# define CHECK(condition)                                           \
  do {                                                              \
   if (!(condition)) {                                              \
    fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
    failures++;                                                     \
   }                                                                \
  } while (0)

typedef void function(void);

/* The file that a function is in. */
static const char *file_of(function *f)
{
    Dl_info info;
    void *address;
    const char *slash;

    memcpy(&address, &f, sizeof address);
    if (!dladdr(address, &info))
        return "?";
    slash = strrchr(info.dli_fname, '/');
    return slash ? slash + 1 : info.dli_fname;
}

static function *named(void *handle, const char *name, const char *version)
{
    void *address = version ? dlvsym(handle, name, version) : dlsym(handle, name);
    function *f;

    memcpy(&f, &address, sizeof f);
    return f;
}

struct binding {
    const char *name;
    const char *version;
    function *bound; /* what this object's reference was bound to */
};

# define DEFAULT(name, version)     \
  {                                 \
#   name, version, (function *)name \
  }

static void check_bindings(const char *library)
{
    const struct binding bindings[] = {
        DEFAULT(io_setup, "LIBAIO_0.4"),
        DEFAULT(io_destroy, "LIBAIO_0.4"),
        DEFAULT(io_submit, "LIBAIO_0.1"),
        DEFAULT(io_cancel, "LIBAIO_0.4"),
        DEFAULT(io_getevents, "LIBAIO_0.4"),
        DEFAULT(io_pgetevents, "LIBAIO_0.5"),
        DEFAULT(io_queue_init, "LIBAIO_0.1"),
        DEFAULT(io_queue_release, "LIBAIO_0.1"),
        DEFAULT(io_queue_run, "LIBAIO_0.1"),
        DEFAULT(io_queue_wait, "LIBAIO_0.4"),
# ifndef UAIO_TEST_UNVERSIONED
        {"io_cancel", "LIBAIO_0.1", (function *)old_cancel},
        {"io_getevents", "LIBAIO_0.1", (function *)old_getevents},
        {"io_queue_wait", "LIBAIO_0.1", (function *)old_queue_wait},
# endif
        /* The ones without a version. */
        DEFAULT(aio_read, NULL),
        DEFAULT(syscall, NULL),
    };

    for (size_t i = 0; i < sizeof bindings / sizeof *bindings; i++) {
        const struct binding *b = &bindings[i];
        const char *version = b->version ? b->version : "no version";

        if (strcmp(file_of(b->bound), library)) {
            fprintf(stderr, "%s@%s is in %s\n", b->name, version, file_of(b->bound));
            failures++;
        }
        if (named(RTLD_DEFAULT, b->name, b->version) != b->bound) {
            fprintf(stderr, "%s@%s is bound to another variant\n", b->name, version);
            failures++;
        }
    }
    CHECK(named(RTLD_DEFAULT, "io_getevents", NULL) == (function *)io_getevents);
    CHECK(named(RTLD_DEFAULT, "io_cancel", NULL) == (function *)io_cancel);
}

enum { N = 2, SIZE = 4096 };

static char data[N][SIZE];

static void submit_reads(io_context_t ctx, int fd, struct iocb cb[N])
{
    for (int i = 0; i < N; i++) {
        struct iocb *list[] = {&cb[i]};

        io_prep_pread(&cb[i], fd, data[i], SIZE, i * SIZE);
        cb[i].data = data[i];
        CHECK(io_submit(ctx, 1, list) == 1);
    }
}

static void check_event(const struct io_event *event, const struct iocb cb[N])
{
    CHECK(event->obj == &cb[0] || event->obj == &cb[1]);
    CHECK(event->data == data[event->obj == &cb[1]]);
    CHECK(event->res == SIZE && event->res2 == 0);
}

static void check_default(int fd)
{
    struct io_event events[N];
    struct iocb cb[N];
    io_context_t ctx = NULL;

    CHECK(io_queue_init(N, &ctx) == 0);
    submit_reads(ctx, fd, cb);
    CHECK(io_getevents(ctx, N, N, events, NULL) == N);
    for (int i = 0; i < N; i++)
        check_event(&events[i], cb);
    submit_reads(ctx, fd, cb);
    CHECK(io_pgetevents(ctx, N, N, events, NULL, NULL) == N);
    CHECK(io_cancel(ctx, &cb[0], &events[0]) == -EINVAL);
    CHECK(io_queue_release(ctx) == 0);
}

/* io_getevents() has no min_nr: it is 1. */
static void check_old(int fd)
{
# ifndef UAIO_TEST_UNVERSIONED
    const struct timespec minute = {60, 0}, now = {0, 0};
    struct io_event event;
    struct iocb cb[N];
    io_context_t ctx = NULL;

    CHECK(io_setup(N, &ctx) == 0);
    submit_reads(ctx, fd, cb);
    CHECK(old_queue_wait(ctx, &now) == 0);
    for (int i = 0; i < N; i++) {
        memset(&event, 0, sizeof event);
        CHECK(old_getevents(ctx, 1, &event, &minute) == 1);
        check_event(&event, cb);
    }
    CHECK(old_getevents(ctx, 1, &event, &now) == 0);
    CHECK(old_getevents(ctx, 0, &event, &now) == -EINVAL);
    CHECK(old_cancel(ctx, &cb[0]) == -EINVAL);
    CHECK(io_destroy(ctx) == 0);
# else
    (void)fd;
# endif
}

typedef int setup_function(int, io_context_t *);
typedef int getevents_function(io_context_t, long, long, struct io_event *, struct timespec *);

/* The functions of the real libaio make system calls by syscall(): the
 * contexts are ours, too. */
static void check_real_libaio(int fd)
{
    void *libaio = dlopen("libaio.so.1", RTLD_NOW | RTLD_LOCAL);
    setup_function *real_setup;
    getevents_function *real_getevents;
    struct io_event events[N];
    struct iocb cb[N];
    io_context_t ctx = NULL;

    CHECK(libaio);
    if (!libaio)
        return;
    real_setup = (setup_function *)named(libaio, "io_setup", NULL);
    real_getevents = (getevents_function *)named(libaio, "io_getevents", "LIBAIO_0.4");
    CHECK(!strncmp(file_of((function *)real_setup), "libaio.so.1", strlen("libaio.so.1")));
    CHECK(real_setup(N, &ctx) == 0);
    submit_reads(ctx, fd, cb);
    CHECK(real_getevents(ctx, N, N, events, NULL) == N);
    check_event(&events[0], cb);
    CHECK(io_destroy(ctx) == 0);
    dlclose(libaio);
}

static void check_posix(int fd)
{
    struct aiocb cb;
    const struct aiocb *const list[] = {&cb};

    memset(&cb, 0, sizeof cb);
    cb.aio_fildes = fd;
    cb.aio_buf = data;
    cb.aio_nbytes = SIZE;
    cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    CHECK(aio_read(&cb) == 0);
    while (aio_error(&cb) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    CHECK(aio_return(&cb) == SIZE);
}

checker check_here;

int check_here(const char *library, const char *file)
{
    int fd = open(file, O_RDONLY);

    CHECK(fd >= 0);
    check_bindings(library);
    if (failures)
        return failures; /* calling a wrong variant is not survived */
    check_default(fd);
    check_old(fd);
    check_real_libaio(fd);
    check_posix(fd);
    close(fd);
    return failures;
}

#endif

#if !defined(UAIO_TEST_PLUGIN) && !defined(UAIO_TEST_UNVERSIONED)
static int check_plugin(const char *plugin, const char *library, const char *file)
{
    void *handle = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    void *address = handle ? dlsym(handle, "check_here") : NULL;
    checker *check;

    if (!address) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    memcpy(&check, &address, sizeof check);
    return check(library, file);
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (argc < 3) {
        fputs("usage: versions LIBRARY FILE [PLUGIN...]\n", stderr);
        return 1;
    }
# ifndef UAIO_TEST_HOST
    failed |= check_here(argv[1], argv[2]);
# endif
    for (int i = 3; i < argc; i++)
        failed |= check_plugin(argv[i], argv[1], argv[2]);
    return failed != 0;
}
#endif
