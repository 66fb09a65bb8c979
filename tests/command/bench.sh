#!/bin/sh
# SPDX-License-Identifier: MIT
#
# uaio bench, as a user meets it: what it says, what it leaves behind.  Its figures
# are nobody's business here.
#
#     bench.sh <uaio> [<preload library>]
set -eu

uaio=$(realpath "$1") preload=${2:+$(realpath "$2")}
# shellcheck source=tests/command/common.sh
. "$(dirname "$0")/common.sh"
mkdir data

settings= # in the environment of the next

# expect STATUS TEXT ARGUMENT...: it ends so, and says that.
expect() {
    status=$1 text=$2
    shift 2
    found=0
    # shellcheck disable=SC2086 # none, or one word
    env $settings "$uaio" "$@" >out 2>&1 || found=$?
    [ "$found" = "$status" ] || fail "uaio $*: status $found, not $status: $(cat out)"
    grep -q -- "$text" out || fail "uaio $*: says nothing of '$text': $(cat out)"
}

left_behind() {
    [ -z "$(ls data)" ] || fail "left behind: $(ls data)"
}

expect 2 'uaio bench'
expect 0 'uaio bench' --help
expect 0 '^uaio [0-9]' --version
expect 2 "no command 'sing'" sing
expect 0 'Exit status' bench --help
expect 2 'one of cached cold direct' bench --media paper
expect 2 'powers of two' bench --block 1000
expect 2 'from 512 to' bench --block 1
expect 2 'from 1 to' bench --depth 0
expect 2 'from 1 to' bench --depth -1
expect 2 'from 1 to' bench --depth 1x
expect 2 'nothing in it' bench --depth ,
expect 2 'from 0.01' bench --seconds nan
expect 2 'is no option' bench fast
expect 2 'combinations' bench --depth 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22 \
    --threads 1,2,3,4,5,6,7,8,9,10,11,12
expect 0 '^cached random read 4k depth 1$' bench --list
expect 0 '^direct sequential mixed 512 depth 1024 threads 2$' bench --list --media direct \
    --order sequential --io mixed --block 512 --depth 1k --threads 2
[ "$(wc -l <out)" = 1 ] || fail "more than one work: $(cat out)"
expect 1 'choose another --directory' bench --directory "$scratch/none"
expect 1 "$scratch/none/report" bench --directory data --size 1m --rounds 1 --seconds 0.01 \
    --depth 1 --no-trace --contenders blocking --html "$scratch/none/report"
expect 1 'report.html: Not a directory' bench --directory data --svg /dev/null/report.html
left_behind

# A directory's name may be as long as the system allows.
long=data
for _ in 1 2 3 4; do
    long=$long/$(printf '%0200d' 0)
done
mkdir -p "$long"
expect 0 'blocking' bench --directory "$long" --size 1m --rounds 1 --seconds 0.01 --depth 1 \
    --no-trace --contenders blocking
[ -z "$(ls "$long")" ] || fail "left behind: $(ls "$long")"
rm -r data/0*

# All of it in little: each contender is measured, or there is a reason.
expect 0 'cached random mixed 4k depth 2' bench --directory data --size 2m --files 2 --rounds 1 \
    --seconds 0.02 --media cached,cold,direct --io mixed --depth 2,70 --json report.json \
    --html report.html --svg plots --no-trace
expect 0 'depth 2' bench --directory data --size 1m --rounds 2 --seconds 0.01 --depth 2
left_behind

# What is not counted has its reason, everywhere.
grep -q '"system_calls": null, "no_system_calls": "--no-trace"' report.json ||
    fail 'report.json does not say why there are no system calls'
grep -q 'system calls not counted of.*: --no-trace' report.html ||
    fail 'report.html does not say why there are no system calls'
expect 0 'system calls not counted of uaio, blocking: the files have too few blocks' bench \
    --directory data --size 1m --rounds 1 --seconds 0.01 --media cold --depth 1 \
    --contenders uaio,blocking
for contender in libc uaio kernel uaio-linux io_uring blocking; do
    [ "$(grep -c "\"contender\": \"$contender\"" report.json)" = 6 ] ||
        fail "$contender is not in all of report.json"
done
for contender in uaio uaio-linux blocking; do
    ! grep "\"cached\".*\"contender\": \"$contender\", \"not_measured\"" report.json ||
        fail "$contender was not measured"
done
grep -q '"iops"' report.json || fail 'no figure in report.json'
! command -v python3 >/dev/null || python3 -m json.tool report.json >/dev/null ||
    fail 'report.json is no JSON'
grep -q '<svg' report.html || fail 'no plot in report.html'
grep -q 'against depth' report.html || fail 'no plot of the depths in report.html'
grep -q '<code>uaio bench --directory data .*--no-trace</code>' report.html ||
    fail 'report.html does not say what made it'
for text in '<dt>Date</dt><dd>20' '<dt>Machine</dt><dd>[0-9]' '<dt>Versions</dt><dd>uaio [0-9]' \
    'href="#work5"' 'id="work5"' 'took no longer' 'microseconds of submitting'; do
    grep -q "$text" report.html || fail "report.html has no '$text'"
done
! grep -q 'http' report.html || fail 'report.html needs something from elsewhere'
for plot in by-depth depth-2-operations depth-2-latency depth-70-submission; do
    tail -n 1 "plots/cached-random-mixed-4k-$plot.svg" | grep -qx '</svg>' ||
        fail "no whole plot: $(ls plots)"
