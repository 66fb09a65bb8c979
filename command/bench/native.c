/* SPDX-License-Identifier: MIT */
/*
 * Native AIO: the kernel's by bare system calls, and uaio's by the libaio.so.1
 * that lies beside this program's libraries.
 */

#include "bench.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EVENTS 64

struct calls {
    int (*setup)(int n, aio_context_t *context);
    int (*destroy)(aio_context_t context);
    int (*submit)(aio_context_t context, long n, struct iocb **list);
    int (*getevents)(aio_context_t context, long least, long most, struct io_event *events,
                     struct timespec *timeout);
};

struct own {
    struct calls calls;
    aio_context_t context;
    struct iocb *cbs;
};

/* ---- the kernel's ------------------------------------------------------------------------ */

static int negative(long result)
{
    return result < 0 ? -errno : (int)result;
}

static int kernel_setup(int n, aio_context_t *context)
{
    return negative(syscall(SYS_io_setup, n, context));
}

static int kernel_destroy(aio_context_t context)
{
    return negative(syscall(SYS_io_destroy, context));
}

static int kernel_submit(aio_context_t context, long n, struct iocb **list)
{
    return negative(syscall(SYS_io_submit, context, n, list));
}

static int kernel_getevents(aio_context_t context, long least, long most, struct io_event *events,
                            struct timespec *timeout)
{
    return negative(syscall(SYS_io_getevents, context, least, most, events, timeout));
}

static const struct calls kernel_calls = {kernel_setup, kernel_destroy, kernel_submit,
                                          kernel_getevents};

/* ---- uaio's --------------------------------------------------------------------------------- */

static void *find_library(char reason[REASON_MAX])
{
    static const char *const places[] = {"../lib/uaio/libaio.so.1", "../lib/libaio.so.1",
                                         UAIO_LIBAIO_DIRECTORY "/libaio.so.1"};
    char path[PATH_MAX], *slash;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path / 2);
    void *library = NULL;

    if (n <= 0)
        n = 0;
    path[n] = '\0';
    slash = strrchr(path, '/');
    for (size_t i = 0; !library && i < sizeof places / sizeof *places; i++) {
        if (places[i][0] == '/') {
            library = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
        } else if (slash) {
            snprintf(slash + 1, sizeof path / 2, "%s", places[i]);
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        }
    }
    if (!library)
        snprintf(reason, REASON_MAX, "uaio's libaio.so.1 is not beside this program");
    return library;
}

static bool find_call(void *library, const char *name, void *call, size_t nbytes)
{
    void *symbol = dlsym(library, name);

    memcpy(call, &symbol, nbytes);
    return symbol != NULL;
}

static bool find_calls(struct calls *calls, char reason[REASON_MAX])
{
    void *library = find_library(reason);

    return library && find_call(library, "io_setup", &calls->setup, sizeof calls->setup) &&
           find_call(library, "io_destroy", &calls->destroy, sizeof calls->destroy) &&
           find_call(library, "io_submit", &calls->submit, sizeof calls->submit) &&
           find_call(library, "io_getevents", &calls->getevents, sizeof calls->getevents);
}

/* ---- whose is it? ------------------------------------------------------------------------------ */

/* The ring of the kernel's is a mapping of a name of its own.  uaio may hand a context
 * through to the kernel, and what is preloaded may take syscall(): figures under a
 * wrong name would be worse than none.  `unknown` is what it is without /proc. */
static bool is_kernels(aio_context_t context, bool unknown)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    bool found = false;
    char line[512];

    if (!maps)
        return unknown;
    while (!found && fgets(line, sizeof line, maps)) {
        unsigned long long from, to;
        found = strstr(line, "[aio]") && sscanf(line, "%llx-%llx", &from, &to) == 2 &&
                context >= from && context < to;
    }
    fclose(maps);
    return found;
}

/* ---- the contenders --------------------------------------------------------------------------- */

static int open_with(struct engine *engine, const struct calls *calls, char reason[REASON_MAX])
{
    const bool of_kernel = calls == &kernel_calls;
    struct own *own = must_allocate(1, sizeof *own);
    int result;

    own->calls = *calls;
    own->cbs = must_allocate(engine->depth, sizeof *own->cbs);
    engine->control_bytes = engine->depth * sizeof *own->cbs;
    engine->own = own;
    result = own->calls.setup((int)engine->depth, &own->context);
    if (result < 0)
        snprintf(reason, REASON_MAX, "io_setup(%u)%s", engine->depth,
                 result == -EAGAIN ? ", see /proc/sys/fs/aio-max-nr" : "");
    if (result >= 0 && is_kernels(own->context, of_kernel) != of_kernel) {
        own->calls.destroy(own->context);
        snprintf(reason, REASON_MAX, "%s",
                 of_kernel ? "io_setup() is not the kernel's: is something preloaded?"
                           : "io_setup() gave a context of the kernel's");
        return ENOTSUP;
    }
    return result < 0 ? -result : 0;
}

static int open_kernel(struct engine *engine, char reason[REASON_MAX])
{
    return open_with(engine, &kernel_calls, reason);
}

static int open_uaio(struct engine *engine, char reason[REASON_MAX])
{
    struct calls calls;

    return find_calls(&calls, reason) ? open_with(engine, &calls, reason) : ENOENT;
}

static int submit(struct engine *engine, unsigned i)
{
    struct own *own = engine->own;
    const struct request *r = &engine->requests[i];
    struct iocb *cb = &own->cbs[i];
    int result;

    memset(cb, 0, sizeof *cb);
    cb->aio_data = i;
    cb->aio_lio_opcode = r->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
    cb->aio_fildes = (uint32_t)r->fd;
    cb->aio_buf = (uintptr_t)r->buffer;
    cb->aio_nbytes = r->nbytes;
    cb->aio_offset = r->offset;
    result = own->calls.submit(own->context, 1, &cb);
    return result == 1 ? 0 : result == 0 ? EAGAIN : -result;
}

static int reap(struct engine *engine)
{
    struct own *own = engine->own;
    struct io_event events[EVENTS];
    int n;

    do
        n = own->calls.getevents(own->context, 1, EVENTS, events, NULL);
    while (n == -EINTR);
    for (int i = 0; i < n; i++)
        engine->done(engine, (unsigned)events[i].data, (long)events[i].res);
    return n < 0 ? -n : 0;
}

static void end(struct engine *engine)
{
    struct own *own = engine->own;

    own->calls.destroy(own->context);
    free(own->cbs);
    free(own);
}

static const char *kernel_cannot(const struct work *work)
{
    if (work->media == MEDIA_SOCKETS)
        return "its io_submit() waits for what a socket has not got yet";
    return NULL;
}

const struct contender contender__kernel = {
    .name = "kernel",
    .title = "native AIO, kernel",
    .colour = "#3f7fc4",
    .open = open_kernel,
    .submit = submit,
    .reap = reap,
    .close = end,
    .cannot = kernel_cannot,
};

const struct contender contender__uaio_linux = {
    .name = "uaio-linux",
    .title = "native AIO, uaio",
    .colour = "#d08020",
    .open = open_uaio,
    .submit = submit,
    .reap = reap,
    .close = end,
};
