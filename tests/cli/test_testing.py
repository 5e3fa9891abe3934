"""`failoverctl test`: what it plays, what it tells a person and a program, and when it fails."""

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, parse

import pytest
from support.commands import Ended, failoverctl
from support.playing import POLICY, folder

from failoverd.cli.telling_tests import TrialsTold

FINE, FAILED, USAGE = 0, 1, 2

GOOD = """\
version: 1
tests:
  - name: azure is lost
    policy: shop
    series: {azure-weu/*: "P x10 F"}
    at: {30s: {shares: {oci-fra: 75, aws-use1: 25}}}
"""

BAD = """\
  - name: azure is lost, and everything is on oci
    policy: shop
    series: {azure-weu/*: "P x10 F"}
    at:
      25s: {shares: {oci-fra: 100}, changes: 2}
    never: {share: {aws-use1: "> 20"}}
"""

REFUSED = """\
  - name: nobody is left
    policy: shop
    series: {azure-weu/*: F, aws-use1/*: F}
    happens: {1m: {operator: {drain: oci-fra}}}
    at: {2m: {changes: 1}}
"""


@pytest.fixture(autouse=True)
def _no_configuration_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAILOVERD_CONFIG", raising=False)


def playing(path: Path, tests: str, *words: str) -> Ended:
    return failoverctl("test", str(folder(path, tests)), *words)


def out(told: Ended) -> str:
    return told.out.decode()


# -- for a person ------------------------------------------------------------------------------------------------------


def test_what_passes_is_told_in_a_line_each(tmp_path: Path) -> None:
    told = playing(tmp_path, GOOD)
    assert told.code == FINE, told.said
    lines = out(told).splitlines()
    assert lines[0].startswith("1 test passed in ")
    assert "ok    shop: azure is lost" in lines
    assert "shop: 2 of 8 parts shown at work (25%)" in lines


def test_what_fails_is_told_with_what_was_expected_what_was_found_and_what_moved(tmp_path: Path) -> None:
    told = playing(tmp_path, GOOD + BAD)
    assert told.code == FAILED
    assert out(told).splitlines()[0].startswith("1 of 2 tests failed in ")
    (failed,) = (part for part in out(told).split("\n\n") if part.startswith("FAIL"))
    assert failed.replace(f"{tmp_path}/", "").splitlines() == [
        "FAIL  shop: azure is lost, and everything is on oci (shop.test.yaml:7)",
        "      at 25s: shares",
        "        expected  oci-fra 100",
        "        found     oci-fra 75, aws-use1 25",
        "      at 25s: changes",
        "        expected  2",
        "        found     1",
        "      at 14.1s: never.share.aws-use1",
        "        expected  never > 20",
        "        found     25%",
        "      what moved",
        "        14.1s: azure-weu 70, oci-fra 30 -> azure-weu 0, oci-fra 75, aws-use1 25 (failing_out)",
    ]


def test_what_cannot_be_played_says_why(tmp_path: Path) -> None:
    told = playing(tmp_path, GOOD + REFUSED)
    assert told.code == FAILED
    assert "override_refused" in out(told)
    assert "1 of 2 tests failed" in out(told)


def test_no_name_begins_a_line_of_its_own(tmp_path: Path) -> None:
    """Of a test, or of its file: it would pass for a verdict."""
    forged = GOOD.replace("azure is lost", '"fine\\nok    shop: azure is lost"')
    told = playing(tmp_path, forged)
    assert (told.code, "FD204" in told.said) == (FAILED, True), told.said
    folder(tmp_path, GOOD)
    (tmp_path / "x\nok    shop: forged.test.yaml").write_text("version: 1\ntests:\n" + BAD)
    told = failoverctl("test", str(tmp_path))
    assert [line for line in told.said.splitlines() if line.startswith("ok ")] == ["ok    shop: azure is lost"]
    assert "x\\nok    shop: forged.test.yaml:3" in out(told)


