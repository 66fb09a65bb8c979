#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A server that waits for its sockets by native AIO: Mojolicious, a web server
# in Perl, on libev's backend that uses IOCB_CMD_POLL and reads the ring itself.
# Many uploads at once are answered with what was uploaded, and each readiness
# it learned of was uaio's.
#
# Of Debian's builds of libev, that in libev-perl has this backend.
#
#     mojolicious.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/preload/linux-aio.sh
. "$(dirname "$0")/linux-aio.sh"

need perl
need curl
perl -MMojolicious -MEV -e 'exit !(EV::supported_backends() & 64)' 2>/dev/null ||
    skip "no Mojolicious, or no EV with the AIO backend, is installed"

server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || :
    rm -rf "$scratch"
}
trap finish EXIT

export LIBEV_FLAGS=64 MOJO_LOG_LEVEL=warn
# shellcheck disable=SC2016 # it is for Perl to expand
program='use EV;
use Mojolicious::Lite -signatures;
die "EV does not use AIO" unless EV::backend() == 64;
post "/" => sub ($c) { $c->render(data => $c->req->body) };
app->start("daemon", "-i", 0, "-l", "http+unix://socket");'

# The path of a Unix socket must not be long: all are in $work.
start() {
    (cd "$work" && become 60 perl -e "$program" >"$work/out" 2>"$work/err") &
    server=$!
    wait_until 20 test -S "$work/socket" || fail "it does not start: $(cat "$work/err")"
}

refused() {
    ! (cd "$work" && become 60 perl -e "$program" >out 2>err) ||
        fail "it works without AIO: the test shows nothing"
    says "$work/err" 'cannot initialise libev backend'
}

works() {
    start
    head -c 300001 /dev/urandom >"$work/body"
    # Reused connections and new ones, some of which wait while others are busy.
    for n in 1 2 3 4 5 6 7 8 9 10; do
        for part in a b c d e f g h; do
            printf 'url = "http://localhost/"\noutput = "got.%s%s"\n' $n $part
        done
    done >"$work/urls"
    for round in 1 2 3; do
        rm -f "$work"/got.*
        (cd "$work" && timeout -k 5 40 curl -sSf --unix-socket socket --parallel \
            --parallel-max 20 -H 'Expect:' --data-binary @body -K urls >client 2>&1) ||
            fail "round $round: curl: $(cat "$work/client") $(cat "$work/err")"
        for got in "$work"/got.*; do
            cmp "$work/body" "$got" || fail "round $round: what came back is not what was sent"
        done
        [ "$(find "$work" -name 'got.*' | wc -l)" -eq 80 ] || fail "some did not come back"
    done
    kill "$server"
    status=0
    wait "$server" || status=$?
    server=
    [ "$status" -eq 0 ] || fail "its exit status is $status: $(cat "$work/err")"
    [ ! -s "$work/err" ] || fail "it complains: $(cat "$work/err")"
    served
    counted 200 polls
    counted_at_most 0 failed
    counted_at_most 1 threads_max # what is polled for takes no worker
}

in_each_way mojolicious
