import os
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failoverd.config.diagnostics import MOST_PROBLEMS, Code
from failoverd.config.documents import MAX_BYTES, Document, parse, read
from failoverd.config.tree import MAX_DEPTH, MAX_VALUES, Mark, resolve

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [{', '.join(['*' + chr(97 + level)] * 9)}]\n" for level in range(20)
)


def document(text: str) -> Document:
    parsed = parse(text.encode(), "f.yaml")
    assert not parsed.diagnostics
    assert parsed.document is not None
    return parsed.document


def problems(text: str | bytes) -> list[tuple[Code, int, int]]:
    parsed = parse(text if isinstance(text, bytes) else text.encode(), "f.yaml")
    return [(found.code, found.line, found.column) for found in parsed.diagnostics]


# -- what is read ------------------------------------------------------------------------------------------------------


def test_a_document_becomes_plain_data() -> None:
    text = "a: 1\nb: [x, 2.5, true, null]\nc: {d: 'e f'}\n"
    assert document(text).data == {"a": 1, "b": ["x", 2.5, True, None], "c": {"d": "e f"}}


def test_every_key_and_value_has_its_place() -> None:
    found = document("a: 1\nb:\n  - x\n  - {c: 3}\n")
    assert found.mark(("b", 1, "c"), key=True) == Mark(4, 6)
    assert found.mark(("b", 1, "c")) == Mark(4, 9)
    assert found.mark(("b", 0)) == Mark(3, 5)


def test_what_was_not_written_stands_where_its_parent_stands() -> None:
    assert document("a: 1\nb:\n  c: 2\n").mark(("b", "missing"), key=True) == Mark(2, 1)


def test_lines_are_known_by_dotted_key() -> None:
    assert document("limits:\n  max_shift: 5\nrecords:\n  - name: x\n").line_of_keys() == {
        "limits": 1,
        "limits.max_shift": 2,
        "records": 3,
        "records.0": 4,
        "records.0.name": 4,
    }


def test_a_byte_order_mark_is_passed_over() -> None:
    assert document("\ufeffa: 1\n").mark(("a",), key=True) == Mark(1, 1)


@pytest.mark.parametrize("text", ["on", "off", "yes", "no", "y", "0777x", "1_000", "1:30", "2026-11-22"])
def test_what_older_yaml_would_convert_stays_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("True", True),
        ("false", False),
        ("0o17", 15),
        ("0x1F", 31),
        ("-12", -12),
        ("1e3", 1000.0),
    ],
)
def test_the_core_schema_is_read(text: str, value: object) -> None:
    assert resolve(text) == value


def test_quoted_text_stays_text() -> None:
    assert document("a: '1'\nb: \"true\"\n").data == {"a": "1", "b": "true"}


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_all_duplicate_keys_are_reported_with_the_line_of_the_first() -> None:
    text = "a: 1\nb: {c: 1, c: 2}\na: 3\na: {d: 1, d: 2}\n"
    assert problems(text) == [
        (Code.DUPLICATE_KEY, 2, 11),
        (Code.DUPLICATE_KEY, 3, 1),
        (Code.DUPLICATE_KEY, 4, 1),
        (Code.DUPLICATE_KEY, 4, 11),
    ]
    assert "first written on line 1" in parse(text.encode(), "f").diagnostics[1].message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1, 2\nb: 3\n", (Code.NOT_YAML, 2, 2)),
        ("a: 1\n\tb: 2\n", (Code.NOT_YAML, 2, 1)),
        ("a: \x07\n", (Code.NOT_YAML, 1, 4)),
        ("1: a\n", (Code.KEY_NOT_TEXT, 1, 1)),
        ("? [a]\n: b\n", (Code.KEY_NOT_TEXT, 1, 3)),
        ("a: &x 1\n", (Code.ALIAS, 1, 4)),
        ("a: !python/object:os.system x\n", (Code.TAG, 1, 4)),
        ("a: !!str 1\n", (Code.TAG, 1, 4)),
        ("a: 1\n---\nb: 2\n", (Code.SEVERAL_DOCUMENTS, 2, 1)),
        ("", (Code.NOT_A_MAPPING, 1, 1)),
        ("# only a comment\n", (Code.NOT_A_MAPPING, 1, 1)),
        ("- a\n", (Code.NOT_A_MAPPING, 1, 1)),
        ("just text\n", (Code.NOT_A_MAPPING, 1, 1)),
        ("a: .inf\n", (Code.NOT_PLAIN, 1, 4)),
        ("a: -.nan\nb: .nan\n", (Code.NOT_PLAIN, 2, 4)),
        ("a: 1e999\n", (Code.NOT_PLAIN, 1, 4)),
        ('a: "\\uD800"\n', (Code.NOT_PLAIN, 1, 4)),
        ("%YAML 1.1\n---\na: 1\n", (Code.WRONG_YAML, 1, 1)),
        ("a: " + "x" * 5_000, (Code.TOO_COMPLEX, 1, 1)),
    ],
)
def test_it_is_refused_at_its_place(text: str, expected: tuple[Code, int, int]) -> None:
    assert problems(text) == [expected]


