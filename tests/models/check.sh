#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Check a Promela model with spin: that no run of it goes wrong, and that one
# does for each of its BROKEN variants.  A model that cannot fail proves
# nothing.
#
#   check.sh <model.pml>
set -eu

model=$1
depth=100000
megabytes=2000

for program in spin "${CC:-cc}"; do
    command -v "$program" >/dev/null || {
        echo "SKIP: no $program to check models with"
        exit 77
    }
done

scratch=$(mktemp -d "${TMPDIR:-/tmp}/uaio-model.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cp "$model" "$scratch/model.pml"
cd "$scratch"

# search [DEFINE]: all states; pan's report is in the file `report`.
search() {
    rm -f pan* model.pml.trail
    spin "$@" -a model.pml >spin.out || {
        cat spin.out
        echo "${model##*/}: FAILED: spin does not take it"
        exit 1
    }
    # pan is large and soon done: optimising it would take longer.
    "${CC:-cc}" -O0 -w -DSAFETY -DMEMLIM=$megabytes -o pan pan.c
    # What it exits with differs from version to version.
    ./pan -n -m$depth >report 2>&1 || :
}

# A search that was cut short has proved nothing.
is_complete() {
    grep -q 'errors: 0$' report &&
        ! grep -q -e 'Search not completed' -e 'max search depth too small' \
            -e 'reached -DMEMLIM' -e 'out of memory' report
}

search
if ! is_complete; then
    cat report
    [ ! -f model.pml.trail ] || spin -t -p -g model.pml | tail -n 200
    echo "${model##*/}: FAILED"
    exit 1
fi
echo "${model##*/}: $(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' report) states," \
    "depth $(sed -n 's/.*depth reached \([0-9]*\),.*/\1/p' report)"

# Not those that a comment speaks of.
variants=$(grep '^#' model.pml | grep -o 'BROKEN[A-Z_]*' | sort -u)
[ -n "$variants" ] || {
    echo "${model##*/}: FAILED: it has no broken variant"
    exit 1
}
for variant in $variants; do
    search "-D$variant"
    error=$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' report)
    [ -n "$error" ] || {
        cat report
        echo "${model##*/}: FAILED: nothing goes wrong with $variant"
        exit 1
    }
    echo "  $variant: $error, as it must"
done