done
! command -v python3 >/dev/null || python3 - plots/*.svg <<'EOF' || fail 'a plot is no SVG'
import sys
from xml.etree import ElementTree
for path in sys.argv[1:]:
    root = ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg", path
    lines = [p.get("d") for p in root.iter("{http://www.w3.org/2000/svg}path")]
    assert lines and not any("nan" in d or "inf" in d for d in lines), path
    assert "uaio bench --directory data" in root.find("{http://www.w3.org/2000/svg}desc").text
EOF
grep -q '</html>' report.html || fail 'report.html is cut short'

# Where there is no memory for a buffer each, blocks are written anywhere: what is read
# afterwards is as it was made.
expect 0 'random read 4k depth 300' bench --directory data --size 4m --rounds 1 --seconds 0.02 \
    --io write,read --block 1m,4k --depth 300 --no-trace --contenders uaio
left_behind

# However short the round, the depth is reached, or it is said which was.
expect 0 'requests in flight, at most, of blocking: 64' bench --directory data --size 1m \
    --rounds 1 --seconds 0.01 --block 512 --depth 200k --contenders uaio,blocking \
    --json report.json
grep -q '"contender": "uaio".*"in_flight": 204800,' report.json ||
    fail "200k were not in flight: $(cat report.json)"

# Sockets: reads that wait, each answered with its own data, in the directory nothing.
expect 0 '^sockets read 4k depth 5 threads 2$' bench --directory data --rounds 1 --seconds 0.05 \
    --media sockets --io read,write --order random,sequential --block 4k,1m --depth 5 \
    --threads 2 --no-trace --json report.json
[ "$(grep -c '^sockets' out)" = 4 ] || fail "sockets have an order: $(cat out)"
for contender in libc uaio uaio-linux blocking; do
    grep -q "\"contender\": \"$contender\", \"rounds\": 1" report.json ||
        fail "$contender was not measured: $(cat out)"
done
grep -q '^kernel .*not measured: its io_submit() waits' out || fail "no reason: $(cat out)"
grep -q 'not measured: sockets are only read' out || fail "no reason: $(cat out)"
grep -q 'not measured: a block of that size is too long' out || fail "no reason: $(cat out)"
expect 0 'blocking .*not measured: a thread for each socket' bench --rounds 1 --seconds 0.02 \
    --media sockets --depth 65 --no-trace --contenders uaio,blocking

# There is nothing cold in a tmpfs.
if [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] && [ -w /dev/shm ]; then
    expect 0 'not measured: a tmpfs has no device' bench --directory /dev/shm --size 1m \
        --rounds 1 --seconds 0.01 --media cold --depth 1 --no-trace --contenders blocking
fi

# Settings do not count, and under a name is who bears it.
settings=UAIO_BACKEND=native-first
expect 0 'without UAIO_BACKEND=native-first' bench --directory data \
    --size 1m --rounds 1 --seconds 0.01 --depth 2 --no-trace --contenders uaio-linux \
    --json report.json
! grep -q 'not measured' out || fail "the setting counts: $(cat out)"
grep -q '"settings_ignored": "UAIO_BACKEND=native-first"' report.json ||
    fail 'report.json does not name the setting'
settings=
if [ -n "$preload" ]; then
    settings=LD_PRELOAD=$preload
    expect 0 "kernel .*not the kernel's: is something preloaded" bench --directory data \
        --size 1m --rounds 1 --seconds 0.01 --depth 2 --no-trace --contenders kernel
    settings=
fi

# All that was measured, and where, is in the JSON, and nothing else beside it.
"$uaio" bench --directory data --size 1m --rounds 3 --seconds 0.01 --depth 2 --no-trace --json - \
    --contenders uaio,blocking >report.json 2>table || fail "status $?: $(cat table)"
grep -q '^uaio  ' table || fail "no table on stderr: $(cat table)"
for text in '"command": "uaio bench --directory data --size 1m' '"processor": "[^"]' \
    '"date": "20..-..-..T..:..:..Z"' '"uaio": "[0-9]' '"libc": "glibc [0-9]' '"each": \[{"seconds": 0' \
    '"completion_histogram_ns": \[\[[0-9]*, [0-9]*\]' '"submission_histogram_ns": \[\[[0-9]'; do
    grep -q "$text" report.json || fail "report.json has no $text: $(cat report.json)"
done
! command -v python3 >/dev/null || python3 - <<'EOF' || fail 'report.json contradicts itself'
import json
for result in json.load(open("report.json"))["works"][0]["results"]:
    each = sorted(r["iops"] for r in result["each"])
    assert len(each) == 3 and each[1] == result["iops"] and each[0] == result["iops_least"]
    done = sum(r["iops"] * r["seconds"] for r in result["each"])
    counted = sum(n for _, n in result["completion_histogram_ns"])
    assert abs(done - counted) < counted / 1000 + 1, (done, counted)
EOF

# Threads with unequal shares of the depth have no buffer in common.
expect 0 'depth 3 threads 2' bench --directory data --size 4m --rounds 1 --seconds 0.3 \
    --media cached --block 64k --depth 3 --threads 2 --no-trace --contenders uaio,uaio-linux

echo 'all as it should be'
