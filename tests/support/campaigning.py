"""A member that does nothing but campaign: `python -m support.campaigning MEMBER LEASE ENDPOINT...`.

Tells on stderr, one JSON object on a line, when it begins to lead, to follow somebody, or to hear of nobody (stopped).
`at` is when that was (`time.monotonic`), for who has led the end of its lease by its own clock.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence

from failoverd.coordination.etcd.etcd_coordinator import EtcdCoordinator
from failoverd.coordination.etcd.gateway import Gateway
from failoverd.core.errors import CoordinationError
from failoverd.http_client import http_session
from failoverd.ports import Leadership


async def campaign(member: str, lease: float, endpoints: Sequence[str]) -> None:
    async with http_session("campaigning", limit=16, per_host=8) as session:
        coordinator = EtcdCoordinator(Gateway(session, endpoints, lease / 10), "/campaigns/", member, lease)
        before, until = Leadership("", 0, mine=False), 0.0
        while True:
            asked = time.monotonic()
            try:
                found = await coordinator.campaign()
            except CoordinationError:
                found = before if time.monotonic() < until else Leadership("", 0, mine=False)
            else:
                until = asked + lease
            if found != before:
                _tell(found, until if before.mine else time.monotonic())
                before = found
            await asyncio.sleep(lease / 10)


def _tell(found: Leadership, at: float) -> None:
    event = "leads" if found.mine else "follows" if found.leader else "stopped"
    sys.stderr.write(json.dumps({"event": event, "leader": found.leader, "epoch": found.epoch, "at": at}) + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    asyncio.run(campaign(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))
