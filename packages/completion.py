"""Completion for bash, zsh and fish as scripts that need no program while somebody types.

What typer offers instead asks the program at every press of the key, which takes most of a second. So names of policies
and regions are not completed: verbs, options, what an option may be, and files are.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from packages.command_tree import Command, Option, Value

_MADE: Final = "# Made by `make manual` of what the program says of itself: change it there."


def scripts(program: Command) -> dict[str, str]:
    """The script for each shell, by its place below `share`, which is where that shell looks."""
    name = program.program
    return {
        f"bash-completion/completions/{name}": "\n".join([_MADE, *_bash(program), ""]),
        f"zsh/site-functions/_{name}": "\n".join([f"#compdef {name}", _MADE, *_zsh(program), ""]),
        f"fish/vendor_completions.d/{name}.fish": "\n".join([_MADE, *_fish(program), ""]),
    }


# -- bash --------------------------------------------------------------------------------------------------------------

_BASH_HEAD: Final = """\
_{name}() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" verb="" word options="" words=""
    # `--output=j` are three words to readline, for `=` breaks them.
    [ "$current" != "=" ] || current=""
    [ "$before" != "=" ] || before="${{COMP_WORDS[COMP_CWORD-2]}}"
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$verb:$word" in
            *:-*) ;;
            :*) verb="$word" ;;{groups}
        esac
    done
    COMPREPLY=()
    case "$verb:$before" in"""

_BASH_TAIL: Final = """\
    esac
    if [[ "$current" == -* ]] || [ -z "$words" ]; then
        words="$options"
    fi
    if [ "$words" = "<file>" ]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    fi
}}
complete -F _{name} {name}"""


def _bash(program: Command) -> Iterator[str]:
    groups = "".join(
        f'\n            {each.words[-1]}:*) verb="$verb $word" ;;'
        for each in program.walked()
        if each.verbs and each.words
    )
    yield _BASH_HEAD.format(name=program.program, groups=groups)
    for command in program.walked():
        verb = " ".join(command.words)
        for value, names in _valued(command):
            cases = "|".join(f'"{verb}:{name}"' for name in names)
            yield f"        {cases}) {_bash_value(value)} ;;"
    yield "    esac"
    yield '    case "$verb" in'
    for command in program.walked():
        options = " ".join(name for option in command.options for name in option.names)
        verb = " ".join(command.words)
        yield f'        "{verb}")'
        yield f'            options="{options}"'
        yield f'            words="{_bash_words(command)}"'
        yield "            ;;"
    yield _BASH_TAIL.format(name=program.program)


def _bash_value(value: Value) -> str:
    """Completes what follows an option, and nothing else: `return` is said there and then."""
    if value.is_file:
        return 'compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return'
    if value.choices:
        choices = " ".join(value.choices)
        return f'mapfile -t COMPREPLY < <(compgen -W "{choices}" -- "$current"); return'
    return "return"


def _bash_words(command: Command) -> str:
    if command.verbs:
        return " ".join(each.words[-1] for each in command.verbs)
    if any(each.value.is_file for each in command.arguments):
        return "<file>"
    return " ".join(word for each in command.arguments for word in each.value.choices)


def _valued(command: Command) -> Iterator[tuple[Value, tuple[str, ...]]]:
    """Values, each with the options that take one like it."""
    names: dict[Value, list[str]] = {}
    for option in command.options:
        if option.value is not None:
            like = Value("", option.value.choices, option.value.is_file)
            names.setdefault(like, []).extend(option.names)
    for value, of in names.items():
        yield value, tuple(of)


# -- zsh ---------------------------------------------------------------------------------------------------------------


def _zsh(program: Command) -> Iterator[str]:
    for command in reversed(list(program.walked())):
        yield f"{_zsh_name(command)}() {{"
        yield from _zsh_group(command) if command.verbs else _zsh_verb(command)
        yield "}"
    yield f'{_zsh_name(program)} "$@"'


def _zsh_name(command: Command) -> str:
    return "_" + "_".join((command.program, *command.words))


def _zsh_verb(command: Command) -> Iterator[str]:
    yield "    _arguments -s -S \\"
    yield from _zsh_options(command.options)
    for argument in command.arguments:
        place = "*" if argument.again else ""
        yield f"        '{place}:{_zsh_text(argument.value.metavar)}:{_zsh_value(argument.value)}' \\"
    yield "        && return"


def _zsh_group(command: Command) -> Iterator[str]:
    yield "    local context state state_descr line"
    yield "    typeset -A opt_args"
    yield "    local -a verbs=("
    for verb in command.verbs:
        yield f"        '{verb.words[-1]}:{_zsh_text(verb.summary)}'"
    yield "    )"
    yield "    _arguments -C \\"
    yield from _zsh_options(command.options)
    yield "        '1: :->verb' '*:: :->rest' && return"
    yield '    case "$state" in'
    yield "        verb) _describe verb verbs ;;"
    yield '        rest) case "$line[1]" in'
    for verb in command.verbs:
        yield f"            {verb.words[-1]}) {_zsh_name(verb)} ;;"
    yield "        esac ;;"
    yield "    esac"


def _zsh_options(options: Iterable[Option]) -> Iterator[str]:
    for option in options:
        text = _zsh_text(option.help)
        value = f":{_zsh_text(option.value.metavar)}:{_zsh_value(option.value)}" if option.value is not None else ""
        for name in option.names:
            others = "*" if option.again else f"({' '.join(option.names)})"
            yield f"        '{others}{name}[{text}]{value}' \\"


def _zsh_value(value: Value) -> str:
    if value.is_file:
        return "_files"
    return f"({' '.join(value.choices)})" if value.choices else " "


def _zsh_text(text: str) -> str:
    """Within single quotes, where `:` and brackets mean something to _arguments and _describe."""
    for mark in "\\:[]":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("'", "'\\''")


# -- fish --------------------------------------------------------------------------------------------------------------

_FISH_HEAD: Final = """\
# Whether these words, and no others, are the verb that was chosen. A region may be called as a verb is.
function __{name}_is
    set -l words (commandline -opc | string match -v -- '-*')
    set -e words[1]
    switch "$words[1]"
        case {groups}
            set words $words[1..2]
        case '*'
            set words $words[1..1]
    end
    test "$words" = "$argv"
end
complete -c {name} -f"""


def _fish(program: Command) -> Iterator[str]:
    name = program.program
    groups = " ".join(each.words[-1] for each in program.walked() if each.verbs and each.words) or "''"
    yield _FISH_HEAD.format(name=name, groups=groups)
    for command in program.walked():
        chosen = f"complete -c {name} -n '{' '.join((f'__{name}_is', *command.words))}'"
        for verb in command.verbs:
            yield f"{chosen} -a {verb.words[-1]} -d {_fish_text(verb.summary)}"
        for option in command.options:
            yield " ".join([chosen, *_fish_option(option)])
        for argument in command.arguments:
            if argument.value.is_file:
                yield f"{chosen} -F"
            if argument.value.choices:
                yield f"{chosen} -a {_fish_text(' '.join(argument.value.choices))}"


def _fish_option(option: Option) -> Iterator[str]:
    for name in option.names:
        yield f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
    if option.value is not None:
        yield "-r -F" if option.value.is_file else "-x"
        if option.value.choices:
            yield f"-a {_fish_text(' '.join(option.value.choices))}"
    yield f"-d {_fish_text(option.help)}"


def _fish_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
