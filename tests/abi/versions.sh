#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A shared library defines the dynamic symbols of the list in the versions of
# the list, and no others, and has that soname.  A version that lacks is a
# fatal error of the loader; a symbol in another one is not found.
#
#   versions.sh <library> <soname> <list>
#   versions.sh <library> - <list>    only the symbols with a version count
#   versions.sh <library> <soname> <list> <version>
#
# In the list: NAME@@VERSION for a default version, NAME@VERSION for a hidden
# one, NAME for none, or for the <version> that is given.
set -eu

library=$1
soname=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
list=$scratch/list
sed "/@/!s/\$/${4:+@@$4}/" "$3" >"$list"

# The nodes themselves are symbols (ABS) to some linkers.  Coverage and
# sanitizer builds add symbols of their own.
LC_ALL=C readelf -W --dyn-syms "$library" |
    awk '$7 != "UND" && $7 != "ABS" && ($5 == "GLOBAL" || $5 == "WEAK") { print $8 }' |
    grep -Ev '^(__asan|__odr_asan|__tsan|__ubsan|__gcov|mangle_path|_init$|_fini$)' |
    LC_ALL=C sort >"$scratch/all"
if [ "$soname" = - ]; then
    grep @ "$scratch/all" >"$scratch/symbols"
else
    cp "$scratch/all" "$scratch/symbols"
fi
LC_ALL=C sort "$list" | diff -u - "$scratch/symbols"

# Nodes: those of the list, none more.
sed -n 's/.*@//p' "$list" | LC_ALL=C sort -u >"$scratch/wanted"
LC_ALL=C readelf -W -V "$library" |
    awk '/Version needs section/ { exit } /Flags: none/ && /Name:/ { print $NF }' |
    LC_ALL=C sort >"$scratch/nodes"
diff -u "$scratch/wanted" "$scratch/nodes"

[ "$soname" = - ] || "$(dirname "$0")/soname.sh" "$library" "$soname"
echo "$library: the symbols and versions of $3"
