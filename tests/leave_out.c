/* SPDX-License-Identifier: MIT */
#include "leave_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *suite = "";

void leave_out_of(const char *name)
{
    suite = name;
}

static int is_left_out(const char *test)
{
    const char *list = getenv("UAIO_TEST_LEAVE_OUT");
    char name[200];
    int length = snprintf(name, sizeof name, "%s:%s", suite, test);

    for (const char *word = list; word; word = strchr(word, ' ')) {
        word += strspn(word, " ");
        if (strcspn(word, " ") == (size_t)length && strncmp(word, name, (size_t)length) == 0)
            return 1;
    }
    return 0;
}

void add_unless_left_out(TCase *tcase, const TTest *test, int first, int end)
{
    if (!is_left_out(test->name))
        _tcase_add_test(tcase, test, 0, 0, first, end);
}
