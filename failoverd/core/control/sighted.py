"""Which models regions serve: what the policy's own checks have seen there, and else what the inventory says.

A declaration says what is to be there. What an `inference` check has read in the list of models is there, so it counts
more: for a region that serves something else than the inventory says, and for one that serves more. Where the list
says no revision, or the check does not look for it, the name is what was seen, and the revision is the declared one.

- What was never seen is as the inventory says. What was seen counts until something else is: that nobody sees it just
  now is no cause.
- Endpoints of one region that serve different things: the region serves what is wanted only if all of them do.
- Where no region is seen to serve what is wanted (but for canaries, which may differ), although the inventory says that
  some do, the file is behind a release, or the list means something else. Then all of them count as declared: who
  serves the same as all others is not left for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from failoverd.core.control.residency import serves_model, within
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import Model, Policy, RegionSpec

Sighted = Mapping[str, tuple[Model, ...]]
"""What each region was seen to serve; one that nobody saw is missing."""


@dataclass(frozen=True, slots=True)
class AsSeen:
    """The policy with the models that count, and where these are not the declared ones."""

    policy: Policy
    reasons: tuple[Reason, ...] = ()


def as_seen(policy: Policy, sighted: Sighted) -> AsSeen:
    """The policy with what its regions were seen to serve."""
    wanted = policy.model
    if wanted is None or not sighted:
        return AsSeen(policy)
    regions = tuple(_counted(wanted, spec, sighted.get(spec.name, ())) for spec in policy.regions)
    told = tuple(
        _differs(spec, before)
        for spec, before in zip(regions, policy.regions, strict=True)
        if not {*spec.models} <= {*before.models}
    )
    if not told:
        return AsSeen(policy)
    found = replace(policy, regions=regions)
    if _serving(policy) and not _serving(found):
        return AsSeen(policy, (*told, Reason(ReasonCode.MODEL_DOUBTED, "model", detail=str(wanted))))
    return AsSeen(found, told)


def _counted(wanted: Model, spec: RegionSpec, seen: tuple[Model, ...]) -> RegionSpec:
    """The region with the models by which it is judged: of several that it was seen to serve, those that differ."""
    models = tuple(dict.fromkeys(found for each in seen for found in _revised(each, spec.models)))
    others = tuple(each for each in models if not wanted.met_by(each))
    return replace(spec, models=others or models) if models else spec


def _revised(seen: Model, declared: tuple[Model, ...]) -> tuple[Model, ...]:
    """With the declared revisions, where none was seen."""
    if seen.revision:
        return (seen,)
    return tuple(each for each in declared if each.name == seen.name) or (seen,)


def _serving(policy: Policy) -> bool:
    """Whether a region serves what is wanted that may answer, and is no canary."""
    return any(
        serves_model(policy, spec)
        for spec in policy.regions
        if spec.name not in policy.canary and within(policy, spec.jurisdiction)
    )


def _differs(spec: RegionSpec, declared: RegionSpec) -> Reason:
    seen, said = (", ".join(map(str, each.models)) for each in (spec, declared))
    detail = f"{seen}, and the inventory says {said or 'no model'}"
    return Reason(ReasonCode.MODEL_SEEN, "model", spec.name, detail=detail)
