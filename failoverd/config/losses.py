"""What becomes of a policy when a region is lost, or a whole cloud, played through the decision that would be made.

Nothing may keep what is down in the answer. Rates and counts never do; `min_regions` can, and that is told here, before
the night on which it happens.
"""

from collections.abc import Iterator, Mapping

from failoverd.config.diagnostics import Code, Diagnostic
from failoverd.config.documents import Document
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.outcome import Estate, Outcome
from failoverd.core.control.state import PolicyState
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.records import WHOLE, Answer, Marker, Observed, Policy, RecordSet, RecordSpec, RecordType, Weights

_OWNER, _NOW = "check", 0.0


def losses(policy: Policy, document: Document) -> Iterator[Diagnostic]:
    """The loss that a limit would hold for the most: what lets it pass lets the others pass, too."""
    held = [
        (int(outcome.held.blocking[0].found), record, lost)
        for record in policy.records
        for lost in _losses(policy, record.key.type)
        if (outcome := _play(policy, record, lost)) is not None and outcome.held is not None
    ]
    if not held:
        return
    left, record, lost = min(held, key=lambda each: each[0])
    message = (
        f"losing {' and '.join(sorted(lost))} leaves {left} of the regions of {record.key}, fewer than the "
        f"{policy.limits.min_regions} of min_regions: what is down would stay in the answer until a person acts"
    )
    yield document.diagnose(Code.LIMIT_BLOCKS, ("limits", "min_regions"), message, f"write min_regions: {max(left, 1)}")


def _losses(policy: Policy, record_type: RecordType) -> Iterator[frozenset[str]]:
    """Each region that can answer, and each cloud of several, as long as anything is left."""
    specs = [spec for spec in policy.regions if any(end.answer(record_type) is not None for end in spec.endpoints)]
    together = [frozenset({spec.name}) for spec in specs]
    clouds = sorted({spec.cloud for spec in specs} - {""})
    together.extend(frozenset(spec.name for spec in specs if spec.cloud == cloud) for cloud in clouds)
    for lost in dict.fromkeys(together):
        if len(lost) < len(specs):
            yield lost


def _play(policy: Policy, record: RecordSpec, lost: frozenset[str]) -> Outcome | None:
    """All is well and published; then these regions are down. None when the record answers with none of them."""
    target, estate = record.targets[0], Estate(_OWNER, _members if policy.weights is Weights.MEMBERSHIP else _as_it_is)
    well = PolicyState(policy.name, verdicts={record.key.type: _regions(policy, record.key.type, frozenset())})
    normal = evaluate(policy, well, Observed(target, None), estate, _NOW).plan
    if normal is None or not any(normal.shares_after.get(name) for name in lost):
        return None
    marker = Marker(_OWNER, policy.name, 1, (record.key.type,))
    stands = Observed(target, normal.after, marker, marker.to_text())
    ill = PolicyState(policy.name, verdicts={record.key.type: _regions(policy, record.key.type, lost)})
    return evaluate(policy, ill, stands, estate, _NOW)


def _regions(policy: Policy, record_type: RecordType, lost: frozenset[str]) -> Mapping[str, RegionHealth]:
    found = {}
    for spec in policy.regions:
        values = [value for end in spec.endpoints if (value := end.answer(record_type)) is not None]
        if not values:
            continue
        down = spec.name in lost
        state = RegionState.DOWN if down else RegionState.HEALTHY
        serving = () if down else tuple(sorted(values))
        found[spec.name] = RegionHealth(
            spec.name, state, 0 if down else WHOLE, since=-1e9, well_since=None if down else -1e9, serving=serving
        )
    return found


def _members(desired: RecordSet) -> RecordSet:
    """In or out, as providers without weights say it."""
    return RecordSet(desired.key, desired.ttl, tuple(Answer(answer.value, 1) for answer in desired.serving))


def _as_it_is(desired: RecordSet) -> RecordSet:
    return desired
