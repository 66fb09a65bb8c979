/* SPDX-License-Identifier: MIT */
/*
 * What the writer, the parent that kills it and the counting functions share:
 * the plan of a round, which both know by its seed, and a page of notes that
 * outlives the writer.
 */
#ifndef UAIO_TESTS_DURABILITY_H
#define UAIO_TESTS_DURABILITY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    GROUPS = 32,
    GROUP_MAX = 8,
    RECORDS = GROUPS * GROUP_MAX,
    SLOT_BYTES = 16384,
    DEPTH_MAX = 4
};

/* How the writer's life ends. */
enum ending { BY_KILL, BY_ABORT, BY_EXIT, BY__EXIT, BY_EXEC, ENDINGS };

struct plan {
    uint64_t seed;
    enum ending ending;
    unsigned stop;  /* after so many groups are submitted, if it ends by itself */
    unsigned depth; /* groups under way at once */
};

/* A record is a group's member, and has a slot of the file by its number. */
unsigned plan_members(const struct plan *plan, unsigned group);
bool plan_sync_is_full(const struct plan *plan, unsigned group);
size_t plan_length(const struct plan *plan, unsigned record);
/* No byte of it is 0, as a hole's are. */
void plan_fill(const struct plan *plan, unsigned record, void *to);
/* For choices that nobody else needs to know. */
uint64_t plan_random(const struct plan *plan, uint64_t what);

enum progress { SUBMITTED, WRITTEN, SYNC_BEGUN, SYNC_DONE, ACKNOWLEDGED, PROGRESSES };

/* Shared by writer and parent.  Atomic all of it, and seq_cst: the order of the
 * notes is what is tested. */
struct notes {
    atomic_uint clock;                /* each event has a number of its own */
    atomic_uint progress[PROGRESSES]; /* how many of each */
    atomic_bool submitted[RECORDS];   /* set before the call ... */
    atomic_bool accepted[RECORDS];    /* ... and after its success */
    atomic_uint written[RECORDS];     /* when pwrite() had returned; 0: not yet */
    atomic_uint synced[2];            /* when the last began that succeeded: any, fsync() */
    atomic_bool acknowledged[GROUPS];
    atomic_bool finished;
    const char *_Atomic broken; /* a literal: the writer is a fork of the parent */
};

extern struct notes *notes;

/* By the face. */
extern const char *const face_name;
/* Are accepted writes performed before that end? */
bool face_promises(enum ending ending);
/* Submit, wait and acknowledge, until plan->stop groups are submitted. */
void face_write(const struct plan *plan, int fd);

/* For it: before and after a record's submission, and after its group's sync. */
void note_submission(unsigned record);
void note_acceptance(unsigned record);
void note_acknowledged(const struct plan *plan, unsigned group);
void note_broken(const char *what);

#endif
