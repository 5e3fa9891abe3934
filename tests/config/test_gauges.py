"""What files say of measures: what is wrong is said at its place, with a remedy."""

from pathlib import Path

import pytest
from support.commands import CONFIG
from support.manual import REAL_KINDS

from failoverd.config.loader import PolicySet, load_config, load_policies
from failoverd.core.measures import Load, May, Measure
from failoverd.core.records import Policy

PROMETHEUS = "prometheus: {main: {url: 'https://prometheus.example.com'}}\n"
REGIONS = "version: 1\nregions:\n  az: {cloud: azure, capacity: 900, unit: rps}\n  oci: {cloud: oci, capacity: 600}\n"
POLICY = """\
version: 1
policy: api
records: [{name: api.example.test, type: A, providers: [PROVIDER]}]
regions:
  az: {share: 70, endpoints: [192.0.2.10]}
  oci: {share: 30, endpoints: [198.51.100.10]}
checks: {live: {tcp: 443}}
"""
ERRORS = "errors: 'r[$window]', requests: 'n[$window]', from: main"


def found(folder: Path, said: str, regions: str = REGIONS, policy: str = POLICY) -> PolicySet:
    path = folder / "failoverd.yaml"
    path.write_text(CONFIG + PROMETHEUS)
    loaded = load_config(path, REAL_KINDS)
    assert loaded.config is not None, [each.render() for each in loaded.diagnostics]
    loaded.config.policies.mkdir(exist_ok=True)
    loaded.config.inventory.write_text(regions)
    provider = next(iter(loaded.config.providers))
    (loaded.config.policies / "api.yaml").write_text(policy.replace("PROVIDER", provider) + said)
    return load_policies(loaded.config, REAL_KINDS, running={})


def policy(folder: Path, said: str, regions: str = REGIONS) -> Policy:
    got = found(folder, said, regions)
    assert "api" in got.policies, [each.render() for each in got.diagnostics]
    return got.policies["api"]


def test_a_number_is_what_it_was(tmp_path: Path) -> None:
    loaded = policy(tmp_path, "demand: 800\n")
    assert (loaded.demand, loaded.measure, loaded.regions[0].capacity, loaded.regions[0].unit) == (
        800,
        None,
        900,
        "rps",
    )


def test_a_figure_that_is_measured_counts_as_declared_until_it_is(tmp_path: Path) -> None:
    regions = REGIONS.replace("capacity: 600", "capacity: {query: 'slots{r=\"$region\"}', from: main, declared: 600}")
    loaded = policy(tmp_path, "demand: {query: 'sum(rps)', from: main, declared: 800, min: 50}\nunit: rps\n", regions)
    assert (loaded.demand, loaded.measure) == (800, Measure("sum(rps)", "main", 800, 50))
    assert loaded.regions[1].capacity == 600
    assert loaded.regions[1].measure == Measure('slots{r="$region"}', "main", 600)


