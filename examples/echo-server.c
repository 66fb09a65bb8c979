/* SPDX-License-Identifier: MIT */
/*
 * An echo server on the standard <aio.h> alone: what a client sends, it gets
 * back, until it says no more.
 *
 *     uaio-echo-server ADDRESS [CONNECTIONS]
 *
 * ADDRESS is the path of a Unix socket, if it has a slash, or else a port of
 * 127.0.0.1, 0 for any that is free.  Once it can be connected to, it is
 * printed as the one line of output.  So many CONNECTIONS at most (1000) are
 * served at a time; more wait to be accepted.  SIGTERM or SIGINT: what was
 * read is still sent back, then each connection is closed and the server ends
 * with status 0; the same again: without sending.
 *
 * All of it is an event loop on realtime signals.  Each request queues one
 * when it is done, a thread that accepts queues one for each new connection,
 * and main() takes them one by one: only it knows connections, so there is
 * nothing to lock, and their number costs no threads of ours.
 *
 * A connection has two buffers.  While one is written back the next read is
 * pending already, and if that brings something meanwhile, there is no other
 * until the write is done: a client that does not read is not read from.  A
 * descriptor is never closed with a request pending: shutdown() makes the
 * request end, and whichever is last to end closes.
 *
 * It works with any AIO library, but how many clients may be silent at once is
 * up to that: libc's has 20 threads, and each pending read keeps one.  (It has
 * the requests of a descriptor take turns, too.  A write is queued before the
 * read that follows, and so does not wait for it.)
 */
#define _POSIX_C_SOURCE 200809L

#include <aio.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The events.  Those of lower numbers are taken first. */
#define READ_DONE (SIGRTMIN + 0)  /* sival_ptr: the connection */
#define WRITE_DONE (SIGRTMIN + 1) /* sival_ptr: the connection */
#define ACCEPTED (SIGRTMIN + 2)   /* sival_int: the descriptor */

enum { BUFFER = 4096, CONNECTIONS = 1000, BACKLOG = 512 };

struct connection {
    struct connection *next, **link;
    int fd;
    struct aiocb read, write;
    bool reading, writing; /* requests whose event has not been taken */
    bool ended;            /* nothing more is to be read */
    int turn;              /* the buffer to be read into, or that holds */
    size_t held;           /* bytes read and not yet being written */
    char buffer[2][BUFFER];
};

static struct connection *connections;
static int listener;
static sem_t vacancies;

