"""What files say of who may answer: residency, the model, and named places; and what is wrong with it."""

from pathlib import Path

import pytest
from support.files import Folder, policy, told
from support.manual import REAL_KINDS, blocks, installed

from failoverd.config.diagnostics import Diagnostic
from failoverd.config.loader import load_config, load_policies
from failoverd.core.records import AllDown, Model, NamedPlace, RecordType

LAWFUL = """\
version: 1
regions:
  east: {cloud: azure, capacity: 100, jurisdiction: EU, models: [{name: llama, revision: abc}, {name: tiny}]}
  west: {cloud: aws, capacity: 100, jurisdiction: US, models: [{name: llama, revision: "7"}]}
  north: {cloud: oci}
"""


EXAMPLE = """\
version: 1
policy: manual
records:
  - {name: manual.lb.example.com, type: A, providers: [local]}
regions:
  azure-weu: {endpoints: [192.0.2.10, "2001:db8::10"]}
  aws-use1: {endpoints: [192.0.2.20, "2001:db8::20"]}
checks:
  live: {tcp: 443}
"""
REGIONS = """\
version: 1
regions:
  azure-weu: {cloud: azure, capacity: 900, jurisdiction: EU, models: [{name: llama-3.3-70b, revision: "abc"}]}
  oci-zrh: {cloud: oci, jurisdiction: CH}
  aws-use1: {cloud: aws, capacity: 900, jurisdiction: EU}
"""


def loaded(root: Path, text: str) -> tuple[Diagnostic, ...]:
    """What is found in a policy beside `REGIONS`, with the kinds that are installed."""
    path = installed(root / "etc")
    for file in (root / "etc" / "policies").glob("*.yaml"):
        file.unlink()
    (root / "etc" / "policies" / "regions.yaml").write_text(REGIONS)
    (root / "etc" / "policies" / "manual.yaml").write_text(text)
    config = load_config(path, REAL_KINDS).config
    assert config is not None
    return load_policies(config, REAL_KINDS, running={}).diagnostics


@pytest.fixture
def lawful(folder: Folder) -> Folder:
    folder.write("regions.yaml", LAWFUL)
    return folder


def test_residency_model_and_places_are_what_the_files_say(lawful: Folder) -> None:
    lawful.write(
        "api.yaml",
        policy(
            residency="{allow: [EU, US]}",
            model="{name: llama}",
            canary="[west]",
            demand="100",
            shed_to="{answer: 192.0.2.99, jurisdiction: EU}",
            when_all_down="{answer: [192.0.2.98, 192.0.2.97], jurisdiction: US}",
        ),
    )
    found = lawful.load()
    assert [str(each) for each in found.diagnostics] == []
    api = found.policies["api"]
    assert (api.residency, api.model, api.canary) == (("EU", "US"), Model("llama"), ("west",))
    assert [spec.jurisdiction for spec in api.regions] == ["EU", "US"]
    assert [spec.models for spec in api.regions] == [(Model("llama", "abc"), Model("tiny")), (Model("llama", "7"),)]
    assert api.shed_to == NamedPlace("192.0.2.99", {RecordType.A: ("192.0.2.99",)}, "EU")
    assert api.when_all_down is AllDown.ANSWER
    assert api.when_all_down_place == NamedPlace("192.0.2.98", {RecordType.A: ("192.0.2.97", "192.0.2.98")}, "US")


def test_a_region_of_the_policy_is_a_place_by_its_name(lawful: Folder) -> None:
    lawful.write("api.yaml", policy(shed_to="west", residency="{allow: [EU, US]}"))
    assert lawful.load().policies["api"].shed_to == NamedPlace("west", {RecordType.A: ("198.51.100.1",)}, "US")


@pytest.mark.parametrize("said", ["keep", "normal"])
def test_the_words_of_before_mean_what_they_meant(folder: Folder, said: str) -> None:
    folder.write("api.yaml", policy(when_all_down=said))
    api = folder.load().policies["api"]
    assert (api.when_all_down, api.when_all_down_place) == (AllDown(said), None)


# -- residency ---------------------------------------------------------------------------------------------------------


def test_a_region_outside_of_the_residency_is_told_with_the_remedy(lawful: Folder) -> None:
    found = lawful.only(policy(residency="{allow: [EU]}"))
    assert told(found) == [("7:3", "FD421")]
    assert not found[0].is_error
    assert found[0].hint == "take it out of the policy, or allow US under residency"


