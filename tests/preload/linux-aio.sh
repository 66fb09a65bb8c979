# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck disable=SC2154 # scratch, preload: set by common.sh
#
# What the tests of Linux native AIO have in common.  Sourced after common.sh,
# with what that left of the test's arguments: the launcher without-aio, and
# the test's own.
#
# A program is run in each of these ways, and the test says what is to happen:
#
#   denied   the kernel's AIO taken away: the program fails or does without.
#            That is what shows that the program does depend on it.
#   both     the same, but with the library preloaded: now all is well, and
#            none of it can have been the kernel's doing
#   preload  the library preloaded where the kernel has AIO as well
#
# UAIO_TEST_WAYS names others: `native` runs the program on the kernel's AIO,
# without the library, and shows that the test itself is right.

[ $# -ge 1 ] || fail "usage: $0 LIBRARY SCRATCH-DIRECTORY LAUNCHER ..."
launcher=$1
shift
[ -x "$launcher" ] || fail "there is no launcher $launcher"

ways=${UAIO_TEST_WAYS:-denied both preload}
if ! "$launcher" true; then
    printf 'no seccomp filter can be installed here: only under the preload\n'
    ways=preload
fi

# What the launcher is told: where AIO is denied, and where it is not.
# shellcheck disable=SC2034 # read by `become`, set by the tests
deny='--errno ENOSYS'
allow=

# become SECONDS [NAME=VALUE...] COMMAND...: run it in the way $way, its input
# empty, in place of this shell, and end it after so many seconds.  With & it is
# a server, and $! is to be told to end.
become() {
    seconds=$1
    shift
    # shellcheck disable=SC2086 # lists of words
    case $way in
    native) set -- ${allow:+"$launcher" $allow} env "$@" ;;
    denied) set -- "$launcher" $deny env "$@" ;;
    both) set -- "$launcher" $deny env LD_PRELOAD="$preload" UAIO_STATS="$stats" "$@" ;;
    preload)
        set -- ${allow:+"$launcher" $allow} env LD_PRELOAD="$preload" UAIO_STATS="$stats" "$@"
        ;;
    *) fail "unknown way: $way" ;;
    esac
    exec timeout -k 5 "$seconds" "$@" </dev/null
}

# go SECONDS [NAME=VALUE...] COMMAND...: the same beside this shell.
go() {
    (become "$@")
}

# counted NUMBER COUNTER: at least so many, by the reports of this way.
counted() {
    case $way in
    both | preload) at_least "$1" "$2" "$stats" ;;
    esac
}

# counted_at_most NUMBER COUNTER
counted_at_most() {
    case $way in
    both | preload) at_most "$1" "$2" "$stats" ;;
    esac
}

# served: uaio is what served this program's AIO.
served() {
    counted 1 submitted
    counted 1 contexts
}

# forget: begin new reports.
forget() {
    rm -f "$stats"
}

# in_each_way TITLE: calls `refused` where AIO is denied and `works` elsewhere,
# each with an empty directory $work to work in.
in_each_way() {
    for way in $ways; do
        work=$scratch/work
        stats=$scratch/stats
        rm -rf "$work"
        mkdir "$work"
        forget
        printf '%s: %s\n' "$1" "$way"
        if [ "$way" = denied ]; then
            refused
        else
            works
        fi
    done
}

# says FILE PATTERN: the program wrote a line like this.
says() {
    grep -qE -e "$2" "$1" || fail "no line matches \"$2\": $(cat "$1")"
}

# wait_until SECONDS COMMAND...: until it succeeds; false if it never does.
wait_until() {
    deadline=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}
