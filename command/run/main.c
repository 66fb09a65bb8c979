/* SPDX-License-Identifier: MIT */
#include "run.h"
#include "program/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what)
{
    fprintf(stderr, "uaio run: %s: %s\n", what, strerror(errno));
    return REFUSED;
}

/* ---- what cannot work ------------------------------------------------------------------------ */

/* A script is not at fault, its interpreter is. */
static void name_program(const struct program *program)
{
    fprintf(stderr, "uaio run: %s", program->n_scripts ? program->scripts[0] : program->path);
    if (strcmp(program->binary, program->path) != 0)
        fprintf(stderr, ": its interpreter %s", program->binary);
    fputs(": ", stderr);
}

static bool is_refused(const struct program *program, const struct preload *preload)
{
    struct obstacle obstacle;

    obstacle__of_program(&obstacle, program, preload);
    if (!obstacle.kind)
        return false;
    name_program(program);
    fprintf(stderr, "%s.\n  Way out: %s.  --force runs it all the same.\n", obstacle.reason,
            obstacle.way_out);
    return true;
}

static void warn(const struct program *program)
{
    if (program->state != ELF_GOOD || !elf__has_note(&program->elf, "Go"))
        return;
    name_program(program);
    fputs("warning: it is a Go program, which makes its own system calls: only what C code in it "
          "does reaches uaio\n",
          stderr);
}

/* ---- the environment ---------------------------------------------------------------------------- */

/* What runs in its own environment already is not put there again. */
static bool begins_with(const char *list, const char *path)
{
    size_t n = strlen(path);

    return strncmp(list, path, n) == 0 && (list[n] == '\0' || list[n] == ':' || list[n] == ' ');
}

static char *preload_list(const char *path)
{
    const char *before = getenv("LD_PRELOAD");
    size_t nbytes = strlen(path) + (before ? strlen(before) : 0) + 2;
    char *list = malloc(nbytes);

    if (!list)
        return NULL;
    if (!before || !*before)
        snprintf(list, nbytes, "%s", path);
    else if (begins_with(before, path))
        snprintf(list, nbytes, "%s", before);
    else
        snprintf(list, nbytes, "%s:%s", path, before);
    return list;
}

static bool set_environment(const struct run *run, const char *list)
{
    for (unsigned i = 0; i < run->n_settings; i++)
        if (setenv(run->settings[i].variable, run->settings[i].value, 1) != 0)
            return false;
    return setenv("LD_PRELOAD", list, 1) == 0;
}

/* ---- --dry-run ------------------------------------------------------------------------------------ */

static void print_word(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=/.,:@%";

    if (*word && word[strspn(word, plain)] == '\0') {
        fputs(word, stdout);
        return;
    }
    putchar('\'');
    for (; *word; word++) {
        if (*word == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*word);
    }
    putchar('\'');
}

static int print(const struct run *run, const char *list, const char *path)
{
    fputs("LD_PRELOAD=", stdout);
    print_word(list);
    for (unsigned i = 0; i < run->n_settings; i++) {
        printf(" \\\n%s=", run->settings[i].variable);
        print_word(run->settings[i].value);
    }
    fputs(" \\\n    ", stdout);
    print_word(path);
    for (unsigned i = 1; run->program[i]; i++) {
        putchar(' ');
        print_word(run->program[i]);
    }
    putchar('\n');
    if (fflush(stdout) != 0)
        return fail("the output cannot be written");
    return 0;
}

/* ---- to run it ------------------------------------------------------------------------------------- */

static int execute(const struct run *run, const struct program *program)
{
    const char *loader = program->state == ELF_GOOD ? program->elf.interpreter : NULL;
    int err;

    execvp(program->path, run->program); /* with a slash in it: nothing is searched for */
    err = errno;
    if (err == ENOENT && loader && access(loader, F_OK) != 0)
        fprintf(stderr, "uaio run: '%s' cannot be run: its loader %s is missing\n", program->path,
                loader);
    else
        fprintf(stderr, "uaio run: '%s' cannot be run: %s\n", program->path, strerror(err));
    return err == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
}

static int start(const struct run *run, const struct program *program, const char *library)
{
    char *list = preload_list(library);
    int status;

    if (!list || !set_environment(run, list))
        status = fail("the environment cannot be set");
    else
        status = run->dry ? print(run, list, program->path) : execute(run, program);
    free(list);
    return status;
}

static int check_and_start(const struct run *run, const struct preload *preload)
{
    static struct program program;
    int status = program__find(&program, run->program[0], true);

    if (status != FOUND)
        fprintf(stderr, "uaio run: %s\n", program.why);
    else if (!run->force && is_refused(&program, preload))
        status = REFUSED;
    else {
        warn(&program);
        status = start(run, &program, preload->path);
    }
    program__close(&program);
    return status;
}

int run__main(int argc, char **argv)
{
    static struct preload preload;
    struct obstacle obstacle;
    struct run run;
    int status;

    if (!run__parse(&run, argc, argv, &status))
        return status;
    if (!preload__find(&preload, run.preload)) {
        fprintf(stderr, "uaio run: %s\n", preload.why);
        status = REFUSED;
    } else {
        obstacle__of_library(&obstacle, &preload);
        if (obstacle.kind)
            fprintf(stderr, "uaio run: %s.\n  Way out: %s.\n", obstacle.reason, obstacle.way_out);
        status = obstacle.kind ? REFUSED : check_and_start(&run, &preload);
    }
    preload__close(&preload);
    return status;
}