static void die(const char *what)
{
    fprintf(stderr, "uaio-echo-server: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- a connection --- */

/* What is on its way is lost; requests that are pending end. */
static void give_up(struct connection *c)
{
    c->ended = true;
    c->held = 0;
    shutdown(c->fd, SHUT_RDWR);
}

static void prepare(struct aiocb *cb, struct connection *c, char *data, size_t nbytes, int event)
{
    memset(cb, 0, sizeof *cb);
    cb->aio_fildes = c->fd;
    cb->aio_buf = data;
    cb->aio_nbytes = nbytes;
    cb->aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    cb->aio_sigevent.sigev_signo = event;
    cb->aio_sigevent.sigev_value.sival_ptr = c;
}

static void start_read(struct connection *c)
{
    prepare(&c->read, c, c->buffer[c->turn], BUFFER, READ_DONE);
    if (aio_read(&c->read))
        give_up(c);
    else
        c->reading = true;
}

static void start_write(struct connection *c, char *data, size_t nbytes)
{
    prepare(&c->write, c, data, nbytes, WRITE_DONE);
    if (aio_write(&c->write))
        give_up(c);
    else
        c->writing = true;
}

static void close_connection(struct connection *c)
{
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    close(c->fd);
    free(c);
    sem_post(&vacancies);
}

/* Start what can be started; with nothing pending then, it is over. */
static void proceed(struct connection *c)
{
    if (c->held && !c->writing) {
        start_write(c, c->buffer[c->turn], c->held);
        c->held = 0;
        c->turn = !c->turn;
    }
    if (!c->held && !c->reading && !c->ended)
        start_read(c);
    if (!c->reading && !c->writing)
        close_connection(c);
}

static void read_done(struct connection *c)
{
    ssize_t n = aio_return(&c->read);

    c->reading = false;
    if (n <= 0)
        c->ended = true;
    else if (!c->ended) /* else given up */
        c->held = (size_t)n;
    proceed(c);
}

static void write_done(struct connection *c)
{
    size_t asked = c->write.aio_nbytes;
    ssize_t n = aio_return(&c->write);

    c->writing = false;
    if (n <= 0)
        give_up(c);
    else if ((size_t)n < asked)
        start_write(c, (char *)c->write.aio_buf + n, asked - (size_t)n);
    proceed(c);
}

static void open_connection(int fd)
{
    struct connection *c = calloc(1, sizeof *c);

    if (!c) {
        close(fd);
        sem_post(&vacancies);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* not if it is a Unix one */
    c->fd = fd;
    c->link = &connections;
    c->next = connections;
    if (c->next)
        c->next->link = &c->next;
    connections = c;
    proceed(c);
}

/* --- accepting --- */

static void *accept_all(void *unused)
{
    (void)unused;
    for (;;) {
        int fd;

        while (sem_wait(&vacancies))
            ;
        fd = accept(listener, NULL, NULL);
        if (fd >= 0 && sigqueue(getpid(), ACCEPTED, (union sigval){.sival_int = fd}) == 0)
            continue;
        if (fd >= 0) /* too many signals are queued: sorry */
            close(fd);
        else if (errno != ECONNABORTED) /* descriptors or memory: in a moment there may be some */
            nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        sem_post(&vacancies);
    }
    return NULL;
}

static void listen_at(const char *address)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in loopback = {.sin_family = AF_INET};
    socklen_t length = sizeof loopback;
    bool is_path = strchr(address, '/') != NULL;

    listener = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    if (listener < 0)
        die("socket");
    if (is_path) {
        if (strlen(address) >= sizeof local.sun_path) {
            errno = ENAMETOOLONG;
            die(address);
        }
        strcpy(local.sun_path, address);
        if (bind(listener, (struct sockaddr *)&local, sizeof local))
            die(address);
    } else {
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        loopback.sin_port = htons((uint16_t)atoi(address));
        if (bind(listener, (struct sockaddr *)&loopback, length) ||
            getsockname(listener, (struct sockaddr *)&loopback, &length))
            die(address);
    }
    if (listen(listener, BACKLOG))
        die("listen");
    if (is_path)
        printf("%s\n", address);
    else
        printf("127.0.0.1:%d\n", ntohs(loopback.sin_port));
    fflush(stdout);
}

/* As many vacancies as asked for, if there are the descriptors: an AIO library
 * may want one more for each request that is pending. */
static void make_vacancies(long wanted)
{
    struct rlimit limit;
    long room;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        getrlimit(RLIMIT_NOFILE, &limit);
    room = limit.rlim_cur > 1000000 ? 1000000 : (long)limit.rlim_cur;
    room = (room - 16) / 3;
    if (wanted > room)
        fprintf(stderr, "uaio-echo-server: only %ld connections: RLIMIT_NOFILE\n", room);
    if (sem_init(&vacancies, 0, (unsigned)(wanted < room ? wanted : room)))
        die("sem_init");
}

/* --- the loop --- */

static void serve(const sigset_t *events, pthread_t acceptor)
{
    bool stopping = false;

    while (connections || !stopping) {
        siginfo_t event;
        int signo = sigwaitinfo(events, &event);

        if (signo < 0) {
            continue;
        } else if (signo == READ_DONE) {
            read_done(event.si_value.sival_ptr);
        } else if (signo == WRITE_DONE) {
            write_done(event.si_value.sival_ptr);
        } else if (signo == ACCEPTED) {
            if (stopping)
                close(event.si_value.sival_int);
            else
                open_connection(event.si_value.sival_int);
        } else {
            if (!stopping) {
                pthread_cancel(acceptor);
                pthread_join(acceptor, NULL);
            }
            for (struct connection *c = connections; c; c = c->next)
                shutdown(c->fd, stopping ? SHUT_RDWR : SHUT_RD);
            stopping = true;
        }
    }
}

int main(int argc, char **argv)
{
    const int signals[] = {READ_DONE, WRITE_DONE, ACCEPTED, SIGTERM, SIGINT};
    long wanted = argc > 2 ? atol(argv[2]) : CONNECTIONS;
    pthread_t acceptor;
    sigset_t events;

    if (argc < 2 || argc > 3 || wanted < 1) {
        fputs("usage: uaio-echo-server PATH|PORT [CONNECTIONS]\n", stderr);
        return 1;
    }
    signal(SIGPIPE, SIG_IGN); /* of libc's AIO; a write says EPIPE */
    sigemptyset(&events);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&events, signals[i]);
    pthread_sigmask(SIG_BLOCK, &events, NULL); /* in all threads from now on */

    make_vacancies(wanted);
    listen_at(argv[1]);
    errno = pthread_create(&acceptor, NULL, accept_all, NULL);
    if (errno)
        die("pthread_create");
    serve(&events, acceptor);
    close(listener);
    if (strchr(argv[1], '/'))
        unlink(argv[1]);
    return 0;
}
