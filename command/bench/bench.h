/* SPDX-License-Identifier: MIT */
/*
 * uaio bench: the same work by each of several ways of asynchronous I/O.
 *
 *   command.c     from the arguments to what is written
 *   options.c     what is asked for
 *   works.c       the works that it comes to
 *   settings.c    and what is not taken into account
 *   machine.c     what the figures depend on
 *   files.c       the data, made and taken out of the page cache
 *   sockets.c     and sockets, with somebody who answers
 *   series.c      all rounds of one work, by turns; medians
 *   round.c       one contender's work for some time, in a process of its own
 *   loop.c        what each of its threads does
 *   posix.c ...   the contenders
 *   trace.c       their system calls, counted
 *   table.c, json.c, report.c, pictures.c, plots.c, notes.c   what came out
 */
#ifndef UAIO_BENCH_H
#define UAIO_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum media { MEDIA_CACHED, MEDIA_COLD, MEDIA_DIRECT, MEDIA_SOCKETS, MEDIAS };
enum io { IO_READ, IO_WRITE, IO_MIXED, IOS };
enum order { ORDER_RANDOM, ORDER_SEQUENTIAL, ORDERS };

/* What is to be done, over and over. */
struct work {
    enum media media;
    enum io io;
    enum order order;
    size_t block;     /* bytes, a power of two from 512 on */
    unsigned depth;   /* requests in flight, of all threads together */
    unsigned threads; /* that submit */
};

#define MAX_WORKS 256
#define MAX_LIST 24
#define MAX_FILES 64
#define MAX_CONTENDERS 8
#define MAX_THREADS 64
#define REASON_MAX 128

/* What the figures depend on beside the programs. */
struct machine {
    char kernel[96], processor[80], filesystem[32], libc[32], liburing[32];
    char date[32]; /* when it began */
    long processors;
};

void machine__describe(struct machine *machine, const char *directory);

struct options {
    struct work works[MAX_WORKS];
    unsigned n_works;
    unsigned rounds, files;
    double seconds;
    size_t bytes; /* of all files together */
    uint64_t seed;
    bool wanted[MAX_CONTENDERS]; /* contenders, by index */
    const char *directory, *json, *html, *svg;
    bool quiet, trace;
    struct machine machine;
    char *command;      /* as it was given */
    char settings[256]; /* of the environment, which do not count */
};

/* False: the program ends with *status. */
bool options__parse(struct options *options, int argc, char **argv, int *status);
/* Without a depth, what all that differ in depth alone have in common. */
void work__name(const struct work *work, char *name, size_t size);
extern const char *const media_words[], *const io_words[], *const order_words[];

/* No setting of uaio is in the environment any more; which there were, for people. */
void settings__take_out(char *told, size_t size);

/* ---- data ---------------------------------------------------------------------- */

struct sockets {
    int *fd; /* one for each request */
    unsigned n;
    int asking; /* a pipe to the peer */
    pid_t peer;
};

/* False, with the reason. */
bool sockets__open(struct sockets *sockets, const struct work *work, char reason[REASON_MAX]);
void sockets__close(struct sockets *sockets);

/* For a block on each of these; 0, or an error. */
int sockets__ask(const struct sockets *sockets, const uint32_t *numbers, unsigned n);

struct files {
    int fd[MAX_FILES]; /* open for what the work needs */
    char *path[MAX_FILES];
    volatile unsigned n;    /* of paths; a signal's handler reads it */
    size_t bytes;           /* of each */
    struct sockets sockets; /* if the work is with them */
    bool spoiled;           /* by writes from buffers that requests shared */
};

/* False, with a message: there are none, and nothing is left behind. */
bool files__make(struct files *files, const struct options *options);
void files__remove(struct files *files);
void files__unlink(const struct files *files); /* async-signal-safe */

/* How many buffers the requests have: with fewer than there are requests, what comes
 * from them is anybody's block, and nothing that is read can be checked. */
size_t work__buffers(const struct work *work);

/* Open them for the work, and have them in the page cache, or out of it.  False, with
 * the reason. */
bool files__prepare(struct files *files, const struct work *work, char reason[REASON_MAX]);
void files__close(struct files *files);

/* The first word of each sector tells where it is from. */
#define SECTOR 512
uint64_t files__word(unsigned file, uint64_t offset);
void files__fill(void *buffer, size_t nbytes, unsigned file, uint64_t offset);

/* ---- contenders ------------------------------------------------------------------ */

struct request {
    void *buffer;
    size_t nbytes;
    int64_t offset;
    unsigned file; /* or socket */
    int fd;
    bool write;
    uint64_t made_at; /* what its data is made from, beside `file` */
    uint64_t turn;    /* how many there have been */
    int64_t begun_ns;
};

