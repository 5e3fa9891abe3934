"""A look at an endpoint: resolve, connect, secure, ask; timed by phase, under one deadline.

Everything that a look does happens in the task of its caller, and all that it opens is closed when it ends, however it
ends. What the target does wrong comes back as a result; only cancellation gets out.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TypeVar

from failoverd.core.records import Check, Endpoint, Outcome, ProbeReason, ProbeResult, Timings
from failoverd.ports import Clock
from failoverd.probes.reasons import Concluded, Finding, Phase, explain, outcome_of, printable, timed_out
from failoverd.settings import CheckSettings

P = TypeVar("P", bound=asyncio.Protocol)
S = TypeVar("S", bound=CheckSettings)

_STALLED = 1.5
"""A deadline that is noticed only after so many times the time-out was missed by this process, not by the target."""


class Look:
    """One probe under way: where it stands, how long each phase took, and the connection that it holds."""

    __slots__ = ("_began", "_deadline", "_entered", "_loop", "_phase", "_spent", "_timeout", "_transport")

    def __init__(self, timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._deadline = asyncio.timeout(timeout)
        self._phase = Phase.CONNECT
        self._began = self._entered = perf_counter()
        self._spent: dict[Phase, float] = {}
        self._transport: asyncio.WriteTransport | None = None

    @property
    def phase(self) -> Phase:
        return self._phase

    def enter(self, phase: Phase) -> None:
        """Begin `phase`: the one before it was completed."""
        now = perf_counter()
        self._spent[self._phase] = now - self._entered
        self._phase, self._entered = phase, now

    def timings(self) -> Timings:
        spent = self._spent.get
        total = perf_counter() - self._began
        return Timings(total, spent(Phase.RESOLVE), spent(Phase.CONNECT), spent(Phase.TLS), spent(Phase.FIRST_BYTE))

    async def run(self, visit: Callable[["Look"], Awaitable[Finding]]) -> Finding:
        """What `visit` finds before the deadline, or what its failure means. The connection is closed afterwards."""
        try:
            async with self._deadline:
                return await visit(self)
        except TimeoutError as error:
            return self._timed_out() if self._deadline.expired() else explain(error, self._phase)
        except Exception as error:  # noqa: BLE001 - explain() classifies; a defect of ours is BLIND, never a FAIL
            return explain(error, self._phase)
        finally:
            if self._transport is not None:
                self._transport.abort()  # what is still under way in either direction is not worth waiting for

    def _timed_out(self) -> Finding:
        took = perf_counter() - self._began
        if took > _STALLED * self._timeout:
            return Finding(ProbeReason.PROBER_ERROR, f"this process stalled: {self._timeout:.3g}s became {took:.3g}s")
        return timed_out(self._phase, self._timeout)

    # -- phases --------------------------------------------------------------------------------------------------------

    async def connect(self, host: str, port: int, protocol: Callable[[], P]) -> tuple[asyncio.WriteTransport, P]:
        """Connect to an address, or to the first address of a host name that lets us.

        Each address of a name gets an equal part of the time that is left, so that a silent one does not hide the next.
        Raises Concluded; of several failures, the one that says most about the endpoint.
        """
        if _is_address(host):
            return await self._dial(host, port, protocol)
        addresses = await self._resolve(host, port)
        failures: list[Finding] = []
        for tried, address in enumerate(addresses):
            part = asyncio.timeout(self._left() / (len(addresses) - tried))
            try:
                async with part:
                    return await self._dial(address, port, protocol)
            except Concluded as failed:
                failures.append(Finding(failed.finding.reason, f"{address}: {failed.finding.detail}"))
            except TimeoutError:
                failures.append(Finding(ProbeReason.CONNECT_TIMEOUT, f"{address}: no answer to the connection request"))
        raise Concluded(min(failures, key=lambda found: outcome_of(found.reason) is Outcome.BLIND))

    async def secure(
        self, transport: asyncio.WriteTransport, protocol: asyncio.Protocol, context: ssl.SSLContext, name: str
    ) -> asyncio.WriteTransport:
        """Put TLS over the connection: `name` is sent as SNI and must be in the certificate (RFC 6066, 3; RFC 9525)."""
        self.enter(Phase.TLS)
        secured = await self._loop.start_tls(
            transport,
            protocol,
            context,
            server_hostname=name,
            ssl_handshake_timeout=2 * self._timeout,  # never the first to fire: the deadline is
        )
        if secured is None:
            raise ConnectionResetError  # the loop found the connection closed at the end of the handshake
        return secured

    async def _dial(self, address: str, port: int, protocol: Callable[[], P]) -> tuple[asyncio.WriteTransport, P]:
        try:
            transport, connected = await self._loop.create_connection(protocol, address, port)
        except OSError as error:
            raise Concluded(explain(error, self._phase, address)) from error
        self._transport = transport
        return transport, connected

    async def _resolve(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses of a host name, in the resolver's order (RFC 6724)."""
        self._phase = Phase.RESOLVE
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not addresses:
            raise Concluded(Finding(ProbeReason.RESOLVE_FAILED, "the name has no address"))
        self.enter(Phase.CONNECT)
        return addresses

    def _left(self) -> float:
        return max(0.0, self._began + self._timeout - perf_counter())


async def look(
    check: Check,
    endpoint: Endpoint,
    clock: Clock,
    slow: float | None,
    visit: Callable[[Look], Awaitable[Finding]],
) -> ProbeResult:
    """Run `visit` under the check's deadline and make a result of what it found.

    A right answer that took longer than `slow` seconds is DEGRADED.
    """
    looking = Look(check.timeout)
    finding = await looking.run(visit)
    timings = looking.timings()
    if finding.reason is ProbeReason.OK and slow is not None and timings.total > slow:
        finding = Finding(ProbeReason.SLOW, f"{finding.detail}, but after {timings.total:.3g}s (slow is {slow:.3g}s)")
    return ProbeResult(
        endpoint=endpoint,
        check=check.name,
        outcome=outcome_of(finding.reason),
        reason=finding.reason,
        timings=timings,
        at=clock(),
        detail=printable(finding.detail),
    )


def settings_of(check: Check, kind: type[S]) -> S:
    """The settings of a check, which the core carries without looking at them."""
    if not isinstance(check.settings, kind):
        raise TypeError(f"check {check.name} carries {type(check.settings).__name__}, not {kind.__name__}")
    return check.settings


def _is_address(host: str) -> bool:
    if ":" in host:
        return True
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return False
    return True
