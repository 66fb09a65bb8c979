#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the main paths cost, against recorded bounds: instructions per operation
# by callgrind, and system calls per operation by strace.  These repeat, times do
# not.  What both tools slow down is that others run meanwhile: paths that need a
# worker have some more room.
#
#     cost.sh <preload library> <cost> <bounds>
#
# A line of the bounds is: path, instructions, system calls.  Whoever makes a path
# cheaper by a tenth is told to lower the bound.
set -eu

library=$1
program=$2
bounds=$3

for tool in valgrind strace; do
    command -v "$tool" >/dev/null || {
        echo "SKIP: no $tool here"
        exit 77
    }
done

scratch=$(mktemp -d "${TMPDIR:-/tmp}/uaio-cost.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$scratch"

few=320
many=3520

# One that is the same with the library and without proves nothing.
LD_PRELOAD=$library UAIO_STATS=$scratch/stats "$program" posix-read $few
grep -q 'submitted *[1-9]' stats || {
    echo "FAILED: the program does not run on the library"
    exit 1
}

instructions() { # PATH OPERATIONS
    LD_PRELOAD=$library valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        "$program" "$@" 2>&1 | awk '/Collected/ { print $NF }'
}

system_calls() { # PATH OPERATIONS
    LD_PRELOAD=$library strace -f -q -c -o calls "$program" "$@" || return
    awk '$NF == "total" { print $4 }' calls
}

status=0
while read -r path most_instructions most_calls; do
    case "$path" in '' | '#'*) continue ;; esac
    i_few=$(instructions "$path" $few) i_many=$(instructions "$path" $many)
    c_few=$(system_calls "$path" $few) c_many=$(system_calls "$path" $many)
    if [ -z "$i_few" ] || [ -z "$i_many" ] || [ -z "$c_few" ] || [ -z "$c_many" ]; then
        echo "SKIP: valgrind or strace do not work here"
        exit 77
    fi
    awk -v path="$path" -v i="$i_few $i_many" -v c="$c_few $c_many" -v n=$((many - few)) \
        -v most_i="$most_instructions" -v most_c="$most_calls" 'BEGIN {
            split(i, at); instructions = (at[2] - at[1]) / n
            split(c, at); calls = (at[2] - at[1]) / n
            failed = instructions > most_i || calls > most_c
            printf "%-18s %7.0f instructions (at most %d), %5.2f system calls (at most %s)%s\n", path,
                instructions, most_i, calls, most_c, failed ? ": FAILED" :
                instructions < most_i * 0.8 ? ": lower the bound" : ""
            exit failed
        }' || status=1
done <"$bounds"
exit $status
