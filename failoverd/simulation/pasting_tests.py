"""A situation in which a promise is not kept, as a test to paste into a file `*.test.yaml`."""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from failoverd.config.schema.test_file import MeasuredEntry, WordEntry
from failoverd.core.health.region import RegionState
from failoverd.core.reasons import Limit
from failoverd.core.records import WHOLE, Target
from failoverd.simulation.promises import SAYS, Broken, Promise
from failoverd.simulation.proof import Counterexample
from failoverd.simulation.situations import Circumstance

_LETTERS: Final = {RegionState.DOWN: "F", RegionState.DEGRADED: "D"}

_NEVER: Final = {
    Promise.NEVER_EMPTY: "empty",
    Promise.RESIDENCY: "leaves_residency",
    Promise.ROOM: "over_capacity",
    Promise.TIERS: "over_capacity",
}

_HOLDS: Final = {Promise.MIN_REGIONS: Limit.MIN_REGIONS, Promise.RULES: Limit.ASSERTION}


def as_test(found: Counterexample, normal: Mapping[Target, Mapping[str, int]]) -> str:
    """One entry of `tests`, that fails while the promise is not kept."""
    broken, happened = found.broken, found.situation.circumstance
    policy = happened.policy or broken.target.policy
    lines = [f"- name: {json.dumps(f'{SAYS[broken.promise]}: {found.situation}')}", f"  policy: {policy}"]
    if happened.spent:
        lines.append("  given: {spent: true}")
    if happened.measured is not None:
        lines.append(f"  measured: {_flow(_as_measured(happened.measured))}")
    if series := _series(found, back=broken.promise is Promise.CONVERGENCE):
        lines.append(f"  series: {series}")
    lines += _happens(happened)
    lines += _known(happened, normal[broken.target]) if broken.promise is Promise.KNOWN else ()
    lines += _expected(broken, normal, policy) if broken.promise is not Promise.KNOWN else ()
    return "\n".join(f"  {line}" for line in lines) + "\n"


def _as_measured(said: MeasuredEntry) -> Mapping[str, Mapping[str, str]]:
    figures = {"demand": said.demands(""), "capacity": said.capacity}
    return {
        key: {name: json.dumps(" ".join(_moments(*each) for each in readings)) for name, readings in values.items()}
        for key, values in figures.items()
        if values
    }


def _moments(value: float | None, number: int) -> str:
    return f"{'_' if value is None else f'{value:g}'} x{number}"


def _series(found: Counterexample, *, back: bool) -> str:
    """Five minutes of illness, if it is about the way back; without an end otherwise."""
    rest = " x300 P" if back else ""
    said = [f'{name}/*: "P x10 {_LETTERS[state]}{rest}"' for name, state in sorted(found.situation.ill.items())]
    if unseen := found.situation.circumstance.unseen:
        said.append(f'{unseen}/*: "P x10 B{rest}"')
    return f"{{{', '.join(said)}}}" if said else ""


def _happens(what: Circumstance) -> Iterator[str]:
    """Words and a first edit before anything is ill, another edit after, and a start in that moment."""
    moments = [f"{5 + number}s: {{operator: {_flow(_as_said(word))}}}" for number, word in enumerate(what.words)]
    if what.practised:
        moments.append(f"5s: {{operator: {{drill: {what.practised}}}}}")
    if what.started:
        moments.append("10s: {restart: true}")
    if what.edit is not None:
        edit = f"edit: {_flow(_percent(what.edit))}" if what.edit else "empty: true"
        moments.append(f"{'5s' if what.before else '1m'}: {{{edit}}}")
    if moments:
        yield f"  happens: {{{', '.join(moments)}}}"


def _as_said(word: WordEntry) -> Mapping[str, object]:
    said: dict[str, object] = word.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    if word.pin is not None:
        said["pin"] = _percent(word.pin)
    if word.to is not None:
        said["to"] = f"{word.to / 100:g}%"
    return said


def _expected(broken: Broken, normal: Mapping[Target, Mapping[str, int]], policy: str) -> Iterator[str]:
    if (never := _NEVER.get(broken.promise)) is not None:
        yield "  for: 10m"
        yield f"  never: {{{never}: true}}"
        return
    when, said = "2m", f"holds: [{_HOLDS.get(broken.promise, '')}]"
    if broken.promise is Promise.FAILING_OUT:
        said = f"shares: {_flow(_percent(broken.outcome.decision.shares))}"
    elif broken.promise is Promise.CONVERGENCE:
        when, said = "1d", f"shares: {_flow(_percent(normal[broken.target]))}"
    mine = broken.target.policy
    yield f"  at: {{{when}: {{{said if mine == policy else f'policies: {{{mine}: {{{said}}}}}'}}}}}"


def _known(happened: Circumstance, normal: Mapping[str, int]) -> Iterator[str]:
    """Nothing is written right after a start; who is lost from sight keeps what it has."""
    if happened.started:
        yield "  at: {11s: {changes: 0}}"
        return
    share = normal.get(happened.unseen, 0) / 100
    yield "  for: 10m"
    yield f"  never: {{share: {{{happened.unseen}: '{f'< {share - 0.1:g}' if share else '> 0'}'}}}}"


def _percent(shares: Mapping[str, int]) -> Mapping[str, float]:
    return {name: share * 100 / WHOLE for name, share in shares.items() if share}


def _flow(value: object) -> str:
    """As YAML people write on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_flow(each)}" for name, each in value.items()) + "}"
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value) if not isinstance(value, str) else value