def test_signals_have_the_numbers_of_the_workbook_for_steering(tmp_path: Path) -> None:
    room = "room: {query: 'queue', from: main, low: 10, high: 50}"
    loaded = policy(tmp_path, f"signals: {{errors: {{{ERRORS}}}, {room}}}\n").signals
    assert loaded.errors is not None
    errors = loaded.errors
    assert (errors.slo, errors.burn, errors.over, errors.short, errors.may) == (0.999, 100, 300, 25, May.DEGRADED)
    assert loaded.room == Load("queue", "main", 10, 50)


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ("demand: 800\nunit: tokens", "FD350", "az can carry so many rps"),
        ("demand: {query: q, from: mian, declared: 8}", "FD351", 'did you mean "main"?'),
        (f"signals: {{errors: {{{ERRORS.replace('main', 'other')}}}}}", "FD351", "is no source of prometheus"),
        ("demand: {query: 'q{r=\"$region\"}', from: main, declared: 8}", "FD352", "the whole service"),
        ("demand: {query: q, from: main, declared: 8, min: 9}", "FD352", "min (9) is above what is declared (8)"),
        ("signals: {errors: {errors: r, requests: 'n[$window]', from: main}}", "FD352", "$window"),
        (f"signals: {{errors: {{{ERRORS}, slo: 100%}}}}", "FD353", "leaves nothing for errors"),
        (f"signals: {{errors: {{{ERRORS}, slo: 99%, burn: 101}}}}", "FD353", "a burn of 101 can never be"),
        (f"signals: {{errors: {{{ERRORS}, over: 25s}}}}", "FD353", "short (25s) is not shorter than over (25s)"),
        (f"signals: {{errors: {{{ERRORS}, burn: 30, may: down}}}}", "FD353", "that takes 100"),
        ("signals: {room: {query: q, from: main, low: 5, high: 5}}", "FD353", "low (5) is not below high (5)"),
        ("demand: {query: q, from: main}", "FD202", "declared"),
        ("demand: 0", "FD204", "write a number above 0, 1e-6 at least, or what measures it"),
        ("demand: many", "FD204", "write a number above 0, 1e-6 at least, or what measures it"),
        ("demand: {query: q, from: main, declared: 8, mni: 1}", "FD201", 'did you mean "min"?'),
    ],
)
def test_what_is_wrong_is_said_with_a_remedy(tmp_path: Path, said: str, code: str, words: str) -> None:
    got = found(tmp_path, said + "\n")
    assert "api" not in got.policies
    told = [each.render() for each in got.diagnostics if each.code.value == code]
    assert any(words in each for each in told), (told, [each.render() for each in got.diagnostics])


def test_a_demand_without_a_unit_is_counted_as_its_regions_count(tmp_path: Path) -> None:
    (told,) = [each for each in found(tmp_path, "demand: 800\n").diagnostics if each.code.value == "FD471"]
    assert not told.is_error
    assert told.message == "the demand says no unit, and az can carry so many rps: it is counted as such"


def test_one_demand_is_not_compared_with_regions_that_count_in_several_units(tmp_path: Path) -> None:
    regions = REGIONS.replace("capacity: 600", "capacity: 600, unit: tokens")
    got = found(tmp_path, "demand: 800\n", regions)
    (told,) = [each for each in got.diagnostics if each.code.value == "FD350"]
    assert ("api" in got.policies, told.is_error) == (False, True)
    assert "az in rps and oci in tokens" in told.message


def test_the_source_of_a_capacity_is_looked_for_where_a_policy_uses_the_region(tmp_path: Path) -> None:
    regions = REGIONS.replace("capacity: 600", "capacity: {query: slots, from: other, declared: 600}")
    (told,) = [each for each in found(tmp_path, "", regions).diagnostics if each.is_error]
    assert (told.code.value, "correct it in the inventory" in told.render()) == ("FD351", True)


def test_one_region_alone_has_nobody_to_be_compared_with(tmp_path: Path) -> None:
    alone = POLICY.replace("  oci: {share: 30, endpoints: [198.51.100.10]}\n", "").replace("share: 70", "share: 100")
    (told,) = found(tmp_path, f"signals: {{errors: {{{ERRORS}}}}}\n", policy=alone).diagnostics
    assert (told.code.value, told.is_error) == ("FD470", False)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{url: 'http://192.0.2.1:9090', bearer_file: /etc/token}", "write https://"),
        ("{url: 'https://me:pw@prometheus.example.com'}", "holds a secret"),
        ("{url: 'prometheus:9090'}", "is no address"),
        ("{url: 'https://prometheus.example.com', every: 1h}", "every"),
        ("{url: 'https://prometheus.example.com', bearer: abc}", "bearer"),
    ],
)
def test_what_is_wrong_with_a_source_is_said_without_its_secret(tmp_path: Path, source: str, words: str) -> None:
    path = tmp_path / "failoverd.yaml"
    path.write_text(f"{CONFIG}prometheus: {{main: {source}}}\n")
    told = [each.render() for each in load_config(path, REAL_KINDS).diagnostics]
    assert any(words in each for each in told), told
    assert not any("pw@" in each for each in told)
