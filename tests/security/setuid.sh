#!/bin/sh
# SPDX-License-Identifier: MIT
#
# setuid.sh PROGRAM SCRATCH: a program that is linked with uaio and runs with
# more rights than its user has takes no settings from the environment: it
# writes no file for them, and says nothing of them.
#
# The same program without the set-user-ID bit shows that they would have been
# taken.  Needs root, setpriv and a file system that honours the bit.  So with
# set-group-ID; and with a capability, where setcap is there to give it.
set -eu

program=$1
scratch=$2
nobody=65534

skip() {
    echo "SKIP: $*"
    exit 77
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

[ "$(id -u)" -eq 0 ] || skip "not root"
command -v setpriv >/dev/null || skip "no setpriv"

rm -rf "$scratch"
mkdir -p "$scratch/stats"
chmod 755 "$scratch"
chown "$nobody" "$scratch/stats"
cp "$program" "$scratch/plain"
cp "$program" "$scratch/setuid"
cp "$program" "$scratch/setgid"
cp "$program" "$scratch/capable"
chmod 755 "$scratch/plain" "$scratch/capable"
chmod 4755 "$scratch/setuid"
chmod 2755 "$scratch/setgid"

run() { # PROGRAM STATS-FILE
    setpriv --reuid "$nobody" --regid "$nobody" --clear-groups \
        env UAIO_THREADS=none UAIO_STATS="$scratch/stats/$2" "$scratch/$1" 2>"$scratch/$1.err"
}

run plain plain || skip "$(id -un "$nobody" 2>/dev/null || echo nobody) cannot run programs in $scratch"
[ -s "$scratch/stats/plain" ] || fail "an ordinary program has made no report: nothing is tested"
grep -q '^uaio: UAIO_THREADS=none' "$scratch/plain.err" ||
    fail "an ordinary program has not complained of UAIO_THREADS"

# Which user it was is shown by its file, had it made one.
run setuid setuid || fail "the set-user-ID program has failed"
[ ! -e "$scratch/stats/setuid" ] || {
    [ "$(stat -c %u "$scratch/stats/setuid")" = 0 ] || skip "set-user-ID is not honoured here"
    fail "a set-user-ID program has written the file that the environment names"
}

# By what the first has shown, the others are honoured, too.
ways='setuid setgid'
run setgid setgid || fail "the set-group-ID program has failed"
PATH=$PATH:/usr/sbin:/sbin
if setcap cap_net_bind_service+ep "$scratch/capable" 2>"$scratch/setcap.err"; then
    ways="$ways capable"
    run capable capable || fail "the program with a capability has failed"
fi
for way in $ways; do
    [ ! -e "$scratch/stats/$way" ] || fail "$way has written the file that the environment names"
    # gcov's runtime, in a build for coverage, complains by itself.
    ! grep -qv '^profiling:' "$scratch/$way.err" || fail "$way speaks: $(cat "$scratch/$way.err")"
done
echo "settings are taken without more rights, and not with: $ways"
rm -rf "$scratch"
