#!/bin/sh
# SPDX-License-Identifier: MIT
#
# examples/fallback.c reads a file right by the kernel's AIO, by uaio, and where
# the kernel refuses, in each way that it does; and it says who it was.
#
#     fallback.sh PROGRAM LAUNCHER
set -eu

program=$1
launcher=$2
scratch=$(mktemp -d "${TMPDIR:-/tmp}/uaio-fallback.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$scratch"

fail() {
    echo "FAIL: $*"
    exit 1
}

# read_by WHO FILE [COMMAND...] -- [WORD]: who must serve it.  The report shows that
# uaio does, or does not.
read_by() {
    who=$1
    file=$2
    shift 2
    launch=
    while [ "$1" != -- ]; do
        launch="$launch $1"
        shift
    done
    shift
    rm -f stats
    # shellcheck disable=SC2086 # a list of words
    UAIO_STATS=$scratch/stats $launch "$program" "$file" "$@" >out 2>err ||
        fail "status $?, $launch $file: $(cat err)"
    cmp "$file" out || fail "$file is not what was read by $who"
    grep -q -x "read by $who" err || fail "not read by $who: $(cat err)"
    if [ "$who" = uaio ]; then
        grep -q '^  reads  *[1-9]' stats || fail "uaio has read nothing"
    else
        [ ! -e stats ] || fail "uaio was used"
    fi
}

: >empty
head -c 65536 /dev/urandom >block
head -c 3000001 /dev/urandom >file

for file in empty block file; do
    read_by uaio $file -- uaio
done
if "$program" empty kernel 2>err; then
    for file in empty block file; do
        read_by 'the kernel' $file --
        read_by 'the kernel' $file -- kernel
    done
else
    cat err
fi
"$launcher" true || {
    echo "SKIP: no seccomp filter can be installed here"
    exit 77
}
for errno in ENOSYS EPERM EAGAIN; do
    for file in empty block file; do
        read_by uaio $file "$launcher" --errno $errno --
    done
done
! "$launcher" "$program" file kernel >out 2>err || fail 'the kernel serves what it denies'
! "$program" missing 2>err || fail 'it reads what is not there'
grep -q '^uaio-fallback: missing: ' err || fail "it does not say what is missing: $(cat err)"
! "$program" file both 2>err || fail 'it takes another word'
