"""The manual: `failoverd.8`, `failoverctl.1`, and a page for each verb, as `man failoverctl drain` looks for it.

The dialect is man(7), which every man program renders. No date and no version stand in a page: it is made again only
when what it tells has changed.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from failoverd.cli.defaults import CONFIG, CONFIG_VARIABLE
from failoverd.cli.options import Exit
from packages.command_tree import Command, Option

_EXITS: Final = {
    0: "fine",
    1: "it failed, or something is wrong with what was looked at",
    2: "it cannot be understood what was asked for",
    3: "something moved, or is degraded",
    4: "something needs a person",
    10: "changes are pending",
    11: "a limit or a rule stands against it",
    12: "no daemon is there to do it",
    78: "the configuration file is not there",
    130: "it was interrupted",
}
_ENVIRONMENT: Final = {
    CONFIG_VARIABLE: "the daemon's configuration file, where --config does not say it",
    "NO_COLOR": "no colours, if it is set to anything",
}
_FILES: Final = {
    CONFIG: "the daemon's configuration",
    "/var/lib/failoverd/journal.db": "the journal, if the configuration puts it there",
    "/run/failoverd/api.sock": "where a running daemon hears operators",
}
_SIGNALS: Final = {
    "SIGTERM, SIGINT": "The daemon stops. No traffic moves; what is published stays.",
    "SIGHUP": "All files are read again. One that does not load changes nothing.",
}


def pages(daemon: Command, operator: Command) -> dict[str, str]:
    """Every page by its place below `share/man`."""
    verbs = [each for each in operator.walked() if each.words and not each.verbs]
    return {
        "man8/failoverd.8": _page("failoverd", 8, _daemon(daemon)),
        "man1/failoverctl.1": _page("failoverctl", 1, _operator(operator, verbs)),
        "man1/failoverctl-offline.1": _page("failoverctl-offline", 1, _offline()),
        **{f"man1/{_title(each)}.1": _page(_title(each), 1, _verb(each)) for each in verbs},
    }


def _page(title: str, section: int, lines: Iterable[str]) -> str:
    made = '.\\" Made by `make manual` of what the program says of itself: change it there.'
    head = f'.TH {_plain(title.upper())} {section} "" failoverd "failoverd"'
    return "\n".join([made, head, *lines, ""])


def _daemon(command: Command) -> Iterator[str]:
    yield from _name("failoverd", command.summary)
    yield ".SH SYNOPSIS"
    for each in command.verbs:
        yield from _synopsis(each)
    yield from _description(command)
    for each in command.verbs:
        yield f".SH {_plain(each.words[-1].upper())}"
        yield from _text(each.paragraphs)
        yield from _options(each.options)
    yield ".SH OPTIONS"
    yield from _options(command.options)
    yield from _listed("SIGNALS", _SIGNALS)
    yield from _listed("ENVIRONMENT", _ENVIRONMENT)
    yield from _listed("FILES", _FILES)
    yield from _see("failoverctl(1)")


def _operator(command: Command, verbs: list[Command]) -> Iterator[str]:
    yield from _name("failoverctl", command.summary)
    yield ".SH SYNOPSIS"
    yield ".B failoverctl"
    yield "\\fIVERB\\fR [\\fIOPTIONS\\fR] [\\fIWORDS\\fR]..."
    yield from _description(command)
    yield ".PP"
    yield "Each verb has a page of its own:"
    yield ".B man failoverctl drain"
    yield ".SH VERBS"
    for each in verbs:
        yield ".TP"
        yield f".B {_plain(' '.join(each.words))}"
        yield _line(f"{each.summary}.")
    yield ".SH OPTIONS"
    yield from _options(command.options)
    yield from _listed("EXIT STATUS", {str(int(each)): _EXITS[each] for each in Exit})
    yield from _listed("ENVIRONMENT", _ENVIRONMENT)
    yield from _listed("FILES", _FILES)
    yield from _see("failoverd(8)", *(f"{_title(each)}(1)" for each in verbs))


def _offline() -> Iterator[str]:
    yield from _name("failoverctl-offline", "run failoverctl with the credentials of the service while it is stopped")
    yield ".SH SYNOPSIS"
    yield ".B failoverctl-offline"
    yield "\\fIVERB\\fR [\\fIOPTIONS\\fR] [\\fIWORDS\\fR]..."
    yield ".SH DESCRIPTION"
    yield _line(
        "systemd hands credentials to failoverd.service, and takes them away when it stops. This runs one command of "
        "failoverctl in a unit of its own that has the same credentials at the same place, where nobody else sees them."
    )
    yield ".PP"
    yield "Only root is handed them:"
    yield ".PP"
    yield ".B sudo failoverctl\\-offline plan \\-\\-out move.plan"
    yield ".PP"
    yield ".B sudo failoverctl\\-offline apply move.plan"
    yield ".SH EXIT STATUS"
    yield "That of failoverctl; 1 for whoever is not root."
    yield from _see("failoverctl(1)", "failoverd(8)", "systemd.exec(5)")


def _verb(command: Command) -> Iterator[str]:
    yield from _name(_title(command), command.summary)
    yield ".SH SYNOPSIS"
    yield from _synopsis(command)
    yield from _description(command)
    if command.arguments:
        yield ".SH ARGUMENTS"
        for argument in command.arguments:
            yield ".TP"
            yield f".I {_plain(argument.usage)}"
            yield _line(argument.help)
    yield ".SH OPTIONS"
    yield from _options(command.options)
    yield from _see("failoverctl(1)", "failoverd(8)")


def _title(command: Command) -> str:
    return "-".join((command.program, *command.words))


def _name(title: str, summary: str) -> Iterator[str]:
    text = summary.removeprefix(f"{title} ")
    yield ".SH NAME"
    yield f"{_plain(title)} \\- {_plain(text[0].lower() + text[1:])}"


def _synopsis(command: Command) -> Iterator[str]:
    words = [f"\\fI{_plain(each.usage)}\\fR" for each in command.arguments]
    yield f".B {_plain(command.name)}"
    yield " ".join(["[\\fIOPTIONS\\fR]", *words])
    yield ".br"


def _description(command: Command) -> Iterator[str]:
    yield ".SH DESCRIPTION"
    yield from _text(command.paragraphs)


def _text(paragraphs: Iterable[str]) -> Iterator[str]:
    for number, paragraph in enumerate(paragraphs):
        if number:
            yield ".PP"
        yield _line(paragraph)


def _options(options: Iterable[Option]) -> Iterator[str]:
    for option in options:
        names = ", ".join(f"\\fB{_plain(name)}\\fR" for name in option.names)
        yield ".TP"
        yield names if option.value is None else f"{names} \\fI{_plain(option.value.metavar)}\\fR"
        yield _line(option.help)


def _listed(title: str, rows: dict[str, str]) -> Iterator[str]:
    yield f".SH {title}"
    for name, text in rows.items():
        yield ".TP"
        yield f".B {_plain(name)}"
        yield _line(text)


def _see(*pages_of: str) -> Iterator[str]:
    yield '.SH "SEE ALSO"'
    yield ".nh"  # a name that is broken is found by nobody who searches for it
    for number, each in enumerate(pages_of):
        title, section = each[:-1].split("(")
        yield f".BR {_plain(title)} ({section}){',' if number < len(pages_of) - 1 else ''}"


def _line(text: str) -> str:
    """A line of text: one that begins with a dot or a quote would be a request (groff(7))."""
    shown = _plain(text)
    return f"\\&{shown}" if shown.startswith((".", "'", "\\(aq")) else shown


def _plain(text: str) -> str:
    """Every character as itself, to be pasted as it is: a bare `-` may be printed as a hyphen, `'` as a curly quote."""
    escaped = text.replace("\\", "\\e").replace("'", "\\(aq").replace("-", "\\-").replace("^", "\\(ha")
    return re.sub(r"[`~]", lambda found: {"`": "\\(ga", "~": "\\(ti"}[found[0]], escaped)
