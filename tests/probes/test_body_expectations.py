"""What a body has to hold."""

import json
from time import process_time

import pytest

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.http_check.body_expectations import MOST_VALUES, BodyExpectations, parse_expectations
from failoverd.probes.http_check.json_paths import json_path
from failoverd.probes.patterns import compiled

BODY = {
    "status": "ok",
    "ready": True,
    "queue": {"depth": 3, "share": 0.5},
    "parts": [{"name": "db", "status": "up"}, {"name": "cache", "status": "down"}],
    "error": None,
    "mark": "< 5",
}


def said(body: object, **wanted: object) -> str:
    """What is wrong with a body; empty when nothing is."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    cut = bool(wanted.pop("cut", False))
    values = parse_expectations(wanted.pop("values")) if "values" in wanted else ()
    found = BodyExpectations(values=values, **wanted).weigh(sent, cut=cut)  # type: ignore[arg-type]
    assert found.detail.isprintable()
    assert found.reason in {ProbeReason.OK, ProbeReason.BODY_MISMATCH}
    return "" if found.reason is ProbeReason.OK else found.detail


# -- JSON --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"$.status": "ok"},
        {"$.status": '== "ok"'},
        {"$.status": '!= "down"'},
        {"$.ready": True},
        {"$.ready": "!= 1"},
        {"$.queue.depth": 3},
        {"$.queue.depth": 3.0},
        {"$.queue.depth": "< 5", "$['queue']['share']": ">= 0.5"},
        {"$.queue.depth": "<= 3"},
        {"$.queue.depth": "> -1e2"},
        {"$.parts[0].status": "up"},
        {"$.parts[-1].name": "cache"},
        {"$.parts[?@.name == 'db'].status": "up"},
        {"$.parts[*].status": '!= "starting"'},
        {"$.parts[0:1].status": "up"},
        {"$.error": "== null"},
        {"$.mark": '== "< 5"'},
    ],
)
def test_a_body_that_says_what_it_should_passes(values: dict[str, object]) -> None:
    assert said(BODY, values=values) == ""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"$.status": "up"}, '$.status is "ok", not "up"'),
        ({"$.ready": 1}, "$.ready is true, not 1"),
        ({"$.queue.depth": True}, "$.queue.depth is 3, not true"),
        ({"$.queue.depth": "< 3"}, "$.queue.depth is 3, not < 3"),
        ({"$.queue.depth": "3"}, '$.queue.depth is 3, not "3"'),
        ({"$.status": "< 3"}, '$.status is "ok", not < 3'),
        ({"$.ready": "<= 3"}, "$.ready is true, not <= 3"),
        ({"$.queue": "!= null", "$.queue.age": "!= null"}, "$.queue.age is not in the body"),
        ({"$.parts[*].status": "up"}, '$.parts[*].status is "down", not "up"'),
        ({"$.parts[?@.name == 'web'].status": "up"}, "$.parts[?@.name == 'web'].status is not in the body"),
        ({"$.error": "!= null"}, "$.error is null, not != null"),
        ({"$.queue": 3}, "$.queue is an object, not 3"),
        ({"$.parts": 3}, "$.parts is a list, not 3"),
    ],
)
def test_a_body_that_says_something_else_fails_with_what_it_says(values: dict[str, object], words: str) -> None:
    assert said(BODY, values=values) == words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body cannot be read as JSON: Expecting value"),
        (b"<html>", "the body cannot be read as JSON: Expecting value"),
        (b'{"a": 1', "the body cannot be read as JSON: Expecting ',' delimiter"),
        (b'{"a": 1} trailing', "the body cannot be read as JSON: Extra data"),
        (b'{"a": 1, "a": 2}', 'the body cannot be read as JSON: "a" stands there twice'),
        (b'{"a": NaN}', "the body cannot be read as JSON: NaN is no number in JSON"),
        (b'{"a": -Infinity}', "the body cannot be read as JSON: -Infinity is no number in JSON"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "the body cannot be read as JSON: Exceeds the limit"),
        (b'{"a": ' + b"9" * 4_000 + b"}", "$.a is a number of many digits, not 1"),
        (b'{"a": 1e999}', "$.a is Infinity, not 1"),
        (b"[" * 200_000, "the body is JSON that is nested too deeply"),
        (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, "the body is JSON that is nested too deeply"),
        (b"[1" + b",1" * (MOST_VALUES + 1) + b"]", "the body cannot be read as JSON: it has more than 20000 values"),
        (b'{"a": "\xff"}', "the body cannot be read as JSON: 'utf-8' codec"),
        (b'{"a": "\\ud800"}', '$.a is "'),
        (b'{"a": "\\u001b[2J"}', '$.a is "\\x1b[2J", not 1'),
        (b"1", "$.a is not in the body"),
        (b'"a"', "$.a is not in the body"),
        (b"null", "$.a is not in the body"),
    ],
)
def test_what_cannot_be_read_as_json_is_a_mismatch_that_says_why(body: bytes, words: str) -> None:
    assert said(body, values={"$.a": 1}).startswith(words)


@pytest.mark.parametrize("wanted", ["< 5", "> 5"])
def test_a_number_beyond_all_numbers_is_neither_less_nor_more(wanted: str) -> None:
    assert said(b'{"a": 1e999}', values={"$.a": wanted}) != ""
    assert said(b'{"a": -1e999}', values={"$.a": wanted}) != ""


def test_json_that_is_longer_than_what_is_read_is_not_guessed_at() -> None:
    assert (
        said(b'{"a": 1}', values={"$.a": 1}, cut=True) == "the body is longer than 8 bytes, too long to be read as JSON"
    )


def test_a_body_made_to_take_long_takes_no_longer_than_its_size_warrants() -> None:
    keys = ", ".join(f'"k{number}": 1' for number in range(MOST_VALUES - 1))
    began = process_time()
    assert said(f'{{{keys}, "k7": 2}}'.encode(), values={"$.a": 1}).endswith('"k7" stands there twice')
    assert process_time() - began < 1.0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([], "write JSON paths"),
        ({}, "write JSON paths"),
        ({f"$.a{number}": 1 for number in range(17)}, "at most 16"),
        ({1: 1}, "is a text"),
        ({"$." + "a" * 500: 1}, "at most 500"),
        ({"status": "ok"}, "is not a JSON path"),
        ({"$.a[": "ok"}, "is not a JSON path"),
        ({"$..status": "ok"}, 'without ".."'),
        ({"$.a..b": "ok"}, 'without ".."'),
        ({"$['a', 'b']": "ok"}, "several things at once"),
        ({"$[?match(@.a, 'a*')].b": 1}, "function 'match' is not defined"),
        ({"$[?search(@.a, 'a*')].b": 1}, "function 'search' is not defined"),
        ({"$[?length(@.a) > 1].b": 1}, "function 'length' is not defined"),
        ({"$[?@..a].b": 1}, "filter that searches"),
        ({"$[?@[?@.a]].b": 1}, "filter that searches"),
        ({"$[?@.a =~ /a*/].b": 1}, "is not a JSON path"),
        ({"$.a | $.b": 1}, "is not a JSON path"),
        ({"$.a": [1]}, "can be compared with"),
        ({"$.a": {"b": 1}}, "can be compared with"),
        ({"$.a": float("nan")}, "not finite"),
        ({"$.a": "< many"}, "not a number"),
        ({"$.a": "< true"}, "not a number"),
        ({"$.a": "< 1e999"}, "not a number"),
        ({"$.a": "> NaN"}, "not a number"),
        ({"$.a": "== ok"}, "a text in quotes"),
        ({"$.a": "!= [1]"}, "a text in quotes"),
    ],
)
def test_an_expectation_that_makes_no_sense_is_refused_when_the_policy_is_loaded(wrong: object, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        parse_expectations(wrong)
    assert words in str(refused.value)


def test_a_path_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match=r"nested too deeply|not a JSON path"):
        json_path("$[?" + "(" * 100_000 + "@.a" + ")" * 100_000 + "]")


# -- texts and patterns ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "body", "holds"),
    [
        ("ready", b"not ready yet", True),
        ("^ready$", b"ready\n", False),
        ("(?m)^ready$", b"starting\nready\n", True),
        (r"\bqueue=\d+\b", b"queue=17 ", True),
        ("gr.n", "grün".encode(), True),
        ("gr.n", "grün".encode("latin-1"), False),
        ("", b"", True),
        ("a", b"\x00a", True),
    ],
)
def test_a_pattern_is_found_anywhere_unless_it_is_anchored(pattern: str, body: bytes, *, holds: bool) -> None:
    assert (said(body, pattern=pattern) == "") is holds


@pytest.mark.parametrize("wrong", ["(", "[", "a{2,1}", "(?=a)", r"(a)\1", "(?P<x", "a{1001}", "\\"])
def test_a_pattern_that_re2_does_not_understand_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="no pattern that RE2 understands"):
        compiled(wrong)


@pytest.mark.parametrize("wrong", ["(.{0,100}){1,10}x", "[\\p{L}]{1,900}x", "((a{100}){100}){100}"])
def test_a_pattern_that_would_cost_too_much_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"too large|repetition"):
        compiled(wrong)


def test_a_pattern_that_makes_other_engines_hang_is_linear() -> None:
    began = process_time()
    assert said(b"a" * 262_144, pattern="^(a+)+$") == ""
    assert said(b"a" * 262_143 + b"b", pattern="^(a+)+$").startswith("the body (262144 bytes) does not match")
    assert process_time() - began < 1.0


def test_every_expectation_has_to_hold_and_the_first_that_does_not_is_told() -> None:
    wanted = {"contains": b"up", "lacks": b"down", "pattern": "u.", "values": {"$.status": "up"}}
    assert said(b'{"status": "up"}', **wanted) == ""
    assert said(b'{"status": "ok"}', **wanted).startswith('the body (16 bytes) does not contain "up"; it begins with')
    assert said(b'{"status": "up down"}', **wanted) == 'the body contains "down"'
    assert said(b'{"status": "gup"}', **wanted) == '$.status is "gup", not "up"'
    assert said(b"uuu", pattern="x", cut=True).startswith("the first 3 bytes of the body do not match")


def test_what_is_cheap_is_judged_at_once_and_what_is_not_is_not() -> None:
    assert BodyExpectations(pattern="ready").is_cheap(10_000)
    assert not BodyExpectations(pattern="[ab]*a[ab]{200}c").is_cheap(10_000)
    assert not BodyExpectations(values=parse_expectations({"$.a": 1})).is_cheap(262_144)
    assert BodyExpectations(contains=b"x").is_cheap(262_144)


def test_numbers_that_no_float_can_hold_are_compared_or_refused_and_crash_nothing() -> None:
    many = "9" * 400
    (less,) = parse_expectations({"$.depth": f"< {many}"})
    assert less.unmet({"depth": 5}) == ""
    assert less.unmet({"depth": 1.5}) == ""
    with pytest.raises(ValueError, match="JSON path"):
        parse_expectations({"$[?@.a==1e99999]": 1})
