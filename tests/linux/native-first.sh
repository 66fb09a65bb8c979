#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Run the tests on the kernel's contexts, by way of ours: what they see is the
# kernel's behaviour, and so they are run as on the kernel.
#
#   native-first.sh <preload> <program>
set -eu

export UAIO_TEST_ORACLE=kernel
status=0
CK_RUN_SUITE=none "$2" >/dev/null || status=$?
[ "$status" -ne 77 ] || {
    echo "SKIP: the kernel has no native AIO here"
    exit 77
}
exec env UAIO_BACKEND=native-first LD_PRELOAD="$1" "$2"
