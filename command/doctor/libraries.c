/* SPDX-License-Identifier: MIT */
/*
 * What the loader would load, found by its rules but without it: to have the loader list
 * it means to run code that the program names, and dlopen() runs the libraries'
 * constructors.  In place of the loader's cache, a file of its own format, the
 * directories are looked through of which that is made.
 *
 * Not looked into: directories for variants of the processor, LD_AUDIT, LD_PRELOAD.
 */
#include "doctor.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Is there a library of this name, for the program's machine?  Others are passed over. */
static bool try_path(const struct libraries *libraries, struct library *library, const char *path)
{
    char why[TEXT_MAX];
    const struct elf *program = &libraries->all[0].elf;

    if (elf__open(&library->elf, path, why) == ELF_GOOD && library->elf.legible &&
        library->elf.machine == program->machine && library->elf.bits == program->bits) {
        library->path = strdup(path);
        return library->path != NULL;
    }
    elf__close(&library->elf);
    return false;
}

/* ---- lists of directories ------------------------------------------------------------------- */

/* $ORIGIN is where the library that names it is; of the others we know nothing. */
static bool expand(char to[PATH_MAX], const char *dir, size_t n, const char *origin)
{
    size_t skip = strncmp(dir, "$ORIGIN", 7) == 0 ? 7 : strncmp(dir, "${ORIGIN}", 9) == 0 ? 9 : 0;
    char real[PATH_MAX];

    if (skip == 0)
        return !memchr(dir, '$', n) && snprintf(to, PATH_MAX, "%.*s", (int)n, dir) < PATH_MAX;
    if (skip > n || memchr(dir + skip, '$', n - skip) || !realpath(origin, real) ||
        !strrchr(real, '/'))
        return false;
    *strrchr(real, '/') = '\0';
    return snprintf(to, PATH_MAX, "%s%.*s", real, (int)(n - skip), dir + skip) < PATH_MAX;
}

/* An empty entry is the directory one is in. */
static bool search_list(const struct libraries *libraries, struct library *library,
                        const char *list, const char *separators, const char *origin)
{
    char dir[PATH_MAX], path[2 * PATH_MAX];

    while (list) {
        size_t n = strcspn(list, separators);
        if (expand(dir, list, n, origin)) {
            snprintf(path, sizeof path, "%s%s%s", dir, n ? "/" : "./", library->name);
            if (try_path(libraries, library, path))
                return true;
        }
        list = list[n] ? list + n + 1 : NULL;
    }
    return false;
}

/* ---- the system's directories ------------------------------------------------------------------ */

enum { DEPTH_MAX = 4 }; /* of files that include files */

static bool search_conf(const struct libraries *libraries, struct library *library,
                        const char *conf, unsigned depth);

static bool search_included(const struct libraries *libraries, struct library *library,
                            const char *pattern, unsigned depth)
{
    char absolute[PATH_MAX];
    bool found = false;
    glob_t files;

    snprintf(absolute, sizeof absolute, "%s%s", *pattern == '/' ? "" : "/etc/", pattern);
    if (depth == DEPTH_MAX || glob(absolute, 0, NULL, &files) != 0)
        return false;
    for (size_t i = 0; i < files.gl_pathc && !found; i++)
        found = search_conf(libraries, library, files.gl_pathv[i], depth + 1);
    globfree(&files);
    return found;
}

/* A line is a directory, a comment, or `include` and a pattern. */
static bool search_conf(const struct libraries *libraries, struct library *library,
                        const char *conf, unsigned depth)
{
    FILE *file = fopen(conf, "re");
    char line[PATH_MAX];
    bool found = false;

    while (file && !found && fgets(line, sizeof line, file)) {
        char *text = line + strspn(line, " \t");
        text[strcspn(text, "#\n")] = '\0';
        for (size_t n = strlen(text); n > 0 && strchr(" \t", text[n - 1]);)
            text[--n] = '\0';
        if (strncmp(text, "include", 7) == 0 && strchr(" \t", text[7]))
            found = search_included(libraries, library, text + 7 + strspn(text + 7, " \t"), depth);
        else if (*text == '/')
            found = search_list(libraries, library, text, "", "");
    }
    if (file)
        fclose(file);
    return found;
}

