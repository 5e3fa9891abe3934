"""docs/inference.md: its checks load, its table of results is that of the code, its sums are right."""

import re
from pathlib import Path

import pytest
from support.manual import REAL_KINDS, blocks, installed

from failoverd.config.loader import load_config, load_policies
from failoverd.core.probe_reasons import ProbeReason
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


@pytest.mark.parametrize("text", blocks("checks", PAGE))
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
