/* SPDX-License-Identifier: MIT */
/*
 * A terminal for `uaio top`, of so many columns and rows, that minds what is done to
 * it: nothing may be written beyond its edges, and all is to be as before when the
 * program ends.
 *
 *     screen COLUMNS ROWS ACTION COMMAND...
 *
 * After the first two frames, for all that is known of a frame is that the next has
 * begun, the ACTION is
 *
 *     quit     the key q: the program ends with status 0
 *     SIGNAL   INT, TERM, HUP or QUIT: the program ends by it
 *     stop     SIGTSTP: it gives the terminal back, and takes it again after SIGCONT
 *     resize   to 60 columns and 10 rows: the next frames keep to that
 *     hang-up  the terminal is gone: the program ends
 *     none     the program ends by itself, with status 0
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PATIENCE_MS 60000

static int master, slave;
static struct termios modes;
static pid_t program;

/* What is on the screen, as far as it matters. */
static unsigned columns, rows, column, row, frames, widest;
static bool other_screen, no_cursor, edges_known = true;
static char sequence[32]; /* an escape sequence, while it comes in */
static size_t length;

static void fail(const char *what)
{
    fprintf(stderr, "FAIL: %s (frame %u, row %u, column %u)\n", what, frames, row, column);
    if (program > 0)
        kill(program, SIGKILL);
    exit(1);
}

static void insist(bool condition, const char *what)
{
    if (!condition)
        fail(what);
}

/* ---- the terminal ------------------------------------------------------------------ */

static void obey(void)
{
    char last = sequence[length - 1];

    if (strcmp(sequence, "\033[?1049h") == 0 || strcmp(sequence, "\033[?1049l") == 0)
        other_screen = last == 'h';
    else if (strcmp(sequence, "\033[?25h") == 0 || strcmp(sequence, "\033[?25l") == 0)
        no_cursor = last == 'l';
    else if (last == 'H')
        insist(sscanf(sequence, "\033[%u;%uH", &row, &column) == 2, "a cursor that goes nowhere");
    else
        insist(last == 'K' || last == 'J' || last == 'm', "a sequence that no terminal need know");
    if (last == 'H' && row == 1)
        frames++;
    insist(row <= rows || !edges_known, "below the last row");
}

static void take(char c)
{
    if (length > 0 || c == '\033') {
        insist(length < sizeof sequence - 1, "a sequence without end");
        sequence[length++] = c;
        sequence[length] = '\0';
        if (length > 2 && isalpha((unsigned char)c)) {
            obey();
            length = 0;
        }
        return;
    }
    if (!other_screen)
        return; /* the last words, say */
    insist(isprint((unsigned char)c), "a control character");
    insist(column <= columns || !edges_known, "beyond the last column");
    if (column > widest)
        widest = column;
    column++;
}

/* Some of what the program writes.  False: it has closed the terminal. */
static bool listen(void)
{
    struct pollfd fd = {master, POLLIN, 0};
    char text[4096];
    ssize_t n;

    insist(poll(&fd, 1, PATIENCE_MS) == 1, "nothing comes");
    n = read(master, text, sizeof text);
    for (ssize_t i = 0; i < n; i++)
        take(text[i]);
    return n > 0;
}

static void await_frames(unsigned more)
{
    for (unsigned until = frames + more; frames < until;)
        insist(listen(), "it has closed the terminal");
}

static void set_size(unsigned width, unsigned height)
{
    struct winsize size = {.ws_col = (unsigned short)width, .ws_row = (unsigned short)height};

    insist(ioctl(master, TIOCSWINSZ, &size) == 0, "TIOCSWINSZ");
    columns = width;
    rows = height;
}

static void is_as_before(void)
{
    struct termios now;

    insist(!other_screen, "the screen is not given back");
    insist(!no_cursor, "the cursor is not given back");
    insist(tcgetattr(slave, &now) == 0, "tcgetattr");
    insist(now.c_lflag == modes.c_lflag && now.c_iflag == modes.c_iflag &&
               now.c_oflag == modes.c_oflag && memcmp(now.c_cc, modes.c_cc, sizeof now.c_cc) == 0,
           "the modes of the terminal are not given back");
}

