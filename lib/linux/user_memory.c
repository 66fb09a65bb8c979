/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "user_memory.h"
#include "config.h"
#include "kernel.h"
#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* linux/futex.h is not everywhere. */
enum { WAKE_OP_PRIVATE = 5 | 128, OR_ZERO_COMPARE_EQUAL = 2 << 28 };

#if defined(SYS_futex)
# define FUTEX SYS_futex
#else
# define FUTEX SYS_futex_time64
#endif

#define KERNEL_SIGSET_BYTES 8

/* Some kernels' pages are larger; none is smaller. */
#define PAGE_SHIFT 12
#define PAGE_BYTES ((uintptr_t)1 << PAGE_SHIFT)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool can_probe_reads, can_probe_writes;

/* The set is copied in first, and then `how` is found invalid. */
static long copy_in(const void *p)
{
    return uaio__kernel(SYS_rt_sigprocmask, -1, (long)(uintptr_t)p, 0, KERNEL_SIGSET_BYTES, 0, 0);
}

/* The kernel adds no bit to the word and wakes nobody who waits on our own. */
static long or_zero(void *p)
{
    uint32_t nobody = 0;
    return uaio__kernel(FUTEX, (long)(uintptr_t)&nobody, WAKE_OP_PRIVATE, 0, 0, (long)(uintptr_t)p,
                        OR_ZERO_COMPARE_EQUAL);
}

/* Emulators and sandboxes may answer otherwise: then pointers are trusted. */
static void find_out(void)
{
    uint64_t good[2] = {0, 0};
    size_t nbytes = (size_t)sysconf(_SC_PAGESIZE);
    void *bad = mmap(NULL, nbytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bad == MAP_FAILED)
        return;
    can_probe_reads = copy_in(good) == -EINVAL && copy_in(bad) == -EFAULT;
    can_probe_writes = or_zero(good) >= 0 && or_zero(bad) == -EFAULT;
    munmap(bad, nbytes);
}

/* ---- pages that were good -------------------------------------------------- */

#define REMEMBERED 32u /* pairs: the pages of a stack, a heap and a ring often share a place */

/* A page's address, and 1 if it can be written, too, the later found first. */
struct known_pages {
    uintptr_t page[2];
};

static _Thread_local struct known_pages known[REMEMBERED];

static struct known_pages *place_of(uintptr_t page)
{
    return &known[(page >> PAGE_SHIFT) % REMEMBERED];
}

static bool is_same(uintptr_t known_page, uintptr_t page, bool write)
{
    return known_page == (page | 1) || (!write && known_page == page);
}

static bool is_remembered(uintptr_t page, bool write)
{
    const struct known_pages *place = place_of(page);

    return page && (is_same(place->page[0], page, write) || is_same(place->page[1], page, write));
}

static void remember(uintptr_t page, bool write)
{
    struct known_pages *place = place_of(page);

    if (uaio__config()->strict)
        return;
    if ((place->page[0] | 1) != (page | 1))
        place->page[1] = place->page[0];
    place->page[0] = write ? page | 1 : page;
}

/* `at` is within the page; the probes touch 8 and 4 bytes. */
static bool probe(uintptr_t at, uintptr_t page, bool write)
{
    uintptr_t last = page + PAGE_BYTES - KERNEL_SIGSET_BYTES;

    if (write)
        return !can_probe_writes || or_zero((void *)(at & ~(uintptr_t)3)) != -EFAULT;
    return !can_probe_reads || copy_in((void *)(at < last ? at : last)) != -EFAULT;
}

static bool page_good(uintptr_t at, bool write)
{
    uintptr_t page = at & ~(PAGE_BYTES - 1);

    if (is_remembered(page, write))
        return true;
    if (!probe(at, page, write))
        return false;
    remember(page, write);
    return true;
}

/* Nearly all that there is to do for a program that is well behaved. */
static inline bool is_known(uintptr_t at, size_t nbytes, bool write)
{
    uintptr_t page = at & ~(PAGE_BYTES - 1);

    return nbytes > 0 && nbytes <= PAGE_BYTES - (at - page) && is_remembered(page, write);
}

static __attribute__((noinline)) bool look(uintptr_t at, size_t nbytes, bool write)
{
    uintptr_t end;

    pthread_once(&once, find_out);
    if (nbytes == 0)
        return true;
    if (!user__in_range(at, nbytes))
        return false;
    end = at + nbytes;
    while (at < end) {
        if (!page_good(at, write))
            return false;
        at = user__page_end(at);
        if (at == 0)
            break;
    }
    return true;
}

static inline bool good(uintptr_t at, size_t nbytes, bool write)
{
    return is_known(at, nbytes, write) || look(at, nbytes, write);
}

bool user__in_range(uint64_t address, uint64_t nbytes)
{
    uint64_t limit = UINTPTR_MAX == UINT64_MAX ? INT64_MAX : UINTPTR_MAX;

    return address <= limit && nbytes <= limit - address;
}

uintptr_t user__page_end(uintptr_t address)
{
    return (address | (PAGE_BYTES - 1)) + 1;
}

bool user__readable(const void *p, size_t nbytes)
{
    return p && good((uintptr_t)p, nbytes, false);
}

bool user__writable(void *p, size_t nbytes)
{
    return p && good((uintptr_t)p, nbytes, true);
}

bool user__readable_now(const void *p)
{
    pthread_once(&once, find_out);
    return p && (!can_probe_reads || copy_in(p) != -EFAULT); /* NULL would be no set */
}

/* Where no descriptor is left. */
static bool copy_own(void *to, const void *from, size_t nbytes)
{
#ifdef SYS_process_vm_readv
    struct iovec local = {to, nbytes}, remote = {(void *)(uintptr_t)from, nbytes};
    long self = uaio__kernel(SYS_getpid, 0, 0, 0, 0, 0, 0);

    return uaio__kernel(SYS_process_vm_readv, self, (long)(uintptr_t)&local, 1,
                        (long)(uintptr_t)&remote, 1, 0) == (long)nbytes;
#else
    (void)to, (void)from, (void)nbytes;
    return false;
#endif
}

/* Where that is forbidden, too.  What another thread unmaps after the look is this
 * process's end, so this is for want of anything better. */
static bool copy_looking(void *to, const void *from, size_t nbytes)
{
    const unsigned char *last = (const unsigned char *)from + nbytes - KERNEL_SIGSET_BYTES;

    if (!user__readable_now(from) || !user__readable_now(last))
        return false;
    memcpy(to, from, nbytes);
    return true;
}

/* Through a pipe: the kernel reads with care, and process_vm_readv() is often
 * forbidden. */
bool user__copy(void *to, const void *from, size_t nbytes)
{
    bool copied;
    int ends[2], saved = errno;

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
        long n = uaio__kernel(SYS_write, ends[1], (long)(uintptr_t)from, (long)nbytes, 0, 0, 0);
        copied = n == (long)nbytes && read(ends[0], to, nbytes) == (ssize_t)nbytes;
        close(ends[0]);
        close(ends[1]);
    } else {
        copied = copy_own(to, from, nbytes) || copy_looking(to, from, nbytes);
    }
    errno = saved;
    return copied;
}

bool linux__readable(const void *p, size_t nbytes)
{
    return user__readable(p, nbytes);
}
