/* SPDX-License-Identifier: MIT */
/*
 * A program comes to asynchronous I/O by names that it or its libraries import; the
 * preload answers to those that it exports itself, which is asked of its file, not
 * assumed.  What dlopen() brings in later, and system calls made without libc's
 * function syscall(), no table of symbols shows.
 */
#include "doctor.h"

#include <stdio.h>
#include <string.h>

const char *const road_words[ROADS] = {"posix", "native", "io_uring", "syscall", "dlopen", "own"};

static const char *const posix_names[] = {"aio_read",
                                          "aio_read64",
                                          "aio_write",
                                          "aio_write64",
                                          "aio_fsync",
                                          "aio_fsync64",
                                          "aio_error",
                                          "aio_error64",
                                          "aio_return",
                                          "aio_return64",
                                          "aio_suspend",
                                          "aio_suspend64",
                                          "aio_cancel",
                                          "aio_cancel64",
                                          "lio_listio",
                                          "lio_listio64",
                                          "__aio_suspend_time64",
                                          NULL};
static const char *const native_names[] = {"io_setup",
                                           "io_destroy",
                                           "io_submit",
                                           "io_cancel",
                                           "io_getevents",
                                           "io_pgetevents",
                                           "io_queue_init",
                                           "io_queue_release",
                                           "io_queue_run",
                                           "io_queue_wait",
                                           NULL};
static const char *const syscall_names[] = {"syscall", NULL};
static const char *const dlopen_names[] = {"dlopen", "dlmopen", NULL};

/* The name as it is in the list, which outlives the file, or NULL. */
static const char *find(const char *const list[], const char *name)
{
    while (*list && strcmp(*list, name) != 0)
        list++;
    return *list;
}

/* These have the names, and what they import is for that. */
static bool provides(const char *library)
{
    static const char *const beginnings[] = {
        "libc.so",   "libc.musl-",  "libpthread.so", "librt.so",     "libdl.so",   "ld-",
        "libaio.so", "liburing.so", "libuaio",       "libstdc++.so", "libgcc_s.so"};

    for (unsigned i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (strncmp(library, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

/* ---- what is imported --------------------------------------------------------------------------- */

struct search {
    struct roads *roads;
    const struct library *library;
    bool is_program;
};

static void add(const struct search *search, enum road road, const char *symbol)
{
    struct roads *roads = search->roads;

    for (unsigned i = 0; i < roads->n; i++)
        if (roads->uses[i].library == search->library && roads->uses[i].road == road &&
            roads->uses[i].symbol == symbol)
            return;
    if (roads->n < USES_MAX)
        roads->uses[roads->n++] =
            (struct use){.road = road, .symbol = symbol, .library = search->library};
}

static void add_if(const struct search *search, enum road road, const char *const list[],
                   const char *name)
{
    const char *symbol = find(list, name);

    if (symbol)
        add(search, road, symbol);
}

/* Half of all libraries import syscall, for other calls: of them it would tell nothing. */
static void note_import(void *context, const char *name, bool defined, bool is_function)
{
    static const char uring[] = URING_NAME;
    const struct search *search = context;

    (void)is_function;
    if (defined)
        return;
    add_if(search, ROAD_POSIX, posix_names, name);
    add_if(search, ROAD_NATIVE, native_names, name);
    add_if(search, ROAD_DLOPEN, dlopen_names, name);
    if (search->is_program)
        add_if(search, ROAD_SYSCALL, syscall_names, name);
    if (strncmp(name, uring, strlen(uring) - 1) == 0)
        add(search, ROAD_URING, uring);
}

/* Native AIO within the program: libaio's archive, or functions of its own. */
static void note_own(void *context, const char *name, bool defined, bool is_function)
{
    if (defined && is_function)
        add_if(context, ROAD_OWN, native_names, name);
}

/* ---- what is taken over --------------------------------------------------------------------------- */

static void note_export(void *context, const char *name, bool defined, bool is_function)
{
    struct roads *roads = context;

    for (unsigned i = 0; i < roads->n && defined && is_function; i++)
        if (roads->uses[i].road != ROAD_OWN && strcmp(roads->uses[i].symbol, name) == 0)
            roads->uses[i].taken = true;
}

bool roads__has(const struct roads *roads, enum road road, bool taken)
{
    for (unsigned i = 0; i < roads->n; i++)
        if (roads->uses[i].road == road && roads->uses[i].taken >= taken)
            return true;
    return false;
}

static void note_ours(struct roads *roads, const struct library *library, bool is_program)
{
    if (is_program || strncmp(library->name, "libuaio", 7) != 0)
        return;
    if (strncmp(library->name, "libuaio.so", 10) == 0)
        roads->with_libuaio = true;
    else
        roads->on_uaio = true;
}

void roads__find(struct roads *roads, const struct libraries *libraries,
                 const struct preload *preload)
{
    *roads = (struct roads){.n = 0};
    for (unsigned i = 0; i < libraries->n; i++) {
        const struct library *library = &libraries->all[i];
        struct search search = {roads, library, i == 0};
        note_ours(roads, library, i == 0);
        if (library->path && provides(library->name))
            continue;
        if (!library->path ||
            elf__each_symbol(&library->elf, SHT_DYNSYM, note_import, &search) != ELF_GOOD)
            roads->illegible = true;
        if (i == 0)
            elf__each_symbol(&library->elf, SHT_SYMTAB, note_own, &search);
    }
    if (preload->elf.fd >= 0)
        elf__each_symbol(&preload->elf, SHT_DYNSYM, note_export, roads);
}
