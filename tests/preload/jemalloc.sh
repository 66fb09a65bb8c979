#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Under the preload beside another allocator, before it and after it.
#
#     jemalloc.sh LIBRARY SCRATCH-DIRECTORY COPY-PROGRAM
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"

jemalloc=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p | sed -n 's/.*libjemalloc\.so\.2 .*=> //p' | head -n 1)
[ -n "$jemalloc" ] || skip 'jemalloc is not installed'

dd if=/dev/urandom of="$scratch/from" bs=1048575 count=2 2>/dev/null
for order in "$jemalloc $library" "$library $jemalloc"; do
    rm -f "$scratch/stats"
    env LD_PRELOAD="$order" UAIO_STATS="$scratch/stats" MALLOC_CONF=stats_print:true \
        "$1" "$scratch/from" "$scratch/to" 64 2>"$scratch/said" ||
        fail "status $?, $order: $(cat "$scratch/said")"
    cmp "$scratch/from" "$scratch/to" || fail "the copy differs: $order"
    at_least 1000 completed "$scratch/stats"
    grep -q 'jemalloc statistics' "$scratch/said" || fail "jemalloc is not in use: $order"
done
