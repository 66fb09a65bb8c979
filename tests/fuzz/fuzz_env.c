/* SPDX-License-Identifier: MIT */
/*
 * Settings from the environment, as any strings.
 *
 * What must hold: a setting is the number that was asked for, or the default;
 * each value that is not usable is named in one line on stderr, which shows
 * nothing but what prints; and of a usable one nothing is said.
 *
 * The environment is read once in a process: so this program has the settings'
 * source in it, and reads it as often as it likes.
 */
#include "../../lib/engine/config.c"
#include "fuzz.h"

#include <sys/mman.h>
#include <sys/stat.h>

#define VALUE_BYTES 600

enum {
    SETTING_THREADS,
    SETTING_IDLE_MS,
    SETTING_MAX_REQUESTS,
    SETTING_MAX_EVENTS,
    SETTING_INLINE,
    SETTING_HELP,
    SETTING_STRICT,
    SETTING_BACKEND,
    SETTING_STATS,
    SETTINGS
};

static const struct {
    const char *name;
    unsigned long min, max, standard; /* of those that are numbers */
} settings[SETTINGS] = {
    [SETTING_THREADS] = {"UAIO_THREADS", 1, 1024, 64},
    [SETTING_IDLE_MS] = {"UAIO_IDLE_MS", 0, 3600000, 1000},
    [SETTING_MAX_REQUESTS] = {"UAIO_MAX_REQUESTS", 1, 16777216, 4194304},
    [SETTING_MAX_EVENTS] = {"UAIO_MAX_EVENTS", 1, UINT_MAX, 0},
    [SETTING_INLINE] = {"UAIO_INLINE", 0, 1, 1},
    [SETTING_HELP] = {"UAIO_HELP", 0, 1, 1},
    [SETTING_STRICT] = {"UAIO_STRICT", 0, 1, 0},
    [SETTING_BACKEND] = {"UAIO_BACKEND", 0, 0, 0},
    [SETTING_STATS] = {"UAIO_STATS", 0, 0, 0},
};

static struct config defaults;
static int said, real_stderr, home;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_init();
    defaults = config;
    said = memfd_create("stderr", MFD_CLOEXEC);
    real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(said >= 0 && real_stderr >= 0 && home >= 0, "init", errno);
    return 0;
}

/* A string; one for UAIO_STATS names a file in our directory, if any. */
static const char *take_value(struct input *in, int name, char *to)
{
    size_t n = take(in);

    if (n == 0xff)
        return NULL;
    if (n == 0xfe) /* longer than what is shown of it */
        n = VALUE_BYTES - 1;
    for (size_t i = 0; i < n; i++) {
        to[i] = (char)take(in);
        if (to[i] == '\0' || (name == SETTING_STATS && to[i] == '/'))
            to[i] = '.';
    }
    to[n] = '\0';
    return to;
}

/* ---- what is expected ---------------------------------------------------------- */

static bool is_number(const char *text, unsigned long min, unsigned long max, unsigned long *n)
{
    size_t length = strlen(text), zeros = strspn(text, "0");

    if (length == 0 || strspn(text, "0123456789") != length || length - zeros > 12)
        return false;
    *n = (unsigned long)strtoull(text, NULL, 10);
    return strtoull(text, NULL, 10) <= max && *n >= min;
}

static unsigned long result_of(int name)
{
    const unsigned long results[SETTINGS] = {
        [SETTING_THREADS] = config.threads,
        [SETTING_IDLE_MS] = config.idle_ms,
        [SETTING_MAX_REQUESTS] = config.max_requests,
        [SETTING_MAX_EVENTS] = config.max_events,
        [SETTING_INLINE] = config.inline_reads,
        [SETTING_HELP] = config.help,
        [SETTING_STRICT] = config.strict,
    };
    return results[name];
}

