"""What the manual says about configuration is so: its examples load, its tables are those of the code."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.approving import limits
from support.manual import MANUAL, REAL_KINDS, blocks, installed
from support.scenes import NOW, healths, plan_between, policy, region

from failoverd.config.diagnostics import Code
from failoverd.config.documents import MAX_BYTES, MAX_LINE
from failoverd.config.loader import load_config, load_policies
from failoverd.config.tree import MAX_DEPTH, MAX_VALUES
from failoverd.config.values import say_duration, say_percent
from failoverd.core.control.cost import forecast
from failoverd.core.control.limits import Approved, PastChange, Step, pace
from failoverd.core.control.plan import Plan
from failoverd.core.control.saving import merit_order
from failoverd.core.control.signals import time_to_fire
from failoverd.core.measures import ErrorBudget
from failoverd.core.reasons import Cause
from failoverd.core.records import HealthRules, RecordType

HEAD = """\
version: 1
policy: manual
records:
  - {name: manual.lb.example.com, type: A, providers: [local]}
regions:
  azure-eastus: {endpoints: [192.0.2.99]}
"""
TRIO = policy(region("a", 50), region("b", 30), region("c", 20))
CHECKS = "checks:\n  live: {tcp: 443}\n"


def loads(folder: Path, policy: str) -> list[str]:
    """What is found when the daemon's example configuration has this policy alone."""
    path = installed(folder / "etc")
    for file in (folder / "etc" / "policies").glob("*.yaml"):
        if file.name != "regions.yaml":
            file.unlink()
    (folder / "etc" / "policies" / "manual.yaml").write_text(policy)
    config = load_config(path, REAL_KINDS).config
    assert config is not None
    return [found.render() for found in load_policies(config, REAL_KINDS, running={}).diagnostics]


@pytest.mark.parametrize("text", blocks("policy"))
def test_a_policy_of_the_manual_loads(tmp_path: Path, text: str) -> None:
    assert loads(tmp_path, text) == []


@pytest.mark.parametrize("text", [*blocks("health"), *blocks("limits"), *blocks("checks"), *blocks("failback")])
def test_a_part_of_a_policy_of_the_manual_loads(tmp_path: Path, text: str) -> None:
    assert loads(tmp_path, HEAD + text + (CHECKS if not text.startswith("checks:") else "")) == []


@pytest.mark.parametrize("text", blocks("standby"))
def test_what_the_manual_says_of_standbys_loads(tmp_path: Path, text: str) -> None:
    two = "{share: 100, endpoints: [192.0.2.99]}\n  oci-ashburn: {share: 0, endpoints: [198.51.100.99]}"
    assert loads(tmp_path, HEAD.replace("{endpoints: [192.0.2.99]}", two) + text + CHECKS) == []


@pytest.mark.parametrize("text", blocks("signals"))
def test_the_measures_and_signals_of_the_manual_load_with_the_source_that_it_shows(tmp_path: Path, text: str) -> None:
    (source,) = blocks("prometheus")
    path = installed(tmp_path / "etc")
    path.write_text(path.read_text() + source)
    regions = HEAD + "  oci-ashburn: {endpoints: [192.0.2.98]}\n"
    (tmp_path / "etc" / "policies" / "manual.yaml").write_text(regions + text + CHECKS)
    config = load_config(path, REAL_KINDS).config
    assert config is not None
    found = load_policies(config, REAL_KINDS, running={})
    assert found.diagnostics == ()
    policy = found.policies["manual"]
    assert (policy.demand, policy.measure and policy.measure.least) == (800, 50)
    assert policy.signals.errors == ErrorBudget(
        policy.signals.errors.errors if policy.signals.errors else "",
        "sum by (region) (increase(http_requests_total[$window]))",
        "main",
    )


def test_the_table_of_times_until_errors_show_is_what_the_burn_says() -> None:
    rows = re.findall(r"^\| (\d+) \| (\d+)m \| (\d+)% \| ([\d.]+) min \|$", MANUAL.read_text(), re.MULTILINE)
    assert len(rows) == 4
    for burn, over, errors, minutes in rows:
        budget = ErrorBudget("", "", "", burn=float(burn), over=60 * float(over))
        shows = time_to_fire(budget, float(errors) / 100)
        assert shows is not None
        assert f"{shows / 60:.1f}" == minutes


