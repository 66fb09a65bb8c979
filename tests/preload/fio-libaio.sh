#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An unmodified fio, its libaio engine verifying every block, on AIO by uaio:
# no error, and the counters prove that all of fio's requests went through it.
# Without AIO fio fails at once.
#
#     fio-libaio.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER \
#         verify|direct|reap|batch|flags|sync|jobs|priority|fallback
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/preload/linux-aio.sh
. "$(dirname "$0")/linux-aio.sh"

case=${1:-verify}
need fio
fio --enghelp 2>/dev/null | grep -qw libaio || skip "this fio has no libaio engine"

kib=4 # of a block

# fio_job BLOCKS FIO-ARGUMENT...: one run of fio; its results in $scratch/out.
fio_job() {
    blocks=$1
    shift
    printf '  fio %s\n' "$*"
    # A directory of its own: fio leaves its verify state where it is.
    (cd "$work" && go 60 fio --name=job --directory="$work" --ioengine=libaio --bs=${kib}k \
        --size=$((blocks * kib))k --verify=crc32c --verify_fatal=1 --verify_state_save=0 \
        --randrepeat=1 --randseed=1 --fallocate=none --minimal \
        "$@" >"$scratch/out" 2>"$scratch/err")
}

# good JOBS BLOCKS: that run had JOBS jobs without an error, BLOCKS requests
# each or more, and uaio made them all.
good() {
    [ ! -s "$scratch/err" ] || fail "fio says on stderr: $(cat "$scratch/err")"
    ! grep -v '^3;' "$scratch/out" || fail "fio says more than its results"
    # The fifth field of a result is the job's error.
    awk -F';' -v jobs="$1" '$5 != 0 { bad = 1 } END { exit bad || NR != jobs }' \
        "$scratch/out" || fail "a job has an error: $(cat "$scratch/out")"
    # fio's own count: fields 6 and 47 are the KiB read and written.
    expected=$(awk -F';' -v kib=$kib '{ n += $6 + $47 } END { print int(n / kib) }' "$scratch/out")
    [ "$expected" -ge $(($1 * $2)) ] || fail "fio made but $expected requests"
    served
    counted "$expected" submitted
    counted "$expected" completed
    counted_at_most 0 failed
}

# job JOBS BLOCKS FIO-ARGUMENT...
job() {
    jobs=$1
    shift
    rm -rf "$work"
    mkdir "$work"
    forget
    fio_job "$@" --numjobs="$jobs" ||
        fail "fio's exit status is $?: $(cat "$scratch/out" "$scratch/err")"
    good "$jobs" "$1"
}

refused() {
    ! fio_job 16 --rw=randrw || fail "fio works without AIO: the test shows nothing"
    says "$scratch/out" 'func=io_queue_init, error=Function not implemented'
}

need_direct() {
    has_direct || skip "the filesystem of $scratch has no O_DIRECT"
}

case "$case" in
verify)
    works() {
        for depth in 1 32 1024; do
            job 1 2048 --rw=randrw --iodepth=$depth
            counted 1024 reads
            counted 512 writes
        done
        job 1 2048 --rw=randwrite --iodepth=32 --nrfiles=16
    }
    ;;
direct)
    need_direct
    works() {
        for depth in 1 32 1024; do
            job 1 2048 --rw=randrw --iodepth=$depth --direct=1
        done
        kib=256
        job 1 64 --rw=randrw --iodepth=32 --direct=1
        kib=4
    }
    ;;
reap) # fio reads the ring and calls no io_getevents
    works() {
        for depth in 1 32 1024; do
            job 1 2048 --rw=randrw --iodepth=$depth --userspace_reap=1
        done
        if has_direct; then
            job 1 2048 --rw=randrw --iodepth=32 --userspace_reap=1 --direct=1
        fi
    }
    ;;
