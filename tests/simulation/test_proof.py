"""What a proof finds: nothing in what decides as it should, and each promise that a broken stage does not keep."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.manual import POLICIES
from support.playing import POLICY, REGIONS, folder, loaded, played

from failoverd.core.control import limits, residency
from failoverd.core.control.claiming import claim
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.evaluate import evaluate
from failoverd.core.control.outcome import Estate, Outcome, OutcomeKind
from failoverd.core.control.state import PolicyState
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.reasons import Cause, Limit, LimitCheck
from failoverd.core.records import (
    LOWEST_TIER,
    Capabilities,
    Observed,
    Policy,
    RecordKey,
    RecordType,
    Target,
    Weights,
)
from failoverd.runtime.estate import Shared
from failoverd.simulation import worksheet
from failoverd.simulation.pasting_tests import as_test
from failoverd.simulation.promises import Promise
from failoverd.simulation.proof import Counterexample, Play, Proof, prove
from failoverd.simulation.situations import (
    NOTHING,
    SPENT,
    STARTED,
    Situation,
    alike,
    circumstances,
    every,
    how_many,
    together,
)

SMALL_STEPS = POLICY + "limits: {max_shift: 20% per 5m, max_changes: 6 per 1h}\n"
AT_HOME = POLICY + "residency: {allow: [EU]}\n"
TWO_CLOUDS = REGIONS + 'rules:\n  - {name: two-clouds, assert: {at_least: 2, of: ["azure-*", "oci-*", "aws-*"]}}\n'
PILOT = (
    POLICY.replace("shop", "pilot").replace("tier: prod", "tier: pilot").replace("demand: 800", "demand: 500")
    .replace(".10]", ".20]").replace("share: 70", "share: 50").replace("share: 0", "share: 20")
)  # fmt: skip
SPREAD = POLICY.replace("share: 70", "share: 50").replace("share: 0", "share: 20")
TARGET = Target("shop", RecordKey("shop.example.com", RecordType.A), "dns", "example.com")
TWO_AT_LEAST = SPREAD + "limits: {min_regions: 2}\n"


def proved(path: Path, policy: str = POLICY, most: int = 60, regions: str = REGIONS, **others: str) -> Proof:
    """The policy `shop`, and what is decided with it."""
    (each,) = loaded(folder(path, "version: 1\ntests: []\n", policy=policy, regions=regions, **others)).estates
    assert "shop" in each.found.policies, [found.render() for found in each.found.diagnostics]
    (group,) = (group for group in together(each.found.policies) if "shop" in group)
    return prove(group, each.found.rules or (), most, 1, lambda _done, _of: None)


def found(proof: Proof, promise: Promise) -> Counterexample:
    by_promise = {each.broken.promise: each for each in proof.counterexamples}
    assert promise in by_promise, list(by_promise)
    return by_promise[promise]


# -- what is decided as it should be -----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [POLICY, SMALL_STEPS, TWO_AT_LEAST, AT_HOME, POLICY + "on_drift: report\n"])
def test_a_policy_keeps_its_promises(policy: str, tmp_path: Path) -> None:
    assert proved(tmp_path, policy, 800).counterexamples == ()


def test_policies_that_share_regions_keep_theirs_when_regions_are_lost_and_budgets_are_spent(tmp_path: Path) -> None:
    proof = proved(tmp_path, SPREAD, 54, pilot=PILOT)
    assert (proof.policies, proof.counterexamples) == (("pilot", "shop"), ())
    assert proof.whole == (NOTHING, SPENT)


def test_an_assertion_of_the_inventory_is_kept(tmp_path: Path) -> None:
    assert proved(tmp_path, regions=TWO_CLOUDS).counterexamples == ()


# -- the faults of old -------------------------------------------------------------------------------------------------


def test_a_dead_region_that_is_held_by_spent_budgets_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_failing_out", lambda _step: frozenset())
    monkeypatch.setattr(limits, "_dead_values", lambda _step: False)
    counterexample = found(proved(tmp_path), Promise.FAILING_OUT)
    assert counterexample.situation.circumstance == SPENT
    assert list(counterexample.situation.ill.values()) == [RegionState.DOWN]


def test_a_step_that_is_too_large_and_so_never_passes_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = limits._rationed

    def whole_or_never(
        step: limits.Step, replan: limits.Replan, rest: Mapping[str, int], cause: Cause, *, gone: bool
    ) -> limits.Paced:
        if limits.shift(rest, step.wanted) <= step.limits.returning.max_shift:
            return real(step, replan, rest, cause, gone=gone)
        check = LimitCheck(Limit.MAX_SHIFT, passed=False, found=7_000, allowed=2_000, cause=cause)
        return limits.Paced(limits.Held(step.plan, (check,), None))

    monkeypatch.setattr(limits, "_rationed", whole_or_never)
    counterexample = found(proved(tmp_path, SMALL_STEPS), Promise.CONVERGENCE)
    assert list(counterexample.situation.ill.values()) == [RegionState.DOWN]


def test_room_that_each_policy_counts_for_itself_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Shared.grants

    def without_the_others(shared: Shared, policy: Policy, state: PolicyState, now: float) -> tuple[None, None]:
        real(shared, policy, state, now)
        return None, None

    monkeypatch.setattr(Shared, "grants", without_the_others)
    counterexample = found(proved(tmp_path, SPREAD, 54, pilot=PILOT), Promise.ROOM)
    assert counterexample.situation.circumstance == NOTHING
    assert list(counterexample.situation.ill.values()) == [RegionState.DOWN]


# -- each promise, broken ----------------------------------------------------------------------------------------------

Evaluate = Callable[[Policy, PolicyState, Observed, Estate, float], Outcome]


def never_puts_back(policy: Policy, state: PolicyState, observed: Observed, around: Estate, now: float) -> Outcome:
    outcome = evaluate(policy, state, observed, around, now)
    if observed.records is None and observed.marker is not None:
        return replace(outcome, kind=OutcomeKind.HOLD, approved=None)
    return outcome


def waits_for_ever(policy: Policy, state: PolicyState, observed: Observed, around: Estate, now: float) -> Outcome:
    """As if all might be falling, for as long as any of them is down."""
    outcome = evaluate(policy, state, observed, around, now)
    if state.calm:
        return outcome
    decision = replace(outcome.decision, kind=DecisionKind.HOLD_COMMON_FALL, records=None)
    return replace(outcome, kind=OutcomeKind.HOLD, decision=decision, approved=None)


def asks_for_one(policy: Policy, state: PolicyState, observed: Observed, around: Estate, now: float) -> Outcome:
    return evaluate(replace(policy, limits=replace(policy.limits, min_regions=1)), state, observed, around, now)


def knows_no_rule(policy: Policy, state: PolicyState, observed: Observed, around: Estate, now: float) -> Outcome:
    return evaluate(policy, state, observed, replace(around, rules=()), now)


def waits_for_a_person(policy: Policy, state: PolicyState, observed: Observed, around: Estate, now: float) -> Outcome:
    return evaluate(replace(policy, failback_after=None), state, observed, around, now)


@pytest.mark.parametrize(
    ("promise", "broken", "files", "most"),
    [
        (Promise.NEVER_EMPTY, never_puts_back, {}, 800),
        (Promise.FAILING_OUT, waits_for_ever, {}, 60),
        (Promise.MIN_REGIONS, asks_for_one, {"policy": TWO_AT_LEAST}, 60),
        (Promise.RULES, knows_no_rule, {"regions": TWO_CLOUDS}, 60),
        (Promise.CONVERGENCE, waits_for_a_person, {}, 60),
    ],
)
def test_a_promise_that_is_broken_is_noticed(
    promise: Promise,
    broken: Evaluate,
    files: dict[str, Any],
    most: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worksheet, "evaluate", broken)
    found(proved(tmp_path, most=most, **files), promise)


def test_residency_that_is_left_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residency, "within", lambda _policy, _law: True)
    counterexample = found(proved(tmp_path, AT_HOME), Promise.RESIDENCY)
    assert counterexample.broken.said == "aws-use1 answers, outside of EU"


def test_a_higher_tier_that_makes_room_for_a_lower_one_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upside_down(policy: Policy, *known: Any) -> object:  # noqa: ANN401 - as it is called
        claimed = claim(policy, *known)
        return replace(claimed, tier=LOWEST_TIER - policy.tier) if claimed is not None else None

    monkeypatch.setattr("failoverd.runtime.estate.claim", upside_down)
    found(proved(tmp_path, SPREAD, 54, pilot=PILOT.replace("demand: 500", "demand: 1200")), Promise.TIERS)


def test_a_higher_tier_goes_nowhere_for_a_lower_one_and_that_is_no_promise_broken(tmp_path: Path) -> None:
    """Of 600 in oci prod has 600, and dev has nowhere else to go: docs/decisions.md tells why prod stays."""
    prod = SPREAD.replace("demand: 800", "demand: 600")
    dev = PILOT.replace("tier: pilot", "tier: dev").replace("demand: 500", "demand: 300")
    dev = "\n".join(line for line in dev.splitlines() if "azure-weu" not in line and "aws-use1" not in line) + "\n"
    assert proved(tmp_path, prod, 54, pilot=dev).counterexamples == ()


def test_what_is_written_after_a_start_before_regions_are_seen_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def takes_for_down(policy: Policy, state: PolicyState, *rest: Any) -> Outcome:  # noqa: ANN401 - as it is called
        regions = {
            kind: {name: each if each.seen else each.lost(0.0) for name, each in health.items()}
            for kind, health in state.verdicts.items()
        }
        if all(each.state is RegionState.DOWN for health in regions.values() for each in health.values()):
            regions = {kind: {**health, **first_well(health)} for kind, health in regions.items()}
        return evaluate(policy, replace(state, verdicts=regions), *rest)

    def first_well(health: Mapping[str, RegionHealth]) -> Mapping[str, RegionHealth]:
        name = min(health)
        answers = health[name].unknown or ("203.0.113.10",)
        return {name: replace(health[name], state=RegionState.HEALTHY, score=10_000, serving=answers, well_since=0.0)}

    monkeypatch.setattr(worksheet, "evaluate", takes_for_down)
    counterexample = found(proved(tmp_path, most=90), Promise.KNOWN)
    assert counterexample.situation.circumstance == STARTED
    said = as_test(counterexample, {counterexample.broken.target: {}})
    assert "happens: {10s: {restart: true}}" in said
    assert "at: {11s: {changes: 0}}" in said


def test_a_region_that_is_lost_from_sight_and_taken_for_down_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def takes_for_down(policy: Policy, state: PolicyState, *rest: Any) -> Outcome:  # noqa: ANN401 - as it is called
        regions = {
            kind: {n: each.lost(0.0) if each.unknown and each.seen else each for n, each in health.items()}
            for kind, health in state.verdicts.items()
        }
        return evaluate(policy, replace(state, verdicts=regions), *rest)

    monkeypatch.setattr(worksheet, "evaluate", takes_for_down)
    counterexample = found(proved(tmp_path, most=120), Promise.KNOWN)
    assert counterexample.situation.circumstance.said == "azure-weu lost from sight"
    assert counterexample.situation.ill == {}
    said = as_test(counterexample, {counterexample.broken.target: {"azure-weu": 7_000, "oci-fra": 3_000}})
    assert """series: {azure-weu/*: "P x10 B"}""" in said
    assert "never: {share: {azure-weu: '< 69.9'}}" in said


def test_an_edit_that_sends_traffic_to_what_is_down_while_an_incident_is_open_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.core.control.evaluate._to_ill", lambda _case, _plan: False)
    counterexample = found(proved(tmp_path, most=1_020), Promise.FAILING_OUT)
    assert "edited by hand" in counterexample.situation.circumstance.said


def test_a_plan_unlike_the_daemons_is_noticed_by_what_comes_of_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is proved is what the daemon does: a situation that is pasted as a test comes to the same shares."""
    (each,) = loaded(folder(tmp_path, "version: 1\ntests: []\n")).estates
    play = Play(each.found.policies)
    situation = Situation(NOTHING, {"azure-weu": RegionState.DOWN})
    assert play.through(situation) == []
    said = 'series: {azure-weu/*: "P x10 F"}\nat: {2m: {shares: {oci-fra: 75, aws-use1: 25}}}'
    assert played(tmp_path, said).passed
    monkeypatch.setattr(worksheet, "evaluate", waits_for_ever)
    assert play.through(situation) != []


def test_figures_that_are_measured_no_more_are_among_what_happens(tmp_path: Path) -> None:
    measured = POLICY.replace("demand: 800", "demand: {query: sum(rps), from: main, declared: 400}")
    proof = proved(tmp_path, measured, 111)
    assert proof.counterexamples == ()
    gone = next(one for one in proof.whole if one.measured is not None)
    assert gone.said == "measured figures gone stale"
    counterexample = Counterexample(Situation(gone, {}), SimpleNamespace(promise=Promise.ROOM, target=TARGET))  # type: ignore[arg-type]
    assert 'measured: {demand: {shop: "800 x10 _ x1"}}' in as_test(counterexample, {})


def test_two_words_at_once_are_among_what_happens(tmp_path: Path) -> None:
    (each,) = loaded(folder(tmp_path, "version: 1\ntests: []\n")).estates
    group = each.found.policies
    said = {one.said for one in circumstances(group, alike(group))}
    assert said >= {
        "pin azure-weu and drain oci-fra in shop",
        "hold and drain oci-fra in shop",
        "pause and drain oci-fra in shop",
        "drain oci-fra in shop, budgets spent",
        "shop edited by hand to oci-fra alone before",
    }


def test_what_providers_cannot_say_is_rounded_as_they_do(tmp_path: Path) -> None:
    (each,) = loaded(folder(tmp_path, "version: 1\ntests: []\n")).estates
    coarse = Capabilities(weights={RecordType.A: Weights.NATIVE}, max_weight=4)
    play = Play(each.found.policies, (), {"dns": coarse})
    assert list(play.normal.values()) == [{"azure-weu": 6_667, "oci-fra": 3_333}]
    assert play.through(Situation(NOTHING, {"azure-weu": RegionState.DOWN})) == []


# -- as a test ---------------------------------------------------------------------------------------------------------


def test_a_counterexample_is_a_test_that_fails_until_it_is_put_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(residency, "within", lambda _policy, _law: True)
        proof = proved(tmp_path, AT_HOME)
        lines = pasted(found(proof, Promise.RESIDENCY), proof)
        assert not played(tmp_path, lines, policy=AT_HOME).passed
    assert played(tmp_path, lines, policy=AT_HOME).passed


def test_one_with_budgets_spent_is_a_test_that_begins_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(limits, "_failing_out", lambda _step: frozenset())
        patched.setattr(limits, "_dead_values", lambda _step: False)
        proof = proved(tmp_path)
        counterexample = found(proof, Promise.FAILING_OUT)
        assert counterexample.situation.circumstance == SPENT
        lines = pasted(counterexample, proof)
        assert not played(tmp_path, lines).passed
    assert played(tmp_path, lines).passed


def pasted(counterexample: Counterexample, proof: Proof) -> str:
    """Without its name and its policy."""
    said = as_test(counterexample, proof.normal)
    return "\n".join(line.removeprefix("    ") for line in said.splitlines()[2:])


# -- all of them, or some ----------------------------------------------------------------------------------------------

LIKE_EACH_OTHER = """\
version: 1
regions:
  azure-weu: {cloud: azure, jurisdiction: EU}
  oci-fra: {cloud: azure, jurisdiction: EU}
  aws-use1: {cloud: azure, jurisdiction: EU}
"""
EVEN = POLICY.replace("share: 70", "share: 20").replace("share: 30", "share: 20").replace("share: 0", "share: 20")


def test_regions_that_the_files_cannot_tell_apart_are_counted_and_not_named(tmp_path: Path) -> None:
    even = EVEN.replace("demand: 800\n", "")
    (each,) = loaded(folder(tmp_path, "version: 1\ntests: []\n", policy=even, regions=LIKE_EACH_OTHER)).estates
    (group,) = together(each.found.policies)
    classes = alike(group)
    assert classes == [("aws-use1", "azure-weu", "oci-fra")]
    situations = list(every(NOTHING, classes))
    assert len(situations) == how_many(NOTHING, classes) == 10
    (drained,) = (one for one in circumstances(group, classes) if one.said == "drain aws-use1 in shop")
    assert how_many(drained, classes) == len(list(every(drained, classes))) == 18


def test_what_is_too_much_is_sampled_and_the_same_sample_comes_again(tmp_path: Path) -> None:
    one, other = proved(tmp_path, most=100), proved(tmp_path, most=100)
    assert (one.looked_at, one.of) == (100, 1_020)
    assert [each.said for each in one.whole][:4] == ["", "budgets spent", "just started", "aws-use1 lost from sight"]
    assert (len(one.whole), len(one.sampled)) == (5, 58)
    assert one == other


def test_who_stops_it_has_what_was_found_until_then(tmp_path: Path) -> None:
    """By Ctrl-C, in the middle of a situation or between two."""
    (each,) = loaded(folder(tmp_path, "version: 1\ntests: []\n")).estates

    def interrupts(done: int, _: int) -> None:
        if done == 30:
            raise KeyboardInterrupt

    for tell in (interrupts, lambda done, _: done == 30):
        proof = prove(each.found.policies, (), 1_020, 1, tell)
        assert (proof.stopped, proof.looked_at, proof.whole) == (True, 30, (NOTHING,))
        assert len(proof.sampled) == 62


def test_policies_that_take_nothing_from_each_other_are_proved_by_themselves(tmp_path: Path) -> None:
    free = PILOT.replace("demand: 500\n", "")
    (each,) = loaded(folder(tmp_path, "version: 1\ntests: []\n", pilot=free)).estates
    assert [list(group) for group in together(each.found.policies)] == [["pilot"], ["shop"]]


def test_a_situation_is_told_in_words() -> None:
    states = {"azure": RegionState.DOWN, "oci": RegionState.HEALTHY}
    assert str(Situation(SPENT, states)) == "azure down, budgets spent"
    assert str(Situation(NOTHING, {})) == "all is well"


def test_a_ramp_goes_on_from_a_step_that_a_region_has_already() -> None:
    """Shed to 15 %, oci has the share of its third step when all is well: the rest was too small to be moved."""
    (each,) = loaded(POLICIES / "tiers").estates
    group = each.found.policies
    (shed,) = (one for one in circumstances(group, alike(group)) if one.said == "shed oci-fra in llm-prod")
    assert Play(group).through(Situation(shed, {"azure-weu": RegionState.DEGRADED})) == []
