/* SPDX-License-Identifier: MIT */
/*
 * The screen, by the control sequences that all terminals of today have in common.
 * (A library for the others, ncurses, would be one more thing to depend on.)
 *
 * Signals are blocked but for the time of waiting, so the screen is given back by
 * ordinary code: handlers only note which it was.
 */
#include "top.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#define BEGIN "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define END "\033[?25h\033[?1049l"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
#define BOLD "\033[1m"
#define PLAIN "\033[m"

static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};

static bool begun, has_keys;
static struct termios before;
static sigset_t waiting_mask;        /* as before ours */
static volatile sig_atomic_t caught; /* the signal that the wait has ended by */

bool terminal__is_screen(void)
{
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

static void write_all(const char *text, size_t n)
{
    while (n > 0) {
        ssize_t written = write(STDOUT_FILENO, text, n);
        if (written < 0 && errno != EINTR)
            return; /* the next wait finds out */
        if (written > 0) {
            text += written;
            n -= (size_t)written;
        }
    }
}

static void note(int signal)
{
    caught = signal;
}

static void take_signals(void)
{
    struct sigaction action = {.sa_handler = note};
    sigset_t blocked;

    sigemptyset(&action.sa_mask);
    sigemptyset(&blocked);
    for (unsigned i = 0; i < sizeof watched / sizeof *watched; i++) {
        sigaddset(&blocked, watched[i]);
        sigaction(watched[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &blocked, &waiting_mask);
    for (unsigned i = 0; i < sizeof watched / sizeof *watched; i++)
        sigdelset(&waiting_mask, watched[i]);
}

/* Keys one by one, and not shown. */
static void take_screen(void)
{
    struct termios keys;

    has_keys = tcgetattr(STDIN_FILENO, &before) == 0;
    if (has_keys) {
        keys = before;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        keys.c_cc[VMIN] = 1;
        keys.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    write_all(BEGIN, strlen(BEGIN));
    begun = true;
}

void terminal__begin(void)
{
    static bool registered;

    take_signals();
    if (!registered)
        atexit(terminal__end);
    registered = true;
    take_screen();
}

void terminal__end(void)
{
    if (!begun)
        return;
    begun = false;
    write_all(END, strlen(END));
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void terminal__size(unsigned *columns, unsigned *rows)
{
    struct winsize size;

    *columns = 80;
    *rows = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        *columns = size.ws_col;
        *rows = size.ws_row;
    }
}

/* How much of a line goes into so many columns. */
static size_t clip(const char *line, size_t length, unsigned columns)
{
    mbstate_t state = {0};
    unsigned used = 0;
    size_t n = 0;

    while (n < length) {
        wchar_t c;
        size_t bytes = mbrtowc(&c, line + n, length - n, &state);
        bool broken = bytes == (size_t)-1 || bytes == (size_t)-2 || bytes == 0;
        int width = broken ? 1 : wcwidth(c);
        used += width > 0 ? (unsigned)width : 0;
        if (used > columns)
            break;
        if (broken)
            state = (mbstate_t){0};
        n += broken ? 1 : bytes;
    }
    return n;
}

/* In one write, line by line from the top, so that nothing flickers or scrolls. */
void terminal__draw(const char *text)
{
    unsigned columns, rows;
    char *frame = NULL;
    size_t size;
    FILE *to = open_memstream(&frame, &size);

    if (!to)
        return;
    terminal__size(&columns, &rows);
    for (unsigned row = 1; row <= rows && *text; row++) {
        size_t length = strcspn(text, "\n");
        fprintf(to, "\033[%u;1H" CLEAR_LINE "%s%.*s%s", row, row == 1 ? BOLD : "",
                (int)clip(text, length, columns), text, row == 1 ? PLAIN : "");
        text += length + (text[length] == '\n');
        if (!*text && row < rows)
            fprintf(to, "\033[%u;1H" CLEAR_BELOW, row + 1);
    }
    fclose(to);
    write_all(frame, size);
    free(frame);
}

/* ---- waiting ---------------------------------------------------------------------- */

static enum event after_signal(void)
{
    int signal = caught;

    if (signal == SIGWINCH) {
        caught = 0;
        return EVENT_REDRAW;
    }
    if (signal != SIGTSTP)
        return EVENT_SIGNAL;
    caught = 0;
    terminal__end();
    raise(SIGSTOP);
    take_screen();
    return EVENT_REDRAW;
}

static enum event read_key(short revents)
{
    char key;
    ssize_t n = read(STDIN_FILENO, &key, 1);

    if (n == 1)
        return key == 'q' || key == 'Q' || key == 4 ? EVENT_QUIT : EVENT_REDRAW;
    return n == 0 || revents & (POLLHUP | POLLERR) ? EVENT_QUIT : EVENT_REDRAW;
}

enum event terminal__wait(double seconds, int handle)
{
    struct timespec time = {(time_t)seconds, (long)(fmod(seconds, 1) * 1e9)};
    struct pollfd fds[] = {{handle, POLLIN, 0}, {begun && has_keys ? STDIN_FILENO : -1, POLLIN, 0}};
    int n = ppoll(fds, 2, &time, begun ? &waiting_mask : NULL);

    if (n < 0)
        return begun && caught ? after_signal() : EVENT_REDRAW;
    if (fds[1].revents)
        return read_key(fds[1].revents);
    return fds[0].revents ? EVENT_ENDED : EVENT_TIME;
}

void terminal__die(void)
{
    int signal = caught;
    sigset_t one;

    terminal__end();
    sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    sigemptyset(&one);
    sigaddset(&one, signal);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    raise(signal);
    _exit(128 + signal);
}
