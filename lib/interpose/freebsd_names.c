/* SPDX-License-Identifier: MIT */
/*
 * FreeBSD's aio_waitcomplete(): see <uaio/freebsd.h>; its other names are with
 * the standard's.
 *
 * It gives out every request of the process, so each has to be collected from the
 * first on.  That is not for programs which do not ask for it: they may free a
 * control block without a word to us.  So at load the objects of the process are
 * searched for one that is linked to the name.  They name what they want from
 * others first in their tables of symbols: the hash table, which is of what they
 * have for others, says where that begins.
 */
#define _GNU_SOURCE
#include "completion_queue.h"
#include "posix.h"

#include <link.h>

#define PUBLIC __attribute__((visibility("default")))

PUBLIC ssize_t aio_waitcomplete(struct uaio_aiocb **cb, const struct timespec *timeout);

PUBLIC ssize_t aio_waitcomplete(struct uaio_aiocb **cb, const struct timespec *timeout)
{
    return uaio_waitcomplete(NULL, cb, timeout);
}

struct tables {
    const ElfW(Sym) * symbols;
    const char *strings;
    const uint32_t *sysv_hash; /* buckets, symbols, ... */
    const uint32_t *gnu_hash;  /* buckets, first symbol in it, ... */
};

/* Some loaders have added the object's address in its dynamic section, some not. */
static const void *located(const struct dl_phdr_info *object, ElfW(Addr) address)
{
    return (const void *)(address < object->dlpi_addr ? object->dlpi_addr + address : address);
}

static void find_tables(const struct dl_phdr_info *object, const ElfW(Dyn) * dynamic,
                        struct tables *tables)
{
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == DT_SYMTAB)
            tables->symbols = located(object, dynamic->d_un.d_ptr);
        else if (dynamic->d_tag == DT_STRTAB)
            tables->strings = located(object, dynamic->d_un.d_ptr);
        else if (dynamic->d_tag == DT_GNU_HASH)
            tables->gnu_hash = located(object, dynamic->d_un.d_ptr);
#if !defined(__s390x__) && !defined(__alpha__) /* entries of 64 bits */
        else if (dynamic->d_tag == DT_HASH)
            tables->sysv_hash = located(object, dynamic->d_un.d_ptr);
#endif
    }
}

static bool is_linked_to(const struct tables *tables, const char *name)
{
    uint32_t n = tables->gnu_hash ? tables->gnu_hash[1] : tables->sysv_hash[1];

    for (uint32_t i = 1; i < n; i++)
        if (tables->symbols[i].st_shndx == SHN_UNDEF &&
            strcmp(tables->strings + tables->symbols[i].st_name, name) == 0)
            return true;
    return false;
}

static int look(struct dl_phdr_info *object, size_t nbytes, void *found)
{
    struct tables tables = {0};

    (void)nbytes;
    for (unsigned i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_DYNAMIC)
            find_tables(object, (const void *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr),
                        &tables);
    if (tables.symbols && tables.strings && (tables.gnu_hash || tables.sysv_hash))
        *(bool *)found = is_linked_to(&tables, "aio_waitcomplete");
    return *(bool *)found;
}

__attribute__((constructor)) static void look_for_users(void)
{
    bool found = false;

    dl_iterate_phdr(look, &found);
    if (found)
        cq__collect_all();
}
