"""The scenarios that ship, played: the rules that never bend hold in each, and each shows what it says."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from support.manual import POLICIES, REAL_KINDS, scenarios

from failoverd.config.scenario_files import load_scenario
from failoverd.core.events import FailoverHeld
from failoverd.simulation.course import Course, MomentKind, PolicyCourse
from failoverd.simulation.simulating import simulate
from failoverd.simulation.trial import site_of
from failoverd.simulation.zonefile import Write, Zonefile

pytestmark = pytest.mark.slow

WRITES: dict[str, list[Write]] = {}


@cache
def course(name: str) -> Course:
    found = load_scenario(POLICIES / "scenarios" / f"{name}.scenario.yaml", REAL_KINDS)
    assert found.scenario is not None
    written, real = WRITES.setdefault(name, []), Zonefile.wrote

    def wrote(zonefile: Zonefile, write: Write) -> None:
        written.append(write)
        real(zonefile, write)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Zonefile, "wrote", wrote)
        return simulate(found.scenario, site_of(found.scenario.found))


def policy(name: str, of: str = "inference-api") -> PolicyCourse:
    return next(each for each in course(name).policies if each.policy == of)


def moves(name: str, of: str = "inference-api") -> list[str]:
    return [each.moved for each in course(name).moments if each.kind is MomentKind.MOVED and each.policy == of]


NAMES = [path.name.partition(".")[0] for path in scenarios()]


def no_empty_answer_is_written_and_no_older_generation_wins(name: str) -> None:
    assert course(name).policies
    for write in WRITES[name]:
        assert write.records.serving, write
        assert write.before.marker is None or write.marker.generation > write.before.marker.generation, write


def nothing_that_is_down_is_held_and_no_region_that_serves_is_left(name: str) -> None:
    for each in course(name).policies:
        assert each.totals.false_moves == 0, each.policy
    held = [each for each in course(name).moments if each.event == FailoverHeld.name]
    assert held == []


EVERYBODY_IS_DEAD = {"everything-503"}
NOBODY_CAN_WRITE = {"provider-throttles"}
NOTHING_FITS = {"demand-times-ten", "everything-503"}


def what_is_dead_leaves_within_half_a_minute(name: str) -> None:
    for each in course(name).policies:
        assert each.totals.dead_minutes < 0.5, each.policy


def no_region_is_sent_more_than_it_can_carry_while_something_fits(name: str) -> None:
    assert policy(name).totals.over_minutes == pytest.approx(0, abs=0.5)


def in_the_end_all_is_as_in_the_beginning(name: str) -> None:
    for each in policy(name).regions:
        assert each.shares[-1][1] == each.shares[0][1]


SHOWN: dict[str, Callable[[], bool]] = {
    "bad-check": lambda: moves("bad-check") == [],
    "brown-out": lambda: len(moves("brown-out")) == 2 and policy("brown-out").totals.failed_client_minutes < 0.5,
    "cold-region": lambda: (
        0.0 < policy("cold-region", "inference-llm").totals.failed_client_minutes < 1.0
        and any(each.event == "failback.aborted" for each in course("cold-region").moments)
    ),
    "demand-times-ten": lambda: policy("demand-times-ten").totals.over_minutes > 14,
    "empty-answer": lambda: moves("empty-answer") == ["azure-eastus 0 -> 70, oci-ashburn 0 -> 30"],
    "everything-503": lambda: moves("everything-503")[0] == "azure-eastus 70 -> 0, oci-ashburn 30 -> 100",
    "flapping": lambda: len(moves("flapping")) == 2,
    "overload-spreads": lambda: all(
        min(value for _, value in each.served) > 0
        for each in policy("overload-spreads").regions
        if each.region != "azure-eastus"
    ),
    "packet-loss": lambda: moves("packet-loss") == [] and policy("packet-loss").totals.failed_client_minutes == 0,
    "prober-cut-off": lambda: (
        not any(moves("prober-cut-off", each.policy) for each in course("prober-cut-off").policies)
    ),
    "provider-throttles": lambda: 0 < policy("provider-throttles").totals.dead_minutes < 3,
    "region-dies": lambda: policy("region-dies").totals.failed_client_minutes < 1.0,
}


RULES: dict[Callable[[str], None], set[str]] = {
    no_empty_answer_is_written_and_no_older_generation_wins: set(),
    nothing_that_is_down_is_held_and_no_region_that_serves_is_left: set(),
    what_is_dead_leaves_within_half_a_minute: EVERYBODY_IS_DEAD | NOBODY_CAN_WRITE,
    no_region_is_sent_more_than_it_can_carry_while_something_fits: NOTHING_FITS,
    in_the_end_all_is_as_in_the_beginning: {"cold-region"},
}
"""Each with the scenarios in which it cannot be."""


@pytest.mark.parametrize("name", NAMES)
def test_the_rules_that_never_bend_hold_and_it_shows_what_it_says(name: str) -> None:
    """One test for each, as to play it is what takes long."""
    for rule, but in RULES.items():
        if name not in but:
            rule(name)
    assert SHOWN[name]()


def test_none_is_forgotten() -> None:
    assert {Path(path).name.partition(".")[0] for path in scenarios()} == set(SHOWN)
