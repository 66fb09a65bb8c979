/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "config.h"
#include "pool.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct config config = {
    .threads = 64,
    .idle_ms = 1000,
    .max_requests = 4194304,
    .inline_reads = true,
    .help = true,
};

const struct config *const uaio__settings = &config;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static const char *environment(const char *name)
{
#if defined(__linux__)
    return secure_getenv(name);
#else
    return getenv(name);
#endif
}

/*
 * One line, one write, whatever stdio the program has closed or redirected.
 * What does not print is shown as '?': a value must not make lines of its own.
 */
static void complain(const char *name, const char *value, const char *wanted)
{
    char line[512], shown[200];
    size_t length = 0;
    int n;

    for (; value[length] && length < sizeof shown - 1; length++)
        shown[length] = value[length] >= ' ' && value[length] <= '~' ? value[length] : '?';
    shown[length] = '\0';
    n = snprintf(line, sizeof line, "uaio: %s=%s is not usable (%s); using the default\n", name,
                 shown, wanted);
    if (n > 0)
        (void)!write(STDERR_FILENO, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

/* Digits only: strtoul() would take signs, spaces and what follows. */
static bool parse(const char *text, unsigned min, unsigned max, unsigned *value)
{
    unsigned long long n = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        n = n * 10 + (unsigned)(*text - '0');
        if (n > max)
            return false;
    }
    if (n < min)
        return false;
    *value = (unsigned)n;
    return true;
}

static bool read_number(const char *name, unsigned min, unsigned max, unsigned *value)
{
    const char *text = environment(name);
    char wanted[64];

    if (!text)
        return false;
    if (parse(text, min, max, value))
        return true;
    snprintf(wanted, sizeof wanted, "a number from %u to %u", min, max);
    complain(name, text, wanted);
    return false;
}

static void read_switch(const char *name, bool *value)
{
    unsigned n = *value;

    if (read_number(name, 0, 1, &n))
        *value = n != 0;
}

static void read_backend(void)
{
    const char *value = environment("UAIO_BACKEND");

    if (!value || strcmp(value, "emulate") == 0)
        return;
    if (strcmp(value, "native-first") == 0)
        config.native_first = true;
    else
        complain("UAIO_BACKEND", value, "emulate or native-first");
}

int uaio__open_stats(const char *path)
{
    return open(
        path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
}

/* A copy, as the program may change its environment; absolute, as it may
 * change its directory. */
static char *absolute(const char *path)
{
    char cwd[4096], *copy;

    if (*path == '/' || !getcwd(cwd, sizeof cwd))
        return strdup(path);
    copy = malloc(strlen(cwd) + strlen(path) + 2);
    if (copy)
        sprintf(copy, "%s/%s", cwd, path);
    return copy;
}

/* The report comes at exit, when a complaint is of no use any more. */
static void read_stats(void)
{
    const char *value = environment("UAIO_STATS");
    int fd;

    if (!value || strcmp(value, "0") == 0)
        return;
    if (strcmp(value, "stderr") == 0 || strcmp(value, "1") == 0) {
        config.stats = "stderr";
        return;
    }
    fd = *value ? uaio__open_stats(value) : -1;
    if (fd < 0) {
        complain("UAIO_STATS", value, "stderr, or a file that can be appended to");
        return;
    }
    close(fd);
    config.stats = absolute(value);
}

static void load(void)
{
    int saved = errno;

    config.threads_fixed = read_number("UAIO_THREADS", 1, POOL_MAX_THREADS, &config.threads);
    config.idle_fixed = read_number("UAIO_IDLE_MS", 0, 3600000, &config.idle_ms);
    read_number("UAIO_MAX_REQUESTS", 1, 16777216, &config.max_requests);
    read_number("UAIO_MAX_EVENTS", 1, UINT_MAX, &config.max_events);
    read_switch("UAIO_INLINE", &config.inline_reads);
    read_switch("UAIO_HELP", &config.help);
    read_switch("UAIO_STRICT", &config.strict);
    read_backend();
    read_stats();
    errno = saved;
}

const struct config *uaio__config(void)
{
    pthread_once(&once, load);
    return &config;
}
