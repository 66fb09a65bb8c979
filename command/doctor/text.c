/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { COLUMN = 21, WIDTH = 80 };

/* What a file says goes to a terminal: it must not steer it. */
static void put(const char *text)
{
    for (; *text; text++)
        putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static void put_label(const char *label)
{
    printf("  %-*s", COLUMN - 2, label);
}

static void put_line(const char *label, const char *text)
{
    put_label(label);
    put(text);
    putchar('\n');
}

/* ---- the system ------------------------------------------------------------------------------- */

static void put_native(const struct system *system)
{
    put_label("native AIO");
    fputs(error__word(system->native_aio), stdout);
    if (system->aio_max_nr != UNKNOWN)
        printf("; %lld of %lld events taken (fs.aio-nr, fs.aio-max-nr)", system->aio_nr,
               system->aio_max_nr);
    putchar('\n');
}

static void put_uring(const struct system *system)
{
    put_label("io_uring");
    fputs(error__word(system->io_uring), stdout);
    if (system->io_uring_disabled > 0)
        printf("; kernel.io_uring_disabled = %lld", system->io_uring_disabled);
    putchar('\n');
}

static void put_processors(const struct system *system)
{
    put_label("processors");
    printf("%ld", system->processors);
    if (system->usable_processors != UNKNOWN && system->usable_processors != system->processors)
        printf(", of which %ld may be used (sched_setaffinity)", system->usable_processors);
    if (system->quota > 0)
        printf(", the time of %g (the control group's cpu.max)", system->quota);
    putchar('\n');
}

static void put_limit(const char *label, uint64_t limit, const char *name)
{
    put_label(label);
    if (limit == UINT64_MAX)
        printf("no limit (%s)\n", name);
    else
        printf("%llu at most (%s)\n", (unsigned long long)limit, name);
}

static void put_answer(int err, int width)
{
    char text[64];

    if (err == 0)
        snprintf(text, sizeof text, "yes");
    else if (err == EOPNOTSUPP || err == EINVAL)
        snprintf(text, sizeof text, "no");
    else
        snprintf(text, sizeof text, "%s", error__word(err));
    printf("%-*s", width, text);
}

static void put_directories(const struct system *system)
{
    printf("\n%-20s %-11s %-12s %-13s %s\n", "Without waiting", "filesystem", "cached read",
           "cached write", "O_DIRECT");
    for (unsigned i = 0; i < system->n_directories; i++) {
        const struct directory *d = &system->directories[i];
        fputs("  ", stdout);
        put(d->path);
        printf("%*s %-11s ", strlen(d->path) < 18 ? (int)(18 - strlen(d->path)) : 0, "",
               d->filesystem[0] ? d->filesystem : "-");
        if (d->error) {
            printf("cannot be tried: %s\n", strerror(d->error));
            continue;
        }
        put_answer(d->read_nowait, 13);
        put_answer(d->write_nowait, 14);
        put_answer(d->direct, 0);
        putchar('\n');
    }
}

static void put_system(const struct report *report)
{
    const struct system *system = &report->system;
    char kernel[256];

    snprintf(kernel, sizeof kernel, "%s, %s", system->kernel, system->machine);
    puts("The system");
    put_line("kernel", kernel);
    put_line("libc", system->libc);
    put_native(system);
    put_uring(system);
    put_processors(system);
    put_limit("threads", system->processes, "RLIMIT_NPROC, of this user");
    put_limit("descriptors", system->descriptors, "RLIMIT_NOFILE");
    put_line("preload library", report->has_preload ? report->preload.path : "missing");
    put_directories(system);
}

/* ---- the program -------------------------------------------------------------------------------- */

static void put_kind(const struct elf *elf)
{
    const char *libc = libc_name(elf);

    put_label("file");
    printf("ELF, %s, %u bits", elf__machine_name(elf->machine), elf->bits);
    if (!elf->legible) {
        puts(", another byte order");
        return;
    }
    fputs(elf__is_library(elf)  ? ", a library"
          : elf__is_static(elf) ? ", statically linked"
                                : "",
          stdout);
    if (libc)
        printf(", for %s", libc);
    putchar('\n');
    if (elf->interpreter)
        put_line("loader", elf->interpreter);
}

/* The names of one library's uses of a road. */
static void put_uses(const struct roads *roads, enum road road, const struct library *library)
{
    size_t column = COLUMN;

    for (unsigned i = 0; i < roads->n; i++) {
        const struct use *use = &roads->uses[i];
        if (use->road != road || use->library != library)
            continue;
        if (column + 1 + strlen(use->symbol) > WIDTH) {
            printf("\n%*s", COLUMN, "");
            column = COLUMN;
        }
        printf("%s%s", column == COLUMN ? "" : " ", use->symbol);
        column += strlen(use->symbol) + (column > COLUMN);
    }
}

/* Of who loads more later only the program is named: so many do. */
static void put_road(const struct report *report, enum road road, const char *label)
{
    const struct roads *roads = &report->roads;
    const struct library *program = &report->libraries.all[0], *last = NULL;

    for (unsigned i = 0; i < roads->n; i++) {
        const struct use *use = &roads->uses[i];
        if (use->road != road || use->library == last ||
            (road == ROAD_DLOPEN && use->library != program))
            continue;
        put_label(last ? "" : label);
        last = use->library;
        put_uses(roads, road, last);
        if (last != program) {
            printf("\n%*s  in ", COLUMN, "");
            put(last->path);
        }
        putchar('\n');
    }
}

static void put_missing(const struct libraries *libraries)
{
    for (unsigned i = 1; i < libraries->n; i++)
        if (!libraries->all[i].path)
            put_line("not found", libraries->all[i].name);
    if (libraries->cut)
        put_line("not looked at", "more libraries than these");
}

static void put_program(const struct report *report)
{
    const struct program *program = &report->program;

    putchar('\n');
    put(report->found == FOUND ? program->path : report->name);
    putchar('\n');
    if (report->found != FOUND)
        return;
    if (strcmp(program->binary, program->path) != 0)
        put_line("a script, run by", program->binary);
    if (program->state != ELF_GOOD) {
        put_line("file", program->why);
        return;
    }
    put_kind(&program->elf);
    put_road(report, ROAD_POSIX, "POSIX AIO");
    put_road(report, ROAD_NATIVE, "native AIO");
    put_road(report, ROAD_OWN, "has itself");
    put_road(report, ROAD_URING, "io_uring");
    put_road(report, ROAD_SYSCALL, "any call, by");
    put_road(report, ROAD_DLOPEN, "loads more, by");
    put_missing(&report->libraries);
}

/* ---- the verdict ---------------------------------------------------------------------------------- */

static void put_wrapped(const char *text)
{
    size_t column = 0;

    while (*text) {
        size_t gap = strspn(text, " "), n = strcspn(text + gap, " ");
        if (column > 0 && column + gap + n > WIDTH) {
            putchar('\n');
            column = 0;
        }
        for (; column > 0 && gap > 0; gap--, column++, text++)
            putchar(' ');
        for (text += gap; n > 0; n--, column++, text++)
            putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
    }
    putchar('\n');
}

void text__print(const struct report *report)
{
    put_system(report);
    if (report->name)
        put_program(report);
    puts("\nVerdict");
    put_wrapped(report->saying);
}
