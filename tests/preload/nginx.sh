#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An unmodified nginx with `aio on`, serving files over a Unix socket, several
# at once: every byte is right, and uaio read them.  nginx makes raw system
# calls, one context for each worker, and learns of completions by an eventfd
# that it polls edge-triggered.
#
# Debian's nginx is built without --with-file-aio.  UAIO_TEST_NGINX names one
# that is not, as can be made of Debian's own source package:
#
#     apt-get source nginx && cd nginx-* && ./configure --with-file-aio && make
#
#     nginx.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/preload/linux-aio.sh
. "$(dirname "$0")/linux-aio.sh"

PATH=$PATH:/usr/sbin:/sbin
nginx=${UAIO_TEST_NGINX:-nginx}
need "$nginx"
need curl
need sha256sum
"$nginx" -V 2>&1 | grep -q -e '--with-file-aio' ||
    skip "this nginx is built without --with-file-aio (UAIO_TEST_NGINX can name another)"
has_direct || skip "the filesystem of $scratch has no O_DIRECT, which nginx's AIO needs"

server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || :
    [ -z "$server" ] || wait "$server" 2>/dev/null || :
    rm -rf "$scratch"
}
trap finish EXIT

# The path of a Unix socket must not be long: the server and its clients are in
# $work and use a relative one.
configure() {
    {
        [ "$(id -u)" -ne 0 ] || printf 'user root;\n'
        cat <<EOF
daemon off;
worker_processes 2;
pid $work/pid;
error_log $work/log info;
# nginx clears its workers' environment of all but these.
env LD_PRELOAD;
env UAIO_STATS;
env ASAN_OPTIONS;
events { worker_connections 128; }
http {
    access_log off;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    aio on;
    directio 512;
    output_buffers 2 64k;
    server {
        listen unix:socket;
        root $work/files;
    }
}
EOF
    } >"$work/conf"
}

fetch() { # NAME: to stdout
    (cd "$work" && timeout -k 5 20 curl -sSf --unix-socket socket "http://localhost/$1")
}

start() {
    mkdir "$work/files"
    for size in 1 511 512 513 4096 65537 1000003 5000000; do
        head -c $size /dev/urandom >"$work/files/$size"
    done
    (cd "$work/files" && sha256sum -- *) >"$work/sums"
    configure
    (cd "$work" && become 60 "$nginx" -p "$work/" -e "$work/log" -c "$work/conf" 2>"$work/err") &
    server=$!
    wait_until 20 test -S "$work/socket" ||
        fail "nginx does not start: $(cat "$work/err" "$work/log")"
    wait_until 20 test -s "$work/pid" || fail "nginx has no pid"
}

stop() { # SIGQUIT: the workers finish, and exit as they should
    kill -QUIT "$(cat "$work/pid")"
    wait "$server" || fail "nginx's exit status is $?: $(cat "$work/err" "$work/log")"
    server=
}

check() {
    mkdir "$work/got"
    # One by one, then all at once, several times.
    for file in "$work"/files/*; do
        fetch "${file##*/}" >"$work/got/${file##*/}" || fail "curl: $(tail "$work/log")"
    done
    (cd "$work/got" && sha256sum --quiet -c "$work/sums") || fail "a file is not what it was"
    for round in 1 2 3 4 5 6 7 8; do
        mkdir "$work/got/round.$round"
        for file in "$work"/files/*; do
            printf 'url = "http://localhost/%s"\noutput = "got/round.%s/%s"\n' \
                "${file##*/}" $round "${file##*/}"
        done
    done >"$work/urls"
    (cd "$work" && timeout -k 5 40 curl -sSf --unix-socket socket --parallel --parallel-max 16 \
        -K urls 2>client) ||
        fail "curl: $(cat "$work/client") $(tail "$work/log")"
    for round in 1 2 3 4 5 6 7 8; do
        (cd "$work/got/round.$round" && sha256sum --quiet -c "$work/sums") ||
            fail "a file is not what it was, with several at once"
    done
    tail -c +1000 "$work/files/1000003" | head -c 699005 >"$work/part"
    (cd "$work" && timeout -k 5 20 curl -sSf --unix-socket socket -r 999-700003 \
        http://localhost/1000003 | cmp - part) || fail "a part of a file is not what it was"
}

refused() { # it serves all the same, and blocks its worker for each read
    start
    check
    stop
    says "$work/log" 'io_setup\(\) failed'
}

works() {
    start
    check
    stop
    ! grep -E '\[(emerg|alert|crit|error)\]' "$work/log" || fail "nginx has an error"
    served
    counted 100 reads
    counted 2 contexts
}

in_each_way nginx
