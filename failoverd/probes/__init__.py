"""One `…_check` module or package for each family of check kinds; what they share stands beside them.

A failing target is data, never an exception.
"""

import asyncio
from collections.abc import Mapping
from types import ModuleType

from failoverd.core.records import Endpoint, ProbeResult
from failoverd.ports import ProbeKind, Prober
from failoverd.registry import Registry

_MODULES = {
    "dns": "failoverd.probes.dns_check",
    "exec": "failoverd.probes.exec_check",
    "grpc": "failoverd.probes.grpc_check",
    "http": "failoverd.probes.http_check",
    "https": "failoverd.probes.http_check",
    "icmp": "failoverd.probes.icmp_check",
    "inference": "failoverd.probes.inference_check",
    "metrics": "failoverd.probes.metrics_check",
    "tcp": "failoverd.probes.tcp_check",
    "tls": "failoverd.probes.tls_check",
}
"""Kind to module. Adding a kind is a module that exports `KINDS`, and a line here for each of them."""


def kinds() -> Mapping[str, ProbeKind]:
    """Every check kind by name. A module is imported when a kind of it is asked for."""
    return Registry(_MODULES, _kind)


def _kind(module: ModuleType, name: str) -> ProbeKind:
    found: tuple[ProbeKind, ...] = module.KINDS
    return next(kind for kind in found if kind.name == name)


async def probe_once(prober: Prober, endpoint: Endpoint) -> ProbeResult:
    """One probe, awaited. It is abandoned when whoever waits is cancelled."""
    found: asyncio.Future[ProbeResult] = asyncio.get_running_loop().create_future()
    abandon = prober.start(endpoint, found.set_result)
    try:
        return await found
    finally:
        abandon()