/* ---- the program --------------------------------------------------------------------- */

static void start(unsigned width, unsigned height, char **command)
{
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) || unlockpt(master) ||
        (slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) {
        printf("SKIP: no pseudo-terminal can be had: %s\n", strerror(errno));
        exit(77);
    }
    insist(tcgetattr(slave, &modes) == 0, "tcgetattr");
    set_size(width, height);
    program = fork();
    insist(program >= 0, "fork");
    if (program > 0)
        return;
    setsid();
    ioctl(slave, TIOCSCTTY, 0);
    for (int fd = 0; fd < 3; fd++)
        dup2(slave, fd);
    setenv("TERM", "xterm", 1);
    execvp(command[0], command);
    _exit(127);
}

/* What it has written before it ended is still to be heard. */
static int end_of_program(void)
{
    struct pollfd fd = {master, POLLIN, 0};
    int status;

    while (waitpid(program, &status, WNOHANG) != program)
        if (poll(&fd, 1, 10) == 1)
            listen();
    while (poll(&fd, 1, 0) == 1 && fd.revents & POLLIN && listen())
        ;
    return status;
}

static void ends_by(int signal)
{
    int status;

    insist(kill(program, signal) == 0, "kill");
    status = end_of_program();
    insist(WIFSIGNALED(status) && WTERMSIG(status) == signal, "it does not end by the signal");
    is_as_before();
}

static void ends_well(void)
{
    int status = end_of_program();

    insist(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it does not end with status 0");
    is_as_before();
}

static void quit(void)
{
    insist(write(master, "q", 1) == 1, "write");
    ends_well();
}

static void stop_and_go_on(void)
{
    int status;

    insist(kill(program, SIGTSTP) == 0, "kill");
    insist(waitpid(program, &status, WUNTRACED) == program && WIFSTOPPED(status), "it goes on");
    for (struct pollfd fd = {master, POLLIN, 0}; poll(&fd, 1, 0) == 1;)
        listen();
    is_as_before();
    insist(kill(program, SIGCONT) == 0, "kill");
    await_frames(2);
    insist(other_screen && no_cursor, "it does not take the screen again");
}

static void resize(void)
{
    insist(widest > 60, "no line is as long as this tests");
    edges_known = false; /* as long as there may be frames for the old size */
    set_size(60, 10);
    for (unsigned tries = 0; widest > 60; tries++) {
        insist(tries < 100, "it does not mind the new size");
        widest = 0;
        await_frames(2);
    }
    edges_known = true;
    await_frames(2);
}

static void hang_up(void)
{
    int status;

    close(master);
    insist(waitpid(program, &status, 0) == program, "waitpid");
    insist(WIFEXITED(status) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP),
           "it does not end");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int signal;
    } signals[] = {{"INT", SIGINT}, {"TERM", SIGTERM}, {"HUP", SIGHUP}, {"QUIT", SIGQUIT}};
    const char *action = argc > 4 ? argv[3] : "";

    insist(argc > 4, "usage: screen COLUMNS ROWS ACTION COMMAND...");
    start((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]), argv + 4);
    if (strcmp(action, "none") != 0)
        await_frames(3);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (strcmp(action, signals[i].name) == 0)
            ends_by(signals[i].signal);
    if (strcmp(action, "stop") == 0)
        stop_and_go_on();
    if (strcmp(action, "resize") == 0)
        resize();
    if (strcmp(action, "hang-up") == 0)
        hang_up();
    if (strcmp(action, "none") == 0)
        ends_well();
    if (strcmp(action, "quit") == 0 || strcmp(action, "stop") == 0 || strcmp(action, "resize") == 0)
        quit();
    printf("%ux%u, %s: %u frames, %u columns wide\n", columns, rows, action, frames, widest);
    return 0;
}
