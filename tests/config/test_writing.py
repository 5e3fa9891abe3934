"""What is written into a file means what was said, whichever of the parsers reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from failoverd.config.documents import parse
from failoverd.config.writing import flow

TEXTS = st.text(max_size=60) | st.sampled_from(
    [
        "no",
        "NULL",
        "~",
        "1e3",
        "0x10",
        ".inf",
        "12",
        "1.2.3.4",
        "-",
        "a: b",
        "a #b",
        "'",
        "\u2028",
        "\ufeff",
        "\x7f",
        "\U0001f600",
    ]
)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(-(2**40), 2**40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(value=VALUES)
def test_what_is_read_is_what_was_said(value: object) -> None:
    written = f"here: {flow(value)}\n"
    found = parse(written.encode(), "")
    assert found.document is not None, (written, found.diagnostics)
    assert (found.document.data["here"], found.diagnostics) == (value, ())
    assert YAML(typ="safe", pure=True).load(written)["here"] == value


@pytest.mark.parametrize("text", ["www.example.com", "192.0.2.10", "/etc/failoverd/tsig.key", "_dns.example", "500ms"])
def test_what_is_usual_stands_there_plainly(text: str) -> None:
    assert flow(text) == text


def test_half_of_a_character_is_refused() -> None:
    with pytest.raises(ValueError, match="UTF-8"):
        flow(["tsig\udcff.key"])
