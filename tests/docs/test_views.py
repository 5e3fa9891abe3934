"""docs/views.md names the keys that there are."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.journals import OTHER, TARGET, incident, plan
from support.leaders import members

from failoverd.api.shapes import (
    AnswerBody,
    BillTold,
    CostTold,
    EditTold,
    HeldTold,
    LossTold,
    MemberTold,
    RegionRoomTold,
    RegionSumTold,
)
from failoverd.api.telling import history_told, inventory_told, members_told, status_told, why_told
from failoverd.cli.views.origin import Found
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.status import (
    EndpointStatus,
    FilesStatus,
    Heartbeat,
    JournalStatus,
    NotificationsStatus,
    OrphanedRecord,
    OrphansStatus,
    Overview,
    PlannedStatus,
    PlannedWork,
    PolicyStatus,
    ProbingStatus,
    RefusedFile,
    RegionStatus,
    Status,
    TargetState,
    TargetStatus,
    VantageStatus,
)
from failoverd.operations.history import past
from failoverd.operations.overview import overview
from failoverd.operations.reviewing import review
from failoverd.operations.why import why
from failoverd.ports import ChangeOutcome
from failoverd.store.journal import open_journal
from failoverd.store.reading import HistoryReading
from failoverd.telemetry import prose

PAGE = (Path(__file__).parents[2] / "docs" / "views.md").read_text()
NOW = 100.0

DRAIN = Override(
    "drain-1a2b3c4d", Verb.DRAIN, Scope(regions=("azure-eastus",)), "alice@console", NOW, NOW + 3_600.0,
    (Comment(NOW, "alice@console", "upgrade"),),
)  # fmt: skip
ILL = EndpointStatus("inference-api", "azure-eastus", "192.0.2.11:443", NOW, "unhealthy", NOW, "3 times 503")
STATUSES: tuple[Status, ...] = (
    Heartbeat(NOW, 1, NOW, "1", "running"),
    VantageStatus(NOW, (), NOW),
    ProbingStatus(NOW, 1.0, 0.0, 0.0),
    PolicyStatus(TARGET.policy, NOW, "a.yaml", "1"),
    RegionStatus(TARGET.policy, "A", "azure-eastus", NOW, "down", 0, NOW),
    ILL,
    replace(ILL, endpoint="192.0.2.10:443", state="healthy", evidence=""),
    TargetStatus(TARGET, NOW, TargetState.IN_SYNC),
    OrphansStatus(NOW, (OrphanedRecord(OTHER, 7, NOW),)),
    NotificationsStatus(NOW),
    FilesStatus(NOW, (RefusedFile("new.yaml", "FD201"),), warned=(RefusedFile("api.pem", "it expired"),)),
    PlannedStatus(NOW, (PlannedWork("drain-01234567", "region oci", "a.yaml:9", "switches", NOW, NOW + 60),)),
    members(NOW),
)


def section(name: str) -> str:
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


def row(name: str, key: str) -> list[str]:
    """The keys that the page names for a part, in order; only what stands before a parenthesis' words counts."""
    (line,) = (line for line in section(name).splitlines() if line.startswith(f"| `{key}` |"))
    cells = re.sub(r"\([^)]*\)", "", line.split("|")[2])
    return re.findall(r"`(\w+)`", cells)


def plain(told: AnswerBody) -> dict[str, Any]:
    """What is printed."""
    return Found(told, "journal", NOW).plain()


def named(name: str) -> list[str]:
    """The keys of an answer: those of each, and its own."""
    return sorted([*("schema", "source"), *re.findall(r"^\| `(\w+)` \|", section(name), re.MULTILINE)])


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    async with open_journal(path, words=prose.told) as journal:
        await journal.update_status(STATUSES)
        await journal.say(DRAIN)
        await journal.settle(plan(), ChangeOutcome.APPLIED, "", NOW)
        await journal.record(incident(NOW))
    return path


async def test_the_keys_of_status(path: Path) -> None:
    with HistoryReading(path) as reading:
        broken = JournalStatus(NOW, writes=True, error="it is full", remedy="free space")
        found = plain(status_told(replace(overview(reading, NOW), journal=broken), NOW))
    assert named("status") == sorted(found)
    for key, part in found.items():
        if isinstance(part, str | int) or key in {"source", "deferred"}:
            continue
        shape = part[0] if isinstance(part, list) else part
        assert row("status", key) == list(shape), key


async def test_the_keys_of_why(path: Path) -> None:
    with HistoryReading(path) as reading:
        explained = why(reading, NOW, policy=None, at=None, incident=None)
    assert explained is not None
    found = plain(why_told(explained))
    assert named("why") == sorted(found)
    assert row("why", "events") == list(found["events"][0])
    for key, shape in (("sums", RegionSumTold), ("cost", CostTold), ("bill", BillTold)):
        assert row("why", key) == list(shape.model_fields)


async def test_the_keys_of_history(path: Path) -> None:
    with HistoryReading(path) as reading:
        found = plain(history_told(past(reading, NOW + 1, policy=None, since=0.0, limit=50)))
    assert named("history") == sorted(found)
    for key in ("changes", "overrides"):
        assert row("history", key) == list(found[key][0])
    for key, shape in (("holds", HeldTold), ("edits", EditTold)):
        assert row("history", key) == list(shape.model_fields)


def test_the_keys_of_inventory() -> None:
    found = plain(inventory_told(review((), (), NOW)))
    assert named("inventory") == sorted(found)
    for key, shape in (("regions", RegionRoomTold), ("losses", LossTold)):
        assert row("inventory", key) == list(shape.model_fields)


def test_the_keys_of_members() -> None:
    found = plain(members_told(Overview(members=members(NOW)), NOW))
    assert named("members") == sorted(found)
    assert row("members", "roster")[1:] == ["members", *MemberTold.model_fields]


def test_the_command_names_the_leader() -> None:
    jq = shutil.which("jq")
    assert jq is not None
    (script,) = re.findall(r"\| jq -r '(.*)'$", section("members"), re.MULTILINE)
    said = json.dumps(plain(members_told(Overview(members=members(NOW)), NOW)))
    done = subprocess.run([jq, "-r", script], input=said, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "azure-1\n"


def test_the_command_finds_the_endpoints_that_are_not_well() -> None:
    jq = shutil.which("jq")
    assert jq is not None
    (script,) = re.findall(r"\| jq -r '(.*)'$", section("status"), re.MULTILINE)
    said = json.dumps(plain(status_told(Overview.of(STATUSES), NOW)))
    done = subprocess.run([jq, "-r", script], input=said, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "inference-api azure-eastus 192.0.2.11:443 unhealthy: 3 times 503\n"
