"""A probe of an endpoint: timed by phase, under one deadline, and cleaned up however it ends.

`start_exchange` is the fast path, for the many: one exchange with one address, without a task. `start_steps` runs a
coroutine, for probes that take several steps. What the target does wrong comes back as a result; nothing is raised.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Check, Endpoint, ProbeResult, Timings
from failoverd.deadlines import Deadlines
from failoverd.ports import Cancel, Clock, Tell
from failoverd.probes.findings import Concluded, Finding, Phase, printable
from failoverd.probes.transport.error_mapping import explain, timed_out
from failoverd.probes.transport.host_resolver import addresses_of
from failoverd.probes.transport.protocol import ClientProtocol, Destination, is_address
from failoverd.probes.transport.reactor import reactor
from failoverd.probes.transport.stream_transport import TcpTransport, new_transport
from failoverd.settings import CheckSettings

S = TypeVar("S", bound=CheckSettings)

_SLOW_RESOLVER = 0.25
"""A resolver that took more than this part of the time-out is to blame when the time is up."""

_STALLED = 1.5
"""A deadline that is noticed only after so many times the time-out was missed by this process, not by the target."""


class Probe:
    """One probe under way: where it stands, and how long each phase took."""

    __slots__ = ("_began", "_entered", "_spent", "phase", "timeout")

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.phase = Phase.CONNECT
        self._began = self._entered = perf_counter()
        self._spent: dict[Phase, float] = {}

    def enter(self, phase: Phase) -> None:
        """Begin `phase`: the one before it was completed. A phase that comes twice counts its whole time."""
        now = perf_counter()
        spent, before = self._spent, self.phase
        spent[before] = spent.get(before, 0.0) + now - self._entered
        self.phase, self._entered = phase, now

    def left(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self._began + self.timeout - perf_counter())

    def timings(self) -> Timings:
        spent = self._spent.get
        total = perf_counter() - self._began
        return Timings(total, spent(Phase.RESOLVE), spent(Phase.CONNECT), spent(Phase.TLS), spent(Phase.FIRST_BYTE))

    def expired(self) -> Finding:
        """What it means that the deadline has passed."""
        took = perf_counter() - self._began
        if took > _STALLED * self.timeout:
            return Finding(ProbeReason.PROBER_ERROR, f"this process stalled: {self.timeout:.3g}s became {took:.3g}s")
        resolving = self._spent.get(Phase.RESOLVE, 0.0)
        if resolving > _SLOW_RESOLVER * self.timeout:
            words = f"our resolver took {resolving:.3g}s of {self.timeout:.3g}s: too little was left for the endpoint"
            return Finding(ProbeReason.RESOLVER_FAILED, words)
        return timed_out(self.phase, self.timeout)

    async def exchange(
        self,
        destination: Destination,
        protocol: ClientProtocol,
        *,
        allow: Callable[[str], bool] | None = None,
    ) -> Finding:
        """Speak a protocol: with an address, or with the first address of a name that lets us connect.

        Each address of a name gets an equal part of the time that is left, so that a silent one does not hide the next.
        `allow` judges each address before anything is sent to it.

        Raises:
            Concluded: nobody could be connected to; of several failures, the one that says most about the endpoint.
            OSError: the name cannot be resolved.
        """
        addresses = await self._addresses(destination.host, allow)
        failures: list[Finding] = []
        for tried, address in enumerate(addresses):
            calling = _ConnectionAttempt(self, destination, protocol)
            found = await calling.at(address, self.left() / (len(addresses) - tried))
            if calling.connected or len(addresses) == 1:
                return found
            failures.append(Finding(found.reason, f"{address}: {found.detail}"))
        raise Concluded(min(failures, key=lambda found: found.reason.outcome is ProbeOutcome.BLIND))

    async def _addresses(self, host: str, allow: Callable[[str], bool] | None) -> tuple[str, ...]:
        if is_address(host):
            self._begin(Phase.CONNECT)
            addresses: tuple[str, ...] = (host,)
        else:
            self._begin(Phase.RESOLVE)
            addresses = await addresses_of(host)
            self.enter(Phase.CONNECT)
        if allow is None:
            return addresses
        allowed = tuple(address for address in addresses if allow(address))
        if not allowed:
            words = f"{host} is at {addresses[0]}, where probes do not go"
            raise Concluded(Finding(ProbeReason.REDIRECT_REFUSED, words))
        return allowed

    def _begin(self, phase: Phase) -> None:
        """The first phase of an exchange. Time between two exchanges of one probe is nobody's phase."""
        self.phase, self._entered = phase, perf_counter()


