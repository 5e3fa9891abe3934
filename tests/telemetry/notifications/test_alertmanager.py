"""A real Alertmanager takes our alerts, tells of them once, and of their end."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from clouds.hook import Hook
from clouds.serving import serving
from support.alertmanager import Alertmanager, alertmanager
from support.notices import RUNBOOK, notice

from failoverd.telemetry.notifications.alertmanager import KIND, AlertmanagerSettings, Replica
from failoverd.telemetry.notifications.posting import posting


@pytest.fixture(scope="module")
def hook() -> Hook:
    return Hook()


@pytest.fixture(scope="module")
def running(hook: Hook) -> Iterator[Alertmanager]:
    with serving(hook) as served, alertmanager(served.url) as found:
        yield found


@pytest.fixture
def outlet(running: Alertmanager) -> Replica:
    (found,) = KIND.open(AlertmanagerSettings.model_validate({"alertmanager": [running.url], "every": "1s"}), "prod")
    assert isinstance(found, Replica)
    return found


async def told(hook: Hook, status: str, subject: str) -> list[dict[str, Any]]:
    """What Alertmanager told its own receiver of, once it did."""

    def fitting(got: list[dict[str, Any]]) -> list[dict[str, Any]]:
        alerts = [alert for message in got for alert in message["alerts"]]
        return [each for each in alerts if each["status"] == status and each["labels"]["subject"] == subject]

    await asyncio.to_thread(hook.wait, fitting)
    return fitting(hook.got)


async def test_a_trouble_fires_once_however_often_it_is_told_and_is_resolved(
    hook: Hook, running: Alertmanager, outlet: Replica
) -> None:
    began = time.time()
    trouble = notice(since=began, at=began, facts={"undo": "failoverctl undo chg-1"})
    async with posting() as post:
        for _ in range(3):
            assert await post(outlet.delivery([trouble], time.time()), outlet.place) == "200"
        (firing,) = await told(hook, "firing", trouble.subject)
        assert firing["labels"] == {
            "alertname": "FailoverdRegionLeft",
            "kind": "region.left",
            "owner": "prod",
            "policy": "inference-api",
            "severity": "warning",
            "subject": "azure-eastus",
        }
        assert firing["annotations"] == {
            "summary": "azure-eastus is down",
            "runbook_url": RUNBOOK,
            "undo": "failoverctl undo chg-1",
        }
        assert [each["labels"]["subject"] for each in running.alerts()] == ["azure-eastus"]
        ended = replace(trouble, ended=time.time())
        assert await post(outlet.delivery([ended], time.time()), outlet.place) == "200"
    (resolved,) = await told(hook, "resolved", trouble.subject)
    assert resolved["fingerprint"] == firing["fingerprint"]
    assert running.alerts() == []


async def test_what_is_told_no_more_ends_by_itself(hook: Hook, running: Alertmanager, outlet: Replica) -> None:
    long_ago = time.time() - 3.0  # of the four seconds that it lasts untold
    outlet.wall = lambda: long_ago
    async with posting() as post:
        await post(outlet.delivery([notice("silent", since=long_ago)], long_ago), outlet.place)
    assert len(await told(hook, "firing", "silent")) == 1
    (resolved,) = await told(hook, "resolved", "silent")
    assert resolved["labels"]["subject"] == "silent"
    assert running.alerts() == []


async def test_many_at_once_are_one_request(running: Alertmanager, outlet: Replica) -> None:
    now = time.time()
    many = [notice(f"region-{number}", since=now, at=now) for number in range(outlet.batch)]
    async with posting() as post:
        await post(outlet.delivery(many, now), outlet.place)
        assert {each["labels"]["subject"] for each in running.alerts()} >= {each.subject for each in many}
        await post(outlet.delivery([replace(each, ended=time.time()) for each in many], now), outlet.place)
