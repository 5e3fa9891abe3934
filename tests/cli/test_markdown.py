"""A review as a comment of a pull request: what files say is shown and does nothing, and it fits."""

import re

from markdown_it import MarkdownIt

from failoverd.cli.markdown import MOST_BYTES, as_markdown
from failoverd.cli.telling_comparisons import Reviewed
from failoverd.operations.policy_changes import Alarm, AlarmKind, SettingChange
from failoverd.simulation.comparison import Comparison

EVIL = (
    "<script>alert(1)</script>",
    "@everybody #1 !2",
    "[click](https://example.com) ![x](https://example.com/x.png)",
    "`code` ends ``here``",
    "a | new | cell",
    "a\\| new cell\\",
    "line\nbreak\r\n\n# heading",
    "\u202eturned\u2066",
    "  spaces  ",
)


def comment(*settings: SettingChange, alarms: tuple[Alarm, ...] = ()) -> str:
    return as_markdown(Reviewed("main", "policies", Comparison(changed=("shop",), settings=settings, alarms=alarms)))


def outside_of_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", text)


def test_whatever_a_file_says_stands_in_code() -> None:
    settings = [SettingChange(evil, evil, evil, evil) for evil in EVIL]
    text = as_markdown(Reviewed(EVIL[0], EVIL[3], Comparison(settings=tuple(settings))))
    left = outside_of_code(text)
    assert not re.search(r"[<@!\[`\\]|https|#\d|script|turned|cell|heading", left), left
    assert all(char.isprintable() or char == "\n" for char in text)


def test_a_reader_of_markdown_finds_tables_and_code_and_nothing_else() -> None:
    """By markdown-it, which rich brings along: CommonMark with the tables of GitHub, and HTML let through."""
    settings = tuple(SettingChange(evil, evil, evil, evil) for evil in EVIL)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(comment(*settings))
    found = {each.type for token in tokens for each in (token, *(token.children or ()))}
    kinds = {each.partition("_")[0] for each in found if each.endswith("_open")}
    assert kinds == {"heading", "paragraph", "table", "thead", "tbody", "tr", "th", "td"}
    assert {each for each in found if not each.endswith(("_open", "_close"))} == {"inline", "text", "code_inline"}
    assert sum(token.type == "td_open" for token in tokens) == 4 * len(EVIL)


def test_a_row_has_as_many_cells_as_its_table() -> None:
    text = comment(*(SettingChange(evil, evil, evil, evil) for evil in EVIL))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {5}
    assert len(rows) == len(EVIL) + 2


def test_what_must_be_seen_comes_first() -> None:
    text = comment(SettingChange("shop", "demand", "1", "2"), alarms=(Alarm(AlarmKind.OVERLOADS, "", "too much"),))
    assert text.splitlines()[0] == "### failoverctl review: 1 policy changes; 1 thing to see before merging"
    assert text.index("too much") < text.index("demand")


def test_it_is_bounded_and_counts_what_it_leaves_out() -> None:
    many = [SettingChange(f"policy-{number}", "demand", "é" * 900, "2") for number in range(3000)]
    alarms = tuple(Alarm(AlarmKind.OVERLOADS, "", f"{number} " + "x" * 900) for number in range(3000))
    text = comment(*many, alarms=alarms)
    assert len(text.encode()) <= MOST_BYTES
    told = sum(line.startswith("| `overloads`") for line in text.splitlines())
    assert told == 50
    assert "and 2950 rows more: `failoverctl review` prints all of them" in text
    assert text.count("rows more") == 2


def test_many_parts_of_long_rows_fit_as_well() -> None:
    wide = [SettingChange("ü" * 240, "ü" * 240, "ü" * 240, "ü" * 240) for _ in range(60)]
    alarms = tuple(Alarm(AlarmKind.OVERLOADS, "ü" * 240, "ü" * 240) for _ in range(60))
    text = as_markdown(
        Reviewed(
            "x" * 10_000,
            "y",
            Comparison(added=tuple("ü" * 240 for _ in range(60)), alarms=alarms, settings=tuple(wide)),
        )
    )
    assert len(text.encode()) <= MOST_BYTES
    assert text.count("more: `failoverctl review`") == 3
