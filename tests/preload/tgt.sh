#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An unmodified tgtd, the iSCSI target, with its AIO backing store: QEMU's
# iSCSI client writes a disk over loopback and reads it back.  tgtd learns of
# completions by an eventfd, and would hang if that counted more of them than
# there are.
#
#     tgt.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/preload/linux-aio.sh
. "$(dirname "$0")/linux-aio.sh"

PATH=$PATH:/usr/sbin:/sbin
need tgtd
need tgtadm
need qemu-img
need qemu-io
[ "$(id -u)" -eq 0 ] || skip "tgtd needs root"
has_direct || skip "the filesystem of $scratch has no O_DIRECT, which tgtd needs"
# QEMU's client is a module of its own (qemu-block-extra).
timeout -k 5 20 qemu-img info iscsi://127.0.0.1:1/none/1 </dev/null 2>&1 |
    grep -q "Unknown protocol 'iscsi'" && skip "this QEMU has no iSCSI client"

server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || :
    [ -z "$server" ] || wait "$server" 2>/dev/null || :
    rm -rf "$run" "$scratch"
}
run=$(mktemp -d "${TMPDIR:-/tmp}/uaio-tgt.XXXXXX")
trap finish EXIT
export TGT_IPC_SOCKET="$run/socket" # its path must not be long
target=iqn.2000-01.test:uaio

admin() {
    timeout -k 5 10 tgtadm "$@" </dev/null
}

ready() {
    kill -0 "$server" 2>/dev/null || return 0
    admin --op show --mode system >/dev/null 2>&1
}

start() {
    truncate -s 16M "$work/disk"
    # A port that nobody has: tgtd ends if somebody does.
    for try in 1 2 3 4 5; do
        port=$((20000 + ($$ + try * 1237) % 12000))
        become 60 tgtd -f --iscsi portal=127.0.0.1:$port >"$work/log" 2>&1 &
        server=$!
        wait_until 10 ready || fail "tgtd does not answer: $(cat "$work/log")"
        ! kill -0 "$server" 2>/dev/null || break
        wait "$server" || :
        server=
    done
    [ -n "$server" ] || skip "tgtd does not run here: $(cat "$work/log")"
    admin --lld iscsi --op new --mode target --tid 1 -T $target ||
        fail "tgtd makes no target: $(cat "$work/log")"
}

stop() {
    admin --lld iscsi --op delete --mode target --tid 1 --force
    admin --op delete --mode system
    wait "$server" || fail "tgtd's exit status is $?: $(cat "$work/log")"
    server=
}

lun() {
    admin --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 --bstype aio \
        -b "$work/disk" 2>"$scratch/err"
}

refused() {
    start
    ! lun || fail "tgtd works without AIO: the test shows nothing"
    says "$work/log" 'failed to create aio context'
    stop
}

works() {
    start
    lun || fail "no logical unit: $(cat "$scratch/err" "$work/log")"
    admin --lld iscsi --op bind --mode target --tid 1 -I ALL
    url=iscsi://127.0.0.1:$port/$target/1

    dd if=/dev/urandom of="$work/source" bs=1M count=16 2>/dev/null
    timeout -k 5 40 qemu-img convert -n -f raw -O raw -m 16 -W "$work/source" "$url" </dev/null ||
        fail "the disk cannot be written: $(cat "$work/log")"
    cmp "$work/source" "$work/disk" || fail "the disk is not what was written"
    timeout -k 5 40 qemu-img convert -f raw -O raw -m 16 -W "$url" "$work/copy" </dev/null ||
        fail "the disk cannot be read: $(cat "$work/log")"
    cmp "$work/source" "$work/copy" || fail "what was read is not the disk"
    # Small ones, 64 at a time.
    timeout -k 5 40 qemu-img bench -f raw -w --pattern=90 -c 1024 -d 64 -s 4096 "$url" \
        </dev/null >"$scratch/out" 2>&1 || fail "bench: $(cat "$scratch/out" "$work/log")"
    timeout -k 5 40 qemu-img bench -f raw -c 1024 -d 64 -s 4096 "$url" \
        </dev/null >"$scratch/out" 2>&1 || fail "bench: $(cat "$scratch/out" "$work/log")"
    timeout -k 5 40 qemu-io -f raw -c 'read -P 90 0 4M' -c flush "$url" \
        </dev/null >"$scratch/out" 2>&1 || fail "qemu-io: $(cat "$scratch/out" "$work/log")"
    says "$scratch/out" '^read 4194304/4194304'
    ! grep -i 'fail' "$scratch/out" || fail "the pattern is not there"
    stop
    served
    counted 1000 writes
    counted 1000 reads
}

in_each_way tgtd
