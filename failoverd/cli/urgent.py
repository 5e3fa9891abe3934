"""`failoverctl pause --all` reaches the daemon before this command has loaded what understands command lines.

It is sent from here if it is written so plainly that nobody can misread it, and then the command goes on as always:
everything is looked at, the same is asked again under the same key, and the daemon, which does nothing twice, answers
what came of it. Whatever is written in another way, or fails here, is left to that. So this decides nothing, tells
nothing, and imports next to nothing.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from failoverd.cli.defaults import CONFIG, CONFIG_VARIABLE

if TYPE_CHECKING:
    from socket import socket

_VALUED: Final = {"-r": "--reason", "-c": "--config", "-o": "--output"}
_NAMES: Final = frozenset({"--reason", "--for", "--config", "--output"})
_ALONE: Final = frozenset({"--all", "--wait"})
_OUTPUTS: Final = frozenset({"text", "json"})

_TIME: Final = re.compile(r"([1-9][0-9]{0,4})(s|m|h)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_LONGEST: Final = 72 * 3600
_LONGEST_TEXT: Final = 500
"""A little of what is plain: what is not is understood, or refused, where everything is."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of everything, as it was asked for."""

    config: Path
    reason: str
    seconds: int


@contextmanager
def sent_ahead(arguments: Sequence[str]) -> Iterator[str]:
    """Send what cannot wait. Gives the key that names the command, "" if nothing was sent.

    The connection stays as it is meanwhile: who hangs up may not be heard.
    """
    asked = plain_pause(arguments, os.environ.get(CONFIG_VARIABLE, CONFIG))
    found = _sent(asked) if asked is not None else None
    if found is None:
        yield ""
        return
    key, connection = found
    with connection:
        yield key


def _sent(asked: Pause) -> "tuple[str, socket] | None":
    from failoverd.api.sending import sent
    from failoverd.config.locating import socket_of
    from failoverd.core.errors import FailoverdError

    body = {"verb": "pause", "scope": {}, "reason": asked.reason, "for_seconds": asked.seconds}
    try:
        return sent(socket_of(asked.config), "/v1/overrides", body)
    except (FailoverdError, OSError, ValueError):  # told by who asks again
        return None


def plain_pause(arguments: Sequence[str], config: str) -> Pause | None:
    """What a command line asks for, if it is a pause of everything that is plainly written."""
    said = _said(arguments)
    if said is None or "--all" not in said:
        return None
    reason, lasts = said.get("--reason", "").strip(), _TIME.fullmatch(said.get("--for", ""))
    seconds = int(lasts[1]) * _SECONDS[lasts[2]] if lasts is not None else 0
    where = said.get("--config", config)
    sound = reason.isprintable() and 0 < len(said.get("--reason", "")) <= _LONGEST_TEXT and 0 < seconds <= _LONGEST
    if not (reason and where and sound and said.get("--output", "text") in _OUTPUTS):
        return None
    return Pause(Path(where), reason, seconds)


def _said(arguments: Sequence[str]) -> dict[str, str] | None:
    """The options of `pause`, each with its value; None if there is anything else, or anything twice."""
    verb, *rest = arguments or ("",)
    said: dict[str, str] = {}
    words = iter(rest)
    for word in words:
        name = _VALUED.get(word, word)
        value = "" if name in _ALONE else next(words, None)
        if verb != "pause" or name in said or value is None or name not in _ALONE | _NAMES:
            return None
        said[name] = value
    return said
