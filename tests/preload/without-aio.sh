#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The launcher that the other tests take AIO away with: the calls fail under
# it, each with the errno that was asked for, and do not without it.
#
#     without-aio.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"

launcher=$1
aio='io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents'
uring='io_uring_setup io_uring_enter io_uring_register'

# answer CALL LAUNCHER-OPTION...: what the call answers under the launcher.
answer() {
    call=$1
    shift
    "$launcher" "$@" "$launcher" --probe | sed -n "s/^$call //p"
}

is() { # FOUND EXPECTED WHAT
    [ "$1" = "$2" ] || fail "$3: is \"$1\", must be \"$2\""
}

# status EXPECTED ARGUMENT...: the launcher's exit status.
status() {
    expected=$1
    shift
    found=0
    "$launcher" "$@" >"$scratch/out" 2>"$scratch/err" || found=$?
    is "$found" "$expected" "exit status of: without-aio $*"
}

"$launcher" true || skip "no seccomp filter can be installed here"
"$launcher" --probe >"$scratch/native"

for error in ENOSYS EPERM EAGAIN; do
    for call in $aio; do
        grep -q "^$call " "$scratch/native" || continue # a call that is not there
        is "$(answer "$call" --errno $error)" $error "$call with --errno $error"
    done
    for call in $uring; do
        is "$(answer "$call" --errno=$error --io-uring)" $error "$call with --io-uring"
    done
done

# What is not denied answers as it does without the launcher.
native() {
    sed -n "s/^$1 //p" "$scratch/native"
}
for call in $uring; do
    is "$(answer "$call")" "$(native "$call")" "$call without --io-uring"
done
is "$(answer io_setup --calls io_submit,io_cancel)" "$(native io_setup)" "io_setup, not in the list"
is "$(answer io_submit --calls io_submit,io_cancel)" ENOSYS "io_submit, in the list"
is "$(answer io_cancel --calls=io_submit,io_cancel)" ENOSYS "io_cancel, in the list"

# Errors of use, and the program's own status.
status 0 --help
grep -q '^Usage: ' "$scratch/out" || fail "no help"
status 125
status 125 --unknown true
status 125 --errno
status 125 --errno EFOO true
status 125 --calls io_setup,open true
status 125 --calls '' true
status 126 "$scratch"
status 127 "$scratch/none"
status 3 sh -c 'exit 3'
status 0 -- true

case $(native io_setup) in
0) ;;
*) skip "this kernel's io_setup fails without the launcher too: $(native io_setup)" ;;
esac
