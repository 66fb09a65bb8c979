#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What `cmake --install` puts into a prefix can be found by pkg-config and by CMake,
# also when the whole tree has been moved, and does not hide the system's libaio.
#
#   install.sh SCRATCH-DIRECTORY BUILD-DIRECTORY LIBDIR
set -eu
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/common.sh"
build=$1
libdir=$2
need pkg-config

quietly cmake --install "$build" --prefix "$scratch/first"
export PKG_CONFIG_PATH="$scratch/first/$libdir/pkgconfig"
stray=$(find "$scratch/first/$libdir" -name 'libaio*' ! -path '*/uaio/*')
[ -z "$stray" ] || fail "takes the place of the system's libaio: $stray"

# With a path to the library in the program: the system's has the same name.
compile_by_pkg_config
served "$scratch/by-uaio-libaio"
served "$scratch/by-archive"
served "$scratch/by-libaio-archive"

mv "$scratch/first" "$scratch/moved"
root=$scratch/moved
export PKG_CONFIG_PATH="$root/$libdir/pkgconfig"
compile_by_pkg_config
served LD_LIBRARY_PATH="$root/$libdir" "$scratch/by-uaio"
served LD_LIBRARY_PATH="$root/$libdir" "$scratch/by-uaio-rt"
served LD_LIBRARY_PATH="$root/$libdir/uaio" "$scratch/by-uaio-libaio"

build_consumer "-DCMAKE_PREFIX_PATH=$root"
for product in uaio uaio_static rt libaio libaio_static; do
    served "$scratch/consumer/with-$product"
done
[ "$(cat "$scratch/consumer/preload-file")" = "$root/$libdir/libuaio-preload.so" ] ||
    fail "uaio::preload is $(cat "$scratch/consumer/preload-file")"

# A program that is linked with nothing of ours.
compile plain rt.c
served LD_PRELOAD="$root/$libdir/libuaio-preload.so" "$scratch/plain"

measures "$root/bin/uaio"

# An older and a newer minor version are another interface.
for version in 0.0 0.99; do
    printf 'cmake_minimum_required(VERSION 3.25)\nproject(old C)\nfind_package(uaio %s REQUIRED)\n' \
        "$version" >"$scratch/CMakeLists.txt"
    if cmake -S "$scratch" -B "$scratch/old" "-DCMAKE_PREFIX_PATH=$root" >"$scratch/log" 2>&1; then
        fail "found for version $version"
    fi
    grep -q 'compatible' "$scratch/log" || fail "$(cat "$scratch/log")"
done
