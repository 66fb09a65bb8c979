#!/bin/sh
# SPDX-License-Identifier: MIT
#
# uaio run, as a user meets it: what it hands on, what it refuses and why, its statuses;
# and that a real program's requests reach uaio.
#
#     run.sh <uaio> <preload> <copy> <compiler>
#
# What this machine cannot make (a program for musl, say) is not tried, and told.
# shellcheck disable=SC2016 # variables of other shells
set -eu

uaio=$1
library=$(realpath "$2")
copy=$3
cc=$4
nobody=65534
# shellcheck source=tests/command/common.sh
. "$(dirname "$0")/common.sh"
chmod 755 .
unset LD_PRELOAD UAIO_THREADS UAIO_IDLE_MS UAIO_MAX_REQUESTS UAIO_MAX_EVENTS UAIO_BACKEND \
    UAIO_STRICT UAIO_INLINE UAIO_HELP UAIO_STATS

# expect STATUS TEXT ARGUMENT...: it ends so, and says that; TEXT '' is for silence.
expect() {
    status=$1 text=$2
    shift 2
    found=0
    "$uaio" run "$@" >out 2>&1 || found=$?
    [ "$found" = "$status" ] || fail "uaio run $*: status $found, not $status: $(cat out)"
    if [ -n "$text" ]; then
        grep -q -e "$text" out || fail "uaio run $*: says nothing of '$text': $(cat out)"
    else
        [ ! -s out ] || fail "uaio run $*: says: $(cat out)"
    fi
}

# golden NAME ARGUMENT...: what is printed, with the paths of this machine taken out.
golden() {
    name=$1
    shift
    "$uaio" run "$@" 2>&1 | sed -e "s|$library|@library|g" -e "s|$scratch|@scratch|g" >out || :
    diff -u "$here/golden/$name" out || fail "uaio run $*: see above"
}

# ---- what is said ------------------------------------------------------------------------

expect 0 'Exit status' --help
expect 125 'which program'
expect 125 'which program' --strict --
expect 125 "unrecognized option '--sing'" --sing true
expect 125 'come after its name' --sing true
expect 125 'emulate or native-first' --backend paper true
expect 125 'after the =' --stats= true
expect 125 'No such file' --preload "$scratch/none.so" true
expect 125 'no ELF file' --preload "$here/run.sh" true
expect 125 'no shared library' --preload "$copy" true

# ---- settings: the ranges are the library's --------------------------------------------------

printf 'some text\n' >from
# wanted VARIABLE VALUE: the range, as the library tells it.
wanted() {
    env "$1=$2" LD_PRELOAD="$library" "$copy" from to 2>&1 | sed -n 's/.*(a number \(.*\)); using.*/\1/p'
}
while read -r option variable; do
    range=$(wanted "$variable" none)
    [ -n "$range" ] || fail "the library says no range of $variable"
    least=$(echo "$range" | sed 's/from \([0-9]*\) .*/\1/')
    most=$(echo "$range" | sed 's/.* to //')
    for bad in none '' -1 1x " $most" "$((most + 1))" 99999999999999999999; do
        expect 125 "a number $range is wanted" "$option" "$bad" true
    done
    [ "$least" = 0 ] || expect 125 "a number $range" "$option" "$((least - 1))" true
    for good in "$least" "$most"; do
        expect 0 "^$variable=$good\$" "$option" "$good" env
        expect 0 "^$variable=$good\$" "$option=$good" -- env
    done
done <<'END'
--threads UAIO_THREADS
--idle-ms UAIO_IDLE_MS
--max-requests UAIO_MAX_REQUESTS
--max-events UAIO_MAX_EVENTS
END
expect 0 '^UAIO_BACKEND=native-first$' --backend native-first env
expect 0 '^UAIO_STRICT=1$' --strict env
expect 0 '^UAIO_INLINE=0$' --no-inline env
expect 0 '^UAIO_HELP=0$' --no-helping env
expect 0 '^UAIO_STATS=stderr$' --stats env
expect 0 "^UAIO_STATS=$scratch/report\$" --stats=report env
expect 0 '^UAIO_THREADS=7$' --threads 3 --threads 7 env
UAIO_THREADS=9 expect 0 '^UAIO_THREADS=9$' --strict env
ln -s nowhere link
expect 125 'symbolic link' --stats=link true
expect 125 'No such file' --stats="$scratch/none/report" true

# ---- what is run --------------------------------------------------------------------------------

chmod +x from
golden run-dry-run --dry-run --strict --threads=16 --stats=report -- ./from "two words" "it's" ''
rm -f report
"$uaio" run --dry-run --stats=report true >/dev/null
[ ! -e report ] || fail '--dry-run makes a file'
# What it prints can be given to a shell.
"$uaio" run --dry-run --threads 5 sh -c 'echo "$UAIO_THREADS $1"' - 'a  b' >line
[ "$(sh ./line)" = '5 a  b' ] || fail "--dry-run prints: $(cat line)"

