/* SPDX-License-Identifier: MIT */
#include "elf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than any real file has: what is beyond would only cost time and memory. */
#define TABLE_MAX (256u << 20) /* bytes */
#define SECTIONS_MAX (1u << 20)
#define DYNAMIC_MAX (1u << 16) /* entries */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
# define OUR_ORDER ELFDATA2LSB
#else
# define OUR_ORDER ELFDATA2MSB
#endif

static enum elf_state damaged(char why[TEXT_MAX], const char *what)
{
    snprintf(why, TEXT_MAX, "it is a damaged ELF file: %s", what);
    return ELF_DAMAGED;
}

/* ---- pieces of the file --------------------------------------------------------------- */

static bool within(const struct elf *elf, uint64_t offset, uint64_t nbytes)
{
    return offset <= elf->size && nbytes <= elf->size - offset;
}

/* All of it, or false: the file may have become shorter since. */
static bool read_at(const struct elf *elf, void *to, uint64_t offset, uint64_t nbytes)
{
    char *at = to;

    if (!within(elf, offset, nbytes))
        return false;
    while (nbytes > 0) {
        ssize_t n = pread(elf->fd, at, (size_t)nbytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        offset += (uint64_t)n;
        nbytes -= (uint64_t)n;
    }
    return true;
}

/* With a zero after it, which ends the last of strings. */
static void *read_table(const struct elf *elf, uint64_t offset, uint64_t nbytes)
{
    char *table;

    if (nbytes > TABLE_MAX || !within(elf, offset, nbytes))
        return NULL;
    table = malloc((size_t)nbytes + 1);
    if (table && !read_at(elf, table, offset, nbytes)) {
        free(table);
        return NULL;
    }
    if (table)
        table[nbytes] = '\0';
    return table;
}

/* The structures of 32 bits are widened, so that one reader does for both. */

static void widen_segment(Elf64_Phdr *to, const char *from, unsigned bits)
{
    Elf32_Phdr narrow;

    if (bits == 64) {
        memcpy(to, from, sizeof *to);
        return;
    }
    memcpy(&narrow, from, sizeof narrow);
    *to = (Elf64_Phdr){.p_type = narrow.p_type,
                       .p_flags = narrow.p_flags,
                       .p_offset = narrow.p_offset,
                       .p_vaddr = narrow.p_vaddr,
                       .p_filesz = narrow.p_filesz,
                       .p_memsz = narrow.p_memsz};
}

static void widen_section(Elf64_Shdr *to, const char *from, unsigned bits)
{
    Elf32_Shdr narrow;

    if (bits == 64) {
        memcpy(to, from, sizeof *to);
        return;
    }
    memcpy(&narrow, from, sizeof narrow);
    *to = (Elf64_Shdr){.sh_type = narrow.sh_type,
                       .sh_offset = narrow.sh_offset,
                       .sh_size = narrow.sh_size,
                       .sh_link = narrow.sh_link};
}

static void widen_dynamic(Elf64_Dyn *to, const char *from, unsigned bits)
{
    Elf32_Dyn narrow;

    if (bits == 64) {
        memcpy(to, from, sizeof *to);
        return;
    }
    memcpy(&narrow, from, sizeof narrow);
    to->d_tag = narrow.d_tag;
    to->d_un.d_val = narrow.d_un.d_val;
}

static void widen_symbol(Elf64_Sym *to, const char *from, unsigned bits)
{
    Elf32_Sym narrow;

    if (bits == 64) {
        memcpy(to, from, sizeof *to);
        return;
    }
    memcpy(&narrow, from, sizeof narrow);
    *to = (Elf64_Sym){
        .st_name = narrow.st_name, .st_info = narrow.st_info, .st_shndx = narrow.st_shndx};
}

static size_t size_of(const struct elf *elf, size_t wide, size_t narrow)
{
    return elf->bits == 64 ? wide : narrow;
}

/* ---- the file's head -------------------------------------------------------------------- */

static unsigned turned(unsigned n)
{
    return (n & 0xff) << 8 | (n >> 8 & 0xff);
}

static enum elf_state read_header(struct elf *elf, char why[TEXT_MAX], uint64_t *segments_at)
{
    unsigned char bytes[sizeof(Elf64_Ehdr)] = {0};
    uint64_t n = elf->size < sizeof bytes ? elf->size : sizeof bytes;
    Elf32_Ehdr narrow;
    Elf64_Ehdr wide;

    if (!read_at(elf, bytes, 0, n)) {
        snprintf(why, TEXT_MAX, "it cannot be read: %s", errno ? strerror(errno) : "cut short");
        return ELF_UNREADABLE;
    }
    if (memcmp(bytes, ELFMAG, SELFMAG) != 0) {
        snprintf(why, TEXT_MAX, "it is no ELF file");
        return ELF_NONE;
    }
    if (bytes[EI_CLASS] != ELFCLASS32 && bytes[EI_CLASS] != ELFCLASS64)
        return damaged(why, "of neither 32 nor 64 bits");
    if (bytes[EI_DATA] != ELFDATA2LSB && bytes[EI_DATA] != ELFDATA2MSB)
        return damaged(why, "of no byte order");
    elf->bits = bytes[EI_CLASS] == ELFCLASS64 ? 64 : 32;
    if (n < size_of(elf, sizeof wide, sizeof narrow))
        return damaged(why, "shorter than its header");
    memcpy(&narrow, bytes, sizeof narrow);
    memcpy(&wide, bytes, sizeof wide);
    elf->machine = narrow.e_machine; /* in the same place in both */
    elf->type = narrow.e_type;
    elf->legible = bytes[EI_DATA] == OUR_ORDER;
    if (!elf->legible) {
        elf->machine = turned(elf->machine);
        return ELF_GOOD;
    }
    if (elf->type != ET_EXEC && elf->type != ET_DYN) {
        snprintf(why, TEXT_MAX, "it is an ELF file, but neither a program nor a library");
        return ELF_NONE;
    }
    *segments_at = elf->bits == 64 ? wide.e_phoff : narrow.e_phoff;
    elf->n_segments = elf->bits == 64 ? wide.e_phnum : narrow.e_phnum;
    elf->segment_size = elf->bits == 64 ? wide.e_phentsize : narrow.e_phentsize;
    elf->sections_at = elf->bits == 64 ? wide.e_shoff : narrow.e_shoff;
    elf->n_sections = elf->bits == 64 ? wide.e_shnum : narrow.e_shnum;
    elf->section_size = elf->bits == 64 ? wide.e_shentsize : narrow.e_shentsize;
    return ELF_GOOD;
}

static enum elf_state read_segments(struct elf *elf, char why[TEXT_MAX], uint64_t at)
{
    size_t size = size_of(elf, sizeof(Elf64_Phdr), sizeof(Elf32_Phdr));
    unsigned n = elf->n_segments;
    char *table;

    elf->n_segments = 0;
    if (n == 0)
        return ELF_GOOD;
    if (elf->segment_size != size)
        return damaged(why, "program headers of another size");
    table = read_table(elf, at, (uint64_t)n * size);
    if (table)
        elf->segments = calloc(n, sizeof *elf->segments);
    if (!elf->segments) {
        free(table);
        return damaged(why, "its program headers are beyond its end");
    }
    for (unsigned i = 0; i < n; i++)
        widen_segment(&elf->segments[i], table + i * size, elf->bits);
    elf->n_segments = n;
    free(table);
    return ELF_GOOD;
}

static const Elf64_Phdr *find_segment(const struct elf *elf, uint32_t type)
{
    for (unsigned i = 0; i < elf->n_segments; i++)
        if (elf->segments[i].p_type == type)
            return &elf->segments[i];
    return NULL;
}

static enum elf_state read_interpreter(struct elf *elf, char why[TEXT_MAX])
{
    const Elf64_Phdr *segment = find_segment(elf, PT_INTERP);

    if (!segment)
        return ELF_GOOD;
    if (segment->p_filesz < 2 || segment->p_filesz > PATH_MAX)
        return damaged(why, "the name of its loader has an impossible length");
    elf->interpreter = read_table(elf, segment->p_offset, segment->p_filesz);
    if (!elf->interpreter)
        return damaged(why, "the name of its loader is beyond its end");
    return ELF_GOOD;
}

/* ---- the dynamic section ---------------------------------------------------------------- */

static uint64_t value_of(const struct elf *elf, int64_t tag)
{
    for (size_t i = 0; i < elf->n_dynamic; i++)
        if (elf->dynamic[i].d_tag == tag)
            return elf->dynamic[i].d_un.d_val;
    return 0;
}

/* Where in the file what is loaded at this address is. */
static bool find_address(const struct elf *elf, uint64_t address, uint64_t *offset)
{
    for (unsigned i = 0; i < elf->n_segments; i++) {
        const Elf64_Phdr *segment = &elf->segments[i];
        if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
            address - segment->p_vaddr < segment->p_filesz) {
            *offset = address - segment->p_vaddr + segment->p_offset;
            return true;
        }
    }
    return false;
}

