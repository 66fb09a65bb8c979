#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The library defines the dynamic (or, for an archive, global) symbols of the
# list, and no others.  A symbol more is a promise not meant; one less breaks
# programs.
#
#   symbols.sh <library> <list> [<further symbol>...]
set -eu

library=$1
list=$2
shift 2

case $library in
*.a) symbols=$(nm -g --defined-only "$library") ;;
*) symbols=$(nm -D --defined-only "$library") ;;
esac
# Coverage and sanitizer builds add their own; A is a version node.
printf '%s\n' "$symbols" |
    awk 'NF == 3 && $2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    grep -Ev '^(__asan|__tsan|__ubsan|__gcov|mangle_path|_init$|_fini$)' | LC_ALL=C sort >symbols.$$
trap 'rm -f symbols.$$ wanted.$$' EXIT
{ cat "$list"; [ $# -eq 0 ] || printf "%s\n" "$@"; } | LC_ALL=C sort >wanted.$$
diff -u wanted.$$ symbols.$$ && echo "$library: the symbols of $list"
