"""docs/benchmark.md: the command that it shows works, and its table is the command line's."""

import re
import shlex
from pathlib import Path

from support.benchmarks import compared
from typer.main import get_command

from failoverd.cli.command_line import app

PAGE = (Path(__file__).parents[2] / "docs" / "benchmark.md").read_text()


async def test_the_command_works_as_it_stands_there(tmp_path: Path) -> None:
    (line,) = re.findall(r"^failoverctl benchmark api (.+)$", PAGE, re.MULTILINE)
    words = [str(tmp_path / word) if word.endswith(".html") else word for word in shlex.split(line)]
    async with compared(tmp_path) as here:
        done = await here.benchmark(*words)
        assert done.code == 0, done.err
        assert len(here.near.requests) == len(here.far.requests) == 10
    assert (tmp_path / "regions.html").read_text().startswith("<!doctype html>")


def test_every_option_is_in_the_table_with_its_default() -> None:
    command = get_command(app).commands["benchmark"]  # type: ignore[attr-defined]
    documented = dict(re.findall(r"^\| `(--\w+)` \| `?([^|`]+)`? \|", PAGE, re.MULTILINE))
    options = {each.opts[0]: each.default for each in command.params if each.opts[0].startswith("--")}
    del options["--config"]
    assert documented.keys() == options.keys()
    for name in ("--for", "--rate", "--output"):
        assert documented[name] == options[name]


def test_reasons_that_are_named_are_those_of_the_command() -> None:
    package = Path(__file__).parents[2] / "failoverd" / "cli"
    said = {reason for file in package.rglob("*.py") for reason in re.findall(r'"(\w+_unwritable)"', file.read_text())}
    assert set(re.findall(r"`(\w+_unwritable)`", PAGE)) == {"page_unwritable", "output_unwritable"} <= said
