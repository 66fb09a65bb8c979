#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Debian builds its nginx without `aio on`: build one that has it, from
# Debian's own source package, for nginx.sh to test.
#
#     build-nginx.sh DIRECTORY
#
# Prints the program's path.  Nothing is installed, and the system's package
# lists are left as they are.
set -euo pipefail
# shellcheck source=../../scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

mkdir -p "$1"
directory=$(cd "$1" && pwd)
program=$directory/nginx
[ ! -x "$program" ] || {
    echo "$program"
    exit
}

build() {
    cd "$directory/source" &&
        ./configure --with-file-aio --with-threads --without-http_rewrite_module \
            --without-http_gzip_module &&
        make -j"$(cores)"
}

(fetch_source nginx "$directory" && build) >"$directory/log" 2>&1 || {
    tail -n 20 "$directory/log" >&2
    exit 1
}
mv "$directory/source/objs/nginx" "$program"
rm -rf "$directory/source"
echo "$program"
