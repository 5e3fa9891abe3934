"""docs/inference.md: its checks load, its table of results is that of the code, its sums are right."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.manual import REAL_KINDS, blocks, installed
from support.scenes import PAIR, RECORD, policy, region
from support.stories import Story, as_it_is, in_or_out

from failoverd.config.loader import load_config, load_policies
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Capabilities, RecordType, Steering, Weights, WhenDegraded
from failoverd.probes.inference_check.inference_settings import TEMPLATE
from failoverd.settings import parse_duration

PAGE = (Path(__file__).parents[2] / "docs" / "inference.md").read_text()
HEAD = """\
version: 1
policy: page
records:
  - {name: page.lb.example.com, type: A, providers: [local]}
regions:
  azure-eastus: {endpoints: [192.0.2.99]}
"""


@pytest.mark.parametrize("text", [*blocks("checks", PAGE), *blocks("seen", PAGE)])
def test_a_ready_check_loads_without_a_word(tmp_path: Path, text: str) -> None:
    path = installed(tmp_path / "etc")
    (path.parent / "policies" / "page.yaml").write_text(HEAD + text)
    config = load_config(path, REAL_KINDS).config
    assert config is not None
    loaded = load_policies(config, REAL_KINDS, running={})
    assert [found.render() for found in loaded.diagnostics] == []
    assert "page" in loaded.policies


def test_there_is_a_ready_check_for_each_server() -> None:
    assert len(blocks("checks", PAGE)) == 5
    assert {"vllm", "tgi", "nim", "triton"} == set(re.findall(r"preset: (\w+)", PAGE))


def test_reasons_have_the_outcomes_that_the_page_says() -> None:
    rows = re.findall(r"^\| .+ \| `(\w+)` \| ([A-Z]+) \| .+ \|$", PAGE, re.MULTILINE)
    assert len(rows) == 15
    for reason, outcome in rows:
        assert ProbeReason(reason).outcome.name == outcome


def test_the_costs_are_added_up_rightly() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for every, completions, tokens, three in rows:
        a_day = 86_400 / parse_duration(every)
        said = [int(number.replace(",", "")) for number in (completions, tokens, three)]
        assert said == [a_day, a_day * 20, a_day * 60]


def test_the_reservation_is_that_of_the_code() -> None:
    assert f"{TEMPLATE} for the template" in PAGE


# -- what 429 does to traffic ------------------------------------------------------------------------------------------

TRAFFIC = re.findall(
    r"^\| ([a-z ]+) \| `(keep|out)` \| ((?:not )?said) \| ([\d.]+)% \| ([\d.]+)% \|$", PAGE, re.MULTILINE
)


def playing(record: str, degraded: str, capacity: str) -> Story:
    """Two regions as the page says, and the answer to it that all is well."""
    first, second = (900.0, 600.0) if capacity == "said" else (None, None)
    regions = (
        region("first", 70, "192.0.2.10", priority=1, capacity=first),
        region("second", 30, "198.51.100.10", priority=2 if record == "one answer" else 1, capacity=second),
    )
    base = replace(PAIR, degraded=WhenDegraded(degraded), demand=800.0 if capacity == "said" else None)
    if record == "one answer":
        base = replace(base, steering=Steering.FAILOVER, records=(replace(RECORD, single=True),))
    story = Story(policy(*regions, base=base), normalise=in_or_out if record == "in or out" else as_it_is)
    story.look()
    story.look(3_600.0)
    return story


@pytest.mark.parametrize(("record", "degraded", "capacity", "first", "second"), TRAFFIC)
def test_what_429_does_under_each_kind_of_record(
    record: str, degraded: str, capacity: str, first: str, second: str
) -> None:
    story = playing(record, degraded, capacity)
    story.look(60.0, first="D")
    said = {"first": float(first), "second": float(second)}
    assert story.published == pytest.approx({name: share for name, share in said.items() if share}, abs=0.01)


def test_every_kind_of_record_has_a_row_with_and_without_the_setting() -> None:
    assert {(record, degraded) for record, degraded, *_ in TRAFFIC} == {
        (record, degraded) for record in ("weights", "in or out", "one answer") for degraded in ("keep", "out")
    }


@pytest.mark.parametrize(
    ("title", "belongs"),
    [
        ("weights", lambda found: found.weights.get(RecordType.A) is Weights.NATIVE),
        ("in or out", lambda found: found.weights.get(RecordType.A) is Weights.MEMBERSHIP),
        ("one answer", lambda found: RecordType.CNAME in found.single),
    ],
)
def test_the_page_names_the_kinds_of_providers_rightly(title: str, belongs: Callable[[Capabilities], bool]) -> None:
    text = re.search(rf"^- \*\*{title}\*\*:(.*?)(?=^- |^$)", PAGE, re.MULTILINE | re.DOTALL)
    assert text is not None
    kinds = REAL_KINDS.providers
    named = set(re.findall(r"`(\w+)`", text.group(1))) & kinds.keys()
    assert named == {name for name, kind in kinds.items() if belongs(kind.capabilities)}
