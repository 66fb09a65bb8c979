/* SPDX-License-Identifier: MIT */
/*
 * A process with a beacon (lib/engine/beacon.h) that is not of this uaio: of another
 * version, of another kind of processor, or a mere copy.  It says so in a line, and
 * ends with its standard input.
 *
 *     other_beacon version|processor|copy
 */
#include "beacon.h"

#include <stdio.h>
#include <string.h>

__attribute__((used)) static struct beacon beacon = {
    .magic = BEACON_MAGIC,
    .layout = BEACON_LAYOUT,
    .word_bytes = sizeof(void *),
    .last_byte = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__,
    .version = "9.8.7",
    .sizes = BEACON_SIZES,
};

int main(int argc, char **argv)
{
    const char *how = argc == 2 ? argv[1] : "";

    if (strcmp(how, "version") == 0)
        beacon.layout++;
    else if (strcmp(how, "processor") == 0)
        beacon.word_bytes = 16;
    else if (strcmp(how, "copy") != 0)
        return 2;
    puts(how);
    fflush(stdout);
    return getchar() == EOF ? 0 : 1;
}