def test_a_region_without_a_jurisdiction_is_told(lawful: Folder) -> None:
    found = lawful.only(policy(residency="{allow: [EU]}").replace("west:", "north:"))
    assert told(found) == [("7:3", "FD420")]
    assert not found[0].is_error


def test_a_policy_that_nobody_may_answer_is_refused(lawful: Folder) -> None:
    found = lawful.only(policy(residency="{allow: [CH]}"))
    assert {code for _, code in told(found)} == {"FD330", "FD421", "FD422"}
    (refused,) = (each for each in found if each.is_error)
    assert "nobody may answer api.example.net A" in refused.message


def test_a_jurisdiction_that_no_region_is_under_may_be_a_slip(lawful: Folder) -> None:
    found = lawful.only(policy(residency="{allow: [EU, US, eu]}"))
    assert told(found) == [("10:29", "FD422")]
    assert found[0].hint == "known here: EU, US"


def test_min_regions_counts_those_who_may_answer(lawful: Folder) -> None:
    found = lawful.only(policy(residency="{allow: [EU]}", limits="{min_regions: 2}"))
    assert ("11:23", "FD316") in told(found)


def test_a_revision_is_text_for_as_a_number_1_10_would_be_1_1(lawful: Folder) -> None:
    assert told(lawful.only(policy(model="{name: llama, revision: 1.10}"))) == [("10:32", "FD203")]


# -- the model ---------------------------------------------------------------------------------------------------------


def test_a_region_that_serves_another_revision_is_told(lawful: Folder) -> None:
    found = lawful.only(policy(model="{name: llama, revision: abc}"))
    assert told(found) == [("7:3", "FD424")]
    assert "west serves llama 7 in the inventory, and not llama abc" in found[0].message


def test_a_model_that_nobody_serves_is_refused(lawful: Folder) -> None:
    assert ("10:1", "FD330") in told(lawful.only(policy(model="{name: gone}")))


def test_a_canary_is_a_region_of_the_policy_and_differs_from_something(lawful: Folder) -> None:
    found = lawful.only(policy(model="{name: llama}", canary="[eastt]"))
    assert told(found) == [("11:10", "FD333")]
    assert found[0].hint == 'did you mean "east"?'
    (idle,) = lawful.only(policy(canary="[east]"))
    assert (idle.code, idle.is_error) == ("FD425", False)


def test_a_canary_that_is_named_twice_is_told(lawful: Folder) -> None:
    (twice,) = lawful.only(policy(model="{name: llama}", canary="[west, west]"))
    assert (twice.code, twice.is_error, twice.message) == ("FD425", False, "west is named twice")


INFERENCE = EXAMPLE.replace(
    "live: {tcp: 443}", "model: {inference: /v1, port: 8000, model: MODEL, every: 30s, timeout: 10s}"
)


@pytest.mark.parametrize(
    ("asked", "wanted", "says"),
    [
        ("llama-3.3-70b", "", []),
        ("llama-3.3-70b, revision: abc", "", []),
        ("llama-3.1-8b", "", [("FD334", "error")]),
        ("llama-3.3-70b, revision: xyz", "", [("FD334", "error")]),
        ("llama-3.3-70b, revision: abc", "canary: [aws-use1]\n", [("FD426", "warning")]),
    ],
)
def test_an_inference_check_asks_for_the_model_of_the_policy(
    tmp_path: Path, asked: str, wanted: str, says: list[tuple[str, str]]
) -> None:
    said = INFERENCE.replace("MODEL", asked) + f"model: {{name: llama-3.3-70b, revision: abc}}\n{wanted}"
    found = [each for each in loaded(tmp_path, said) if each.code in {"FD334", "FD426"}]
    assert [(each.code, each.severity) for each in found] == says


def test_a_check_that_sees_a_revision_is_told_where_nobody_wants_one(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, INFERENCE.replace("MODEL", "llama-3.3-70b, revision_field: root"))
    assert (found.code, found.is_error) == ("FD427", False)


def test_a_region_that_does_not_state_the_model_may_be_seen_to_serve_it(tmp_path: Path) -> None:
    wanted = INFERENCE.replace("MODEL", "llama-3.3-70b") + "model: {name: llama-3.3-70b}\n"
    (found,) = (each for each in loaded(tmp_path, wanted) if each.code == "FD424")
    assert found.message.endswith("so it gets none of this policy's traffic unless a check sees it there")


