"""The provider: what may be written into the embedded zones, and two ways to reach them.

`EmbeddedWriter` lives in the daemon beside the server and changes its zones. `EmbeddedReader` is for any other process:
it asks the running server by DNS and cannot write, for the zones are memory that is not its own.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import chain
from random import Random

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.TXT import TXT

from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan
from failoverd.core.errors import Fenced, Permanent, Transient
from failoverd.core.names import MARKER_LABEL, quoted
from failoverd.core.records import (
    Capabilities,
    Fence,
    Marker,
    Observed,
    RecordSet,
    RecordType,
    Target,
    Weights,
)
from failoverd.ports import Access, Urgency
from failoverd.providers.embedded.answering import Transport, respond
from failoverd.providers.embedded.place import MAX_TTL, MAX_WEIGHT, Place, absolute, rdata, weights_name
from failoverd.providers.embedded.server import ServerLimits, serve
from failoverd.providers.embedded.settings import EmbeddedSettings, join
from failoverd.providers.embedded.zone import Zone, Zones
from failoverd.providers.shared import sets
from failoverd.providers.shared.unanswered import NONSENSE

CAPABILITIES = Capabilities(
    weights=dict.fromkeys(RecordType, Weights.NATIVE),
    max_weight=MAX_WEIGHT,
    fence=Fence.ATOMIC,
)

_READ_TIMEOUT = 3.0
"""Seconds that the running daemon has to answer on its own machine."""


class _Embedded:
    """What both sides know: which names are theirs, and what can be said there."""

    def __init__(self, name: str, settings: EmbeddedSettings, address: tuple[str, int]) -> None:
        self.name = name
        self.address = address
        self._settings = settings

    def normalise(self, desired: RecordSet) -> RecordSet:
        """Answers of weight 0 are left out; weights above `MAX_WEIGHT` are scaled down, none of them to nothing."""
        said = sets.weighted(desired, MAX_WEIGHT)
        absolute(weights_name(desired.key.name))
        normal = replace(said, ttl=min(max(desired.ttl, CAPABILITIES.min_ttl), MAX_TTL))
        for answer in normal.answers:
            rdata(normal.key, answer)
        return normal

    def manual(self, plan: Plan) -> str:
        """There is no command: the zone is memory of the daemon. So say who writes it, what, and how to look."""
        host, port = self.address
        name = plan.target.key.name
        marker = replace(plan.marker, by_hand=False).to_text() if plan.marker_text is not None else None
        wanted = Place(name, marker, {plan.after.key.type: plan.after})
        lines = [
            f"# {plan.target} is memory of the failoverd that listens at {join(host, port)}. No command writes it:",
            "# that process does so by itself, within its limits. It wants:",
            *(f"#   {text}" for text in wanted.texts()),
            "# What it answers now, weights first, and why:",
            f"dig @{host} -p {port} +tcp +short TXT {weights_name(name)}",
            f"dig @{host} -p {port} {plan.target.key.type} {quoted(name)}",
            f"failoverctl why {plan.target.policy}",
        ]
        return "\n".join(lines)

    def _check(self, target: Target) -> None:
        """Raise Permanent unless the target is a name that may be published here."""
        zones = [zone for zone in self._settings.zones if sets.is_in(target.key.name, zone)]
        if target.zone not in self._settings.zones or target.zone != max(zones, key=len, default=None):
            raise Permanent(
                f"{target.key.name} cannot be served in zone {target.zone} by provider {self.name}, "
                f"which has authority over {', '.join(self._settings.zones)}",
                reason="zone_missing",
                remedy="add the zone to the provider's `zones`, or name the zone that is closest to the record",
            )
        if MARKER_LABEL in target.key.name.split(".") or target.key.name == f"ns.{target.zone}":
            raise Permanent(
                f"{target.key.name} is a name that the embedded server speaks of itself under",
                reason="name_reserved",
                remedy="use another name in the policy",
            )


class EmbeddedWriter(_Embedded):
    """The provider in the daemon. One assignment swaps a zone, so every query sees all of a change or nothing of it."""

    def __init__(self, name: str, settings: EmbeddedSettings, address: tuple[str, int], zones: "ZoneStore") -> None:
        super().__init__(name, settings, address)
        self._zones = zones
        self._expected: tuple[frozenset[Target], bool] | None = None

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:  # noqa: ARG002 - nothing is rationed here
        self._check(target)
        return self._zones.place(target).observed(target)

    async def apply(self, approved: Approved) -> None:
        plan = approved.plan
        self._check(plan.target)
        sets.serving(plan.after)
        place = self._zones.place(plan.target)
        _fence(plan, place.observed(plan.target))
        self._zones.put(plan.target, place.having(plan.after, plan.marker_text))

    def seed(self, target: Target, records: RecordSet, marker: Marker) -> bool:
        """Put a last known good answer back after a start, before anything is probed: memory forgets, answers may not.

        Only into an empty place, so that it can undo nothing; whether it did is the result. The record types of one
        name share a marker, which takes the greater generation and all types. Raises Permanent when there is nothing to
        answer with, or nowhere to put it.
        """
        self._check(target)
        sets.serving(records)
        place = self._zones.place(target)
        before = place.observed(target)
        if before.records is not None or before.foreign:
            return False
        merged = _merged(before, marker)
        if merged is None:
            return False
        self._zones.put(target, place.having(records, merged.to_text()))
        return True

    def expect(self, steered: frozenset[Target], *, whole: bool) -> None:
        """Take these targets for all that policies steer here; unless `whole`, there may be others.

        Until this was said, and while there may be others, no name is said not to exist.
        """
        if self._expected == (steered, whole):
            return
        self._expected = steered, whole
        own = [target for target in steered if target.provider == self.name and self._has_room(target)]
        self._zones.expect(own, whole=whole)

    def _has_room(self, target: Target) -> bool:
        """Whether it can ever be published. Where not, its own first round says so."""
        try:
            self._check(target)
            absolute(weights_name(target.key.name))
        except Permanent:
            return False
        return target.key.type is not RecordType.CNAME or target.key.name != target.zone


class EmbeddedReader(_Embedded):
    """The provider in any other process: reads what the daemon answers, writes nothing."""

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:  # noqa: ARG002 - nothing is rationed here
        self._check(target)
        place = await self._ask(target)
        return place.observed(target)

    async def apply(self, approved: Approved) -> None:
        raise Permanent(
            f"{approved.plan.target} is memory of the daemon that listens at {join(*self.address)}; "
            "another process cannot write it",
            reason="embedded_elsewhere",
            remedy="let the daemon apply the change, which it does by itself within its limits",
        )

    async def _ask(self, target: Target) -> Place:
        """The place as the running server says it, in one answer over TCP, so that it is whole."""
        query = dns.message.make_query(absolute(weights_name(target.key.name)), RdataType.TXT, flags=0)
        response = await self._exchange(query)
        rcode = response.rcode()
        if rcode == dns.rcode.REFUSED:
            raise Permanent(
                f"the server at {join(*self.address)} has no zone {target.zone}",
                reason="zone_missing",
                remedy="make the daemon read the same configuration (reload it), or correct `listen`",
            )
        if rcode == dns.rcode.SERVFAIL:
            raise Transient(
                f"the server at {join(*self.address)} does not know yet what stands at {target.key.name}",
                reason="not_ready",
                remedy="wait until the daemon has read its files; `failoverctl status` names those that do not load",
            )
        if rcode not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN} or not response.flags & dns.flags.AA:
            detail = f"the server at {join(*self.address)} answered {dns.rcode.to_text(rcode)} without authority"
            raise Permanent(detail, reason="not_embedded", remedy="correct `listen`: something else answers there")
        return self._place(target, response)

    async def _exchange(self, query: dns.message.Message) -> dns.message.Message:
        host, port = self.address
        where = join(host, port)
        if port == 0:
            detail = "`listen` has port 0, so only the daemon knows where its server is"
            raise Permanent(detail, reason="port_unknown", remedy="give `listen` a fixed port")
        try:
            async with asyncio.timeout(_READ_TIMEOUT):  # one of dnspython's own can swallow a cancellation
                return await dns.asyncquery.tcp(query, host, port=port)
        except TimeoutError as error:
            detail = f"the DNS server at {where} said nothing for {_READ_TIMEOUT:g}s"
            raise Transient(detail, reason="timeout", remedy="see whether the daemon is alive") from error
        except (OSError, EOFError) as error:
            detail = f"no DNS server answers at {where}: {error}"
            raise Transient(detail, reason="connect_failed", remedy="start the daemon, or correct `listen`") from error
        except NONSENSE as error:
            detail = f"what answers at {where} sends no valid DNS: {error}"
            remedy = "correct `listen`: something else answers there"
            raise Permanent(detail, reason="not_embedded", remedy=remedy) from error

    def _place(self, target: Target, response: dns.message.Message) -> Place:
        try:
            return Place.from_texts(target.key.name, _texts(response))
        except NONSENSE as error:
            detail = f"the server at {join(*self.address)} describes {target.key.name} in words unknown here: {error}"
            remedy = "run failoverctl and the daemon in the same version"
            raise Permanent(detail, reason="not_embedded", remedy=remedy) from error


class ZoneStore:
    """The zones that the server answers from, as one reference that is swapped."""

    def __init__(self, settings: EmbeddedSettings, serial: int, random: Random) -> None:
        fresh = [Zone.new(zone, serial, settings.glue) for zone in settings.zones]
        self._zones: Zones = {zone.origin: zone for zone in fresh}
        self._random = random

    def answer(self, wire: bytes, transport: Transport) -> bytes | None:
        return respond(wire, transport, self._zones, self._random)

    def place(self, target: Target) -> Place:
        return self._zones[absolute(target.zone)].place(target.key.name)

    def expect(self, steered: Iterable[Target], *, whole: bool) -> None:
        types: dict[dns.name.Name, dict[str, frozenset[RecordType]]] = {origin: {} for origin in self._zones}
        for target in steered:
            names = types[absolute(target.zone)]
            names[target.key.name] = names.get(target.key.name, frozenset()) | {target.key.type}
        self._zones = {origin: zone.steering(types[origin], whole=whole) for origin, zone in self._zones.items()}

    def put(self, target: Target, place: Place) -> None:
        """Replace a place. Raises Permanent, having changed nothing, when it cannot be said in DNS."""
        zone = self._zones[absolute(target.zone)].with_place(place)
        self._zones = {**self._zones, zone.origin: zone}


@asynccontextmanager
async def open_embedded(
    name: str, settings: EmbeddedSettings, access: Access
) -> AsyncIterator[EmbeddedWriter | EmbeddedReader]:
    """Serve the zones for as long as the context lasts (WRITE), or look at those of the daemon (READ).

    The first serial is the time, so that it is greater than every one before a restart.
    """
    if access is Access.READ:
        yield EmbeddedReader(name, settings, (settings.reachable_host, settings.port))
        return
    random = Random()  # noqa: S311 - spreads load; there is nothing to guess
    zones = ZoneStore(settings, int(time.time()), random)
    limits = ServerLimits(responses=settings.responses_per_second)
    async with serve(settings.host, settings.port, zones.answer, limits) as address:
        yield EmbeddedWriter(name, settings, address, zones)


def _fence(plan: Plan, current: Observed) -> None:
    """Raise Fenced unless the plan was made from what stands there, and is newer than it."""
    standing = current.marker.generation if current.marker is not None else 0
    if plan.before.marker_text != current.marker_text or plan.generation <= standing:
        raise Fenced(
            f"{plan.target} stands at generation {standing}, "
            f"which is not what generation {plan.generation} was planned from",
            reason="stale_generation",
        )
    if plan.before != current:
        raise Fenced(f"{plan.target} is not what the plan was made from", reason="record_changed")


def _merged(before: Observed, marker: Marker) -> Marker | None:
    """The marker for one more record type at a name, or None when the name is somebody else's."""
    standing = before.marker
    if standing is None:
        return marker if before.marker_text is None else None
    if (standing.owner, standing.policy) != (marker.owner, marker.policy):
        return None
    types = tuple(sorted({*standing.types, *marker.types}))
    generation, epoch = max(standing.generation, marker.generation), max(standing.epoch, marker.epoch)
    return Marker(marker.owner, marker.policy, generation, types, epoch=epoch)


def _texts(response: dns.message.Message) -> Iterator[str]:
    for fact in chain.from_iterable(response.answer):
        if isinstance(fact, TXT):
            yield b"".join(fact.strings).decode(errors="replace")
