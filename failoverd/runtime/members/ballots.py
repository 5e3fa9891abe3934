"""What members say to each other about themselves and what they see, as it stands with the coordinator.

A ballot says of a policy which endpoints are not plainly well, together where the same was found of several; all others
are `rest`. So on a good day it is some sixty bytes, however many endpoints there are. What a member leaves to others to
probe is not listed either: who hears it comes to the same from the names that it counted on (`among`).

Everything here was written by somebody else, and nothing of it is believed to be short, or well formed.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from failoverd.core.health.endpoint import Health
from failoverd.core.health.isolation import Family
from failoverd.core.health.votes import Vote, Votes
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Endpoint, Policy
from failoverd.foreign import quoted, shown_name
from failoverd.ports import Clock, WallClock
from failoverd.runtime.members.versioned import VERSION, read_object

MOST_BYTES: Final = 1 << 20
"""Of one value; etcd takes 1.5 MiB."""

MOST_EVIDENCE: Final = 160
"""Characters."""

_HEALTHS: Final[Mapping[object, Health]] = {health.value: health for health in Health}
_REASONS: Final = {reason.value: reason for reason in ProbeReason}


class MemberRun(NamedTuple):
    """One process of a member: when it began, by its wall clock; its journal's own name; its machine.

    In the order in which they began, whoever compares them: no two clocks have to agree for that.
    """

    began: float
    journal: str
    host: str


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a member says of itself: the time, steady, and as its machine has it now; its version; its process."""

    clock: Clock
    wall: WallClock
    version: str = ""
    run: MemberRun | None = None


