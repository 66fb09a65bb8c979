/* SPDX-License-Identifier: MIT */
/*
 * Numbers for descriptors of our own: high ones, out of the way of select() and
 * of programs that expect the lowest number from open().
 */
#ifndef UAIO_OS_HIGH_NUMBER_H
#define UAIO_OS_HIGH_NUMBER_H

/* A duplicate with a high number, or with any if none is allowed; or -errno. */
int uaio__duplicate(int fd);

/* The descriptor under a high number, its own being closed; or as it was. */
int uaio__move_up(int fd);

#endif