static enum elf_state read_entries(struct elf *elf, char why[TEXT_MAX], const Elf64_Phdr *segment)
{
    size_t size = size_of(elf, sizeof(Elf64_Dyn), sizeof(Elf32_Dyn));
    size_t n = (size_t)(segment->p_filesz / size);
    char *table = n > DYNAMIC_MAX ? NULL : read_table(elf, segment->p_offset, segment->p_filesz);

    elf->dynamic = table ? calloc(n + 1, sizeof *elf->dynamic) : NULL;
    if (!elf->dynamic) {
        free(table);
        return damaged(why, "its dynamic section is beyond its end");
    }
    for (size_t i = 0; i < n; i++) {
        widen_dynamic(&elf->dynamic[i], table + i * size, elf->bits);
        if (elf->dynamic[i].d_tag == DT_NULL)
            break;
        elf->n_dynamic = i + 1;
    }
    free(table);
    return ELF_GOOD;
}

static enum elf_state read_dynamic(struct elf *elf, char why[TEXT_MAX])
{
    const Elf64_Phdr *segment = find_segment(elf, PT_DYNAMIC);
    enum elf_state state;
    uint64_t offset;

    if (!segment)
        return ELF_GOOD;
    state = read_entries(elf, why, segment);
    elf->strings_size = value_of(elf, DT_STRSZ);
    if (state != ELF_GOOD || elf->strings_size == 0)
        return state;
    if (!find_address(elf, value_of(elf, DT_STRTAB), &offset))
        return damaged(why, "its dynamic section has names that no segment holds");
    elf->strings = read_table(elf, offset, elf->strings_size);
    if (!elf->strings)
        return damaged(why, "the names of its dynamic section are beyond its end");
    return ELF_GOOD;
}

