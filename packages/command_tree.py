"""The command lines of both programs as plain data, read from the commands themselves.

Pages, completion and their tests are made of this, so that none of them can know a verb or an option that is not there.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import typer

from failoverd.cli import command_line, daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

    Group = Any  # what typer.main.get_command gives is typer's own, and of no public type

ROOTS: Final = {"failoverd": daemon.app, "failoverctl": command_line.app}

_KIND: Final = re.compile(r"<(.*)>$")


@dataclass(frozen=True, slots=True)
class Value:
    """What an option or an argument takes. `choices` are all that it may be; `is_file`: it names a file or a folder."""

    metavar: str
    choices: tuple[str, ...] = ()
    is_file: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """`names` as they are written, the long one first; `value` is None for a switch; `again`: it may be given again."""

    names: tuple[str, ...]
    value: Value | None
    help: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Argument:
    """A word in its place. `usage` is how `--help` shows it, with its brackets and dots."""

    usage: str
    value: Value
    help: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """One verb, or a program or a group of verbs (`verbs`), with the words that lead to it: `("notify", "test")`."""

    program: str
    words: tuple[str, ...]
    paragraphs: tuple[str, ...]
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    verbs: "tuple[Command, ...]" = ()

    @property
    def name(self) -> str:
        return " ".join((self.program, *self.words))

    @property
    def summary(self) -> str:
        """The first sentence, without its full stop."""
        return re.split(r"\.(?: |$)", self.paragraphs[0], maxsplit=1)[0]

    def walked(self) -> "Iterator[Command]":
        """This one, and all below it."""
        yield self
        for verb in self.verbs:
            yield from verb.walked()


def tree(program: str) -> Command:
    """What `failoverd` or `failoverctl` understands."""
    return _command(program, (), typer.main.get_command(ROOTS[program]), None)


def _command(program: str, words: tuple[str, ...], command: "Group", parent: "Group") -> Command:
    context = command.make_context(words[-1] if words else program, [], parent=parent, resilient_parsing=True)
    parameters = [(each, each.get_help_record(context)) for each in command.get_params(context)]
    said = [(each, record) for each, record in parameters if record is not None]
    verbs = getattr(command, "commands", {}).items()
    return Command(
        program,
        words,
        tuple(" ".join(part.split()) for part in (command.help or "").split("\n\n")),
        tuple(_option(each, *record) for each, record in said if each.param_type_name == "option"),
        tuple(_argument(each, *record) for each, record in said if each.param_type_name == "argument"),
        tuple(_command(program, (*words, name), verb, context) for name, verb in sorted(verbs)),
    )


def _option(parameter: "Group", shown: str, text: str) -> Option:
    names = tuple(sorted((*parameter.opts, *parameter.secondary_opts), key=lambda name: (-len(name), name)))
    value = None if parameter.is_flag else _value(parameter, shown, names[0].lstrip("-"))
    return Option(names, value, text, parameter.multiple)


def _argument(parameter: "Group", shown: str, text: str) -> Argument:
    value = _value(parameter, shown, parameter.name)
    usage = value.metavar
    again = parameter.nargs != 1
    if parameter.metavar is None:
        usage = f"{usage}{'...' if again else ''}" if parameter.required else f"[{usage}]{'...' if again else ''}"
    elif not (again or parameter.required or usage.startswith("[")):
        usage = f"[{usage}]"
    return Argument(usage, value, text, again)


def _value(parameter: "Group", shown: str, name: str) -> Value:
    """The kind of value is in the angle brackets of `--help`: `<text|json>`, `<path>`, `<list[str]>`."""
    found = _KIND.search(shown)
    kind = found[1] if found is not None else ""
    choices = tuple(kind.split("|")) if "|" in kind else ()
    is_file = "path" in kind.lower()
    metavar = parameter.metavar or ("|".join(choices) or ("FILE" if is_file else name.upper().replace("_", "-")))
    return Value(metavar, choices, is_file)
