/* SPDX-License-Identifier: MIT */
/* What io_submit() has set going, seen from the process's end. */
#ifndef UAIO_LINUX_SUBMIT_H
#define UAIO_LINUX_SUBMIT_H

/* Wait for the writes to files that are in flight: the kernel's AIO completes
 * them after the process is gone. */
void submit__finish_writes(void);

/* In a forked child: nothing is in flight. */
void submit__reset(void);

#endif
