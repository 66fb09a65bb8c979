/* SPDX-License-Identifier: MIT */
/*
 * Many clients of an echo server at once: some talk, some are silent all the
 * time, some close one direction, some reset the connection, some do not read
 * what they are sent.  Knows no AIO: what is tested is the server.
 *
 *     echo ADDRESS SERVER-PID CONNECTIONS THREADS-MAX [SEED]
 *
 * ADDRESS is what uaio-echo-server printed.  Invariants: each byte comes back,
 * in order and once, to the client that sent it, whatever the others do; the
 * end of what is sent comes back after that; silent clients stay connected;
 * and at no time has the server more than THREADS-MAX threads.  At the end the
 * server is sent SIGTERM, and all that are still there must see their end.
 *
 * Exit status: 0 if all is so, 1 with a line on stderr if not.  What never
 * comes is ended by SIGALRM.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SECONDS_MAX = 60, ROUNDS = 8, SMALL = 16384 };

/* Of each ten.  The last one opened talks: it is accepted after all others. */
enum kind { SILENT, HALF_CLOSED, RESET, STUFFED, STUFFED_RESET, TALKING };
static const enum kind kinds[10] = {SILENT,  SILENT, SILENT,        HALF_CLOSED, RESET,
                                    STUFFED, SILENT, STUFFED_RESET, TALKING,     TALKING};

struct client {
    enum kind kind;
    int fd;
    uint32_t key;
    size_t sent, received;
};

static struct client *clients;
static size_t n_clients;
static char task_dir[64];
static int threads_max;

static void fail(const struct client *c, const char *what, int error)
{
    fprintf(stderr, "echo: client %zd: %s: %s\n", c ? c - clients : -1, what,
            error ? strerror(error) : "wrong");
    exit(1);
}

/* The byte at a position of what a client sends. */
static unsigned char byte_at(const struct client *c, size_t position)
{
    return (unsigned char)(((uint32_t)position * 2654435761U ^ c->key) >> 13);
}

static int connect_to(const char *address, bool small)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in loopback = {.sin_family = AF_INET};
    bool is_path = strchr(address, '/') != NULL;
    int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM, 0), error;

    if (fd < 0)
        fail(NULL, "socket", errno);
    if (small) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SMALL}, sizeof(int));
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){SMALL}, sizeof(int));
    }
    if (is_path) {
        strncpy(local.sun_path, address, sizeof local.sun_path - 1);
        error = connect(fd, (struct sockaddr *)&local, sizeof local);
    } else {
        loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        loopback.sin_port = htons((uint16_t)atoi(strchr(address, ':') + 1));
        error = connect(fd, (struct sockaddr *)&loopback, sizeof loopback);
    }
    if (error)
        fail(NULL, address, errno);
    return fd;
}

/* Sends up to nbytes more, fewer only with MSG_DONTWAIT; returns how many. */
static size_t send_some(struct client *c, size_t nbytes, int flags)
{
    unsigned char data[4096];
    size_t total = 0;

    while (total < nbytes) {
        size_t want = nbytes - total < sizeof data ? nbytes - total : sizeof data;
        ssize_t n;

        for (size_t i = 0; i < want; i++)
            data[i] = byte_at(c, c->sent + i);
        n = send(c->fd, data, want, flags | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN && flags & MSG_DONTWAIT)
            break;
        if (n <= 0)
            fail(c, "send", errno);
        c->sent += (size_t)n;
        total += (size_t)n;
    }
    return total;
}

/* All that was sent has come back. */
static void receive_all(struct client *c)
{
    unsigned char data[4096];

    while (c->received < c->sent) {
        size_t left = c->sent - c->received;
        ssize_t n = recv(c->fd, data, left < sizeof data ? left : sizeof data, 0);

        if (n <= 0)
            fail(c, n ? "recv" : "end of file before all has come back", n ? errno : 0);
        for (ssize_t i = 0; i < n; i++)
            if (data[i] != byte_at(c, c->received++))
                fail(c, "a byte that came back", 0);
    }
}

