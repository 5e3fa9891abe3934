"""One `…_check` module or package for each family of check kinds; what they share stands beside them.

A failing target is data, never an exception.
"""

import asyncio

from failoverd.core.records import Endpoint, ProbeResult
from failoverd.ports import ProbeKind, Prober
from failoverd.probes import (
    dns_check,
    exec_check,
    grpc_check,
    http_check,
    icmp_check,
    inference_check,
    metrics_check,
    tcp_check,
    tls_check,
)


def kinds() -> dict[str, ProbeKind]:
    """Every check kind by name."""
    return {
        kind.name: kind
        for kind in (
            *dns_check.KINDS,
            *exec_check.KINDS,
            *grpc_check.KINDS,
            *http_check.KINDS,
            *icmp_check.KINDS,
            *inference_check.KINDS,
            *metrics_check.KINDS,
            *tcp_check.KINDS,
            *tls_check.KINDS,
        )
    }


async def probe_once(prober: Prober, endpoint: Endpoint) -> ProbeResult:
    """One probe, awaited. It is abandoned when whoever waits is cancelled."""
    found: asyncio.Future[ProbeResult] = asyncio.get_running_loop().create_future()
    abandon = prober.start(endpoint, found.set_result)
    try:
        return await found
    finally:
        abandon()
