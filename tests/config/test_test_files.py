"""Tests of policies as files: which belong to what, what is wrong with them, and that nothing that runs heeds them."""

from pathlib import Path

import pytest
from support.manual import REAL_KINDS
from support.playing import POLICY, REGIONS, folder, loaded

from failoverd.config.documents import parse
from failoverd.config.listing import policy_files
from failoverd.config.loader import load_paths
from failoverd.config.schema.test_file import MOST_MOMENTS, parse_curve, parse_demands, parse_series
from failoverd.config.test_files import load_tests, wrong_tests
from failoverd.core.records import Policy

ONE = """\
version: 1
tests:
  - name: it
    policy: shop
    series: {azure-weu/*: F}
    at: {5s: {changes: 0}}
"""

OWN = """\
tests:
  - name: its own
    series: {azure-weu/*: F}
    at: {5s: {changes: 0}}
"""


def told(path: Path) -> list[str]:
    """What is wrong, as `line: code message`, without what is said of policies."""
    found = loaded(path).diagnostics
    return [f"{each.line}: {each.code} {each.message}" for each in found if each.code.value.startswith("FD6")]


def wrong(path: Path, said: str) -> list[str]:
    """The same of one test of the policy `shop`."""
    lines = "".join(f"    {line}\n" for line in said.strip("\n").splitlines())
    return told(folder(path, f"version: 1\ntests:\n  - name: it\n    policy: shop\n{lines}"))


# -- which tests there are ---------------------------------------------------------------------------------------------


def test_a_folder_brings_the_tests_of_its_policies_and_those_beside_them(tmp_path: Path) -> None:
    found = loaded(folder(tmp_path, ONE, policy=POLICY + OWN))
    assert [(test.policy, test.entry.name) for test in found.tests] == [("shop", "its own"), ("shop", "it")]
    assert [Path(test.place).name for test in found.tests] == ["shop.yaml:17", "shop.test.yaml:3"]


def test_a_file_brings_its_own_and_all_policies_of_its_folder_are_at_work(tmp_path: Path) -> None:
    other = POLICY.replace("shop", "desk").replace("10]", "11]") + OWN
    folder(tmp_path, ONE, policy=POLICY + OWN, desk=other)
    for name, tests in (("shop.yaml", ["its own"]), ("shop.test.yaml", ["it"])):
        found = load_tests([tmp_path / name], REAL_KINDS)
        assert [test.entry.name for test in found.tests] == tests
        assert set(found.estates[0].found.policies) == {"shop", "desk"}


