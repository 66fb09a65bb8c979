/* SPDX-License-Identifier: MIT */
/* What the figures depend on beside the programs: told with them. */

#include "bench.h"

#include <gnu/libc-version.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>

/* Not in the header. */
#define XFS_MAGIC 0x58465342
#define ZFS_MAGIC 0x2fc12fc1

static const struct {
    unsigned long type;
    const char *name;
    bool memory; /* has no device below it */
} known[] = {
    {EXT4_SUPER_MAGIC, "ext4", false},   {XFS_MAGIC, "xfs", false},
    {BTRFS_SUPER_MAGIC, "btrfs", false}, {TMPFS_MAGIC, "tmpfs", true},
    {RAMFS_MAGIC, "ramfs", true},        {OVERLAYFS_SUPER_MAGIC, "overlay", false},
    {NFS_SUPER_MAGIC, "nfs", false},     {ZFS_MAGIC, "zfs", false},
    {F2FS_SUPER_MAGIC, "f2fs", false},
};

const char *filesystem__name(const char *path, bool *memory)
{
    struct statfs about;

    *memory = false;
    if (statfs(path, &about) != 0)
        return "unknown";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if ((unsigned long)about.f_type == known[i].type) {
            *memory = known[i].memory;
            return known[i].name;
        }
    }
    return "other";
}

/* The model, where the kernel tells it in words; the architecture in any case. */
static void describe_processor(struct machine *machine, const char *architecture)
{
    static const char field[] = "model name";
    FILE *about = fopen("/proc/cpuinfo", "re");
    char line[160], *value = NULL;
    cpu_set_t usable;

    while (about && !value && fgets(line, sizeof line, about))
        if (strncmp(line, field, sizeof field - 1) == 0)
            value = strchr(line, ':');
    if (about)
        fclose(about);
    if (value)
        line[strcspn(line, "\n")] = '\0';
    snprintf(machine->processor, sizeof machine->processor, "%.50s%s%.20s",
             value ? value + 1 + strspn(value + 1, " ") : "", value ? ", " : "", architecture);
    machine->processors =
        sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : 1;
}

void machine__describe(struct machine *machine, const char *directory)
{
    time_t now = time(NULL);
    struct utsname name;
    struct tm tm;
    bool memory;

    uname(&name);
    snprintf(machine->kernel, sizeof machine->kernel, "%.20s %.60s", name.sysname, name.release);
    snprintf(machine->filesystem, sizeof machine->filesystem, "%s",
             filesystem__name(directory, &memory));
    snprintf(machine->libc, sizeof machine->libc, "glibc %.20s", gnu_get_libc_version());
#ifdef UAIO_HAVE_LIBURING
    snprintf(machine->liburing, sizeof machine->liburing, "liburing %s", UAIO_HAVE_LIBURING);
#endif
    describe_processor(machine, name.machine);
    strftime(machine->date, sizeof machine->date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
}
