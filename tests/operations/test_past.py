"""What was changed by whom; and which change is taken back: one that is named, or the last one that moved anything."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.journals import OTHER, TARGET, apply, incident, plan

from failoverd.core.events import PlanHeld
from failoverd.core.overrides import Scope
from failoverd.core.reasons import Cause
from failoverd.operations.commanding import Undoable, past_of
from failoverd.operations.history import past
from failoverd.ports import ChangeOutcome
from failoverd.store.journal import open_journal
from failoverd.store.reading import HistoryReading

HELD = PlanHeld(
    at=200.0,
    policy=TARGET.policy,
    record=str(TARGET.key),
    provider=TARGET.provider,
    zone=TARGET.zone,
    wanted={"oci-ashburn": 10_000},
    cause=Cause.TUNING,
    limits=(),
    rule_at="api.yaml:24",
)


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


async def test_what_one_of_several_members_did_is_asked_for_by_its_name(path: Path) -> None:
    async with open_journal(path) as journal:
        for member, change in (("azure-1", "chg-1"), ("oci-1", "chg-2")):
            events = [replace(event, told_by=member) for event in incident(100.0, change_id=change)]
            held = replace(HELD, told_by=member)
            await journal.record([*events, held])
    with HistoryReading(path) as reading:
        whole = past(reading, 300.0, policy=None, since=0.0, limit=50)
        of_oci = past(reading, 300.0, policy=None, since=0.0, limit=50, member="oci-1")
        of_nobody = past(reading, 300.0, policy=None, since=0.0, limit=50, member="aws-1")
    assert [(each.change_id, each.member) for each in whole.moves][:2] == [("chg-1", "azure-1"), ("chg-2", "oci-1")]
    assert [each.member for each in whole.holds] == ["azure-1", "oci-1"]
    assert [each.change_id for each in of_oci.moves] == ["chg-2"]
    assert [each.member for each in of_oci.holds] == ["oci-1"]
    assert (of_nobody.moves, of_nobody.holds) == ((), ())


async def test_what_another_member_told_of_its_changes_is_among_what_was_changed(path: Path) -> None:
    async with open_journal(path) as journal:
        await journal.record([replace(event, told_by="oci-1") for event in incident(100.0, change_id="chg-theirs")])
        await journal.record([replace(event, told_by="azure-1") for event in incident(50.0, change_id="chg-2")])
    with HistoryReading(path) as reading:
        whole = past(reading, 300.0, policy=None, since=0.0, limit=50)
        last = past(reading, 300.0, policy=TARGET.policy, since=0.0, limit=1)
    theirs = whole.moves[-1]
    assert (theirs.change_id, theirs.member, theirs.outcome, theirs.generation) == ("chg-theirs", "oci-1", "applied", 8)
    assert (theirs.before, theirs.after) == ({"azure-eastus": 7_000, "oci-ashburn": 3_000}, {"oci-ashburn": 10_000})
    assert theirs.verified_after == 0.1
    assert [each.change_id for each in whole.moves].count("chg-2") == 1
    assert [each.change_id for each in last.moves] == ["chg-theirs"]


async def test_the_last_change_may_be_one_that_another_member_made(path: Path) -> None:
    """A new leader takes back what the leader before it did, and not what it did itself long ago."""
    async with open_journal(path) as journal:
        await journal.record([replace(event, told_by="oci-1") for event in incident(100.0, change_id="chg-theirs")])
    theirs = Undoable(
        "chg-theirs",
        replace(TARGET, provider="bind-main", zone="example.com"),
        {"azure-eastus": 7_000, "oci-ashburn": 3_000},
        {"oci-ashburn": 10_000},
    )
    assert past_of(path)(Scope(), "") == past_of(path)(Scope(), "chg-theirs") == theirs
    assert past_of(path)(Scope(policies=("shop",)), "") is None
