#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Debian builds its nginx without `aio on`: build one that has it, from
# Debian's own source package, for nginx.sh to test.
#
#     build-nginx.sh DIRECTORY
#
# Prints the program's path.  Nothing is installed, and the system's package
# lists are left as they are.
set -eu

mkdir -p "$1/lists/partial"
directory=$(cd "$1" && pwd)
program=$directory/nginx
[ ! -x "$program" ] || {
    echo "$program"
    exit
}

# The sources that are configured, in either format, as sources of sources.
{
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -n 's/^deb  *\(\[[^]]*\] *\)\{0,1\}\(.*\)/deb-src \2/p'
    cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '
        function flush(  i, n, suite) {
            n = split(suites, suite, " ")
            for (i = 1; uris && i <= n; i++)
                print "deb-src", uris, suite[i], components
            uris = suites = components = ""
        }
        /^$/ { flush() }
        /^URIs:/ { uris = $2 }
        /^Suites:/ { sub(/^[^:]*: */, ""); suites = $0 }
        /^Components:/ { sub(/^[^:]*: */, ""); components = $0 }
        END { flush() }'
} | sort -u >"$directory/sources.list"
[ -s "$directory/sources.list" ] || {
    echo "build-nginx.sh: apt has no sources here" >&2
    exit 1
}

apt() {
    program_of_apt=$1
    shift
    "$program_of_apt" -q -o Dir::Etc::SourceList="$directory/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$directory/lists" \
        -o APT::Sandbox::User= "$@"
}

# The newest version that the mirror has in full.
fetch() {
    apt apt-get update || return
    for version in $(apt apt-cache showsrc nginx | sed -n 's/^Version: //p' | sort -rV); do
        rm -f nginx_*
        ! apt apt-get source --download-only "nginx=$version" || return 0
    done
    return 1
}

build() {
    rm -rf source
    dpkg-source --no-check -x nginx_*.dsc source &&
        cd source &&
        ./configure --with-file-aio --with-threads --without-http_rewrite_module \
            --without-http_gzip_module &&
        make -j"$(nproc)"
}

cd "$directory"
(fetch && build) >"$directory/log" 2>&1 || {
    tail -n 20 "$directory/log" >&2
    exit 1
}
mv source/objs/nginx "$program"
rm -rf source
echo "$program"
