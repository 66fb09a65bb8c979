/* SPDX-License-Identifier: MIT */
/*
 * uaio top: what uaio does in another process, seen from outside.
 *
 *   top.c        what is asked for, and the loop
 *   process.c    the other process: its memory, where uaio is in it, how it ends
 *   sample.c     all that is to be shown, as of one moment
 *   view.c       that as text, for a terminal and for pipes
 *   json.c       the same for programs
 *   terminal.c   the screen and the keys
 *
 * The other process is not stopped, and does nothing for it.  What is read from it is
 * not believed before it is checked: it may be another version, or end at any moment.
 */
#ifndef UAIO_TOP_H
#define UAIO_TOP_H

#include <uaio/stats.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define REASON_BYTES 256

struct top_options {
    pid_t pid;
    double interval;     /* seconds */
    unsigned long count; /* samples; 0: without end */
    bool once, batch, json;
};

/* What became of a look at the process. */
enum look {
    LOOK_WELL,
    LOOK_ENDED,   /* the process is over */
    LOOK_CHANGED, /* it runs another program now */
    LOOK_FAILED,  /* with a reason */
};

/* ---- the process ---------------------------------------------------------------- */

struct process;

/* NULL, with the reason: it cannot be looked at. */
struct process *process__open(pid_t pid, char reason[REASON_BYTES]);
void process__close(struct process *process);

/* Search it for uaio, again after LOOK_CHANGED. */
enum look process__find(struct process *process, char reason[REASON_BYTES]);

pid_t process__pid(const struct process *process);
const char *process__name(const struct process *process);    /* of the program */
const char *process__objects(const struct process *process); /* the files that uaio is in */
const char *process__version(const struct process *process);

/* A descriptor that can be polled for the end of the process; -1: none. */
int process__handle(const struct process *process);

/* What the descriptor is open on; "" if nobody can tell. */
void process__file(const struct process *process, unsigned fd, char *name, size_t size);

/* ---- samples ---------------------------------------------------------------------- */

#define DESCRIPTORS 4096u

struct sample {
    double seconds; /* of a clock that only goes forward */
    double time;    /* since 1970 */
    bool used;      /* a request has been made */
    struct uaio_stats stats;
    unsigned max_threads, max_requests, idle_ms;
    bool inline_reads, help, native_first;
    uint32_t requests[DESCRIPTORS];  /* of each descriptor, ever */
    uint32_t in_flight[DESCRIPTORS]; /* now; of POSIX requests alone */
};

enum look sample__take(struct process *process, struct sample *sample, char reason[REASON_BYTES]);

/* What came between two samples: counts and latencies; the rest as of `now`. */
void sample__subtract(struct sample *result, const struct sample *now, const struct sample *before);

/* The latencies that have a name each: read, write, sync. */
#define LATENCIES 3
extern const char *const latency_names[LATENCIES];
const struct uaio_latency *sample__latency(const struct sample *sample, unsigned i);

extern const double top__percents[4];
extern const char *const top__percent_names[4];

/* The counters that are shown, by name. */
struct counter_name {
    const char *name; /* as shown */
    const char *key;  /* in JSON */
    size_t offset;    /* in struct uaio_stats */
};
extern const struct counter_name counter_names[];
extern const unsigned n_counter_names;
uint64_t sample__counter(const struct sample *sample, unsigned i);

/* How many reads of those that were tried inline were done there, in percent; negative:
 * none was tried. */
double sample__hit_rate(const struct sample *change);

/* The busiest descriptors, at most `n`: how many there are in `fds`. */
unsigned sample__busiest(const struct sample *change, unsigned *fds, unsigned n);

/* ---- what is shown ------------------------------------------------------------------ */

struct view {
    const struct process *process;
    const struct sample *now;
    const struct sample *change; /* since the last sample, or all of it */
    double seconds;              /* what `change` took; 0: all since the process began */
    unsigned columns, rows;      /* of the screen; 0: as many as there are */
};

void view__write(FILE *to, const struct view *view);
void view__write_json(FILE *to, const struct view *view);

/* ---- the terminal -------------------------------------------------------------------- */

enum event {
    EVENT_TIME,   /* it is up */
    EVENT_QUIT,   /* the key q, or nobody is there any more */
    EVENT_REDRAW, /* another size, or back from having been stopped */
    EVENT_ENDED,  /* the process that is watched */
    EVENT_SIGNAL, /* end, by terminal__die() */
};

/* Is standard output a screen? */
bool terminal__is_screen(void);

/* Take over the screen, until terminal__end() or the end of the program. */
void terminal__begin(void);
void terminal__end(void);
void terminal__size(unsigned *columns, unsigned *rows);

/* As much of the text as fits. */
void terminal__draw(const char *text);

/* Sleep for so long at most.  `handle`: see process__handle(). */
enum event terminal__wait(double seconds, int handle);

/* End by the signal that EVENT_SIGNAL was about. */
_Noreturn void terminal__die(void);

int top__main(int argc, char **argv);

#endif