/* False: it is to be complained of. */
static bool check_number(int name, const char *value)
{
    unsigned long n = 0;
    bool usable = value && is_number(value, settings[name].min, settings[name].max, &n);

    must(result_of(name) == (usable ? n : settings[name].standard), settings[name].name,
         (long)result_of(name));
    must(name != SETTING_THREADS || config.threads_fixed == usable, "threads_fixed", 0);
    must(name != SETTING_IDLE_MS || config.idle_fixed == usable, "idle_fixed", 0);
    return usable || !value;
}

static bool check_backend(const char *value)
{
    bool native = value && strcmp(value, "native-first") == 0;

    must(config.native_first == native, "UAIO_BACKEND", native);
    return native || !value || strcmp(value, "emulate") == 0;
}

/* Not what may become of a file, but that it is there, and where. */
static bool check_stats(const char *value)
{
    const char *stats = config.stats;
    struct stat st;

    if (!value || strcmp(value, "0") == 0) {
        must(!stats, "UAIO_STATS", 0);
        return true;
    }
    if (strcmp(value, "1") == 0 || strcmp(value, "stderr") == 0) {
        must(stats && strcmp(stats, "stderr") == 0, "UAIO_STATS", 1);
        return true;
    }
    if (!stats)
        return false;
    must(stats[0] == '/' && strcmp(strrchr(stats, '/') + 1, value) == 0, "UAIO_STATS", 2);
    must(stat(stats, &st) == 0 && S_ISREG(st.st_mode), "UAIO_STATS", 3);
    return true;
}

/* One line for each, in the order of the settings. */
static void check_said(const bool *usable)
{
    static char text[SETTINGS * 512 + 1];
    ssize_t n = pread(said, text, sizeof text - 1, 0);
    char *line = text, *end;

    must(n >= 0, "pread", errno);
    text[n] = '\0';
    for (int i = 0; i < SETTINGS; i++) {
        char start[64];
        if (usable[i])
            continue;
        snprintf(start, sizeof start, "uaio: %s=", settings[i].name);
        must(strncmp(line, start, strlen(start)) == 0, "no complaint", i);
        end = strchr(line, '\n');
        must(end != NULL, "a line without an end", i);
        for (; line < end; line++)
            must(*line >= ' ' && *line <= '~', "what does not print", *line);
        line = end + 1;
    }
    must(line == text + n, "more was said", (long)(line - text));
}

/* ---- one input ------------------------------------------------------------------ */

static void forget(void)
{
    if (config.stats && strcmp(config.stats, "stderr") != 0) {
        unlink(config.stats);
        free((void *)(uintptr_t)config.stats);
    }
    config = defaults;
    must(ftruncate(said, 0) == 0 && lseek(said, 0, SEEK_SET) == 0, "ftruncate", errno);
}

/* Only now: what is said of a finding is to be seen. */
static void load_quietly(void)
{
    fflush(stderr);
    dup2(said, STDERR_FILENO);
    load();
    dup2(real_stderr, STDERR_FILENO);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    static char values[SETTINGS][VALUE_BYTES];
    struct input in = {data, data + nbytes};
    const char *value[SETTINGS];
    bool usable[SETTINGS];
    char directory[] = "/tmp/uaio-fuzz.XXXXXX";

    for (int i = 0; i < SETTINGS; i++) {
        value[i] = take_value(&in, i, values[i]);
        if (value[i])
            setenv(settings[i].name, value[i], 1);
        else
            unsetenv(settings[i].name);
    }
    must(mkdtemp(directory) && chdir(directory) == 0, "mkdtemp", errno);
    load_quietly();
    for (int i = 0; i < SETTING_BACKEND; i++)
        usable[i] = check_number(i, value[i]);
    usable[SETTING_BACKEND] = check_backend(value[SETTING_BACKEND]);
    usable[SETTING_STATS] = check_stats(value[SETTING_STATS]);
    check_said(usable);
    forget();
    must(fchdir(home) == 0 && rmdir(directory) == 0, "rmdir", errno);
    return 0;
}
