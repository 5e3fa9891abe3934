"""Parts of sentences: numbers, times, operators' words. It imports no event, for whoever waits for a command."""

from datetime import UTC, datetime
from typing import Final

from failoverd.core.clients import still_old
from failoverd.core.names import failoverctl
from failoverd.core.overrides import Override, Verb
from failoverd.core.records import WHOLE, percentages


def percent(basis_points: float) -> str:
    return f"{basis_points * 100 / WHOLE:.4g}%"


def moment(at: float) -> str:
    """A moment as it is told everywhere: UTC, to the second."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%SZ}"


def ago(seconds: float) -> str:
    """How long that is, by its largest unit: `12 s`, `4 min`, `2 h`, `3 d`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def duration(seconds: float) -> str:
    """As files say it, by the largest unit that it is a whole number of: `500ms`, `90s`, `5m`, `1h`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and not seconds % size:
            return f"{seconds / size:g}{unit}"
    return f"{seconds * 1_000:g}ms" if 0 < seconds < 1 else f"{seconds:g}s"


def counted(number: int, one: str, more: str = "") -> str:
    """`1 change`, `2 changes`."""
    return f"{number} {one if number == 1 else more or f'{one}s'}"


def detail(word: Override) -> str:
    """What the verb alone does not say."""
    match word.verb:
        case Verb.PIN:
            undoes = f", which undoes {word.undoes}" if word.undoes else ""
            return f"{percentages(word.shares)}{undoes}"
        case Verb.SHED:
            return f"by {percent(word.part)}"
        case Verb.DRAIN:
            return f"over {word.over:.0f}s" if word.over else ""
        case Verb.SWITCH | Verb.ALERT:
            return word.name
        case Verb.APPROVE:
            return f"plan {word.digest}"
        case _:
            return ""


def clients(ttl: float, since: float = 0.0) -> str:
    """How many clients still use the answer from before a change, `since` seconds after it; in words."""
    later = [(f"{ttl:g}s", ttl), ("15 min", _TAIL_END)] if ttl < _TAIL_END else [(f"{ttl:g}s", ttl)]
    ahead = [f"{_part(still_old(after, ttl))} after {words}" for words, after in later if after > since]
    said = f"about {_part(still_old(since, ttl))} of clients still use the old answer"
    return f"{said}; {', '.join(ahead)} (a lower TTL does not shorten the tail)" if ahead else said


_TAIL_END: Final = 900.0


def _part(part: float) -> str:
    return f"{part * 100:.0f}%"


def by_plan(*words: str) -> tuple[str, str]:
    """How a person moves traffic by a plan that is looked at first: in words, and the command that they begin with."""
    command = failoverctl("plan", *words, "--out", "FILE")
    return f"{command}, then failoverctl apply FILE", command


ALL_DOWN_REMEDY: Final = (
    "repair any of them: what serves again gets the traffic by itself; if one is well and the probes are wrong: "
    "failoverctl up REGION/ADDRESS --reason TEXT --for 1h"
)
"""What ends it that every region is down: no change of the answer helps."""


def costs(hour: float, normal_hour: float, month: float) -> str:
    """What shares cost in USD, and what an hour of them costs more than one of a normal day."""
    more = hour - normal_hour
    differs = f", ${abs(more):,.2f} {'more' if more > 0 else 'less'} than on a normal day" if abs(more) >= _CENT else ""
    return f"about ${hour:,.2f} an hour{differs}; ${month:,.0f} a month (estimate, by list prices)"


_CENT: Final = 0.005
"""USD: less of a difference rounds to nothing."""


def amount(value: float) -> str:
    """So many digits as a person reads."""
    return f"{value:,.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.1f}"  # noqa: PLR2004
