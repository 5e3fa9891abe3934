"""A bad night as a real Prometheus sees it: a real daemon, our rules, our dashboard, and the runbooks' first looks."""

import asyncio
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from support.daemons import EMBEDDED, NAME, PATIENCE, RunningDaemon, Site, site
from support.prometheus import Prometheus, prometheus
from support.servers import free_port

ROOT = Path(__file__).parents[2]
RULES = (ROOT / "monitoring" / "failoverd.rules.yaml").read_text()
BOARD: dict[str, Any] = json.loads((ROOT / "monitoring" / "grafana" / "failoverd.json").read_text())
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text()

RULE = "rules:\n  - {name: both, assert: {at_least: 2, of: [west, east]}, else_after: 10m}\n"
HERE = {"inference-api": "api", "azure-eastus": "west", "https://www.example.com/": "tcp://127.0.0.1:9"}
"""What the names of the runbooks are called here."""

T = TypeVar("T")


async def awaited(found: Callable[[], T], words: str) -> T:
    """What a question gives once it gives anything."""
    try:
        async with asyncio.timeout(PATIENCE):
            given = await asyncio.to_thread(found)
            while not given:
                await asyncio.sleep(0.1)  # Prometheus scrapes in its own time, and needs the processor more
                given = await asyncio.to_thread(found)
    except TimeoutError:
        raise AssertionError(f"never: {words}") from None
    return given


async def test_a_region_that_is_down_and_kept_is_told_by_the_alerts_and_shown_by_the_dashboard(tmp_path: Path) -> None:
    """The rule of the inventory wants both regions in the answer, and one of them breaks."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        RULES.replace("failoverd_region_failed_unmoved_seconds > 60", "failoverd_region_failed_unmoved_seconds > 1")
    )
    assert rules.read_text() != RULES
    port = free_port()
    async with site(tmp_path, EMBEDDED) as here:
        inventory = tmp_path / "policies" / "regions.yaml"
        inventory.write_text(inventory.read_text() + RULE)
        here.config.write_text(f'{here.config.read_text()}metrics: {{listen: "127.0.0.1:{port}"}}\n')
        async with here.daemon() as daemon:
            await daemon.event("change.verified")
            with prometheus(port, rules) as running:
                await _a_good_day(running)
                await _a_bad_night(running, here, daemon)
                await _the_dashboard(running)
                await _the_first_looks(here)


async def _a_good_day(running: Prometheus) -> None:
    await awaited(lambda: running.query('failoverd_record_state{state="in_sync"} == 1'), "the record is in sync")
    await awaited(lambda: running.query("rate(failoverd_probes_total[10s]) > 0"), "it was scraped twice")
    evaluated = await awaited(lambda: _all_evaluated(running), "every rule was evaluated")
    assert {rule["name"]: rule["health"] for rule in evaluated} == dict.fromkeys(_names(evaluated), "ok")
    assert await asyncio.to_thread(running.alerts) == []


def _all_evaluated(running: Prometheus) -> list[dict[str, Any]]:
    rules = running.rules()
    return rules if all(rule["health"] != "unknown" for rule in rules) else []


def _names(rules: list[dict[str, Any]]) -> list[str]:
    return [rule["name"] for rule in rules]


async def _a_bad_night(running: Prometheus, here: Site, daemon: RunningDaemon) -> None:
    await here.break_region("west")
    await daemon.event("failover.held")

    def told(name: str, state: str) -> list[dict[str, Any]]:
        alerts = running.alerts()
        return [each for each in alerts if (each["labels"]["alertname"], each["state"]) == (name, state)]

    (down,) = await awaited(lambda: told("FailoverdRegionDownNotMoved", "firing"), "a region is down and not moved")
    about = {"policy": "api", "record": f"{NAME} A", "provider": "main", "region": "west", "severity": "critical"}
    assert about.items() <= down["labels"].items()
    assert down["annotations"]["summary"].startswith(f"west is down, and {NAME} A still sends traffic there since ")
    assert "failoverctl why --policy api" in down["annotations"]["description"]
    (held,) = await awaited(lambda: told("FailoverdHeld", "pending"), "a rule holds it")
    assert held["annotations"]["summary"].endswith("for a quarter of an hour: assertion")
    assert {alert["labels"]["alertname"] for alert in running.alerts()} == {
        "FailoverdRegionDownNotMoved",
        "FailoverdHeld",
    }


async def _the_dashboard(running: Prometheus) -> None:
    """Each panel has something to show, but for those that say themselves what it means when they have not."""
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            shown = await asyncio.to_thread(running.query, _asked(target["expr"]))
            if "noValue" not in panel["fieldConfig"]["defaults"]:
                assert shown, (panel["title"], target["expr"])
    (codes,) = [panel for panel in BOARD["panels"] if panel["title"] == "Health of regions"]
    health = await asyncio.to_thread(running.query, _asked(codes["targets"][0]["expr"]))
    assert {each["metric"]["region"]: each["value"][1] for each in health} == {"west": "0", "east": "3"}
    for annotation in BOARD["annotations"]["list"]:
        assert await asyncio.to_thread(running.query, _asked(annotation["expr"])), annotation["name"]


def _asked(expression: str) -> str:
    """As Grafana would send it for all policies."""
    return expression.replace("$policy", ".*").replace("$__rate_interval", "30s")


async def _the_first_looks(here: Site) -> None:
    """Every block of the runbooks but those that change something: they are run as they stand there."""
    blocks = re.findall(r"Look first.*?```sh\n(.*?)```", RUNBOOKS, re.DOTALL)
    lines = {line for block in blocks for line in block.splitlines()}
    looks = {line for line in lines if line.startswith("failoverctl ")}
    assert len(looks) >= 7
    assert lines - looks == {"df -h /var/lib", "journalctl -u failoverd FAILOVERD_EVENT=signal.lost --since -1h"}

    async def looked(line: str) -> None:
        code, printed = await here.control(*(HERE.get(word, word) for word in shlex.split(line)[1:]))
        expected = {0, 3, 4} if " probe " not in line else {1}  # what is probed is down
        assert code in expected, (line, code, printed)

    await asyncio.gather(*map(looked, sorted(looks)))
