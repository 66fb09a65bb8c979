/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const help =
    "usage: uaio run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
    "Run a program as it is, its asynchronous I/O done by uaio.\n"
    "\n"
    "Settings (see the README); those that the environment holds stay in force:\n"
    "  --threads N       the most I/O threads at once, 1 to 1024 (64)\n"
    "  --idle-ms N       milliseconds that a thread stays without work, 0 to 3600000 (1000)\n"
    "  --max-requests N  requests under way at once, 1 to 16777216 (4194304)\n"
    "  --max-events N    events asked for by all io_setup together, 1 to 4294967295 (any)\n"
    "  --backend NAME    emulate, or native-first: the kernel's AIO where it grants it\n"
    "  --strict          check each pointer given to native AIO each time\n"
    "  --no-inline       hand reads of cached data to the threads, too\n"
    "  --no-helping      let threads that wait not do the work themselves\n"
    "  --stats[=FILE]    report the counters at exit, on stderr or at the end of FILE\n"
    "\n"
    "How it is run:\n"
    "  --preload FILE    the library, if not the one that came with this command\n"
    "  --force           run it even if the library cannot get into it\n"
    "  --dry-run         print what would be run, in words for a shell, and no more\n"
    "  -h, --help        this text\n"
    "\n"
    "The library is put before what LD_PRELOAD holds, and the program takes the place of\n"
    "this command: no process is between.  What it starts is on uaio, too.  Refused, with\n"
    "the reason, is what the loader would silently run without the library: statically\n"
    "linked programs, set-user-ID ones, those with file capabilities, of another machine\n"
    "or another libc; for a script that is asked of its interpreter.\n"
    "\n"
    "Examples:\n"
    "  uaio run fio --name=x --ioengine=posixaio --rw=randread --size=64m\n"
    "  uaio run --stats --threads 16 -- qemu-img bench -n -t none -f raw disk.img\n"
    "  uaio run --dry-run --no-inline ./server\n"
    "\n"
    "Has it reached uaio?  --stats prints nothing for a process that made no request;\n"
    "'uaio doctor PROGRAM' tells why.\n"
    "\n"
    "Exit status: the program's; 125 uaio refused or the options are bad, 126 the program\n"
    "cannot be run, 127 there is none.\n";

static bool complain(const char *option, const char *text, const char *wanted)
{
    fprintf(stderr, "uaio run: --%s %s: %s\n", option, text, wanted);
    return false;
}

static bool set(struct run *run, const char *variable, const char *value)
{
    for (unsigned i = 0; i < run->n_settings; i++) {
        if (strcmp(run->settings[i].variable, variable) == 0) {
            run->settings[i].value = value;
            return true;
        }
    }
    run->settings[run->n_settings].variable = variable;
    run->settings[run->n_settings++].value = value;
    return true;
}

/* ---- numbers: the ranges are those of lib/engine/config.c, and a test compares them ------- */

enum {
    THREADS = 256,
    IDLE_MS,
    MAX_REQUESTS,
    MAX_EVENTS,
    BACKEND,
    STRICT,
    NO_INLINE,
    NO_HELPING,
    STATS,
    PRELOAD,
    FORCE,
    DRY_RUN
};

static const struct number {
    const char *option, *variable;
    uint64_t least, most;
} numbers[] = {
    {"threads", "UAIO_THREADS", 1, 1024},
    {"idle-ms", "UAIO_IDLE_MS", 0, 3600000},
    {"max-requests", "UAIO_MAX_REQUESTS", 1, 16777216},
    {"max-events", "UAIO_MAX_EVENTS", 1, UINT32_MAX},
};

/* Digits only, as the library takes them. */
static bool in_range(const char *text, uint64_t least, uint64_t most)
{
    uint64_t n = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        n = n * 10 + (uint64_t)(*text - '0');
        if (n > most)
            return false;
    }
    return n >= least;
}

