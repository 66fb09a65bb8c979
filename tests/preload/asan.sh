#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A program built with AddressSanitizer, under the preload and linked with ours.  The
# sanitizer wants its runtime before all else, or to be told not to mind.
#
#     asan.sh LIBRARY SCRATCH-DIRECTORY COPY-PROGRAM COPY-PROGRAM-WITH-UAIO-RT
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"
unset ASAN_OPTIONS

dd if=/dev/urandom of="$scratch/from" bs=1048575 count=2 2>/dev/null
"$1" "$scratch/from" "$scratch/to" 2>/dev/null || skip 'no program built with AddressSanitizer runs here'
nm "$1" | grep -q __asan_init || fail "$1 is not built with AddressSanitizer"

# served NAME=VALUE... PROGRAM: leaks are looked for, too, and there are none.
served() {
    rm -f "$scratch/stats"
    env UAIO_STATS="$scratch/stats" "$@" "$scratch/from" "$scratch/to" 64 || fail "status $?: $*"
    cmp "$scratch/from" "$scratch/to" || fail "the copy differs: $*"
    at_least 1000 completed "$scratch/stats"
}

runtime=$(ldd "$1" | sed -n 's/.*\(libasan\|libclang_rt\.asan\)[^ ]* => \([^ ]*\).*/\2/p')
if [ -z "$runtime" ]; then # it is in the program: clang's way
    served LD_PRELOAD="$library" "$1"
else
    served LD_PRELOAD="$runtime $library" "$1"
    served LD_PRELOAD="$library" ASAN_OPTIONS=verify_asan_link_order=0 "$1"
fi
served "$2"
