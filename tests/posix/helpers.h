/* SPDX-License-Identifier: MIT */
/*
 * Fixtures of the POSIX tests.
 *
 * Rules that all tests keep, and that these helpers make easy:
 *  - Nothing waits by sleeping.  A test waits for a completion (aio_suspend),
 *    for a semaphore, for a signal, or for a worker to arrive at a gate; what
 *    never comes is ended by Check's timeout.
 *  - Nothing asserts off the main thread, for Check leaves a failed test with
 *    longjmp or exit: other threads and signal handlers set an atomic flag.
 *    Of the helpers, await() and those of the gate may be called by any thread.
 *  - A test that needs a request to be still queued says queue_everything(),
 *    and holds the workers at a gate.
 *  - Settings go into the environment before the test's first AIO call.
 */
#ifndef UAIO_TESTS_POSIX_HELPERS_H
#define UAIO_TESTS_POSIX_HELPERS_H

#include "api.h"
#include "../leave_out.h"
#include "../ways_to_fork.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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

/* The variant that uses nothing beyond POSIX: see the preset portable. */
#ifdef UAIO_TEST_PORTABLE
# define PORTABLE 1
#else
# define PORTABLE 0
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Ends the running test as not run, with the reason printed. */
#define SKIP(reason)         \
 do {                        \
  skipped(__func__, reason); \
  return;                    \
 } while (0)

void skipped(const char *test, const char *reason);

/* --- files ------------------------------------------------------------------------------------ */

/* The directory of this run, under $TMPDIR or /tmp; main() makes and removes it. */
bool temp_begin(void);
void temp_end(void);

/* A new file of nbytes bytes of pattern(), open O_RDWR. */
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

/* Writes into a blocking socket or pipe until it takes no more; returns the bytes it took. */
size_t fill_up(int fd);

/* Reads exactly nbytes. */
void read_fully(int fd, void *buf, size_t nbytes);

/* --- streams ---------------------------------------------------------------------------------- */

/*
 * What has no positions.  All are blocking; what is written to ends[1] is read
 * from ends[0], and from STREAM_UNIX on the other way, too.
 */
enum stream {
    STREAM_PIPE,
    STREAM_FIFO,
    STREAM_UNIX,
    STREAM_TCP,
    STREAM_TTY,        /* raw: written at the master, read at the slave */
    STREAM_TTY_MASTER, /* the same pair, the other way round */
    STREAM_SEQPACKET,
    STREAM_DGRAM,
    STREAM_UDP, /* never full: it drops */
    STREAMS,

    STREAMS_OF_BYTES = STREAM_SEQPACKET, /* those before it; the others keep messages */
    STREAMS_THAT_FILL = STREAM_UDP       /* those before it */
};

/* False, with the reason printed, where there is none of the kind: the test is skipped. */
bool make_stream(int kind, int ends[2], const char *test);
#define MAKE_STREAM(kind, ends)               \
 do {                                         \
  if (!make_stream((kind), (ends), __func__)) \
   return;                                    \
 } while (0)

/* Whether after fill_up() not one byte more is taken, until some are read. */
bool stays_full(int kind);

/*
 * Fills in a write that has to wait: of LARGE bytes, or of one message after
 * as many others as there is room for.  Returns aio_nbytes.  The other reads
 * it, and what was before it.
 */
#define LARGE (1 << 20) /* more than any stream of bytes takes */
ssize_t prep_waiting_write(int kind, int fd, struct aiocb *cb);
void receive_waiting_write(int kind, int fd, ssize_t nbytes);

/* Asserts that the request is in progress. */
void is_waiting(const struct aiocb *cb);

/* Writes the byte i of the pattern. */
void send_pattern(int fd, size_t i);

void set_nonblocking(int fd, bool on);

/* Whether a read() would not wait now. */
bool is_readable(int fd);

/* Waits until there are nbytes bytes to be read, of a pipe or a socket of bytes. */
void await_bytes(int fd, int nbytes);

