#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A program that is linked with the library asks for it by this name when it runs:
# another one is another library.
#
#   soname.sh <library> <soname>
set -eu

found=$(LC_ALL=C readelf -W -d "$1" | sed -n 's/.*(SONAME).*\[\(.*\)\].*/\1/p')
[ "$found" = "$2" ] || {
    echo "$1: the soname is '$found', must be '$2'" >&2
    exit 1
}
