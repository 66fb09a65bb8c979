/* SPDX-License-Identifier: MIT */
#include "beacon.h"
#include "engine.h"

/* Writable, so that it lies in the memory that is looked through; nobody here uses it. */
__attribute__((used)) struct beacon uaio__beacon = {
    .magic = BEACON_MAGIC,
    .layout = BEACON_LAYOUT,
    .word_bytes = sizeof(void *),
    .last_byte = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__,
    .version = UAIO_VERSION,
    .sizes = BEACON_SIZES,
    .self = &uaio__beacon,
    .stats = &uaio__stats,
    .io = &engine__io.stats,
    .callbacks = &notify__callbacks.stats,
    .max_threads = &engine__io.max_threads,
    .in_flight = &request__now_in_flight,
    .settings = &uaio__settings,
    .descriptors = &descriptor__chunks[0],
};
