/* SPDX-License-Identifier: MIT */
/* fork_mark.h on any POSIX system: a child made without the handlers of
 * pthread_atfork(), by _Fork(), is not noticed, and AIO is not for it. */
#include "fork_mark.h"

#include <stddef.h>

atomic_uint *uaio__fork_mark(void)
{
    return NULL;
}
