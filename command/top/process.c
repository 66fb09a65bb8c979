/* SPDX-License-Identifier: MIT */
/*
 * uaio is found in a process by its beacon (lib/engine/beacon.h), in the writable data
 * of the libraries that are ours by name, else of the program, else of whatever file
 * is mapped.  A process may have several: each library of ours has an engine.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define CHUNK (64 * 1024)

static const unsigned char magic[] = BEACON_MAGIC;

pid_t process__pid(const struct process *process)
{
    return process->pid;
}

const char *process__name(const struct process *process)
{
    return process->name;
}

const char *process__objects(const struct process *process)
{
    return process->objects;
}

const char *process__version(const struct process *process)
{
    return process->sources[0].beacon.version;
}

int process__handle(const struct process *process)
{
    return process->handle;
}

/* ---- /proc -------------------------------------------------------------------- */

/* A file of the process's directory; NULL with errno. */
static FILE *open_file(pid_t pid, const char *name)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return fopen(path, "re");
}

/* When it was started, in ticks since the machine was; 0: it is over.  Ids come again. */
static unsigned long long start_of(pid_t pid)
{
    FILE *file = open_file(pid, "stat");
    unsigned long long start = 0;
    char line[1024], state, *at;

    if (!file)
        return 0;
    at = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL; /* the name may be any */
    fclose(file);
    if (!at || sscanf(at + 1,
                      " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                      "%*d %llu",
                      &state, &start) != 2)
        return 0;
    return state == 'Z' || state == 'X' ? 0 : start;
}

bool process__is_over(const struct process *process)
{
    return start_of(process->pid) != process->start;
}

static void read_name(struct process *process)
{
    FILE *file = open_file(process->pid, "comm");

    process->name[0] = '\0';
    if (!file)
        return;
    if (fgets(process->name, sizeof process->name, file))
        process->name[strcspn(process->name, "\n")] = '\0';
    fclose(file);
}

/* What getpid() says in it: in a container that is another number. */
static pid_t inner_pid(pid_t pid)
{
    FILE *file = open_file(pid, "status");
    char line[512], *last;
    pid_t inner = pid;

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "NSpid:", 6) == 0 && (last = strrchr(line, '\t')))
            inner = (pid_t)strtol(last, NULL, 10);
    if (file)
        fclose(file);
    return inner;
}

void process__file(const struct process *process, unsigned fd, char *name, size_t size)
{
    char path[64];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/fd/%u", (int)process->pid, fd);
    n = readlink(path, name, size - 1);
    name[n > 0 ? n : 0] = '\0';
}

/* ---- memory -------------------------------------------------------------------- */

/* Where sandboxes refuse the call, the file may do. */
static ssize_t read_file(struct process *process, void *to, uint64_t from, size_t n)
{
    char path[64];

    if (process->memory < 0) {
        snprintf(path, sizeof path, "/proc/%d/mem", (int)process->pid);
        process->memory = open(path, O_RDONLY | O_CLOEXEC);
    }
    return process->memory < 0 ? -1 : pread(process->memory, to, n, (off_t)from);
}

int process__read(struct process *process, void *to, uint64_t from, size_t n)
{
    struct iovec local = {to, n}, remote = {(void *)(uintptr_t)from, n};
    ssize_t got;

    if (from != (uintptr_t)from)
        return -EFAULT;
    got = process_vm_readv(process->pid, &local, 1, &remote, 1, 0);
    if (got < 0 && (errno == ENOSYS || errno == EPERM))
        got = read_file(process, to, from, n);
    if (got == (ssize_t)n)
        return 0;
    return got < 0 && errno != EIO ? -errno : -EFAULT;
}

/* ---- the search ------------------------------------------------------------------ */

struct region {
    uint64_t begin, end;
    char *path;
};

/* What was found beside what was looked for. */
struct search {
    struct process *process;
    char program[4096];
    char version[sizeof((struct beacon *)0)->version]; /* of another one */
    bool other_machine;
    int err;
};

static const char *file_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_ours_by_name(const struct search *search, const struct region *region)
{
    static const char *const names[] = {"libuaio-preload.so", "libuaio-rt.so", "libuaio.so",
                                        "libaio.so.1"};

    (void)search;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(file_of(region->path), names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static bool is_the_program(const struct search *search, const struct region *region)
{
    return strcmp(region->path, search->program) == 0;
}

static bool is_another(const struct search *search, const struct region *region)
{
    return !is_ours_by_name(search, region) && !is_the_program(search, region);
}

static bool is_like_ours(const struct beacon *beacon)
{
    const uint32_t sizes[] = BEACON_SIZES;

    return beacon->layout == BEACON_LAYOUT && memcmp(beacon->sizes, sizes, sizeof sizes) == 0;
}

/* There may be copies of one: in a core file that is read, say. */
static void consider(struct search *search, const struct beacon *beacon, uint64_t at,
                     const char *path)
{
    struct process *process = search->process;
    struct source *source;

    if (beacon->word_bytes != sizeof(void *) ||
        beacon->last_byte != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)) {
        search->other_machine = true;
    } else if (!is_like_ours(beacon)) {
        snprintf(search->version, sizeof search->version, "%.*s", (int)sizeof beacon->version - 1,
                 beacon->version);
    } else if ((uintptr_t)beacon->self == at && process->n_sources < MAX_SOURCES) {
        source = &process->sources[process->n_sources++];
        source->beacon = *beacon;
        source->beacon.version[sizeof beacon->version - 1] = '\0';
        source->at = at;
        snprintf(process->objects + strlen(process->objects),
                 sizeof process->objects - strlen(process->objects), "%s%s",
                 *process->objects ? ", " : "", file_of(path));
    }
}

static void search_region(struct search *search, const struct region *region)
{
    static _Alignas(BEACON_ALIGN) unsigned char chunk[CHUNK + sizeof(struct beacon)];

    for (uint64_t at = region->begin; at < region->end; at += CHUNK) {
        /* One that begins in this chunk may end in the next. */
        size_t n = region->end - at < sizeof chunk ? (size_t)(region->end - at) : sizeof chunk;
        int err = process__read(search->process, chunk, at, n);
        if (err) { /* a file that has been cut short, for one */
            search->err = err == -EFAULT ? search->err : err;
            return;
        }
        for (size_t i = 0; i < CHUNK && i + sizeof(struct beacon) <= n; i += BEACON_ALIGN) {
            struct beacon beacon;
            if (memcmp(chunk + i, magic, sizeof magic) != 0)
                continue;
            memcpy(&beacon, chunk + i, sizeof beacon);
            consider(search, &beacon, at + i, region->path);
        }
    }
}

/* Of a line of /proc/PID/maps.  False: nothing that is to be searched. */
static bool parse_region(char *line, struct region *region)
{
    char rights[5];
    int path = 0;

    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %n", &region->begin, &region->end,
               rights, &path) != 3 ||
        path == 0 || line[path] != '/')
        return false;
    region->path = line + path;
    return strcmp(rights, "rw-p") == 0;
}

