"""`failoverctl check --output sarif`, held against what SARIF 2.1.0 asks for.

The schema of OASIS is not at hand where tests run, and nothing is fetched. So what it, and the text of the standard,
ask of the objects that are written here is said once more: which properties there may be, which there must be, and of
which form; and that nothing else is there.
"""

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from support.commands import POLICY, REGIONS, Ended, failoverctl

from failoverd.cli.sarif import as_sarif
from failoverd.config.diagnostics import Code, Diagnostic, Severity

FINE, FAILED = 0, 1
LEVELS = {"none", "note", "warning", "error"}

OBJECTS: dict[str, tuple[set[str], set[str]]] = {
    # by the name of an object in the standard: what must be there, and what may be, of what is written here
    "sarifLog": ({"version", "runs"}, {"$schema"}),  # 3.13
    "run": ({"tool"}, {"results", "columnKind"}),  # 3.14
    "tool": ({"driver"}, set()),  # 3.18
    "toolComponent": ({"name"}, {"semanticVersion", "rules"}),  # 3.19
    "reportingDescriptor": ({"id"}, {"name", "shortDescription", "help", "helpUri", "defaultConfiguration"}),  # 3.49
    "multiformatMessageString": ({"text"}, set()),  # 3.12
    "reportingConfiguration": (set(), {"level"}),  # 3.50
    "result": ({"message"}, {"ruleId", "ruleIndex", "level", "locations"}),  # 3.27
    "message": ({"text"}, set()),  # 3.11
    "location": (set(), {"physicalLocation"}),  # 3.28
    "physicalLocation": ({"artifactLocation"}, {"region"}),  # 3.29
    "artifactLocation": ({"uri"}, {"uriBaseId"}),  # 3.4
    "region": (set(), {"startLine", "startColumn", "snippet"}),  # 3.30
    "artifactContent": ({"text"}, set()),  # 3.3
}


