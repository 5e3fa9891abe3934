"""docs/comparison.md names its sources, and says of each peer what it has that we have not."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "comparison.md").read_text()
CHAPTERS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
PEERS = [title for title in CHAPTERS if title not in {"And besides", "What failoverd lacks"}]


@pytest.mark.parametrize("peer", PEERS)
def test_a_chapter_says_what_it_rests_on_and_what_we_lack_and_when_to_take_the_other(peer: str) -> None:
    text = CHAPTERS[peer]
    assert re.search(r"\]\(https://[^)]+\)", text)
    assert re.findall(r"^- \*\*(\w+)", text, re.MULTILINE) in (
        ["It", "Otherwise", "Take"],
        ["They", "Otherwise", "Take"],
    )


def test_the_table_leads_to_every_chapter() -> None:
    anchors = set(re.findall(r"^\| \[[^]]+\]\(#([\w-]+)\)", PAGE, re.MULTILINE))
    assert anchors == {re.sub(r"[^\w -]", "", peer).lower().replace(" ", "-") for peer in PEERS}
    assert re.search(r"seen on \d{4}-\d\d-\d\d", PAGE)


def test_what_we_lack_is_said() -> None:
    assert len(re.findall(r"^- ", CHAPTERS["What failoverd lacks"], re.MULTILINE)) >= 8
