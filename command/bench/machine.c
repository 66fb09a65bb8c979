/* SPDX-License-Identifier: MIT */
/* What the figures depend on beside the programs: told with them. */

#include "bench.h"

#include <linux/magic.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

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
    machine->processors = sysconf(_SC_NPROCESSORS_ONLN);
    strftime(machine->date, sizeof machine->date, "%Y-%m-%d", gmtime_r(&now, &tm));
}
