#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The scenario where something is short, or calls are denied.
#
#     limits.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER SCENARIO limit ARGUMENT...
#     limits.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER SCENARIO pids N ARGUMENT...
#     limits.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER PRESSURE memory MIB ARGUMENT...
#     limits.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER SCENARIO stack KIB
#     limits.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER SCENARIO deny CALLS ERRNOS [ARGUMENT...]
#
# The arguments are the scenario's.  The calls, and the errnos of which each is
# tried, are lists with commas.  pids and memory are limits of a cgroup that is
# made for the test: N tasks, and MIB of memory without swap, page cache included.
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
    0)
        at_least 1 submitted err
        ! grep -q 'native AIO' out || [ "$(total contexts err)" -gt "$(total contexts_native err)" ] ||
            fail "the kernel's native AIO was used: $(cat err)"
        ;;
    77) skip "$(sed -n 's/^SKIP: //p' out)" ;;
    *) fail "status $status of $*: $(cat out err)" ;;
    esac
    cat out
}

# The directory in which a cgroup with that controller can be made: in version 1
# our own; in version 2 our own or the one above it, whichever passes it on.
parent_group() { # CONTROLLER
    path=$(awk -F: -v c="$1" '("," $2 ",") ~ ("," c ",") { print $3 }' /proc/self/cgroup)
    if [ -n "$path" ]; then
        root=$(awk -v c="$1" '$3 == "cgroup" && ("," $4 ",") ~ ("," c ",") { print $2; exit }' \
            /proc/self/mounts)
        [ -n "$root" ] || return 0
        [ -d "$root$path" ] || path=
        printf '%s\n' "$root$path"
    else
        path=$(sed -n 's/^0:://p' /proc/self/cgroup)
        root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
        for dir in "$root$path" "$root${path%/*}"; do
            if grep -qsw "$1" "$dir/cgroup.subtree_control"; then
                printf '%s\n' "$dir"
                return
            fi
        done
    fi
}

# A cgroup whose limits of CONTROLLER can be set: $group
make_group() { # CONTROLLER
    parent=$(parent_group "$1")
    [ -n "$parent" ] || skip "there is no cgroup with the controller $1 here"
    group=$parent/uaio-limits-$$
    mkdir "$group" 2>mkdir.err || skip "no cgroup can be made: $(cat mkdir.err)"
    trap 'rmdir "$group"; rm -rf "$scratch"' EXIT
}

# set_limit NUMBER FILE...: those of the files that there are, of both versions
set_limit() {
    number=$1
    shift
    for file; do
        [ ! -e "$group/$file" ] || printf '%s\n' "$number" >"$group/$file" ||
            skip "$file of a cgroup cannot be set"
    done
}

in_group() { # COMMAND...
    # shellcheck disable=SC2016 # it is the inner shell's to expand
    play sh -c 'echo $$ >"$0" && exec "$@"' "$group/cgroup.procs" "$@"
}

# Without it the test has shown nothing.
was_hit() { # FILE [WORD]: a number, or that which stands behind the word
    found=$(awk -v word="${2-}" 'word == "" || $1 == word { print $NF }' "$group/$1")
    [ "$found" -gt 0 ] || fail "the cgroup's limit was never reached: $(cat "$group/$1")"
}

case $kind in
limit)
    play env LD_PRELOAD="$preload" "$scenario" "$@"
    ;;
pids)
    make_group pids
    set_limit "$1" pids.max
    shift
    in_group env LD_PRELOAD="$preload" "$scenario" "$@"
    was_hit pids.events max
    ;;
memory)
    [ "$(stat -f -c %T .)" != tmpfs ] || skip "files are memory here: $scratch is on tmpfs"
    make_group memory
    set_limit "$(($1 << 20))" memory.limit_in_bytes memory.max
    set_limit 0 memory.swappiness memory.swap.max
    shift
    in_group env LD_PRELOAD="$preload" "$scenario" "$@"
    if [ -e "$group/memory.events" ]; then
        was_hit memory.events max
    else
        was_hit memory.failcnt
    fi
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
