/* SPDX-License-Identifier: MIT */
/* park.h on Linux: the token is a futex word. */
#include "futex.h"
#include "park.h"

#include <unistd.h>

/* Take the token.  Acquire: what the waker did before is visible. */
static bool take(struct park *p)
{
    return atomic_exchange_explicit(&p->token, 0, memory_order_acquire) == 1;
}

void pool__park_init(struct park *p)
{
    atomic_init(&p->token, 0);
}

bool pool__park_wait(struct park *p, int64_t timeout_ns)
{
    int64_t end = timeout_ns == PARK_FOREVER ? 0 : pool__now_ns() + timeout_ns;

    while (!take(p)) {
        struct futex_timespec left = {0, 0};
        if (timeout_ns != PARK_FOREVER) {
            int64_t ns = end - pool__now_ns();
            if (ns <= 0)
                return take(p);
            left = futex__timespec(ns);
        }
        syscall(FUTEX_CALL, &p->token, FUTEX_WAIT, 0, timeout_ns == PARK_FOREVER ? NULL : &left,
                NULL, 0);
    }
    return true;
}

void pool__park_wake(struct park *p)
{
    /* Release: pairs with the acquire in take(). */
    atomic_store_explicit(&p->token, 1, memory_order_release);
    syscall(FUTEX_CALL, &p->token, FUTEX_WAKE, 1, NULL, NULL, 0);
}
