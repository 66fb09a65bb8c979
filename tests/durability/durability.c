/* SPDX-License-Identifier: MIT */
/*
 * A process that writes and syncs dies at any moment.
 *
 *     durability-FACE [ROUNDS [SEED]]   or UAIO_DURABILITY_ROUNDS, UAIO_DURABILITY_SEED
 *
 * In each round a child writes groups of records to a new file by asynchronous
 * writes, each group followed by a sync (O_SYNC and O_DSYNC, FSYNC and FDSYNC),
 * and acknowledges a group, in memory that is the parent's, when its sync is
 * reported done.  It is killed, after a random amount of progress of a random
 * kind that the parent watches, or ends by itself with requests under way: by
 * abort, exit, _exit or exec.  Then the file is read.  Invariant:
 *
 *  - each record of an acknowledged group is there, whole;
 *  - when a group was acknowledged, a sync had succeeded that began after the
 *    last of the group's writes had returned: by fsync() for O_SYNC and FSYNC;
 *    and there were as many syncs as acknowledgements;
 *  - after an exit, _exit or exec each native write that io_submit had accepted
 *    is there, whole;
 *  - of all others each byte is the record's or was never written, and nothing
 *    is where no record was submitted.
 *
 * What this cannot show: that data survive a loss of power.  The page cache
 * outlives the process, so the file would be right without any sync.  That the
 * syncs are made, and when, is what counted.c notes; what they do is the
 * kernel's.
 */
#include "durability.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEFAULT_ROUNDS = 40, HANGS_S = 60, SPINS_BITS = 16 };

struct notes *notes;

static const char *const ending_names[ENDINGS] = {"kill", "abort", "exit", "_exit", "exec"};

static struct {
    unsigned rounds[ENDINGS], acknowledged, lost, rescued, syncs;
} sums;

static unsigned n_round, seed;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "durability-%s: round %u, seed %u: %s\n", face_name, n_round, seed, what);
    exit(1);
}

static void insist(bool condition, const char *what)
{
    if (!condition) {
        perror(what);
        fail("cannot be tested");
    }
}

/* ---- the plan -------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t plan_random(const struct plan *plan, uint64_t what)
{
    return mix(plan->seed + mix(what + 1));
}

unsigned plan_members(const struct plan *plan, unsigned group)
{
    return 1 + (unsigned)(plan_random(plan, group) % GROUP_MAX);
}

bool plan_sync_is_full(const struct plan *plan, unsigned group)
{
    return plan_random(plan, group) >> 32 & 1;
}

size_t plan_length(const struct plan *plan, unsigned record)
{
    return 1 + plan_random(plan, RECORDS + record) % SLOT_BYTES;
}

/* Any byte out of place differs from what should be there, by the record's
 * number and the round's: better than a checksum of what is. */
void plan_fill(const struct plan *plan, unsigned record, void *to)
{
    size_t nbytes = plan_length(plan, record);
    unsigned char *at = to;
    uint64_t state = plan_random(plan, 2 * RECORDS + record);

    for (size_t i = 0; i < nbytes; i++) {
        if (i % 8 == 0)
            state = mix(state + i);
        at[i] = (unsigned char)(state >> i % 8 * 8) | 1;
    }
}

static struct plan make_plan(void)
{
    static const enum ending endings[] = {BY_KILL, BY_EXIT, BY_KILL, BY__EXIT,
                                          BY_KILL, BY_EXEC, BY_KILL, BY_ABORT};
    struct plan plan = {.seed = mix(((uint64_t)seed << 32) + n_round)};

    plan.ending = endings[n_round % (sizeof endings / sizeof endings[0])];
    plan.depth = 1 + (unsigned)(plan_random(&plan, 3 * RECORDS) % DEPTH_MAX);
    plan.stop = GROUPS;
    if (plan.ending != BY_KILL)
        plan.stop = 1 + (unsigned)(plan_random(&plan, 3 * RECORDS + 1) % GROUPS);
    return plan;
}

/* ---- the writer -------------------------------------------------------------- */

void note_submission(unsigned record)
{
    atomic_store(&notes->submitted[record], true);
    atomic_fetch_add(&notes->progress[SUBMITTED], 1);
}

void note_acceptance(unsigned record)
{
    atomic_store(&notes->accepted[record], true);
}

void note_broken(const char *what)
{
    atomic_store(&notes->broken, what);
}

void note_acknowledged(const struct plan *plan, unsigned group)
{
    unsigned synced = atomic_load(&notes->synced[plan_sync_is_full(plan, group)]);

    for (unsigned i = 0; i < plan_members(plan, group); i++) {
        unsigned written = atomic_load(&notes->written[group * GROUP_MAX + i]);

        if (written == 0)
            note_broken("a sync was reported, and a write before it had not been made");
        else if (written > synced)
            note_broken("a sync was reported, and none was made since a write before it");
    }
    atomic_store(&notes->acknowledged[group], true);
    if (atomic_fetch_add(&notes->progress[ACKNOWLEDGED], 1) >=
        atomic_load(&notes->progress[SYNC_DONE]))
        note_broken("more syncs were reported than made");
}

static _Noreturn void run_writer(const struct plan *plan, int fd)
{
    alarm(HANGS_S);
    face_write(plan, fd);
    switch (plan->ending) {
    case BY_EXIT:
        exit(0);
    case BY__EXIT:
        _exit(0);
    case BY_EXEC:
        execlp("true", "true", (char *)NULL);
        note_broken("exec failed");
        _exit(0);
    case BY_ABORT:
        signal(SIGABRT, SIG_DFL);
        abort();
    default:
        atomic_store(&notes->finished, true);
        for (;;)
            pause();
    }
}

/* ---- its end ----------------------------------------------------------------- */

