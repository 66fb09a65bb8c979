#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Whoever asks for a page gets one: each public function, command and option has
# its own or is in one, each further name leads to a page that has it, and each
# reference to a page that exists; so does each link between the Markdown files.
# docs/architecture.md has a line for each part of the engine.
#
#     pages.sh SOURCE UAIO
set -eu

source=$1
uaio=$2
cd "$source/docs/man"

# Pages of the system that ours may refer to.
system='aio_cancel 3
aio_error 3
aio_fsync 3
aio_init 3
aio_read 3
aio_return 3
aio_suspend 3
aio_write 3
lio_listio 3
io_cancel 2
io_destroy 2
io_getevents 2
io_setup 2
io_submit 2
epoll_wait 2
eventfd 2
fcntl 2
fdatasync 2
fork 2
fsync 2
poll 2
ptrace 2
read 2
readv 2
syscall 2
write 2
writev 2
dlopen 3
env 1
aio 7
signal-safety 7
ld.so 8'

has_name() { # PAGE NAME: in its section NAME
    sed '/^\.Nd/q' "$1" | grep -q -E "^\.Nm $2( ,)?\$"
}

# page_of NAME SECTION: the file that has the text; empty if there is none.
page_of() {
    [ -f "$1.$2" ] || return 0
    target=$(sed -n 's/^\.so man[1-9]\///p' "$1.$2")
    echo "${target:-$1.$2}"
}

# Each of these prints what is wrong.

names_and_references() {
    for file in *.[1-9]; do
        page=$(page_of "${file%.*}" "${file##*.}")
        [ -f "$page" ] || {
            echo "$file: leads to $page, which does not exist"
            continue
        }
        has_name "$page" "${file%.*}" || echo "$page: does not name ${file%.*}"
        [ "$page" = "$file" ] || continue
        sed -n 's/^\.Xr \([^ ]*\) \([1-9]\).*/\1 \2/p' "$page" | sort -u |
            while read -r name section; do
                [ -f "$name.$section" ] ||
                    printf '%s\n' "$system" | grep -q -x "$name $section" ||
                    echo "$page: refers to $name($section), which does not exist"
            done
    done
}

functions() {
    while read -r name; do
        page=$(page_of "$name" 3)
        [ -n "$page" ] || {
            echo "$name: is exported and has no page"
            continue
        }
        sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/p' "$page" | grep -q -E "^\.F[no] $name( |\$)" ||
            echo "$page: does not show how $name is called"
    done <"$source/tests/abi/uaio.symbols"
    while read -r name; do
        has_name uaio-libaio.3 "$name" || echo "uaio-libaio.3: does not name $name"
    done <"$source/tests/abi/libaio-static.symbols"
    for name in $(sed -n 's/^static inline .*[ *]\(io_[a-z0-9_]*\)(.*/\1/p' \
        "$source/include/uaio/libaio.h"); do
        grep -q -w "Fn $name" uaio-libaio.3 || echo "uaio-libaio.3: has nothing of $name"
    done
}

commands() {
    names=$("$uaio" --help | sed -n 's/^  uaio \([a-z][a-z]*\) .*/\1/p')
    [ -n "$names" ] || echo "uaio --help: lists no command"
    for command in $names; do
        page=uaio-$command.1
        [ -f "$page" ] || {
            echo "uaio $command: has no page"
            continue
        }
        grep -q -x "\.It Cm $command" uaio.1 || echo "uaio.1: has nothing of uaio $command"
        for option in $("$uaio" "$command" --help |
            sed -n 's/^  \(-[a-zA-Z], \)\{0,1\}--\([a-z-]*\).*/\2/p'); do
            grep -q -E "^\.It .*Fl (.* , )?-$option( |\$)" "$page" ||
                echo "$page: has nothing of --$option"
        done
    done
}

links() {
    for file in ./*.md docs/*.md docs/guide/*.md; do
        [ -f "$file" ] || continue
        grep -o '](\([^)#:]*\))' "$file" | sed 's/^](\(.*\))$/\1/' | sort -u |
            while read -r target; do
                [ -e "${file%/*}/$target" ] || echo "$file: leads to $target, which does not exist"
            done
    done
}

parts() {
    for part in lib/engine/*.h; do
        part=${part##*/}
        grep -q "^|.*\`${part%.h}\`.*|" docs/architecture.md ||
            echo "docs/architecture.md: has nothing of ${part%.h}"
    done
}

found=$(names_and_references && functions && commands && cd "$source" && links && parts)
[ -z "$found" ] || {
    printf '%s\n' "$found"
    exit 1
}
