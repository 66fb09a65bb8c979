/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void say(struct report *report, const char *format,
                                                      ...)
{
    size_t n = strlen(report->saying);
    va_list list;

    va_start(list, format);
    vsnprintf(report->saying + n, sizeof report->saying - n, format, list);
    va_end(list);
}

/* What to give to uaio run: a library is run by others. */
static const char *runnable(const struct report *report)
{
    return elf__is_library(&report->program.elf) ? "PROGRAM" : report->name;
}

const char *verdict__word(const struct report *report)
{
    static const char *const words[] = {[GAIN] = "gain",
                                        [NO_GAIN] = "no-gain",
                                        [UNREACHABLE] = "unreachable",
                                        [UNEXAMINED] = "unexamined"};

    return !report->name && report->verdict == GAIN ? "usable" : words[report->verdict];
}

/* ---- the system -------------------------------------------------------------------------------- */

static void judge_system(struct report *report)
{
    const struct system *system = &report->system;

    report->verdict = GAIN;
    say(report, "uaio can be used here.");
    if (system->native_aio == EAGAIN)
        say(report,
            "  The kernel's native AIO has used up its quota (fs.aio-max-nr): uaio has none.");
    else if (system->native_aio)
        say(report, "  The kernel's native AIO is %s: programs that need it work under 'uaio run'.",
            error__word(system->native_aio));
    say(report, "  What a program would gain is told by 'uaio doctor PROGRAM'.");
}

/* ---- the program: why not -------------------------------------------------------------------------- */

static void judge_obstacle(struct report *report)
{
    report->verdict = UNREACHABLE;
    say(report, "uaio cannot be preloaded: %s.  Way out: %s.", report->obstacle.reason,
        report->obstacle.way_out);
}

static void judge_unseen(struct report *report)
{
    report->verdict = UNEXAMINED;
    say(report, "Nothing can be said of it: %s.", report->program.why);
}

/* Without a road that is known: what may be there all the same. */
static void judge_the_rest(struct report *report)
{
    const struct roads *roads = &report->roads;

    report->verdict = NO_GAIN;
    if (roads->illegible)
        say(report, "It is not known whether it would gain: not all of what it and its libraries "
                    "import can be seen.");
    else if (elf__has_note(&report->program.elf, "Go"))
        say(report, "It will not gain: it is a Go program, which makes its own system calls, and "
                    "no C code in it uses asynchronous I/O.");
    else if (roads__has(roads, ROAD_URING, false))
        say(report, "It will not gain: it uses io_uring, which uaio leaves alone.");
    else if (roads__has(roads, ROAD_SYSCALL, true))
        say(report,
            "It is not known whether it would gain: it imports syscall, by which it may use "
            "native AIO, and that would be taken over; or it is for other calls.");
    else if (roads__has(roads, ROAD_DLOPEN, false))
        say(report, "It will not gain, unless something that it loads later (dlopen) uses "
                    "asynchronous I/O: that would be taken over.");
    else
        say(report, "It will not gain: it uses no asynchronous I/O.");
    say(report, "  What comes to uaio is counted by 'uaio run --stats %s ...'.", runnable(report));
}

/* ---- the program: what for ----------------------------------------------------------------------------- */

static void judge_posix(struct report *report)
{
    const char *libc = libc_name(&report->program.elf);

    say(report, "It will gain: its POSIX AIO is taken over.");
    if (libc && strcmp(libc, "musl") == 0)
        say(report, "  musl starts a thread for each request");
    else
        say(report, "  libc runs the requests of one descriptor one after the other, and wakes "
                    "threads for each");
    say(report, "; uaio runs them in parallel on threads that stay, and does reads that the page "
                "cache can serve in the thread that asks.");
}

static void judge_native(struct report *report)
{
    int err = report->system.native_aio;

    say(report, "%s its native AIO is taken over.", *report->saying ? "  Also" : "It will gain:");
    if (err)
        say(report, "  The kernel's is %s here; uaio's works.", error__word(err));
    else
        say(report, "  The kernel does buffered reads and writes within io_submit, which so waits "
                    "for the disk; uaio's does not.  Where all is O_DIRECT on a fast device, the "
                    "kernel's may be the faster one.");
}

static void judge_roads(struct report *report)
{
    const struct roads *roads = &report->roads;
    bool posix = roads__has(roads, ROAD_POSIX, true), native = roads__has(roads, ROAD_NATIVE, true);
    bool left = !native && roads__has(roads, ROAD_NATIVE, false);

    if (posix)
        judge_posix(report);
    if (native)
        judge_native(report);
    if (left)
        say(report,
            "%sIts native AIO is not taken over: this build of the library has POSIX AIO "
            "alone.",
            posix ? "  " : "");
    report->verdict = posix || native ? GAIN : UNREACHABLE;
    if (posix || native)
        say(report,
            "  How much depends on the work: docs/performance.md has measurements, 'uaio "
            "bench' makes your own, and 'uaio run --stats %s ...' tells what came to uaio.",
            runnable(report));
}

/* Native AIO that it has within itself, where its own function may be in the way. */
static void judge_own(struct report *report)
{
    bool may = roads__has(&report->roads, ROAD_SYSCALL, true);

    report->verdict = may ? NO_GAIN : UNREACHABLE;
    if (may)
        say(report,
            "It is not known whether it will gain: it has functions of native AIO of its "
            "own.  If they go by syscall, which it imports, they are taken over: 'uaio run "
            "--stats %s ...' tells.",
            report->name);
    else
        say(report, "uaio does not reach it: it has native AIO within itself (libaio.a, perhaps), "
                    "which makes system calls that no library sees.  Way out: link it with libaio "
                    "as a shared library, or with uaio's libaio.a.");
}

static void judge_program(struct report *report)
{
    const struct roads *roads = &report->roads;

    if (roads->on_uaio) {
        report->verdict = NO_GAIN;
        say(report, "It is on uaio already: it is linked with it.");
    } else if (roads__has(roads, ROAD_POSIX, false) || roads__has(roads, ROAD_NATIVE, false)) {
        judge_roads(report);
    } else if (roads->with_libuaio) {
        report->verdict = NO_GAIN;
        say(report, "It is on uaio already, by the names of libuaio.so.");
    } else if (roads__has(roads, ROAD_OWN, false)) {
        judge_own(report);
    } else {
        judge_the_rest(report);
    }
}

void report__judge(struct report *report)
{
    report->saying[0] = '\0';
    if (report->name && (report->found != FOUND || report->program.state != ELF_GOOD)) {
        judge_unseen(report);
    } else if (!report->has_preload) {
        report->verdict = UNREACHABLE;
        say(report, "uaio cannot be preloaded: %s.", report->preload.why);
    } else if (report->obstacle.kind) {
        judge_obstacle(report);
    } else if (!report->name) {
        judge_system(report);
    } else if (!report->program.elf.legible) {
        report->verdict = UNEXAMINED;
        say(report, "Nothing can be said of it: it is of another byte order than this machine.");
    } else {
        judge_program(report);
    }
}
