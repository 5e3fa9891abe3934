"""Events are facts with stable names, and each says one plain sentence."""

import re
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any, get_type_hints

import pytest
from support.scenes import NOW

from failoverd.core import events
from failoverd.core.events import (
    ChangeDisputed,
    ChangeVerified,
    Event,
    FailoverHeld,
    Level,
    PlanHeld,
    RegionDegraded,
    TargetDelayed,
)
from failoverd.core.reasons import Cause, Limit, LimitCheck, Reason, ReasonCode
from failoverd.core.records import percentages
from failoverd.telemetry import prose

ALL = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and isinstance(getattr(kind, "name", None), str)
]


def sample(kind: type[Event]) -> Event:
    """An event with something in each of its fields."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    made = {
        tuple[Reason, ...]: (Reason(ReasonCode.SHARE, region="oci", numbers={"share": 3_000}),),
        tuple[LimitCheck, ...]: (LimitCheck(Limit.MIN_REGIONS, passed=False, found=1, allowed=2),),
        Cause: Cause.TUNING,
    }
    for spec in fields(kind):
        if hints[spec.name] in made:
            values[spec.name] = made[hints[spec.name]]
            continue
        hint = str(hints[spec.name])
        plain = {"<class 'str'>": "word", "<class 'int'>": 3, "<class 'float'>": 1.5}
        if hint in plain:
            values[spec.name] = plain[hint]
        elif hint.startswith("tuple"):
            values[spec.name] = ("one", "two")
        elif "Mapping" in hint:
            values[spec.name] = {"azure": 7_000, "oci": 3_000}
        elif spec.default is MISSING and spec.default_factory is MISSING:
            values[spec.name] = None
    return kind(**(values | {"at": NOW}))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_each_event_is_named_noun_past_participle_after_its_class(kind: type[Event]) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+", kind.name)
    assert kind.name.replace(".", "") == kind.__name__.lower()
    assert kind.level in Level
    assert is_dataclass(kind)


def test_names_are_unique() -> None:
    assert len({kind.name for kind in ALL}) == len(ALL)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_each_event_says_one_line_and_lists_its_facts(kind: type[Event]) -> None:
    event = sample(kind)
    sentence = prose.say(event)
    assert sentence
    assert "\n" not in sentence
    names = [name for name, _ in event.facts()]
    assert names[0] == "at"
    assert names == [spec.name for spec in fields(kind) if spec.name in names]


def test_facts_leave_out_what_is_empty_and_keep_what_is_zero() -> None:
    event = TargetDelayed(
        at=NOW, record="r", provider="p", zone="z", reason="x", detail="d", remedy="", retry_in=0.0, attempts=0
    )
    facts = dict(event.facts())
    assert "remedy" not in facts
    assert "policy" not in facts
    assert (facts["retry_in"], facts["attempts"]) == (0.0, 0)


def test_a_proof_says_who_agrees_and_when_the_old_answer_is_gone() -> None:
    event = ChangeVerified(
        at=NOW, record="r", provider="p", zone="z", change_id="c", generation=3, took=0.25, aged_out_at=NOW + 30
    )
    assert prose.say(event) == (
        "r at p is in place 250 ms after the decision: no authoritative server was asked; "
        "the old answer ages out in 30s"
    )
    alone = replace(event, servers=1, aged_out_at=None)
    assert prose.say(alone) == "r at p is in place 250 ms after the decision: the authoritative server agrees"
    some = replace(event, servers=3, unasked=("ns (::1:53)",))
    assert (
        prose.witnesses(some)
        == "all 3 authoritative servers agree; not asked, for there is no way to them: ns (::1:53)"
    )


def test_a_dispute_names_each_server_with_what_it_says() -> None:
    event = ChangeDisputed(
        at=NOW, record="r", provider="p", zone="z", change_id="c", generation=3, waited=60.0,
        agreeing=("ns1",), disagreeing=("ns2 says 192.0.2.1, generation 2",), silent=("ns3",), unasked=("ns4",),
    )  # fmt: skip
    assert prose.say(event) == (
        "generation 3 of r at p is not proved 60s after the write: ns2 says 192.0.2.1, generation 2; ns3 is silent; "
        "ns4 cannot be asked from here"
    )


def test_a_failing_out_that_is_held_is_an_error_and_a_held_plan_a_warning() -> None:
    assert (PlanHeld.level, FailoverHeld.level) == (Level.WARNING, Level.ERROR)


def test_two_degraded_endpoints_are_not_said_to_be_one_that_serves_and_one_that_does_not() -> None:
    told = {"region": "azure", "record_type": "A", "evidence": "both are slow", "rule_at": "api.yaml:9"}
    event = RegionDegraded(at=NOW, was="healthy", score=5_000, **told)
    assert prose.say(event) == "region azure is degraded: its A endpoints score 50% (api.yaml:9). both are slow"


def test_shares_are_written_as_people_write_them() -> None:
    assert percentages({"azure": 7_000, "oci": 2_999, "aws": 1}) == "azure 70%, oci 29.99%, aws 0.01%"
    assert percentages({}) == ""


def test_a_bare_event_has_nothing_to_say() -> None:
    with pytest.raises(NotImplementedError):
        prose.say(Event(at=NOW))
