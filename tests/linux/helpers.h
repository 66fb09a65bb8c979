/* SPDX-License-Identifier: MIT */
/*
 * Fixtures of the tests of Linux native AIO.
 *
 * Rules that all tests keep, and that these helpers make easy:
 *  - Nothing waits by sleeping: a test waits for an event, for the ring, for a
 *    semaphore, or until another thread is seen asleep.  What never comes is
 *    ended by Check's timeout.
 *  - Nothing asserts off the main thread, for Check leaves a failed test with
 *    longjmp or exit: other threads leave their findings in variables.  Of the
 *    helpers only those that say so may be called by any thread.
 *  - A request that must stay in flight is a poll of something that is never
 *    ready: that is the one kind that the kernel, too, has in flight.  Where
 *    only uaio can have it, a read of an empty pipe, or of a file at a gate.
 *  - Settings go into the environment before the test's first AIO call.
 */
#ifndef UAIO_TESTS_LINUX_HELPERS_H
#define UAIO_TESTS_LINUX_HELPERS_H

#include "api.h"
#include "../leave_out.h"
#include "../ways_to_fork.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
# define SANITIZED 1
#elif defined(__has_feature)
# if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#  define SANITIZED 1
# endif
#endif
#ifndef SANITIZED
# define SANITIZED 0
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Ends the running test as not run, with the reason printed. */
#define SKIP(reason)         \
 do {                        \
  skipped(__func__, reason); \
  return;                    \
 } while (0)

/* The test is of something that uaio promises and the kernel does not. */
#define BEYOND_THE_KERNEL()                     \
 do {                                           \
  if (on_kernel())                              \
   SKIP("promised by uaio, not by the kernel"); \
 } while (0)

void skipped(const char *test, const char *reason);

extern const struct timespec no_time;   /* polls */
extern const struct timespec long_time; /* an hour: it never passes */

/* --- files ------------------------------------------------------------------------------------ */

/* A new file of nbytes bytes of pattern(), open O_RDWR, without a name; in $TMPDIR or here. */
int temp_file(size_t nbytes);

/* A second, independent open of fd's file. */
int reopen(int fd, int flags);

/* The byte at offset i of every file that temp_file() makes. */
unsigned char pattern(size_t i);
bool is_pattern(const void *buf, size_t nbytes, size_t offset);

/* A descriptor number that is not open. */
int closed_fd(void);

/* Both ends of a pipe or a stream socket pair, blocking. */
void make_pipe(int ends[2]);
void make_sockets(int ends[2]);

/* An eventfd that counts from 0; its value, which is 0 afterwards, or the fd
 * is not ready: 0.  It must be non-blocking. */
int make_eventfd(int flags);
uint64_t take_count(int fd);

/* Waits until fd is readable. */
void await_readable(int fd);

/* --- memory ----------------------------------------------------------------------------------- */

size_t page_size(void);

/* The end of a readable and writable page, behind which none is accessible. */
char *page_end(void);

/* Pages that cannot be used: there, but neither readable nor writable; read-only; not there. */
void *no_access_page(void);
void *read_only_page(void);
void *unmapped_page(void);

/* An address in the kernel's half. */
void *kernel_address(void);

/* The addresses nobody can read, NULL included. */
#define BAD_ADDRESSES 4
void *bad_address(size_t i);

/* --- requests --------------------------------------------------------------------------------- */

uint64_t as_u64(const void *pointer);

/* A request with these fields, whose aio_data is taken from its address. */
void prep(struct iocb *cb, int opcode, int fd, const void *buf, size_t nbytes, int64_t offset);
void prep_read(struct iocb *cb, int fd, const void *buf, size_t nbytes, int64_t offset);
void prep_write(struct iocb *cb, int fd, const void *buf, size_t nbytes, int64_t offset);
void prep_readv(struct iocb *cb, int fd, const struct iovec *iov, size_t n, int64_t offset);
void prep_writev(struct iocb *cb, int fd, const struct iovec *iov, size_t n, int64_t offset);
void prep_poll(struct iocb *cb, int fd, unsigned mask);
void set_resfd(struct iocb *cb, int fd);

/* --- contexts --------------------------------------------------------------------------------- */

/* A context for nr requests. */
aio_context_t new_context(int nr);

/* io_submit of one request: its result.  Any thread may call it. */
int submit(aio_context_t ctx, struct iocb *cb);

/* The same, asserting success. */
void must_submit(aio_context_t ctx, struct iocb *cb);

/* Waits for the next event and takes it. */
struct io_event reap_one(aio_context_t ctx);

