/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const help =
    "usage: uaio doctor [OPTION]... [PROGRAM]\n"
    "Tell what this system has of asynchronous I/O and, of a program, whether it uses any,\n"
    "whether uaio can take that over, and what that gains.\n"
    "\n"
    "  --directory DIR  try the filesystem of DIR; can be given more than once (the current\n"
    "                   directory, that for temporary files, and /dev/shm)\n"
    "  --preload FILE   the library, if not the one that came with this command\n"
    "  --json           JSON instead of text\n"
    "  -h, --help       this text\n"
    "\n"
    "PROGRAM is a name from PATH, or the path of a program, script or library.  Nothing of it\n"
    "is run: its file and those of the libraries that it needs are read.  In each directory a\n"
    "file of two pages is made and removed at once.\n"
    "\n"
    "What is not seen: what a program loads while it runs (dlopen), and system calls that it\n"
    "makes without libc.  'uaio run --stats PROGRAM' counts what really came to uaio.\n"
    "\n"
    "Examples:\n"
    "  uaio doctor\n"
    "  uaio doctor fio\n"
    "  uaio doctor --directory /srv/db --json mariadbd\n"
    "\n"
    "Exit status: 0 the program will gain (or, without a program, uaio can be used here); 1\n"
    "it will not, or that is not known; 2 bad options; 3 uaio cannot be preloaded into it; 4 it\n"
    "cannot be examined: there is none, it cannot be read, or it is no ELF file.\n";

enum { DIRECTORY = 256, PRELOAD, JSON };

static const struct option names[] = {
    {"directory", 1, NULL, DIRECTORY},
    {"preload", 1, NULL, PRELOAD},
    {"json", 0, NULL, JSON},
    {"help", 0, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct asked {
    const char *preload;
    bool json;
};

/* ---- options ------------------------------------------------------------------------------------ */

static bool add_directory(struct system *system, const char *path)
{
    if (system->n_directories == DIRECTORIES_MAX) {
        fprintf(stderr, "uaio doctor: --directory %s: at most %d can be tried at once\n", path,
                DIRECTORIES_MAX);
        return false;
    }
    system->directories[system->n_directories++].path = path;
    return true;
}

static void default_directories(struct system *system)
{
    const char *temporary = getenv("TMPDIR");

    add_directory(system, ".");
    add_directory(system, temporary && *temporary ? temporary : "/tmp");
    if (access("/dev/shm", F_OK) == 0)
        add_directory(system, "/dev/shm");
}

/* False: the program ends with *status. */
static bool parse(struct report *report, struct asked *asked, int argc, char **argv, int *status)
{
    static char name[] = "uaio doctor"; /* what getopt_long() begins its lines with */
    int option;

    *status = 2;
    argv[0] = name;
    while ((option = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            *status = 0;
            return false;
        }
        if (option == '?') {
            fputs("'uaio doctor --help' lists the options\n", stderr);
            return false;
        }
        if (option == DIRECTORY && !add_directory(&report->system, optarg))
            return false;
        if (option == PRELOAD)
            asked->preload = optarg;
        asked->json = asked->json || option == JSON;
    }
    if (argc - optind > 1) {
        fprintf(stderr, "uaio doctor: '%s': one program at a time, and without its arguments\n",
                argv[optind + 1]);
        return false;
    }
    report->name = argv[optind];
    if (report->system.n_directories == 0)
        default_directories(&report->system);
    return true;
}

/* ---- the examination -------------------------------------------------------------------------------- */

static void examine_program(struct report *report)
{
    report->found = program__find(&report->program, report->name, false);
    if (report->found != FOUND)
        return;
    if (report->has_preload && !report->obstacle.kind)
        obstacle__of_program(&report->obstacle, &report->program, &report->preload);
    if (report->program.state != ELF_GOOD || !report->program.elf.legible)
        return;
    libraries__load(&report->libraries, &report->program);
    roads__find(&report->roads, &report->libraries, &report->preload);
}

static int examine(struct report *report, const struct asked *asked)
{
    report->has_preload = preload__find(&report->preload, asked->preload);
    if (report->has_preload)
        obstacle__of_library(&report->obstacle, &report->preload);
    system__examine(&report->system);
    if (report->name)
        examine_program(report);
    report__judge(report);
    if (asked->json)
        json__print(report);
    else
        text__print(report);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "uaio doctor: the output cannot be written: %s\n", strerror(errno));
        return UNEXAMINED;
    }
    return (int)report->verdict;
}

/* Under uaio itself the answers would be uaio's. */
static void leave_preload(char **argv)
{
    const char *list = getenv("LD_PRELOAD");

    if (!list || !strstr(list, "uaio"))
        return;
    unsetenv("LD_PRELOAD");
    execv("/proc/self/exe", argv);
}

int doctor__main(int argc, char **argv)
{
    static struct report report;
    struct asked asked = {.preload = NULL};
    int status;

    leave_preload(argv - 1);
    report.program.elf.fd = -1;
    if (!parse(&report, &asked, argc, argv, &status))
        return status;
    status = examine(&report, &asked);
    libraries__close(&report.libraries);
    program__close(&report.program);
    preload__close(&report.preload);
    return status;
}