class _ConnectionAttempt:
    """One attempt at one address, awaited. Owns its transport."""

    def __init__(self, probe: Probe, destination: Destination, protocol: ClientProtocol) -> None:
        self._probe = probe
        self._destination = destination
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._found: asyncio.Future[Finding] = self._loop.create_future()
        self._patience: asyncio.TimerHandle | None = None
        self.connected = False

    @property
    def phase(self) -> Phase:
        return self._probe.phase

    def enter(self, phase: Phase) -> None:
        self._probe.enter(phase)

    def conclude(self, finding: Finding) -> None:
        if not self._found.done():
            self._found.set_result(finding)

    async def at(self, address: str, patience: float) -> Finding:
        """`patience` limits the time to connect; after that, only the deadline of the probe does."""
        destination = self._destination
        transport = new_transport(self, reactor(self._loop), self._protocol, destination, self._stand)
        try:
            transport.connect(address, destination.port)
        except OSError as error:
            return explain(error, Phase.CONNECT, address)
        self._patience = self._loop.call_later(patience, self._give_up)
        try:
            return await self._found
        except asyncio.CancelledError:
            if self._probe.left() > 0:
                raise  # it was abandoned
            transport.look()  # a late process is no slow target: the answer may be waiting
            if not self._found.done() or self._found.cancelled():
                raise
            return self._found.result()
        finally:
            self._be_patient()
            transport.close()

    def _stand(self) -> None:
        self.connected = True
        self._be_patient()

    def _be_patient(self) -> None:
        if self._patience is not None:
            self._patience.cancel()

    def _give_up(self) -> None:
        self.conclude(Finding(ProbeReason.CONNECT_TIMEOUT, "no answer to the connection request"))


# -- the fast path -----------------------------------------------------------------------------------------------------


class _FastProbe(Probe):
    """A probe that is one exchange with one address. Owns its transport and its deadline."""

    __slots__ = ("_check", "_clock", "_deadlines", "_endpoint", "_slow", "_tell", "_transport")

    def __init__(self, check: Check, endpoint: Endpoint, clock: Clock, slow: float | None, tell: Tell) -> None:
        super().__init__(check.timeout)
        self._check = check
        self._endpoint = endpoint
        self._clock = clock
        self._slow = slow
        self._tell: Tell | None = tell
        self._transport: TcpTransport | None = None

    def begin(self, destination: Destination, protocol: ClientProtocol) -> None:
        loop = asyncio.get_running_loop()
        self._deadlines = _deadlines(loop, self.timeout)
        self._deadlines.set(self)
        try:
            self._transport = new_transport(self, reactor(loop), protocol, destination)
            self._transport.connect(destination.host, destination.port)
        except Exception as error:  # noqa: BLE001 - explain() classifies; a defect of ours is BLIND, never a FAIL
            loop.call_soon(self.conclude, explain(error, Phase.CONNECT, destination.host))

    def conclude(self, finding: Finding) -> None:
        tell = self._tell
        if tell is not None:
            self.abandon()
            tell(_result(self, finding, self._check, self._endpoint, self._clock, self._slow))

    def abandon(self) -> None:
        self._tell = None
        self._deadlines.lift(self)
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def expire(self) -> None:
        if self._transport is not None:
            self._transport.look()  # a late process is no slow target: the answer may be waiting
        self.conclude(self.expired())


