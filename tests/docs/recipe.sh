#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A recipe of the guide, word for word: its blocks marked as sh are one script,
# run in an empty directory by a shell that stops at the first command that fails.
#
#     recipe.sh RECIPE.md SOURCE LIBRARIES PROGRAMS SCRATCH-DIRECTORY
#
# What it cannot do without is listed in its line `<!-- needs: ... -->`: programs,
# PROGRAM+LIBRARY if it must be linked with that; O_DIRECT, which is asked of the
# scratch directory; nginx-with-file-aio, which UAIO_TEST_NGINX may name.
set -eu

recipe=$1
uaio=$2
lib=$3
PATH=$4:$PATH:/usr/sbin:/sbin
scratch=$5
[ -z "${UAIO_TEST_NGINX:-}" ] || PATH=${UAIO_TEST_NGINX%/*}:$PATH
export uaio lib PATH
unset LD_PRELOAD UAIO_STATS UAIO_BACKEND

skip() {
    echo "SKIP: $*"
    exit 77
}

rm -rf "$scratch"
mkdir -p "$scratch/work"
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$scratch/work"

needs=$(sed -n 's/^<!-- needs: \(.*\) -->$/\1/p' "$recipe")
for need in $needs; do
    case $need in
    O_DIRECT)
        dd if=/dev/zero of=probe bs=4096 count=1 oflag=direct 2>/dev/null ||
            skip "the filesystem of $scratch has no O_DIRECT"
        rm probe
        ;;
    nginx-with-file-aio)
        nginx -V 2>&1 | grep -q -e '--with-file-aio' ||
            skip 'no nginx that is built with --with-file-aio (UAIO_TEST_NGINX can name one)'
        ;;
    without-aio)
        without-aio true || skip 'no seccomp filter can be installed here'
        ;;
    *+*)
        program=$(command -v "${need%+*}") || skip "${need%+*} is not installed"
        ldd "$program" | grep -q "${need#*+}" ||
            skip "this ${need%+*} is not linked with ${need#*+}"
        ;;
    *)
        command -v "$need" >/dev/null || skip "$need is not installed"
        ;;
    esac
done

# Whatever it has started in the background ends with it.
{
    echo "trap 'for pid in \$(jobs -p); do kill \$pid; wait \$pid; done 2>/dev/null' EXIT"
    awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$recipe"
} >../script
[ "$(wc -l <../script)" -gt 1 ] || {
    echo "FAIL: $recipe has no block marked as sh"
    exit 1
}

status=0
timeout -k 5 100 sh -eux ../script </dev/null >../out 2>&1 || status=$?
[ "$status" -eq 0 ] || {
    cat ../out
    [ ! -f log ] || cat log
    echo "FAIL: $recipe: status $status"
    exit 1
}
