#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The tests that libaio and glibc have of their own, with uaio in their place:
# libaio's linked with our libaio.so.1, glibc's of aio_* under the preload.  From
# Debian's source packages; nothing is installed, and nothing of them is kept.
#
#     run.sh BUILD-DIRECTORY SCRATCH-DIRECTORY
#
# Exit status: 0 all pass, 77 the sources cannot be had.
set -euo pipefail
build=$(cd "$1" && pwd)
mkdir -p "$2"
scratch=$(cd "$2" && pwd)
cd "$(dirname "$0")"
# shellcheck source=../../scripts/lib.sh
. ../../scripts/lib.sh

fetch() { # PACKAGE
    fetch_source "$1" "$scratch/$1" >"$scratch/log" 2>&1 || {
        tail -n 5 "$scratch/log" >&2
        say "the source of $1 cannot be had"
        exit 77
    }
}

failed=0
passed=0

# run NAME COMMAND...
run() {
    local name=$1
    shift
    if timeout 120 "$@" >"$scratch/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        say "$name: FAILED"
        tail -n 20 "$scratch/log"
    fi
}

libaio() {
    local harness=$scratch/libaio/source/harness case
    local programs=()
    fetch libaio
    cd "$harness"
    for case in cases/*.t; do
        case "$case" in
        cases/8.t | cases/10.t) ;; # they want file systems mounted
        *) programs+=("${case%.t}.p") ;;
        esac
    done
    make -C ../src libaio.a >"$scratch/log" 2>&1 &&
        make CFLAGS='-I../src -O2 -w' LIBAIO="-L$build/lib -laio -Wl,-rpath,$build/lib" \
            "${programs[@]}" testdir/rofile testdir/wofile testdir/rwfile >"$scratch/log" 2>&1 || {
        tail -n 20 "$scratch/log" >&2
        die "libaio's tests cannot be built"
    }
    for case in "${programs[@]}"; do
        [[ "$(ldd "$case")" == *"$build/lib/libaio"* ]] || die "$case is not linked with ours"
        run "libaio ${case#cases/}" "./$case"
    done
    cd - >/dev/null
}

glibc() {
    local source test name
    fetch glibc
    mkdir -p "$scratch/glibc/rt"
    cp test-skeleton.c "$scratch/glibc"
    cd "$scratch/glibc" # where they leave their files
    for source in "$scratch"/glibc/source/rt/tst-aio*.c; do
        name=$(basename "$source" .c)
        [ "$name" != tst-aio6-time64 ] || continue # the same, for 32 bits
        cp "$source" "$scratch/glibc/rt"
        test=$scratch/glibc/$name
        "${CC:-cc}" -w -std=gnu11 -D_GNU_SOURCE -I"$scratch/glibc" -o "$test" \
            "$scratch/glibc/rt/$name.c" -lpthread -lrt
        rm -f "$scratch/stats"
        run "glibc $name" env LD_PRELOAD="$build/lib/libuaio-preload.so" \
            UAIO_STATS="$scratch/stats" "$test"
        grep -q 'submitted *[1-9]' "$scratch/stats" || die "$name does not run on the library"
    done
    cd - >/dev/null
}

libaio
glibc
rm -rf "$scratch"
say "$passed of $((passed + failed)) tests of libaio and glibc pass"
[ "$failed" -eq 0 ]