/* Each thread that submits has an engine of its own. */
struct engine {
    const struct contender *contender;
    void *own;
    size_t control_bytes; /* of memory for control blocks, which no contender can do without */
    unsigned depth;
    bool stream; /* there are no offsets */
    struct request *requests;
    void (*done)(struct engine *engine, unsigned i, long result); /* once for each */
    void *loop;
};

struct contender {
    const char *name, *title, *colour;
    /* 0, or an error; `reason` may say more. */
    int (*open)(struct engine *engine, char reason[REASON_MAX]);
    int (*submit)(struct engine *engine, unsigned i); /* of requests[] */
    int (*reap)(struct engine *engine);               /* at least one; calls done() */
    void (*close)(struct engine *engine);             /* nothing is in flight */
    int (*flush)(struct engine *engine); /* if submit() keeps some back: 0, or an error */
    const char *(*cannot)(const struct work *work); /* why it has no part in that, or NULL */
    bool synchronous; /* a thread for each request: submit() does it, nothing is reaped */
};

extern const struct contender contender__libc, contender__uaio, contender__kernel,
    contender__uaio_linux, contender__io_uring, contender__blocking;
extern const struct contender *const contenders[];
extern const unsigned n_contenders;

/* ---- rounds ------------------------------------------------------------------------ */

/* Of nanoseconds: 32 buckets for each power of two. */
#define HISTOGRAM_BUCKETS (40 * 32)
struct histogram {
    uint64_t count[HISTOGRAM_BUCKETS];
};

void histogram__add(struct histogram *histogram, int64_t ns);
void histogram__merge(struct histogram *to, const struct histogram *from);
uint64_t histogram__total(const struct histogram *histogram);
double histogram__value(unsigned bucket);                                        /* ns */
double histogram__percentile(const struct histogram *histogram, double percent); /* ns */

/* In memory that the round's process shares with ours. */
struct outcome {
    bool over;
    char reason[REASON_MAX]; /* why it could not be measured, if it could not */
    uint64_t operations, wrong, failed;
    double seconds, cpu_seconds;
    int64_t switches;   /* negative: this kernel does not count them */
    unsigned threads;   /* the most there were */
    unsigned in_flight; /* requests, likewise */
    uint64_t kibibytes; /* of memory, at most, beside buffers and control blocks */
    struct histogram submission, completion;
};

/* Fork, work for so long, wait. */
void round__run(const struct options *options, const struct work *work, const struct files *files,
                const struct contender *contender, struct outcome *outcome);

/* What the forked process does, for so long or, if operations > 0, until that many are
 * done; it does not return. */
_Noreturn void round__child(const struct options *options, const struct work *work,
                            const struct files *files, const struct contender *contender,
                            uint64_t operations, struct outcome *outcome);

/* System calls per operation; negative, with the reason, if they cannot be counted. */
double trace__calls(const struct options *options, const struct work *work,
                    const struct files *files, const struct contender *contender,
                    struct outcome *scratch, char reason[REASON_MAX]);

/* ---- results ------------------------------------------------------------------------ */

/* Of one round. */
struct figures {
    double seconds, iops, cpu_us, switches; /* the last two per operation */
};

struct result {
    const struct contender *contender;
    char reason[REASON_MAX]; /* "" if it was measured */
    struct figures *each;    /* as they came */
    unsigned rounds;
    double iops, iops_least, iops_greatest;             /* median, and spread */
    double cpu_us, switches, calls;                     /* per operation; < 0: not counted */
    char no_calls[REASON_MAX], no_switches[REASON_MAX]; /* and why */
    unsigned threads, in_flight;                        /* at most */
    char shallow[REASON_MAX]; /* if these were not as many as they were to be */
    uint64_t kibibytes;
    double submission_us[4], completion_us[4]; /* percentiles, see `percentiles` */
    struct histogram submission, completion;   /* of all rounds */
};

extern const double percentiles[4];

struct series {
    struct work work;
    struct result results[MAX_CONTENDERS]; /* of contenders[] that are wanted */
    unsigned n;
};

/* The status of the program: 1 if data was wrong or a request failed. */
int series__run(const struct options *options, struct series *all, FILE *table);
void series__free(const struct options *options, struct series *all);

/* What is to be said of a series beside its figures, note by note: *at is 0 at first;
 * false: that was all. */
#define NOTE_MAX 256
bool notes__next(const struct series *series, unsigned *at, char note[NOTE_MAX]);

void table__heading(FILE *to);
void table__series(FILE *to, const struct series *series);
bool json__write(const char *path, const struct options *options, const struct series *all);
bool pictures__make_directory(const char *directory);
bool pictures__write(const struct options *options, const struct series *all);
bool report__write(const char *path, const struct options *options, const struct series *all);

/* `memory`: it has no device, so that nothing in it is cold. */
const char *filesystem__name(const char *path, bool *memory);

int bench__main(int argc, char **argv);

int64_t now_ns(void);
void *must_allocate(size_t n, size_t size);

#endif
