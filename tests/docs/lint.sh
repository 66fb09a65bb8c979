#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mandoc has nothing to say against the manual pages, from its warnings on.
#
#     lint.sh SOURCE
set -eu

command -v mandoc >/dev/null || {
    echo "SKIP: no mandoc to check the manual pages with"
    exit 77
}

status=0
for page in "$1"/docs/man/*.[1-9]; do
    ! grep -q '^\.so ' "$page" || continue # a further name of another page
    # On stderr it speaks of the system's own pages.
    mandoc -T lint -W warning "$page" 2>/dev/null || status=1
done
exit $status