/* The moment is one of progress, and then of some instructions more. */
static void kill_some_time(const struct plan *plan, pid_t child)
{
    enum progress kind = (enum progress)(plan_random(plan, 3 * RECORDS + 2) % PROGRESSES);
    unsigned limit = kind == SUBMITTED || kind == WRITTEN ? RECORDS / 2 : GROUPS;
    unsigned target = (unsigned)(plan_random(plan, 3 * RECORDS + 3) % limit);
    uint64_t bits = plan_random(plan, 3 * RECORDS + 4) % (SPINS_BITS + 1);
    uint64_t spins = plan_random(plan, 3 * RECORDS + 5) & ((UINT64_C(1) << bits) - 1);

    while (atomic_load(&notes->progress[kind]) < target && !atomic_load(&notes->finished) &&
           waitpid(child, NULL, WNOHANG | WNOWAIT) == 0)
        sched_yield();
    while (spins-- > 0)
        atomic_load(&notes->finished);
    kill(child, SIGKILL);
}

static void check_end(const struct plan *plan, int status)
{
    bool right;

    switch (plan->ending) {
    case BY_KILL:
        right = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        break;
    case BY_ABORT:
        right = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
        break;
    default:
        right = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    if (right)
        return;
    fprintf(stderr, "wait status 0x%x after %s\n", (unsigned)status, ending_names[plan->ending]);
    fail(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "the writer hangs"
                                                            : "the writer's end is another");
}

static size_t read_slot(int fd, unsigned record, unsigned char *to)
{
    ssize_t n = pread(fd, to, SLOT_BYTES, (off_t)record * SLOT_BYTES);

    insist(n >= 0, "pread");
    return (size_t)n;
}

static void check_record(const struct plan *plan, int fd, unsigned record)
{
    static unsigned char found[SLOT_BYTES], expected[SLOT_BYTES];
    bool acknowledged = atomic_load(&notes->acknowledged[record / GROUP_MAX]) &&
                        record % GROUP_MAX < plan_members(plan, record / GROUP_MAX);
    bool accepted = atomic_load(&notes->accepted[record]);
    bool whole = acknowledged || (accepted && face_promises(plan->ending));
    size_t n, nbytes = 0;

    memset(expected, 0, sizeof expected);
    memset(found, 0, sizeof found);
    n = read_slot(fd, record, found);
    if (atomic_load(&notes->submitted[record])) {
        nbytes = plan_length(plan, record);
        plan_fill(plan, record, expected);
    }
    if (whole && (n < nbytes || memcmp(found, expected, sizeof found) != 0))
        fail(acknowledged ? "an acknowledged record is not in the file"
                          : "an accepted native write was not made before the end");
    for (size_t i = 0; i < n; i++)
        if (found[i] != 0 && found[i] != expected[i])
            fail("there is what was never submitted");
    sums.rescued += whole && !acknowledged;
    sums.lost += atomic_load(&notes->submitted[record]) && !acknowledged && !whole;
}

static void check_file(const struct plan *plan, int fd)
{
    static unsigned char beyond[SLOT_BYTES];

    for (unsigned record = 0; record < RECORDS; record++)
        check_record(plan, fd, record);
    if (read_slot(fd, RECORDS, beyond) != 0)
        fail("there is something behind all records");
}

static int new_file(void)
{
    char path[] = "uaio-durability-XXXXXX";
    int fd = mkstemp(path);

    insist(fd >= 0 && unlink(path) == 0, "temporary file");
    return fd;
}

static void run_round(void)
{
    const struct plan plan = make_plan();
    int fd = new_file(), status;
    const char *broken;
    pid_t child;

    memset(notes, 0, sizeof *notes);
    child = fork();
    insist(child >= 0, "fork");
    if (child == 0)
        run_writer(&plan, fd);
    if (plan.ending == BY_KILL)
        kill_some_time(&plan, child);
    while (waitpid(child, &status, 0) < 0)
        insist(errno == EINTR, "waitpid");
    check_end(&plan, status);
    broken = atomic_load(&notes->broken);
    if (broken != NULL)
        fail(broken);
    check_file(&plan, fd);
    close(fd);
    sums.rounds[plan.ending]++;
    sums.acknowledged += atomic_load(&notes->progress[ACKNOWLEDGED]);
    sums.syncs += atomic_load(&notes->progress[SYNC_DONE]);
}

static unsigned setting(int argc, char **argv, int n, const char *name, unsigned value)
{
    const char *text = argc > n ? argv[n] : getenv(name);

    return text != NULL && *text != '\0' ? (unsigned)strtoul(text, NULL, 0) : value;
}

int main(int argc, char **argv)
{
    unsigned rounds = setting(argc, argv, 1, "UAIO_DURABILITY_ROUNDS", DEFAULT_ROUNDS);
    void *p = mmap(NULL, sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    insist(p != MAP_FAILED, "mmap");
    insist(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) == 0, "setrlimit"); /* abort() */
    notes = p;
    seed = setting(argc, argv, 2, "UAIO_DURABILITY_SEED", (unsigned)time(NULL));
    printf("durability-%s: %u rounds, seed %u\n", face_name, rounds, seed);
    fflush(stdout); /* the writers exit with what is in it */
    for (n_round = 0; n_round < rounds; n_round++)
        run_round();
    for (int i = 0; i < ENDINGS; i++)
        printf("%s%u by %s", i ? ", " : "", sums.rounds[i], ending_names[i]);
    printf("\n%u groups acknowledged, %u syncs made; of records that were under way at the end, "
           "%u had no promise, %u were made\n",
           sums.acknowledged, sums.syncs, sums.lost, sums.rescued);
    if (sums.acknowledged == 0)
        fail("no group was ever acknowledged");
    return 0;
}
