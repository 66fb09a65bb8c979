#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The completions of bash, zsh and fish: each command and each option of the help is
# offered, and what comes after an option is what it takes.
#
#     completion.sh <uaio>
set -eu

uaio=$1
# shellcheck source=tests/command/common.sh
. "$(dirname "$0")/common.sh"
here=$here/../../command/completion
mkdir a-directory
touch a-file

# ---- bash ------------------------------------------------------------------------------

compopt() { :; } # it may be called in a completion only
# shellcheck source=command/completion/uaio.bash
. "$here/uaio.bash"

# offered WORD...: for the last of them, one a line.  COMP_WORDBREAKS cuts at each =.
offered() {
    COMP_WORDS=("$uaio" "$@")
    COMP_CWORD=$#
    COMPREPLY=()
    _uaio
    printf '%s\n' "${COMPREPLY[@]}"
}

# offers TEXT WORD...
offers() {
    local wanted=$1
    shift
    offered "$@" >found
    grep -q -F -x -- "$wanted" found || fail "after 'uaio $*' not '$wanted' but: $(cat found)"
}

# offers_not TEXT WORD...
offers_not() {
    local unwanted=$1
    shift
    offered "$@" >found
    ! grep -q -F -x -- "$unwanted" found || fail "after 'uaio $*' there is '$unwanted'"
}

commands=$("$uaio" --help | sed -n 's/^  uaio \([a-z]*\) .*/\1/p')
[ -n "$commands" ] || fail 'the help lists no commands'
for command in $commands; do
    offers "$command" ''
    offers "$command" "${command:0:1}"
    options=$("$uaio" "$command" --help | grep -o '^  \(-[a-z], \)\{0,1\}--[a-z-]*' | grep -o -e '--.*')
    [ -n "$options" ] || fail "the help of $command lists no options"
    for option in $options; do
        offers "$option" "$command" --
        offers "$option" "$command" "$option"
    done
done
offers native-first run --backend ''
offers native-first run --backend n
offers native-first run --backend '='
offers native-first run --backend '=' n
offers_not --strict run --threads ''
offers a-file run --preload ''
offers a-file run --stats '=' a
offers_not --strict run --stats '=' ''
offers a-directory doctor --directory a
offers_not a-file doctor --directory a
offers --strict run --stats --s
offers --strict run --threads 3 --s
offers --strict run --threads '=' 3 --s
offers cat run ca
offers cat run --strict -- ca
offers a-file run a
offers_not --strict run cat --s
offers_not --strict run --threads 3 -- cat --s
offers cat doctor ca

# ---- zsh and fish, where they are ----------------------------------------------------------

if command -v fish >/dev/null; then
    for command in $commands; do
        PATH=$(dirname "$uaio"):$PATH HOME=$scratch XDG_CONFIG_HOME=$scratch \
            fish --no-config -c "source '$here/uaio.fish'
                complete -C 'uaio '; complete -C 'uaio $command --'" >found 2>err ||
            fail "fish: $(cat err)"
        [ ! -s err ] || fail "fish: $(cat err)"
        for word in $commands --help; do
            grep -q -e "^$word	" found || fail "fish does not offer '$word': $(cat found)"
        done
    done
else
    echo 'no fish: its completion is not tried'
fi
if command -v zsh >/dev/null; then
    zsh -f -n "$here/_uaio" || fail 'zsh does not read its completion'
else
    echo 'no zsh: its completion is not read'
fi
echo 'all as it should be'
