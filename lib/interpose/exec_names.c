/* SPDX-License-Identifier: MIT */
/*
 * The exec family: what is in flight is waited for as the kernel's AIO would do
 * (process.h), then libc's way is taken.  Its own functions call each other
 * without coming by here, so each has its name taken over.
 *
 * In a child of vfork() nothing may be done that the parent would notice: no
 * wait, nothing allocated.  Those that search the PATH are libc's, found before
 * main() as dlsym() may allocate.
 */
#define _GNU_SOURCE
#include "next.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

typedef int search_function(const char *file, char *const argv[], char *const envp[]);

static search_function *libc_execvpe;

__attribute__((constructor)) static void find_libc(void)
{
    find_next("execvpe", &libc_execvpe, sizeof libc_execvpe);
}

static int execute(const char *path, char *const argv[], char *const envp[])
{
    process__before_exec();
    return (int)syscall(SYS_execve, path, argv, envp);
}

static int search(const char *file, char *const argv[], char *const envp[])
{
    if (!libc_execvpe)
        find_libc(); /* called by another library's constructor */
    if (!libc_execvpe) {
        errno = ENOSYS;
        return -1;
    }
    process__before_exec();
    return libc_execvpe(file, argv, envp);
}

PUBLIC int execve(const char *path, char *const argv[], char *const envp[])
{
    return execute(path, argv, envp);
}

PUBLIC int execv(const char *path, char *const argv[])
{
    return execute(path, argv, environ);
}

PUBLIC int execvp(const char *file, char *const argv[])
{
    return search(file, argv, environ);
}

PUBLIC int execvpe(const char *file, char *const argv[], char *const envp[])
{
    return search(file, argv, envp);
}

PUBLIC int fexecve(int fd, char *const argv[], char *const envp[])
{
    process__before_exec();
    return (int)syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
}

#if !defined(__GLIBC__) || __GLIBC__ * 100 + __GLIBC_MINOR__ < 234 /* not declared there */
int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags);
#endif

PUBLIC int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
    process__before_exec();
    return (int)syscall(SYS_execveat, dir, path, argv, envp, flags);
}

/* ---- arguments in a list ------------------------------------------------------ */

static size_t count_arguments(const char *argument, va_list *rest)
{
    size_t n = 0;

    for (; argument; argument = va_arg(*rest, const char *))
        n++;
    return n;
}

/* `argv` has room for all of them and the NULL at the end. */
static void collect(char **argv, const char *argument, va_list *rest)
{
    for (; argument; argument = va_arg(*rest, const char *))
        *argv++ = (char *)(uintptr_t)argument;
    *argv = NULL;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): `argv` is declared here. */
#define COLLECT(argv, first)                         \
 va_list arguments;                                  \
 va_start(arguments, first);                         \
 char *argv[count_arguments(first, &arguments) + 1]; \
 va_end(arguments);                                  \
 va_start(arguments, first);                         \
 collect(argv, first, &arguments)
/* NOLINTEND(bugprone-macro-parentheses) */

PUBLIC int execl(const char *path, const char *arg, ...)
{
    COLLECT(argv, arg);
    va_end(arguments);
    return execute(path, argv, environ);
}

PUBLIC int execlp(const char *file, const char *arg, ...)
{
    COLLECT(argv, arg);
    va_end(arguments);
    return search(file, argv, environ);
}

PUBLIC int execle(const char *path, const char *arg, ...)
{
    char *const *envp;
    COLLECT(argv, arg);
    envp = va_arg(arguments, char *const *); /* after the NULL */
    va_end(arguments);
    return execute(path, argv, envp);
}
