#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An unmodified sysbench, its fileio test in async mode, many requests under
# way.  It writes zeros: so its files are filled with random bytes first, and
# what has become of each block tells what was written.  (Its own --validate
# looks at reads that are not complete yet, on any AIO.)
#
#     sysbench.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/preload/linux-aio.sh
. "$(dirname "$0")/linux-aio.sh"

need sysbench

# Four files of 4 MiB, 1024 blocks of 16 KiB in all.
fill() {
    for i in 0 1 2 3; do
        dd if=/dev/urandom of="$work/test_file.$i" bs=1M count=4 2>/dev/null
    done
}

zeros() { # how many bytes of the files are zero
    cat "$work"/test_file.* | tr -dc '\0' | wc -c
}

# bench EVENTS OPTION...
bench() {
    events=$1
    shift
    printf '  sysbench %s\n' "$*"
    (cd "$work" && go 60 sysbench fileio --file-num=4 --file-total-size=16M \
        --file-block-size=16384 --file-fsync-freq=0 --file-fsync-end=off \
        --file-io-mode=async --time=0 --events="$events" "$@" run >"$scratch/out" 2>&1)
}

refused() {
    fill
    ! bench 1024 --file-test-mode=rndrd || fail "sysbench works without AIO: the test shows nothing"
    says "$scratch/out" 'FATAL: io_queue_init\(\) failed'
}

# benched EVENTS OPTION...
benched() {
    forget
    bench "$@" || fail "sysbench's exit status is $?: $(cat "$scratch/out")"
    ! grep -E 'FATAL|uaio:' "$scratch/out" || fail "sysbench has an error"
    says "$scratch/out" "total number of events: *$1\$"
    [ "$(cat "$work"/test_file.* | wc -c)" -eq 16777216 ] || fail "the size of a file has changed"
    served
    counted "$1" submitted
    counted "$1" completed
}

works() {
    flags=
    # shellcheck disable=SC2086 # a list of words
    for flags in "" "--file-extra-flags=direct"; do
        [ -z "$flags" ] || has_direct || continue
        for threads in 1 4; do
            fill
            cat "$work"/test_file.* | sha256sum >"$scratch/sum"
            benched 2000 --file-test-mode=rndrd --threads=$threads $flags
            counted 2000 reads
            cat "$work"/test_file.* | sha256sum | cmp - "$scratch/sum" ||
                fail "files that were read have changed"

            benched 2000 --file-test-mode=rndwr --threads=$threads $flags
            counted 2000 writes
            # Some of the blocks, and whole ones only: the others' bytes are
            # zero once in 256.
            found=$(zeros)
            { [ "$found" -gt $((16384 * 100)) ] && [ "$found" -lt 16777216 ]; } ||
                fail "after random writes $found bytes are zero"

            # Its writes are now of what it has read: nothing to compare with.
            benched 2000 --file-test-mode=rndrw --threads=$threads $flags
            counted 500 reads
            counted 500 writes
        done
        fill
        benched 1024 --file-test-mode=seqrewr --file-async-backlog=128 $flags
        counted 1024 writes
        [ "$(zeros)" -eq 16777216 ] || fail "only $(zeros) bytes of 16777216 were written"
    done
}

in_each_way sysbench