def test_bytes_that_are_not_utf8_are_shown_at_their_place() -> None:
    assert problems("a: 1\nb: ü".encode("latin-1")) == [(Code.NOT_UTF8, 2, 4)]


def test_utf16_is_not_utf8() -> None:
    assert [code for code, *_ in problems("a: 1".encode("utf-16"))] == [Code.NOT_UTF8]


def test_nesting_is_bounded() -> None:
    assert problems("a: " + "[" * (MAX_DEPTH + 10) + "]" * (MAX_DEPTH + 10))[0][0] is Code.TOO_COMPLEX


def test_the_number_of_values_is_bounded() -> None:
    assert problems("a:\n" + "- b\n" * (MAX_VALUES + 1))[0][0] is Code.TOO_COMPLEX


def test_a_file_full_of_problems_is_not_read_to_its_end() -> None:
    found = problems("a: 1\n" * (MOST_PROBLEMS * 5))
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1][0] is Code.MORE


def test_a_yaml_bomb_is_refused_quickly_and_in_little_memory() -> None:
    tracemalloc.start()
    began = time.process_time()
    found = problems(BOMB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert {code for code, *_ in found} >= {Code.ALIAS}
    assert time.process_time() - began < 3
    assert peak < 20_000_000


@pytest.mark.parametrize(
    "text",
    [
        "[" * 250_000,
        "{a: " * 60_000,
        "- " * 100_000,
        "?\n" * 100_000,
        "[\n" * 100_000,
        "!" * 200_000,
        ("!" * 4_000 + "\n") * 60,
    ],
)
def test_text_that_is_made_to_be_slow_is_refused_in_time(text: str) -> None:
    began = time.process_time()
    assert problems(text)
    assert time.process_time() - began < 3


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_file_of_fifty_megabytes_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    tracemalloc.start()
    parsed = read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [found.code for found in parsed.diagnostics] == [Code.TOO_LARGE]
    assert peak < 4 * MAX_BYTES


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    (found,) = read(tmp_path / "none.yaml").diagnostics
    assert str(found) == f"{tmp_path}/none.yaml: error FD101: it cannot be read: No such file or directory"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    assert [found.code for found in read(tmp_path).diagnostics] == [Code.UNREADABLE]


def test_a_pipe_without_a_writer_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert [found.code for found in read(tmp_path / "pipe.yaml").diagnostics] == [Code.UNREADABLE]


def test_a_symlink_to_nowhere_or_to_itself_is_said(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    assert [found.code for found in read(tmp_path / "loop.yaml").diagnostics] == [Code.UNREADABLE]


# -- anything at all ---------------------------------------------------------------------------------------------------

YAMLISH = st.text(st.sampled_from(list("ab: -?[]{},&*!|>'\"%@`#\n\t\\0x.~é\u2028\ufeff")), max_size=200)


@given(st.one_of(st.text(max_size=300), YAMLISH))
def test_no_text_makes_it_raise(text: str) -> None:
    parsed = parse(text.encode("utf-8", "surrogatepass"), "f.yaml")
    assert parsed.document is not None or parsed.diagnostics
    for found in parsed.diagnostics:
        assert found.render()
        assert found.line >= 1


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    parsed = parse(raw, "f.yaml")
    assert parsed.document is not None or parsed.diagnostics
