#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A small unmodified program under the preload library, at several depths.
# Run for each of its builds: with _FILE_OFFSET_BITS=64 a program calls
# aio_read64() and its like.
#
#     copy.sh LIBRARY SCRATCH-DIRECTORY COPY-PROGRAM
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"

copy=$1

# One block short of its last byte: the last transfer is a partial one.
dd if=/dev/urandom of="$scratch/from" bs=1048575 count=4 2>/dev/null
blocks=1024

for depth in 1 8 1024; do
    stats=$scratch/stats.$depth
    under UAIO_STATS="$stats" "$copy" "$scratch/from" "$scratch/to" $depth
    cmp "$scratch/from" "$scratch/to" || fail "the copy differs"
    [ "$(reports "$stats")" -eq 1 ] || fail "not one report: $(cat "$stats" 2>&1)"
    at_least $((2 * blocks + 1)) submitted "$stats"
    at_most $((2 * blocks + 1)) submitted "$stats"
    at_least $((2 * blocks + 1)) completed "$stats"
    at_least $blocks reads "$stats"
    at_least $blocks writes "$stats"
    at_least 1 syncs "$stats"
    at_most 0 failed "$stats"
    at_most 0 canceled "$stats"
done