const char *elf__string(const struct elf *elf, int64_t tag, unsigned i)
{
    for (size_t k = 0; k < elf->n_dynamic; k++) {
        uint64_t at = elf->dynamic[k].d_un.d_val;
        if (elf->dynamic[k].d_tag != tag)
            continue;
        if (i-- == 0)
            return elf->strings && at < elf->strings_size ? elf->strings + at : NULL;
    }
    return NULL;
}

/* ---- as a whole --------------------------------------------------------------------------- */

/* Not a fifo or device, the opening of which would wait or do something. */
static enum elf_state open_file(struct elf *elf, const char *path, char why[TEXT_MAX])
{
    struct stat about;

    if (stat(path, &about) != 0 ||
        (S_ISREG(about.st_mode) && (elf->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0)) {
        snprintf(why, TEXT_MAX, "it cannot be read: %s", strerror(errno));
        return ELF_UNREADABLE;
    }
    if (elf->fd < 0 || fstat(elf->fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        snprintf(why, TEXT_MAX, "it is not a regular file");
        return ELF_UNREADABLE;
    }
    elf->size = (uint64_t)about.st_size;
    return ELF_GOOD;
}

enum elf_state elf__open(struct elf *elf, const char *path, char why[TEXT_MAX])
{
    enum elf_state state;
    uint64_t segments_at = 0;

    *elf = (struct elf){.fd = -1};
    errno = 0;
    state = open_file(elf, path, why);
    if (state == ELF_GOOD)
        state = read_header(elf, why, &segments_at);
    if (state != ELF_GOOD || !elf->legible)
        return state;
    state = read_segments(elf, why, segments_at);
    if (state == ELF_GOOD)
        state = read_interpreter(elf, why);
    if (state == ELF_GOOD)
        state = read_dynamic(elf, why);
    return state;
}

void elf__close(struct elf *elf)
{
    if (elf->fd >= 0)
        close(elf->fd);
    free(elf->segments);
    free(elf->dynamic);
    free(elf->strings);
    free(elf->interpreter);
    *elf = (struct elf){.fd = -1};
}

/* A static program that may be loaded anywhere is told from a library by a flag. */
#ifndef DF_1_PIE
# define DF_1_PIE 0x08000000
#endif

bool elf__is_library(const struct elf *elf)
{
    return elf->type == ET_DYN && !elf->interpreter && find_segment(elf, PT_DYNAMIC) &&
           !(value_of(elf, DT_FLAGS_1) & DF_1_PIE);
}

bool elf__is_static(const struct elf *elf)
{
    return !elf->interpreter && !elf__is_library(elf);
}

/* ---- notes ------------------------------------------------------------------------------- */

static uint64_t padded(uint32_t n)
{
    return ((uint64_t)n + 3) & ~UINT64_C(3);
}

/* Their heads are the same for both word sizes. */
static bool note_among(const char *notes, uint64_t nbytes, const char *owner)
{
    for (uint64_t at = 0; nbytes - at >= sizeof(Elf64_Nhdr);) {
        Elf64_Nhdr head;
        memcpy(&head, notes + at, sizeof head);
        at += sizeof head;
        /* Go's own counts the zeros that fill up the word. */
        if (head.n_namesz > strlen(owner) && nbytes - at >= head.n_namesz &&
            strcmp(notes + at, owner) == 0)
            return true;
        if (padded(head.n_namesz) + padded(head.n_descsz) > nbytes - at)
            return false;
        at += padded(head.n_namesz) + padded(head.n_descsz);
    }
    return false;
}

bool elf__has_note(const struct elf *elf, const char *owner)
{
    bool found = false;

    for (unsigned i = 0; i < elf->n_segments && !found; i++) {
        const Elf64_Phdr *segment = &elf->segments[i];
        char *notes = segment->p_type == PT_NOTE
                          ? read_table(elf, segment->p_offset, segment->p_filesz)
                          : NULL;
        found = notes && note_among(notes, segment->p_filesz, owner);
        free(notes);
    }
    return found;
}

/* ---- symbols ------------------------------------------------------------------------------ */

static bool read_section(const struct elf *elf, uint64_t i, Elf64_Shdr *section)
{
    size_t size = size_of(elf, sizeof(Elf64_Shdr), sizeof(Elf32_Shdr));
    char bytes[sizeof(Elf64_Shdr)];

    if (elf->section_size != size || elf->sections_at > elf->size || i > elf->size / size ||
        !read_at(elf, bytes, elf->sections_at + i * size, size))
        return false;
    widen_section(section, bytes, elf->bits);
    return true;
}

static enum elf_state find_section(const struct elf *elf, uint32_t type, Elf64_Shdr *section)
{
    uint64_t n = elf->n_sections;

    if (elf->sections_at == 0)
        return ELF_NONE;
    if (n == 0) { /* more than the header can say */
        if (!read_section(elf, 0, section))
            return ELF_DAMAGED;
        n = section->sh_size;
    }
    if (n > SECTIONS_MAX)
        return ELF_DAMAGED;
    for (uint64_t i = 0; i < n; i++) {
        if (!read_section(elf, i, section))
            return ELF_DAMAGED;
        if (section->sh_type == type)
            return ELF_GOOD;
    }
    return ELF_NONE;
}

struct symbols {
    const char *strings;
    uint64_t strings_size;
    elf_visit *visit;
    void *context;
};

static void visit_some(const struct symbols *symbols, const char *entries, size_t n, unsigned bits)
{
    size_t size = bits == 64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);

    for (size_t i = 0; i < n; i++) {
        Elf64_Sym symbol;
        widen_symbol(&symbol, entries + i * size, bits);
        if (symbol.st_name != 0 && symbol.st_name < symbols->strings_size)
            symbols->visit(symbols->context, symbols->strings + symbol.st_name,
                           symbol.st_shndx != SHN_UNDEF, ELF64_ST_TYPE(symbol.st_info) == STT_FUNC);
    }
}

enum elf_state elf__each_symbol(const struct elf *elf, uint32_t table, elf_visit *visit,
                                void *context)
{
    static char entries[1024 * sizeof(Elf64_Sym)];
    size_t size = size_of(elf, sizeof(Elf64_Sym), sizeof(Elf32_Sym));
    struct symbols symbols = {.visit = visit, .context = context};
    Elf64_Shdr section, names;
    enum elf_state state = find_section(elf, table, &section);
    char *strings;

    if (state != ELF_GOOD)
        return state;
    if (section.sh_size > TABLE_MAX || !within(elf, section.sh_offset, section.sh_size) ||
        !read_section(elf, section.sh_link, &names))
        return ELF_DAMAGED;
    strings = read_table(elf, names.sh_offset, names.sh_size);
    if (!strings)
        return ELF_DAMAGED;
    symbols.strings = strings;
    symbols.strings_size = names.sh_size;
    for (uint64_t at = 0; section.sh_size - at >= size && state == ELF_GOOD;) {
        uint64_t left = (section.sh_size - at) / size;
        size_t n = left < 1024 ? (size_t)left : 1024;
        if (read_at(elf, entries, section.sh_offset + at, n * size))
            visit_some(&symbols, entries, n, elf->bits);
        else
            state = ELF_DAMAGED;
        at += n * size;
    }
    free(strings);
    return state;
}

/* ---- names --------------------------------------------------------------------------------- */

const char *elf__machine_name(unsigned machine)
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {{EM_386, "i386"},        {EM_X86_64, "x86_64"},   {EM_ARM, "arm"},
                 {EM_AARCH64, "aarch64"}, {243, "riscv"},          {EM_S390, "s390"},
                 {EM_PPC64, "ppc64"},     {EM_PPC, "ppc"},         {EM_MIPS, "mips"},
                 {258, "loongarch"},      {EM_SPARCV9, "sparc64"}, {EM_IA_64, "ia64"},
                 {EM_PARISC, "hppa"},     {EM_68K, "m68k"},        {EM_SH, "sh"}};
    static char number[32];

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].machine == machine)
            return names[i].name;
    snprintf(number, sizeof number, "machine number %u", machine);
    return number;
}
