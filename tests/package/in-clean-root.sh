#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What clean-root.sh runs in its root, whose packages are in /packages.
#
#   in-clean-root.sh SCRATCH-DIRECTORY
set -eu
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/common.sh"

quietly apt-get -q -y --no-install-recommends install /packages/*.deb gcc libc6-dev make cmake pkg-config
compile_by_pkg_config
for product in uaio uaio-rt uaio-libaio archive libaio-archive; do
    served "$scratch/by-$product"
done
build_consumer -DCMAKE_BUILD_TYPE=Release
for product in uaio uaio_static rt libaio libaio_static; do
    served "$scratch/consumer/with-$product"
done
# Installed, they have no path to the libraries in them, but for libaio's.
quietly cmake --install "$scratch/consumer" --prefix "$scratch/installed"
for product in uaio rt libaio; do
    served "$scratch/installed/bin/with-$product"
done
compile plain rt.c
served LD_PRELOAD=libuaio-preload.so "$scratch/plain"
measures uaio

quietly apt-get -q -y purge libuaio0 libuaio-preload uaio libuaio-dev
left=$(find /usr /etc /var/lib -name '*uaio*' -print)
[ -z "$left" ] || fail "left behind: $left"
