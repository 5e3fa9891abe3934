# Made by `make manual` of what the program says of itself: change it there.
# Whether these words, and no others, are the verb that was chosen. A region may be called as a verb is.
function __failoverd_is
    set -l words (commandline -opc | string match -v -- '-*')
    set -e words[1]
    switch "$words[1]"
        case ''
            set words $words[1..2]
        case '*'
            set words $words[1..1]
    end
    test "$words" = "$argv"
end
complete -c failoverd -f
complete -c failoverd -n '__failoverd_is' -a demo -d 'Break one of three regions on this machine and watch the traffic leave, and return when it is safe'
complete -c failoverd -n '__failoverd_is' -a run -d 'Probe, decide, and keep the records as the policies want them, until SIGTERM'
complete -c failoverd -n '__failoverd_is' -l version -d 'print the version and leave'
complete -c failoverd -n '__failoverd_is' -l help -d 'Show this message and exit.'
complete -c failoverd -n '__failoverd_is demo' -l output -s o -x -a 'text json' -d 'text for people, json for programs  [default: text]'
complete -c failoverd -n '__failoverd_is demo' -l keep-running -d 'leave everything up afterwards, for dig'
complete -c failoverd -n '__failoverd_is demo' -l port -x -d 'port of the DNS server  [1<=x<=65535]'
complete -c failoverd -n '__failoverd_is demo' -l scenario -x -a 'failover tiers' -d 'tiers: prod, pilot and dev of one service share the regions  [default: failover]'
complete -c failoverd -n '__failoverd_is demo' -l help -d 'Show this message and exit.'
complete -c failoverd -n '__failoverd_is run' -l config -s c -r -F -d 'the daemon\'s configuration file  [env var: FAILOVERD_CONFIG; required]'
complete -c failoverd -n '__failoverd_is run' -l check-config -d 'check every file and this machine, run nothing'
complete -c failoverd -n '__failoverd_is run' -l help -d 'Show this message and exit.'
