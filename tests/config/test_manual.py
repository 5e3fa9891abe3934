"""What the manual says about configuration is so: its examples load, its tables are those of the code."""

import re
from pathlib import Path

import pytest
from support.manual import MANUAL, REAL_KINDS, blocks, installed

from failoverd.config.diagnostics import Code
from failoverd.config.documents import MAX_BYTES, MAX_LINE
from failoverd.config.loader import load_config, load_policies
from failoverd.config.tree import MAX_DEPTH, MAX_VALUES
from failoverd.config.values import say_duration, say_percent
from failoverd.core.records import HealthRules

HEAD = """\
version: 1
policy: manual
records:
  - {name: manual.lb.example.com, type: A, providers: [local]}
regions:
  azure-eastus: {endpoints: [192.0.2.99]}
"""
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


@pytest.mark.parametrize("text", [*blocks("health"), *blocks("checks")])
def test_a_part_of_a_policy_of_the_manual_loads(tmp_path: Path, text: str) -> None:
    assert loads(tmp_path, HEAD + text + (CHECKS if "checks:" not in text else "")) == []


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


def test_the_bounds_of_files_are_those_in_the_code() -> None:
    text = " ".join(MANUAL.read_text().split())
    assert f"{MAX_BYTES // 1024} KiB, {MAX_DEPTH} levels, {MAX_VALUES:,} values or {MAX_LINE:,} characters" in text
