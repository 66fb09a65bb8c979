#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The settings in the environment: an unusable value is named in exactly one
# line on stderr and the default taken; a good one is silent, and works.
#
#     settings.sh LIBRARY SCRATCH-DIRECTORY COPY-PROGRAM
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"

copy=$1
stats=$scratch/stats
err=$scratch/err
unset UAIO_THREADS UAIO_IDLE_MS UAIO_MAX_REQUESTS UAIO_INLINE UAIO_HELP UAIO_STATS

dd if=/dev/urandom of="$scratch/from" bs=65536 count=16 2>/dev/null

# run NAME=VALUE...: the program works, whatever the values.
run() {
    rm -f "$scratch/to"
    under "$@" "$copy" "$scratch/from" "$scratch/to" 8 2>"$err" ||
        fail "$*: exit status $?: $(cat "$err")"
    cmp "$scratch/from" "$scratch/to" || fail "$*: the copy differs"
}

silent() { # NAME=VALUE...
    run "$@"
    [ ! -s "$err" ] || fail "$*: must be silent, but says: $(cat "$err")"
}

# complains NAME VALUE: one line that starts with `uaio:` and names it.
complains() {
    run "$1=$2"
    [ "$(wc -l <"$err")" -eq 1 ] || fail "$1=$2: not one line on stderr: $(cat "$err")"
    grep -q "^uaio: .*$1" "$err" || fail "$1=$2: is not what is named: $(cat "$err")"
}

# The counters of a run with these settings.
counted() { # NAME=VALUE...
    rm -f "$stats"
    silent "$@" UAIO_STATS="$stats"
    at_least 1 submitted "$stats"
}

# --- unusable values
for bad in abc 0 -1 1025 999999999999 99999999999999999999999 8x 1.5; do
    complains UAIO_THREADS "$bad"
done
for bad in abc -1 3600001 99999999999999999999999; do
    complains UAIO_IDLE_MS "$bad"
done
for bad in abc 0 -1 16777217 99999999999999999999999; do
    complains UAIO_MAX_REQUESTS "$bad"
done
for name in UAIO_INLINE UAIO_HELP; do
    for bad in 2 -1 yes 00000000000000000000000x; do
        complains $name "$bad"
    done
done
# A value cannot make two lines of one, nor can its length.
complains UAIO_THREADS "8
uaio: all is well"
complains UAIO_THREADS "$(head -c 100000 /dev/zero | tr '\0' x)"

# Two unusable values are two lines, and the good one beside them counts.
run UAIO_THREADS=abc UAIO_INLINE=2 UAIO_HELP=0 UAIO_STATS="$stats"
{ [ "$(grep -c "^uaio: " "$err")" -eq 2 ] && [ "$(wc -l <"$err")" -eq 2 ]; } ||
    fail "two unusable values: not two lines: $(cat "$err")"
at_most 0 helped "$stats"

# The report has the counters, and the latencies of what there was.
counted UAIO_THREADS=8
for kind in read write sync; do
    grep -Eq "^  ${kind}_us +p50 [0-9]+\.[0-9] p99 [0-9]+\.[0-9] max [0-9]+\.[0-9]$" "$stats" ||
        fail "no latencies of ${kind}s: $(cat "$stats")"
done

# --- usable values, the ends of the ranges among them
for good in 1 64 1024; do
    silent UAIO_THREADS=$good
done
for good in 0 1000 3600000; do
    silent UAIO_IDLE_MS=$good
done
for good in 1 4194304 16777216; do
    silent UAIO_MAX_REQUESTS=$good
done
silent UAIO_INLINE=1 UAIO_HELP=1

# --- what they do
counted UAIO_INLINE=0
at_most 0 inline_hits "$stats"
counted UAIO_HELP=0
at_most 0 helped "$stats"
counted UAIO_THREADS=1
at_most 1 threads_max "$stats"
counted UAIO_MAX_REQUESTS=2
at_most 2 in_flight_max "$stats"
counted UAIO_INLINE=0 UAIO_HELP=0 UAIO_THREADS=2
at_least 1 threads_max "$stats"
at_most 2 threads_max "$stats"

# --- UAIO_STATS
run UAIO_STATS=stderr
head -n 1 "$err" | grep -q '^uaio: pid [0-9][0-9]*$' || fail "no report on stderr: $(cat "$err")"
at_least 1 submitted "$err"

# Every counter that users are told of is there, once, with a number.
for counter in submitted completed failed canceled inline_hits inline_misses helped wakeups \
    threads_max in_flight_max reads writes syncs; do
    [ "$(grep -c "^  $counter  *[0-9][0-9]*\$" "$err")" -eq 1 ] ||
        fail "counter $counter is not reported: $(cat "$err")"
done

# A file is made with mode 0600 whatever the umask, and then added to.
rm -f "$stats"
(
    umask 0
    silent UAIO_STATS="$stats"
)
[ "$(stat -c %a "$stats")" = 600 ] || fail "the report has mode $(stat -c %a "$stats")"
silent UAIO_STATS="$stats"
[ "$(reports "$stats")" -eq 2 ] || fail "the second report is not beside the first"

# A program that ends by _exit() reports as well.
rm -f "$stats"
under UAIO_STATS="$stats" "$copy" "$scratch/from" "$scratch/to" 8 _exit
[ "$(reports "$stats")" -eq 1 ] || fail "no report of a program that calls _exit()"

# A program that makes no request reports nothing.
rm -f "$stats"
under UAIO_STATS="$stats" UAIO_THREADS=8 sh -c : 2>"$err"
[ ! -e "$stats" ] || fail "a program without requests reports: $(cat "$stats")"
[ ! -s "$err" ] || fail "a program without requests says: $(cat "$err")"

# A file that cannot be opened.
complains UAIO_STATS /nonexistent/x
complains UAIO_STATS "$scratch"

# A symbolic link is not followed, whether it leads to a file or to none.
echo precious >"$scratch/precious"
ln -s "$scratch/precious" "$scratch/link"
complains UAIO_STATS "$scratch/link"
[ "$(cat "$scratch/precious")" = precious ] || fail "the link was followed"
ln -s "$scratch/none" "$scratch/dangling"
complains UAIO_STATS "$scratch/dangling"
[ ! -e "$scratch/none" ] || fail "the dangling link was followed"
