"""What servers and files say is shown on the operator's terminal, and never obeyed by it."""

import io
import json

import pytest
from rich.cells import cell_len
from rich.console import Console

from failoverd.cli.failing import print_json
from failoverd.cli.screen import aligned, folded, say, say_block, shown

TITLE = "\x1b]0;owned\x07"


def terminal() -> tuple[Console, io.StringIO]:
    """A terminal in colour, 40 columns wide, and what reached it."""
    written = io.StringIO()
    return Console(file=written, force_terminal=True, color_system="standard", width=40, highlight=False), written


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (TITLE, "\\x1b]0;owned\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\rb\nc\td\x7f", "a\\rb\\nc\\td\\x7f"),
        ("\u202eexe.gnp", "\\u202eexe.gnp"),
        ("line\u2028separator", "line\\u2028separator"),
        ("\ud800", "\\ud800"),
        ("Zürich 東京 [bold]x[/bold]", "Zürich 東京 [bold]x[/bold]"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, seen: str) -> None:
    assert shown(text) == seen


def test_a_line_is_one_line_and_only_its_own_style_is_obeyed() -> None:
    console, written = terminal()
    say(console, (f"red{TITLE}", "red"), f" [bold]plain[/bold]\n{TITLE} {'long ' * 20}end")
    assert written.getvalue() == (
        "\x1b[31mred\\x1b]0;owned\\x07\x1b[0m [bold]plain[/bold]\\n\\x1b]0;owned\\x07 " + "long " * 20 + "end\n"
    )


def test_a_line_shows_a_name_in_its_own_letters_too_and_a_block_to_copy_does_not() -> None:
    console, written = terminal()
    say(console, ("xn--bcher-kva.example A", "red"), " moved")
    say_block(console, "dig xn--bcher-kva.example")
    assert "bücher.example (xn--bcher-kva.example) A" in written.getvalue()
    assert written.getvalue().endswith("\ndig xn--bcher-kva.example\n")


def test_a_block_keeps_its_lines_and_nothing_else() -> None:
    console, written = terminal()
    say_block(console, f"nsupdate <<'EOF'\nadd [x] {TITLE}\nEOF")
    assert written.getvalue() == "nsupdate <<'EOF'\nadd [x] \\x1b]0;owned\\x07\nEOF\n"


def test_json_means_the_same_and_reaches_the_terminal_without_controls(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"evidence": f"{TITLE}\x9b2J\u202e\U000e0001 Zürich"}
    print_json(value)
    printed = capsys.readouterr().out
    assert json.loads(printed) == value
    assert "Zürich" in printed
    assert all(char.isprintable() or char == "\n" for char in printed)


# -- where room is scarce ----------------------------------------------------------------------------------------------

NAME = "xn--bcher-kva.example.test"


@pytest.mark.parametrize("width", [8, 20, 30, 40, 60])
def test_a_name_is_never_broken_and_keeps_its_letters_where_there_is_room(width: int) -> None:
    lines = folded(f"{NAME} A answers an-east 100%", width, indent="  ")
    said = [word for line in lines for word in line.split()]
    letters = ["bücher.example.test", f"({NAME})"] if width >= 30 else [NAME]
    assert said == [*letters, "A", "answers", "an-east", "100%"]
    assert all(cell_len(line) <= width or len(line.split()) == 1 for line in lines), lines


def test_lines_are_counted_in_columns_and_gaps_within_them_stay() -> None:
    assert folded("a  東京東京  b c", 10, "> ", "| ") == ["> a", "| 東京東京", "| b c"]
    assert folded("a  b", 10) == ["a  b"]
    assert folded("", 10, "  ") == ["  "]


def test_a_column_is_as_wide_as_what_is_read_in_it() -> None:
    head, first, second = aligned([("record", "to"), (f"{NAME} A", "x!"), ("東京.example A", "y!")])
    assert first.index("x!") == head.index("to")
    assert cell_len(second[: second.index("y!")]) == head.index("to")
