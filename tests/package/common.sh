# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What the tests of packages have in common.  Sourced with the test's arguments: a
# directory to be made, filled and removed, and whatever the test wants more.

fail() {
    printf 'FAIL: %s\n' "$*" >&2
    exit 1
}

skip() {
    printf 'SKIP: %s\n' "$*"
    exit 77
}

need() { # PROGRAM
    command -v "$1" >/dev/null 2>&1 || skip "$1 is not installed"
}

[ $# -ge 1 ] || fail "usage: $0 SCRATCH-DIRECTORY ..."
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$1"
mkdir -p "$1"
scratch=$(cd "$1" && pwd)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
shift
: "${CC:=cc}"
# Of the machine, and of whoever runs the test.
unset LD_PRELOAD LD_LIBRARY_PATH PKG_CONFIG_PATH CMAKE_PREFIX_PATH DESTDIR

# quietly COMMAND...: its output is shown if it fails.
quietly() {
    "$@" >"$scratch/log" 2>&1 || {
        cat "$scratch/log"
        fail "$*"
    }
}

# served [NAME=VALUE...] PROGRAM: it does what it should, and uaio has done it: with
# another library found in its place it would do it as well.
served() {
    rm -f "$scratch/stats"
    printf 'read by uaio\n' >"$scratch/input"
    env UAIO_STATS="$scratch/stats" "$@" <"$scratch/input" >"$scratch/output" ||
        fail "exit status $?: $*"
    cmp "$scratch/input" "$scratch/output" || fail "it wrote something else: $*"
    grep -q 'submitted  *[1-9]' "$scratch/stats" || fail "not served by uaio: $*"
}

# compile NAME SOURCE [FLAG...]: a program of the consumer's, by hand.
compile() {
    program=$scratch/$1
    source=$here/consumer/$2
    shift 2
    # shellcheck disable=SC2086 # a command and its options
    quietly $CC -std=gnu11 -Wall -Wextra -Werror -o "$program" "$source" "$@"
}

# compile_by_pkg_config: with each product, by-PRODUCT.
compile_by_pkg_config() {
    for module in uaio uaio-rt uaio-libaio; do
        # shellcheck disable=SC2046 # words
        compile "by-$module" "${module#uaio-}.c" $(pkg-config --cflags --libs "$module")
    done
    # shellcheck disable=SC2046 # words
    compile by-archive uaio.c $(pkg-config --cflags --libs --static uaio |
        sed 's/-luaio/-l:libuaio.a/')
    # shellcheck disable=SC2046 # words
    compile by-libaio-archive libaio.c $(pkg-config --cflags --libs --static uaio-libaio |
        sed 's/-laio/-l:libaio.a/')
}

# build_consumer [CMAKE-ARGUMENT...]: in consumer, with CMake.
build_consumer() {
    # shellcheck disable=SC2086 # a command and its options
    quietly cmake -S "$here/consumer" -B "$scratch/consumer" "-DCMAKE_C_COMPILER=$CC" \
        -DCMAKE_C_FLAGS=-Werror "$@"
    quietly cmake --build "$scratch/consumer" --parallel 2
}

# measures COMMAND: the command `uaio` finds our libaio, whose name is the system's, too.
measures() {
    quietly "$1" bench --media cached --depth 1 --size 1m --rounds 1 --seconds 0.1 --quiet \
        --no-trace --contenders uaio-linux --directory "$scratch"
    ! grep 'not beside' "$scratch/log" || fail "$1 does not find libaio.so.1"
}

# make_root [PACKAGE...]: in $root, the system that this machine has with those added
# and nothing else.
make_root() {
    [ "$(id -u)" -eq 0 ] || skip 'only root can make a root'
    need debootstrap
    # shellcheck source=/dev/null
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
    # shellcheck disable=SC2016 # apt's, not the shell's
    mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 2>/dev/null |
        awk -v suite="$suite" '$1 == suite { print $2; exit }')
    [ -n "$mirror" ] || skip "apt names no mirror of $suite"
    root=$scratch/root
    debootstrap --variant=minbase \
        "--include=$(IFS=, && echo "apt,$*")" "$suite" "$root" "$mirror" >"$scratch/log" 2>&1 || {
        tail -n 5 "$scratch/log"
        skip "no root of $suite can be made here"
    }
}
