/* SPDX-License-Identifier: MIT */
/*
 * readiness.h on any POSIX system: poll(), on a copy of what is watched, and a
 * pipe that ends it when something is added.  There is one set.
 */
#include "readiness.h"
#include "high_number.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Mapped, not malloc()ed: see poller.h on locks. */
struct array {
    void *items;
    size_t room; /* items */
};

static struct {
    pthread_mutex_t lock;
    int wake;            /* the pipe's end for writing */
    struct array fds;    /* lock; struct pollfd: what is watched, without gaps */
    struct array tags;   /* lock; uint64_t, of the same */
    struct array places; /* lock; int, by descriptor: index in fds, plus 1; 0: not watched */
    size_t n;            /* lock; watched */
    struct array copy;   /* the waiting thread's */
    bool polling;        /* lock; poll() is in progress, and keeps the files from being closed */
    unsigned polls;      /* lock; how many there were */
    pthread_cond_t over; /* lock; `polling` has become false */
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct pollfd *fds(void)
{
    return all.fds.items;
}

static uint64_t *tags(void)
{
    return all.tags.items;
}

static int *places(void)
{
    return all.places.items;
}

static bool grow(struct array *array, size_t item, size_t wanted)
{
    size_t room = array->room ? array->room : 1024;
    void *fresh;

    if (wanted <= array->room)
        return true;
    while (room < wanted)
        room *= 2;
    fresh = mmap(NULL, room * item, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED)
        return false;
    if (array->room) {
        memcpy(fresh, array->items, array->room * item);
        munmap(array->items, array->room * item);
    }
    *array = (struct array){fresh, room};
    return true;
}

static int settle(int end)
{
    fcntl(end, F_SETFD, FD_CLOEXEC);
    fcntl(end, F_SETFL, O_NONBLOCK);
    return uaio__move_up(end);
}

int uaio__readiness_open(int *second)
{
    int ends[2];

    if (pipe(ends) != 0)
        return -errno;
    ends[0] = settle(ends[0]);
    ends[1] = settle(ends[1]);
    /* In a forked child the lock may be taken. */
    pthread_mutex_init(&all.lock, NULL);
    pthread_cond_init(&all.over, NULL);
    all.wake = *second = ends[1];
    all.n = 0;
    all.polling = false;
    if (all.places.room)
        memset(all.places.items, 0, all.places.room * sizeof(int));
    return ends[0];
}

void uaio__readiness_close(int set)
{
    close(all.wake);
    close(set);
}

static void wake(void)
{
    (void)!write(all.wake, "", 1);
}

bool uaio__readiness_poke(int set)
{
    (void)set;
    wake();
    return true;
}

/* [lock] */
static void forget(int fd)
{
    size_t place = (size_t)fd < all.places.room ? (size_t)places()[fd] : 0;

    if (place == 0)
        return;
    places()[fd] = 0;
    all.n--;
    if (place - 1 == all.n)
        return;
    fds()[place - 1] = fds()[all.n];
    tags()[place - 1] = tags()[all.n];
    places()[fds()[place - 1].fd] = (int)place;
}

int uaio__readiness_watch(int set, int fd, unsigned conditions, uint64_t tag)
{
    int err = 0;

    (void)set;
    if (fd < 0)
        return -EBADF;
    pthread_mutex_lock(&all.lock);
    forget(fd);
    if (!grow(&all.places, sizeof(int), (size_t)fd + 1) ||
        !grow(&all.fds, sizeof(struct pollfd), all.n + 1) ||
        !grow(&all.tags, sizeof(uint64_t), all.n + 1)) {
        err = -ENOMEM;
    } else {
        fds()[all.n] = (struct pollfd){.fd = fd, .events = (short)conditions};
        tags()[all.n] = tag;
        places()[fd] = (int)++all.n;
    }
    pthread_mutex_unlock(&all.lock);
    wake();
    return err;
}

void uaio__readiness_unwatch(int set, int fd)
{
    unsigned polls;

    (void)set;
    pthread_mutex_lock(&all.lock);
    forget(fd);
    polls = all.polls;
    if (all.polling)
        wake();
    while (all.polling && all.polls == polls)
        pthread_cond_wait(&all.over, &all.lock);
    pthread_mutex_unlock(&all.lock);
}

/* What is watched, after the pipe; the number of both.  poll() is to follow. */
static size_t begin_poll(int set)
{
    struct pollfd *copy;
    size_t n = 0;

    pthread_mutex_lock(&all.lock);
    if (grow(&all.copy, sizeof(struct pollfd), all.n + 1))
        n = all.n;
    copy = all.copy.items;
    if (copy) {
        copy[0] = (struct pollfd){.fd = set, .events = POLLIN};
        if (n)
            memcpy(copy + 1, fds(), n * sizeof *copy);
    }
    all.polling = true;
    all.polls++;
    pthread_mutex_unlock(&all.lock);
    return copy ? n + 1 : 0;
}

static void end_poll(void)
{
    pthread_mutex_lock(&all.lock);
    all.polling = false;
    pthread_cond_broadcast(&all.over);
    pthread_mutex_unlock(&all.lock);
}

/* It may be another watch by now, for another condition. */
static bool take_report(const struct pollfd *found, struct readiness *ready)
{
    unsigned conditions = (unsigned short)found->revents;
    size_t place;
    bool taken = false;

    pthread_mutex_lock(&all.lock);
    place = (size_t)places()[found->fd];
    if (place > 0 && conditions & ((unsigned short)fds()[place - 1].events |
                                   (unsigned)(POLLERR | POLLHUP | POLLNVAL))) {
        *ready = (struct readiness){tags()[place - 1], conditions};
        forget(found->fd);
        taken = true;
    }
    pthread_mutex_unlock(&all.lock);
    return taken;
}

int uaio__readiness_wait(int set, struct readiness *ready, int max, int timeout_ms)
{
    size_t watched = begin_poll(set);
    struct pollfd *copy = all.copy.items;
    char bytes[64];
    int found = poll(copy, (nfds_t)watched, timeout_ms), n = 0;

    if (found < 0)
        found = errno == EINTR || errno == EAGAIN ? 0 : -errno;
    end_poll();
    if (found < 0)
        return found;
    if (found == 0 || watched == 0)
        return 0;
    if (copy[0].revents & POLLNVAL)
        return -EBADF;
    while (read(set, bytes, sizeof bytes) > 0)
        ;
    for (size_t i = 1; i < watched && n < max; i++)
        if (copy[i].revents && take_report(&copy[i], &ready[n]))
            n++;
    return n;
}
