#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The example echo server, linked with libc alone and preloaded, and linked with
# libuaio-rt, with five hundred clients: all of them have a read pending, and a
# handful of threads is enough.
#
# On libc's own AIO, with as few clients as that can serve, it shows that the
# server and the clients are right.
#
#     echo.sh LIBRARY SCRATCH-DIRECTORY SERVER SERVER-WITH-RT CLIENTS
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"

program=$1
program_with_rt=$2
clients=$3
mkfifo "$scratch/ready"
server=
finish() {
    [ -z "$server" ] || kill -9 "$server" 2>/dev/null || :
    rm -rf "$scratch"
}
trap finish EXIT

# serve ADDRESS CONNECTIONS THREADS-MAX [NAME=VALUE...], the server's environment
serve() {
    address=$1
    connections=$2
    threads=$3
    shift 3
    printf 'echo: %s connections to %s\n' "$connections" "$address"
    (cd "$scratch" && exec env "$@" "$program" "$address" >ready) &
    server=$!
    read -r address <"$scratch/ready" || fail "the server does not start"
    (cd "$scratch" && exec "$clients" "$address" $server "$connections" "$threads") ||
        fail "the clients are not content"
    status=0
    wait $server || status=$?
    server=
    [ $status -eq 0 ] || fail "the server's exit status is $status"
}

served() {
    at_least 1000 submitted "$stats"
    at_least 500 in_flight_max "$stats"
    rm -f "$stats"
}

serve ./socket 10 100
serve 0 10 100

stats=$scratch/stats
for address in ./socket 0; do
    serve $address 500 15 LD_PRELOAD="$preload" UAIO_STATS="$stats"
    served
done
program=$program_with_rt
serve ./socket 500 15 UAIO_STATS="$stats"
served
