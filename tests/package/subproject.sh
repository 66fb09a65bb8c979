#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The source tree as a part of another project: the same names, and nothing but the
# products is built and nothing installed.
#
#   subproject.sh SCRATCH-DIRECTORY SOURCE-DIRECTORY
set -eu
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/common.sh"

build_consumer "-DUAIO_SOURCE=$1" -DBUILD_TESTING=ON
for product in uaio uaio_static rt libaio libaio_static; do
    served "$scratch/consumer/with-$product"
done
programs=$(cd "$scratch/consumer" && find . -type f -perm -u+x -name 'uaio*' ! -name '*.so.*')
[ -z "$programs" ] || fail "built as well: $programs"

quietly cmake --install "$scratch/consumer" --prefix "$scratch/root"
others=$(cd "$scratch/root" && find . -type f ! -name 'with-*')
[ -z "$others" ] || fail "installed as well: $others"
