/* SPDX-License-Identifier: MIT */
/* The command: each subcommand is in a directory of its own. */
#ifdef UAIO_HAVE_BENCH
# include "bench/bench.h"
#endif
#include "doctor/doctor.h"
#include "run/run.h"
#include "top/top.h"

#include <stdio.h>
#include <string.h>

static const char *const help =
    "usage: uaio COMMAND [ARGUMENT]...\n"
    "\n"
    "  uaio run        run a program on uaio\n"
    "  uaio doctor     what this system, and a program, have of asynchronous I/O\n"
#ifdef UAIO_HAVE_BENCH
    "  uaio bench      measure uaio beside libc's and the kernel's asynchronous I/O\n"
#endif
    "  uaio top        show what uaio does in another process\n"
    "  uaio --help     this text; 'uaio COMMAND --help' tells of a command\n"
    "  uaio --version  the version\n"
    "\n"
    "Exit status: 2 for a command that there is not; otherwise see the command.\n";

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} commands[] = {
    {"run", run__main},
    {"doctor", doctor__main},
#ifdef UAIO_HAVE_BENCH
    {"bench", bench__main},
#endif
    {"top", top__main},
};

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";

    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(command, commands[i].name) == 0)
            return commands[i].main(argc - 1, argv + 1);
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0 || argc == 1) {
        fputs(help, argc == 1 ? stderr : stdout);
        return argc == 1 ? 2 : 0;
    }
    if (strcmp(command, "--version") == 0) {
        printf("uaio %s\n", UAIO_VERSION);
        return 0;
    }
    fprintf(stderr, "uaio: there is no command '%s'; 'uaio --help' lists them\n", command);
    return 2;
}
