/* SPDX-License-Identifier: MIT */
#include "engine.h"

#include <uaio/aio.h>

void uaio_init(const struct uaio_init *init)
{
    if (init)
        engine__tune(init->aio_threads, init->aio_num, init->aio_idle_time);
}
