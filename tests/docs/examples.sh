#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The C examples of the manual pages, the guide and README.md compile without a
# warning; those that are programs run, and end with status 0.
#
#     examples.sh SOURCE LIBRARIES
#
# An example is a literal display of a page that begins with #include, or a block
# of Markdown marked as c.
set -eu

source=$1
libraries=$2
scratch=$(mktemp -d "${TMPDIR:-/tmp}/uaio-examples.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Each prints a document's examples as files $scratch/NAME.N.c.
from_page() {
    awk -v out="$scratch/${1##*/}" '
        /^\.Bd -literal/ { inside = 1; first = 1; next }
        /^\.Ed/ { inside = 0; if (file) close(file); file = "" }
        inside && first { first = 0; if (/^#include/) file = out "." ++n ".c" }
        file { gsub(/\\e/, "\\"); gsub(/\\&/, ""); print >file }
    ' "$1"
}
from_markdown() {
    awk -v out="$scratch/${1##*/}" '
        /^```c$/ { file = out "." ++n ".c"; next }
        /^```/ { if (file) close(file); file = "" }
        file { print >file }
    ' "$1"
}

for page in "$source"/docs/man/*.[1-9]; do
    from_page "$page"
done
for text in "$source"/README.md "$source"/docs/*.md "$source"/docs/guide/*.md; do
    [ ! -f "$text" ] || from_markdown "$text"
done

status=0
fail() {
    echo "FAIL: $*"
    status=1
}

# build NAME: by the header that it includes.
build() {
    if grep -q 'uaio/libaio.h' "$1"; then
        set -- "$1" "$libraries/libaio.a"
    elif grep -q -e 'uaio/aio.h' -e 'uaio/queue.h' "$1"; then
        set -- "$1" "$libraries/libuaio.a"
    else
        set -- "$1" -L"$libraries" -luaio-rt -Wl,-rpath,"$libraries"
    fi
    if grep -q 'int main(' "$1"; then
        set -- "$@" -o program
    else
        set -- -c "$1" -o object
    fi
    "${CC:-cc}" -O1 -Wall -Wextra -Wshadow -Werror -I"$source/include" "$@" -pthread
}

cd "$scratch"
examples=0 programs=0
for example in *.c; do
    [ -f "$example" ] || break
    examples=$((examples + 1))
    build "$example" || {
        fail "$example does not compile"
        continue
    }
    grep -q 'int main(' "$example" || continue
    programs=$((programs + 1))
    echo 'a line of input' | ./program >out 2>&1 ||
        fail "$example ends with status $?: $(cat out)"
done
[ "$programs" -gt 0 ] || fail 'no example was found'
echo "$examples examples, $programs of them programs"
exit $status