/* --- control blocks --------------------------------------------------------------------------- */

/* For the compiler: the buffer is noted, and not read. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
# define BUFFER_IS(n) __attribute__((access(none, n)))
#else
# define BUFFER_IS(n)
#endif

/* A zeroed control block with SIGEV_NONE and these fields. */
BUFFER_IS(3)
void prep(struct aiocb *cb, int fd, const void *buf, size_t nbytes, off_t offset);

/* The same, but every byte that is not set keeps the given garbage. */
BUFFER_IS(4)
void prep_over_garbage(struct aiocb *cb, int garbage, int fd, const void *buf, size_t nbytes,
                       off_t offset);

/* Whether the public fields of the two agree. */
bool same_public_fields(const struct aiocb *a, const struct aiocb *b);

/* How the completion of cb is told; value becomes sigev_value.sival_ptr. */
void notify_by_signal(struct sigevent *ev, int signo, void *value);
void notify_by_thread(struct sigevent *ev, void (*function)(union sigval), void *value,
                      pthread_attr_t *attr);

/* Submit, and assert that it was queued. */
void must_read(struct aiocb *cb);
void must_write(struct aiocb *cb);
void must_fsync(struct aiocb *cb);

/* Waits by aio_suspend until cb is done; returns its aio_error(). */
int wait_done(const struct aiocb *cb);

/* Waits, asserts that the request succeeded, and returns its aio_return(). */
ssize_t finish(struct aiocb *cb);

/* Waits, and asserts that the request failed with this error and -1. */
void finish_with(struct aiocb *cb, int error);

/*
 * Gives idle workers every chance to do what they must not: runs many
 * requests of another file to their end.  A request that is wrongly free to
 * run will most likely have run after it; one that is rightly held has not.
 */
void let_others_run(void);

/* --- settings: before the first AIO call ------------------------------------------------------ */

/*
 * No request is done within the submitting or the waiting thread.  There are
 * four workers, unless use_workers() says otherwise.
 */
void queue_everything(void);

/*
 * At most n workers, in uaio (UAIO_THREADS) and in glibc (aio_init).  The
 * latter is an AIO call, so every other setting goes before this one.
 */
void use_workers(int n);

/* --- the gate: slow files --------------------------------------------------------------------- */

/*
 * Buffers whose pages are missing and watched by a userfaultfd: whoever reads
 * into, or writes from, page i is stopped inside the system call until the
 * test opens that page, whatever the file is.  That is a request of a
 * regular file which blocks in a worker for as long as the test likes, and
 * the test is told when the worker has arrived.  Needs Linux and the right to
 * handle kernel faults (root, or vm.unprivileged_userfaultfd=1).
 *
 * A signal to the stopped thread, not blocked, ends its system call with
 * EFAULT.  Never touch a page from the test before it is open.
 */
#define GATE_PAGES_MAX 128

struct gate {
    int uffd;
    unsigned npages;
    size_t page_size;
    char *base;
    bool arrived[GATE_PAGES_MAX]; /* someone stopped there; one thread at a time asks */
};

/* False, with the reason printed, where there is no userfaultfd: the test is skipped. */
bool gate_make(struct gate *gate, unsigned npages, const char *test);
#define MAKE_GATE(gate, npages)               \
 do {                                         \
  if (!gate_make((gate), (npages), __func__)) \
   return;                                    \
 } while (0)

/* The buffer of page i. */
void *gate_page(const struct gate *gate, unsigned i);

/* Waits until some thread is stopped at page i. */
void gate_await(struct gate *gate, unsigned i);

/* Waits for the next thread that stops anywhere; returns its page. */
unsigned gate_next(struct gate *gate);

/* Whether a thread is known to be stopped at page i; does not wait. */
bool gate_has_arrived(struct gate *gate, unsigned i);

/* Lets page i go, now and for ever; it is filled with `fill`. */
void gate_open_with(const struct gate *gate, unsigned i, int fill);
void gate_open(const struct gate *gate, unsigned i);

