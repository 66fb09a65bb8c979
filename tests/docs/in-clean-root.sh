#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What clean-root.sh has a newcomer do, whose home has a clone of the repository.
set -euo pipefail
cd ~/uaio

# blocks LANGUAGE: README.md's, each with a line `end of block` after it.
blocks() {
    awk -v from="\`\`\`$1" '
        $0 == from { inside = 1; next }
        inside && /^```$/ { inside = 0; print "end of block" }
        inside' README.md
}

follow() {
    printf '\n==> %s\n' "$1"
    bash -euo pipefail -c "$1" </dev/null
}

blocks c | sed '/^end of block$/,$d' >example.c

# The two commands do the set-up, so they come first; then the rest, as it is written.
mapfile -t commands < <(blocks sh | awk '
    /^end of block$/ { if (text) print text; text = ""; next }
    { sub(/ +# .*/, ""); continued = sub(/ *\\$/, " ")
      text = text $0; if (!continued) { print text; text = "" } }')
[ "${#commands[@]}" -ge 5 ]
follow scripts/demo
follow scripts/test
for command in "${commands[@]}"; do
    case $command in
    scripts/demo | scripts/test) ;;
    *) follow "$command" ;;
    esac
done

# Debian's nginx has no `aio on`; the recipe says to build one that has.
sudo apt-get -q -y --no-install-recommends install dpkg-dev libssl-dev zlib1g-dev >/dev/null
UAIO_TEST_NGINX=$(tests/preload/build-nginx.sh build/nginx)
export UAIO_TEST_NGINX
follow "ctest --test-dir build/release -L docs --output-on-failure | tee recipes"
! grep -i skipped recipes
