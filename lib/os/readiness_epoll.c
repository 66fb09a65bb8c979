/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "readiness.h"
#include "high_number.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MAX_EVENTS 64

_Static_assert(EPOLLIN == POLLIN && EPOLLPRI == POLLPRI && EPOLLOUT == POLLOUT &&
                   EPOLLERR == POLLERR && EPOLLHUP == POLLHUP,
               "the conditions have the same numbers");

#define CONDITIONS 0xffffu /* those of poll(): above are epoll's own switches */

int uaio__readiness_open(int *second)
{
    int set = epoll_create1(EPOLL_CLOEXEC);

    *second = -1;
    return set < 0 ? -errno : uaio__move_up(set);
}

void uaio__readiness_close(int set)
{
    close(set);
}

/* A watch that has reported stays in the kernel's set, asleep, until its file is
 * closed: for a descriptor that is used again this is one call. */
int uaio__readiness_watch(int set, int fd, unsigned conditions, uint64_t tag)
{
    struct epoll_event event = {
        .events = (conditions & CONDITIONS) | EPOLLONESHOT,
        .data.u64 = tag,
    };

    if (epoll_ctl(set, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    if (errno == ENOENT && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    return -errno;
}

void uaio__readiness_unwatch(int set, int fd)
{
    struct epoll_event unused = {0};
    epoll_ctl(set, EPOLL_CTL_DEL, fd, &unused);
}

int uaio__readiness_wait(int set, struct readiness *ready, int max, int timeout_ms)
{
    struct epoll_event events[MAX_EVENTS];
    int n = epoll_wait(set, events, max < MAX_EVENTS ? max : MAX_EVENTS, timeout_ms);

    if (n < 0 && errno == EINTR) /* stopped and continued */
        n = 0;
    for (int i = 0; i < n; i++)
        ready[i] = (struct readiness){events[i].data.u64, events[i].events & CONDITIONS};
    return n;
}
