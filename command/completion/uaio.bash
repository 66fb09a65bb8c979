# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# bash completion for uaio.  What there is to complete is taken from the command's own
# --help, so that it is never behind.

# The options of a help text, each with what it takes, if anything: `--threads N`, or,
# where that may be left out, `--stats =FILE`.
_uaio_options() {
    sed -n 's/^  \(-[a-z], \)\{0,1\}\(--[a-z-]*\)\(\[\(=[A-Z]*\)\]\)\{0,1\}\( \([A-Z]*\)\)\{0,1\}  .*/\2 \4\6/p'
}

# Where the words of the program begin, and what is to be put where the cursor is:
# sets `program` and `takes` of the caller.  bash makes a word of each `=`.
_uaio_place() { # OPTIONS
    local i=2 kind
    program=$COMP_CWORD takes=''
    while ((i < COMP_CWORD)); do
        kind=$(sed -n "s/^${COMP_WORDS[i]} //p" <<<"$1")
        case ${COMP_WORDS[i]} in
        --) program=$((i + 1)) && return ;;
        -*) ((i++)) ;;
        *) program=$i && return ;;
        esac
        if [[ ${COMP_WORDS[i]} == '=' ]]; then
            ((i++))
        elif [[ -z $kind || $kind == =* ]]; then
            continue
        fi
        ((i < COMP_CWORD)) || takes=${kind#=}
        ((i++))
    done
}

# _uaio_reply COMPGEN-ARGUMENT...
_uaio_reply() {
    mapfile -t COMPREPLY < <(compgen "$@" -- "$word")
}

_uaio() {
    local uaio=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} options program takes
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _uaio_reply -W "$("$uaio" --help 2>/dev/null | sed -n 's/^  uaio \([a-z-]*\) .*/\1/p')"
        return
    fi
    options=$("$uaio" "${COMP_WORDS[1]}" --help 2>/dev/null | _uaio_options)
    _uaio_place "$options"
    [[ $word != '=' ]] || word=''
    case $takes in
    FILE) compopt -o filenames 2>/dev/null && _uaio_reply -f && return ;;
    DIR) compopt -o filenames 2>/dev/null && _uaio_reply -d && return ;;
    NAME) _uaio_reply -W 'emulate native-first' && return ;;
    ?*) return ;;
    esac
    if [[ ${COMP_WORDS[1]} == run ]] && ((program < COMP_CWORD)); then
        if declare -F _command_offset >/dev/null; then
            _command_offset "$program"
        else
            compopt -o default
        fi
    elif [[ $word == -* ]]; then
        _uaio_reply -W "$(cut -d ' ' -f 1 <<<"$options")"
    elif [[ ${COMP_WORDS[1]} == run || ${COMP_WORDS[1]} == doctor ]]; then
        compopt -o filenames 2>/dev/null
        _uaio_reply -c -f
    fi
}

complete -F _uaio uaio
