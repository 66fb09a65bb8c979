/* SPDX-License-Identifier: MIT */
/*
 * Run a program on a kernel without Linux native AIO: the AIO system calls of
 * the program, its threads and its children fail with an errno of choice.
 *
 *     without-aio [--errno NAME] [--io-uring] [--calls NAME,...] PROGRAM [ARGUMENT...]
 *     without-aio --probe
 *
 * Containers, gVisor, WSL 1 and hardened kernels are such places, by seccomp
 * or by configuration; this makes one of any machine, so that the tests can
 * show what a program does there, alone and with the preload library.
 *
 * A seccomp filter, given to the kernel as plain BPF: nothing to install, no
 * privilege needed, and not to be undone by the program.  The filter knows the
 * numbers of the architecture it is built for; calls of other ones (a 32-bit
 * program on a 64-bit kernel, x32) pass.  The library to be tested is to be
 * preloaded into the program, not into this one:
 *
 *     without-aio env LD_PRELOAD=LIBRARY PROGRAM
 *
 * Exit status, as env(1): that of the program; 125 if this fails, 126 if the
 * program cannot be run, 127 if it cannot be found.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#if defined __x86_64__ /* x32 as well: its calls have numbers of their own */
# define ARCH AUDIT_ARCH_X86_64
#elif defined __i386__
# define ARCH AUDIT_ARCH_I386
#elif defined __aarch64__ && defined __AARCH64EL__
# define ARCH AUDIT_ARCH_AARCH64
#elif defined __arm__ && defined __ARMEL__
# define ARCH AUDIT_ARCH_ARM
#elif defined __riscv && __riscv_xlen == 64
# define ARCH AUDIT_ARCH_RISCV64
#elif defined __s390x__
# define ARCH AUDIT_ARCH_S390X
#elif defined __powerpc64__ && defined __LITTLE_ENDIAN__
# define ARCH AUDIT_ARCH_PPC64LE
#else
# define ARCH 0 /* no filter, a message */
#endif

enum { CANNOT = 125, CANNOT_RUN = 126, CANNOT_FIND = 127 };

static struct call {
    const char *name;
    long number;
    int is_aio; /* by default denied, else with --io-uring */
    int is_denied;
} calls[] = {
    {"io_setup", SYS_io_setup, 1, 0},
    {"io_destroy", SYS_io_destroy, 1, 0},
    {"io_submit", SYS_io_submit, 1, 0},
    {"io_cancel", SYS_io_cancel, 1, 0},
#ifdef SYS_io_getevents /* not where time_t has always been of 64 bits on 32 */
    {"io_getevents", SYS_io_getevents, 1, 0},
#endif
#ifdef SYS_io_pgetevents
    {"io_pgetevents", SYS_io_pgetevents, 1, 0},
#endif
#ifdef SYS_io_pgetevents_time64
    {"io_pgetevents_time64", SYS_io_pgetevents_time64, 1, 0},
#endif
#ifdef SYS_io_uring_setup
    {"io_uring_setup", SYS_io_uring_setup, 0, 0},
    {"io_uring_enter", SYS_io_uring_enter, 0, 0},
    {"io_uring_register", SYS_io_uring_register, 0, 0},
#endif
};

enum { N_CALLS = sizeof calls / sizeof calls[0] };

static const struct {
    const char *name;
    int value;
} errors[] = {
    /* what kernels without AIO answer */
    {"ENOSYS", ENOSYS},
    {"EPERM", EPERM},
    {"EAGAIN", EAGAIN},
    /* what others may */
    {"EINVAL", EINVAL},
    {"EFAULT", EFAULT},
    {"ENOMEM", ENOMEM},
    {"EBADF", EBADF},
    {"EOPNOTSUPP", EOPNOTSUPP},
};

enum { N_ERRORS = sizeof errors / sizeof errors[0] };

static void complain(const char *what, const char *why)
{
    fprintf(stderr, "without-aio: %s: %s\n", what, why);
}

static void misused(const char *what, const char *why)
{
    complain(what, why);
    fputs("Try 'without-aio --help'.\n", stderr);
    exit(CANNOT);
}

static void help(void)
{
    int i;

    puts("Usage: without-aio [OPTION]... PROGRAM [ARGUMENT]...\n"
         "Run PROGRAM with the system calls of Linux native AIO failing.\n"
         "\n"
         "  --errno NAME      what they fail with: ENOSYS (default), EPERM, EAGAIN,\n"
         "                    EINVAL, EFAULT, ENOMEM, EBADF or EOPNOTSUPP\n"
         "  --io-uring        those of io_uring fail as well\n"
         "  --calls NAME,...  of the AIO calls only these fail\n"
         "  --probe           run no program: say what each call answers here,\n"
         "                    0 for success, the errno's name, or \"another\" errno\n"
         "  --help            this text\n"
         "\n"
         "The calls:");
    for (i = 0; i < N_CALLS; i++)
        printf("  %s\n", calls[i].name);
    puts("\n"
         "Exit status: that of PROGRAM, or 125 if without-aio fails, 126 if PROGRAM\n"
         "cannot be run, 127 if it cannot be found.");
}

