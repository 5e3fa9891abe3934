"""Who may answer at all: before everything else, and whatever else is said.

Residency. A policy says in which jurisdictions its traffic may be served (`residency: {allow: [EU, CH]}`), and the
inventory says whose law applies in a region. A region outside of these, or without a jurisdiction, may not answer; nor
may an answer that no region of the policy names, for nobody knows where that is. It is a fence by server: where the
client is, DNS does not know.

The model. A policy that says which model answers is served by regions alone that serve it, in the revision that is
wanted; those that `canary` names may differ.

Who may not answer is seen by no later stage. What it answers with leaves at once: the cause is `evicted`, which meets
no rate and no count, but is never empty. While nothing is decided (all is down, a hold, no verdict), the last answer is
held as far as it may be answered; where nothing is left of it, the normal one of those who may.

Where residency leaves somebody and the model nobody, the answer is held inside the residency. Where it leaves nobody,
nothing is written: an answer is never empty. `failoverctl check` refuses such a policy.

Break-glass. A pin that names the residency of the policy lets in the regions that it pins, as guests: two people stand
behind it, and it holds for four hours at most. At its end they leave at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from failoverd.core.control.overriding import Heeded, by_operator
from failoverd.core.overrides import GUEST, GUEST_PEOPLE, Override
from failoverd.core.reasons import Reason, ReasonCode
from failoverd.core.records import ELSEWHERE, NamedPlace, Policy, RecordSet, RecordType, RegionSpec


@dataclass(frozen=True, slots=True)
class Allowed:
    """Who may answer.

    Attributes:
        regions: those of the policy that may get traffic.
        region_of: answer value to region, or place, of what may be answered, in whatever hold.
        evicted: who has to leave an answer: regions, places, and what is nobody's.
        nobody: whether no region may get traffic.
        reasons: why not, region by region.
        until: when a guest has to leave.
        names: answer value to region, or place, whether it may answer or not.
    """

    regions: tuple[RegionSpec, ...]
    region_of: Mapping[str, str]
    evicted: frozenset[str] = frozenset()
    nobody: bool = False
    reasons: tuple[Reason, ...] = ()
    until: float | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def leaving(self, records: RecordSet | None) -> frozenset[str]:
        """Who has to leave an answer."""
        if not self.evicted or records is None:
            return frozenset()
        found = {self.names.get(answer.value, ELSEWHERE) for answer in records.serving}
        return self.evicted & found

    def place(self, place: NamedPlace | None, record_type: RecordType) -> NamedPlace | None:
        """The place, if it may answer and can."""
        usable = place is not None and place.name not in self.evicted and place.answers(record_type)
        return place if usable else None

    def overflow(self, policy: Policy, record_type: RecordType) -> NamedPlace | None:
        """The place for what fits into no region.

        Without a demand nobody knows how much that is. And a region of the policy is none: it was filled to its room
        like the others, before anything was short.
        """
        place = self.place(policy.shed_to, record_type) if policy.demand else None
        return place if place is not None and all(spec.name != place.name for spec in policy.regions) else None


def allowed(policy: Policy, record_type: RecordType, heeded: Heeded, now: float) -> Allowed:
    """Who may answer a record of this type. Time is asked for guests alone."""
    names = policy.region_of(record_type)
    if not policy.residency and policy.model is None:
        return Allowed(policy.regions, names, names=names)
    guests, until = _guests(policy, heeded, now)
    reasons: list[Reason] = []
    resident = [spec for spec in policy.regions if spec.name in guests or within(policy, spec.jurisdiction)]
    for spec in policy.regions:
        if spec not in resident:
            reasons.append(Reason(ReasonCode.RESIDENCY, "residency", spec.name, detail=spec.jurisdiction))
        elif spec.name in guests and not within(policy, spec.jurisdiction):
            reasons.append(by_operator(ReasonCode.GUEST, guests[spec.name], spec.name))
    equal = [spec for spec in resident if serves_model(policy, spec)]
    reasons += [_unequal(policy, spec) for spec in resident if spec not in equal]
    able = frozenset(names.values())
    serving = [spec for spec in equal if spec.name in able]
    stay = equal if serving else resident
    places = [place for place in (policy.shed_to, policy.when_all_down_place) if place is not None]
    foreign = {value for spec in policy.regions if spec not in resident for value in spec.answers(record_type)}
    inside = {spec.name for spec in stay} | {
        place.name
        for place in places
        if within(policy, place.jurisdiction)
        and foreign.isdisjoint(place.answers(record_type))  # whatever it says of itself
        and place.name not in {spec.name for spec in policy.regions}
    }
    if not any(spec.name in able for spec in stay):  # an answer is never empty
        reasons.append(Reason(ReasonCode.NOBODY_ALLOWED, "residency"))
        return Allowed((), names, nobody=True, reasons=tuple(reasons), until=until, names=names)
    if not serving:
        reasons.append(Reason(ReasonCode.NOBODY_ALLOWED, "model"))
    out = (able | {place.name for place in places}) - inside | ({ELSEWHERE} if policy.residency else set())
    return Allowed(
        tuple(serving),
        {value: name for value, name in names.items() if name in inside},
        frozenset(out),
        not serving,
        tuple(reasons),
        until,
        names,
    )


def within(policy: Policy, jurisdiction: str) -> bool:
    """Whether a policy may be served under that law. Where the law is not known, not."""
    return not policy.residency or jurisdiction in policy.residency


def serves_model(policy: Policy, spec: RegionSpec) -> bool:
    """Whether a region serves the model that the policy wants, or may differ."""
    if policy.model is None or spec.name in policy.canary:
        return True
    return any(map(policy.model.met_by, spec.models))


def _unequal(policy: Policy, spec: RegionSpec) -> Reason:
    serves = ", ".join(map(str, spec.models)) or "no model that is stated"
    return Reason(ReasonCode.MODEL, "model", spec.name, detail=f"{serves}, and {policy.model} is wanted")


def _guests(policy: Policy, heeded: Heeded, now: float) -> tuple[Mapping[str, Override], float | None]:
    """The regions that a word lets in, and until when. It is held to its bounds here, whoever made it."""
    pin = heeded.pin
    if pin is None or policy.name not in pin.of_residency or pin.people < GUEST_PEOPLE:
        return {}, None
    until = min(pin.ends, pin.since + GUEST)
    if now >= until:
        return {}, None
    return {name: pin for name, share in pin.shares.items() if share > 0}, until