static void see_end(struct client *c)
{
    char byte;
    ssize_t n = recv(c->fd, &byte, 1, 0);

    if (n)
        fail(c, n < 0 ? "instead of end of file" : "more than was sent came back", n ? errno : 0);
    close(c->fd);
}

static void see_silence(const struct client *c)
{
    char byte;

    if (recv(c->fd, &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
        fail(c, "a silent client was sent something", 0);
}

/* Closes such that the server is told of an error, not of an end: a lingering
 * time of 0 does it for TCP, something unread for Unix sockets. */
static void reset(struct client *c)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    char byte;

    if (recv(c->fd, &byte, 1, MSG_PEEK) != 1)
        fail(c, "recv", errno);
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(c->fd);
}

static void count_threads(void)
{
    DIR *dir = opendir(task_dir);
    struct dirent *entry;
    int n = 0;

    if (!dir)
        fail(NULL, task_dir, errno);
    while ((entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    closedir(dir);
    if (n > threads_max) {
        fprintf(stderr, "echo: the server has %d threads\n", n);
        exit(1);
    }
}

static void for_each(enum kind kind, void (*act)(struct client *))
{
    for (size_t i = 0; i < n_clients; i++)
        if (clients[i].kind == kind)
            act(&clients[i]);
}

static void send_a_byte(struct client *c)
{
    send_some(c, 1, 0);
}

static void send_a_lot(struct client *c)
{
    send_some(c, 20000, 0);
}

static void stuff(struct client *c)
{
    send_some(c, SIZE_MAX, MSG_DONTWAIT);
}

static void half_close(struct client *c)
{
    send_a_lot(c);
    if (shutdown(c->fd, SHUT_WR))
        fail(c, "shutdown", errno);
}

/* All who talk at once, from one byte to several buffers of the server. */
static void talk(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        for_each(TALKING, round % 2 ? send_a_lot : send_a_byte);
        count_threads();
        for_each(TALKING, receive_all);
    }
}

static void raise_limit(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void run(pid_t server)
{
    talk(); /* so all are accepted, and each has a read pending */
    count_threads();

    for_each(HALF_CLOSED, half_close);
    for_each(RESET, send_a_lot);
    for_each(STUFFED, stuff);
    for_each(STUFFED_RESET, stuff);
    talk();
    for_each(RESET, reset);
    for_each(STUFFED_RESET, reset);
    talk();
    for_each(HALF_CLOSED, receive_all);
    for_each(HALF_CLOSED, see_end);
    for_each(STUFFED, receive_all);
    count_threads();
    for (size_t i = 0; i < n_clients; i++)
        if (clients[i].kind == SILENT)
            see_silence(&clients[i]);

    if (kill(server, SIGTERM))
        fail(NULL, "kill", errno);
    for_each(TALKING, see_end);
    for_each(STUFFED, see_end);
    for_each(SILENT, see_end);
}

int main(int argc, char **argv)
{
    uint32_t seed = argc > 5 ? (uint32_t)strtoul(argv[5], NULL, 0) : 1;

    if (argc < 5 || argc > 6) {
        fputs("usage: echo ADDRESS SERVER-PID CONNECTIONS THREADS-MAX [SEED]\n", stderr);
        return 1;
    }
    alarm(SECONDS_MAX);
    raise_limit();
    snprintf(task_dir, sizeof task_dir, "/proc/%s/task", argv[2]);
    n_clients = strtoul(argv[3], NULL, 10);
    threads_max = atoi(argv[4]);
    clients = calloc(n_clients, sizeof *clients);
    if (!clients)
        fail(NULL, "memory", errno);
    printf("echo: seed %u\n", seed);
    for (size_t i = 0; i < n_clients; i++) {
        struct client *c = &clients[i];

        c->kind = kinds[i % 10];
        c->key = seed + (uint32_t)i * 2246822519U;
        c->fd = connect_to(argv[1], c->kind == STUFFED || c->kind == STUFFED_RESET);
    }
    run((pid_t)atol(argv[2]));
    free(clients);
    return 0;
}
