"""`failoverctl simulate`: what it tells a person and a program, and what it says of what cannot be played."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from support.commands import Ended, failoverctl
from support.playing import POLICY
from support.simulated import scenario

from failoverd.cli.telling_courses import SimulationTold

FINE, FAILED, USAGE = 0, 1, 2

DEATH = """\
shows: that it leaves
for: 20m
happens:
  1m: {endpoints: {azure-weu: {does: refuse, for: 5m}}}
"""


@pytest.fixture(autouse=True)
def _no_configuration_by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FAILOVERD_CONFIG", str(tmp_path / "nowhere.yaml"))


def simulate(path: Path, said: str, *words: str, **others: str) -> Ended:
    return failoverctl("simulate", str(scenario(path, said, **others)), *words)


def out(told: Ended) -> str:
    return told.out.decode()


# -- for a person ------------------------------------------------------------------------------------------------------


def test_a_person_reads_what_happened_what_moved_and_why(tmp_path: Path) -> None:
    told = simulate(tmp_path, DEATH)
    assert told.code == FINE, told.said
    assert out(told).splitlines() == [
        "it",
        "that it leaves",
        "20m from 2027-06-01 12:00:00Z",
        "",
        "1m         azure-weu refuses the connection",
        "1m4.1s     shop: azure-weu is down",
        "             192.0.2.10 unhealthy (live connect_refused after 1 ms)",
        "1m4.1s     shop: azure-weu 70 -> 0, oci-fra 30 -> 75, aws-use1 0 -> 25",
        "             failing_out: azure-weu is down (score 0%)",
        "",
        "6m         azure-weu is well again",
        "6m23.1s    shop: azure-weu is healthy",
        "11m23.1s   shop: aws-use1 25 -> 0, oci-fra 75 -> 30, azure-weu 0 -> 70",
        "             returning",
        "",
        "  policy  changes  false  dead  clients  failed  over  away  requests  USD",
        "  shop    2        0      0.1   0.5      0.5     0.0   10.3  23,912    -",
        "",
        *out(told).splitlines()[-7:],
    ]


def test_no_line_is_wider_than_a_terminal(tmp_path: Path) -> None:
    for words in ((), ("--what-if", "failback.after=7m")):
        told = simulate(tmp_path, DEATH, *words)
        assert max(map(cell_len, out(told).splitlines())) <= 80


def test_a_good_day_is_told_as_one(tmp_path: Path) -> None:
    assert "nothing happened, and nothing moved" in out(simulate(tmp_path, "for: 5m"))


def test_one_policy_is_told_of_alone(tmp_path: Path) -> None:
    other = POLICY.replace("shop", "other").replace(".10]", ".20]")
    said = f"policy: shop\n{DEATH}"
    assert "other: azure-weu" in out(simulate(tmp_path, said, other=other))
    assert "other: azure-weu" not in out(simulate(tmp_path, said, "--policy", "shop", other=other))
    told = simulate(tmp_path, said, "--policy", "shpo", other=other)
    assert (told.code, 'did you mean "shop"' in told.said) == (USAGE, True)


# -- what if -----------------------------------------------------------------------------------------------------------


def test_a_variant_stands_beside_the_files_as_they_are(tmp_path: Path) -> None:
    told = simulate(tmp_path, DEATH, "--what-if", "failback.after=7m", "--what-if", "shop:records.0.ttl=60s")
    assert told.code == FINE, told.said
    assert "as it is                           with failback.after=7m," in out(told)
    assert "shop: minutes away from normal        10.3      12.3" in out(told)
    assert "\n11m23.1s   shop: aws-use1 25 -> 0, oci-fra\n            75 -> 30" in out(told)
    assert "\n13m23.1s                                      shop: aws-use1 25" in out(told)


def test_a_variant_that_comes_to_the_same_says_so(tmp_path: Path) -> None:
    assert "it comes to the same" in out(simulate(tmp_path, DEATH, "--what-if", "failback.after=5m"))


def test_a_variant_that_does_not_load_is_told_as_check_tells_it(tmp_path: Path) -> None:
    told = simulate(tmp_path, DEATH, "--what-if", "failback.aftr=7m")
    assert (told.code, out(told)) == (FAILED, "")
    assert 'FD201: unknown key "aftr"' in told.said
    assert "as --what-if changes them: failback.aftr=7m" in told.said


def test_an_edit_that_cannot_be_read_says_how_to_write_one(tmp_path: Path) -> None:
    told = simulate(tmp_path, DEATH, "--what-if", "failback.after")
    assert (told.code, "KEY=VALUE" in told.said) == (FAILED, True)


# -- for programs ------------------------------------------------------------------------------------------------------


def answer(told: Ended) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told.out)
    return found


def test_a_program_reads_everything_in_one_object(tmp_path: Path) -> None:
    found = answer(simulate(tmp_path, DEATH, "--output", "json", "--what-if", "failback.after=7m"))
    assert SimulationTold.model_validate(found, strict=False).model_dump(mode="json") == found
    assert (found["scenario"], found["shows"], found["lasted_seconds"]) == ("it", "that it leaves", 1_200)
    as_it_is, what_if = found["variants"]
    assert (as_it_is["what_if"], what_if["what_if"]) == ("", "failback.after=7m")
    (shop,) = as_it_is["policies"]
    assert (shop["policy"], shop["ttl_seconds"], shop["totals"]["changes"]) == ("shop", 30, 2)
    assert [point[1] for point in shop["regions"][0]["shares_bp"]] == [7_000, 0, 7_000]
    assert [state for _, state in shop["regions"][0]["health"]] == ["healthy", "down", "healthy"]
    assert [each["kind"] for each in as_it_is["moments"]] == ["happened", "seen", "moved", "happened", "seen", "moved"]


def test_a_program_learns_what_is_wrong_with_files(tmp_path: Path) -> None:
    told = simulate(tmp_path, DEATH.replace("azure-weu", "azure-we"), "--output", "json")
    assert told.code == FAILED
    found = answer(told)
    assert (found["variants"], found["scenario"]) == ([], "")
    assert [each["code"] for each in found["diagnostics"]] == ["FD601"]


# -- what cannot be played ---------------------------------------------------------------------------------------------


def test_a_folder_names_its_scenarios(tmp_path: Path) -> None:
    scenario(tmp_path, DEATH)
    told = failoverctl("simulate", str(tmp_path))
    assert (told.code, f"{tmp_path}/it.scenario.yaml: that it leaves" in told.said) == (FAILED, True)
    told = failoverctl("simulate", str(tmp_path / "nowhere.scenario.yaml"))
    assert (told.code, "it.scenario.yaml" in told.said) == (FAILED, True)
    told = failoverctl("simulate", str(tmp_path / "shop.yaml"))
    assert (told.code, "ends in .scenario.yaml" in told.said) == (FAILED, True)


def test_no_name_of_a_file_begins_a_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a\n::error::forged.scenario.yaml").write_text("version: 1\n")
    for path in (tmp_path, tmp_path / "b\n::error::forged.scenario.yaml", tmp_path / "b\n::error::forged.yaml"):
        told = failoverctl("simulate", str(path))
        assert (told.code, "forged" in told.said, "\n::error" in told.said) == (FAILED, True, False), told.said


def test_a_word_that_is_refused_says_why(tmp_path: Path) -> None:
    said = "for: 5m\nhappens:\n  1m: {operator: {drain: azure-weu}}\n"
    said += "  2m: {operator: {drain: oci-fra}}\n  3m: {operator: {drain: aws-use1}}\n"
    told = simulate(tmp_path, said)
    assert told.code == FAILED
    assert "it.scenario.yaml, at 3m: " in told.said
    assert "override_refused" in told.said


def test_check_says_what_is_wrong_with_a_scenario(tmp_path: Path) -> None:
    file = scenario(tmp_path, DEATH.replace("azure-weu", "azure-we"))
    for path in (file, file.parent):
        told = failoverctl("check", str(path))
        assert (told.code, 'FD601: there is no endpoint "azure-we"' in told.said) == (FAILED, True)
    file.write_text(file.read_text().replace("azure-we:", "azure-weu:"))
    assert failoverctl("check", str(file)).code == FINE


def test_no_text_of_a_scenario_begins_a_line_of_its_own(tmp_path: Path) -> None:
    told = simulate(tmp_path, DEATH.replace("that it leaves", '"fine\\nok    forged"'))
    assert (told.code, "FD204" in told.said) == (FAILED, True)
