"""Which change is taken back: the one that is named, or the last one that moved anything."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.journals import OTHER, TARGET, apply, plan

from failoverd.core.overrides import Scope
from failoverd.operations.commanding import Undoable, past_of
from failoverd.ports import ChangeOutcome
from failoverd.store.journal import open_journal


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Three changes that moved shares, the last of which failed, and one that moved none."""
    path = tmp_path / "journal.db"
    async with open_journal(path) as journal:
        await apply(journal, 1)
        await apply(journal, 2)
        still = plan("chg-still", generation=3)
        await journal.settle(replace(still, shares_before=still.shares_after), ChangeOutcome.APPLIED, "", 3.0)
        await journal.settle(plan("chg-failed", generation=4), ChangeOutcome.FAILED, "refused", 4.0)
    return path


async def test_it_is_the_last_one_that_was_applied_and_moved_something(path: Path) -> None:
    found = past_of(path)(Scope(), "")
    assert found == Undoable("chg-2", TARGET, plan().shares_before, plan().shares_after)
    assert past_of(path)(Scope(policies=("shop",)), "") is None


async def test_it_is_the_one_that_is_named_if_it_was_applied(path: Path) -> None:
    named = past_of(path)(Scope(), "chg-1")
    assert named is not None
    assert named.change_id == "chg-1"
    assert past_of(path)(Scope(), "chg-failed") is None
    assert past_of(path)(Scope(), f"chg-of-{OTHER.provider}") is None
