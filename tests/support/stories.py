"""A policy's target over time: regions come and go, rounds are done, and what is approved is written."""

from collections.abc import Callable
from dataclasses import replace

from support.scenes import HEALTHS, KEY, NOW, OWNER, TARGET, records, rolled

from failoverd.core.control import progress
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.limits import Approved
from failoverd.core.control.outcome import Estate, Outcome, OutcomeKind
from failoverd.core.control.plan import Plan
from failoverd.core.control.state import PolicyState, TargetMemory
from failoverd.core.events import Event
from failoverd.core.health.region import RegionHealth
from failoverd.core.overrides import Override
from failoverd.core.records import Marker, Observed, Policy, RecordSet


def as_it_is(desired: RecordSet) -> RecordSet:
    """A provider that says every weight."""
    return desired


def in_or_out(desired: RecordSet) -> RecordSet:
    """A provider that knows only whether a value is in the answer."""
    return records({answer.value: 1 for answer in desired.serving}, ttl=desired.ttl)


def same(one: Outcome, other: Outcome) -> bool:
    """Whether two outcomes are equal. An approval is nobody's equal but its own, so its content is compared."""

    def seal(found: Approved | None) -> object:
        return (found.plan, found.checks) if found is not None else None

    return seal(one.approved) == seal(other.approved) and replace(one, approved=None) == replace(other, approved=None)


class Story:
    """One target, from its creation on. `regions` is their health as it was rolled up last.

    `latencies` are the medians that were measured, by region in milliseconds; None where nobody knows.
    """

    regions: dict[str, RegionHealth]

    def __init__(self, of: Policy, *, normalise: Callable[[RecordSet], RecordSet] = as_it_is, now: float = NOW) -> None:
        self.policy = replace(of, source=replace(of.source, revision=of.source.revision or "r1"))
        self.now = now
        self.estate = Estate(OWNER, normalise, spare={})
        self.state = PolicyState(of.name)
        self.observed = Observed(TARGET, None)
        self.letters: dict[str, str] = {spec.name: "H" * len(spec.endpoints) for spec in of.regions}
        self.latencies: dict[str, float | None] = {}
        self.regions = {}
        self.events: list[Event] = []

    @property
    def memory(self) -> TargetMemory:
        return self.state.of(TARGET)

    @property
    def published(self) -> dict[str, float]:
        """Percent by region."""
        found = self.observed.records
        shares = found.shares(self.policy.region_of(KEY.type)) if found is not None else {}
        return {name: share / 100 for name, share in shares.items()}

    @property
    def marker(self) -> Marker:
        assert self.observed.marker is not None
        return self.observed.marker

    def seen(self, **letters: str) -> PolicyState:
        """The state with the regions as they are now; those that are named turn into what their letters say."""
        self.letters |= letters
        for spec in self.policy.regions:
            values = [str(end.answer(KEY.type)) for end in spec.endpoints]
            healths = [HEALTHS[letter] for letter in self.letters[spec.name]]
            states, before = dict(zip(values, healths, strict=True)), self.regions.get(spec.name)
            found = rolled(states, before, self.policy.health, self.now, name=spec.name, weights=spec.weights)
            if before is not None:
                found = replace(
                    found,
                    failing_since=before.failing_since,
                    passed_at=before.passed_at,
                    open_until=before.open_until,
                )
            took = self.latencies.get(spec.name)
            self.regions[spec.name] = replace(found, latency=took / 1_000 if took is not None else None)
        calm = all(letter == "H" for each in self.letters.values() for letter in each)
        state = replace(self.state, verdicts={KEY.type: dict(self.regions)}, calm=calm)
        return state if calm else progress.opened(self.policy, state, "test", self.now)[0]

    def asked(self, state: PolicyState | None = None, at: float | None = None) -> Outcome:
        """What would be done; nothing comes of it."""
        asked_of = state if state is not None else self.seen()
        return evaluate(self.policy, asked_of, self.observed, self.estate, at if at is not None else self.now)

    def look(self, after: float = 0.0, **letters: str) -> Outcome:
        """One round, `after` seconds later; what is approved is written and read back."""
        self.now += after
        outcome = self.asked(self.seen(**letters))
        self.state = outcome.state
        self.events += outcome.events
        if outcome.approved is not None:
            self.write(outcome.approved.plan)
        return outcome

    def settled(self, after: float = 0.0, **letters: str) -> Outcome:
        """Rounds until nothing is written any more."""
        outcome = self.look(after, **letters)
        for _ in range(20):
            if outcome.kind is not OutcomeKind.WRITE:
                return outcome
            outcome = self.look(0.5)
        raise AssertionError(f"it never comes to rest: {outcome.plan}")

    def say(self, *words: Override) -> "Story":
        """Operators give words."""
        self.state = replace(self.state, overrides=(*self.state.overrides, *words))
        return self

    def release(self, by: str = "bob@bastion") -> None:
        """All of them are taken back."""
        over = tuple(each.released(by, "done", self.now) for each in self.state.overrides)
        self.state = replace(self.state, overrides=over)

    def write(self, plan: Plan) -> None:
        self.observed = Observed(TARGET, plan.after, plan.marker, plan.marker_text)
        self.state, events = progress.applied(self.policy, progress.began(self.state, plan), plan, self.now)
        self.events += events

    def edited(self, of: Policy) -> None:
        """A person edits the policy file."""
        revision = f"{self.policy.source.revision}+"
        self.policy = replace(of, source=replace(of.source, revision=revision))

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if type(event) is kind]
