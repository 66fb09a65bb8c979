/* SPDX-License-Identifier: MIT */
#include "top.h"

#include <getopt.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const help =
    "usage: uaio top [OPTION]... PID\n"
    "Show what uaio does in another process.  It is not stopped, needs no setting, and\n"
    "is not slowed down.\n"
    "\n"
    "  --interval S   seconds between two samples, 0.1 to 3600 (1)\n"
    "  --count N      end after N samples\n"
    "  --once         all since the first request, at once, and no more\n"
    "  --batch        text, sample after sample; so too where the output is no terminal\n"
    "  --json         the same as JSON, an object a line\n"
    "  -h, --help     this text\n"
    "\n"
    "On a terminal: q ends it.  The latencies are of one request in 16.  A descriptor's\n"
    "requests in flight are those of POSIX AIO.  See docs/observability.md.\n"
    "\n"
    "It takes the right to debug that process: the same user, and root where the setting\n"
    "kernel.yama.ptrace_scope is 1 or more.\n"
    "\n"
    "Exit status: 0 also if the process ends meanwhile, 1 if it cannot be watched, 2 bad\n"
    "options.\n";

enum { INTERVAL = 256, COUNT, ONCE, BATCH, JSON };

static const struct option names[] = {
    {"interval", required_argument, NULL, INTERVAL},
    {"count", required_argument, NULL, COUNT},
    {"once", no_argument, NULL, ONCE},
    {"batch", no_argument, NULL, BATCH},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* ---- what is asked for -------------------------------------------------------------- */

/* Digits only, from `min` to `max`. */
static bool parse_number(const char *text, unsigned long min, unsigned long max,
                         unsigned long *value)
{
    unsigned long n = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        n = n * 10 + (unsigned long)(*text - '0');
        if (n > max)
            return false;
    }
    *value = n;
    return n >= min;
}

static bool parse_interval(const char *text, double *value)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    *value = strtod(text, &end);
    return !*end && *value >= 0.1 && *value <= 3600;
}

static bool parse_option(struct top_options *options, int option, const char *value)
{
    switch (option) {
    case INTERVAL:
        if (parse_interval(value, &options->interval))
            return true;
        fprintf(stderr, "uaio top: --interval %s: seconds from 0.1 to 3600\n", value);
        return false;
    case COUNT:
        if (parse_number(value, 1, UINT_MAX, &options->count))
            return true;
        fprintf(stderr, "uaio top: --count %s: a number from 1 to %u\n", value, UINT_MAX);
        return false;
    case ONCE:
        options->once = true;
        return true;
    case BATCH:
        options->batch = true;
        return true;
    case JSON:
        options->json = true;
        return true;
    default:
        fputs("'uaio top --help' lists the options\n", stderr);
        return false;
    }
}

static bool parse(struct top_options *options, int argc, char **argv, int *status)
{
    unsigned long pid;
    int option;

    *options = (struct top_options){.interval = 1};
    *status = 2;
    while ((option = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            *status = 0;
            return false;
        }
        if (!parse_option(options, option, optarg))
            return false;
    }
    if (argc - optind != 1) {
        fputs("uaio top: the id of one process is wanted: uaio top PID\n", stderr);
        return false;
    }
    if (!parse_number(argv[optind], 1, INT_MAX, &pid)) {
        fprintf(stderr, "uaio top: '%s' is no id of a process: a number, as 'pgrep NAME' tells\n",
                argv[optind]);
        return false;
    }
    options->pid = (pid_t)pid;
    return true;
}

/* ---- the loop ------------------------------------------------------------------------ */

struct watch {
    const struct top_options *options;
    struct process *process;
    bool screen;
    struct sample samples[2], change;
    unsigned current; /* of samples[] */
    bool has_before;  /* the other one is of the same program */
};

static bool fail(const char *reason)
{
    terminal__end();
    fprintf(stderr, "uaio top: %s\n", reason);
    return false;
}

static void set_change(struct watch *watch, struct view *view)
{
    const struct sample *now = &watch->samples[watch->current];
    const struct sample *before = &watch->samples[!watch->current];

    if (watch->has_before) {
        sample__subtract(&watch->change, now, before);
        view->seconds = now->seconds - before->seconds;
    } else {
        watch->change = *now;
    }
}

