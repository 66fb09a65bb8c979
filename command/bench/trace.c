/* SPDX-License-Identifier: MIT */
/*
 * System calls per operation: a few more operations than before, and the
 * difference counted, of all threads.  Being traced slows them down, so that more
 * of them sleep and wake each other than at full speed: an upper bound.
 */

#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define FEW 512
#define MANY 2560
#define PATIENCE_S 20

#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL)

/* Signals but the tracer's own are passed on. */
static int signal_for(int status)
{
    int signal = WSTOPSIG(status);

    return signal == SIGTRAP || signal == SIGSTOP || signal == (SIGTRAP | 0x80) ? 0 : signal;
}

static volatile sig_atomic_t time_is_up;

static void note_time(int signal_number)
{
    (void)signal_number;
    time_is_up = 1;
}

/* It interrupts waitpid(), in case that nothing stops any more. */
static void limit_time(unsigned seconds)
{
    struct sigaction action = {.sa_handler = note_time};

    sigaction(SIGALRM, &action, NULL);
    time_is_up = 0;
    alarm(seconds);
}

/* Every stop of every thread, until the process has ended: half of those at system
 * calls are entries. */
static int64_t count_stops(pid_t pid)
{
    int64_t stops = 0;
    int status;

    for (;;) {
        pid_t tid = waitpid(-1, &status, __WALL);
        if (time_is_up)
            kill(pid, SIGKILL);
        if (tid < 0 && errno == EINTR)
            continue;
        if (tid < 0)
            return errno == ECHILD ? stops / 2 : -1;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (tid == pid)
                return stops / 2;
            continue;
        }
        if (WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80))
            stops++;
        ptrace(PTRACE_SYSCALL, tid, 0, (void *)(uintptr_t)signal_for(status));
    }
}

static int64_t count_calls(const struct options *options, const struct work *work,
                           const struct files *files, const struct contender *contender,
                           uint64_t operations, struct outcome *outcome)
{
    int64_t calls;
    int status;
    pid_t pid;

    memset(outcome, 0, sizeof *outcome);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0)
            _exit(1);
        raise(SIGSTOP);
        round__child(options, work, files, contender, operations, outcome);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    if (!WIFSTOPPED(status))
        return -1; /* it has ended: ptrace is denied */
    if (ptrace(PTRACE_SETOPTIONS, pid, 0, (void *)OPTIONS) != 0 ||
        ptrace(PTRACE_SYSCALL, pid, 0, 0) != 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        return -1;
    }
    limit_time(PATIENCE_S);
    calls = count_stops(pid);
    alarm(0);
    return outcome->over && !outcome->reason[0] ? calls : -1;
}

double trace__calls(const struct options *options, const struct work *work,
                    const struct files *files, const struct contender *contender,
                    struct outcome *scratch, char reason[REASON_MAX])
{
    uint64_t few = FEW + work->depth, many = MANY + work->depth, done[2];
    int64_t calls[2];

    if (work->depth > 4096) {
        snprintf(reason, REASON_MAX, "system calls are not counted at that depth");
        return -1;
    }
    calls[0] = count_calls(options, work, files, contender, few, scratch);
    done[0] = scratch->operations;
    calls[1] = calls[0] < 0 ? -1 : count_calls(options, work, files, contender, many, scratch);
    done[1] = scratch->operations;
    if (calls[1] < 0 || done[1] <= done[0]) {
        snprintf(reason, REASON_MAX, "system calls could not be counted (ptrace)");
        return -1;
    }
    return (double)(calls[1] - calls[0]) / (double)(done[1] - done[0]);
}
