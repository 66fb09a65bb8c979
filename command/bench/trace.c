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
#define DEEPEST 4096
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

/* In the forked process. */
static void await_tracer(void)
{
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0)
        _exit(1);
    raise(SIGSTOP);
}

/* False: it has ended, or it is ended here. */
static bool take_hold(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
        return false;
    if (ptrace(PTRACE_SETOPTIONS, pid, 0, (void *)OPTIONS) == 0 &&
        ptrace(PTRACE_SYSCALL, pid, 0, 0) == 0)
        return true;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return false;
}

/* Negative, with the reason: they could not be counted. */
static int64_t count_calls(const struct options *options, const struct work *work,
                           const struct files *files, const struct contender *contender,
                           uint64_t operations, struct outcome *outcome, char reason[REASON_MAX])
{
    int64_t calls;
    pid_t pid;

    memset(outcome, 0, sizeof *outcome);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        await_tracer();
        round__child(options, work, files, contender, operations, outcome);
    }
    if (pid < 0 || !take_hold(pid)) {
        snprintf(reason, REASON_MAX, pid < 0 ? "fork: %s" : "ptrace is not allowed here",
                 strerror(errno));
        return -1;
    }
    limit_time(PATIENCE_S);
    calls = count_stops(pid);
    alarm(0);
    if (calls >= 0 && outcome->over && !outcome->reason[0])
        return calls;
    if (time_is_up)
        snprintf(reason, REASON_MAX, "it did not end within %d s under ptrace", PATIENCE_S);
    else
        snprintf(reason, REASON_MAX, "under ptrace: %.100s",
                 outcome->reason[0] ? outcome->reason : "its process ended");
    return -1;
}

double trace__calls(const struct options *options, const struct work *work,
                    const struct files *files, const struct contender *contender,
                    struct outcome *scratch, char reason[REASON_MAX])
{
    const uint64_t operations[2] = {FEW + work->depth, MANY + work->depth};
    uint64_t done[2];
    int64_t calls[2];

    if (work->depth > DEEPEST) {
        snprintf(reason, REASON_MAX, "it would take too long at depths beyond %d", DEEPEST);
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        calls[i] = count_calls(options, work, files, contender, operations[i], scratch, reason);
        done[i] = scratch->operations;
        if (calls[i] < 0)
            return -1;
    }
    if (done[1] <= done[0]) {
        snprintf(reason, REASON_MAX, "the files have too few blocks");
        return -1;
    }
    return (double)(calls[1] - calls[0]) / (double)(done[1] - done[0]);
}
