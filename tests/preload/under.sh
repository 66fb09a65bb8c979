#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Run an unmodified program under the preload, and fail unless uaio did its
# I/O: interposition that misses is silent, and the program would pass on
# libc's.
#
#   under.sh [--both-faces] <preload> <program> [arguments]
#
# With --both-faces some of it must have been native AIO: the kernel's would do as well.
# 77 if it is a program of tests that were all skipped.
set -eu

both_faces=false
if [ "$1" = --both-faces ]; then
    both_faces=true
    shift
fi
preload=$1
shift
stats=$(mktemp "${TMPDIR:-/tmp}/uaio-under.XXXXXX")
output=$(mktemp "${TMPDIR:-/tmp}/uaio-under.XXXXXX")
trap 'rm -f "$stats" "$output"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Through tee, and the program's own status past it.
status=$({
    {
        result=0
        env LD_PRELOAD="$preload" UAIO_STATS="$stats" "$@" || result=$?
        echo "$result" >&3
    } | tee "$output" >&4
} 3>&1) 4>&1
submitted=$(awk '$1 == "submitted" { n += $2 } END { print n + 0 }' "$stats")
echo "submitted to uaio: $submitted"
all_skipped() {
    checks=$(sed -n 's/.*Checks: \([0-9]*\),.*/\1/p' "$output")
    [ "$checks" = "$(grep -c '^SKIP ' "$output")" ]
}
if [ "$status" -eq 0 ] && [ "$submitted" -eq 0 ] && all_skipped; then
    echo 'SKIP: none of its tests can run here'
    exit 77
fi
[ "$status" -ne 0 ] || [ "$submitted" -gt 0 ] || {
    echo "under.sh: no request reached uaio" >&2
    exit 1
}
if [ "$status" -eq 0 ] && $both_faces; then
    contexts=$(awk '$1 == "contexts" { n += $2 } $1 == "contexts_native" { n -= $2 }
        END { print n + 0 }' "$stats")
    [ "$contexts" -gt 0 ] || {
        echo "under.sh: no native AIO reached uaio" >&2
        exit 1
    }
fi
exit "$status"
