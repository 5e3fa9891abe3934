"""The `tcp` check: something accepts connections on a port. Nothing is sent."""

import asyncio

from pydantic import Field

from failoverd.core.records import Check, Endpoint, ProbeReason, ProbeResult
from failoverd.ports import Clock, ProbeKind
from failoverd.probes.connection import Look, look, settings_of
from failoverd.probes.reasons import Finding, Phase
from failoverd.settings import CheckSettings, Port


class TcpSettings(CheckSettings):
    """Whether a TCP connection can be made."""

    tcp: Port = Field(description="port to connect to; the port of an endpoint, where it has one, comes first")


class TcpProber:
    """One `tcp` check. PASS when the connection stands."""

    def __init__(self, check: Check, settings: TcpSettings, clock: Clock) -> None:
        self._check = check
        self._settings = settings
        self._clock = clock

    async def probe(self, endpoint: Endpoint) -> ProbeResult:
        port = endpoint.port or self._settings.tcp

        async def visit(looking: Look) -> Finding:
            await looking.connect(endpoint.address, port, asyncio.Protocol)
            looking.enter(Phase.ANSWER)
            return Finding(ProbeReason.OK, f"connected to port {port}")

        return await look(self._check, endpoint, self._clock, self._settings.slow, visit)


def open_tcp(check: Check, clock: Clock) -> TcpProber:
    return TcpProber(check, settings_of(check, TcpSettings), clock)


KINDS: tuple[ProbeKind, ...] = (ProbeKind("tcp", TcpSettings, open_tcp),)
