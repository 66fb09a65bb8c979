/* SPDX-License-Identifier: MIT */
#include "fork.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>

#define MAX_RESETS 8

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void (*resets[MAX_RESETS])(void); /* lock */
static int n;                            /* lock */

static void in_child(void)
{
    int saved = errno;

    for (int i = 0; i < n; i++)
        resets[i]();
    errno = saved;
}

void fork__in_child(void (*reset)(void))
{
    pthread_mutex_lock(&lock);
    assert(n < MAX_RESETS);
    if (n == 0)
        pthread_atfork(NULL, NULL, in_child);
    resets[n++] = reset;
    pthread_mutex_unlock(&lock);
}
