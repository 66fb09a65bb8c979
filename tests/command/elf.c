/* SPDX-License-Identifier: MIT */
/*
 * What is said of ELF files that are whole, damaged, or made to do harm.
 *
 * The invariant of the latter: whatever the bytes are, nothing but the file is read (the
 * sanitizers would tell), it ends, and what is not ELF_GOOD has a reason.  Files are in
 * memory: memfd_create(), opened by /proc/self/fd.
 */
#include "program/program.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLIPS = 10000, FLIPS_AT_ONCE = 4 };

static const char *library; /* a whole one */

/* ---- files ------------------------------------------------------------------------------- */

struct file {
    size_t size;
    unsigned char *bytes;
};

static struct file read_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    struct stat about;
    struct file file;

    ck_assert(fd >= 0 && fstat(fd, &about) == 0);
    file.size = (size_t)about.st_size;
    file.bytes = malloc(file.size);
    ck_assert(read(fd, file.bytes, file.size) == (ssize_t)file.size);
    close(fd);
    return file;
}

/* The name of a file that has these bytes, at `fd`. */
static const char *in_memory(const void *bytes, size_t size, int *fd)
{
    static char path[64];

    *fd = memfd_create("elf", MFD_CLOEXEC);
    ck_assert(*fd >= 0 && write(*fd, bytes, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", *fd);
    return path;
}

/* ---- everything that can be asked ----------------------------------------------------------- */

struct names {
    unsigned imported, defined, aio_read;
};

static void count(void *context, const char *name, bool defined, bool is_function)
{
    struct names *names = context;

    (void)is_function;
    *(defined ? &names->defined : &names->imported) += 1;
    names->aio_read += strlen(name) > 0 && strcmp(name, "aio_read") == 0;
}

static void ask_all(const struct elf *elf, struct names *names)
{
    static const int64_t tags[] = {DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH};
    size_t length = elf->interpreter ? strlen(elf->interpreter) : 0;

    for (unsigned tag = 0; tag < 4; tag++)
        for (unsigned i = 0; i < 100; i++) {
            const char *text = elf__string(elf, tags[tag], i);
            length += text ? strlen(text) : 0;
        }
    ck_assert(length < 1u << 30);
    elf__has_note(elf, "Go");
    elf__is_static(elf);
    elf__is_library(elf);
    elf__machine_name(elf->machine);
    libc_name(elf);
    elf__each_symbol(elf, SHT_DYNSYM, count, names);
    elf__each_symbol(elf, SHT_SYMTAB, count, names);
}

static enum elf_state try_bytes(const void *bytes, size_t size, struct names *names)
{
    char why[TEXT_MAX] = "";
    struct elf elf;
    enum elf_state state;
    int fd;

    *names = (struct names){0};
    state = elf__open(&elf, in_memory(bytes, size, &fd), why);
    ck_assert_msg(state == ELF_GOOD || *why, "of %zu bytes: no reason", size);
    if (state == ELF_GOOD)
        ask_all(&elf, names);
    elf__close(&elf);
    close(fd);
    return state;
}

/* ---- whole files ------------------------------------------------------------------------------ */

START_TEST(a_library_is_told_from_a_program)
{
    char why[TEXT_MAX];
    struct names names = {0};
    struct elf elf;

    ck_assert_int_eq(elf__open(&elf, library, why), ELF_GOOD);
    ck_assert(elf.legible && elf__is_library(&elf) && !elf__is_static(&elf));
    ck_assert_ptr_nonnull(elf__string(&elf, DT_NEEDED, 0));
    ck_assert_str_eq(elf__string(&elf, DT_SONAME, 0), "libuaio-preload.so");
    ck_assert_ptr_null(elf__string(&elf, DT_SONAME, 1));
    ck_assert_int_eq(elf__each_symbol(&elf, SHT_DYNSYM, count, &names), ELF_GOOD);
    ck_assert_uint_gt(names.defined, 0);
    ck_assert_uint_gt(names.imported, 0);
    ck_assert_uint_eq(names.aio_read, 1);
    elf__close(&elf);

    ck_assert_int_eq(elf__open(&elf, "/proc/self/exe", why), ELF_GOOD);
    ck_assert(!elf__is_library(&elf) && !elf__is_static(&elf));
    ck_assert_ptr_nonnull(elf.interpreter);
    ck_assert(!elf__has_note(&elf, "Go"));
    ck_assert(elf__has_note(&elf, "GNU"));
    elf__close(&elf);
}
END_TEST

START_TEST(what_is_no_file_has_a_reason)
{
    char why[TEXT_MAX];
    struct elf elf;
    const char *const paths[] = {"/", "/dev/null", "/no/such/file"};

    for (unsigned i = 0; i < 3; i++) {
        *why = '\0';
        ck_assert_int_eq(elf__open(&elf, paths[i], why), ELF_UNREADABLE);
        ck_assert_uint_gt(strlen(why), 0);
        elf__close(&elf);
    }
}
END_TEST

/* A program of 32 bits, of the least that makes one: the same reader widens it. */
struct narrow {
    Elf32_Ehdr header;
    Elf32_Phdr segments[3];
    Elf32_Dyn dynamic[5];
    Elf32_Sym symbols[3];
    Elf32_Shdr sections[3];
    char loader[24];
    char strings[64];
};

#define AT(field) ((Elf32_Word)offsetof(struct narrow, field))

static void make_narrow(struct narrow *file)
{
    static const char strings[] = "\0libc.so.6\0aio_read\0main\0libx.so";
    enum { LIBC = 1, AIO_READ = 11, MAIN = 20, LIBX = 25, BASE = 0x8000 };
    unsigned char order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

    *file = (struct narrow){
        .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, order, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = EM_386,
                   .e_phoff = AT(segments),
                   .e_shoff = AT(sections),
                   .e_phentsize = sizeof(Elf32_Phdr),
                   .e_phnum = 3,
                   .e_shentsize = sizeof(Elf32_Shdr),
                   .e_shnum = 3},
        .segments = {{.p_type = PT_LOAD, .p_vaddr = BASE, .p_filesz = sizeof *file},
                     {.p_type = PT_INTERP, .p_offset = AT(loader), .p_filesz = 19},
                     {.p_type = PT_DYNAMIC,
                      .p_offset = AT(dynamic),
                      .p_filesz = sizeof file->dynamic}},
        .dynamic = {{DT_NEEDED, {LIBC}},
                    {DT_STRTAB, {BASE + AT(strings)}},
                    {DT_STRSZ, {sizeof strings}},
                    {DT_NEEDED, {LIBX}},
                    {DT_NULL, {0}}},
        .symbols = {{0},
                    {.st_name = AIO_READ, .st_info = ELF32_ST_INFO(STB_GLOBAL, STT_FUNC)},
                    {.st_name = MAIN, .st_shndx = 1}},
        .sections = {{0},
                     {.sh_type = SHT_DYNSYM,
                      .sh_offset = AT(symbols),
                      .sh_size = sizeof file->symbols,
                      .sh_link = 2},
                     {.sh_type = SHT_STRTAB, .sh_offset = AT(strings), .sh_size = sizeof strings}},
        .loader = "/lib/ld-linux.so.2"};
    memcpy(file->strings, strings, sizeof strings);
}

START_TEST(programs_of_32_bits_are_read_too)
{
    struct narrow file;
    struct names names = {0};
    char why[TEXT_MAX];
    struct elf elf;
    int fd;

    make_narrow(&file);
    ck_assert_int_eq(elf__open(&elf, in_memory(&file, sizeof file, &fd), why), ELF_GOOD);
    ck_assert_uint_eq(elf.bits, 32);
    ck_assert_str_eq(elf__machine_name(elf.machine), "i386");
    ck_assert_str_eq(elf.interpreter, "/lib/ld-linux.so.2");
    ck_assert_str_eq(elf__string(&elf, DT_NEEDED, 0), "libc.so.6");
    ck_assert_str_eq(elf__string(&elf, DT_NEEDED, 1), "libx.so");
    ck_assert_ptr_null(elf__string(&elf, DT_NEEDED, 2));
    ck_assert_str_eq(libc_name(&elf), "glibc");
    ck_assert_int_eq(elf__each_symbol(&elf, SHT_DYNSYM, count, &names), ELF_GOOD);
    ck_assert_uint_eq(names.imported, 1);
    ck_assert_uint_eq(names.defined, 1);
    ck_assert_uint_eq(names.aio_read, 1);
    ck_assert_int_eq(elf__each_symbol(&elf, SHT_SYMTAB, count, &names), ELF_NONE);
    elf__close(&elf);
    close(fd);
}
END_TEST

START_TEST(of_the_other_byte_order_only_the_head_is_read)
{
    struct narrow file;
    char why[TEXT_MAX];
    struct elf elf;
    int fd;

    make_narrow(&file);
    file.header.e_ident[EI_DATA] ^= ELFDATA2LSB ^ ELFDATA2MSB;
    file.header.e_machine = (Elf32_Half)(EM_S390 << 8);
    ck_assert_int_eq(elf__open(&elf, in_memory(&file, sizeof file, &fd), why), ELF_GOOD);
    ck_assert(!elf.legible);
    ck_assert_str_eq(elf__machine_name(elf.machine), "s390");
    ck_assert_ptr_null(elf.interpreter);
    elf__close(&elf);
    close(fd);
}
END_TEST

/* ---- damage -------------------------------------------------------------------------------------- */

START_TEST(a_file_that_is_cut_short_is_an_error_or_less)
{
    struct file whole = read_file("/bin/true");
    struct names names;

    for (size_t size = 0; size < whole.size; size += 64) {
        enum elf_state state = try_bytes(whole.bytes, size, &names);
        if (size == 0)
            ck_assert_int_eq(state, ELF_NONE);
        else if (size <= sizeof(Elf64_Ehdr)) /* the program headers come after it */
            ck_assert_int_eq(state, ELF_DAMAGED);
    }
    ck_assert_int_eq(try_bytes(whole.bytes, 4096, &names), ELF_DAMAGED);
    ck_assert_int_eq(try_bytes(whole.bytes, whole.size, &names), ELF_GOOD);
    free(whole.bytes);
}
END_TEST

/* Most of them in the headers, where it matters. */
static void flip(struct file *file, const struct file *whole, unsigned *seed)
{
    memcpy(file->bytes, whole->bytes, file->size);
    for (unsigned i = 0; i < FLIPS_AT_ONCE; i++) {
        size_t range = rand_r(seed) % 4 ? 1024 : file->size;
        size_t at = (size_t)rand_r(seed) % (range < file->size ? range : file->size);
        if (rand_r(seed) % 4 == 0) /* the section headers are at the end */
            at = file->size - 1 - at;
        file->bytes[at] = (unsigned char)(rand_r(seed) % 3 ? rand_r(seed) : 0xff);
    }
}

static void try_flips(const struct file *whole)
{
    struct file file = {whole->size, malloc(whole->size)};
    struct names names;

    for (unsigned n = 0; n < FLIPS; n++) {
        unsigned seed = n;
        flip(&file, whole, &seed);
        try_bytes(file.bytes, file.size, &names);
    }
    free(file.bytes);
}

START_TEST(changed_bytes_do_no_harm)
{
    struct narrow narrow;
    struct file small = {sizeof narrow, (unsigned char *)&narrow};
    struct file whole = read_file("/bin/true");

    make_narrow(&narrow);
    try_flips(&small);
    try_flips(&whole);
    free(whole.bytes);
}
END_TEST

/* ---- made to do harm --------------------------------------------------------------------------------- */

START_TEST(tables_without_end_are_refused)
{
    struct narrow file;
    struct names names;

    make_narrow(&file);
    file.segments[2].p_filesz = UINT32_MAX;
    ck_assert_int_eq(try_bytes(&file, sizeof file, &names), ELF_DAMAGED);
    make_narrow(&file);
    file.segments[1].p_filesz = UINT32_MAX;
    ck_assert_int_eq(try_bytes(&file, sizeof file, &names), ELF_DAMAGED);
    make_narrow(&file);
    file.dynamic[2].d_un.d_val = UINT32_MAX;
    ck_assert_int_eq(try_bytes(&file, sizeof file, &names), ELF_DAMAGED);
    make_narrow(&file);
    file.header.e_phnum = UINT16_MAX;
    ck_assert_int_eq(try_bytes(&file, sizeof file, &names), ELF_DAMAGED);

    /* The loader looks at no sections: these are good files, whose names cannot be had. */
    make_narrow(&file);
    file.sections[1].sh_size = UINT32_MAX;
    ck_assert_int_eq(try_bytes(&file, sizeof file, &names), ELF_GOOD);
    ck_assert_uint_eq(names.imported, 0);
    make_narrow(&file);
    file.sections[1].sh_link = UINT32_MAX;
    ck_assert_int_eq(try_bytes(&file, sizeof file, &names), ELF_GOOD);
    ck_assert_uint_eq(names.imported, 0);
    make_narrow(&file);
    file.header.e_shnum = 0;
    file.sections[0].sh_size = UINT32_MAX;
    ck_assert_int_eq(try_bytes(&file, sizeof file, &names), ELF_GOOD);
    ck_assert_uint_eq(names.imported, 0);
}
END_TEST

START_TEST(names_beyond_their_table_are_none)
{
    struct narrow file;
    struct names names;

    make_narrow(&file);
    file.symbols[1].st_name = UINT32_MAX;
    ck_assert_int_eq(try_bytes(&file, sizeof file, &names), ELF_GOOD);
    ck_assert_uint_eq(names.imported, 0);
    ck_assert_uint_eq(names.defined, 1);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("elf");
    TCase *tcase = tcase_create("elf");
    SRunner *runner;
    int failed;

    library = argc > 1 ? argv[1] : "/proc/self/exe";
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_library_is_told_from_a_program);
    tcase_add_test(tcase, what_is_no_file_has_a_reason);
    tcase_add_test(tcase, programs_of_32_bits_are_read_too);
    tcase_add_test(tcase, of_the_other_byte_order_only_the_head_is_read);
    tcase_add_test(tcase, a_file_that_is_cut_short_is_an_error_or_less);
    tcase_add_test(tcase, changed_bytes_do_no_harm);
    tcase_add_test(tcase, tables_without_end_are_refused);
    tcase_add_test(tcase, names_beyond_their_table_are_none);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
