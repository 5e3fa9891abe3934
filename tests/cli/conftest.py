from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.fixtures import bind_server, knot_server, shared_bind, shared_knot

from failoverd.store.journal import SqliteJournal, open_journal
from failoverd.telemetry import prose

__all__ = ["bind_server", "knot_server", "shared_bind", "shared_knot"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    async with open_journal(path, words=prose.told) as opened:
        yield opened