/*
 * Submits a read of a file of its own into page i and waits until a worker is
 * stopped in it.
 */
void occupy_worker(struct gate *gate, unsigned i, struct aiocb *cb);

/* --- signals ---------------------------------------------------------------------------------- */

/* Installs a handler, with SA_SIGINFO and these flags. */
void handle(int signo, void (*handler)(int, siginfo_t *, void *), int flags);

/* A handler that does nothing. */
void ignore_quietly(int signo, siginfo_t *info, void *context);

/* Blocks the signal in the calling thread, and so in those that it starts. */
void block_signal(int signo);

/* Takes the next pending or coming signal of this number, which is blocked. */
void take_signal(int signo, siginfo_t *info);

bool is_pending(int signo);

/*
 * A timer that keeps sending signo to the calling thread until storm_end().
 * A handler that wants the thread to get on between two signals says
 * storm_again() at its end, with `us` made the pause: that is a storm of
 * single shots, made by storm_begin_shots().
 */
void storm_begin(int signo, long us);
void storm_begin_shots(int signo, long us);
void storm_again(void);
void storm_end(void);

/* --- threads ---------------------------------------------------------------------------------- */

void start_thread(pthread_t *thread, void *(*function)(void *), void *argument);
void *join_thread(pthread_t thread);

/* sem_wait that does not mind signals; any thread may call it. */
void await(sem_t *sem);

/*
 * Does LeakSanitizer's check now instead of at exit, where it could not stop
 * a blocked thread or start one of its own.
 */
void no_leak_check_at_exit(void);

/*
 * Takes away the process's right to have more threads (and with it root's
 * rights).  False where that cannot be had: pthread_create still works.
 */
bool forbid_threads(void);

/* The ids of the process's threads, at most n of them; how many there are. */
size_t list_threads(pid_t *tids, size_t n);

/* What /proc says of the thread's `field` ("Uid", "SigBlk"); empty if the thread has ended. */
#define THREAD_VALUE_MAX 256
void thread_value(pid_t tid, const char *field, char value[THREAD_VALUE_MAX]);

/* --- processes -------------------------------------------------------------------------------- */

/*
 * Ways to fork; the sanitizers and the portable variant know the first alone.
 * A child may assert, in any thread: it ends with status 1, and the runner is
 * told.  But no other thread may have been about that when it was forked, for
 * its lock.
 */
#define FORK_WAYS_HERE (SANITIZED || PORTABLE ? 1 : FORK_WAYS)

/* Waits for the child: its exit status, or -1 if a signal ended it. */
int status_of(pid_t pid);

/* Memory that parent and child have in common. */
void *shared_memory(size_t nbytes);

/* Becomes this program again, with the suite new_image alone; returns if that cannot be. */
void execute_new_image(void);

/* --- suites ----------------------------------------------------------------------------------- */

Suite *symbols_suite(void);
Suite *read_suite(void);
Suite *write_suite(void);
Suite *fsync_suite(void);
Suite *error_suite(void);
Suite *return_suite(void);
Suite *suspend_suite(void);
Suite *cancel_suite(void);
Suite *listio_suite(void);
Suite *long_list_suite(void);
Suite *init_suite(void);
Suite *order_suite(void);
Suite *notify_suite(void);
Suite *threads_suite(void);
Suite *handlers_suite(void);
Suite *reentry_suite(void);
Suite *scale_suite(void);
Suite *badinput_suite(void);
Suite *streams_suite(void);
Suite *stream_ends_suite(void);
Suite *fork_suite(void);
Suite *close_suite(void);
Suite *process_suite(void);
Suite *new_image_suite(void);
Suite *credentials_suite(void);
Suite *vectors_suite(void);
Suite *waitcomplete_suite(void);
Suite *queue_suite(void);
Suite *stats_suite(void);

/* A suite of one case with the given timeout in seconds for each test. */
Suite *new_suite(const char *name, double timeout, TCase **tc);

#endif
