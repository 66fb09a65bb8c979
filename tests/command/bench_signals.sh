#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Who interrupts uaio bench finds none of its files left, whatever it was doing; and a
# signal that was ignored before is ignored by it, as nohup wants it.
#
#     bench_signals.sh <uaio>
set -eu

uaio=$(realpath "$1")
# shellcheck source=tests/command/common.sh
. "$(dirname "$0")/common.sh"
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null; rm -rf "$scratch"' EXIT
mkdir data

# start COMMAND...: in the background.  What it says goes to a file of its own: what another
# has left there would be seen before the program runs.
start() {
    : >out
    "$@" bench --directory data --rounds 1 --no-trace --depth 1 --contenders uaio,blocking \
        --size "$size" --seconds "$seconds" >out 2>&1 &
    pid=$!
}

# until_it COMMAND...: that succeeds.
until_it() {
    until "$@"; do
        kill -0 "$pid" 2>/dev/null || fail "it ended by itself: $(cat out)"
    done
}

measures() {
    grep -q kIOPS out
}

has_a_file() {
    [ -n "$(ls data)" ]
}

# ends STATUS: and leaves nothing behind.
ends() {
    found=0
    wait "$pid" || found=$?
    pid=
    [ "$found" = "$1" ] || fail "status $found, not $1: $(cat out)"
    ! has_a_file || fail "left behind: $(ls data)"
}

size=1m seconds=60
for signal in HUP:129 TERM:143; do
    start "$uaio"
    until_it measures
    kill "-${signal%:*}" "$pid"
    ends "${signal#*:}"
done

# A shell has its background ignore SIGINT.
if env --default-signal=INT true 2>/dev/null; then
    start env --default-signal=INT "$uaio"
    until_it measures
    kill -INT "$pid"
    ends 130
else
    echo 'SIGINT is left out: env has no --default-signal'
fi

# While the files are made.
size=8g
start "$uaio"
until_it has_a_file
kill -TERM "$pid"
ends 143

size=1m seconds=0.2
trap '' HUP
start "$uaio"
until_it measures
kill -HUP "$pid"
ends 0
echo 'all as it should be'