def test_tests_are_picked_by_their_names(tmp_path: Path) -> None:
    told = playing(tmp_path, GOOD + BAD, "--run", "is lost, and")
    assert out(told).splitlines()[0].startswith("1 of 1 test failed")
    assert "parts shown" not in out(told), "some of the tests show nothing of how much all of them do"
    assert out(playing(tmp_path, GOOD + BAD, "--run", "azure*lost")).splitlines()[0].startswith("1 of 2 tests failed")


def test_no_letter_but_a_star_stands_for_others(tmp_path: Path) -> None:
    said = GOOD.replace("azure is lost", "azure [eu] is lost, why?") + BAD
    for pattern in ("[eu]", "[eu]*why?", "y?"):
        assert out(playing(tmp_path, said, "--run", pattern)).splitlines()[0].startswith("1 test passed"), pattern


def test_a_pattern_that_picks_nothing_is_a_failure(tmp_path: Path) -> None:
    told = playing(tmp_path, GOOD, "--run", "oracle")
    assert told.code == FAILED
    assert "none of 1 test has 'oracle' in its name" in told.said


def test_no_test_at_all_is_a_failure_that_says_where_to_write_one(tmp_path: Path) -> None:
    told = playing(tmp_path, "version: 1\ntests: []\n")
    assert told.code == FAILED
    assert "*.test.yaml" in told.said


def test_nothing_is_played_of_files_that_are_wrong(tmp_path: Path) -> None:
    told = playing(tmp_path, GOOD.replace("policy: shop", "policy: shpo"))
    assert told.code == FAILED
    assert 'FD601: there is no policy "shpo"' in told.said
    assert 'did you mean "shop"?' in told.said
    assert out(told) == ""


def test_a_test_that_cannot_fail_is_warned_of_and_played(tmp_path: Path) -> None:
    told = playing(tmp_path, "version: 1\ntests:\n  - {name: it, policy: shop, series: {azure-weu: F x5}}\n")
    assert told.code == FINE
    assert "warning FD602" in told.said


def test_a_link_out_of_the_folder_shows_no_word_of_what_it_leads_to(tmp_path: Path) -> None:
    """A pull request may hold it, and the log of its CI is read by who may not read what it leads to."""
    (tmp_path / "here").mkdir()
    here = folder(tmp_path / "here", GOOD)
    (tmp_path / "secrets").write_text("STRIPE: CANARY-live\nversion: CANARY-value\n")
    for name in ("link.test.yaml", "link.yaml"):
        (here / name).symlink_to("../secrets")
        for paths in ([here], [here / name]):
            for output in ("text", "json"):
                told = failoverctl("test", *map(str, paths), "--output", output)
                assert told.code == FAILED
                assert "check the file in its own place" in told.said
                assert "CANARY" not in told.said
                assert "STRIPE" not in told.said
        (here / name).unlink()


def test_a_path_that_is_not_there_is_said(tmp_path: Path) -> None:
    told = failoverctl("test", str(tmp_path / "nowhere"))
    assert told.code == FAILED
    assert "is not there" in told.said


def test_without_paths_it_is_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder(tmp_path, GOOD))
    assert out(failoverctl("test")).splitlines()[0].startswith("1 test passed")


@pytest.mark.parametrize("said", ["here", "by the environment", "by an option"])
def test_without_paths_it_is_what_the_configuration_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """`failoverd.yaml` beside `policies/` is no policy."""
    (tmp_path / "lab" / "policies").mkdir(parents=True)
    folder(tmp_path / "lab" / "policies", GOOD)
    config = tmp_path / "lab" / "failoverd.yaml"
    config.write_text(CONFIG.replace("policies: .", "policies: policies"))
    if said == "here":
        monkeypatch.chdir(config.parent)
    elif said == "by the environment":
        monkeypatch.setenv("FAILOVERD_CONFIG", str(config))
    told = failoverctl("test", *(("--config", str(config)) if said == "by an option" else ()))
    assert told.code == FINE, told.said
    assert out(told).splitlines()[0].startswith("1 test passed")


