/* SPDX-License-Identifier: MIT */
/*
 * Runs the inputs in files and directories once, in the order of their names:
 * for compilers without libFuzzer, and in all test builds.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long runs;

static void run_file(const char *path)
{
    static unsigned char whole[1 << 16];
    FILE *file = fopen(path, "rb");
    unsigned char *exact;
    size_t nbytes;

    must(file != NULL, path, errno);
    nbytes = fread(whole, 1, sizeof whole, file);
    fclose(file);
    exact = malloc(nbytes ? nbytes : 1); /* the sanitizer sees reads beyond its end */
    must(exact != NULL, "memory", 0);
    memcpy(exact, whole, nbytes);
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(exact, nbytes);
    free(exact);
    runs++;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void run_all(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, is_visible, alphasort);

    if (n < 0 && errno == ENOTDIR) {
        run_file(path);
        return;
    }
    must(n >= 0, path, errno);
    for (int i = 0; i < n; i++) {
        char *file;
        must(asprintf(&file, "%s/%s", path, entries[i]->d_name) > 0, "memory", 0);
        run_file(file);
        free(file);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        run_all(argv[i]);
    printf("%ld inputs\n", runs);
    return runs > 0 ? 0 : 1;
}