# -- places ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "place", "code"),
    [
        ({"shed_to": "sorry.example.com"}, "10:10", "FD331"),
        ({"shed_to": '"2001:db8::1"'}, "10:10", "FD331"),
        ({"when_all_down": "{answer: sorry.example.com}"}, "10:25", "FD331"),
        ({"shed_to": "esat"}, "10:10", "FD301"),
        ({"when_all_down": "{answer: not an address}"}, "10:25", "FD204"),
        ({"when_all_down": "nothing"}, "10:16", "FD204"),
        ({"when_all_down": "{answer: 192.0.2.9, do: keep}"}, "10:16", "FD204"),
        ({"shed_to": "{region: west, answer: 192.0.2.9}"}, "10:10", "FD204"),
    ],
)
def test_a_place_has_to_answer_the_records_of_the_policy(
    folder: Folder, said: dict[str, str], place: str, code: str
) -> None:
    found = folder.only(policy(**said))
    assert told(found) == [(place, code)]
    assert found[0].is_error


@pytest.mark.parametrize("key", ["shed_to", "when_all_down"])
def test_a_place_of_a_policy_with_a_residency_says_whose_law_applies(lawful: Folder, key: str) -> None:
    said = {"residency": "{allow: [EU, US]}", key: "{answer: 192.0.2.99}"}
    (found,) = lawful.only(policy(**said))
    assert (found.code, found.is_error) == ("FD332", True)
    assert f"{key}: {{answer: 192.0.2.99, jurisdiction: EU}}" in found.hint
    (foreign,) = lawful.only(policy(residency="{allow: [EU, US]}", **{key: "{answer: 192.0.2.99, jurisdiction: CN}"}))
    assert "is under CN" in foreign.message


@pytest.mark.parametrize("key", ["shed_to", "when_all_down"])
def test_no_place_is_an_address_of_a_region_outside_whatever_it_says_of_itself(lawful: Folder, key: str) -> None:
    found = lawful.only(policy(residency="{allow: [EU]}", **{key: "{answer: 198.51.100.1, jurisdiction: EU}"}))
    (place,) = [each for each in found if each.code == "FD332"]
    assert place.is_error
    assert "198.51.100.1 is an address of west" in place.message


@pytest.mark.parametrize("residency", [{}, {"residency": "{allow: [EU, US]}"}])
@pytest.mark.parametrize("key", ["shed_to", "when_all_down"])
def test_no_place_is_an_address_of_a_region_of_the_policy(lawful: Folder, key: str, residency: dict[str, str]) -> None:
    place = "{answer: [192.0.2.99, 198.51.100.1], jurisdiction: EU}"
    (found,) = lawful.only(policy(**residency, **{key: place}))
    assert (found.code, found.is_error) == ("FD327", True)
    assert "192.0.2.99 is an address of west" in found.message
    assert ("name the region: when_all_down: {region: west};" in found.hint) is (key == "when_all_down")


def test_a_demand_above_all_capacity_may_have_a_place_for_the_rest(folder: Folder) -> None:
    folder.write("regions.yaml", LAWFUL.replace("north: {cloud: oci}", "north: {cloud: oci, capacity: 1}"))
    found = folder.only(policy(demand="1600", shed_to="192.0.2.99"))
    assert [each for each in found if each.is_error] == []


def test_a_record_that_says_no_parts_sheds_nothing(folder: Folder) -> None:
    found = folder.only(policy(weights="membership", demand="100", shed_to="192.0.2.99"))[0]
    assert (found.code, found.is_error) == ("FD423", False)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"shed_to": "192.0.2.99"}, "nothing goes to shed_to without a demand"),
        ({"shed_to": "west", "demand": "100"}, "west is a region of the policy"),
    ],
)
def test_a_place_to_which_nothing_would_ever_go_is_told(folder: Folder, said: dict[str, str], words: str) -> None:
    (found,) = [each for each in folder.only(policy(**said)) if each.code == "FD428"]
    assert not found.is_error
    assert words in found.message


# -- the manual --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", blocks("eligible"))
def test_an_example_of_the_manual_loads(tmp_path: Path, text: str) -> None:
    assert [each.render() for each in loaded(tmp_path, EXAMPLE + text)] == []