batch)
    works() {
        for direct in 0 1; do
            [ $direct -eq 0 ] || has_direct || continue
            for least in 0 1 16; do # with 0 fio polls: min_nr is 0
                job 1 2048 --rw=randrw --iodepth=64 --direct=$direct --iodepth_batch=16 \
                    --iodepth_batch_complete_min=$least --iodepth_batch_complete_max=64
            done
            job 1 2048 --rw=randrw --iodepth=1024 --iodepth_low=64 --direct=$direct \
                --iodepth_batch=256 --iodepth_batch_complete_min=32 \
                --iodepth_batch_complete_max=512
        done
    }
    ;;
flags) # RWF_NOWAIT, as far as the filesystem has it: pvsync2 shows that
    need_direct
    fio --enghelp=libaio 2>/dev/null | grep -q '^nowait' || skip "this fio knows no nowait"
    works() {
        job 1 2048 --rw=randwrite --iodepth=32 --direct=1
        printf '  fio nowait\n'
        (cd "$work" && timeout -k 5 60 fio --name=job --directory="$work" --ioengine=pvsync2 \
            --bs=4k --size=8m --rw=randread --direct=1 --nowait=1 \
            </dev/null >"$scratch/out" 2>&1) ||
            skip "the filesystem of $scratch has no RWF_NOWAIT"
        forget
        # Reads alone: they find what the job before wrote, and verify it.
        fio_job 2048 --rw=randread --iodepth=32 --direct=1 --nowait=1 ||
            fail "fio's exit status is $?: $(cat "$scratch/out" "$scratch/err")"
        good 1 2048
        counted 2048 reads
    }
    ;;
sync) # files opened with O_SYNC and O_DSYNC, and syncs between
    works() {
        for sync in sync dsync; do
            job 1 256 --rw=randwrite --iodepth=32 --sync=$sync
        done
        for sync in fsync fdatasync; do
            for depth in 1 32; do
                job 1 512 --rw=randrw --iodepth=$depth --$sync=64
            done
        done
        job 1 512 --rw=randwrite --iodepth=32 --fsync=16 --fdatasync=48 --end_fsync=1
    }
    ;;
jobs)
    works() {
        for depth in 1 32 256; do
            # Threads of one process: one report for all of them.
            job 4 512 --rw=randrw --iodepth=$depth --thread
            counted 4 contexts
            # Processes: one each.
            job 4 512 --rw=randrw --iodepth=$depth
            counted 4 contexts
        done
    }
    ;;
priority) # aio_reqprio of each request, and the priority of the whole job
    need_direct
    fio --enghelp=libaio 2>/dev/null | grep -q '^cmdprio_percentage' ||
        skip "this fio knows no cmdprio_percentage"
    works() {
        job 1 1024 --rw=randrw --iodepth=32 --direct=1 --cmdprio_percentage=50 \
            --cmdprio_class=2 --cmdprio=5
        job 1 1024 --rw=randrw --iodepth=32 --direct=1 --prioclass=2 --prio=3
        if [ "$(id -u)" -eq 0 ]; then
            # The real-time class needs a privilege, which root may lack.
            ionice -c 1 true 2>/dev/null || return 0
            job 1 1024 --rw=randrw --iodepth=32 --direct=1 --cmdprio_percentage=50 \
                --cmdprio_class=1 --cmdprio=5
        fi
    }
    ;;
fallback) # UAIO_BACKEND=native-first: the kernel refuses, in any of these ways
    ways=both
    works() {
        for error in ENOSYS EPERM EAGAIN; do
            printf '  %s\n' $error
            # shellcheck disable=SC2034 # read by `become`
            deny="--errno $error"
            UAIO_BACKEND=native-first
            export UAIO_BACKEND
            job 1 1024 --rw=randrw --iodepth=32
        done
    }
    "$launcher" true || skip "no seccomp filter can be installed here"
    ;;
*)
    fail "unknown case: $case"
    ;;
esac
in_each_way "fio $case"