/* Waits for n events and takes them, in any order; discards them if events is NULL. */
void reap(aio_context_t ctx, size_t n, struct io_event *events);

/* Whether it is the event of cb, with res2 == 0. */
bool is_event_of(const struct io_event *event, const struct iocb *cb);

/* Submits, waits, asserts that the event is cb's; returns its res.  Nothing
 * else may be in flight. */
int64_t perform(aio_context_t ctx, struct iocb *cb);

/* Nothing is in the ring: asserts that. */
void nothing_to_reap(aio_context_t ctx);

/* io_destroy, asserting success. */
void must_destroy(aio_context_t ctx);

/* --- the ring --------------------------------------------------------------------------------- */

struct ring {
    unsigned id;
    unsigned nr;
    unsigned head;
    unsigned tail;
    unsigned magic;
    unsigned compat_features;
    unsigned incompat_features;
    unsigned header_length;
    struct io_event events[];
};

#define RING_MAGIC 0xa10a10a1U

struct ring *ring_of(aio_context_t ctx);

/* tail with acquire; head as only its own thread, or one that holds the lock, may read it.
 * Any thread may call these and await_in_ring(). */
unsigned ring_tail(const struct ring *ring);
unsigned ring_head(const struct ring *ring);
void ring_set_head(struct ring *ring, unsigned head);

/* How many events are in it. */
unsigned in_ring(const struct ring *ring);

/* Waits, without a call of AIO, until there are n. */
void await_in_ring(const struct ring *ring, unsigned n);

/* On the kernel, the slots of a context are shared out between the processors:
 * for the tests that count them the thread stays on one. */
void stay_on_one_processor(void);

/* --- settings: before the first AIO call ------------------------------------------------------ */

/* uaio does no request within the submitting or the waiting thread. */
void queue_everything(void);

/* --- the gate: slow files, of uaio only ------------------------------------------------------- */

/*
 * A page that is missing and watched by a userfaultfd: whoever reads into it,
 * or writes from it, is stopped inside the system call until the test opens
 * it.  That is a request of a regular file which stays in a worker as long as
 * the test likes.  Needs the right to handle kernel faults.  The kernel's AIO
 * would be stopped within io_submit.
 */
struct gate {
    int uffd;
    void *page;
};

/* False, with the reason printed, where there is no userfaultfd. */
bool gate_make(struct gate *gate, const char *test);
#define MAKE_GATE(gate)             \
 do {                               \
  if (!gate_make((gate), __func__)) \
   return;                          \
 } while (0)

/* Waits until someone is stopped there; lets him go.  Any thread may call these. */
void gate_await(const struct gate *gate);
void gate_open(const struct gate *gate);

/* --- signals ---------------------------------------------------------------------------------- */

void handle(int signo, void (*handler)(int), int flags);
void count_signal(int signo); /* a handler */
extern atomic_int signals_seen;

/* A timer that keeps sending signo to the calling thread. */
void storm_begin(int signo, long us);
void storm_end(void);

/* --- threads ---------------------------------------------------------------------------------- */

void start_thread(pthread_t *thread, void *(*function)(void *), void *argument);
void *join_thread(pthread_t thread);

/* sem_wait that does not mind signals.  Any thread may call it, and the next ones. */
void await(sem_t *sem);
pid_t thread_id(void);

/* Waits until the thread of this process is seen asleep. */
void await_asleep(pid_t tid);

int64_t now_ns(void);

/* --- children --------------------------------------------------------------------------------- */

/* In a forked child, where nothing may assert: ends it with the line that was not as expected. */
#define EXPECT(condition) \
 do {                     \
  if (!(condition))       \
   _exit(__LINE__ % 256); \
 } while (0)

/* Waits for the child; its exit status, or -1. */
int status_of(pid_t pid, int flags);

/* The sanitizers know the first way alone. */
#define FORK_WAYS_HERE (SANITIZED ? 1 : FORK_WAYS)

/* --- suites ----------------------------------------------------------------------------------- */

Suite *setup_suite(void);
Suite *destroy_suite(void);
Suite *submit_suite(void);
Suite *readwrite_suite(void);
Suite *sync_suite(void);
Suite *poll_suite(void);
Suite *getevents_suite(void);
Suite *pgetevents_suite(void);
Suite *cancel_suite(void);
Suite *ring_suite(void);
Suite *resfd_suite(void);
Suite *badinput_suite(void);
Suite *batch_suite(void);
Suite *fork_suite(void);
Suite *threads_suite(void);
Suite *streams_suite(void);
Suite *symbols_suite(void);

/* A suite of one case with the given timeout in seconds for each test. */
Suite *new_suite(const char *name, double timeout, TCase **tc);

#endif