static void draw(const struct view *view)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    if (!to)
        return;
    view__write(to, view);
    fclose(to);
    terminal__draw(text);
    free(text);
}

/* False: nobody reads it any more. */
static bool show(struct watch *watch)
{
    struct view view = {
        .process = watch->process,
        .now = &watch->samples[watch->current],
        .change = &watch->change,
    };

    set_change(watch, &view);
    if (watch->options->json) {
        view__write_json(stdout, &view);
    } else if (watch->screen) {
        terminal__size(&view.columns, &view.rows);
        draw(&view);
        return true;
    } else {
        view__write(stdout, &view);
        if (!watch->options->once)
            putchar('\n');
    }
    return fflush(stdout) == 0;
}

/* The last word. */
static void say_ended(const struct watch *watch, const char *how)
{
    terminal__end();
    if (watch->options->json)
        printf("{\"pid\": %d, \"ended\": true}\n", (int)watch->options->pid);
    else
        printf("process %d %s\n", (int)watch->options->pid, how);
}

enum step { STEP_ON, STEP_OVER, STEP_FAILED };

/* The next sample, of another program if the process has become that. */
static enum step take(struct watch *watch)
{
    char reason[REASON_BYTES];
    enum look look;

    watch->current = !watch->current;
    look = sample__take(watch->process, &watch->samples[watch->current], reason);
    if (look == LOOK_CHANGED) {
        watch->has_before = false;
        look = process__find(watch->process, reason);
        if (look == LOOK_WELL)
            look = sample__take(watch->process, &watch->samples[watch->current], reason);
        if (look == LOOK_FAILED || look == LOOK_CHANGED) {
            say_ended(watch, "runs another program now, without uaio");
            return STEP_OVER;
        }
    }
    if (look == LOOK_ENDED)
        say_ended(watch, "has ended");
    if (look == LOOK_FAILED)
        fail(reason);
    return look == LOOK_WELL ? STEP_ON : look == LOOK_ENDED ? STEP_OVER : STEP_FAILED;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Until the next sample is due.  STEP_OVER: it is not wanted. */
static enum step wait(struct watch *watch)
{
    double due = watch->samples[watch->current].seconds + watch->options->interval;

    for (double left; (left = due - now()) > 0;) {
        switch (terminal__wait(left, process__handle(watch->process))) {
        case EVENT_QUIT:
            return STEP_OVER;
        case EVENT_SIGNAL:
            terminal__die();
        case EVENT_REDRAW:
            show(watch);
            break;
        case EVENT_TIME:
        case EVENT_ENDED:
            return STEP_ON;
        }
    }
    return STEP_ON;
}

/* What was before is lost with a new `current`, so it is shown before that. */
static int run(struct watch *watch)
{
    const struct top_options *options = watch->options;
    bool at_once = options->once || watch->screen; /* else the first tells of a while, too */
    unsigned long shown = 0;
    enum step step = take(watch);

    if (step == STEP_ON && watch->screen)
        terminal__begin();
    while (step == STEP_ON) {
        if (at_once || watch->has_before) {
            if (!show(watch))
                return !fail("nothing can be written");
            shown++;
        }
        if (options->once || (options->count && shown >= options->count))
            break;
        step = wait(watch);
        watch->has_before = true;
        if (step == STEP_ON)
            step = take(watch);
    }
    terminal__end();
    return step == STEP_FAILED;
}

int top__main(int argc, char **argv)
{
    static struct watch watch; /* large */
    struct top_options options;
    char reason[REASON_BYTES];
    int status;

    if (!parse(&options, argc, argv, &status))
        return status;
    setlocale(LC_CTYPE, "");
    watch = (struct watch){.options = &options};
    watch.screen = !options.once && !options.batch && !options.json && terminal__is_screen();
    watch.process = process__open(options.pid, reason);
    if (!watch.process)
        return !fail(reason);
    switch (process__find(watch.process, reason)) {
    case LOOK_WELL:
        status = run(&watch);
        break;
    case LOOK_ENDED:
        say_ended(&watch, "has ended");
        status = 0;
        break;
    default:
        status = !fail(reason);
    }
    process__close(watch.process);
    return status;
}
