import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from failoverd import config
from failoverd.config.diagnostics import (
    MOST_PROBLEMS,
    Code,
    Diagnostic,
    Severity,
    about_file,
    excerpt_of,
    in_order,
    suggestion,
)


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


def test_whatever_is_in_a_name_begins_no_line_of_its_own() -> None:
    """A CI obeys lines that begin with `::`, and believes those that look like ours."""
    forged = "a\n::error file=prod.yaml::forged\r\x1b[2J.yaml"
    found = replace(diagnostic(), file=forged, message="x\n::add-mask::y", hint="x\n::stop-commands::z")
    assert [line[:7] for line in found.render().splitlines()] == ["a\\n::er", "    3 |", "      |", "      ="]
    assert str(found).isprintable()


def test_of_each_file_so_many_are_shown_that_a_person_can_read_them() -> None:
    many = [diagnostic(line) for line in range(1, 1_000)]
    other = replace(diagnostic(), file="q.yaml")
    found = in_order([*many, other])
    assert len(found) == MOST_PROBLEMS + 2
    assert found[:MOST_PROBLEMS] == tuple(many[:MOST_PROBLEMS])
    assert (found[MOST_PROBLEMS].code, found[MOST_PROBLEMS].message) == (
        Code.MORE,
        "799 more problems, from here on, are not shown",
    )
    assert found[-1] == other
    assert in_order(found) == found


def test_no_error_is_left_out_for_a_warning_and_warnings_alone_reject_no_file() -> None:
    warnings = [replace(diagnostic(line), severity=Severity.WARNING) for line in range(1, 1_000)]
    assert diagnostic(2_000) in in_order([*warnings, diagnostic(2_000)])
    assert not any(each.is_error for each in in_order(warnings))


# -- their numbers -----------------------------------------------------------------------------------------------------


def told_in_the_code() -> Iterator[tuple[Code, bool]]:
    """Each place that tells of something by its code, and whether as a warning."""
    for file in sorted(Path(config.__file__).parent.rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text())):
            if not isinstance(call, ast.Call):
                continue
            said = ast.unparse(call.func) + "".join(f" {ast.unparse(each.value)}" for each in call.keywords)
            for each in call.args:
                if isinstance(each, ast.Attribute) and ast.unparse(each.value) == "Code":
                    yield Code[each.attr], "WARNING" in said or said.startswith("_warned")


def test_the_hundred_of_a_code_says_whether_a_file_with_it_loads() -> None:
    found = set(told_in_the_code())
    assert {code for code, _ in found} >= {Code.NOBODY_MAY_ANSWER, Code.RAMP_IDLE, Code.NEVER_FIRES}
    errors = {"2": True, "3": True, "4": False}
    wrong = [
        code
        for code, warns in sorted(found)
        if code is not Code.LIMIT_BLOCKS and errors.get(code[2], not warns) is warns
    ]
    assert wrong == []
