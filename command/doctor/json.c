/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Names of files may hold any bytes, JSON only UTF-8: the length of the character that
 * begins here, 0 if none does. */
static size_t character(const unsigned char *at)
{
    size_t n = *at < 0x80                  ? 1
               : *at >= 0xc2 && *at < 0xe0 ? 2
               : *at >= 0xe0 && *at < 0xf0 ? 3
               : *at >= 0xf0 && *at < 0xf5 ? 4
                                           : 0;

    for (size_t i = 1; i < n; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] >= 0xa0) ||
        (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] >= 0x90))
        return 0; /* too long a form, half of a pair, or beyond the last */
    return n;
}

static void put_string(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    putchar('"');
    while (*at) {
        size_t n = character(at);
        if (n == 0)
            fputs("\\ufffd", stdout);
        else if (*at == '"' || *at == '\\')
            printf("\\%c", *at);
        else if (*at < 0x20)
            printf("\\u%04x", *at);
        else
            fwrite(at, 1, n, stdout);
        at += n ? n : 1;
    }
    putchar('"');
}

static void put_named(const char *name, const char *value)
{
    printf("\"%s\": ", name);
    if (value)
        put_string(value);
    else
        fputs("null", stdout);
}

static void put_number(const char *name, long long n)
{
    if (n == UNKNOWN)
        printf("\"%s\": null", name);
    else
        printf("\"%s\": %lld", name, n);
}

static void put_limit(const char *name, uint64_t limit)
{
    if (limit == UINT64_MAX)
        printf("\"%s\": null", name);
    else
        printf("\"%s\": %llu", name, (unsigned long long)limit);
}

static const char *flag(bool value)
{
    return value ? "true" : "false";
}

/* ---- the system ------------------------------------------------------------------------------- */

/* "yes", "no", or what was said instead. */
static const char *answer(int err)
{
    return err == 0 ? "yes" : err == EOPNOTSUPP || err == EINVAL ? "no" : error__word(err);
}

static void put_directory(const struct directory *directory)
{
    fputs("    {", stdout);
    put_named("path", directory->path);
    fputs(", ", stdout);
    put_named("filesystem", directory->filesystem[0] ? directory->filesystem : NULL);
    if (directory->error) {
        fputs(", ", stdout);
        put_named("error", strerror(directory->error));
    } else {
        printf(", \"read_nowait\": \"%s\"", answer(directory->read_nowait));
        printf(", \"write_nowait\": \"%s\"", answer(directory->write_nowait));
        printf(", \"direct\": \"%s\"", answer(directory->direct));
    }
    putchar('}');
}

static void put_system(const struct system *system)
{
    fputs("  \"system\": {\n    ", stdout);
    put_named("kernel", system->kernel);
    fputs(", ", stdout);
    put_named("machine", system->machine);
    fputs(", ", stdout);
    put_named("libc", system->libc);
    fputs(",\n    ", stdout);
    put_named("native_aio", error__word(system->native_aio));
    fputs(", ", stdout);
    put_number("aio_nr", system->aio_nr);
    fputs(", ", stdout);
    put_number("aio_max_nr", system->aio_max_nr);
    fputs(",\n    ", stdout);
    put_named("io_uring", error__word(system->io_uring));
    fputs(", ", stdout);
    put_number("io_uring_disabled", system->io_uring_disabled);
    fputs(",\n    ", stdout);
    put_number("processors", system->processors);
    fputs(", ", stdout);
    put_number("usable_processors", system->usable_processors);
    if (system->quota > 0)
        printf(", \"processor_quota\": %g", system->quota);
    else
        fputs(", \"processor_quota\": null", stdout);
    fputs(",\n    ", stdout);
    put_limit("threads_limit", system->processes);
    fputs(", ", stdout);
    put_limit("descriptors_limit", system->descriptors);
    fputs(",\n    \"directories\": [\n", stdout);
    for (unsigned i = 0; i < system->n_directories; i++) {
        put_directory(&system->directories[i]);
        fputs(i + 1 < system->n_directories ? ",\n" : "\n", stdout);
    }
    fputs("  ]},\n", stdout);
}

/* ---- the program -------------------------------------------------------------------------------- */

static void put_elf(const struct elf *elf)
{
    const char *link = elf__is_static(elf)    ? "static"
                       : elf__is_library(elf) ? "library"
                                              : "dynamic";

    fputs(",\n    ", stdout);
    put_named("machine", elf__machine_name(elf->machine));
    printf(", \"bits\": %u, ", elf->bits);
    put_named("link", elf->legible ? link : NULL);
    fputs(", ", stdout);
    put_named("loader", elf->interpreter);
    fputs(", ", stdout);
    put_named("libc", libc_name(elf));
}

static void put_roads(const struct roads *roads)
{
    fputs(",\n    \"uses\": [", stdout);
    for (unsigned i = 0; i < roads->n; i++) {
        const struct use *use = &roads->uses[i];
        fputs(i ? ",\n      {" : "\n      {", stdout);
        put_named("road", road_words[use->road]);
        fputs(", ", stdout);
        put_named("name", use->symbol);
        fputs(", ", stdout);
        put_named("in", use->library->path);
        printf(", \"taken_over\": %s}", flag(use->taken));
    }
    fputs("]", stdout);
}

static void put_missing(const struct libraries *libraries)
{
    const char *between = "";

    fputs(",\n    \"not_found\": [", stdout);
    for (unsigned i = 1; i < libraries->n; i++) {
        if (libraries->all[i].path)
            continue;
        fputs(between, stdout);
        put_string(libraries->all[i].name);
        between = ", ";
    }
    fputs("]", stdout);
}

static void put_program(const struct report *report)
{
    const struct program *program = &report->program;

    fputs("  \"program\": {", stdout);
    put_named("name", report->name);
    if (report->found == FOUND) {
        fputs(", ", stdout);
        put_named("path", program->path);
        fputs(", ", stdout);
        put_named("binary", program->binary);
        if (program->state == ELF_GOOD) {
            put_elf(&program->elf);
            put_roads(&report->roads);
            put_missing(&report->libraries);
        }
        fputs(",\n    ", stdout);
        put_named("obstacle", report->obstacle.kind);
    }
    fputs("},\n", stdout);
}

void json__print(const struct report *report)
{
    fputs("{\n  ", stdout);
    put_named("uaio", UAIO_VERSION);
    fputs(",\n  ", stdout);
    put_named("preload", report->has_preload ? report->preload.path : NULL);
    fputs(",\n", stdout);
    put_system(&report->system);
    if (report->name)
        put_program(report);
    fputs("  ", stdout);
    put_named("verdict", verdict__word(report));
    fputs(", ", stdout);
    put_named("saying", report->saying);
    puts("\n}");
}
