#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# usage: tests/fuzz/run.sh [SECONDS-PER-HARNESS]
#
# Builds the programs of this directory for libFuzzer, in build/fuzz, and runs
# each for that long (default: 20), beginning with its corpus.  Fails if one
# finds something: the input is in build/fuzz/found then, and the program run
# with its name reproduces it.  What else is new in build/fuzz/inputs is kept for
# the next time.  77: no clang, or it has no libFuzzer.
#
# To take new inputs into the corpus:
#   build/fuzz/bin/fuzz-NAME -merge=1 tests/fuzz/corpus/NAME build/fuzz/inputs/NAME
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-20}
dir=build/fuzz
clang=${CLANG:-clang}

skip() {
    printf 'SKIP: %s\n' "$*"
    exit 77
}

command -v "$clang" >/dev/null || skip 'no clang'
mkdir -p "$dir/found"
printf '%s\n' '#include <stddef.h>' \
    'int LLVMFuzzerTestOneInput(const unsigned char *d, size_t n) { return d && n && 0; }' |
    "$clang" -fsanitize=fuzzer,address,undefined -x c -o "$dir/probe" - 2>/dev/null ||
    skip 'clang has no libFuzzer'

# Older sanitizers cannot run where the kernel spreads its mappings widely.
launcher=()
"$dir/probe" -runs=1 >/dev/null 2>&1 || launcher=(setarch "$(uname -m)" -R)
"${launcher[@]}" "$dir/probe" -runs=1 >/dev/null 2>&1 || skip 'no program built with it runs here'

cmake -S . -B "$dir" -DCMAKE_C_COMPILER="$clang" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-O1 \
    -DUAIO_SANITIZE=address,undefined -DUAIO_FUZZ=ON >"$dir/configure.log" 2>&1 || {
    cat "$dir/configure.log"
    exit 1
}
cmake --build "$dir" --target fuzz --parallel "$(nproc)"

# The leak checker stops all threads, which is not allowed everywhere.
export ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
status=0
for corpus in tests/fuzz/corpus/*; do
    name=${corpus##*/}
    mkdir -p "$dir/inputs/$name"
    options=(-max_total_time="$seconds" -timeout=60 -max_len=1000 -print_funcs=0 -verbosity=1
        -reduce_inputs=0 -artifact_prefix="$dir/found/$name-")
    [ ! -f "tests/fuzz/$name.dict" ] || options+=(-dict="tests/fuzz/$name.dict")
    if "${launcher[@]}" "$dir/bin/fuzz-$name" "${options[@]}" "$dir/inputs/$name" "$corpus" \
        >"$dir/$name.log" 2>&1; then
        printf 'fuzz-%s: %s\n' "$name" "$(grep '^Done ' "$dir/$name.log")"
    else
        grep -v -E '^#[0-9]+[[:space:]]+(NEW|RELOAD|pulse)' "$dir/$name.log" | tail -n 60
        status=1
    fi
done
exit "$status"
