"""Probes that take place in a network of their own, where packets can be dropped and refused.

    python -m support.private_network asyncio|uvloop

Run by `probes()` in a new user and network namespace, in which there is only loopback; tells what was found as JSON.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import uvloop
from support.probers import prober
from support.servers import PLACES

from failoverd.core.records import Endpoint, ProbeResult
from failoverd.probes import icmp_check
from failoverd.probes.transport.trip_wire import Keepalive, keep_trip_wire

_ROOT = Path(__file__).parents[2]

_RULES = """
table inet faults {
  chain input {
    type filter hook input priority 0;
    ip daddr 127.0.0.6 icmp type echo-request icmp sequence 1 drop
    ip daddr 127.0.0.7 icmp type echo-request drop
    ip daddr 127.0.0.8 icmp type echo-request reject with icmp type host-prohibited
    ip6 daddr fd00::8 icmpv6 type echo-request reject with icmpv6 type admin-prohibited
  }
  chain output {
    type filter hook output priority 0;
    ip daddr 127.0.0.9 icmp type echo-request drop
  }
}
"""
_SILENCE = """
table inet silence {
  chain input { type filter hook input priority 0; tcp dport %d drop; tcp sport %d drop; }
}
"""


def probes(loop: str) -> dict[str, Any]:
    """What was found, by the name of the scenario."""
    needs = ["--net"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--net"]
    child = ["unshare", *needs, sys.executable, "-m", "support.private_network", loop]
    path = f"{_ROOT}:{_ROOT / 'tests'}"
    done = subprocess.run(
        child,
        env={"PATH": PLACES, "PYTHONPATH": path},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _prepare() -> None:
    for command in ("ip link set lo up", "ip address add fd00::7/128 dev lo", "ip address add fd00::8/128 dev lo"):
        subprocess.run(command.split(), check=True)
    _rule(_RULES)


def _rule(rules: str) -> None:
    subprocess.run(["nft", "-f", "-"], input=rules.encode(), check=True)


def _allow() -> None:
    Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0")


async def _ping(address: str, count: int = 2, **settings: object) -> dict[str, Any]:
    return _told(await prober("icmp", count, **{"timeout": "20s", **settings}).probe(Endpoint("region-1", address)))


def _told(result: ProbeResult) -> dict[str, Any]:
    return {
        "outcome": result.outcome,
        "reason": result.reason,
        "detail": result.detail,
        "timings": result.timings._asdict(),
        "measures": dict(result.measures),
    }


async def _vanishing() -> float:
    """A peer from which nothing comes any more: how long it takes the trip wire to notice."""
    connected = asyncio.Event()

    async def stand(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()

    server = await asyncio.start_server(stand, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    tripped = asyncio.Event()
    cancel = keep_trip_wire("127.0.0.1", port, tripped.set, Keepalive(1, 1, 1))
    await connected.wait()
    _rule(_SILENCE % (port, port))
    before = asyncio.get_running_loop().time()
    async with asyncio.timeout(20):
        await tripped.wait()
    cancel()
    server.close()
    return asyncio.get_running_loop().time() - before


async def _probe() -> dict[str, Any]:
    found = {"forbidden": await _ping("127.0.0.1")}
    _allow()
    return found | {
        "ipv4": await _ping("127.0.0.1"),
        "ipv6": await _ping("::1"),
        "by name": await _ping("localhost"),
        "large": await _ping("127.0.0.1", size=1_400),
        "several": await _ping("127.0.0.1", 3, answers=3),
        "one lost": await _ping("127.0.0.6", timeout="2s"),
        "one lost, all wanted": await _ping("127.0.0.6", answers=2, timeout="2s"),
        "silent": await _ping("127.0.0.7", timeout="2s"),
        "refused": await _ping("127.0.0.8"),
        "refused ipv6": await _ping("fd00::8"),
        "filtered here": await _ping("127.0.0.9"),
        "no route": await _ping("10.1.2.3"),
        "no route ipv6": await _ping("fd01::1"),
        "vanished": await _vanishing(),
    }


if __name__ == "__main__":
    _prepare()
    icmp_check._SHARE = 0.4  # type: ignore[misc] # a machine that is busy may be late, and the deadline still is later
    run = uvloop.run if sys.argv[1] == "uvloop" else asyncio.run
    print(json.dumps(run(_probe())))  # noqa: T201 - the way back to the test