expect 0 "^LD_PRELOAD=$library\$" env
"$cc" -shared -fPIC -x c -o other.so /dev/null
LD_PRELOAD=$scratch/other.so expect 0 "^LD_PRELOAD=$library:$scratch/other.so \\\\\$" --dry-run env
LD_PRELOAD=$library:$scratch/other.so expect 0 "^LD_PRELOAD=$library:$scratch/other.so \\\\\$" --dry-run env
expect 0 '^-c$' sh -c 'echo "$1"' - -c
expect 3 '' sh -c 'exit 3'
expect 0 '' true --no-such-option
# No process is between: the number is the program's, and so are its signals.
"$uaio" run sh -c 'echo $$ >pid; kill -USR1 $$' 2>/dev/null &
pid=$!
found=0
wait "$pid" || found=$?
[ "$(cat pid)" = "$pid" ] || fail "another process: $(cat pid), not $pid"
[ "$found" -gt 128 ] || fail "a signal was lost: status $found"

# What cannot be run, as env(1) says it.
expect 127 'no program .none-of-that. in the directories of PATH' none-of-that
expect 127 'no file ./none/of/that' /none/of/that
expect 127 'name of the program is empty' ''
expect 126 'chmod +x' ./to
expect 126 'Is a directory' "$scratch"
mkdir bin
cp to bin/denied
PATH=$scratch/bin:$PATH expect 126 "$scratch/bin/denied" denied
printf '#!/bin/sh\n' >bin/twice
chmod +x bin/twice
mkdir first
cp to first/twice
PATH=$scratch/first:$scratch/bin:$PATH expect 0 '' twice

# ---- requests reach uaio ---------------------------------------------------------------------------

dd if=/dev/zero of=from.data bs=4096 count=100 2>/dev/null
submitted() {
    awk '$1 == "submitted" { n += $2 } END { print n + 0 }' "$1"
}
expect 0 '' --stats=report "$copy" from.data to
[ "$(submitted report)" -ge 201 ] || fail "not all of 201 requests: $(cat report)"
grep -q '^  inline_hits  *[1-9]' report || echo 'nothing was read inline: not tried without'
expect 0 '' --no-inline --stats=report.pool "$copy" from.data to
grep -q '^  inline_hits  *0$' report.pool || fail "--no-inline: $(cat report.pool)"
expect 0 '^  submitted  *201$' --stats "$copy" from.data to
mkdir elsewhere
expect 0 '' --stats=report.cd sh -c "cd elsewhere && exec '$copy' ../from.data ../to"
[ "$(submitted report.cd)" = 201 ] || fail 'a program that changes its directory reports elsewhere'
printf '#!/bin/sh\nexec "%s" from.data to\n' "$copy" >script
chmod +x script
expect 0 '^  submitted  *201$' --stats ./script

# ---- what cannot work --------------------------------------------------------------------------------

cat >program.c <<'END'
#include <stdio.h>
int main(void)
{
    return puts("it ran") < 0;
}
END

# refused TEXT ARGUMENT...: with the reason and a way out, and --force runs it.
refused() {
    text=$1
    shift
    expect 125 "$text" "$@"
    grep -q 'Way out: ' out || fail "uaio run $*: no way out: $(cat out)"
    ! grep -q 'it ran' out || fail "uaio run $*: it ran: $(cat out)"
    expect 0 'it ran' --force "$@"
}

not_tried() {
    echo "not tried: $*"
}

"$cc" -o plain program.c
expect 0 'it ran' ./plain
if "$cc" -static -o static program.c 2>/dev/null; then
    refused 'statically linked' ./static
    printf '#!%s/static\n' "$scratch" >static-script
    chmod +x static-script
    refused "interpreter $scratch/static: .*statically" ./static-script
    printf '#!/usr/bin/env -S static -x\n' >env-script
    chmod +x env-script
    PATH=$scratch:$PATH refused "static: .*statically" ./env-script
    golden run-static ./static-script
else
    not_tried 'static programs: this compiler makes none'
fi

if command -v musl-gcc >/dev/null && ! echo "$cc" | grep -q musl && musl-gcc -o musl program.c; then
    expect 125 'runs on musl, and the library is for glibc' ./musl
    grep -q 'Way out: ' out || fail "no way out: $(cat out)"
else
    not_tried 'another libc: no musl-gcc'
fi

