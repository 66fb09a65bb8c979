# SPDX-License-Identifier: MIT
#
# fish completion for uaio, from the command's own --help.

function __uaio_commands
    uaio --help | string replace -rf '^  uaio ([a-z]+) +(.*)' '$1\t$2'
end

function __uaio_options
    set -l words (commandline -opc)
    uaio $words[2] --help 2>/dev/null |
        string replace -rf '^  (?:-[a-z], )?(--[a-z-]+)\S*(?: [A-Z]+)? {2,}(.*)' '$1\t$2'
end

complete -c uaio -f
complete -c uaio -n __fish_use_subcommand -a '(__uaio_commands)'
complete -c uaio -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' \
    -a '(__uaio_options)'
complete -c uaio -n '__fish_seen_subcommand_from run doctor' \
    -a '(__fish_complete_subcommand --fcs-skip=2)'
complete -c uaio -n '__fish_seen_subcommand_from run doctor bench' -F
