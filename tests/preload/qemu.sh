#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The unmodified block layer of QEMU with aio=native, in qemu-io and qemu-img:
# it submits batches, learns of completions by an eventfd, and reads the ring
# itself, without io_getevents.
#
#     qemu.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/preload/linux-aio.sh
. "$(dirname "$0")/linux-aio.sh"

need qemu-io
need qemu-img
has_direct || skip "the filesystem of $scratch has no O_DIRECT, which aio=native needs"
qemu-img bench --help 2>&1 | grep -q 'native' || skip "this QEMU knows no aio=native"

io() { # COMMAND...: of qemu-io, in order
    count=$#
    while [ "$count" -gt 0 ]; do
        command=$1
        shift
        set -- "$@" -c "$command"
        count=$((count - 1))
    done
    go 60 qemu-io -f raw -t none -i native "$@" "$work/disk" >"$scratch/out" 2>&1
}

refused() {
    truncate -s 1M "$work/disk"
    ! io 'read 0 64k' || fail "qemu-io works without AIO: the test shows nothing"
    says "$scratch/out" 'Unable to use native AIO'
}

did() { # WHAT STATUS
    [ "$2" -eq 0 ] || fail "$1: exit status $2: $(cat "$scratch/out")"
    ! grep -iE 'fail|error|uaio:' "$scratch/out" || fail "$1 has an error"
    served
}

# filled BYTE BYTES: so many bytes of the value, in octal, on stdout.
filled() {
    head -c "$2" /dev/zero | tr '\0' "\\$1"
}

works() {
    status=0
    truncate -s 4M "$work/disk"
    printf '  qemu-io\n'
    io 'aio_write -P 1 0 64k' 'aio_write -P 2 64k 64k' 'aio_write -P 3 128k 4k' \
        'aio_write -P 4 132k 252k' 'aio_write -P 5 384k 128k' aio_flush flush \
        'write -P 6 512k 1M' 'writev -P 7 1536k 4k 8k 4k' \
        'aio_read -P 1 0 64k' 'aio_read -P 2 64k 64k' 'aio_read -P 3 128k 4k' aio_flush \
        'read -P 4 132k 252k' 'readv -P 5 384k 64k 64k' 'read -P 6 512k 1M' \
        'read -P 7 1536k 16k' 'read -P 0 1552k 2544k' || status=$?
    did qemu-io $status
    counted 7 writes
    counted 7 reads
    {
        filled 1 65536 && filled 2 65536 && filled 3 4096 && filled 4 258048 &&
            filled 5 131072 && filled 6 1048576 && filled 7 16384 && filled 0 2605056
    } >"$scratch/expected"
    cmp "$work/disk" "$scratch/expected" || fail "the disk's content is wrong"

    printf '  qemu-img bench\n'
    for depth in 1 64; do
        forget
        go 60 qemu-img bench -f raw -t none -i native -w --pattern=90 -c 1024 -d $depth \
            -s 4096 --flush-interval=256 "$work/disk" >"$scratch/out" 2>&1 || status=$?
        did "qemu-img bench -w" $status
        counted 1024 writes
        filled 132 4194304 | cmp - "$work/disk" || fail "the writes are not all there"
        forget
        go 60 qemu-img bench -f raw -t none -i native -c 4096 -d $depth "$work/disk" \
            >"$scratch/out" 2>&1 || status=$?
        did "qemu-img bench" $status
        counted 4096 reads
        rm "$work/disk"
        truncate -s 4M "$work/disk"
    done

    printf '  qemu-img convert\n'
    dd if=/dev/urandom of="$work/source" bs=1M count=16 2>/dev/null
    rm "$work/disk"
    truncate -s 16M "$work/disk"
    forget
    options=driver=raw,file.driver=file,file.aio=native,file.cache.direct=on
    go 60 qemu-img convert -n -m 16 -W --image-opts "$options,file.filename=$work/source" \
        --target-image-opts "$options,file.filename=$work/disk" >"$scratch/out" 2>&1 || status=$?
    did "qemu-img convert" $status
    counted 8 reads
    counted 8 writes
    cmp "$work/source" "$work/disk" || fail "the converted image differs"

    printf '  qcow2\n'
    forget
    go 60 qemu-img convert -O qcow2 "$work/source" "$work/qcow2" >"$scratch/out" 2>&1
    go 60 qemu-io -t none -i native -c 'aio_write -P 9 1M 1M' -c 'aio_write -P 10 3M 64k' \
        -c aio_flush -c flush -c 'read -P 9 1M 1M' -c 'read -P 10 3M 64k' "$work/qcow2" \
        >"$scratch/out" 2>&1 || status=$?
    did "qemu-io on qcow2" $status
    go 60 qemu-img check "$work/qcow2" >"$scratch/out" 2>&1 ||
        fail "the qcow2 image is damaged: $(cat "$scratch/out")"
}

in_each_way QEMU