static bool parse_number(struct run *run, const struct number *number, const char *text)
{
    char wanted[96];

    if (in_range(text, number->least, number->most))
        return set(run, number->variable, text);
    snprintf(wanted, sizeof wanted, "a number from %llu to %llu is wanted",
             (unsigned long long)number->least, (unsigned long long)number->most);
    return complain(number->option, text, wanted);
}

static bool parse_backend(struct run *run, const char *text)
{
    if (strcmp(text, "emulate") != 0 && strcmp(text, "native-first") != 0)
        return complain("backend", text, "emulate or native-first is wanted");
    return set(run, "UAIO_BACKEND", text);
}

/* Absolute, as the program may change its directory before its first request. */
static bool parse_stats(struct run *run, const char *file)
{
    static char path[2 * PATH_MAX];
    char cwd[PATH_MAX];

    run->report = NULL;
    if (!file || strcmp(file, "stderr") == 0)
        return set(run, "UAIO_STATS", "stderr");
    if (!*file)
        return complain("stats=", file, "the name of a file is wanted after the =");
    if (*file == '/' || !getcwd(cwd, sizeof cwd))
        snprintf(path, sizeof path, "%s", file);
    else
        snprintf(path, sizeof path, "%s/%s", cwd, file);
    run->report = path;
    return set(run, "UAIO_STATS", path);
}

/* Opened as the library will: better told now than by it. */
static bool can_report(const char *path)
{
    int fd = open(
        path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);

    if (fd < 0)
        return complain("stats", path,
                        errno == ELOOP ? "a symbolic link is not written to" : strerror(errno));
    close(fd);
    return true;
}

/* ---- all of them ------------------------------------------------------------------------------ */

static const struct option names[] = {
    {"threads", 1, NULL, THREADS},
    {"idle-ms", 1, NULL, IDLE_MS},
    {"max-requests", 1, NULL, MAX_REQUESTS},
    {"max-events", 1, NULL, MAX_EVENTS},
    {"backend", 1, NULL, BACKEND},
    {"strict", 0, NULL, STRICT},
    {"no-inline", 0, NULL, NO_INLINE},
    {"no-helping", 0, NULL, NO_HELPING},
    {"stats", 2, NULL, STATS},
    {"preload", 1, NULL, PRELOAD},
    {"force", 0, NULL, FORCE},
    {"dry-run", 0, NULL, DRY_RUN},
    {"help", 0, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool take(struct run *run, int option, const char *text)
{
    switch (option) {
    case THREADS:
    case IDLE_MS:
    case MAX_REQUESTS:
    case MAX_EVENTS:
        return parse_number(run, &numbers[option - THREADS], text);
    case BACKEND:
        return parse_backend(run, text);
    case STRICT:
        return set(run, "UAIO_STRICT", "1");
    case NO_INLINE:
        return set(run, "UAIO_INLINE", "0");
    case NO_HELPING:
        return set(run, "UAIO_HELP", "0");
    case STATS:
        return parse_stats(run, text);
    case PRELOAD:
        run->preload = text;
        return true;
    case FORCE:
        run->force = true;
        return true;
    case DRY_RUN:
        run->dry = true;
        return true;
    default:
        fputs("'uaio run --help' lists the options; those of the program come after its name\n",
              stderr);
        return false;
    }
}

bool run__parse(struct run *run, int argc, char **argv, int *status)
{
    static char name[] = "uaio run"; /* what getopt_long() begins its lines with */
    int option;

    *run = (struct run){.preload = NULL};
    *status = REFUSED;
    argv[0] = name;
    while ((option = getopt_long(argc, argv, "+h", names, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            *status = 0;
            return false;
        }
        if (!take(run, option, optarg))
            return false;
    }
    if (optind == argc) {
        fputs("uaio run: which program?  'uaio run --help' tells how it is used\n", stderr);
        return false;
    }
    run->program = argv + optind;
    return run->dry || !run->report || can_report(run->report);
}
