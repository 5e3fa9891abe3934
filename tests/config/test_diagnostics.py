import json

import pytest

from failoverd.config.diagnostics import Code, Diagnostic, Severity, about_file, excerpt_of, in_order, suggestion


def diagnostic(line: int = 3, column: int = 9, code: Code = Code.UNKNOWN_KEY) -> Diagnostic:
    return Diagnostic(
        code,
        Severity.ERROR,
        "p.yaml",
        line,
        column,
        'unknown key "shar"',
        "  east: {shar: 70}",
        'did you mean "share"?',
    )


def test_it_is_rendered_with_its_line_a_caret_and_the_hint() -> None:
    assert diagnostic().render() == (
        'p.yaml:3:9: error FD201: unknown key "shar"\n'
        "    3 |   east: {shar: 70}\n"
        "      |         ^\n"
        '      = did you mean "share"?'
    )


def test_a_whole_file_has_no_line() -> None:
    assert about_file(Code.TOO_LARGE, "p.yaml", "it is too large").render() == "p.yaml: error FD102: it is too large"


def test_it_can_be_printed_as_json() -> None:
    assert json.loads(json.dumps(diagnostic().plain())) == {
        "code": "FD201",
        "meaning": "a key is not known here",
        "severity": "error",
        "file": "p.yaml",
        "line": 3,
        "column": 9,
        "message": 'unknown key "shar"',
        "excerpt": "  east: {shar: 70}",
        "hint": 'did you mean "share"?',
    }


def test_they_are_sorted_by_place_and_each_is_told_once() -> None:
    late, early, same_line = diagnostic(10, 1), diagnostic(9, 5), diagnostic(9, 2)
    assert in_order([late, early, same_line, late]) == (same_line, early, late)


def test_codes_are_unique_and_say_what_they_mean() -> None:
    assert len({code.value for code in Code}) == len(Code)
    assert len({code.meaning for code in Code}) == len(Code)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("wieght", 'did you mean "weight"?'),
        ("WEIGHT", 'did you mean "weight"?'),
        ("qqq", "known here: weight, share"),
        ("x" * 100_000, "known here: weight, share"),
    ],
)
def test_a_suggestion_is_close_or_the_whole_choice(wrong: str, hint: str) -> None:
    assert suggestion(wrong, ["weight", "share"]) == hint


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  secret: hunter2 # old", "  secret: ***"),
        ("  key: {name: a, secret: aGk=}", "  key: {name: a, secret: ***"),
        ('  "api_key": "abc"', '  "api_key": ***'),
        ("  password = abc", "  password = ***"),
        ("  secret_file: /etc/key", "  secret_file: /etc/key"),
        ("      MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj", "      ***"),
        ("  a: b\x1b[31m\tc", "  a: b [31m c"),
    ],
)
def test_an_excerpt_shows_no_secret_and_steers_no_terminal(line: str, shown: str) -> None:
    assert excerpt_of(line) == shown


def test_an_excerpt_is_short() -> None:
    assert len(excerpt_of("a b " * 1_000)) <= 160
