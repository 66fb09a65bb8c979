#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The Debian packages on a machine that has nothing else: installed by apt in a fresh
# root, compiled against there, and removed.  As root; fetches some 150 MB from the
# mirror that apt has.
#
#   clean-root.sh SCRATCH-DIRECTORY DIRECTORY-WITH-PACKAGES
set -eu
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/common.sh"
packages=$1
# shellcheck disable=SC2119 # packages to add, not our arguments
make_root
mkdir "$root/packages"
cp "$packages"/*.deb "$root/packages"
cp -r "$here" "$root/tests"

# With none of this shell's environment.
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
    chroot "$root" /tests/in-clean-root.sh /scratch
