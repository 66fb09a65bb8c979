/* SPDX-License-Identifier: MIT */
/*
 * What an ELF file says of itself, read without trust.
 *
 * By pread() into memory of our own, not by mmap(): a file that is cut short while it is
 * looked at would be a SIGBUS.  Each offset, size and index is checked against the file,
 * each table against a bound, before it is used: a damaged or hostile file is an error
 * with a reason.  Not libelf: a dependency, for what are six structures of <elf.h>.
 *
 * Files of both word sizes are read, as 64-bit structures; of those with the other byte
 * order the first lines alone.
 */
#ifndef UAIO_PROGRAM_ELF_H
#define UAIO_PROGRAM_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_MAX 1024 /* bytes of a message */

enum elf_state {
    ELF_GOOD,
    ELF_NONE,       /* it is something else */
    ELF_DAMAGED,    /* cut short, or untrue of itself */
    ELF_UNREADABLE, /* it cannot be opened or read */
};

struct elf {
    int fd;
    uint64_t size;
    unsigned machine, bits; /* EM_*; 32 or 64 */
    bool legible;           /* our byte order: only then is there something in what follows */

    unsigned type; /* ET_* */
    uint64_t sections_at;
    unsigned n_sections, segment_size, section_size;
    Elf64_Phdr *segments;
    unsigned n_segments;
    Elf64_Dyn *dynamic;
    size_t n_dynamic;
    char *strings; /* those of the dynamic section */
    uint64_t strings_size;
    char *interpreter; /* NULL: none */
};

/* In each case close it after.  `why` is filled in unless it is ELF_GOOD. */
enum elf_state elf__open(struct elf *elf, const char *path, char why[TEXT_MAX]);
void elf__close(struct elf *elf);

/* The i-th string of a kind (DT_NEEDED, DT_SONAME...), or NULL. */
const char *elf__string(const struct elf *elf, int64_t tag, unsigned i);

/* No program that a loader loads other things for. */
bool elf__is_static(const struct elf *elf);
bool elf__is_library(const struct elf *elf);

/* Is there a note of that owner? */
bool elf__has_note(const struct elf *elf, const char *owner);

/* Go through the names of a table, SHT_DYNSYM or SHT_SYMTAB.  ELF_NONE: it has none. */
typedef void elf_visit(void *context, const char *name, bool defined, bool is_function);
enum elf_state elf__each_symbol(const struct elf *elf, uint32_t table, elf_visit *visit,
                                void *context);

/* "x86_64" and the like; in memory that the next call uses again. */
const char *elf__machine_name(unsigned machine);

#endif
