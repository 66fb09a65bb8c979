# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the scripts have in common: speaking, stopping, and installing what a
# fresh Debian or Ubuntu machine lacks.  Sourced by bash, never run.
#
# Nothing is installed, and no package list is fetched, if all that is asked
# for is there already.  UAIO_NO_INSTALL=1 forbids installing altogether.

umask 022

# say TEXT...: one line about what is going on.
say() {
    printf '==> %s\n' "$*"
}

# die TEXT...: stop with a reason.
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# have PROGRAM: is it there?
have() {
    command -v "$1" >/dev/null 2>&1
}

# as_root COMMAND...: asks for a password only where there is a terminal to ask at.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env "$@"
    elif [ -t 0 ]; then
        sudo env "$@"
    else
        sudo -n env "$@"
    fi
}

# Its output is shown only if it fails.
apt_get() {
    local log status=0
    log=$(mktemp)
    as_root DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 \
        -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1 || status=$?
    [ "$status" -eq 0 ] || tail -n 20 "$log" >&2
    rm -f "$log"
    return "$status"
}

apt_fresh=no

# apt_install PACKAGE...: all of them, or fail.
apt_install() {
    if [ "${UAIO_NO_INSTALL:-0}" = 1 ]; then
        printf '%s: not installing %s: UAIO_NO_INSTALL=1\n' "${0##*/}" "$*" >&2
        return 1
    fi
    if ! have apt-get; then
        printf '%s: no apt-get here to install %s with\n' "${0##*/}" "$*" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ] && ! have sudo; then
        printf '%s: not installing %s: neither root nor sudo\n' "${0##*/}" "$*" >&2
        return 1
    fi
    say "installing $*"
    if [ "$apt_fresh" = no ]; then
        apt_get update || say "the package lists cannot be fetched; trying with those at hand"
        apt_fresh=yes
    fi
    apt_get install --yes --no-install-recommends "$@"
}

# Which packages are needed for what is missing.  Each prints names or nothing.
missing_program() { # PROGRAM PACKAGE
    have "$1" || printf '%s\n' "$2"
}

missing_header() { # HEADER PACKAGE; true as well if no compiler can tell
    printf '#include <%s>\n' "$1" | "${CC:-cc}" -E -x c - >/dev/null 2>&1 || printf '%s\n' "$2"
}

# The tool that CMake will build with: what the presets name, else make.
missing_build_tool() {
    if grep -q '"generator": *"Ninja' CMakePresets.json 2>/dev/null ||
        [ "${CMAKE_GENERATOR:-}" = Ninja ]; then
        missing_program ninja ninja-build
    else
        missing_program make make
    fi
}

# need_to_build: a C compiler, CMake, what it drives and what it looks for;
# stops if they cannot be had.
need_to_build() {
    local lacking
    lacking=$(
        missing_program "${CC:-cc}" "${CC:-gcc}"
        missing_header stdio.h libc6-dev
        missing_program cmake cmake
        missing_build_tool
        missing_program pkg-config pkg-config
        missing_header check.h check
    )
    if [ -n "$lacking" ]; then
        # shellcheck disable=SC2086 # a list of words
        apt_install $lacking || die "cannot build without: ${lacking//$'\n'/ }"
    fi
    need_cmake
}

# The same number as in CMakeLists.txt.
need_cmake() {
    local found oldest
    found=$(cmake --version | sed -n '1s/.* \([0-9][0-9.]*\).*/\1/p')
    oldest=$(printf '%s\n' 3.25 "$found" | sort -V | head -n 1)
    [ "$oldest" = 3.25 ] || die "CMake 3.25 or newer is needed, but $(command -v cmake) is $found" \
        "(Debian 12 and Ubuntu 24.04 have a newer one; elsewhere see https://cmake.org)"
}

# build_release LOG TARGET...: quietly, in build/release; stops with what was said if
# that fails.
build_release() {
    local log=$1
    shift
    say 'building build/release'
    {
        cmake --preset release &&
            cmake --build build/release --parallel "$(cores)" --target "$@"
    } >"$log" 2>&1 || {
        cat "$log"
        die 'the build failed'
    }
}

# submitted FILE: how many requests the reports of UAIO_STATS in it count; 0 without any.
submitted() {
    awk '$1 == "submitted" { n += $2 } END { printf "%.0f", n }' "$1" 2>/dev/null || echo 0
}

# want_sanitizers: clang has its runtimes in a package of their own.
want_sanitizers() {
    local major runtime
    "${CC:-cc}" --version | grep clang >/dev/null || return 0
    runtime=$("${CC:-cc}" -print-file-name="libclang_rt.asan-$(uname -m).a")
    [ ! -f "$runtime" ] || return 0
    major=$("${CC:-cc}" -dumpversion)
    apt_install "libclang-rt-${major%%.*}-dev" || say "clang's sanitizers cannot be had"
}

# want PROGRAM PACKAGE WHAT-FOR: install it if that can be done, else go on.
want() {
    have "$1" && return
    apt_install "$2" && have "$1" && return
    say "$1 cannot be had: $3"
}

cores() {
    nproc 2>/dev/null || echo 2
}

# ---- Debian's sources --------------------------------------------------------------

# apt-get and apt-cache that know the sources of what this machine has packages of,
# in either format, and keep their lists in a directory of their own.
source_apt() { # DIRECTORY PROGRAM ARGUMENT...
    local dir=$1 program=$2
    shift 2
    "$program" -q -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$dir/lists" -o APT::Sandbox::User= "$@"
}

list_sources() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -n 's/^deb  *\(\[[^]]*\] *\)\{0,1\}\(.*\)/deb-src \2/p'
    cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk '
        function flush(  i, n, suite) {
            n = split(suites, suite, " ")
            for (i = 1; uris && i <= n; i++)
                print "deb-src", uris, suite[i], components
            uris = suites = components = ""
        }
        /^$/ { flush() }
        /^URIs:/ { uris = $2 }
        /^Suites:/ { sub(/^[^:]*: */, ""); suites = $0 }
        /^Components:/ { sub(/^[^:]*: */, ""); components = $0 }
        END { flush() }'
}

# fetch_source PACKAGE DIRECTORY: the newest version that the mirror has in full,
# unpacked in DIRECTORY/source.  Nothing is installed.
fetch_source() {
    local package=$1 dir=$2 version
    mkdir -p "$dir/lists/partial"
    dir=$(realpath "$dir")
    list_sources | sort -u >"$dir/sources.list"
    if [ ! -s "$dir/sources.list" ]; then
        printf '%s: apt has no sources here\n' "${0##*/}" >&2
        return 1
    fi
    (
        cd "$dir"
        source_apt "$dir" apt-get update
        for version in $(source_apt "$dir" apt-cache showsrc "$package" |
            sed -n 's/^Version: //p' | sort -rV); do
            rm -rf source "${package}"_*
            ! source_apt "$dir" apt-get source --download-only "$package=$version" ||
                exec dpkg-source --no-check -x "${package}"_*.dsc source
        done
        exit 1
    )
}
