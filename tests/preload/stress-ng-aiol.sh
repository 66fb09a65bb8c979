#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An unmodified stress-ng, its aiol stressor, which makes the raw system calls,
# many of them wrong on purpose, and verifies what it read.
#
#     stress-ng-aiol.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/preload/linux-aio.sh
. "$(dirname "$0")/linux-aio.sh"

need stress-ng

aiol() { # REQUESTS
    printf '  stress-ng --aiol 2 --aiol-requests %s\n' "$1"
    go 40 stress-ng --aiol 2 --aiol-requests "$1" --verify --timeout 2 \
        --temp-path "$work" >"$scratch/out" 2>&1
}

refused() {
    # Newer ones say it in other words, and skip the stressor or fail.
    aiol 16 || :
    says "$scratch/out" 'aiol: io_setup failed|aiol: .*not implemented|aiol.*skipp'
}

works() {
    for requests in 1 16 512; do
        forget
        aiol $requests || fail "stress-ng's exit status is $?: $(cat "$scratch/out")"
        ! grep -E 'fail:|error:.* aiol|aborted early|uaio:' "$scratch/out" ||
            fail "stress-ng found a failure"
        says "$scratch/out" 'successful run completed'
        served
        counted 2 contexts
        counted 100 submitted
        counted 100 completed
        counted 1 reads
        counted 1 writes
    done
}

in_each_way "stress-ng --aiol"
