"""The quick parser only ever says what the close one says: the same data, at the same places."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.files import policy

from failoverd.config.parsers import Unusual, quick_events
from failoverd.config.tree import Tree, _Refused

POLICIES = Path(__file__).parents[2] / "policies"

FRAGMENTS = (
    *("a", "b: ", "c:", "1", "0x1F", "yes", "~", "null", "192.0.2.1:80", "[2001:db8::1]:443", "http://h/p?q=1#f"),
    *("- ", "? ", ": ", ", ", "[", "]", "{", "}", "#", " # c", "&x ", "*x", "!t ", "!!str ", "| ", "> ", "%YAML 1.2"),
    *("'", '"', "''", '\\"', "\\n", "\n", "\n  ", "\n    ", "\n- ", "---", "--- ", "...", "\t", "\r\n", "@", "`", "="),
    *(
        "<<: ",
        "-",
        "?",
        ":",
        "é",
        "\u2028",
        "\x85",
        "\ufeff",
        "😀",
        "\x07",
        "75%",
        "-1",
        "1e3",
        ".5",
        "+",
        "!",
        "&",
        "*",
    ),
)

TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)


def tree(events: str, text: str) -> Tree | None:
    found = Tree("f.yaml", tuple(text.split("\n")))
    if events == "close":
        found.data = found._closely(text)
        return found
    try:
        found.data = found._stream(quick_events(text))
    except (Unusual, _Refused):
        return None
    return found


@given(
    st.one_of(TEXTS, TEXTS.map("a: {}\n".format), TEXTS.map("a: [{}]\n".format), TEXTS.map("a:\n  - {}\nb: 1\n".format))
)
@example("a: [b:c, d]\n")
@example("a: {b:1}\n")
@example("a: 'x\n  y'\n")
@example('a: "b\\/c"\n')
@example("---\na: 1\n")
@example("--- a: 1\n")
@example("a: 1\n...\nb: 2\n")
@example("a: ?b\n")
@example("a: [?b, :c]\n")
@example("{a: 1, ? b, c: }\n")
def test_both_parsers_read_alike_whatever_the_quick_one_takes(text: str) -> None:
    quick = tree("quick", text)
    if quick is None or quick.problems or not isinstance(quick.data, dict):
        return  # it is read again
    close = tree("close", text)
    assert close is not None
    assert close.problems == []
    assert quick.data == close.data
    assert (quick.keys, quick.values) == (close.keys, close.values)


@pytest.mark.parametrize("file", sorted(POLICIES.rglob("*.yaml")), ids=lambda file: str(file.name))
def test_files_as_people_write_them_are_read_quickly(file: Path) -> None:
    assert tree("quick", file.read_text()) is not None


def test_what_tests_write_is_read_quickly() -> None:
    assert tree("quick", policy("a", "a.example.net")) is not None


@pytest.mark.parametrize(
    "text",
    [
        *("a: &x 1\n", "a: *x\n", "a: !t 1\n", "a: |\n  b\n", "a: >\n  b\n", 'a: "\\x41"\n', "a: b\n  c\n", "a:\n"),
        *("%YAML 1.2\n---\na: 1\n", "a:\t1\n", "a: 1\r\n", "a: 1\n...\n", "a: [\n", "a: b: c\n"),
    ],
)
def test_what_is_unusual_is_left_to_the_close_parser(text: str) -> None:
    assert tree("quick", text) is None
