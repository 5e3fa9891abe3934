"""One module per family of probes. Each exports its `ProbeKind`s; a failing target is data, never an exception."""

import asyncio

from failoverd.core.records import Endpoint, ProbeResult
from failoverd.ports import ProbeKind, Prober
from failoverd.probes import dns, grpc, http, icmp, inference, metrics, plugin, tcp, tls


def kinds() -> dict[str, ProbeKind]:
    """Every check kind by name."""
    return {
        kind.name: kind
        for kind in (
            *dns.KINDS,
            *grpc.KINDS,
            *http.KINDS,
            *icmp.KINDS,
            *inference.KINDS,
            *metrics.KINDS,
            *plugin.KINDS,
            *tcp.KINDS,
            *tls.KINDS,
        )
    }


async def once(prober: Prober, endpoint: Endpoint) -> ProbeResult:
    """One look, awaited. It is abandoned when whoever waits is cancelled."""
    found: asyncio.Future[ProbeResult] = asyncio.get_running_loop().create_future()
    abandon = prober.start(endpoint, found.set_result)
    try:
        return await found
    finally:
        abandon()
