#!/bin/sh
# SPDX-License-Identifier: MIT
#
# README.md, uaio(7) and the library agree on the settings: their names, values
# and defaults; and uaio(7) has each counter of a report.
#
#     settings.sh SOURCE PROGRAM
#
# The program is linked with uaio, and makes as many requests as it is told to.
set -eu

source=$1
program=$2
page=$source/docs/man/uaio.7
config=$source/lib/engine/config.c

status=0
complain() {
    echo "FAIL: $*"
    status=1
}

# Their names, a line each.
in_readme() {
    sed -n 's/^| `\(UAIO_[A-Z_]*\)` |.*/\1/p' "$source/README.md" | sort
}
in_page() {
    sed -n 's/^\.It Ev \(UAIO_[A-Z_]*\)$/\1/p' "$page" | sort
}
in_library() {
    grep -o '"UAIO_[A-Z_]*"' "$config" | tr -d '"' | sort -u
}
[ "$(in_readme)" = "$(in_library)" ] ||
    complain "README.md has settings $(in_readme | xargs), the library $(in_library | xargs)"
[ "$(in_page)" = "$(in_library)" ] ||
    complain "uaio(7) has settings $(in_page | xargs), the library $(in_library | xargs)"

# wanted NAME: what the library says that it must be.
wanted() {
    env "$1=@" "$program" 1 2>&1 >/dev/null |
        sed -n 's/.* is not usable (\(.*\)); using the default$/\1/p'
}

# check NAME VALUES DEFAULT, of README.md.
check() {
    name=$1
    item=$(sed -n "/^\.It Ev $name\$/,/^Default/p" "$page")
    printf '%s\n' "$item" | grep -q -x -F "Values: $2." ||
        complain "uaio(7): the values of $name are not those of README.md, $2"
    printf '%s\n' "$item" | grep -q -x "Default: $3." ||
        complain "uaio(7): the default of $name is not that of README.md, $3"
    case $2 in
    '0, 1') range='a number from 0 to 1' ;;
    *..*) range="a number from ${2%..*} to ${2#*..}" ;;
    *) return 0 ;;
    esac
    [ "$(wanted "$name")" = "$range" ] ||
        complain "$name: README.md says $2, the library $(wanted "$name")"
    case $2:$3 in # the switches that are off are not initialised, nor is what has no bound
    '0, 1:0' | *:none) return 0 ;;
    '0, 1:1') initial=true ;;
    *) initial=$3 ;;
    esac
    field=$(printf '%s' "${name#UAIO_}" | tr '[:upper:]' '[:lower:]')
    grep -q -E "^    \.$field(_reads)? = $initial,\$" "$config" ||
        complain "$name: README.md says that $3 is the default, the library does not"
}

rows=$(sed -n 's/^| `\(UAIO_[A-Z_]*\)` | \([^|]*\) | \([^|]*\) |.*/\1|\2|\3/p' "$source/README.md" |
    tr -d '`')
[ -n "$rows" ] || complain "README.md: has no table of settings"
while IFS='|' read -r name values default; do
    check "$name" "$values" "$default"
done <<END
$rows
END

counters=$(UAIO_STATS=stderr "$program" 1 2>&1 >/dev/null | sed -n 's/^  \([a-z_]*\)  *[0-9]*$/\1/p')
[ -n "$counters" ] || complain "$program: makes no report"
for counter in $counters; do
    grep -q -E "^\.It Cm (.* , )?$counter( , .*)?\$" "$page" ||
        complain "uaio(7): has nothing of the counter $counter"
done
exit $status
