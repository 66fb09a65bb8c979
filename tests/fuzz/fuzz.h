/* SPDX-License-Identifier: MIT */
/*
 * What the fuzzed programs share: numbers, addresses and descriptors taken from
 * the input, memory that tells of stray writes, and the end with a reason.
 *
 * An input is a program: each byte or number that is asked for is the next of
 * it, and 0 beyond its end.  So any input means something, and a longer one
 * begins as the shorter does.
 *
 * Addresses and descriptors are chosen from what there is, good and bad; they
 * are never numbers of the input.  Those could be ours, the library's, or the
 * fuzzer's own, and a program that hands these out gets what it asked for.
 */
#ifndef UAIO_TESTS_FUZZ_H
#define UAIO_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the harness, called by libFuzzer or by replay.c ------------------------- */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes);

/* ---- input --------------------------------------------------------------------- */

struct input {
    const uint8_t *at, *end;
};

static inline bool is_left(const struct input *in)
{
    return in->at < in->end;
}

static inline unsigned take(struct input *in)
{
    return is_left(in) ? *in->at++ : 0;
}

/* Little-endian, on any machine. */
uint64_t take_bytes(struct input *in, unsigned nbytes);

/* A number: mostly a small one or one that stands on some edge. */
uint64_t take_number(struct input *in);

/* ---- the end ------------------------------------------------------------------- */

/* Does not return: it is a finding. */
void fail(const char *what, long long detail) __attribute__((noreturn));

static inline void must(bool condition, const char *what, long long detail)
{
    if (!condition)
        fail(what, detail);
}

/* ---- memory -------------------------------------------------------------------- */

/* The end of `nbytes` that can be written to; the page before them and the page
 * after cannot even be read.  Never given back: the library remembers pages. */
unsigned char *end_of_memory(size_t nbytes);
unsigned char *end_of_read_only(void);
size_t page_bytes(void);

/* A good address in the data, or one that is bad in some way. */
uint64_t take_address(struct input *in);
uint64_t take_bad_address(struct input *in);

/* What the library may write to from now on: that part of it that is data. */
void allow(uint64_t address, uint64_t nbytes);

/* Nothing was written where it was not allowed; and nothing is allowed any more. */
void check_data(void);

/* ---- descriptors --------------------------------------------------------------- */

/* Opened at the first use; some are bad. */
int take_descriptor(struct input *in);
int take_eventfd(struct input *in);

/* A file of a few kilobytes. */
int regular_file(void);

/* Is a request on that number over without anybody's help? */
bool is_certain(int fd);

/* The program closes one of its own; the number may soon be another file's. */
void close_some(struct input *in);

/* The other ends of pipes and sockets: who waits on them gets an end of file. */
void close_peers(void);

/* ---- one input ------------------------------------------------------------------ */

/* Once in a process, and before and after each input. */
void fuzz_init(void);
void fuzz_begin(void);
void fuzz_end(void);

#endif
