#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The scenario where something is short, or calls are denied.
#
#     limits.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER SCENARIO limit ARGUMENT...
#     limits.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER SCENARIO stack KIB
#     limits.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER SCENARIO deny CALLS ERRNOS [ARGUMENT...]
#
# The arguments are the scenario's.  The calls, and the errnos of which each is
# tried, are lists with commas.
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/../preload/common.sh"

launcher=$1
scenario=$2
kind=$3
shift 3
cd "$scratch"

# Descriptors may be short: the report goes where one is open.
play() { # COMMAND...
    status=0
    UAIO_STATS=stderr "$@" >out 2>err || status=$?
    case $status in
    0) at_least 1 submitted err ;;
    77) skip "$(sed -n 's/^SKIP: //p' out)" ;;
    *) fail "status $status of $*: $(cat out err)" ;;
    esac
    cat out
}

case $kind in
limit)
    play env LD_PRELOAD="$preload" "$scenario" "$@"
    ;;
stack)
    # shellcheck disable=SC3045 # the shells that are sh have it
    ulimit -S -s "$1"
    play env LD_PRELOAD="$preload" "$scenario"
    ;;
deny)
    calls=$1
    errnos=$2
    shift 2
    "$launcher" --calls "$calls" true || skip "these calls cannot be denied here"
    for errno in $(printf '%s' "$errnos" | tr , ' '); do
        play "$launcher" --calls "$calls" --errno "$errno" \
            env LD_PRELOAD="$preload" "$scenario" "$@"
    done
    ;;
*)
    fail "unknown: $kind"
    ;;
esac
