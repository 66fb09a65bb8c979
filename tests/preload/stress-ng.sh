#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An unmodified stress-ng under the preload library: its aio stressor, whose
# requests notify by signal, verifies what it read; no failure, and uaio did
# the work.
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"

need stress-ng

for requests in 1 16 512; do
    stats=$scratch/stats.$requests
    printf 'stress-ng --aio 2 --aio-requests %s\n' "$requests"
    under UAIO_STATS="$stats" stress-ng --aio 2 --aio-requests $requests --verify \
        --timeout 4 --temp-path "$scratch" >"$scratch/out" 2>&1 ||
        fail "stress-ng's exit status is $?: $(cat "$scratch/out")"
    ! grep -E 'fail:|error:.* aio|uaio:' "$scratch/out" || fail "stress-ng found a failure"
    # One report of each of the two processes.
    [ "$(reports "$stats")" -eq 2 ] || fail "not two reports: $(cat "$stats" 2>&1)"
    at_least 100 submitted "$stats"
    at_least 100 completed "$stats"
    at_most 0 failed "$stats"
done
