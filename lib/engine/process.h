/* SPDX-License-Identifier: MIT */
/*
 * What happens to the process as a whole.
 *
 * fork(): the child has a copy of our memory and none of our threads.  Nothing
 * that was in flight is the child's, so each part forgets what it knows, without
 * a look at it: locks may have been held, and lists been half changed, by
 * threads that are not there any more.  Nothing is prepared in the parent.
 * A child that shares the memory (vfork(), clone() with CLONE_VM) shares all of
 * it, and runs no handlers.
 *
 * The end, by exit(), _exit() or exec(): our threads die with whatever they are
 * doing, so those who promised more wait first.
 */
#ifndef UAIO_PROCESS_H
#define UAIO_PROCESS_H

/* Call `reset` in every forked child, after those that were named before. */
void process__in_child(void (*reset)(void));

/* Call `finish` before the process that uses us ends.  It must not wait for
 * what may never come. */
void process__before_end(void (*finish)(void));

/*
 * The process becomes another program, or ends, with the report that UAIO_STATS
 * asks for.  Async-signal-safe; nothing is done in a child that shares our
 * memory.
 */
void process__before_exec(void);
void process__end(void);

#endif
