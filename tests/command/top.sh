#!/bin/sh
# SPDX-License-Identifier: MIT
#
# uaio top, beside processes that do so many requests and no more: what it shows of
# them is exact.  Then all that may be in its way.
#
#     top.sh <uaio> <directory of the test programs> <preload library>
set -eu

uaio=$1
bin=$2
preload=$3
# shellcheck source=tests/command/common.sh
. "$(dirname "$0")/common.sh"
pid='' other=''

# Only what we have started.
stop() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || :
    [ -z "$other" ] || kill "$other" 2>/dev/null || :
}
trap 'stop; rm -rf "$scratch"' EXIT
begun=0
echo some >file
unset UAIO_STATS UAIO_THREADS

# begin COMMAND...: a process that is told by `tell`.
begin() {
    begun=$((begun + 1)) # a child of the last one may still have its pipes open
    mkfifo in.$begun out.$begun
    "$@" <in.$begun >out.$begun 2>err 3>&- 4<&- &
    pid=$!
    exec 3>in.$begun 4<out.$begun
}

# tell COMMAND...: to its end; the answer is in $answer.
tell() {
    echo "$*" >&3
    read -r answer <&4 || fail "no answer to '$*': $(cat err)"
}

begin_watched() { # PROGRAM [VARIABLE=VALUE]...
    program=$1
    shift
    begin env "$@" "$bin/$program" file
    tell reads 0
}

finish() {
    exec 3>&- 4<&-
    wait "$pid" || fail "the watched process: status $?: $(cat err)"
    pid=''
}

# expect STATUS TEXT ARGUMENT...: it ends so, and says that.
expect() {
    status=$1 text=$2
    shift 2
    found=0
    "$uaio" top "$@" >said 2>&1 || found=$?
    [ "$found" = "$status" ] || fail "uaio top $*: status $found, not $status: $(cat said)"
    grep -Eq -- "$text" said || fail "uaio top $*: says nothing of '$text': $(cat said)"
}

# has TEXT NAME NUMBER: the counter NAME of what was said; the totals are the last in a column.
has() {
    grep -Eq "(^|  )$1 +$2( |\$)" said || fail "not $1 $2: $(cat said)"
}

# --- the command line
expect 0 'Exit status' --help
expect 2 'id of one process'
expect 2 'id of one process' 1 2
expect 2 'no id of a process' x
expect 2 'no id of a process' -- -1
expect 2 'no id of a process' 0
expect 2 'no id of a process' 99999999999999999999
expect 2 'from 0.1 to 3600' --interval 0 1
expect 2 'from 0.1 to 3600' --interval nan 1
expect 2 'from 0.1 to 3600' --interval 1x 1
expect 2 'from 1 to' --count 0 1
expect 2 "'uaio top --help'" --fast 1

# --- exact counts, in all ways to have uaio
for way in watched-libc watched-rt watched-prefixed watched-static; do
    case $way in
    watched-libc) begin_watched $way LD_PRELOAD="$preload" ;;
    *) begin_watched $way ;;
    esac
    expect 0 'no request has been made yet' --once "$pid"
    has reads 0
    tell reads 100
    tell writes 20
    tell syncs 3
    tell fails 7
    expect 0 'in flight 0 ' --once "$pid"
    has reads 107
    has writes 20
    has syncs 3
    has completed 123
    has failed 7
    has cancelled 0
    grep -Eq '^read +[1-9]' said || fail "$way: no latencies: $(cat said)"
    grep -Eq "^[0-9]+ +123 +0 $scratch/file\$" said || fail "$way: not the file: $(cat said)"
    tell waits 0
    expect 0 'in flight 1 \(most ' --once "$pid"
    grep -Eq '^[0-9]+ +1 +1 pipe:' said || fail "$way: not what waits: $(cat said)"
    finish
done

begin_watched watched-rt
object='libuaio-rt\.so'
expect 0 "process $pid, watched-rt \\($object" --once "$pid"
! grep -q '.\{81\}' said || fail "wider than 80 columns: $(cat said)"