@pytest.mark.parametrize("verb", ["test", "check", "prove"])
def test_every_verb_about_files_finds_what_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """The configuration first, then the policies themselves."""
    (tmp_path / "policies").mkdir()
    folder(tmp_path / "policies", GOOD)
    monkeypatch.chdir(tmp_path / "policies")
    few = ("--most", "1") if verb == "prove" else ()
    assert failoverctl(verb, *few).code == FINE
    (tmp_path / "failoverd.yaml").write_text(CONFIG.replace("policies: .", "policies: policies"))
    monkeypatch.chdir(tmp_path)
    told = failoverctl(verb, *few)
    assert (told.code, "shop" in out(told)) == (FINE, True), told.said


@pytest.mark.parametrize("verb", ["test", "check", "prove"])
def test_what_the_environment_names_is_not_replaced_by_what_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.chdir(folder(tmp_path, GOOD))
    monkeypatch.setenv("FAILOVERD_CONFIG", str(tmp_path / "nowhere.yaml"))
    told = failoverctl(verb)
    assert (told.code, "nowhere.yaml" in told.said) == (FAILED, True), told.said


def test_a_configuration_that_was_named_and_is_not_there_is_told(tmp_path: Path) -> None:
    told = failoverctl("test", "--config", str(tmp_path / "nowhere.yaml"))
    assert (told.code, "nowhere.yaml" in told.said) == (FAILED, True)


def test_an_inventory_that_is_missing_is_told(tmp_path: Path) -> None:
    folder(tmp_path, GOOD)
    (tmp_path / "regions.yaml").unlink()
    told = failoverctl("test", str(tmp_path))
    assert told.code == FAILED
    assert "regions.yaml" in told.said


CONFIG = """\
version: 1
owner: prod
policies: .
journal: journal.db
providers:
  dns: {kind: embedded, zones: [example.com], listen: "127.0.0.1:5353"}
sentinels:
  a: {tcp: 53, address: 192.0.2.201, every: 10s}
  b: {tcp: 53, address: 198.51.100.201, every: 10s}
  c: {tcp: 53, address: 203.0.113.201, every: 10s}
"""


def test_with_a_configuration_the_prober_knows_itself_by_its_sentinels(tmp_path: Path) -> None:
    """Nobody answers: without sentinels the prober is doubted, and with them it is what it seems to be."""
    tests = """\
version: 1
tests:
  - name: nobody answers
    policy: shop
    series: {"*": "P x10 T"}
    at: {62s: {reasons: [all_down]}}
"""
    config = tmp_path / "failoverd.conf"
    config.write_text(CONFIG)
    told = playing(tmp_path, tests)
    assert (told.code, "prober_doubted" in out(told)) == (FAILED, True)
    told = playing(tmp_path, tests, "--config", str(config))
    assert told.code == FINE, told.said


def test_a_configuration_that_is_wrong_is_told(tmp_path: Path) -> None:
    config = tmp_path / "failoverd.conf"
    config.write_text(CONFIG.replace("embedded", "embeded"))
    told = playing(tmp_path, GOOD, "--config", str(config))
    assert told.code == FAILED
    assert "embeded" in told.said


# -- how much of a policy ----------------------------------------------------------------------------------------------


def test_too_little_of_a_policy_shown_fails_where_that_is_asked_for(tmp_path: Path) -> None:
    told = playing(tmp_path, GOOD, "--fail-under", "50")
    assert told.code == FAILED
    assert "shop: 25% of its parts are shown by tests, less than 50%" in told.said
    assert out(told).count("  not yet: ") == 6, "then all of them are named"
    assert playing(tmp_path, GOOD, "--fail-under", "25").code == FINE
    assert playing(tmp_path, GOOD, "--fail-under", "101").code == USAGE


