"""Looks at this host itself over IPv4 and IPv6, by whoever calls; tells their reasons as JSON.

python -m support.pinging
"""

import asyncio
import json

from support.probers import prober

from failoverd.core.records import Endpoint


async def _probe() -> list[str]:
    pinging = prober("icmp", 2)
    return [(await pinging.probe(Endpoint("region-1", address))).reason for address in ("127.0.0.1", "::1")]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_probe())))  # noqa: T201 - the way back to the test
