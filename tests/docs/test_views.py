"""docs/views.md names the keys that there are."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from support.journals import OTHER, TARGET, incident, plan

from failoverd.core.status import (
    EndpointStatus,
    FilesStatus,
    Heartbeat,
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
from failoverd.operations import history, overview, why
from failoverd.ports import ChangeOutcome
from failoverd.store.journal import open_journal
from failoverd.store.reading import Reading

PAGE = (Path(__file__).parents[2] / "docs" / "views.md").read_text()
NOW = 100.0

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
    FilesStatus(NOW, (RefusedFile("new.yaml", "FD201"),)),
    PlannedStatus(NOW, (PlannedWork("drain-01234567", "region oci", "a.yaml:9", "switches", NOW, NOW + 60),)),
)


def section(name: str) -> str:
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


def row(name: str, key: str) -> list[str]:
    """The keys that the page names for a part, in order; only what stands before a parenthesis' words counts."""
    (line,) = (line for line in section(name).splitlines() if line.startswith(f"| `{key}` |"))
    cells = re.sub(r"\([^)]*\)", "", line.split("|")[2])
    return re.findall(r"`(\w+)`", cells)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    async with open_journal(path) as journal:
        await journal.update_status(STATUSES)
        await journal.settle(plan(), ChangeOutcome.APPLIED, "", NOW)
        await journal.record(incident(NOW))
    return path


async def test_the_keys_of_status(path: Path) -> None:
    with Reading(path) as reading:
        found = overview.as_json(overview.overview(reading), NOW)
    assert sorted(found) == sorted(re.findall(r"^\| `(\w+)` \|", section("status"), re.MULTILINE))
    for key, part in found.items():
        shape = part[0] if isinstance(part, list) else part
        named = row("status", key)
        if isinstance(part, str):
            continue
        assert set(named) <= set(shape), key
        if key != "targets":
            assert set(named) == set(shape), key


async def test_the_keys_of_why(path: Path) -> None:
    with Reading(path) as reading:
        explained = why.why(reading, policy=None, at=None, incident=None)
    assert explained is not None
    found = why.as_json(explained)
    assert sorted(found) == sorted(re.findall(r"^\| `(\w+)` \|", section("why"), re.MULTILINE))
    assert row("why", "change") == list(found["change"])
    assert row("why", "events") == list(found["events"][0])


async def test_the_keys_of_history(path: Path) -> None:
    with Reading(path) as reading:
        (found,) = history.as_json(history.history(reading.changes()))
    assert re.findall(r"`(\w+)`", section("history")) == list(found)


def test_the_command_finds_the_endpoints_that_are_not_well() -> None:
    jq = shutil.which("jq")
    assert jq is not None
    (script,) = re.findall(r"\| jq -r '(.*)'$", section("status"), re.MULTILINE)
    said = json.dumps(overview.as_json(Overview.of(STATUSES), NOW))
    done = subprocess.run([jq, "-r", script], input=said, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "inference-api azure-eastus 192.0.2.11:443 unhealthy: 3 times 503\n"
