"""Who leads, by a Lease (coordination.k8s.io/v1): the algorithm of client-go's leader election, and that of its Leases.

The holder renews the Lease. A candidate takes it over once it saw no change in it for as long as the Lease lasts, by
its own steady clock: what time others wrote into it is for people, and is compared with nothing. Each write says which
version it replaces, so of two candidates one is refused.

The holder renews it in the version that it wrote last, and reads it where that is not what stands there: one call.

The epoch is `leaseTransitions` + 1: it grows with each new holder. A Lease that a person deleted has lost it. Who held
it makes it anew as it was; anybody else waits, for its holder may not know yet, and then goes on from the epoch that it
knows. Where nobody remembers it, after a start of all members, it begins with 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, Self

from failoverd.coordination.kubernetes.api_server import LEASES, ApiRefusal, ApiRequest, ApiServer, ApiVerb, Json
from failoverd.core.errors import CoordinationError
from failoverd.ports import Clock

_MOST_TRANSITIONS: Final = 2**31 - 1
"""What a Lease holds. A person wrote it: from there on epochs begin anew, and are raised as after a backup."""

_TRIES: Final = 3
"""To write into a Lease that others write as well."""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What a Lease says. `duration`: seconds; `acquired` and `renewed`: moments on the holder's clock, as text."""

    holder: str
    duration: int
    acquired: str
    renewed: str
    transitions: int

    @classmethod
    def parse(cls, lease: Json) -> Self:
        """Every field may be missing, for anybody may have written it. Raises CoordinationError."""
        try:
            spec = lease.get("spec") or {}
            return cls(
                str(spec.get("holderIdentity") or ""),
                int(spec.get("leaseDurationSeconds") or 0),
                str(spec.get("acquireTime") or ""),
                str(spec.get("renewTime") or ""),
                int(spec.get("leaseTransitions") or 0),
            )
        except (ValueError, TypeError, AttributeError, OverflowError):
            raise CoordinationError("the Lease cannot be read", reason="not_kubernetes") from None

    @property
    def spec(self) -> Json:
        return {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self.duration,
            "acquireTime": self.acquired,
            "renewTime": self.renewed,
            "leaseTransitions": self.transitions,
        }

    @property
    def epoch(self) -> int:
        return self.transitions + 1 if self.holder else 0


NOBODY: Final = LeaseRecord("", 0, "", "", -1)
"""Where there is no Lease."""


@dataclass(slots=True)
class Election:
    """One candidate.

    Attributes:
        server: where the Lease is.
        name: of the Lease.
        identity: who this candidate is; no other process has the same, not even the next one of the same member.
        lease: seconds that leading lasts when it is not renewed.
        clock: steady.
    """

    server: ApiServer
    name: str
    identity: str
    lease: float
    clock: Clock
    _seen: LeaseRecord = NOBODY  # the last that was seen, or written
    _since: float = 0.0  # seen first at that moment
    _missing_since: float | None = None
    _written: Json | None = None  # the Lease as this candidate wrote it last

    async def campaign(self, *, stands: bool) -> LeaseRecord:
        """Renew the Lease, or take it if it is free and this candidate stands. What it says then."""
        if (renewed := await self._renewed()) is not None:
            return renewed
        return await self._brought_to(lambda found: self._wanted(found, stands=stands))

    async def resign(self) -> None:
        """Free the Lease if it is held: anybody can take it at once, for it is over in a second."""
        now = self._stamp()
        released = LeaseRecord("", 1, now, now, 0)
        await self._brought_to(
            lambda found: replace(released, transitions=found.transitions) if found.holder == self.identity else None
        )

    async def leads(self, epoch: int) -> bool:
        """Whether the Lease says now that this candidate leads in that epoch."""
        found, _ = await self._read()
        return found.holder == self.identity and found.epoch == epoch

    async def _renewed(self) -> LeaseRecord | None:
        """The Lease after it was renewed as it was written last; None where something else stands there, or did."""
        if self._written is None or self._seen.holder != self.identity:
            return None
        wish, stands = self._wanted(self._seen, stands=True), self._written
        self._written = None
        try:
            return await self._write(wish, stands) if wish is not None else None
        except ApiRefusal as refusal:
            if not refusal.overtaken:
                raise
            return None

    async def _brought_to(self, wanted: Callable[[LeaseRecord], LeaseRecord | None]) -> LeaseRecord:
        """What the Lease says after what was wanted of it is written, if anything was."""
        for _ in range(_TRIES):
            found, stands = await self._read()
            wish = wanted(found)
            if wish is None:
                return found
            try:
                return await self._write(wish, stands)
            except ApiRefusal as refusal:
                if not refusal.overtaken:
                    raise
        words = f"the Lease {self.name} was changed by somebody else each time that it was to be written"
        raise CoordinationError(words, reason="contended", remedy="find who writes it: kubectl get lease -o yaml")

    def _wanted(self, found: LeaseRecord, *, stands: bool) -> LeaseRecord | None:
        """What it should say; None: what it says."""
        now, duration = self._stamp(), math.ceil(self.lease)
        if found.holder == self.identity:
            return replace(found, duration=duration, renewed=now)
        if not stands or not self._free(found):
            return None
        known = self._seen if found is NOBODY else found
        if known.holder == self.identity:  # it was deleted while this one led
            return replace(known, duration=duration, renewed=now)
        transitions = known.transitions + 1 if known.transitions < _MOST_TRANSITIONS else 0
        return LeaseRecord(self.identity, duration, now, now, transitions)

    def _free(self, found: LeaseRecord) -> bool:
        if self._missing_since is not None:
            known, since = self._seen, self._missing_since
        else:
            known, since = found, self._since
        if known.holder in {"", self.identity}:
            return True
        return self.clock() >= since + (known.duration if known.duration > 0 else self.lease)

    async def _read(self) -> tuple[LeaseRecord, Json | None]:
        """What the Lease says, and the object that says so, if there is one."""
        try:
            stands = await self.server.ask(ApiRequest(ApiVerb.GET, LEASES, self.name))
        except ApiRefusal as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise
            if self._missing_since is None:
                self._missing_since = self.clock()
            return NOBODY, None
        found = LeaseRecord.parse(stands)
        self._saw(found)
        return found, stands

    async def _write(self, wish: LeaseRecord, stands: Json | None) -> LeaseRecord:
        """Replace it in the version that was read, with what others wrote beside it; or make it. What it says then."""
        if stands is not None:
            body = {**stands, "spec": {**(stands.get("spec") or {}), **wish.spec}}
            asked = ApiRequest(ApiVerb.UPDATE, LEASES, self.name, body=body)
        else:
            meta = {"name": self.name, "labels": {"app.kubernetes.io/managed-by": "failoverd"}}
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": wish.spec}
            asked = ApiRequest(ApiVerb.CREATE, LEASES, body=body)
        said = await self.server.ask(asked)
        written = LeaseRecord.parse(said)
        self._saw(written)
        self._written = said
        return written

    def _saw(self, found: LeaseRecord) -> None:
        self._missing_since = None
        if found != self._seen:
            self._seen, self._since = found, self.clock()

    def _stamp(self) -> str:
        """Now, as a MicroTime, which has six digits always."""
        return datetime.fromtimestamp(self.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