static int search_regions(struct search *search,
                          bool (*matches)(const struct search *, const struct region *))
{
    FILE *maps = open_file(search->process->pid, "maps");
    struct region region;
    char *line = NULL;
    size_t size = 0;

    if (!maps)
        return -errno;
    errno = 0;
    while (search->err == 0 && getline(&line, &size, maps) > 0)
        if (parse_region(line, &region) && matches(search, &region))
            search_region(search, &region);
    free(line);
    fclose(maps);
    return search->err;
}

static int search_all(struct search *search)
{
    int err = search_regions(search, is_ours_by_name);

    if (!err)
        err = search_regions(search, is_the_program);
    if (!err && search->process->n_sources == 0)
        err = search_regions(search, is_another);
    return err;
}

/* ---- why not ----------------------------------------------------------------------- */

static int yama_scope(void)
{
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    int scope = 0;

    if (file && fscanf(file, "%d", &scope) != 1)
        scope = 0;
    if (file)
        fclose(file);
    return scope;
}

static void explain(const struct process *process, int err, char reason[REASON_BYTES])
{
    int scope = yama_scope();

    if (err != EPERM && err != EACCES)
        snprintf(reason, REASON_BYTES, "the memory of process %d cannot be read: %s",
                 (int)process->pid, strerror(err));
    else if (scope > 0)
        snprintf(reason, REASON_BYTES,
                 "not permitted to read the memory of process %d: run as root (the setting "
                 "kernel.yama.ptrace_scope is %d, and root alone may)",
                 (int)process->pid, scope);
    else
        snprintf(reason, REASON_BYTES,
                 "not permitted to read the memory of process %d: run as its user, or as root",
                 (int)process->pid);
}

static void explain_absence(const struct search *search, char reason[REASON_BYTES])
{
    int pid = (int)search->process->pid;

    if (search->other_machine)
        snprintf(reason, REASON_BYTES,
                 "process %d has a uaio for another kind of processor (or of 32 bits beside 64): "
                 "it takes the command 'uaio' of that",
                 pid);
    else if (search->version[0])
        snprintf(reason, REASON_BYTES,
                 "process %d has a uaio that this one (" UAIO_VERSION ") does not know, %s: "
                 "use the command 'uaio' that came with it",
                 pid, search->version);
    else
        snprintf(reason, REASON_BYTES,
                 "there is no uaio in process %d (%s): is it started with LD_PRELOAD, or linked "
                 "with uaio?",
                 pid, search->process->name);
}

/* ---- all of it ----------------------------------------------------------------------- */

enum look process__find(struct process *process, char reason[REASON_BYTES])
{
    static struct search search;
    char path[64];
    ssize_t n;
    int err;

    search = (struct search){.process = process};
    process->n_sources = 0;
    process->objects[0] = '\0';
    if (process->memory >= 0) /* it is that of the program before */
        close(process->memory);
    process->memory = -1;
    read_name(process);
    snprintf(path, sizeof path, "/proc/%d/exe", (int)process->pid);
    n = readlink(path, search.program, sizeof search.program - 1);
    search.program[n > 0 ? n : 0] = '\0';
    err = search_all(&search);
    if (process__is_over(process))
        return LOOK_ENDED;
    if (process->n_sources > 0)
        return LOOK_WELL;
    if (err)
        explain(process, -err, reason);
    else
        explain_absence(&search, reason);
    return LOOK_FAILED;
}

struct process *process__open(pid_t pid, char reason[REASON_BYTES])
{
    struct process *process = calloc(1, sizeof *process);

    if (!process) {
        snprintf(reason, REASON_BYTES, "no memory");
        return NULL;
    }
    process->pid = pid;
    process->memory = process->handle = -1;
    process->start = start_of(pid);
    if (process->start == 0) {
        snprintf(reason, REASON_BYTES, "there is no process %d%s", (int)pid,
                 access("/proc/self/stat", R_OK) != 0 ? ", as far as can be seen without /proc"
                                                      : "");
        free(process);
        return NULL;
    }
    process->inner_pid = inner_pid(pid);
#ifdef SYS_pidfd_open
    process->handle = (int)syscall(SYS_pidfd_open, pid, 0);
#endif
    return process;
}

void process__close(struct process *process)
{
    if (process->memory >= 0)
        close(process->memory);
    if (process->handle >= 0)
        close(process->handle);
    free(process);
}
