#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The Debian packages: made, checked by lintian, unpacked (not installed) and compiled
# against.
#
#   debian.sh SCRATCH-DIRECTORY SOURCE-DIRECTORY
set -eu
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/common.sh"
source=$1
for program in dpkg-deb dpkg-shlibdeps file pkg-config; do
    need "$program"
done

quietly env UAIO_NO_INSTALL=1 "$source/scripts/package" "$scratch/build"
for package in libuaio0 libuaio-preload uaio libuaio-dev; do
    [ -f "$(echo "$scratch/build/$package"_*.deb)" ] || fail "there is no package $package"
    dpkg-deb -x "$scratch/build/$package"_*.deb "$scratch/root"
done
if command -v lintian >/dev/null 2>&1; then
    quietly lintian --fail-on error "$scratch"/build/*.deb
else
    echo 'lintian is not installed: the packages are not checked by it'
fi

# depends PACKAGE: on what?
depends() {
    dpkg-deb --field "$scratch/build/$1"_*.deb Depends
}

# Nothing but libc for programs that are linked with ours, or run under it.
for package in libuaio0 libuaio-preload; do
    others=$(depends "$package" | tr ',' '\n' | grep -v '^ *libc6\( \|$\)' || :)
    [ -z "$others" ] || fail "$package depends on $others"
done
depends uaio | grep -q 'libuaio-preload (= ' || fail "the command lacks its library"
depends libuaio-dev | grep -q 'libuaio0 (= ' || fail "the links lead nowhere"

pc=$(find "$scratch/root/usr/lib" -name uaio.pc)
export PKG_CONFIG_PATH="${pc%/*}"
libraries=${pc%/pkgconfig/*}
stray=$(find "$libraries" -maxdepth 1 -name 'libaio*')
[ -z "$stray" ] || fail "takes the place of the system's libaio: $stray"

compile_by_pkg_config
served LD_LIBRARY_PATH="$libraries" "$scratch/by-uaio"
served LD_LIBRARY_PATH="$libraries" "$scratch/by-uaio-rt"
served LD_LIBRARY_PATH="$libraries/uaio" "$scratch/by-uaio-libaio"
served "$scratch/by-archive"
readelf -d "$scratch/by-uaio-libaio" | grep -q "PATH.*\[${libraries#"$scratch/root"}/uaio\]" ||
    fail "by-uaio-libaio will not find its library where the package puts it"

build_consumer "-DCMAKE_PREFIX_PATH=$scratch/root/usr"
for product in uaio uaio_static rt libaio libaio_static; do
    served "$scratch/consumer/with-$product"
done

compile plain rt.c
served LD_PRELOAD="$libraries/libuaio-preload.so" "$scratch/plain"
quietly "$scratch/root/usr/bin/uaio" --version
