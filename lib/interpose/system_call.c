/* SPDX-License-Identifier: MIT */
/* Products that do not interpose syscall() have libc's. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <unistd.h>

__attribute__((visibility("hidden"))) long uaio__system_call(long number, ...);

long uaio__system_call(long number, ...)
{
    long argument[6];
    va_list arguments;

    va_start(arguments, number);
    for (int i = 0; i < 6; i++) /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
        argument[i] = va_arg(arguments, long);
    va_end(arguments);
    return syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4],
                   argument[5]);
}