def test_each_folder_has_an_estate_of_its_own(tmp_path: Path) -> None:
    """Regions of two folders that are called alike are two, each with the capacity of its own inventory."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        folder(tmp_path / name, ONE, regions=REGIONS.replace("900", "700") if name == "two" else REGIONS)
    found = load_tests([tmp_path / "one", tmp_path / "two"], REAL_KINDS)
    capacities = [estate.found.policies["shop"].regions[0].capacity for estate in found.estates]
    assert capacities == [900, 700]
    assert len(found.tests) == 2


def test_a_file_of_tests_is_no_policy(tmp_path: Path) -> None:
    folder(tmp_path, "this is: [no policy\n")
    (tmp_path / "more.test.yml").write_text("nor this\n")
    assert policy_files(tmp_path, "regions.yaml") == [tmp_path / "shop.yaml"]
    assert set(load_paths([tmp_path], REAL_KINDS).policies) == {"shop"}


# -- nothing that runs heeds them --------------------------------------------------------------------------------------


def running(path: Path, text: str) -> Policy:
    (path / "shop.yaml").write_text(text)
    return load_paths([path], REAL_KINDS).policies["shop"]


def test_a_policy_whose_tests_changed_is_the_same_policy(tmp_path: Path) -> None:
    folder(tmp_path, ONE)
    plain = running(tmp_path, POLICY)
    assert running(tmp_path, POLICY + OWN) == plain
    assert running(tmp_path, POLICY + OWN.replace("its own", "another")) == plain
    assert running(tmp_path, POLICY.replace("share: 70", "share: 60") + OWN) != plain


def test_tests_in_the_middle_are_no_other_revision_and_the_lines_after_them_are_right(tmp_path: Path) -> None:
    folder(tmp_path, ONE)
    plain = running(tmp_path, POLICY)
    moved = running(tmp_path, POLICY.replace("demand: 800", f"{OWN}demand: 800"))
    assert moved.source.revision == plain.source.revision
    assert moved.source.lines["demand"] == plain.source.lines["demand"] + 4


def test_tests_in_braces_are_a_part_of_the_text_like_any_other() -> None:
    def digest(text: str) -> str:
        document = parse(text.encode(), "f.yaml").document
        assert document is not None
        return document.digest_without("tests")

    assert digest("{version: 1, tests: [], demand: 1}\n") != digest("{version: 1, tests: [], demand: 2}\n")
    assert digest("a: 1\n") == digest("a: 1\ntests: []\n") == digest("a: 1\n\ntests:\n  - b\n")
    assert digest("tests: []\na: 1\n") == digest("a: 1\n")
    assert digest("a: 1\n") != digest("a: 2\ntests: []\n")


@pytest.mark.parametrize(
    "tests", ["tests: nonsense\n", "tests: [{nmae: it}]\n", "tests: [{name: it, at: {5h1: {}}}]\n"]
)
def test_a_wrong_test_keeps_no_policy_from_being_run(tmp_path: Path, tests: str) -> None:
    folder(tmp_path, ONE, policy=POLICY + tests)
    found = load_paths([tmp_path], REAL_KINDS)
    assert set(found.policies) == {"shop"}
    assert [each for each in wrong_tests([tmp_path], REAL_KINDS) if each.is_error]


# -- what is wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("series: {azure-wue/*: F}\nat: {5s: {changes: 0}}", 'there is no endpoint "azure-wue/*"'),
        ("series: {azure-weu/192.0.2.99: F}\nat: {5s: {changes: 0}}", 'there is no endpoint "azure-weu/192.0.2.99"'),
        ("at: {5s: {shares: {azure-wue: 70}}}", 'there is no region "azure-wue"'),
        ("at: {5s: {regions: {azure-wue: down}}}", 'there is no region "azure-wue"'),
        ("at: {5s: {policies: {desk: {changes: 0}}}}", 'there is no policy "desk"'),
        ("given: {demand: {desk: 1}}\nat: {5s: {changes: 0}}", 'there is no policy "desk"'),
        ("given: {capacity: {azure-wue: 1}}\nat: {5s: {changes: 0}}", 'there is no region "azure-wue"'),
        ("given: {published: {azure-wue: 100}}\nat: {5s: {changes: 0}}", 'there is no region "azure-wue"'),
        ("happens: {1s: {edit: {azure-wue: 100}}}\nat: {5s: {changes: 0}}", 'there is no region "azure-wue"'),
        ("happens: {1s: {demand: {desk: 1}}}\nat: {5s: {changes: 0}}", 'there is no policy "desk"'),
        ("happens: {1s: {providers: {dsn: down}}}\nat: {5s: {changes: 0}}", 'there is no provider "dsn"'),
        ("happens: {1s: {operator: {drain: azure-wue}}}\nat: {5s: {changes: 0}}", 'there is no region "azure-wue"'),
        ("happens: {1s: {operator: {down: azure-weu/1.1.1.1}}}\nat: {5s: {changes: 0}}", "there is no endpoint"),
        (
            "happens: {1s: {operator: {pin: {azure-wue: 100}}}}\nat: {5s: {changes: 0}}",
            'there is no region "azure-wue"',
        ),
        ("never: {share: {azure-wue: '> 40'}}", 'there is no region "azure-wue"'),
    ],
)
def test_a_name_of_nobody_is_an_error_with_its_place_and_a_remedy(tmp_path: Path, said: str, message: str) -> None:
    (found,) = wrong(tmp_path, said)
    assert f"FD601 {message}" in found
    (diagnostic,) = (each for each in loaded(tmp_path).diagnostics if each.is_error)
    assert diagnostic.hint
    assert diagnostic.line >= 5


def test_an_endpoint_in_brackets_is_named_as_it_is_written(tmp_path: Path) -> None:
    policy = POLICY.replace("type: A,", "type: AAAA,").replace("[192.0.2.10]", '["[2001:db8::1]:80"]')
    policy = policy.replace("198.51.100.10", '"2001:db8::2"').replace("203.0.113.10", '"2001:db8::3"')
    for name in ("azure-weu/[2001:db8::1]:80", "azure-weu/[*]:80", "azure-weu/2001:db8::1", "azure-weu/*"):
        said = f'series: {{"{name}": P x5 F}}, at: {{1m: {{changes: 1}}}}'
        found = loaded(folder(tmp_path, f"version: 1\ntests: [{{name: x, policy: shop, {said}}}]\n", policy=policy))
        assert not [each.render() for each in found.diagnostics if each.is_error]


def test_a_test_of_no_policy_is_one_too(tmp_path: Path) -> None:
    assert told(folder(tmp_path, ONE.replace("policy: shop", "policy: shpo"))) == [
        '4: FD601 there is no policy "shpo" in this folder'
    ]
    assert told(folder(tmp_path, ONE.replace("    policy: shop\n", ""))) == [
        "3: FD601 it does not say which policy it is about"
    ]


def test_where_the_policy_itself_is_wrong_only_that_is_said(tmp_path: Path) -> None:
    folder(tmp_path, ONE, policy=POLICY.replace("share: 70", "share: 170"))
    assert told(tmp_path) == []
    assert [each.code for each in loaded(tmp_path).diagnostics if each.is_error] != []


@pytest.mark.parametrize(
    "said", ["series: {azure-weu/*: F}", "at: {5s: {}}", "at: {5s: {policies: {shop: {}}}}", "never: {}"]
)
def test_a_test_that_cannot_fail_is_warned_of(tmp_path: Path, said: str) -> None:
    assert wrong(tmp_path, said) == ['3: FD602 "it": it cannot fail: it expects nothing']
    assert not any(each.is_error for each in loaded(tmp_path).diagnostics)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ('never: {share: {aws-use1: "> 100"}}', "no share is > 100"),
        ('never: {changes: "< 0"}', "no number is < 0"),
        ("never: {leaves_residency: true}", "no policy here has a residency"),
        ("at: {5s: {changes: 0}}", "nothing happens in it"),
        ('series: {azure-weu/*: "P x10 F"}\nat: {9s: {changes: 0}}', "before anything happens, 10s after"),
        ("happens: {1m: {restart: true}}\nat: {9s: {changes: 0}}", "before anything happens, 60s after"),
        ('given: {demand: "800 x20 900"}\nat: {9s: {changes: 0}}', "before anything happens, 20s after"),
        ('series: {azure-weu/*: F}\nat: {9s: {changes: 0}}\nnever: {share: {aws-use1: "> 100"}}', "no share is > 100"),
    ],
)
def test_so_is_what_a_test_says_in_vain(tmp_path: Path, said: str, message: str) -> None:
    (found,) = wrong(tmp_path, said)
    assert "FD602" in found
    assert message in found
    assert not any(each.is_error for each in loaded(tmp_path).diagnostics)


@pytest.mark.parametrize(
    "said",
    [
        "given: {demand: 2000}\nat: {0s: {changes: 0}}",
        "given: {published: {azure-weu: 100}}\nat: {0s: {changes: 0}}",
        'series: {azure-weu/*: "P x10 F"}\nat: {9s: {changes: 0}, 11s: {changes: 0}}',
        'series: {azure-weu/*: "P x10 F"}\nat: {9s: {changes: 0}}\nnever: {empty: true}',
        "for: 1h\nnever: {over_capacity: true}",
    ],
)
def test_and_what_may_fail_is_not(tmp_path: Path, said: str) -> None:
    assert wrong(tmp_path, said) == []


def test_too_much_load_is_none_where_nobody_says_what_a_region_carries(tmp_path: Path) -> None:
    free = POLICY.replace("demand: 800\n", "")
    found = told(folder(tmp_path, ONE.replace("at: {5s: {changes: 0}}", "never: {over_capacity: true}"), policy=free))
    assert "nobody says what policies need" in found[0]


def test_two_tests_of_one_policy_have_two_names(tmp_path: Path) -> None:
    folder(tmp_path, ONE, policy=POLICY + OWN.replace("its own", "it"))
    (found,) = told(tmp_path)
    assert found.startswith('3: FD603 policy "shop" has another test "it", at ')
    assert found.endswith("shop.yaml:17")


@pytest.mark.parametrize(
    ("text", "code"),
    [("version: 1\ntests: [\n", "FD1"), ("", "FD1"), ("version: 1\n", "FD2"), ("version: 1\ntests: {}\n", "FD2")],
)
def test_a_damaged_file_is_said_with_its_place(tmp_path: Path, text: str, code: str) -> None:
    found = [each for each in loaded(folder(tmp_path, text)).diagnostics if each.is_error]
    assert found
    assert all(each.code.value.startswith(code) and each.file.endswith("shop.test.yaml") for each in found)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("series: {azure-weu/*: P x}", "none of P, F, T, E, D, B, _"),
        ("series: {azure-weu/*: ''}", "1 to 100000 moments, not 0"),
        ("series: {azure-weu/*: P x999999}", "interval makes one of them longer"),
        ("at: {5h1: {changes: 0}}", "is not a duration"),
        ("at: {60s: {changes: 0}, 1m: {changes: 1}}", "60s and 1m are one moment"),
        ("at: {5s: {reasons: [capcity]}}", "capacity"),
        ("at: {5s: {shares: {azure-weu: 70%}}}", "a share is a number without a sign"),
        ("never: {changes: 4}", "write a comparison"),
        ("given: {demand: 800 x}", "no number"),
        ("given: {demand: 0}", "more than 0"),
        ("given: {at: '2027-06-01T12:00'}", "a moment says its offset"),
        ("given: {at: '9999-12-31T23:59:59Z'}", "between 1970 and 2242"),
        ("given: {at: '0001-01-01T00:00:00Z'}", "between 1970 and 2242"),
        ("for: 5s\nat: {10s: {changes: 0}}", "for ends before"),
        ("happens: {1s: {operator: {drain: azure-weu, hold: true}}}", "not drain and hold"),
        ("happens: {1s: {operator: {for: 1h}}}", "not none"),
        ("happens: {1s: {operator: {shed: azure-weu}}}", "how much of its share"),
    ],
)
def test_what_cannot_be_meant_is_said_in_words(tmp_path: Path, said: str, message: str) -> None:
    wrong(tmp_path, said)
    found = [each.render() for each in loaded(tmp_path).diagnostics if each.is_error]
    assert found
    assert message in "\n".join(found)


# -- the notation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("P x10 F x20", (("P", 10), ("F", 20))),
        ("P F", (("P", 1), ("F", 1))),
        ("PFx3", (("P", 1), ("F", 3))),
        ("  P x 10\tB_ ", (("P", 10), ("B", 1), ("_", 1))),
    ],
)
def test_a_series_is_letters_with_how_long_each_lasts(text: str, items: tuple[tuple[str, int], ...]) -> None:
    assert parse_series(text) == items


@pytest.mark.parametrize(
    ("written", "items"),
    [
        (800, ((800.0, 1),)),
        ("800", ((800.0, 1),)),
        ("800 x10 1600 x20", ((800.0, 10), (1600.0, 20))),
        ("0.5 800x3 90", ((0.5, 1), (800.0, 3), (90.0, 1))),
    ],
)
def test_a_curve_is_numbers_with_how_long_each_lasts(written: object, items: tuple[tuple[float, int], ...]) -> None:
    assert parse_curve(written) == items
    assert parse_demands({"shop": written}) == {"shop": items}


@pytest.mark.parametrize("text", [f"P x{MOST_MOMENTS} P", "P x0", "Q", "x10", "P y3", "P,F"])
def test_no_series_is_longer_or_other_than_that(text: str) -> None:
    with pytest.raises(ValueError, match=r"moments|none of"):
        parse_series(text)


@pytest.mark.parametrize("written", ["", "800 x10 x20", "-5", "1e9", True, None, "800 P", "10000000000000"])
def test_no_curve_is_other_than_that(written: object) -> None:
    with pytest.raises(ValueError, match=r"demand|number|moments"):
        parse_curve(written)
