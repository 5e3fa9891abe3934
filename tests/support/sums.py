"""Redoes the sum of a decision from its reasons alone: the proof that a person could."""

import re
from collections.abc import Iterator
from itertools import groupby

from failoverd.core.decide import Decision, Reason

_NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
_PULL = re.compile(rf"^(?P<name>\S+) pulls .* \((?:share {_NUMBER}%|no shares here)(?: x score {_NUMBER}%)?\)$")
_ROOM = re.compile(rf"can carry {_NUMBER}%(?: \(score {_NUMBER}%(?: x capacity {_NUMBER} / demand {_NUMBER})?\))?")
_FROZEN = re.compile(rf"^(\S+) is lost from sight and keeps its {_NUMBER}%$")
_GETS = re.compile(rf"^(\S+) gets {_NUMBER}%$")
_CARRIES = re.compile(rf"(\S+) {_NUMBER}%(?:,|\))")


def told(decision: Decision, code: str) -> list[str]:
    """The words of each reason with this code."""
    return [reason.text for reason in decision.reasons if reason.code == code]


def redone(decision: Decision) -> dict[str, float]:
    """Percent by region, computed from nothing but the words of the reasons."""
    frozen = {name: float(share) for text in told(decision, "frozen") for name, share in _FROZEN.findall(text)}
    rest = 100.0 - sum(frozen.values())
    given: dict[str, float] = {}
    for pulls, rooms in _tiers(decision.reasons):
        left = rest - sum(rooms.values())
        total = sum(pull for name, pull in pulls.items() if name not in rooms)
        for name, pull in pulls.items():
            given[name] = rooms[name] if name in rooms else left * pull / total
        rest = 0.0 if total else left
    for text in told(decision, "overload"):
        carries = {name: float(room) for name, room in _CARRIES.findall(text.partition("(")[2])}
        total = sum(carries.values())
        given = {name: given.get(name, 0.0) + rest * room / total for name, room in carries.items()}
    return frozen | {name: share for name, share in given.items() if share > 0}


def said_shares(decision: Decision) -> dict[str, float]:
    """What the reasons say that each region gets, in percent."""
    kept = {name: float(share) for text in told(decision, "frozen") for name, share in _FROZEN.findall(text)}
    return kept | {name: float(share) for text in told(decision, "share") for name, share in _GETS.findall(text)}


def _tiers(reasons: tuple[Reason, ...]) -> Iterator[tuple[dict[str, float], dict[str, float]]]:
    """For each tier in turn: the pull of each region, and the room of those that were filled to it."""
    steps = [reason for reason in reasons if reason.code in {"pull", "capacity"}]
    groups = [(code, list(group)) for code, group in groupby(steps, key=lambda reason: reason.code)]
    for index, (code, group) in enumerate(groups):
        if code == "pull":
            capped = groups[index + 1][1] if index + 1 < len(groups) else []
            yield _pulls(group), {reason.text.split()[0]: _room(reason.text) for reason in capped}


def _pulls(reasons: list[Reason]) -> dict[str, float]:
    pulls = {}
    for reason in reasons:
        match = _PULL.match(reason.text)
        assert match is not None, reason.text
        share, score = match.group(2), match.group(3)
        pulls[match["name"]] = float(share or 100) * float(score or 100)
    return pulls


def _room(text: str) -> float:
    match = _ROOM.search(text)
    assert match is not None, text
    room, score, capacity, demand = match.groups()
    return float(room) if demand is None else float(score) * float(capacity) / float(demand)
