/* SPDX-License-Identifier: MIT */
/*
 * Run a program on a kernel without Linux native AIO: the AIO system calls of
 * the program, its threads and its children fail with an errno of choice; or
 * other calls that a library can do without, if they are named.
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

/* Denied by default, with --io-uring, or only by its name. */
enum kind { OTHER, AIO, IO_URING };

static struct call {
    const char *name;
    long number;
    enum kind kind;
    unsigned command; /* 0: all of the call, else only with this second argument */
    int is_denied;
} calls[] = {
    {"io_setup", SYS_io_setup, AIO, 0, 0},
    {"io_destroy", SYS_io_destroy, AIO, 0, 0},
    {"io_submit", SYS_io_submit, AIO, 0, 0},
    {"io_cancel", SYS_io_cancel, AIO, 0, 0},
#ifdef SYS_io_getevents /* not where time_t has always been of 64 bits on 32 */
    {"io_getevents", SYS_io_getevents, AIO, 0, 0},
#endif
#ifdef SYS_io_pgetevents
    {"io_pgetevents", SYS_io_pgetevents, AIO, 0, 0},
#endif
#ifdef SYS_io_pgetevents_time64
    {"io_pgetevents_time64", SYS_io_pgetevents_time64, AIO, 0, 0},
#endif
#ifdef SYS_io_uring_setup
    {"io_uring_setup", SYS_io_uring_setup, IO_URING, 0, 0},
    {"io_uring_enter", SYS_io_uring_enter, IO_URING, 0, 0},
    {"io_uring_register", SYS_io_uring_register, IO_URING, 0, 0},
#endif
    {"preadv", SYS_preadv, OTHER, 0, 0},
    {"pwritev", SYS_pwritev, OTHER, 0, 0},
    {"preadv2", SYS_preadv2, OTHER, 0, 0},
    {"pwritev2", SYS_pwritev2, OTHER, 0, 0},
    {"epoll_create1", SYS_epoll_create1, OTHER, 0, 0},
    {"epoll_ctl", SYS_epoll_ctl, OTHER, 0, 0},
    {"epoll_pwait", SYS_epoll_pwait, OTHER, 0, 0},
    {"eventfd2", SYS_eventfd2, OTHER, 0, 0},
    {"pipe2", SYS_pipe2, OTHER, 0, 0},
    {"madvise", SYS_madvise, OTHER, 0, 0},
    {"mremap", SYS_mremap, OTHER, 0, 0},
    {"memfd_create", SYS_memfd_create, OTHER, 0, 0},
    {"sched_yield", SYS_sched_yield, OTHER, 0, 0},
    {"sched_setaffinity", SYS_sched_setaffinity, OTHER, 0, 0},
    {"sched_getaffinity", SYS_sched_getaffinity, OTHER, 0, 0},
    {"sched_getparam", SYS_sched_getparam, OTHER, 0, 0},
    {"sched_getscheduler", SYS_sched_getscheduler, OTHER, 0, 0},
    {"prctl", SYS_prctl, OTHER, 0, 0},
    {"ioprio_set", SYS_ioprio_set, OTHER, 0, 0},
    {"ioprio_get", SYS_ioprio_get, OTHER, 0, 0},
    {"kcmp", SYS_kcmp, OTHER, 0, 0},
    {"process_vm_readv", SYS_process_vm_readv, OTHER, 0, 0},
    {"rt_sigqueueinfo", SYS_rt_sigqueueinfo, OTHER, 0, 0},
    {"rt_tgsigqueueinfo", SYS_rt_tgsigqueueinfo, OTHER, 0, 0},
    {"sendmsg", SYS_sendmsg, OTHER, 0, 0},
    {"recvmsg", SYS_recvmsg, OTHER, 0, 0},
    {"ioctl", SYS_ioctl, OTHER, 0, 0},
    {"prlimit64", SYS_prlimit64, OTHER, 0, 0},
    {"set_robust_list", SYS_set_robust_list, OTHER, 0, 0},
    {"membarrier", SYS_membarrier, OTHER, 0, 0},
    {"timer_create", SYS_timer_create, OTHER, 0, 0},
#ifdef SYS_epoll_wait
    {"epoll_wait", SYS_epoll_wait, OTHER, 0, 0},
#endif
#ifdef SYS_poll
    {"poll", SYS_poll, OTHER, 0, 0},
#endif
#ifdef SYS_ppoll
    {"ppoll", SYS_ppoll, OTHER, 0, 0},
#endif
#ifdef SYS_rseq
    {"rseq", SYS_rseq, OTHER, 0, 0},
#endif
#ifdef SYS_clone3
    {"clone3", SYS_clone3, OTHER, 0, 0},
#endif
#ifdef SYS_statx
    {"statx", SYS_statx, OTHER, 0, 0},
#endif
#ifdef SYS_futex_waitv
    {"futex_waitv", SYS_futex_waitv, OTHER, 0, 0},
#endif
#ifdef SYS_fcntl64
# define SYS_FCNTL SYS_fcntl64
#else
# define SYS_FCNTL SYS_fcntl
#endif
    {"F_DUPFD_QUERY", SYS_FCNTL, OTHER, 1027, 0},
    {"F_DUPFD_CLOEXEC", SYS_FCNTL, OTHER, 1030, 0},
    {"F_OFD_GETLK", SYS_FCNTL, OTHER, 36, 0},
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
         "  --calls NAME,...  only these fail\n"
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

static void deny_all(enum kind kind)
{
    int i;

    for (i = 0; i < N_CALLS; i++)
        if (calls[i].kind == kind)
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
        if (calls[i].kind != OTHER)
            printf("%s %s\n", calls[i].name, attempt(&calls[i]) == -1 ? name_of(errno) : "0");
    return fflush(stdout) == 0 ? 0 : CANNOT;
}

#define LOAD(offset) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(offset))
#define SKIP_UNLESS(value, n) \
 (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value), 0, (n))

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
# define LOW_HALF 4
#else
# define LOW_HALF 0
#endif

/* Load the architecture, then the number; compare; allow what is left over.
 * The jumps are relative, over a few instructions each. */
static void install_filter(int error)
{
    const struct sock_filter deny =
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA));
    struct sock_filter code[N_CALLS * 5 + 5];
    struct sock_fprog program = {0, code};
    unsigned short n = 0;
    int i;

    code[n++] = LOAD(offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = LOAD(offsetof(struct seccomp_data, nr));
    for (i = 0; i < N_CALLS; i++) {
        if (!calls[i].is_denied)
            continue;
        code[n++] = SKIP_UNLESS(calls[i].number, calls[i].command ? 4 : 1);
        if (calls[i].command) {
            code[n++] = LOAD(offsetof(struct seccomp_data, args[1]) + LOW_HALF);
            code[n++] = SKIP_UNLESS(calls[i].command, 1);
        }
        code[n++] = deny;
        if (calls[i].command)
            code[n++] = LOAD(offsetof(struct seccomp_data, nr));
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
            deny_all(IO_URING);
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
        deny_all(AIO);

    install_filter(error);
    execvp(*argument, argument);
    error = errno;
    complain(*argument, strerror(error));
    return error == ENOENT ? CANNOT_FIND : CANNOT_RUN;
}
