"""docs/page.md keeps its word: the command prints a link at which the page is, and its bounds are those of the code."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest
import yaml
from support.api import heard
from support.browsing import asked
from support.commands import CONFIG

from failoverd.api import bounds, listening
from failoverd.api.page import HERE
from failoverd.config.schema.config_file import ApiEntry

pytestmark = pytest.mark.server

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "page.md").read_text()


async def test_the_command_prints_a_link_at_which_the_page_is(tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh\n(.*?)\n```", TEXT)
    program, *words = block.split()
    (tmp_path / "failoverd.yaml").write_text(CONFIG)
    environment = {**os.environ, "FAILOVERD_CONFIG": str(tmp_path / "failoverd.yaml")}
    path = Path(sys.executable).with_name(program)
    async with heard(tmp_path):
        process = await asyncio.create_subprocess_exec(
            path, *words, "--port", "0", stdout=-1, stderr=-1, env=environment
        )
        try:
            async with asyncio.timeout(60):
                assert process.stdout is not None
                link = (await process.stdout.readline()).decode().strip()
            shown, _, body = await asked(link, "/")
            token = link.partition("#token=")[2]
            entered, _, _ = await asked(link, "/v1/enter", Authorization=f"Bearer {token}")
            assert (shown, entered, b"<title>failoverd</title>" in body) == (200, 200, True)
        finally:
            process.send_signal(signal.SIGINT)
            _, said = await process.communicate()
    assert process.returncode == 130
    assert b"ssh -L" in said


def test_the_example_of_configuration_loads() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    said = yaml.safe_load(block)["api"]
    said["tcp"] |= {name: Path(value) for name, value in said["tcp"].items() if name.endswith("_file")}
    assert ApiEntry.model_validate(said).tcp is not None


def test_the_numbers_are_those_of_the_code() -> None:
    words = " ".join(TEXT.split())
    assert f"{bounds.MOST_LISTENERS} browsers may listen" in words
    assert f"takes nothing for {listening._TAKING:g} seconds is hung up on" in words
    script = (HERE / "page.js").read_text()
    assert "const OLD = 12000;" in script
    assert "after 12 seconds without news" in words
    version = re.findall(r"uplot-([\d.]+)\.min\.js", " ".join(each.name for each in (HERE / "vendor").iterdir()))
    assert f"uPlot](https://github.com/leeoniya/uPlot) {version[0]} (MIT)" in words


def test_the_picture_is_there_and_not_too_large() -> None:
    """`make screenshots` makes it again: build/screenshots/page.png."""
    assert 20_000 < (DOCS / "page.png").stat().st_size < 200_000