def test_a_policy_that_no_test_is_about_shows_nothing_of_what_is_asked_for(tmp_path: Path) -> None:
    folder(tmp_path, GOOD, desk=POLICY.replace("shop", "desk"))
    told = failoverctl("test", str(tmp_path), "--fail-under", "25")
    assert told.code == FAILED
    assert "desk: no test is about it, so 0% of its parts are shown by tests, less than 25%" in told.said
    assert "shop: " not in told.err


def test_with_some_tests_alone_nobody_says_how_much_is_tested(tmp_path: Path) -> None:
    told = playing(tmp_path, GOOD, "--run", "azure", "--fail-under", "99")
    assert told.code == FINE
    assert "--fail-under is not heeded" in told.said


def test_policies_that_no_test_is_about_are_named(tmp_path: Path) -> None:
    folder(tmp_path, GOOD, desk=POLICY.replace("shop", "desk"), edge=POLICY.replace("shop", "edge"))
    assert out(failoverctl("test", str(tmp_path))).splitlines()[-1] == "without a test: desk, edge"
    assert as_json(failoverctl("test", str(tmp_path), "--output", "json"))["untested"] == ["desk", "edge"]
    some = failoverctl("test", str(tmp_path / "shop.test.yaml"), str(tmp_path / "edge.yaml"))
    assert out(some).splitlines()[-1] == "without a test: edge", "nobody asked for the others"
    assert "without a test" not in out(failoverctl("test", str(tmp_path), "--run", "azure"))


# -- for programs ------------------------------------------------------------------------------------------------------


def as_json(told: Ended) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out(told))
    return found


def test_the_json_has_its_documented_shape(tmp_path: Path) -> None:
    told = as_json(playing(tmp_path, GOOD + BAD + REFUSED, "--output", "json"))
    assert TrialsTold.model_validate(told, strict=True).model_dump() == told
    assert not told["passed"]
    good, bad, refused = told["tests"]
    assert (good["passed"], bad["passed"], refused["passed"]) == (True, False, False)
    assert (bad["file"], bad["line"]) == (str(tmp_path / "shop.test.yaml"), 7)
    assert bad["differences"][0] == {
        "at_seconds": 25.0,
        "policy": "shop",
        "key": "shares",
        "expected": "oci-fra 100",
        "found": "oci-fra 75, aws-use1 25",
    }
    (change,) = good["changes"]
    assert change["from_bp"] == {"azure-weu": 7000, "oci-fra": 3000}
    assert change["cause"] == "failing_out"
    assert "override_refused" in refused["error"]
    (covered,) = told["coverage"]
    assert covered["percent"] == pytest.approx(100 * len(covered["shown"]) / 8, abs=0.1)


def test_the_json_of_no_test_says_that_nothing_passed(tmp_path: Path) -> None:
    told = playing(tmp_path, "version: 1\ntests: []\n", "--output", "json")
    assert as_json(told) == {"passed": False, "tests": [], "coverage": [], "untested": [], "diagnostics": []}


def test_the_json_of_files_that_are_wrong_says_what_is(tmp_path: Path) -> None:
    told = playing(tmp_path, GOOD.replace("policy: shop", "policy: shpo"), "--output", "json")
    found = as_json(told)
    assert TrialsTold.model_validate(found, strict=True).model_dump() == found
    assert (told.code, found["passed"], found["tests"]) == (FAILED, False, [])
    (wrong,) = found["diagnostics"]
    assert (wrong["code"], wrong["file"], wrong["line"]) == ("FD601", str(tmp_path / "shop.test.yaml"), 4)


def read(report: Path) -> Element:
    return parse(report).getroot()  # noqa: S314 - we wrote it


CASE = {"name", "classname", "time", "file", "line"}
SUITE = {"name", "tests", "failures", "errors", "skipped", "time"}