def test_the_members_of_the_manual_load_in_a_configuration_whose_provider_they_share(tmp_path: Path) -> None:
    (members,) = blocks("coordination")
    path = tmp_path / "failoverd.yaml"
    bind = "{kind: rfc2136, zones: [example.com], server: 192.0.2.53, key: {name: k.test, secret_file: k}}"
    path.write_text(f"version: 1\nowner: prod\npolicies: policies\nproviders: {{bind: {bind}}}\n{members}")
    found = load_config(path, REAL_KINDS)
    assert found.diagnostics == ()
    assert found.config is not None
    assert found.config.coordination is not None
    assert [each.name for each in found.config.coordination.members] == ["aws-1", "azure-1", "oci-1"]


@pytest.mark.parametrize("text", blocks("dependencies"))
def test_a_dependency_of_the_manual_loads(tmp_path: Path, text: str) -> None:
    needing = HEAD.replace("endpoints: [192.0.2.99]", "endpoints: [192.0.2.99], depends_on: [eu-database]")
    assert loads(tmp_path, needing + text + CHECKS) == []


@pytest.mark.parametrize("text", blocks("regions"))
def test_the_inventory_of_the_manual_loads(tmp_path: Path, text: str) -> None:
    path = installed(tmp_path / "etc")
    (tmp_path / "etc" / "policies" / "regions.yaml").write_text(text)
    config = load_config(path, REAL_KINDS).config
    assert config is not None
    assert load_policies(config, REAL_KINDS, running={}).diagnostics == ()


def test_the_rules_of_the_manual_load_beside_its_inventory(tmp_path: Path) -> None:
    path = installed(tmp_path / "etc")
    (regions,), (rules,) = blocks("regions"), blocks("rules")
    (tmp_path / "etc" / "policies" / "regions.yaml").write_text(regions + rules)
    config = load_config(path, REAL_KINDS).config
    assert config is not None
    found = load_policies(config, REAL_KINDS, running={})
    assert [rule.name for rule in found.rules or ()] == ["two-clouds", "freeze"]
    assert {each.code for each in found.diagnostics} <= {Code.RULE_KEEPS}


def test_the_costs_of_the_manual_load_and_are_those_that_it_says(tmp_path: Path) -> None:
    path = installed(tmp_path / "etc")
    (regions,), (links,), (costs,) = blocks("regions"), blocks("links"), blocks("cost")
    (tmp_path / "etc" / "policies" / "regions.yaml").write_text(regions + links)
    api = HEAD.replace(
        "  azure-eastus: {endpoints: [192.0.2.99]}",
        "  azure-eastus: {share: 70, endpoints: [192.0.2.99]}\n  oci-ashburn: {share: 30, endpoints: [192.0.2.98]}",
    )
    (tmp_path / "etc" / "policies" / "manual.yaml").write_text(api + CHECKS + costs)
    config = load_config(path, REAL_KINDS).config
    assert config is not None
    found = load_policies(config, REAL_KINDS, running={})
    told = {each.code for each in found.diagnostics if each.file.endswith("manual.yaml")}
    assert told == {Code.LINKS_NARROW, Code.DATA_UNPROBED}
    of, text = found.policies["manual"], MANUAL.read_text()
    merit = merit_order(of, of.records[0])
    before, after = forecast(of, {"azure-eastus": 7_000, "oci-ashburn": 3_000}), forecast(of, merit)
    assert before is not None
    assert after is not None
    assert f"{before.egress_gb:,.0f} GB" in text
    assert f"for ${after.per_month:,.0f} instead of ${before.per_month:,.0f}" in text


def test_the_maintenance_of_the_manual_loads_in_the_inventory_and_in_a_policy(tmp_path: Path) -> None:
    path = installed(tmp_path / "etc")
    (regions,), (work,) = blocks("regions"), blocks("maintenance")
    policies = tmp_path / "etc" / "policies"
    (policies / "regions.yaml").write_text(regions + work)
    api = policies / "inference-api.yaml"
    api.write_text(api.read_text() + work)
    config = load_config(path, REAL_KINDS).config
    assert config is not None
    found = load_policies(config, REAL_KINDS, running={})
    assert {each.code for each in found.diagnostics} <= {Code.WORK_OVER}  # some day it will be
    assert found.maintenance is not None
    assert len(found.maintenance) == len(found.policies["inference-api"].maintenance) == 2


