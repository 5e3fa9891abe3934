"""What became of a policy: from its first failing probe to the last client that still used the old answer."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.journals import OTHER, TARGET, apply, closed, incident, plan

from failoverd.core.clients import still_old
from failoverd.core.events import RegionRecovered
from failoverd.core.status import RegionStatus
from failoverd.operations import timeline as module
from failoverd.operations.timeline import Timeline, timeline
from failoverd.ports import ChangeOutcome
from failoverd.store.journal import open_journal
from failoverd.store.reading import HistoryReading
from failoverd.telemetry import prose

FELL = 10_000.0
HEALED = RegionRecovered(
    at=FELL + 300, policy=TARGET.policy, incident_id="inc-1", region="azure-eastus", record_type="A", was="down",
    score=10_000, evidence="5 passes", rule_at="a.yaml:1",
)  # fmt: skip


async def told(folder: Path, since: float, now: float = FELL + 400, policy: str = TARGET.policy) -> Timeline:
    """Of an evening on which a region fell, its traffic left, and it came back."""
    path = folder / "journal.db"
    async with open_journal(path, words=prose.told) as journal:
        region = RegionStatus(TARGET.policy, "A", "oci-ashburn", FELL, "healthy", 10_000, 0.0)
        other = replace(region, policy="chat", region="of-another-policy")
        await journal.update_status([region, other])
        await apply(journal, 3)
        await journal.record([*incident(FELL), HEALED, closed(FELL + 301)])
        made = plan("chg-9", generation=9)
        await journal.intend(made, FELL + 0.2)
        await journal.settle(made, ChangeOutcome.APPLIED, "", FELL + 0.3)
    with HistoryReading(path) as reading:
        return timeline(reading, now, policy=policy, since=since)


async def test_an_incident_begins_with_its_first_failing_probe(tmp_path: Path) -> None:
    (found,) = (await told(tmp_path, FELL - 60)).incidents
    assert (found.began, found.opened_at, found.closed_at) == (FELL, FELL + 0.1, FELL + 301)


async def test_it_reads_in_the_order_in_which_it_happened(tmp_path: Path) -> None:
    found = await told(tmp_path, FELL - 60)
    assert [each.event for each in found.marks] == [
        "endpoint.failed", "region.failed", "incident.opened", "decision.made", "change.applied", "change.verified",
        "region.recovered", "incident.closed",
    ]  # fmt: skip
    assert not found.cut


async def test_a_region_is_as_its_first_event_found_it_and_another_one_as_it_is_now(tmp_path: Path) -> None:
    azure, oci = (await told(tmp_path, FELL - 60)).regions
    assert (azure.region, azure.begin) == ("azure-eastus", "healthy")
    assert [(each.at, each.state) for each in azure.steps] == [(FELL + 0.1, "down"), (FELL + 300, "healthy")]
    assert (oci.region, oci.begin, oci.steps) == ("oci-ashburn", "healthy", ())


async def test_what_was_before_the_time_asked_about_is_how_it_begins(tmp_path: Path) -> None:
    found = await told(tmp_path, FELL + 100)
    azure, _ = found.regions
    assert (azure.begin, [each.state for each in azure.steps]) == ("down", ["healthy"])
    (record,) = found.records
    assert (record.begin, record.moves) == ({"oci-ashburn": 10_000}, ())


async def test_shares_begin_with_those_that_were_in_force(tmp_path: Path) -> None:
    (record,) = (await told(tmp_path, FELL - 60)).records
    assert record.record == "api.example.com A"
    assert record.begin == {"oci-ashburn": 10_000}, "the change at the third second"
    assert [(each.change_id, each.after) for each in record.moves] == [("chg-9", {"oci-ashburn": 10_000})]


async def test_clients_go_over_as_the_model_says_that_everybody_uses(tmp_path: Path) -> None:
    found = await told(tmp_path, FELL - 60)
    assert found.change == "chg-9"
    assert found.clients[0].at == FELL + 0.3
    assert found.clients[0].old == 10_000
    for each in found.clients:
        assert each.old == round(still_old(each.at - FELL - 0.3, 30) * 10_000)
    assert found.clients[-1].at == FELL + 0.3 + 900


async def test_another_policy_has_nothing_of_it(tmp_path: Path) -> None:
    found = await told(tmp_path, FELL - 60, policy="chat")
    assert (found.records, found.incidents, found.marks, found.clients) == ((), (), (), ())
    assert [each.region for each in found.regions] == ["of-another-policy"]


async def test_there_is_room_for_so_much_and_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    found = await told(tmp_path, FELL - 60)
    assert [each.event for each in found.marks] == ["change.verified", "region.recovered", "incident.closed"]
    assert found.cut


async def test_a_record_at_two_providers_has_two_tracks(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with open_journal(path, words=prose.told) as journal:
        for number, where in enumerate((TARGET, OTHER)):
            made = plan(f"chg-{number}", target=where)
            await journal.intend(made, FELL)
            await journal.settle(made, ChangeOutcome.APPLIED, "", FELL)
    with HistoryReading(path) as reading:
        found = timeline(reading, FELL + 9, policy=TARGET.policy, since=FELL - 1)
    assert [each.provider for each in found.records] == ["bind-main", "knot-second"]
