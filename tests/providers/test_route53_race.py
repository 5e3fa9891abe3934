"""Two writers that read the same generation, over and over: Route 53 lets one of them write."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.races import races
from support.route53_site import LocalRoute53, local_route53


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalRoute53]:
    with local_route53(tmp_path, monkeypatch) as local:
        yield local


async def test_in_many_races_one_writer_wins_and_no_older_generation_ever_does(local: LocalRoute53, name: str) -> None:
    await races(local.open, name)
