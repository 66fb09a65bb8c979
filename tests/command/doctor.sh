#!/bin/sh
# SPDX-License-Identifier: MIT
#
# uaio doctor, as a user meets it: what it finds out about programs that are made here,
# each with one way to asynchronous I/O, and about the system; its verdicts and statuses.
#
#     doctor.sh <uaio> <preload> <compiler> [<without-aio>]
set -eu

uaio=$1
library=$(realpath "$2")
cc=$3
without_aio=${4-}
# shellcheck source=tests/command/common.sh
. "$(dirname "$0")/common.sh"
unset LD_PRELOAD LD_LIBRARY_PATH

# expect STATUS TEXT ARGUMENT...: it ends so, and says that; its lines are joined.
expect() {
    status=$1 text=$2
    shift 2
    found=0
    "$uaio" doctor "$@" >out 2>err || found=$?
    [ "$found" = "$status" ] || fail "uaio doctor $*: status $found, not $status: $(cat out err)"
    tr -s '\n ' ' ' <out | cat - err >joined
    grep -q -e "$text" joined || fail "uaio doctor $*: says nothing of '$text': $(cat out err)"
}

# golden NAME PROGRAM: what is said of it, without what is of this machine.
golden() {
    "$uaio" doctor "$2" 2>&1 | sed -n '/^Without/,$p' | sed -n '/^$/,$p' |
        sed -e "s|$scratch|@scratch|g" -e 's/^  file  .*, for \(.*\)/  file  @machine, for \1/' \
            -e 's/^  file  .*, statically/  file  @machine, statically/' \
            -e 's|^  loader  .*|  loader  @loader|' >out || :
    diff -u "$here/golden/$1" out || fail "uaio doctor $2: see above"
}

# ---- programs -------------------------------------------------------------------------------

# program NAME FUNCTION COMPILER-ARGUMENT...: it calls that one.
program() {
    name=$1 function=$2
    shift 2
    printf 'extern int %s(void);\nint main(void)\n{\n    return %s();\n}\n' "$function" \
        "$function" >"$name.c"
    "$cc" -fno-builtin -o "$name" "$name.c" "$@"
}

# shared FILE FUNCTION COMPILER-ARGUMENT...: a library that has it.
shared() {
    file=$1 function=$2
    shift 2
    printf 'int %s(void);\nint %s(void)\n{\n    return 0;\n}\n' "$function" "$function" >shared.c
    "$cc" -shared -fPIC -Wl,-soname,"$(basename "$file")" -o "$file" shared.c "$@"
}

mkdir libs more gone
shared libs/libaio.so.1 io_submit
shared libs/liburing.so.2 io_uring_setup
shared libs/libuaio-rt.so.0 aio_error
shared libs/libuaio.so.0 uaio_read
shared gone/libgone.so.1 aio_read # in no directory that is searched
# One library that needs another: what is searched for the one is not for the other.
printf 'extern int aio_read(void);\nint deep(void);\nint deep(void)\n{\n    return aio_read();\n}\n' >deep.c
"$cc" -shared -fPIC -Wl,-soname,libdeep.so -o more/libdeep.so deep.c
printf 'extern int deep(void);\nint near(void);\nint near(void)\n{\n    return deep();\n}\n' >near.c
"$cc" -shared -fPIC -Wl,-soname,libnear.so -Wl,--enable-new-dtags,-rpath,"\$ORIGIN/../more" \
    -o libs/libnear.so near.c more/libdeep.so

runpath="-Wl,--enable-new-dtags,-rpath,$scratch/libs"
program plain puts
program posix aio_read
program native io_submit libs/libaio.so.1 "$runpath"
program uring io_uring_setup libs/liburing.so.2 "$runpath"
program linked aio_error libs/libuaio-rt.so.0 "$runpath"
program prefixed uaio_read libs/libuaio.so.0 "$runpath"
program both aio_read -Wl,--no-as-needed libs/libuaio.so.0 "$runpath"
program number syscall
program plugins dlopen
program lost aio_read gone/libgone.so.1
# shellcheck disable=SC2016 # the loader's variable
program outer near libs/libnear.so '-Wl,--enable-new-dtags,-rpath,$ORIGIN/libs' \
    -Wl,--allow-shlib-undefined
cat >own.c <<'END'
static __attribute__((noinline)) int io_submit(void)
{
    __asm__ volatile("");
    return 0;
}
int main(void)
{
    return io_submit();
}
END
"$cc" -o own own.c

golden doctor-posix ./posix
golden doctor-outer ./outer
golden doctor-lost ./lost
expect 0 'POSIX AIO aio_read Verdict It will gain' ./posix
expect 1 'no asynchronous I/O' ./plain
expect 1 'io_uring, which uaio leaves alone' ./uring
expect 1 'on uaio already' ./linked
expect 1 'already, by the names of libuaio.so' ./prefixed
expect 0 'It will gain' ./both
expect 1 'loads later (dlopen)' ./plugins
expect 3 'has native AIO within itself' ./own
! grep -q 'io_submit' "$library" || expect 1 'not known whether.*imports syscall' ./number
if grep -q io_submit "$library"; then
    expect 0 'native AIO io_submit Verdict It will gain' ./native
else
    expect 3 'this build of the library has POSIX AIO alone' ./native
fi

# Libraries are found as the loader finds them; without them it is not known.
program missing puts -Wl,--no-as-needed gone/libgone.so.1
expect 1 'not found libgone.so.1 .*not known whether' ./missing
LD_LIBRARY_PATH=$scratch/gone expect 1 'uses no asynchronous I/O' ./missing
if "$cc" -static -o static plain.c 2>/dev/null; then
    golden doctor-static ./static
    expect 3 'statically linked' ./static
    printf '#!%s/static\n' "$scratch" >script
    chmod +x script
    golden doctor-script ./script
