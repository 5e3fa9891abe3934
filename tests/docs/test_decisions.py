"""Every example of docs/decisions.md is played, and every sum of it is done again from the reasons alone."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.decisions import Example

PAGE = Path("docs/decisions.md")
EXAMPLES = {
    f"{title} {number}": text
    for title, section in re.findall(r"^## (.*?)$(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    for number, text in enumerate(re.findall(r"^```yaml decision$(.*?)^```$", section, re.MULTILINE | re.DOTALL), 1)
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_the_page_says_is_what_is_decided(name: str, tmp_path: Path) -> None:
    Example(tmp_path, YAML(typ="safe").load(EXAMPLES[name])).play()


def test_every_stage_of_the_page_has_an_example() -> None:
    titles = re.findall(r"^## (.*?)$", PAGE.read_text(), re.MULTILINE)
    assert {name.rpartition(" ")[0] for name in EXAMPLES} == set(titles)
