"""Sources are asked, and what they answer counts: or nothing of it does, which is told once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from support.scenes import NOW, healths, policy, region

from failoverd.core.errors import FailoverdError
from failoverd.core.events import Event, IncidentOpened, SignalClipped, SignalFired, SignalFound, SignalLost
from failoverd.core.health.region import RegionHealth
from failoverd.core.measures import ErrorBudget, Measure, Signals
from failoverd.core.records import Policy, RecordType
from failoverd.ports import SeriesValue, Urgency
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.measuring import Measuring
from failoverd.runtime.override_book import Overrides
from failoverd.runtime.states import States
from failoverd.simulation.paper_journal import PaperJournal

EVERY = 15.0
DEMAND = Measure("sum(rate(requests[5m]))", "main", declared=800)
ERRORS = ErrorBudget("errors[$window]", "requests[$window]", "main")
SERVICE = replace(policy(region("azure", 70, capacity=900), region("oci", 30, capacity=600)), demand=800.0)
COUNTED = replace(SERVICE, measure=DEMAND)
BURNING = replace(SERVICE, signals=Signals(errors=ERRORS))


@dataclass
class Stage:
    """A source that answers what a test says, and what comes of it."""

    policies: dict[str, Policy]
    answers: dict[str, Sequence[SeriesValue] | FailoverdError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    woken: list[tuple[str, Urgency]] = field(default_factory=list)
    now: float = NOW
    every: float = EVERY

    def __post_init__(self) -> None:
        writer = JournalWriter(PaperJournal(), self.events.append, lambda: self.now)
        overrides = Overrides(writer, self.events.append, lambda: self.now)
        self.states = States(writer, self.events.append, overrides)
        self.measuring = Measuring(
            {"main": self},
            self.states,
            self,
            lambda: self.policies,
            Incidents(self.states, lambda: self.now),
            lambda name, urgency: self.woken.append((name, urgency)),
            self.events.append,
            lambda: self.now,
        )

    async def ask(self, query: str) -> Sequence[SeriesValue]:
        self.asked.append(query)
        found = self.answers.get(query, ())
        if isinstance(found, FailoverdError):
            raise found
        return found

    def regions(self, name: str, record_type: RecordType) -> dict[str, RegionHealth]:
        assert record_type is RecordType.A
        return healths(self.policies[name])

    def calm(self, policy: str, aside: object = ()) -> bool:
        raise AssertionError((policy, aside))

    async def look(self, after: float = EVERY) -> None:
        self.now += after
        await self.measuring.look("main")

    def demand(self, name: str = SERVICE.name) -> float | None:
        reading = self.states.signalled(name).readings.get("demand")
        return reading.values[""] if reading is not None else None

    def told(self) -> list[str]:
        return [event.name for event in self.events]


def one(value: float) -> list[SeriesValue]:
    return [SeriesValue({}, value)]


def each(**values: float) -> list[SeriesValue]:
    return [SeriesValue({"region": name}, value) for name, value in values.items()]


async def test_a_demand_is_measured_and_the_policy_is_worked_on_when_it_moved_enough() -> None:
    stage = Stage({COUNTED.name: COUNTED}, {DEMAND.query: one(700)})
    await stage.look()
    assert (stage.demand(), stage.woken) == (700, [(COUNTED.name, Urgency.CHANGE)])
    stage.answers[DEMAND.query] = one(720)
    await stage.look()
    assert (stage.demand(), len(stage.woken)) == (720, 1)
    stage.answers[DEMAND.query] = one(760)
    await stage.look()
    assert (stage.demand(), len(stage.woken)) == (760, 2)


async def test_several_policies_ask_the_same_once() -> None:
    others = {f"api-{number}": replace(COUNTED, name=f"api-{number}") for number in range(20)}
    stage = Stage(others, {DEMAND.query: one(700)})
    await stage.look()
    assert stage.asked == [DEMAND.query]
    assert {stage.demand(name) for name in others} == {700}


async def test_a_jump_is_clipped_and_told_once_and_a_fall_to_nothing_is_not_believed() -> None:
    stage = Stage({COUNTED.name: COUNTED}, {DEMAND.query: one(8_000)})
    await stage.look()
    await stage.look()
    clipped = [event for event in stage.events if isinstance(event, SignalClipped)]
    assert [(event.measured, event.believed) for event in clipped] == [(8_000, 1_600)]
    assert stage.demand() == 3_200
    stage.answers[DEMAND.query] = one(0)
    await stage.look()
    assert stage.demand() == 3_200
    assert stage.measuring.figures().failures == {("main", "not_believed"): 1}


async def test_a_source_that_fails_is_told_after_three_tries_for_all_at_once_and_when_it_is_back() -> None:
    policies = {f"api-{number}": replace(COUNTED, name=f"api-{number}") for number in range(20)}
    stage = Stage(policies, {DEMAND.query: one(700)})
    await stage.look()
    stage.answers[DEMAND.query] = FailoverdError("gone", reason="unreachable")
    for _ in range(2):
        await stage.look()
    assert "signal.lost" not in stage.told()
    for _ in range(5):
        await stage.look()
    (lost,) = [event for event in stage.events if isinstance(event, SignalLost)]
    assert (lost.source, lost.count, lost.reason, len(lost.signals)) == ("main", 20, "unreachable", 8)
    assert stage.demand("api-3") == 700  # kept, and old
    assert stage.measuring.figures().lost == {"main": 20}
    stage.answers[DEMAND.query] = one(710)
    await stage.look()
    (found,) = [event for event in stage.events if isinstance(event, SignalFound)]
    assert (found.count, found.still_lost) == (20, 0)
    assert stage.measuring.figures().lost == {"main": 0}


async def test_what_was_lost_and_is_asked_for_no_more_is_no_trouble_any_more() -> None:
    stage = Stage({COUNTED.name: COUNTED}, {})
    for _ in range(4):
        await stage.look()
    assert stage.told() == ["signal.lost"]
    stage.policies.clear()
    await stage.look()
    (found,) = [event for event in stage.events if isinstance(event, SignalFound)]
    assert (found.signals, found.count, found.still_lost) == ((), 0, 0)


async def test_a_query_that_gives_several_values_or_none_gives_no_figure() -> None:
    stage = Stage({COUNTED.name: COUNTED}, {DEMAND.query: each(azure=1, oci=2)})
    await stage.look()
    del stage.answers[DEMAND.query]
    await stage.look()
    assert stage.demand() is None
    assert stage.measuring.figures().failures == {("main", "several_values"): 1, ("main", "no_data"): 1}


async def test_a_region_that_burns_is_told_and_worked_on_at_once() -> None:
    stage = Stage({BURNING.name: BURNING})
    calm, burning = each(azure=0, oci=0), each(azure=0.4, oci=0)
    stage.answers = {"errors[300s]": calm, "errors[25s]": calm, "requests[300s]": each(azure=1e4, oci=1e4)}
    await stage.look()
    stage.answers |= {"errors[300s]": burning, "errors[25s]": burning}
    stage.woken.clear()
    await stage.look()
    (fired,) = [event for event in stage.events if isinstance(event, SignalFired)]
    assert (fired.region, fired.verdict, fired.requests) == ("azure", "degraded", 10_000)
    (opened,) = [event for event in stage.events if isinstance(event, IncidentOpened)]
    assert stage.events.index(opened) < stage.events.index(fired)
    assert fired.incident_id == opened.incident_id
    assert opened.cause == "azure has 400 times the errors that its service level allows"
    assert stage.woken == [(BURNING.name, Urgency.CHANGE)]
    assert stage.measuring.figures().burns[BURNING.name, "azure"] > 399


async def test_values_without_a_region_are_no_errors_of_any() -> None:
    stage = Stage({BURNING.name: BURNING}, {"errors[300s]": one(1.0)})
    await stage.look()
    assert stage.measuring.figures().failures["main", "no_region"] == 1


async def test_a_defect_at_one_question_leaves_the_others() -> None:
    class Defective(Stage):
        async def ask(self, query: str) -> Sequence[SeriesValue]:
            if query.startswith("errors"):
                raise ZeroDivisionError
            return await super().ask(query)

    both = replace(COUNTED, signals=Signals(errors=ERRORS))
    stage = Defective({both.name: both}, {DEMAND.query: one(700)})
    await stage.look()
    assert stage.demand() == 700


async def test_a_round_under_way_does_not_put_back_what_it_began_with() -> None:
    stage = Stage({COUNTED.name: COUNTED}, {DEMAND.query: one(700)})
    begun = stage.states.told(COUNTED)
    await stage.look()
    stage.states.put(begun)
    found = stage.states.told(COUNTED).signalled.readings["demand"]
    assert found.values == {"": 700}
