#!/bin/sh
# SPDX-License-Identifier: MIT
#
# hardening.sh LIBRARY: is it hardened, and does it depend on libc alone?
#
#   full RELRO        what the linker has resolved cannot be written any more
#   no executable     stack, and no segment both writable and executable
#   no text           relocations
#   nodelete          dlclose() leaves it: threads of ours may be in it
#   libc alone        no other library is needed, and no search path built in
set -eu

library=$1
status=0

bad() {
    printf '%s: %s\n' "${library##*/}" "$*" >&2
    status=1
}

dynamic=$(readelf --dynamic --wide "$library")
segments=$(readelf --program-headers --wide "$library")

has() { # TEXT PATTERN
    printf '%s\n' "$1" | grep -Eq "$2"
}

has "$segments" 'GNU_RELRO' || bad "no RELRO"
has "$dynamic" 'BIND_NOW|FLAGS_1.*NOW' || bad "not all is resolved at once: RELRO is not full"
has "$segments" 'GNU_STACK' || bad "the stack is not named: executable on some kernels"
! has "$segments" 'GNU_STACK.* RWE ' || bad "executable stack"
! has "$segments" 'LOAD.* RWE ' || bad "a segment is writable and executable"
! has "$dynamic" 'TEXTREL' || bad "text relocations"
has "$dynamic" 'FLAGS_1.*NODELETE' || bad "not nodelete"
! has "$dynamic" 'RPATH|RUNPATH' || bad "a search path is built in"

# libc, its parts, and the dynamic linker that is one of them; on 32-bit ARM also what
# all tables for unwinding name there, which libc itself loads to cancel a thread.
unwinder=''
! readelf --file-header "$library" | grep -q 'Machine: *ARM$' || unwinder='libgcc_s\.so\.1|'
others=$(printf '%s\n' "$dynamic" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    grep -Ev "^(${unwinder}libc\.so\.6|libc\.so|libpthread\.so\.0|libdl\.so\.2|ld-.*\.so\.[0-9]+|ld\.so\.[0-9]+|ld64\.so\.[0-9]+)\$" || :)
[ -z "$others" ] || bad "needs $others"
exit "$status"
