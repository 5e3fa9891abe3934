"""What is not as it should be, in words, with what ends it: by record, by policy, and of the whole installation."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from failoverd.core.control.decision import DecisionKind
from failoverd.core.overrides import Override
from failoverd.core.reasons import Cause, ReasonCode
from failoverd.core.records import few
from failoverd.core.status import PATIENCE, Overview, PolicyStatus, TargetState, TargetStatus
from failoverd.operations import words
from failoverd.telemetry.phrases import ALL_DOWN_REMEDY


class Level(StrEnum):
    """How a record, a policy, or all of it is."""

    WELL = "well"
    MOVED = "moved"  # away from normal, or degraded: failoverd takes care of it
    UNKNOWN = "unknown"  # nobody can say
    PERSON = "person"  # somebody has to do something


SEVERITY: Final = (Level.WELL, Level.UNKNOWN, Level.MOVED, Level.PERSON)
"""From what may wait to what may not: that nobody knows counts for less than what is known to be wrong."""


FEW: Final = 12
"""Policies, records, regions that are well, of which each is shown: there may be thousands."""


@dataclass(frozen=True, slots=True)
class Concern:
    """What is not as it should be, in words, and what ends it.

    `policy` is "" where it is of the whole installation; `subject` is the record at its provider, an incident, a file.
    """

    level: Level
    policy: str
    subject: str
    text: str
    remedy: str = ""
    since: float | None = None


def concerns_of(found: Overview, now: float) -> list[Concern]:
    """What needs a person before what does not, what loses traffic before what may."""
    targets = filter(None, (_of_target(each, now) for each in found.targets))
    told = [*targets, *_of_policies(found.policies), *_of_words(found.overrides, now), *_of_installation(found)]
    return sorted(told, key=lambda each: -SEVERITY.index(each.level))


def _of_target(status: TargetStatus, now: float) -> Concern | None:
    row = next((each for each in _ROWS if each.stands(status)), None)
    if row is None:
        return None
    policy, subject = status.target.policy, str(status.target)
    text = f"{policy} ({subject}) {row.words(status)}"
    level = Level.MOVED if row.waits(status, now) else Level.PERSON
    return Concern(level, policy, subject, text, row.remedy(status) or status.remedy, status.since)


def _urgently(_: TargetStatus, __: float) -> bool:
    return False


def _ends_by_itself(status: TargetStatus, _: float) -> bool:
    return status.until is not None


def _is_young(status: TargetStatus, now: float) -> bool:
    """A provider may be away for a moment, while nothing waits for it that loses traffic."""
    lasted = now - status.since if status.since is not None else 0.0
    return lasted <= PATIENCE and status.cause not in {Cause.FAILING_OUT, Cause.REBUILDING}


def _nothing(_: TargetStatus) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class _Row:
    """One kind of concern about a record; the first one that it is in counts.

    `waits` says whether failoverd takes care of it, so that it is nobody's matter yet.
    """

    stands: Callable[[TargetStatus], bool]
    words: Callable[[TargetStatus], str]
    remedy: Callable[[TargetStatus], str] = _nothing
    waits: Callable[[TargetStatus, float], bool] = _urgently


def _to_bring_back(status: TargetStatus) -> list[str]:
    return [reason.region for reason in status.reasons if reason.code is ReasonCode.FAILBACK_MANUAL]


def _bring_back(status: TargetStatus) -> str:
    return f"failoverctl plan {status.target.policy} {' '.join(f'--return {each}' for each in _to_bring_back(status))}"


_ROWS: Final = (
    _Row(lambda it: it.keeps_dead, lambda it: f"is kept on what is down by {in_the_way(it)}"),
    _Row(
        lambda it: it.kind in {DecisionKind.HOLD_ALL_DOWN, DecisionKind.ALL_DOWN_NORMAL},
        lambda _: "has no region that is up",
        lambda _: ALL_DOWN_REMEDY,
    ),
    _Row(
        lambda it: bool(it.lost_words),
        lambda _: "is held by operators' words that were lost",
        lambda _: "give the same word again, or: failoverctl release --lost",
    ),
    _Row(
        lambda it: it.has_rival,
        lambda _: "is written by another instance as well",
        lambda _: "stop the other instance, or give it names of its own; then: failoverctl release --rival",
    ),
    _Row(lambda it: it.state is TargetState.REFUSED, lambda it: f"is not touched: {it.detail}"),
    _Row(
        lambda it: it.state is TargetState.DELAYED,
        lambda it: f"{still_lost(it)}cannot be read or written: {it.detail}",
        waits=_is_young,
    ),
    _Row(
        lambda it: it.state is TargetState.DRIFTED,
        lambda _: "was edited by somebody else, and stays so",
        waits=_ends_by_itself,
    ),
    _Row(
        lambda it: it.state is TargetState.LIMITED,
        lambda it: f"is held by {in_the_way(it)}",
        waits=_ends_by_itself,
    ),
    _Row(
        lambda it: bool(_to_bring_back(it)),
        lambda it: f"waits for a person to bring {' and '.join(_to_bring_back(it))} back",
        _bring_back,
    ),
)


def still_lost(status: TargetStatus) -> str:
    """What traffic is lost on until it can be written: `sends traffic to azure-eastus, which is down, and `."""
    if status.cause != Cause.FAILING_OUT:
        return ""
    dead = sorted(name for name, share in status.published.items() if share and not status.wanted.get(name))
    return f"sends traffic to {' and '.join(dead) or 'an endpoint'}, which {'are' if dead[1:] else 'is'} down, and "


def in_the_way(status: TargetStatus) -> str:
    """What holds a plan, by name."""
    limits = [f"the rule {each.rule}" if each.rule else str(each.limit) for each in status.checks if each.holds_back]
    nameless = "a limit" if status.state is TargetState.LIMITED else "an operator's word"
    return few(list(dict.fromkeys(limits)), _NAMED) or nameless


def _of_policies(policies: Iterable[PolicyStatus]) -> Iterator[Concern]:
    for each in policies:
        if each.rejected:
            text = f"{each.policy} runs an older revision: its newer file does not load"
            yield Concern(Level.PERSON, each.policy, each.file, text, f"failoverctl check: {each.rejected}", each.at)
        if each.incident_id:
            book = f"runbook {each.runbook}" if each.runbook else ""
            text = f"{each.policy} has an incident open ({each.incident_id})"
            yield Concern(Level.MOVED, each.policy, each.incident_id, text, book, each.incident_since)


def _of_words(overrides: Iterable[Override], now: float) -> Iterator[Concern]:
    for word in overrides:
        if words.standing(word, now) is words.Standing.PENDING:
            text = f"{words.title(word)} waits for somebody to agree"
            yield Concern(Level.PERSON, "", word.id, text, f"failoverctl agree {word.id}", word.since)


def _of_installation(found: Overview) -> Iterator[Concern]:
    if found.journal is not None:
        text = f"the journal cannot be {'written' if found.journal.writes else 'read'}"
        remedy = f"{found.journal.error}; {found.journal.remedy}"
        yield Concern(Level.PERSON, "", "journal", text, remedy, found.journal.since)
    vantage = found.vantage
    if vantage is not None and vantage.isolated:
        text = f"the prober abstains on {' and '.join(vantage.isolated)}: {vantage.evidence}"
        remedy = "look at the prober's own network: failures are not counted and move nothing until it sees again"
        yield Concern(Level.PERSON, "", "prober", text, remedy, vantage.since)
    for file in found.refused_files:
        text, remedy = f"{Path(file.file).name} is not taken up", f"{file.error}; failoverctl check says all of it"
        yield Concern(Level.PERSON, "", file.file, text, remedy)
    if found.orphans:
        names = list(dict.fromkeys(str(each.target.key) for each in found.orphans))
        text = f"no file names {few(names, _NAMED)} any more: it stays as it is, whatever fails"
        first = found.orphans[0]
        remedy = f"put the file back, or: failoverctl disown {first.target.policy} {first.target.key.name}"
        yield Concern(Level.PERSON, "", names[0], text, remedy, first.since)
    for each in found.notifications.receivers if found.notifications is not None else ():
        if each.failing_since is not None:
            text = f"{each.receiver} at {each.place} does not take what it is told"
            yield Concern(Level.PERSON, "", each.receiver, text, each.error, each.failing_since)
    if found.probing is not None and found.probing.stretched > 1:
        text = f"probing sheds load: intervals are {found.probing.stretched} times as long as written"
        yield Concern(Level.MOVED, "", "probing", text, "give it more processor, or probe less often", found.probing.at)


def unseen(found: Overview) -> list[str]:
    """Policies of which nothing is known yet: nobody has seen whether all is well."""
    seen = {each.target.policy for each in found.targets}
    waits = (each.target.policy for each in found.targets if each.kind == DecisionKind.HOLD_NO_VERDICT)
    return list(dict.fromkeys([*(each.policy for each in found.policies if each.policy not in seen), *waits]))


_NAMED: Final = 3
"""Names that a headline has room for, of each kind."""