def test_the_practice_of_the_manual_loads_in_the_inventory_and_in_a_policy(tmp_path: Path) -> None:
    path = installed(tmp_path / "etc")
    (regions,), (drills,) = blocks("regions"), blocks("practice")
    policies = tmp_path / "etc" / "policies"
    (policies / "regions.yaml").write_text(regions + drills)
    api = policies / "inference-api.yaml"
    api.write_text(api.read_text() + drills)
    config = load_config(path, REAL_KINDS).config
    assert config is not None
    found = load_policies(config, REAL_KINDS, running={})
    some_day = {Code.PRACTICE_SKIPPED, Code.PRACTICE_CLOCK}
    assert {each.code for each in found.diagnostics} <= {Code.PRACTICE_IDLE, Code.PRACTICE_UNBEARABLE, *some_day}
    assert found.practices is not None
    assert len(found.practices) == 1
    assert found.policies["inference-api"].practice is not None


@pytest.mark.parametrize("text", blocks("config"))
def test_the_configuration_of_the_manual_loads(tmp_path: Path, text: str) -> None:
    (tmp_path / "failoverd.yaml").write_text(text)
    assert load_config(tmp_path / "failoverd.yaml", REAL_KINDS).diagnostics == ()


def test_the_table_of_codes_is_the_one_in_the_code() -> None:
    rows = re.findall(r"^\| (FD\d+) \| (.+) \|$", MANUAL.read_text(), re.MULTILINE)
    assert rows == [(code.value, code.meaning) for code in Code]


def test_the_defaults_of_health_are_those_of_the_core() -> None:
    rules, text = HealthRules(), MANUAL.read_text()
    for key, value in {
        "fall": rules.fall,
        "rise": rules.rise,
        "recheck": say_duration(rules.recheck),
        "degraded_below": say_percent(rules.degraded_below),
        "down_below": say_percent(rules.down_below),
        "recover_margin": say_percent(rules.recover_margin),
        "degraded.window": rules.degraded_window,
        "degraded.enter": say_percent(rules.degraded_enter),
        "degraded.leave": say_percent(rules.degraded_leave),
        "flap.penalty": f"{rules.flap_penalty:g}",
        "flap.half_life": say_duration(rules.flap_half_life),
        "flap.suppress": f"{rules.flap_suppress:g}",
        "flap.reuse": f"{rules.flap_reuse:g}",
        "flap.max_suppress": say_duration(rules.flap_max_suppress),
        "warm_up": say_duration(rules.warm_up),
    }.items():
        assert f"| `{key}` | `{value}` |" in text


def stepped(shares: Mapping[str, int], states: Mapping[str, str], history: tuple[PastChange, ...], now: float) -> Plan:
    """What the limits make of taking the first of three regions out."""

    def percent(found: Mapping[str, int]) -> dict[str, float]:
        return {name: share / 100 for name, share in found.items()}

    def plan(after: Mapping[str, int]) -> Plan:
        return plan_between(TRIO, percent(shares), percent(after))

    step = Step(
        plan=plan({"b": 6_000, "c": 4_000}),
        regions=healths(TRIO, states),
        region_of=TRIO.region_of(RecordType.A),
        limits=limits(max_shift=2_000, shift_window=300.0),
        history=history,
        edited=False,
        ttl=30,
        normal={"a": 5_000, "b": 3_000, "c": 2_000},
        now=now,
    )
    result = pace(step, lambda after, _: plan(after)).result
    assert isinstance(result, Approved), result
    return result.plan


def test_the_table_of_steps_is_what_the_limits_do() -> None:
    rows = re.findall(r"^\| (before|as .*) \| (\d+)% \| (\d+)% \| (\d+)% \|$", MANUAL.read_text(), re.MULTILINE)
    told = {row[0]: {name: int(share) * 100 for name, share in zip("abc", row[1:], strict=True)} for row in rows}
    shares = told["before"]
    seen: dict[str, Mapping[str, int]] = {"before": shares}
    history: tuple[PastChange, ...] = ()
    for number, when in enumerate(("at once", "5m later", "10m later")):
        now = NOW + 300.0 * number
        plan = stepped(shares, {}, history, now)
        history = (*history, PastChange(f"chg-{number}", now, shares, plan.shares_after, plan.shifts))
        shares = {"a": 0, **plan.shares_after}
        seen[f"as tuning, {when}"] = shares
    failing = stepped(told["before"], {"a": "U"}, (), NOW)
    assert failing.cause is Cause.FAILING_OUT
    assert {**seen, "as failing out, at once": {"a": 0, **failing.shares_after}} == told


def test_the_bounds_of_files_are_those_in_the_code() -> None:
    text = " ".join(MANUAL.read_text().split())
    assert f"{MAX_BYTES // 1024} KiB, {MAX_DEPTH} levels, {MAX_VALUES:,} values or {MAX_LINE:,} characters" in text
