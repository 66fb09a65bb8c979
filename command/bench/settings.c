/* SPDX-License-Identifier: MIT */
/*
 * Settings in the environment.  What is measured is uaio as it is without any: they
 * are taken out before the library looks at them, and told of.  Measuring with them
 * and saying so would be the alternative; then two reports of the same title would
 * not be of the same thing.
 */

#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "UAIO_"

/* The first that there is, "NAME=VALUE". */
static const char *find_setting(void)
{
    for (char **each = environ; each && *each; each++)
        if (strncmp(*each, PREFIX, sizeof PREFIX - 1) == 0)
            return *each;
    return NULL;
}

void settings__take_out(char *told, size_t size)
{
    const char *setting;
    size_t n = 0;

    *told = '\0';
    while ((setting = find_setting()) != NULL) {
        char *name = strndup(setting, strcspn(setting, "="));
        if (n < size)
            n += (size_t)snprintf(told + n, size - n, "%s%s", n ? " " : "", setting);
        if (!name || unsetenv(name) != 0) {
            free(name);
            return;
        }
        free(name);
    }
}
