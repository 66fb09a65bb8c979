#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Programs linked with the system's libaio reach ours in the right version,
# whichever way libaio got into the process.
#
#     versions.sh LIBRARY SCRATCH-DIRECTORY PROGRAM HOST PLUGIN UNVERSIONED
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"

program=$1
host=$2
plugin=$3
unversioned=$4

dd if=/dev/urandom of="$scratch/data" bs=4096 count=2 2>/dev/null

# Every check submits six reads at least to the Linux face.
run() { # NAME PROGRAM [PLUGIN...]
    stats=$scratch/stats.$1
    what=$2
    shift 2
    under UAIO_STATS="$stats" "$what" "$(basename "$library")" "$scratch/data" "$@" ||
        fail "$what $*"
    at_least 6 submitted "$stats"
}

run linked "$program"
run plugin "$host" "$plugin"
run unversioned "$host" "$unversioned"
run all "$program" "$plugin" "$unversioned"

# Without the preload the test must fail, or it proves nothing.
if "$program" "$(basename "$library")" "$scratch/data" 2>"$scratch/log"; then
    fail "passes without the preload"
fi
grep -q 'io_getevents@LIBAIO_0.1 is in libaio.so.1' "$scratch/log" ||
    fail "the program does not use libaio: $(cat "$scratch/log")"