# --- where a sandbox refuses the call that reads memory, there is the file
if command -v strace >/dev/null && strace -o calls true 2>/dev/null; then
    strace -o calls -e trace=process_vm_readv -e inject=process_vm_readv:error=ENOSYS \
        "$uaio" top --once "$pid" >said 2>&1 || fail "without process_vm_readv: $(cat said)"
    grep -q INJECTED calls || fail 'strace refuses nothing'
    has reads 0
else
    echo 'not tried without process_vm_readv: no strace'
fi

# --- what happens between two samples; the totals are exact, the rates depend
tell reads 5
"$uaio" top --count 2 --interval 0.1 "$pid" >said
[ "$(grep -c 'per second  ' said)" = 4 ] || fail "not two samples: $(cat said)"
has reads '0 +5'
expect 0 '"reads": 5,.*"per_second": \{"reads": 0.000' --json --count 1 --interval 0.1 "$pid"
expect 0 '"total": \{"reads": 5,' --json --once "$pid"
if command -v python3 >/dev/null; then
    python3 -m json.tool said >/dev/null || fail "no JSON: $(cat said)"
fi

# --- a child has its parent's memory, and has done nothing
tell forks
expect 0 'no request has been made yet' --once "$answer"
has reads 0

# --- it ends, or becomes another program, while it is watched
"$uaio" top --interval 0.1 "$pid" >said 2>&1 3>&- 4<&- &
other=$!
until grep -q 'the last' said; do
    kill -0 "$other" || fail "it ended by itself: $(cat said)"
done
ended=$pid
finish
wait "$other" || fail "status $? when the process has ended: $(cat said)"
other=''
[ "$(tail -n 1 said)" = "process $ended has ended" ] || fail "not how it ended: $(cat said)"
expect 1 "there is no process $ended" "$ended"

begin_watched watched-rt
tell reads 1
"$uaio" top --interval 0.1 "$pid" >said 2>&1 3>&- 4<&- &
other=$!
until grep -q 'the last' said; do
    kill -0 "$other" || fail "it ended by itself: $(cat said)"
done
echo execs >&3
wait "$other" || fail "status $? when the process is another program: $(cat said)"
other=''
[ "$(tail -n 1 said)" = "process $pid runs another program now, without uaio" ] ||
    fail "not what it became: $(cat said)"
expect 1 "no uaio in process $pid \\(cat\\)" "$pid"
finish

# --- what is not ours
for how in version processor copy; do
    begin "$bin/other_beacon" "$how"
    read -r answer <&4
    case $how in
    version) text='does not know, 9\.8\.7' ;;
    processor) text='another kind of processor' ;;
    copy) text='no uaio in process' ;;
    esac
    expect 1 "$text" --once "$pid"
    finish
done

# --- what is not allowed
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    begin_watched watched-rt
    found=0
    setpriv --reuid 65534 --regid 65534 --clear-groups "$uaio" top --once "$pid" >said 2>&1 ||
        found=$?
    if [ "$found" = 126 ] || [ "$found" = 127 ]; then # a directory that is root's alone
        echo "not tried as another user: $(cat said)"
    else
        [ "$found" = 1 ] || fail "as another user: status $found: $(cat said)"
        grep -Eq "not permitted.* run as (its user, or as )?root" said ||
            fail "as another user: $(cat said)"
    fi
    finish
fi

# --- on a terminal
begin_watched watched-rt
tell reads 3
for size in '80 24' '80 10' '40 24' '79 50' '200 60' '1 1'; do
    # shellcheck disable=SC2086 # two words
    "$bin/screen" $size quit "$uaio" top --interval 0.1 "$pid" || fail "a terminal of $size"
done
for action in INT TERM HUP QUIT stop resize hang-up; do
    "$bin/screen" 80 24 "$action" "$uaio" top --interval 0.1 "$pid" || fail "$action"
done
"$bin/screen" 80 24 none "$uaio" top --interval 0.1 --count 2 "$pid" || fail 'a count'
finish
echo 'all as it should be'
