# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What the preload tests have in common.  Sourced with the test's arguments:
# the library to preload, and a directory to be made, filled and removed.
#
# Failed interposition is silent: a program that the library did not get into
# passes any test on libc's AIO.  So every test counts, in the reports that
# UAIO_STATS=FILE makes the library write, what the library did.

fail() {
    printf 'FAIL: %s\n' "$*" >&2
    exit 1
}

skip() {
    printf 'SKIP: %s\n' "$*"
    exit 77
}

[ $# -ge 2 ] || fail "usage: $0 LIBRARY SCRATCH-DIRECTORY ..."
library=$1
scratch=$2
shift 2
[ -f "$library" ] || fail "there is no $library"

rm -rf "$scratch"
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A sanitizer has its runtime loaded before all else: AddressSanitizer bears
# that in programs built without it, ThreadSanitizer does not.
preload=$library
if grep -q __tsan_init "$library"; then
    skip "a library built with ThreadSanitizer cannot be preloaded"
elif grep -q __asan_init "$library"; then
    runtime=$(ldd "$library" | sed -n "s/.*libasan[^ ]* => \\([^ ]*\\).*/\\1/p")
    [ -n "$runtime" ] || skip "AddressSanitizer's runtime is not a shared library"
    preload="$runtime $library"
    # The programs' own leaks are not what is tested.
    export ASAN_OPTIONS="detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
fi

need() { # PROGRAM
    command -v "$1" >/dev/null 2>&1 || skip "$1 is not installed"
}

# under [NAME=VALUE...] COMMAND...: run it with the library preloaded.
under() {
    env LD_PRELOAD="$preload" "$@"
}

# total COUNTER FILE: its sum over all reports.
total() {
    awk -v name="$1" '$1 == name { sum += $2 } END { print sum + 0 }' "$2" 2>/dev/null || echo 0
}

# reports FILE: how many processes say that they submitted requests.
reports() {
    awk '$1 == "submitted" && $2 > 0 { n++ } END { print n + 0 }' "$1" 2>/dev/null || echo 0
}

# at_least NUMBER COUNTER FILE
at_least() {
    found=$(total "$2" "$3")
    [ "$found" -ge "$1" ] || fail "counter $2 is $found, must be $1 or more: $(cat "$3" 2>&1)"
}

# at_most NUMBER COUNTER FILE
at_most() {
    found=$(total "$2" "$3")
    [ "$found" -le "$1" ] || fail "counter $2 is $found, must be $1 or less: $(cat "$3" 2>&1)"
}

# Can files of the scratch directory be opened with O_DIRECT?
has_direct() {
    dd if=/dev/zero of="$scratch/direct" bs=4096 count=1 oflag=direct 2>/dev/null &&
        rm "$scratch/direct"
}