static int errno_named(const char *name)
{
    int i;

    for (i = 0; i < N_ERRORS; i++)
        if (strcmp(name, errors[i].name) == 0)
            return errors[i].value;
    misused(name, "not an errno that --errno knows");
    return 0;
}

static const char *name_of(int error)
{
    int i;

    for (i = 0; i < N_ERRORS; i++)
        if (error == errors[i].value)
            return errors[i].name;
    return "another";
}

static void deny_all(int is_aio)
{
    int i;

    for (i = 0; i < N_CALLS; i++)
        if (calls[i].is_aio == is_aio)
            calls[i].is_denied = 1;
}

/* A list of names, as --calls has it. */
static void deny_named(const char *list)
{
    const char *name = list;
    size_t length;
    int i;

    do {
        length = strcspn(name, ",");
        for (i = 0; i < N_CALLS; i++)
            if (strlen(calls[i].name) == length && strncmp(name, calls[i].name, length) == 0)
                break;
        if (i == N_CALLS)
            misused(list, "has a name that is no call known here");
        calls[i].is_denied = 1;
        name += length;
    } while (*name++ == ',');
}

/* Make one call such that it does nothing: context 0 is none, and a kernel
 * that has the call says so.  io_setup's must succeed to tell anything. */
static long attempt(const struct call *call)
{
    unsigned long ctx = 0;

    if (call->number != SYS_io_setup)
        return syscall(call->number, 0UL, 0UL, 0UL, 0UL, 0UL, 0UL);
    if (syscall(call->number, 1U, &ctx) != 0)
        return -1;
    return syscall(SYS_io_destroy, ctx);
}

static int probe(void)
{
    int i;

    for (i = 0; i < N_CALLS; i++)
        printf("%s %s\n", calls[i].name, attempt(&calls[i]) == -1 ? name_of(errno) : "0");
    return fflush(stdout) == 0 ? 0 : CANNOT;
}

/* Load the architecture, then the number; compare; allow what is left over.
 * The jumps are relative and of 8 bits: N_CALLS is far from that. */
static void install_filter(int error)
{
    struct sock_filter code[N_CALLS * 2 + 5];
    struct sock_fprog program = {0, code};
    unsigned short n = 0;
    int i;

    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (i = 0; i < N_CALLS; i++) {
        if (!calls[i].is_denied)
            continue;
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                 (unsigned)calls[i].number, 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(
            BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA));
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program.len = n;

    /* Without it a filter needs a privilege: a set-user-ID program could be
     * fooled by one. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) {
        complain("cannot install a seccomp filter", strerror(errno));
        exit(CANNOT);
    }
}

/* The value of an option, in this argument after `=` or in the next one; NULL
 * if the argument is another option. */
static const char *value_of(const char *option, char ***argument)
{
    const char *text = **argument;
    size_t length = strlen(option);

    if (strncmp(text, option, length) != 0 || (text[length] != '\0' && text[length] != '='))
        return NULL;
    if (text[length] == '=')
        return text + length + 1;
    if (*++*argument == NULL)
        misused(option, "needs a value");
    return **argument;
}

int main(int argc, char **argv)
{
    char **argument = argv + (argc > 0);
    const char *value;
    int error = ENOSYS;
    int has_list = 0;

    for (; *argument && (*argument)[0] == '-'; argument++) {
        if (strcmp(*argument, "--") == 0) {
            argument++;
            break;
        }
        if (strcmp(*argument, "--help") == 0) {
            help();
            return fflush(stdout) == 0 ? 0 : CANNOT;
        }
        if (strcmp(*argument, "--probe") == 0)
            return probe();
        if (strcmp(*argument, "--io-uring") == 0) {
            deny_all(0);
        } else if ((value = value_of("--errno", &argument))) {
            error = errno_named(value);
        } else if ((value = value_of("--calls", &argument))) {
            deny_named(value);
            has_list = 1;
        } else {
            misused(*argument, "unknown option");
        }
    }
    if (!*argument)
        misused("PROGRAM", "is missing");
    if (ARCH == 0) {
        complain("cannot install a seccomp filter", "this architecture is not known");
        return CANNOT;
    }
    if (!has_list)
        deny_all(1);

    install_filter(error);
    execvp(*argument, argument);
    error = errno;
    complain(*argument, strerror(error));
    return error == ENOENT ? CANNOT_FIND : CANNOT_RUN;
}