else
    echo 'not tried: static programs: this compiler makes none'
fi
expect 0 'a library.*run --stats PROGRAM' libs/libnear.so
PATH=$scratch:$PATH expect 0 "$scratch/posix" posix

# ---- what cannot be examined ------------------------------------------------------------------

printf 'some text\n' >text
for size in 0 3 20 63 64 100 1000 4000; do
    head -c "$size" plain >"damaged.$size"
    expect 4 'Nothing can be said of it' "damaged.$size"
done
grep -q 'damaged ELF file' out || fail "of a damaged file: $(cat out)"
expect 4 'no ELF file' text
expect 4 'not a regular file' /dev/null
mkfifo fifo
expect 4 'not a regular file' fifo
expect 4 'Is a directory' ./libs
expect 4 'no program .none-of-that.' none-of-that
expect 4 'no file ./none/of/that' /none/of/that

# Names are not to steer the terminal, nor to break the JSON.
escape=$(printf 'a\033[31m"\\\377')
cp posix "$escape"
expect 0 'a?\[31m"' "./$escape"
! grep -q "$(printf '\033')" out || fail 'a name steers the terminal'

# ---- options ------------------------------------------------------------------------------------

expect 0 'Exit status' --help
expect 2 "unrecognized option '--sing'" --sing
expect 2 'one program at a time' posix native
# shellcheck disable=SC2046 # many words
expect 2 'at most 16' $(seq -f '--directory=%.0f' 17)
expect 3 'none.so: No such file' --preload none.so
expect 3 'is no shared library' --preload plain posix
mkdir 'with blank'
cp "$library" 'with blank/'
expect 3 'cannot hold the path' --preload 'with blank/libuaio-preload.so'
if [ -e /dev/full ]; then
    ! "$uaio" doctor >/dev/full 2>err || fail 'output that is lost is no error'
    grep -q 'cannot be written' err || fail "of output that is lost: $(cat err)"
fi

# ---- the system ------------------------------------------------------------------------------------

"$uaio" doctor --directory . --directory none | sed -e '/^Verdict/,$d' \
    -e 's/^\(  [a-z].\{17\}\) .*/\1 @value/' -e 's/^\(  native AIO\|  io_uring\) .*/\1 @value/' \
    -e 's/^  \.  *[a-z0-9.-]*  *\(yes\|no\).*/  . @yes-or-no/' >out
diff -u "$here/golden/doctor-system" out || fail 'of the system: see above'
expect 0 'uaio can be used here'
expect 0 'none .*cannot be tried: No such file' --directory none
expect 0 'kernel Linux .* processors [1-9]'
mkdir empty
expect 0 'O_DIRECT \. .*\(yes\|no\) .*\(yes\|no\) .*\(yes\|no\)' --directory .
"$uaio" doctor --directory empty >/dev/null
[ -z "$(ls -A empty)" ] || fail "left behind: $(ls -A empty)"

# What the kernel refuses is told, also from under uaio, which does not.
if [ -n "$without_aio" ] && "$without_aio" true 2>/dev/null; then
    plain_uaio=$uaio
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$without_aio" "$plain_uaio" >denied
    printf '#!/bin/sh\nexec "%s" "%s" run -- "%s" "$@"\n' "$without_aio" "$plain_uaio" \
        "$plain_uaio" >denied-under-uaio
    chmod +x denied denied-under-uaio
    for uaio in ./denied ./denied-under-uaio; do
        expect 0 'native AIO \(missing\|refused\) .*programs that need it work under' --directory .
        ! grep -q io_submit "$library" || expect 0 "here; uaio's works" ./native
    done
    uaio=$plain_uaio
else
    echo 'not tried: a kernel that refuses native AIO'
fi

# ---- JSON -----------------------------------------------------------------------------------------------

if command -v python3 >/dev/null; then
    cat >check.py <<'END'
import json
import sys

report = json.load(open("out", encoding="utf-8"))
for path, wanted in zip(sys.argv[1::2], sys.argv[2::2]):
    value = report
    for step in path.split("."):
        value = value[int(step) if step.isdigit() else step]
    if str(value) != wanted:
        sys.exit(f"{path} is {value!r}, not {wanted}")
END
    # json STATUS PROGRAM PATH VALUE...: so it is there.
    json() {
        status=$1 name=$2
        shift 2
        expect "$status" '"verdict"' --json ${name:+"$name"}
        python3 check.py "$@" || fail "uaio doctor --json $name: $(cat out)"
    }
    json 0 '' verdict usable preload "$library" system.directories.0.path .
    json 0 ./posix verdict gain program.uses.0.name aio_read program.uses.0.road posix \
        program.uses.0.taken_over True program.uses.0.in ./posix program.obstacle None \
        program.link dynamic
    json 0 ./outer verdict gain program.uses.0.in "$scratch/libs/../more/libdeep.so"
    json 1 ./plain verdict no-gain program.uses '[]'
    json 1 ./missing program.not_found.0 libgone.so.1
    json 3 ./own verdict unreachable program.uses.0.road own program.uses.0.taken_over False
    [ ! -e static ] || json 3 ./static verdict unreachable program.obstacle static program.link static
    json 4 ./none verdict unexamined program.name ./none
    json 4 ./damaged.100 verdict unexamined program.obstacle damaged
    json 0 "./$escape" verdict gain program.name "$(printf './a\033[31m"\\\357\277\275')"
else
    echo 'not tried: JSON: no python3'
fi
echo 'all as it should be'
