/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 256 }; /* of a `#!` line, to the kernel */

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int refuse(struct program *program, int status, const char *text)
{
    snprintf(program->why, TEXT_MAX, "%s", text);
    return status;
}

/* Can it be run?  0, or an error. */
static int check(const char *path, bool to_run)
{
    struct stat about;

    if (stat(path, &about) != 0)
        return errno;
    if (S_ISDIR(about.st_mode))
        return EISDIR;
    return to_run && access(path, X_OK) != 0 ? errno : 0;
}

static int complain(struct program *program, const char *path, int err)
{
    if (err == ENOENT || err == ENOTDIR) {
        snprintf(program->why, TEXT_MAX, "there is no file '%s'", path);
        return NOT_FOUND;
    }
    if (err == EACCES)
        snprintf(program->why, TEXT_MAX,
                 "'%s' may not be run (%s): if that is meant to be a program, chmod +x it", path,
                 strerror(err));
    else
        snprintf(program->why, TEXT_MAX, "'%s' cannot be run: %s", path, strerror(err));
    return NOT_EXECUTABLE;
}

/* ---- PATH ----------------------------------------------------------------------------------- */

static const char *search_path(void)
{
    static char standard[256];
    const char *path = getenv("PATH");

    if (path)
        return path;
    return confstr(_CS_PATH, standard, sizeof standard) > 0 ? standard : "/bin:/usr/bin";
}

static bool exists(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0;
}

/* As execvp() does it: what may not be run is remembered, and the search goes on.  But a
 * directory that may not be entered has nothing for us. */
static int search(struct program *program, const char *name)
{
    char denied[PATH_MAX] = "";
    int err = ENOENT;

    for (const char *dir = search_path(); dir;) {
        size_t n = strcspn(dir, ":");
        int length =
            snprintf(program->path, PATH_MAX, "%.*s%s%s", (int)n, dir, n ? "/" : "./", name);
        int found = length < PATH_MAX ? check(program->path, true) : ENAMETOOLONG;
        if (found == 0)
            return FOUND;
        if (found == EACCES && exists(program->path)) {
            memcpy(denied, program->path, sizeof denied);
            err = EACCES;
        }
        dir = dir[n] ? dir + n + 1 : NULL;
    }
    if (err == EACCES)
        return complain(program, denied, err);
    snprintf(program->why, TEXT_MAX, "there is no program '%s' in the directories of PATH", name);
    return NOT_FOUND;
}

static int locate(struct program *program, const char *name, bool to_run)
{
    int err;

    if (!*name)
        return refuse(program, NOT_FOUND, "the name of the program is empty");
    if (!strchr(name, '/')) {
        int status = search(program, name);
        if (status == FOUND || to_run || check(name, false) != 0)
            return status;
    }
    if (snprintf(program->path, PATH_MAX, "%s", name) >= PATH_MAX)
        return refuse(program, NOT_EXECUTABLE, "the name of the program is too long");
    err = check(program->path, to_run);
    return err ? complain(program, name, err) : FOUND;
}

/* ---- scripts --------------------------------------------------------------------------------- */

/* The first line after `#!`, or false. */
static bool read_line(const char *path, char line[LINE_MAX_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : pread(fd, line, LINE_MAX_BYTES - 1, 0);

    if (fd >= 0)
        close(fd);
    if (n < 3 || line[0] != '#' || line[1] != '!')
        return false;
    line[n] = '\0';
    memmove(line, line + 2, (size_t)n - 1);
    line[strcspn(line, "\n")] = '\0';
    return true;
}

/* `env NAME` is what scripts say for "NAME from PATH": that is what runs in the end. */
static bool through_env(const char *interpreter, char *argument, const char **name)
{
    if (strcmp(base_name(interpreter), "env") != 0 || !argument)
        return false;
    if (strncmp(argument, "-S", 2) == 0)
        argument += 2 + strspn(argument + 2, " \t");
    argument[strcspn(argument, " \t")] = '\0';
    *name = argument;
    return *argument && *argument != '-' && !strchr(argument, '=');
}

static int follow_line(struct program *program, char *line)
{
    char *interpreter = line + strspn(line, " \t"), *argument;
    const char *name = interpreter;
    char script[PATH_MAX];
    int status;

    argument = interpreter + strcspn(interpreter, " \t");
    if (*argument) {
        *argument++ = '\0';
        argument += strspn(argument, " \t");
    }
    if (!*interpreter)
        return refuse(program, NOT_EXECUTABLE, "its '#!' line names no interpreter");
    memcpy(script, program->path, sizeof script);
    status = locate(program, interpreter, true);
    if (status == FOUND && through_env(interpreter, *argument ? argument : NULL, &name))
        status = locate(program, name, true);
    memcpy(program->binary, program->path, sizeof program->binary);
    memcpy(program->path, script, sizeof script);
    if (status != FOUND) {
        char what[TEXT_MAX / 2];
        snprintf(what, sizeof what, "%.*s", (int)sizeof what - 1, program->why);
        snprintf(program->why, TEXT_MAX, "the interpreter of '%.256s' is missing: %s", script,
                 what);
    }
    return status;
}

/* From script to interpreter, until there is something that is not a script. */
static int follow(struct program *program)
{
    char first[PATH_MAX], line[LINE_MAX_BYTES];
    int status = FOUND;

    memcpy(first, program->path, sizeof first);
    memcpy(program->binary, program->path, sizeof first);
    while (status == FOUND && read_line(program->binary, line)) {
        if (program->n_scripts == SCRIPTS_MAX)
            return refuse(program, NOT_EXECUTABLE,
                          "it is a script of a script, and so on: more than the kernel follows");
        memcpy(program->scripts[program->n_scripts++], program->binary, PATH_MAX);
        memcpy(program->path, program->binary, PATH_MAX);
        status = follow_line(program, line);
    }
    memcpy(program->path, first, sizeof first);
    return status;
}

int program__find(struct program *program, const char *name, bool to_run)
{
    int status;

    *program = (struct program){.elf.fd = -1, .state = ELF_NONE};
    status = locate(program, name, to_run);
    if (status == FOUND)
        status = follow(program);
    if (status == FOUND)
        program->state = elf__open(&program->elf, program->binary, program->why);
    return status;
}

void program__close(struct program *program)
{
    elf__close(&program->elf);
}
