/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifdef __GLIBC__
# include <gnu/libc-version.h>
#endif

#ifndef SYS_io_uring_setup
# define SYS_io_uring_setup 425 /* the same everywhere but on alpha */
#endif

/* ---- native AIO and io_uring: asked for, and given back at once ----------------------------- */

static int try_native(void)
{
    unsigned long context = 0;

    if (syscall(SYS_io_setup, 1, &context) != 0)
        return errno;
    syscall(SYS_io_destroy, context);
    return 0;
}

static int try_uring(void)
{
    uint64_t parameters[15] = {0}; /* struct io_uring_params, which older headers lack */
    long fd = syscall(SYS_io_uring_setup, 1, parameters);

    if (fd < 0)
        return errno;
    close((int)fd);
    return 0;
}

const char *error__word(int err)
{
    switch (err) {
    case 0:
        return "works";
    case ENOSYS:
        return "missing (ENOSYS)";
    case EPERM:
        return "refused (EPERM)";
    case EACCES:
        return "refused (EACCES)";
    case EAGAIN:
        return "exhausted (EAGAIN)";
    default:
        return strerror(err);
    }
}

/* ---- files of one number ---------------------------------------------------------------------- */

static long long number_in(const char *path)
{
    FILE *file = fopen(path, "re");
    long long n = UNKNOWN;

    if (!file)
        return UNKNOWN;
    if (fscanf(file, "%lld", &n) != 1)
        n = UNKNOWN;
    fclose(file);
    return n;
}

/* ---- limits ------------------------------------------------------------------------------------- */

static uint64_t limit_of(const struct rlimit *limit)
{
    return limit->rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit->rlim_cur;
}

static long usable_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : UNKNOWN;
}

/* Our control group, in the hierarchy of version 2. */
static bool own_group(char group[PATH_MAX])
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[PATH_MAX - 16];
    bool found = false;

    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        found = strncmp(line, "0::/", 4) == 0;
    }
    if (file)
        fclose(file);
    return found && snprintf(group, PATH_MAX, "/sys/fs/cgroup%s", line + 3) < PATH_MAX;
}

static double quota_of(const char *group)
{
    char path[PATH_MAX + 16], text[64] = "";
    double quota = 0, period = 0;
    FILE *file;

    snprintf(path, sizeof path, "%s/cpu.max", group);
    file = fopen(path, "re");
    if (!file)
        return 0;
    if (fgets(text, sizeof text, file)) {
        char *rest;
        quota = strtod(text, &rest); /* "max" is none, and 0 */
        period = strtod(rest, NULL);
    }
    fclose(file);
    return period > 0 ? quota / period : 0;
}

/* The least of the groups that we are in. */
static double processor_quota(void)
{
    static const char root[] = "/sys/fs/cgroup";
    char group[PATH_MAX];
    double least = 0;

    if (!own_group(group))
        return 0;
    while (strlen(group) >= sizeof root - 1) {
        double quota = quota_of(group);
        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
        *strrchr(group, '/') = '\0';
    }
    return least;
}

/* ---- all of it ------------------------------------------------------------------------------------ */

static void name_libc(char name[64])
{
#ifdef __GLIBC__
    snprintf(name, 64, "glibc %s", gnu_get_libc_version());
#else
    struct elf self;
    char why[TEXT_MAX];
    const char *found =
        elf__open(&self, "/proc/self/exe", why) == ELF_GOOD ? libc_name(&self) : NULL;

    snprintf(name, 64, "%s", found ? found : "not glibc");
    elf__close(&self);
#endif
}

void system__examine(struct system *system)
{
    struct utsname about;
    struct rlimit limit;

    if (uname(&about) == 0) {
        snprintf(system->kernel, sizeof system->kernel, "%s %s", about.sysname, about.release);
        snprintf(system->machine, sizeof system->machine, "%s", about.machine);
    }
    name_libc(system->libc);
    system->native_aio = try_native();
    system->aio_nr = number_in("/proc/sys/fs/aio-nr");
    system->aio_max_nr = number_in("/proc/sys/fs/aio-max-nr");
    system->io_uring = try_uring();
    system->io_uring_disabled = number_in("/proc/sys/kernel/io_uring_disabled");
    system->processors = sysconf(_SC_NPROCESSORS_ONLN);
    system->usable_processors = usable_processors();
    system->quota = processor_quota();
    system->processes = getrlimit(RLIMIT_NPROC, &limit) == 0 ? limit_of(&limit) : UINT64_MAX;
    system->descriptors = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit_of(&limit) : UINT64_MAX;
    for (unsigned i = 0; i < system->n_directories; i++)
        directory__examine(&system->directories[i]);
}
