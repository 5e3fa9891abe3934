"""Incidents outlive the process, and not their policy."""

import json
import time
from pathlib import Path

from support.daemons import provider_block, site
from support.servers import DnsServer

from failoverd.core.events import IncidentOpened
from failoverd.store.journal import open_journal
from failoverd.store.reading import HistoryReading


async def test_the_oldest_of_many_open_incidents_goes_on_and_those_of_policies_that_are_gone_end(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    path, now = tmp_path / "journal.db", time.time()
    policies = ["api", *(f"gone-{number}" for number in range(30))]
    async with open_journal(path) as journal:
        for age, name in enumerate(policies):
            opened = IncidentOpened(at=now - 1_000 + age, policy=name, incident_id=f"inc-{name}", cause="west is down")
            await journal.record([opened])

    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here, here.daemon() as daemon:
        closed = await daemon.event("incident.closed")
        assert (closed["incident_id"], closed["lasted"] > 900) == ("inc-api", True)
        printed = await here.tells(lambda printed: '"policy": "api"' in printed, "status", "--output", "json")
        assert [policy["policy"] for policy in json.loads(printed)["policies"]] == ["api"]
        await daemon.stop()
        assert [found["incident_id"] for found in daemon.named("incident.closed")] == ["inc-api"]

    with HistoryReading(path) as reading:
        assert reading.incidents(open_only=True) == ()
        assert len(reading.incidents()) == len(policies)
