#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An unmodified MariaDB server with innodb_use_native_aio, its buffer pool too
# small for its data: tables are loaded and changed, and their content is
# computed and compared; the server is killed in the midst of a transaction,
# recovers, and everything committed is there, and nothing else.  io_uring,
# which the server would prefer, is denied throughout.
#
#     mariadb.sh LIBRARY SCRATCH-DIRECTORY LAUNCHER
set -eu
# shellcheck source=tests/preload/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/preload/linux-aio.sh
. "$(dirname "$0")/linux-aio.sh"

PATH=$PATH:/usr/sbin:/sbin
need mariadbd
need mariadb
need mariadb-admin
need mariadb-install-db
ldd "$(command -v mariadbd)" 2>/dev/null | grep -q libaio ||
    skip "this mariadbd is not linked with libaio"
# shellcheck disable=SC2034 # read by `become`
deny='--errno ENOSYS --io-uring'
# shellcheck disable=SC2034
allow='--calls io_uring_setup'
"$launcher" --io-uring true || skip "no seccomp filter can be installed here to deny io_uring"

server= # of these two: the `timeout` that runs them
client=
pid= # the server itself
finish() {
    for process in "$client" "$server"; do
        [ -z "$process" ] || kill "$process" 2>/dev/null || :
        [ -z "$process" ] || wait "$process" 2>/dev/null || :
    done
    # A path for a Unix socket must not be long.
    [ -z "${run:-}" ] || rm -rf "$run"
    rm -rf "$scratch"
}
trap finish EXIT
run=$(mktemp -d "${TMPDIR:-/tmp}/uaio-mariadb.XXXXXX")

user=
[ "$(id -u)" -ne 0 ] || user=--user=root

# sql STATEMENTS: their results, without headings.
sql() {
    timeout -k 5 60 mariadb --no-defaults -S "$run/socket" -uroot -N -B -e "$1" </dev/null
}

answers() {
    kill -0 "$server" 2>/dev/null || fail "the server has ended: $(tail -n 20 "$work/log")"
    sql 'SELECT 1' >/dev/null 2>&1
}

start() {
    # shellcheck disable=SC2086 # nothing or one word
    become 100 mariadbd --no-defaults $user --datadir="$work/data" --socket="$run/socket" \
        --pid-file="$run/pid" --skip-networking --innodb-use-native-aio=1 \
        --innodb-buffer-pool-size=6M --innodb-log-file-size=8M \
        --innodb-flush-method="$method" >>"$work/log" 2>&1 &
    server=$!
    wait_until 60 answers || fail "the server does not answer: $(tail -n 20 "$work/log")"
    pid=$(cat "$run/pid")
    found=$(sql 'SELECT @@innodb_use_native_aio')
    [ "$found" = "$native_aio" ] ||
        fail "innodb_use_native_aio is $found, must be $native_aio: $(tail -n 30 "$work/log")"
}

stop() {
    timeout -k 5 60 mariadb-admin --no-defaults -S "$run/socket" -uroot shutdown </dev/null
    wait "$server" || fail "the server's exit status is $?: $(tail -n 20 "$work/log")"
    server=
}

install() {
    # shellcheck disable=SC2086 # nothing or one word
    go 60 mariadb-install-db --no-defaults $user --datadir="$work/data" --skip-test-db \
        --auth-root-authentication-method=normal --innodb-use-native-aio=1 \
        --innodb-log-file-size=8M >"$work/install" 2>&1 ||
        fail "mariadb-install-db's exit status is $?: $(tail -n 20 "$work/install")"
}

# What the table holds is a function of its rows' numbers, and so can be asked
# of a sequence that is in no file.
text='CONCAT(REPEAT(MD5(id), 28), id)'
load() {
    sql "CREATE DATABASE d;
        USE d;
        CREATE TABLE d.t (id INT PRIMARY KEY, k INT, text VARCHAR(1000), KEY (k)) ENGINE=InnoDB;
        CREATE TABLE d.u (id INT PRIMARY KEY, text VARCHAR(1000)) ENGINE=InnoDB;
        INSERT INTO d.t SELECT id, id * 7919 % 10007, 'none'
            FROM (SELECT seq AS id FROM seq_1_to_10000) AS s;
        UPDATE d.t SET text = $text;
        DELETE FROM d.t WHERE id % 7 = 0;
        UPDATE d.t SET k = k + 1 WHERE k % 3 = 0;"
}

digest='COUNT(*), SUM(CRC32(CONCAT(id, text))), BIT_XOR(CRC32(CONCAT(k, text)))'
check() {
    sql "SELECT $digest FROM (SELECT id, $text AS text, k + (k % 3 = 0) AS k
            FROM (SELECT seq AS id, seq * 7919 % 10007 AS k FROM d.seq_1_to_10000
                WHERE seq % 7 <> 0) AS s) AS s" >"$work/expected"
    sql "SELECT $digest FROM d.t" >"$work/found"
    cmp "$work/expected" "$work/found" ||
        fail "the table is not what was loaded: $(cat "$work/expected" "$work/found")"
    # By the other index, too.
    sql "SELECT $digest FROM d.t FORCE INDEX (k) WHERE k >= 0" >"$work/found"
    cmp "$work/expected" "$work/found" || fail "the index k is not what was loaded"
    for table in t u; do
        sql "CHECK TABLE d.$table EXTENDED" >"$work/found"
        grep -qE '[[:space:]]status[[:space:]]+OK$' "$work/found" ||
            fail "CHECK TABLE says: $(cat "$work/found")"
    done
    [ "$(sql 'SELECT COUNT(*) FROM d.u')" -eq 0 ] || fail "there is what was not committed"
}

# A client whose transaction is never committed: until it is under way.
begin() {
    timeout -k 5 60 mariadb --no-defaults -S "$run/socket" -uroot -N -B --unbuffered -e "
        BEGIN; INSERT INTO d.u SELECT seq, REPEAT(MD5(seq), 30) FROM d.seq_1_to_5000;
        DELETE FROM d.t WHERE id % 2 = 0; SELECT 'under way'; DO SLEEP(60);" \
        </dev/null >"$work/client" 2>&1 &
    client=$!
    wait_until 60 grep -q 'under way' "$work/client" ||
        fail "the transaction is not begun: $(cat "$work/client")"
}

crash() {
    kill -9 "$pid"
    wait "$server" || : # killed, as it should be
    wait "$client" || : # it lost its server
    server=
    client=
    rm -f "$run/pid" "$run/socket"
}

cycle() {
    install
    start
    load
    check
    begin
    crash
    start
    check
    sql "CHECKSUM TABLE d.t" >"$work/checksum"
    stop
    # Once more, from nothing but the files.
    start
    check
    sql "CHECKSUM TABLE d.t" | cmp - "$work/checksum" || fail "CHECKSUM TABLE differs"
    stop
}

refused() { # it falls back on threads of its own
    native_aio=0
    method=O_DIRECT
    install
    start
    stop
    says "$work/log" 'io_setup\(.*\) returned Function not implemented|native AIO failed'
}

works() {
    native_aio=1
    method=O_DIRECT
    cycle
    says "$work/log" 'Using Linux native AIO'
    ! grep -iE '\[ERROR\]|assertion|uaio:' "$work/log" || fail "the server has an error"
    served
    # The server that was killed could not report: these are of the others.
    counted 100 reads
    counted 10 writes
}

in_each_way MariaDB
