/* SPDX-License-Identifier: MIT */
/*
 * FreeBSD's aio_waitcomplete(): see <uaio/freebsd.h>; its other names are with
 * the standard's.
 *
 * It gives out every request of the process, so each has to be collected from the
 * first on.  That is not for programs which do not ask for it: they may free a
 * control block without a word to us.  So at load the objects of the process are
 * searched for one that is linked to the name: it has a relocation for it.  Their
 * hash tables do not tell: not all has to be in them.
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
    const char *rel, *rela, *plt;
    size_t rel_nbytes, rela_nbytes, plt_nbytes;
    bool plt_has_rela;
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
        const void *table = located(object, dynamic->d_un.d_ptr);
        size_t value = (size_t)dynamic->d_un.d_val;
        switch (dynamic->d_tag) {
        case DT_SYMTAB:
            tables->symbols = table;
            break;
        case DT_STRTAB:
            tables->strings = table;
            break;
        case DT_REL:
            tables->rel = table;
            break;
        case DT_RELSZ:
            tables->rel_nbytes = value;
            break;
        case DT_RELA:
            tables->rela = table;
            break;
        case DT_RELASZ:
            tables->rela_nbytes = value;
            break;
        case DT_JMPREL:
            tables->plt = table;
            break;
        case DT_PLTRELSZ:
            tables->plt_nbytes = value;
            break;
        case DT_PLTREL:
            tables->plt_has_rela = value == DT_RELA;
            break;
        default:
            break;
        }
    }
}

/* Both kinds of relocations begin alike. */
static size_t symbol_of(const void *relocation)
{
    ElfW(Rel) head;

    memcpy(&head, relocation, sizeof head);
    return (size_t)(sizeof head.r_info == 8 ? (uint64_t)head.r_info >> 32 : head.r_info >> 8);
}

static bool is_among(const struct tables *tables, const char *relocations, size_t nbytes,
                     size_t each, const char *name)
{
    for (size_t at = 0; relocations && at + each <= nbytes; at += each) {
        size_t symbol = symbol_of(relocations + at);
        if (symbol && strcmp(tables->strings + tables->symbols[symbol].st_name, name) == 0)
            return true;
    }
    return false;
}

static bool is_linked_to(const struct tables *tables, const char *name)
{
    size_t plt_each = tables->plt_has_rela ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));

    return is_among(tables, tables->plt, tables->plt_nbytes, plt_each, name) ||
           is_among(tables, tables->rela, tables->rela_nbytes, sizeof(ElfW(Rela)), name) ||
           is_among(tables, tables->rel, tables->rel_nbytes, sizeof(ElfW(Rel)), name);
}

static int look(struct dl_phdr_info *object, size_t nbytes, void *found)
{
    struct tables tables = {0};

    (void)nbytes;
    for (unsigned i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_DYNAMIC)
            find_tables(object, (const void *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr),
                        &tables);
    if (tables.symbols && tables.strings)
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
