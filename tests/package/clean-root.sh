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
[ "$(id -u)" -eq 0 ] || skip 'only root can make a root'
need debootstrap
suite=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
# shellcheck disable=SC2016 # apt's, not the shell's
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 2>/dev/null |
    awk -v suite="$suite" '$1 == suite { print $2; exit }')
[ -n "$mirror" ] || skip "apt names no mirror of $suite"

root=$scratch/root
debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$scratch/log" 2>&1 || {
    tail -n 5 "$scratch/log"
    skip "no root of $suite can be made here"
}
mkdir "$root/packages"
cp "$packages"/*.deb "$root/packages"
cp -r "$here" "$root/tests"

# With none of this shell's environment.
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
    chroot "$root" /tests/in-clean-root.sh /scratch
