"""What is written on the command line, understood: why, for how long, how much. Raises typer.BadParameter."""

import os
import re
from collections.abc import Sequence
from typing import Final

from failoverd.cli.failing import seconds, usage
from failoverd.cli.screen import shown
from failoverd.core.overrides import LONGEST, UNSAID
from failoverd.core.records import WHOLE

LONGEST_TEXT: Final = 500
"""Characters of a reason."""

_PERCENT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,2})?)%", re.ASCII)
_SHARE: Final = re.compile(r"([^=,\s]+)=(\d{1,3}(?:\.\d{1,2})?)%?", re.ASCII)


def reason(text: str | None) -> str:
    """Why: everybody who wonders reads it, in the history for ever."""
    text = _as_typed(text) if text is not None else ""
    if not text.strip():
        raise usage("say why: --reason TEXT, which everybody reads who wonders, and which history keeps")
    if len(text) > LONGEST_TEXT:
        raise usage(f"a reason has at most {LONGEST_TEXT} characters, and this one has {len(text)}")
    if not text.isprintable():
        raise usage(f"a reason is one line of printable characters, and this one is {shown(text)!r}")
    return text.strip()


def comment(text: str | None) -> str:
    """What is said of an override that is there already: a command that ends one, at night, does without."""
    return reason(text) if text is not None else UNSAID


def lasting(text: str | None) -> float:
    """For how many seconds."""
    most = f"at most {LONGEST / 3600:g}h, and longer by failoverctl extend"
    if text is None:
        raise usage(f"say for how long: --for TIME, such as 45m or 2h, {most}")
    found = seconds(text)
    if found > LONGEST:
        raise usage(f"{text} is too long: --for is {most}")
    if found < 1:
        raise usage(f"{text} is too short: --for is 1s at least")
    return found


def percent(text: str) -> int:
    """How much, in basis points."""
    found = _PERCENT.fullmatch(text)
    points = round(float(found[1]) * 100) if found is not None else 0
    if not 0 < points < WHOLE:
        raise usage(shown(f"{text!r} is not how much is to leave: write more than 0% and less than 100%, such as 25%"))
    return points


def shares(parts: Sequence[str]) -> dict[str, int]:
    """`west=60,east=40`, in basis points by region."""
    found: dict[str, int] = {}
    for part in (part for text in parts for part in text.split(",")):
        said = _SHARE.fullmatch(part.strip())
        if said is None:
            raise usage(shown(f"{part!r} is not a share: write them like west=60,east=40"))
        if said[1] in found:
            raise usage(shown(f"{said[1]} has two shares: write one"))
        found[said[1]] = round(float(said[2]) * 100)
    total = sum(found.values())
    if total != WHOLE:
        raise usage(f"the shares of a pin have to make 100%, and these make {total * 100 / WHOLE:g}%")
    return found


def _as_typed(text: str) -> str:
    """Where the locale has ASCII alone, Python hands over what is more as single bytes (PEP 383). They are UTF-8."""
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError:  # typed in the encoding of another locale, which Python understood
        return text
