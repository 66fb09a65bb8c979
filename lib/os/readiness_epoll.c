/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "readiness.h"
#include "high_number.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_EVENTS 64

_Static_assert(EPOLLIN == POLLIN && EPOLLPRI == POLLPRI && EPOLLOUT == POLLOUT &&
                   EPOLLERR == POLLERR && EPOLLHUP == POLLHUP,
               "the conditions have the same numbers");

#define CONDITIONS 0xffffu /* those of poll(): above are epoll's own switches */

#define POKED UINT64_MAX /* nobody's tag: who uses it has been poked */

static int poke = -1; /* an eventfd in the set; there is one set at a time */

static int open_poke(int set)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = POKED};
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0)
        return -1;
    fd = uaio__move_up(fd);
    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Which of the two calls a sandbox knows is a matter of its architecture. */
static int wait_for_events(int set, struct epoll_event *events, int max, int timeout_ms)
{
    int n = epoll_wait(set, events, max, timeout_ms);

    if (n < 0 && (errno == ENOSYS || errno == EPERM))
        n = epoll_pwait(set, events, max, timeout_ms, NULL);
    return n;
}

/* A set that cannot be waited for is none: who relied on it would wait for ever. */
int uaio__readiness_open(int *second)
{
    struct epoll_event unused;
    int set = epoll_create1(EPOLL_CLOEXEC), err;

    *second = -1;
    if (set < 0)
        return -errno;
    if (wait_for_events(set, &unused, 1, 0) < 0 && errno != EINTR) {
        err = -errno;
        close(set);
        return err;
    }
    set = uaio__move_up(set);
    poke = *second = open_poke(set);
    return set;
}

void uaio__readiness_close(int set)
{
    if (poke >= 0)
        close(poke);
    poke = -1;
    close(set);
}

bool uaio__readiness_poke(int set)
{
    const uint64_t one = 1;

    (void)set;
    return poke >= 0 && write(poke, &one, sizeof one) == sizeof one;
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

static void be_poked(void)
{
    uint64_t count;

    (void)!read(poke, &count, sizeof count);
}

int uaio__readiness_wait(int set, struct readiness *ready, int max, int timeout_ms)
{
    struct epoll_event events[MAX_EVENTS];
    int found = 0;
    int n = wait_for_events(set, events, max < MAX_EVENTS ? max : MAX_EVENTS, timeout_ms);

    if (n < 0 && errno == EINTR) /* stopped and continued */
        n = 0;
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 == POKED)
            be_poked();
        else
            ready[found++] = (struct readiness){events[i].data.u64, events[i].events & CONDITIONS};
    }
    return n < 0 ? n : found;
}
