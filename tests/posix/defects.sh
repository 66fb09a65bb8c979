#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The defects of libc's AIO, shown: each check of defects.c on libc, where it
# fails or hangs, and under the preload, where it passes.  Prints a table.
#
# Fails if uaio has one of them, and also if glibc has one no more: then what
# is said of it is to be changed.
#
#     defects.sh LIBRARY PROGRAM...
set -eu

library=$1
shift
here=$(dirname "$0")
work=$(mktemp -d "${TMPDIR:-/tmp}/uaio-defects.XXXXXX")
trap 'rm -rf "$work"' EXIT

export CK_VERBOSITY=verbose
env -u LD_PRELOAD "$@" >"$work/libc" 2>&1 || :
# In their own good time: only libc's hanging is expected.
CK_TIMEOUT_MULTIPLIER=${CK_TIMEOUT_MULTIPLIER:-5} "$here/../preload/under.sh" "$library" "$@" \
    >"$work/uaio" 2>&1 || :

# outcome NAME OUTPUT: of Check's line FILE:LINE:(P|F|E):CASE:NAME:ITERATION: MESSAGE
outcome() {
    sed -n "s/^SKIP $1: \\(.*\\)/skipped: \\1/p
        s/.*:P:[^:]*:$1:.*/passed/p
        s/.*:E:[^:]*:$1:.*Test timeout expired.*/hung/p
        s/.*:[FE]:[^:]*:$1:[0-9]*: \\((after this point) \\)\\{0,1\\}\\(.*\\)/failed: \\2/p" "$2" |
        head -n 1
}

libc=$(sed -n 's/^libc: //p' "$work/libc")
grep -q '^submitted to uaio: [1-9]' "$work/uaio" || {
    cat "$work/uaio"
    echo 'FAIL: no request reached uaio' >&2
    exit 1
}
bad=0
seen=0
row() { # NAME DEFECT
    on_libc=$(outcome "$1" "$work/libc")
    on_uaio=$(outcome "$1" "$work/uaio")
    printf '%-54s | %-48s | %s\n' "$2" "${on_libc:-not run}" "${on_uaio:-not run}" >>"$work/table"
    case $on_libc in
    failed* | hung) seen=$((seen + 1)) ;;
    passed)
        case $libc in
        glibc*)
            printf '*** %s has NOT this defect: %s ***\n' "$libc" "$2" >>"$work/verdict"
            bad=1
            ;;
        esac
        ;;
    skipped*) ;;
    *) bad=1 ;;
    esac
    case $on_uaio in
    passed | skipped*) ;;
    *)
        printf '*** uaio HAS this defect: %s ***\n' "$2" >>"$work/verdict"
        bad=1
        ;;
    esac
}

printf '%-54s | %-48s | %s\n' defect "$libc" uaio >"$work/table"
row pending_pipe_reads 'twenty pending pipe reads stop all file I/O'
row pending_socket_read 'a pending read holds up a write to the same socket'
row descriptor_used_again 'a queued write goes to whatever the number is now'
row forked_child 'a forked child hangs on AIO of its own'
row callback_without_threads 'no thread to be had: the callback is lost'
row full_signal_queue 'the signal queue is full: signals are lost'
row interrupted_list 'an interrupted lio_listio leaves pointers to its frame'

cat "$work/table"
[ ! -f "$work/verdict" ] || cat "$work/verdict"
[ $bad -eq 0 ] || {
    cat "$work/libc" "$work/uaio"
    exit 1
}
[ $seen -gt 0 ] || [ "${libc#glibc}" = "$libc" ] || {
    echo 'SKIP: none of it can be shown here'
    exit 77
}
