#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Run an unmodified program under the preload, and fail unless uaio did its
# I/O: interposition that misses is silent, and the program would pass on
# libc's.
#
#   under.sh <preload> <program> [arguments]
set -eu

preload=$1
shift
stats=$(mktemp "${TMPDIR:-/tmp}/uaio-under.XXXXXX")
trap 'rm -f "$stats"' EXIT

status=0
env LD_PRELOAD="$preload" UAIO_STATS="$stats" "$@" || status=$?
submitted=$(awk '$1 == "submitted" { n += $2 } END { print n + 0 }' "$stats")
echo "submitted to uaio: $submitted"
[ "$status" -ne 0 ] || [ "$submitted" -gt 0 ] || {
    echo "under.sh: no request reached uaio" >&2
    exit 1
}
exit "$status"
