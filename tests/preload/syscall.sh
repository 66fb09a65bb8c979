#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The interposed syscall(): native AIO is ours, all else the kernel's, in
# programs and in libraries whose constructors run before and after ours.
#
#     syscall.sh LIBRARY SCRATCH-DIRECTORY PROGRAM EARLY-LIBRARY
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"

program=$1
early=$2

# What is tested is libc's behaviour: this is where that comes from.
"$program" || fail "wrong with libc's own syscall()"

first=$preload
for order in "$first" "$early $first" "$first $early"; do
    preload=$order
    stats=$scratch/stats
    rm -f "$stats"
    under UAIO_STATS="$stats" "$program" "$(basename "$library")" ||
        fail "LD_PRELOAD='$order'"
    at_least 2 submitted "$stats"
done
