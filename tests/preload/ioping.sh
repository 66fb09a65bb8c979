#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An unmodified ioping on AIO by raw system calls, one request at a time: all
# requests complete, and none writes where it was to read.
#
#     ioping.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/preload/linux-aio.sh
. "$(dirname "$0")/linux-aio.sh"

need ioping

# ping OPTION...: 100 requests and, before them, one that is not counted.
ping() {
    printf '  ioping -A %s\n' "$*"
    go 30 ioping -A -c 101 -i 0 -s 4k -q "$@" >"$scratch/out" 2>&1
}

refused() {
    ! ping "$work" || fail "ioping works without AIO: the test shows nothing"
    says "$scratch/out" 'aio setup failed: Function not implemented'
}

# pinged COUNTER OPTION...
pinged() {
    counter=$1
    shift
    forget
    ping "$@" || fail "ioping's exit status is $?: $(cat "$scratch/out")"
    says "$scratch/out" '^100 requests completed in .* 400 KiB (read|written)'
    served
    counted 101 "$counter"
    counted 101 completed
}

works() {
    dd if=/dev/urandom of="$work/file" bs=1M count=1 2>/dev/null
    cp "$work/file" "$work/same"

    pinged reads "$work"
    pinged reads "$work/file"
    pinged reads -C "$work/file"
    pinged reads -L "$work/file"
    pinged writes -W "$work"
    pinged writes -W -Y "$work"
    if has_direct; then
        pinged reads -D "$work/file"
        pinged reads -D -H "$work/file" # RWF_HIPRI: a hint where nothing polls
        pinged writes -W -D "$work"
    fi
    cmp "$work/file" "$work/same" || fail "a file that was read has changed"
    pinged writes -WWW "$work/file"
    [ "$(wc -c <"$work/file")" -eq 1048576 ] || fail "writing within a file changed its size"
    ! cmp -s "$work/file" "$work/same" || fail "the writes did not get into the file"
}

in_each_way ioping
