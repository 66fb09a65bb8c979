#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An unmodified fio under the preload library, its posixaio engine verifying
# every block: no error, and the counters prove that all of fio's requests
# went through uaio.
#
#     fio.sh LIBRARY SCRATCH-DIRECTORY buffered|direct|sync|files|thread
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"

case=${1:-buffered}
need fio
fio --enghelp 2>/dev/null | grep -qw posixaio || skip "this fio has no posixaio engine"

# job JOBS BLOCKS FIO-ARGUMENT...: JOBS jobs, each of which writes (or with
# randrw: reads and writes) BLOCKS blocks, and verifies those that it wrote.
job() {
    jobs=$1
    blocks=$2
    shift 2
    rm -rf "$scratch/data" "$scratch/stats" "$scratch/out" "$scratch/err"
    mkdir "$scratch/data"
    printf 'fio %s\n' "$*"
    # A scratch directory of its own: fio leaves its verify state where it is.
    (cd "$scratch/data" && under UAIO_STATS="$scratch/stats" fio --name=job \
        --directory="$scratch/data" --ioengine=posixaio --bs=4k \
        --size=$((blocks * 4))k --numjobs="$jobs" --verify=crc32c --verify_fatal=1 \
        --verify_state_save=0 --randrepeat=1 --randseed=1 --fallocate=none --minimal \
        "$@" >"$scratch/out" 2>"$scratch/err") ||
        fail "fio's exit status is $?: $(cat "$scratch/out" "$scratch/err")"
    [ ! -s "$scratch/err" ] || fail "fio says on stderr: $(cat "$scratch/err")"
    ! grep -v '^3;' "$scratch/out" || fail "fio says more than its results"
    # The fifth field of a result is the job's error.
    awk -F';' -v jobs="$jobs" '$5 != 0 { bad = 1 } END { exit bad || NR != jobs }' \
        "$scratch/out" || fail "a job has an error: $(cat "$scratch/out")"
    # fio's own count: field 6 and 47 are the KiB read and written.
    expected=$(awk -F';' '{ kib += $6 + $47 } END { print int(kib / 4) }' "$scratch/out")
    [ "$expected" -ge $((jobs * blocks)) ] || fail "fio made but $expected requests"
    at_least "$expected" submitted "$scratch/stats"
    at_least "$expected" completed "$scratch/stats"
    at_most 0 failed "$scratch/stats"
}

# Each way of writing at each depth.
every_depth() {
    for depth in 1 32 1024; do
        for rw in randwrite randrw; do
            job 1 2048 --rw=$rw --iodepth=$depth "$@"
            [ "$(reports "$scratch/stats")" -eq 1 ] || fail "not one report"
        done
    done
}

case "$case" in
buffered)
    every_depth --direct=0
    ;;
direct)
    has_direct || skip "the filesystem of $scratch has no O_DIRECT"
    every_depth --direct=1
    ;;
sync)
    for depth in 1 32 1024; do
        for sync in fsync fdatasync; do
            for rw in randwrite randrw; do
                job 1 1024 --rw=$rw --iodepth=$depth --$sync=64
                at_least 1 syncs "$scratch/stats"
            done
        done
    done
    job 1 1024 --rw=randwrite --iodepth=32 --fsync=16 --fdatasync=48 --end_fsync=1
    if has_direct; then
        job 1 1024 --rw=randwrite --iodepth=32 --fsync=64 --direct=1
        job 1 1024 --rw=randwrite --iodepth=32 --fdatasync=64 --direct=1
    fi
    ;;
files)
    for depth in 1 32 1024; do
        for rw in randwrite randrw; do
            job 1 2048 --rw=$rw --iodepth=$depth --nrfiles=64
            job 1 2048 --rw=$rw --iodepth=$depth --nrfiles=64 --fsync=128
        done
    done
    job 1 2048 --rw=randwrite --iodepth=32 --nrfiles=64 --openfiles=4 \
        --file_service_type=random
    ;;
thread)
    # Jobs that are threads of one process: one report for all of them.
    for depth in 1 32 1024; do
        job 4 1024 --rw=randwrite --iodepth=$depth --thread
        [ "$(reports "$scratch/stats")" -eq 1 ] || fail "not one report for the one process"
    done
    # Jobs that are processes, forked by one that has used no AIO: one each.
    for depth in 1 32 1024; do
        job 4 1024 --rw=randrw --iodepth=$depth
        [ "$(reports "$scratch/stats")" -eq 4 ] || fail "not one report for each process"
    done
    ;;
*)
    fail "unknown case: $case"
    ;;
esac