def test_the_report_is_what_ci_servers_read(tmp_path: Path) -> None:
    """By the schema of Jenkins' xunit plugin: suites of cases, each with at most one failure or error."""
    report = tmp_path / "report.xml"
    assert playing(tmp_path, GOOD + BAD + REFUSED, "--junit", str(report)).code == FAILED
    root = read(report)
    assert root.tag == "testsuites"
    (suite,) = root
    assert (suite.tag, set(suite.attrib)) == ("testsuite", SUITE)
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    assert [set(case.attrib) for case in suite] == [CASE] * 3
    assert [[each.tag for each in case] for case in suite] == [[], ["failure"], ["error"]]
    failure = suite[1][0]
    assert failure.attrib == {
        "message": "shares: expected oci-fra 100, found oci-fra 75, aws-use1 25",
        "type": "failure",
    }
    assert "14.1s: azure-weu 70" in (failure.text or "")


def test_the_report_of_files_that_are_wrong_names_them_and_their_lines(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text("<testsuites/>, of a run before")
    assert playing(tmp_path, GOOD.replace("policy: shop", "policy: shpo"), "--junit", str(report)).code == FAILED
    (suite,) = read(report)
    assert (set(suite.attrib), suite.get("tests"), suite.get("errors")) == (SUITE, "1", "1")
    (case,) = suite
    assert (set(case.attrib), case.get("line")) == (CASE, "4")
    assert case.get("file") == str(tmp_path / "shop.test.yaml")
    (error,) = case
    assert (error.tag, "FD601" in error.attrib["message"]) == ("error", True)
    assert 'did you mean "shop"?' in (error.text or "")


@pytest.mark.parametrize("words", [("--run", "nothing like it"), ()])
def test_the_report_of_no_test_is_one_without_a_suite(tmp_path: Path, words: tuple[str, ...]) -> None:
    """So that a server does not read the report of the run before; and no test is no success."""
    report = tmp_path / "report.xml"
    report.write_text("<testsuites/>, of a run before")
    told = playing(tmp_path, GOOD if words else "version: 1\ntests: []\n", "--junit", str(report), *words)
    assert told.code == FAILED
    assert (read(report).tag, len(read(report))) == ("testsuites", 0)


def test_a_report_says_nothing_that_xml_cannot(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    tests = GOOD.replace("azure is lost", '"<azure> & \\u202e \\"lost\\""')
    assert playing(tmp_path, tests, "--junit", str(report)).code == FINE
    assert read(report)[0][0].get("name") == '<azure> & ? "lost"'


def test_a_report_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    told = playing(tmp_path, GOOD, "--junit", str(tmp_path / "nowhere" / "report.xml"))
    assert told.code == FAILED
    assert "report_unwritable" in told.said
    assert told.out == b"", "nothing is played before that is known"


# -- what else reads the files -----------------------------------------------------------------------------------------


def test_check_judges_tests_as_well(tmp_path: Path) -> None:
    folder(tmp_path, GOOD.replace("azure-weu/*", "azure-wue/*"), policy=POLICY + "tests: [{nmae: it}]\n")
    for paths in ([tmp_path], [tmp_path / "shop.yaml", tmp_path / "shop.test.yaml"]):
        told = failoverctl("check", *map(str, paths))
        assert told.code == FAILED
        assert 'there is no endpoint "azure-wue/*"' in out(told)
        assert 'did you mean "name"?' in out(told)


def test_check_of_sound_tests_is_fine(tmp_path: Path) -> None:
    folder(tmp_path, GOOD)
    assert out(failoverctl("check", str(tmp_path))).endswith("fine: 1 policy: shop\n")
    assert failoverctl("check", str(tmp_path / "shop.test.yaml")).code == FINE


def test_there_is_a_schema_of_tests() -> None:
    told = failoverctl("schema", "tests")
    assert told.code == FINE
    assert json.loads(out(told))["properties"]["tests"]["items"] == {"$ref": "#/$defs/TestEntry"}
