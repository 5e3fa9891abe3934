"""`failoverctl replay`: decide again what was decided, and say what comes out otherwise."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from failoverd import __version__, codec
from failoverd.cli.failing import note, print_json, print_text, told
from failoverd.cli.options import Exit, Output
from failoverd.cli.progress_line import progress
from failoverd.cli.screen import shown
from failoverd.cli.views.from_journal import opened
from failoverd.cli.views.spoken_times import clock
from failoverd.config.locating import journal_of
from failoverd.core.control.inputs import Conclusion
from failoverd.core.control.replaying import Discrepancy
from failoverd.core.errors import ConfigError
from failoverd.core.records import Target, few, percentages
from failoverd.operations.replays import LostDecisions, Replay, replayed
from failoverd.operations.slips import unknown
from failoverd.store.decisions import DecisionReading
from failoverd.telemetry.phrases import counted
from failoverd.telemetry.times import rfc3339

_SHOWN: Final = 5
"""Decisions that are shown to a person; JSON has more of them."""


@dataclass(frozen=True, slots=True)
class ReplayWanted:
    """What is to be decided again: by the journal of which configuration, of the last how many seconds, of whom."""

    config: Path
    last: float
    policies: tuple[str, ...] = ()


class ConclusionTold(BaseModel):
    """What a decision came to. Shares are in basis points by region."""

    kind: str
    decision: str
    wanted_bp: dict[str, int]
    after_bp: dict[str, int]
    reasons: list[str]
    limits: list[str]
    cause: str | None


class DiscrepancyTold(BaseModel):
    """A decision that comes to something else; `again` is null where it ends in `error`. `inputs`: all it looked at."""

    at: str
    policy: str
    record: str
    provider: str
    revision: str
    version: str
    differs_in: list[str]
    then: ConclusionTold
    again: ConclusionTold | None
    error: str
    inputs: dict[str, Any]


class LostTold(BaseModel):
    """Decisions that the journal has and that cannot be read."""

    policy: str
    record: str
    provider: str
    decisions: int
    since: str
    until: str


class ReplayTold(BaseModel):
    """What `failoverctl replay --output json` prints. `reproduced`: every decision came to what it came to then."""

    reproduced: bool
    since: str
    until: str
    records: int
    decisions: int
    differing: int
    differences: list[DiscrepancyTold]
    lost: list[LostTold]


def replay(wanted: ReplayWanted, output: Output) -> Exit:
    """Decide again by what the journal kept, beside a daemon or without one."""
    with told():
        found = _replayed(wanted)
        for each in found.lost:
            note(of_lost(each))
        if output is Output.JSON:
            print_json(_told(found).model_dump())
        else:
            print_text(shown("\n".join(_text(found)) + "\n", lines=True))
        return Exit.FAILED if found.differing else Exit.FINE


def _replayed(wanted: ReplayWanted) -> Replay:
    now = time.time()
    with opened(DecisionReading(journal_of(wanted.config))) as reading, progress() as tell:
        require_decided(wanted.policies, reading)
        return replayed(reading, max(0.0, now - wanted.last), now, wanted.policies, tell)


def require_decided(policies: Iterable[str], reading: DecisionReading) -> None:
    """Raises ConfigError for a policy of which no decision is kept."""
    known = sorted({target.policy for _, target in reading.decided()})
    for name in policies:
        if name not in known:
            raise _unknown(name, known)


def _unknown(name: str, known: list[str]) -> ConfigError:
    return unknown("policy", name, known, "policy_unknown")


# -- what is told ------------------------------------------------------------------------------------------------------


def _told(found: Replay) -> ReplayTold:
    return ReplayTold(
        reproduced=not found.differing,
        since=rfc3339(found.since),
        until=rfc3339(found.until),
        records=len(found.targets),
        decisions=found.decisions,
        differing=found.differing,
        differences=[_discrepancy(each) for each in found.discrepancies],
        lost=[lost_told(each) for each in found.lost],
    )


def lost_told(lost: LostDecisions) -> LostTold:
    span = {"since": rfc3339(lost.since), "until": rfc3339(lost.until)}
    return LostTold(**place_of(lost.target), decisions=lost.count, **span)


def place_of(target: Target) -> dict[str, str]:
    return {"policy": target.policy, "record": str(target.key), "provider": target.provider}


def _discrepancy(found: Discrepancy) -> DiscrepancyTold:
    inputs = found.decided.inputs
    return DiscrepancyTold(
        **place_of(inputs.target),
        at=rfc3339(inputs.now),
        revision=inputs.revision,
        version=found.decided.version,
        differs_in=list(found.differs_in),
        then=conclusion_told(found.decided.came),
        again=conclusion_told(found.again) if found.again is not None else None,
        error=found.error,
        inputs=codec.plain(inputs),
    )


def conclusion_told(came: Conclusion) -> ConclusionTold:
    return ConclusionTold(
        kind=came.kind,
        decision=came.decision,
        wanted_bp=dict(came.wanted),
        after_bp=dict(came.after),
        reasons=list(came.reasons),
        limits=list(came.limits),
        cause=came.cause,
    )


def _text(found: Replay) -> Iterator[str]:
    span = f"from {clock(found.since)} until {clock(found.until)}"
    if not found.decisions:
        yield f"nothing is kept of any decision {span}"
        yield "a daemon that runs keeps them from its start on"
        return
    whose = f"{counted(found.decisions, 'decision')} of {counted(len(found.targets), 'record')}"
    if not found.differing:
        yield f"reproduced: {whose} came to what {'it' if found.decisions == 1 else 'they'} came to then"
        yield span
        return
    yield f"{found.differing} of {whose} came to something else"
    yield span
    if any(each.decided.version == __version__ for each in found.discrepancies):
        yield "a defect of failoverd: please report it, with what --output json prints"
    else:
        yield f"another version of failoverd decided then; this is {__version__}"
    for each in found.discrepancies[:_SHOWN]:
        yield ""
        yield from _apart(each)
    if found.differing > _SHOWN:
        yield ""
        yield f"and {found.differing - _SHOWN} more: --output json has up to {len(found.discrepancies)} of them"


def _apart(found: Discrepancy) -> Iterator[str]:
    inputs = found.decided.inputs
    yield f"DIFFERS  {clock(inputs.now)}  {inputs.target}"
    yield f"  by     revision {inputs.revision} of its policy, failoverd {found.decided.version}"
    yield f"  then   {say_conclusion(found.decided.came)}"
    yield f"  again  {say_conclusion(found.again) if found.again is not None else found.error}"
    if "reasons" in found.differs_in and found.again is not None:
        yield f"  sum    {_of_sums(found.decided.came.reasons, found.again.reasons)}"


def _of_sums(then: Sequence[str], again: Sequence[str]) -> str:
    """What is in one of the sums and not in the other."""
    gone = few([code for code in then if code not in again], _SHOWN)
    new = few([code for code in again if code not in then], _SHOWN)
    return "; ".join(filter(None, (gone and f"without {gone}", new and f"with {new}"))) or "in another order"


def say_answer(shares: Mapping[str, int]) -> str:
    return percentages(dict(sorted(shares.items()))) or "no answer"


def say_conclusion(came: Conclusion) -> str:
    """`write, failover: oci 100%; max_shift holds it`."""
    limits = f"; {', '.join(came.limits)} holds it" if came.limits else ""
    shares = say_answer(came.after)
    return f"{came.kind.replace('_', ' ')}, {came.decision.replace('_', ' ')}: {shares}{limits}"


def of_lost(lost: LostDecisions) -> str:
    return (
        f"{counted(lost.count, 'decision')} of {lost.target} from {clock(lost.since)} until {clock(lost.until)} cannot "
        "be read: a failing disk, or another version wrote them. They are left out; what the daemon decides from now "
        "on is kept anew after its restart"
    )
