/* SPDX-License-Identifier: MIT */
/*
 * fork(): the child has a copy of our memory and none of our threads.  Nothing
 * that was in flight is the child's, so each part forgets what it knows, without
 * a look at it: locks may have been held, and lists been half changed, by
 * threads that are not there any more.  Nothing is prepared in the parent.
 *
 * A child that shares the memory (vfork(), clone() with CLONE_VM) shares all of
 * it, and runs no handlers.
 */
#ifndef UAIO_FORK_H
#define UAIO_FORK_H

/* Call `reset` in every forked child, after those that were named before. */
void fork__in_child(void (*reset)(void));

#endif