@dataclass(frozen=True, slots=True)
class MemberBeat:
    """A member about itself.

    Attributes:
        number: grows with each, so that one that is heard twice is told from two.
        at: seconds since the epoch, by its own wall clock.
        version: of failoverd.
        isolated: the address families in which it does not trust itself.
        run: which process says it; None: it does not say.
        settings: a digest of what all members have to be told alike; empty: it does not say.
        steady: the same by the clock that it goes by, which was set when it began; None: it does not say.
        lease: seconds of silence after which it takes another one for gone; 0: it does not say.
    """

    number: int
    at: float
    version: str = ""
    isolated: frozenset[Family] = frozenset()
    run: MemberRun | None = None
    settings: str = ""
    steady: float | None = None
    lease: float = 0.0

    def dumped(self) -> bytes:
        said: dict[str, Any] = {"v": VERSION, "number": self.number, "at": round(self.at, 3)}
        said |= {"version": self.version, "settings": self.settings}
        if self.run is not None:
            said["run"] = self.run._asdict()
        if self.steady is not None:
            said["steady"] = round(self.steady, 3)
        if self.lease:
            said["lease"] = self.lease
        if self.isolated:
            said["isolated"] = sorted(self.isolated)
        return _compact(said)

    @classmethod
    def parsed(cls, value: bytes) -> "MemberBeat":
        """Raises ValueError for what is none."""
        said = _object(value)
        number: Any = said.get("number")
        at: Any = said.get("at")
        steady: Any = said.get("steady")
        _require(isinstance(number, int) and isinstance(at, int | float), "it has no number or time")
        families = {family.value: family for family in Family}
        isolated = frozenset(families[each] for each in _strings(said.get("isolated")) if each in families)
        version, settings = _name(said.get("version")), _name(said.get("settings"))
        told = float(steady) if isinstance(steady, int | float) else None
        lease: Any = said.get("lease")
        waits = max(0.0, float(lease)) if isinstance(lease, int | float) else 0.0
        return cls(number, float(at), version, isolated, _run(said.get("run")), settings, told, waits)


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a member sees of one policy.

    Attributes:
        revision: of the policy that it runs.
        rest: of all endpoints that are not listed.
        seen: of those that are: by region and text, for each vote.
        among: the members that it counted on when it left endpoints to others; nobody, where it left none.
        factor: how many of them probe each endpoint.
    """

    revision: str
    rest: Health = Health.HEALTHY
    seen: tuple[tuple[Vote, Mapping[str, tuple[str, ...]]], ...] = ()
    among: tuple[str, ...] = ()
    factor: int | None = None

    @classmethod
    def of(cls, votes: Votes, revision: str, among: Iterable[str], factor: int | None) -> "Ballot":
        together: dict[Vote, dict[str, list[str]]] = {}
        for endpoint, vote in votes.listed.items():
            together.setdefault(vote, {}).setdefault(endpoint.region, []).append(endpoint.text)
        seen = tuple(
            (
                vote._replace(evidence=quoted(vote.evidence, MOST_EVIDENCE)),
                {region: tuple(texts) for region, texts in places.items()},
            )
            for vote, places in together.items()
        )
        shared = factor is not None and bool(votes.elsewhere)
        return cls(revision, votes.rest, seen, tuple(sorted(among)) if shared else (), factor if shared else None)

    def dumped(self) -> bytes:
        said: dict[str, Any] = {"v": VERSION, "revision": self.revision, "rest": self.rest}
        if self.factor is not None:
            said |= {"among": self.among, "factor": self.factor}
        if self.seen:
            said["seen"] = [_said(vote) | {"endpoints": places} for vote, places in self.seen]
        return _compact(said)

    @classmethod
    def parsed(cls, value: bytes) -> "Ballot":
        """Raises ValueError for what is none."""
        said = _object(value)
        rest: Any = said.get("rest")
        factor: Any = said.get("factor")
        _require(isinstance(rest, str) and rest in {Health.HEALTHY, Health.UNKNOWN}, "it says nothing of the rest")
        _require(isinstance(said.get("revision"), str), "it has no revision")
        _require(factor is None or (isinstance(factor, int) and factor > 0), "its factor is no number")
        seen = said.get("seen", [])
        _require(isinstance(seen, list), "what it has seen is no list")
        among = _strings(said.get("among"))
        return cls(_name(said["revision"]), Health(rest), tuple(_seen(each) for each in seen), among, factor)

    def votes(self, policy: Policy, elsewhere: frozenset[Endpoint]) -> Votes:
        """The same of the endpoints of a policy; those that it does not have are left out."""
        checks = {check.name for check in policy.checks}
        known = {(each.region, each.text): each for spec in policy.regions for each in spec.endpoints}
        listed: dict[Endpoint, Vote] = {}
        for vote, places in self.seen:
            told = vote if vote.check in checks else vote._replace(check="")
            ids = ((region, text) for region, texts in places.items() for text in texts)
            listed |= {known[each]: told for each in ids if each in known}
        return Votes(self.rest, listed, elsewhere)


def _run(said: object) -> MemberRun | None:
    said = said if isinstance(said, dict) else {}
    began, journal = said.get("began"), _name(said.get("journal"))
    if not isinstance(began, int | float) or not journal:
        return None
    return MemberRun(float(began), journal, _name(said.get("host")))


def _said(vote: Vote) -> dict[str, Any]:
    said: dict[str, Any] = {"health": vote.health}
    if vote.suspect:
        said["suspect"] = True
    if vote.check:
        said |= {"check": vote.check, "reason": vote.reason, "evidence": vote.evidence}
    return said


def _seen(said: object) -> tuple[Vote, Mapping[str, tuple[str, ...]]]:
    said = said if isinstance(said, dict) else {}
    health, reason, evidence = said.get("health"), said.get("reason"), said.get("evidence")
    places: Any = said.get("endpoints")
    _require(isinstance(places, dict), "something that it has seen is of no endpoint")
    _require(isinstance(health, str) and health in _HEALTHS, "a health that it tells is none")
    vote = Vote(
        _HEALTHS[health],
        said.get("suspect") is True,
        _name(said.get("check")),
        _REASONS.get(reason, ProbeReason.OK) if isinstance(reason, str) else ProbeReason.OK,  # a later version's
        quoted(evidence, MOST_EVIDENCE) if isinstance(evidence, str) else "",
    )
    return vote, {str(region): _strings(texts) for region, texts in places.items()}


def _object(value: bytes) -> dict[str, Any]:
    _require(len(value) <= MOST_BYTES, f"it is {len(value):,} bytes long, and at most {MOST_BYTES:,} are read")
    return read_object(value)


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)


def _strings(said: object) -> tuple[str, ...]:
    return tuple(each for each in said if isinstance(each, str)) if isinstance(said, list) else ()


def _name(said: object) -> str:
    return shown_name(said) if isinstance(said, str) else ""


def _compact(said: dict[str, Any]) -> bytes:
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
