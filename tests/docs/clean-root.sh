#!/bin/sh
# SPDX-License-Identifier: MIT
#
# README.md followed word for word where nothing is installed but git and sudo, by a
# user of a fresh system: its commands, its example and all of the guide's recipes.
# As root; fetches some 600 MB from the mirror that apt has.
#
#   clean-root.sh SCRATCH-DIRECTORY REPOSITORY
#
# The repository's last commit is what is followed.
set -eu
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/../package/common.sh"
repository=$(cd "$1" && pwd)
need git
make_root sudo git ca-certificates
chroot "$root" useradd --create-home newcomer
echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/newcomer"
echo "127.0.0.1 localhost $(uname -n)" >"$root/etc/hosts"
git clone -q --depth 1 "file://$repository" "$root/home/newcomer/uaio"
cp "$here/in-clean-root.sh" "$root/home/newcomer"
chroot "$root" chown -R newcomer: /home/newcomer

# The mounts go with the last process of the namespace.  With none of this shell's
# environment.
# shellcheck disable=SC2016 # expanded there
unshare --mount --pid --fork --propagation private sh -euc '
    mount -t proc proc "$1/proc"
    mount -t sysfs sys "$1/sys"
    mount --rbind /dev "$1/dev"
    exec env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/home/newcomer USER=newcomer \
        LANG=C.UTF-8 "$(command -v chroot)" --userspec=newcomer:newcomer "$1" \
        /home/newcomer/in-clean-root.sh' sh "$root"