_all_deadlines: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[float, Deadlines[_FastProbe]]] = WeakKeyDictionary()


def _deadlines(loop: asyncio.AbstractEventLoop, timeout: float) -> Deadlines[_FastProbe]:
    """The loop's deadlines of probes with this time-out."""
    by_timeout = _all_deadlines.setdefault(loop, {})
    found = by_timeout.get(timeout)
    if found is None:
        found = by_timeout[timeout] = Deadlines(loop, timeout, _FastProbe.expire)
    return found


def start_exchange(
    check: Check,
    endpoint: Endpoint,
    clock: Clock,
    slow: float | None,
    destination: Destination,
    protocol: ClientProtocol,
    tell: Tell,
) -> Cancel:
    """Begin a probe that is one exchange; see `ports.Prober.start`.

    A right answer that takes longer than `slow` seconds is DEGRADED.
    """
    if not destination.numeric:
        return start_steps(check, endpoint, clock, slow, lambda probe: probe.exchange(destination, protocol), tell)
    probe = _FastProbe(check, endpoint, clock, slow, tell)
    probe.begin(destination, protocol)
    return probe.abandon


# -- in several steps --------------------------------------------------------------------------------------------------


def start_steps(
    check: Check,
    endpoint: Endpoint,
    clock: Clock,
    slow: float | None,
    steps: Callable[[Probe], Awaitable[Finding]],
    tell: Tell,
) -> Cancel:
    """Begin a probe that is a coroutine, in a task of its own; see `ports.Prober.start`."""
    probe = Probe(check.timeout)

    def report(done: "asyncio.Task[Finding]") -> None:
        if not done.cancelled():
            tell(_result(probe, done.result(), check, endpoint, clock, slow))

    task = asyncio.get_running_loop().create_task(_run_steps(probe, steps))
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    task.add_done_callback(report)

    def abandon() -> None:
        task.remove_done_callback(report)
        task.cancel()

    return abandon


def start_known(check: Check, endpoint: Endpoint, clock: Clock, finding: Finding, tell: Tell) -> Cancel:
    """Begin a probe of which it is known already what it finds, as when our own files cannot be used."""

    async def steps(_: Probe) -> Finding:
        return finding

    return start_steps(check, endpoint, clock, None, steps, tell)


_under_way: set["asyncio.Task[Finding]"] = set()
"""The event loop itself holds its tasks only weakly."""


async def _run_steps(probe: Probe, steps: Callable[[Probe], Awaitable[Finding]]) -> Finding:
    """What the steps find before the deadline, or what their failure means."""
    deadline = asyncio.timeout(probe.timeout)
    try:
        async with deadline:
            return await steps(probe)
    except TimeoutError as error:
        return probe.expired() if deadline.expired() else explain(error, probe.phase)
    except Exception as error:  # noqa: BLE001 - explain() classifies; a defect of ours is BLIND, never a FAIL
        return explain(error, probe.phase)


# -- parts -------------------------------------------------------------------------------------------------------------


def _result(
    probe: Probe, finding: Finding, check: Check, endpoint: Endpoint, clock: Clock, slow: float | None
) -> ProbeResult:
    timings = probe.timings()
    reason, detail = finding.reason, finding.detail
    took = timings.total - (timings.resolve or 0.0)  # our resolver's time is none of the endpoint's
    if slow is not None and reason is ProbeReason.OK and took > slow:
        reason = ProbeReason.SLOW
        detail = f"{detail}, but after {took:.3g}s (slow is {slow:.3g}s)"
    words, measures = printable(detail), finding.measures
    return ProbeResult(endpoint, check.name, reason.outcome, reason, timings, clock(), words, measures, finding.served)


def settings_of(check: Check, kind: type[S]) -> S:
    """The settings of a check, which the core carries without looking at them."""
    settings: Any = check.settings
    if not isinstance(settings, kind):
        raise TypeError(f"check {check.name} carries {type(settings).__name__}, not {kind.__name__}")
    return settings
