# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What the tests of the command have in common.  Sourced before the directory is
# left: makes one for the test, which is removed at its end, and goes there.

fail() {
    echo "FAIL: $*"
    exit 1
}

# shellcheck disable=SC2034 # the tests use it
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/uaio-command.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$scratch" || exit