/* musl's loader has a file beside which its built-in list does not count. */
static bool search_musl(const struct libraries *libraries, struct library *library,
                        const char *loader)
{
    char conf[PATH_MAX], list[PATH_MAX];
    size_t n;
    FILE *file;

    snprintf(conf, sizeof conf, "/etc/%.*s.path", (int)strcspn(loader, "."), loader);
    file = fopen(conf, "re");
    if (!file)
        return search_list(libraries, library, "/lib:/usr/local/lib:/usr/lib", ":", "");
    n = fread(list, 1, sizeof list - 1, file);
    fclose(file);
    list[n] = '\0';
    return search_list(libraries, library, list, ":\n", "");
}

static bool search_system(const struct libraries *libraries, struct library *library)
{
    const char *loader = libraries->all[0].elf.interpreter;

    if (loader && strncmp(base_name(loader), "ld-musl", 7) == 0)
        return search_musl(libraries, library, base_name(loader));
    return search_conf(libraries, library, "/etc/ld.so.conf", 0) ||
           search_list(libraries, library, "/lib64:/usr/lib64:/lib:/usr/lib", ":", "");
}

/* ---- the search ------------------------------------------------------------------------------------ */

static bool search_rpaths(const struct libraries *libraries, struct library *library)
{
    unsigned i = library->parent;

    if (elf__string(&libraries->all[i].elf, DT_RUNPATH, 0))
        return false;
    for (;;) { /* theirs who asked, and theirs who asked for those */
        const struct library *asker = &libraries->all[i];
        const char *list = elf__string(&asker->elf, DT_RPATH, 0);
        if (list && !elf__string(&asker->elf, DT_RUNPATH, 0) &&
            search_list(libraries, library, list, ":", asker->path))
            return true;
        if (i == 0)
            return false;
        i = asker->parent;
    }
}

static bool search(const struct libraries *libraries, struct library *library)
{
    const struct library *asker = &libraries->all[library->parent];
    const char *environment = getenv("LD_LIBRARY_PATH");
    const char *runpath = elf__string(&asker->elf, DT_RUNPATH, 0);

    if (strchr(library->name, '/'))
        return try_path(libraries, library, library->name);
    return search_rpaths(libraries, library) ||
           (environment && *environment &&
            search_list(libraries, library, environment, ":;", asker->path)) ||
           (runpath && search_list(libraries, library, runpath, ":", asker->path)) ||
           search_system(libraries, library);
}

static bool is_known(const struct libraries *libraries, const char *name)
{
    for (unsigned i = 1; i < libraries->n; i++)
        if (strcmp(libraries->all[i].name, name) == 0)
            return true;
    return false;
}

enum { NEEDED_MAX = 1024 }; /* by one file; more are made to cost time */

static void add_needed(struct libraries *libraries, unsigned parent)
{
    const char *name;

    for (unsigned i = 0;
         i < NEEDED_MAX && (name = elf__string(&libraries->all[parent].elf, DT_NEEDED, i)); i++) {
        struct library *library = &libraries->all[libraries->n];
        if (is_known(libraries, name))
            continue;
        libraries->cut = libraries->cut || libraries->n == LIBRARIES_MAX;
        if (libraries->cut)
            return;
        *library = (struct library){.name = strdup(name), .parent = parent, .elf.fd = -1};
        if (!library->name)
            return;
        search(libraries, library);
        libraries->n++;
    }
}

/* In the loader's order, which is that of a breadth-first search. */
void libraries__load(struct libraries *libraries, const struct program *program)
{
    struct library *first = &libraries->all[0];
    char why[TEXT_MAX];

    *first = (struct library){.name = strdup(base_name(program->binary)), .elf.fd = -1};
    libraries->n = 1;
    if (!first->name || elf__open(&first->elf, program->binary, why) != ELF_GOOD)
        return;
    first->path = strdup(program->binary);
    for (unsigned i = 0; first->path && i < libraries->n; i++)
        add_needed(libraries, i);
}

void libraries__close(struct libraries *libraries)
{
    for (unsigned i = 0; i < libraries->n; i++) {
        elf__close(&libraries->all[i].elf);
        free(libraries->all[i].name);
        free(libraries->all[i].path);
    }
    libraries->n = 0;
}