# Its machine is changed: the kernel would not run it, either.
for machine in '\0003\0000 i386' '\0267\0000 aarch64'; do
    [ "$(od -An -tx1 -j5 -N1 plain | tr -d ' ')" = 01 ] || break # of that byte order
    [ "$(uname -m)" != "${machine#* }" ] || continue
    cp plain foreign
    printf '%b' "${machine% *}" | dd of=foreign bs=1 seek=18 conv=notrunc 2>/dev/null
    expect 125 "it is for ${machine#* } of " ./foreign
done
if "$cc" -m32 -o narrow program.c 2>/dev/null && [ "$(od -An -tx1 -j4 -N1 plain)" != \
    "$(od -An -tx1 -j4 -N1 narrow)" ]; then
    refused 'of 32 bits, and the library for' ./narrow
else
    not_tried 'programs of 32 bits: this compiler makes none'
fi

head -c 100 plain >damaged
chmod +x damaged
expect 125 'damaged ELF file' ./damaged
printf '#!%s/none\n' "$scratch" >orphan
chmod +x orphan
expect 127 "interpreter of './orphan' is missing" ./orphan
printf '#!\n' >nobody-s
chmod +x nobody-s
expect 126 'names no interpreter' ./nobody-s
printf '#!%s/loop\n' "$scratch" >loop
chmod +x loop
expect 126 'script of a script' ./loop

# A note tells a Go program.
cat >note.c <<'END'
#include <stdio.h>
__attribute__((section(".note.go.buildid"), used, aligned(4))) static const struct {
    unsigned name, text, kind;
    char go[4];
} note = {4, 0, 4, "Go\0"};
int main(void)
{
    return puts("it ran") < 0;
}
END
"$cc" -o noted note.c
expect 0 'warning: it is a Go program' ./noted
grep -q 'it ran' out || fail "it was only warned of: $(cat out)"

# ---- other users' rights ---------------------------------------------------------------------------------

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    as_nobody() {
        setpriv --reuid "$nobody" --regid "$nobody" --clear-groups "$@"
    }
    cp plain setuid
    chmod 4755 setuid
    cp plain setgid
    chmod 2755 setgid
    cp plain closed
    chmod 711 closed
    if as_nobody ./plain >/dev/null 2>&1 && as_nobody "$uaio" run ./plain >/dev/null 2>&1; then
        plain_uaio=$uaio
        uaio=$scratch/as-nobody
        cat >as-nobody <<END
#!/bin/sh
exec setpriv --reuid $nobody --regid $nobody --clear-groups "$plain_uaio" "\$@"
END
        chmod 755 as-nobody
        refused 'set-user-ID' ./setuid
        refused 'set-group-ID' ./setgid
        mkdir -m 700 private
        PATH=$scratch/private:$PATH expect 127 'no program .none-of-that.' none-of-that
        expect 0 'it ran' ./closed # it may be run, not read: there is nothing to say
        cp plain capable
        if command -v setcap >/dev/null && setcap cap_net_raw+ep capable 2>/dev/null; then
            refused 'capabilities' ./capable
        else
            not_tried 'file capabilities: no setcap, or none to be had'
        fi
        uaio=$plain_uaio
    else
        not_tried 'set-user-ID programs: another user cannot run programs here'
    fi
    expect 0 'it ran' ./setuid # of root's own: no rights change
else
    not_tried 'set-user-ID programs: not root, or no setpriv'
fi

# ---- where the library is ---------------------------------------------------------------------------------

mkdir -p tree/bin tree/lib 'with blank' alone/bin
cp "$uaio" tree/bin/
cp "$library" tree/lib/
cp "$library" 'with blank/'
cp "$library" 'with:colon.so'
cp "$uaio" alone/bin/
ln -s "$scratch/tree/bin/uaio" linked
[ "$(tree/bin/uaio run sh -c 'echo "$LD_PRELOAD"')" = "$scratch/tree/lib/libuaio-preload.so" ] ||
    fail 'not the library beside the command'
[ "$(./linked run sh -c 'echo "$LD_PRELOAD"')" = "$scratch/tree/lib/libuaio-preload.so" ] ||
    fail 'not the library beside the command that a link leads to'
expect 0 "^$scratch/tree/lib/libuaio-preload.so\$" --preload tree/lib/libuaio-preload.so \
    sh -c 'echo "$LD_PRELOAD"'
for path in 'with blank/libuaio-preload.so' with:colon.so; do
    expect 125 'cannot hold the path' --preload "$path" ./plain
    expect 125 'Way out' --force --preload "$path" ./plain
done
found=0
alone/bin/uaio run ./plain >out 2>&1 || found=$?
if [ "$found" != 0 ]; then # none is installed here
    [ "$found" = 125 ] || fail "without a library: status $found: $(cat out)"
    grep -q 'say where it is with --preload FILE' out || fail "without a library: $(cat out)"
fi
echo 'all as it should be'
