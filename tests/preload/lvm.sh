#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The unmodified LVM tools, which read and write devices' metadata by AIO: a
# volume group is made on a loop device, and what they say of it is the same
# as on plain reads.
#
#     lvm.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/preload/linux-aio.sh
. "$(dirname "$0")/linux-aio.sh"

PATH=$PATH:/usr/sbin:/sbin
need lvm
need losetup
[ "$(id -u)" -eq 0 ] || skip "a loop device needs root"

device=
finish() {
    [ -z "$device" ] || losetup -d "$device" || :
    rm -rf "$scratch"
}
trap finish EXIT

# Nothing of this machine's is looked at or changed: LVM sees this device
# alone, has its configuration and its notes in the scratch directory, and does
# not speak to the kernel's device mapper or to udev.
mkdir "$scratch/lvm"
export LVM_SYSTEM_DIR="$scratch/lvm" LVM_SUPPRESS_FD_WARNINGS=1

attach() {
    truncate -s 64M "$work/disk"
    device=$(losetup -f --show "$work/disk" 2>/dev/null) || skip "no loop device can be had here"
    cat >"$LVM_SYSTEM_DIR/lvm.conf" <<EOF
devices {
    filter = [ "a|^$device\$|", "r|.*|" ]
    use_devicesfile = 0
    obtain_device_list_from_udev = 0
    external_device_info_source = "none"
}
global {
    use_aio = 1
    use_lvmpolld = 0
    locking_dir = "$scratch/lvm/lock"
}
activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }
EOF
}

detach() {
    losetup -d "$device"
    device=
}

tool() { # COMMAND...: of LVM
    go 30 lvm "$@" --nolocking >"$scratch/out" 2>"$scratch/err" ||
        fail "$*: exit status $?: $(cat "$scratch/out" "$scratch/err")"
}

# What is on the disk, from its own bytes, by a process without AIO.
dump() {
    timeout -k 5 20 lvm pvck --dump metadata "$work/disk" </dev/null 2>/dev/null
}

use() {
    attach
    tool pvcreate -ff -y "$device"
    tool vgcreate uaio_test "$device"
    tool vgchange --addtag first uaio_test
    tool vgrename uaio_test uaio_again
    tool vgs --noheadings -o vg_name,pv_count,vg_tags uaio_again
    says "$scratch/out" '^ *uaio_again +1 +first *$'
    tool pvs --noheadings -o pv_name,vg_name
    says "$scratch/out" "^ *$device +uaio_again *\$"
    tool pvck "$device"
    tool vgcfgbackup -f "$work/backup" uaio_again
    dump >"$work/dump"
    says "$work/dump" '^uaio_again \{'
    says "$work/dump" '^tags = \["first"\]'
    # The same by LVM's own plain reads, in a process without AIO.
    timeout -k 5 20 lvm vgcfgbackup --nolocking --config global/use_aio=0 -f "$work/plain" \
        uaio_again </dev/null >/dev/null 2>&1 || fail "LVM cannot read it without AIO"
    for file in backup plain; do # but for who wrote it, and when
        sed -n '/^uaio_again {/,$p' "$work/$file" >"$work/$file.text"
    done
    cmp "$work/backup.text" "$work/plain.text" || fail "AIO and plain reads differ"
}

refused() { # it says so, and takes plain reads
    use
    tool pvs -vvv
    says "$scratch/err" 'Failed to set up async io, using sync io'
    detach
}

works() {
    use
    tool pvs -vvv
    ! grep 'using sync io' "$scratch/err" || fail "LVM does without AIO"
    detach
    served
    counted 10 reads
    counted 5 writes
}

in_each_way LVM