def of_kind(kind: str, found: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    must, may = OBJECTS[kind]
    assert isinstance(found, dict), kind
    assert must <= found.keys() <= must | may, (kind, found)
    return found


def require_sarif(log: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Raises AssertionError where it is none. Gives the results."""
    of_kind("sarifLog", log)
    assert log["version"] == "2.1.0"
    assert urlsplit(log["$schema"]).scheme == "https"
    (run,) = log["runs"]
    of_kind("run", run)
    assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}
    driver = of_kind("toolComponent", of_kind("tool", run["tool"])["driver"])
    assert driver["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+(?:[-.+].*)?", driver["semanticVersion"])
    ids = [require_rule(rule) for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)
    for result in run["results"]:
        require_result(result, ids)
    results: list[dict[str, Any]] = run["results"]
    return results


def require_rule(rule: dict[str, Any]) -> str:
    of_kind("reportingDescriptor", rule)
    assert of_kind("reportingConfiguration", rule["defaultConfiguration"])["level"] in LEVELS
    for each in ("shortDescription", "help"):
        text = of_kind("multiformatMessageString", rule[each])["text"]
        assert text[0].isupper(), text
        assert text.endswith("."), text
    if "helpUri" in rule:
        assert urlsplit(rule["helpUri"]).scheme, "absolute, as RFC 3986 has it"
    found: str = rule["id"]
    return found


def require_result(result: dict[str, Any], ids: list[str]) -> None:
    of_kind("result", result)
    assert ids[result["ruleIndex"]] == result["ruleId"]
    assert result["level"] in LEVELS
    text = of_kind("message", result["message"])["text"]
    assert text
    assert text.isprintable()
    (location,) = result["locations"]
    place = of_kind("physicalLocation", of_kind("location", location)["physicalLocation"])
    artifact = of_kind("artifactLocation", place["artifactLocation"])
    assert re.fullmatch(r"[\w\-.~!$&'()*+,;=:@/%]+", artifact["uri"], re.ASCII), "a URI reference, as RFC 3986 has it"
    absolute = bool(urlsplit(artifact["uri"]).scheme)
    assert absolute is ("uriBaseId" not in artifact), "3.4.4: what is absolute has no base"
    region = of_kind("region", place["region"])
    assert region["startLine"] >= 1
    assert region.get("startColumn", 1) >= 1
    if "snippet" in region:
        of_kind("artifactContent", region["snippet"])


# -- check -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "regions.yaml").write_text(REGIONS)
    (tmp_path / "policies" / "shop.yaml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FAILOVERD_DOCS", raising=False)
    return tmp_path / "policies"


def results(ended: Ended) -> list[dict[str, Any]]:
    return require_sarif(json.loads(ended.out))


def test_files_that_are_sound_have_no_results(policies: Path) -> None:
    told = failoverctl("check", "policies", "--output", "sarif")
    assert (told.code, results(told)) == (FINE, []), policies


def test_what_is_wrong_is_told_at_its_place(policies: Path) -> None:
    (policies / "shop.yaml").write_text(POLICY.replace("share: 50", "shrae: 50", 1))
    told = failoverctl("check", "policies", "--output", "sarif")
    found = next(each for each in results(told) if each["ruleId"] == "FD201")
    assert told.code == FAILED
    assert found["level"] == "error"
    assert found["message"]["text"] == 'unknown key "shrae": did you mean "share"?'
    place = found["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "policies/shop.yaml", "uriBaseId": "%SRCROOT%"}
    assert (place["region"]["startLine"], place["region"]["startColumn"]) == (6, 10)
    assert place["region"]["snippet"]["text"] == "  west: {shrae: 50, endpoints: [127.0.0.2]}"


def test_a_warning_is_one_and_no_failure(policies: Path) -> None:
    (policies / "shop.yaml").write_text(POLICY.replace("share: 50", "share: 60", 1))
    told = failoverctl("check", "policies", "--output", "sarif")
    assert [(each["ruleId"], each["level"]) for each in results(told)] == [("FD402", "warning")]
    assert told.code == FINE


def test_a_file_that_is_wrong_as_a_whole_is_told_at_its_first_line(policies: Path) -> None:
    (policies / "with space.yaml").write_bytes(b"\xff")
    found = [
        each for each in results(failoverctl("check", "policies", "--output", "sarif")) if each["ruleId"] == "FD103"
    ]
    place = found[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "policies/with%20space.yaml"
    assert place["region"]["startLine"] == 1


def test_rules_lead_to_the_pages_that_were_named(policies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def links(*words: str) -> set[str | None]:
        log = json.loads(failoverctl("check", "policies", "--output", "sarif", *words).out)
        require_sarif(log)
        return {rule.get("helpUri") for rule in log["runs"][0]["tool"]["driver"]["rules"]}

    assert links() == {None}, policies
    assert links("--docs", "https://docs.example.com/fd/") == {"https://docs.example.com/fd/policies.html#diagnostics"}
    monkeypatch.setenv("FAILOVERD_DOCS", "https://docs.example.com")
    assert links() == {"https://docs.example.com/policies.html#diagnostics"}


def test_every_code_is_a_rule_with_the_level_that_it_usually_has() -> None:
    log = as_sarif([], "")
    require_sarif(log)
    rules = {rule["id"]: rule["defaultConfiguration"]["level"] for rule in log["runs"][0]["tool"]["driver"]["rules"]}
    assert rules.keys() == set(Code)
    assert {code for code, level in rules.items() if level == "warning" and not code.startswith("FD4")} == {"FD602"}
    assert {code for code, level in rules.items() if level == "error" and code.startswith("FD4")} == {"FD403"}


@pytest.mark.parametrize("file", ["/etc/failoverd/a.yaml", "../a.yaml", "a/../../b.yaml"])
def test_a_file_elsewhere_is_named_in_full(file: str) -> None:
    found = Diagnostic(Code.TAG, Severity.ERROR, file, 3, 1, "wrong")
    (result,) = require_sarif(as_sarif([found], ""))
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(urlsplit(uri).path).endswith(os.path.basename(file))  # noqa: PTH119 - a text, and no path here
    assert uri.startswith("file:///")


def test_a_name_that_is_no_text_is_told_byte_by_byte() -> None:
    found = Diagnostic(Code.TAG, Severity.ERROR, os.fsdecode(b"d\xff.yaml"), 3, 1, "wrong")
    (result,) = require_sarif(as_sarif([found], ""))
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "d%FF.yaml"


def test_where_the_working_directory_is_gone_files_are_named_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    found = [Diagnostic(Code.TAG, Severity.ERROR, file, 3, 1, "wrong") for file in ("/srv/a.yaml", "b.yaml")]
    uris = [each["locations"][0]["physicalLocation"]["artifactLocation"] for each in require_sarif(as_sarif(found, ""))]
    assert uris == [{"uri": "file:///srv/a.yaml"}, {"uri": "b.yaml", "uriBaseId": "%SRCROOT%"}]


def test_words_of_a_file_make_no_link() -> None:
    found = Diagnostic(Code.TAG, Severity.ERROR, "a.yaml", 3, 1, "[click](https://evil.example.com)\u202e")
    (result,) = require_sarif(as_sarif([found], ""))
    assert "](" not in result["message"]["text"]
