#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The library tells tracers of its probes: which there are is what scripts of its
# users are written for (docs/observability.md).
#
#     probes.sh <library>
set -eu

library=$1

command -v readelf >/dev/null || {
    echo 'SKIP: no readelf here'
    exit 77
}
# Where there are several of a name, the types of their arguments are to be the same, or
# perf cannot have all: so types and all, each is to be there once.
types=$(readelf --notes --wide "$library" | awk '
    /Provider: / { provider = $NF }
    $1 == "Name:" && provider == "uaio" { name = $2 }
    $1 == "Arguments:" && name {
        line = name
        for (i = 2; i <= NF; i++)
            if (sub(/@.*/, "", $i))
                line = line " " $i
        print line
        name = ""
    }' | LC_ALL=C sort -u)
found=$(printf '%s\n' "$types" | awk '{ print $1, NF - 1 }')
wanted='cancel 3
complete 4
inline_hit 3
inline_miss 2
queue 3
run 3
submit 4
thread_exit 1
thread_start 1'
[ "$found" = "$wanted" ] || {
    printf '%s: has the probes (name, types of arguments)\n%s\nand not (name, number)\n%s\n' \
        "$library" "$types" "$wanted"
    exit 1
}
echo "$library: all probes"
