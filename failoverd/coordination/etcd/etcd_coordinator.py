"""The members' lease and their common memory in etcd.

The leader's key is bound to a lease, so it goes when its holder does, and the revision at which it was made is the
epoch: each new leader's is higher. Every value is replaced by comparing its revision, in one transaction with the
leader's key where a leader writes, so a leader that was replaced replaces nothing.
"""

from asyncio import Lock
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from failoverd.coordination.etcd.gateway import TOO_LARGE, Gateway, KeyValue, below, encoded
from failoverd.coordination.pauses import with_pauses
from failoverd.core.errors import CoordinationError
from failoverd.ports import Leadership, Replacement, SharedValue

_LEADER: Final = "leader"

MOST_KEYS: Final = 100
"""Of one transaction: etcd takes 128, unless it is told otherwise (`--max-txn-ops`)."""

MOST_SIZE: Final = 1_000_000
"""Bytes of their values: etcd takes 1.5 MiB (`--max-request-bytes`). A larger one goes by itself."""

PAGE: Final = 512
"""Keys of one answer, at most; of fewer, where these are too large for one."""

MOST_BYTES: Final = 256 * 1024 * 1024
"""Of all that is read together: a stranger's keys must not fill the memory."""


@dataclass(slots=True)
class EtcdCoordinator:
    """`Coordinator` by an etcd cluster.

    Attributes:
        gateway: the cluster.
        prefix: what every key of this installation begins with; ends with a slash.
        member: who speaks.
        lease: seconds for which what it holds stays when it is silent.
    """

    gateway: Gateway
    prefix: str
    member: str
    lease: float
    _lease_id: str = ""
    _granting: Lock = field(default_factory=Lock)

    async def campaign(self, *, stands: bool = True) -> Leadership:
        await self._hold_lease()
        key = encoded(self.prefix + _LEADER)
        found = await self._txn(
            # nothing was ever made at revision -1: who does not stand only reads
            {"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0" if stands else "-1"},
            {"request_put": {"key": key, "value": encoded(self.member), "lease": self._lease_id}},
            {"request_range": {"key": key}},
        )
        if isinstance(found, int):
            return Leadership(self.member, found, mine=True)
        if found is None or found.value is None:  # it went in between
            return Leadership("", 0, mine=False)
        with self.gateway.reading():
            return Leadership(found.value.decode(), found.created, mine=found.lease == self._lease_id)

    async def resign(self) -> None:
        """Give up everything that is bound to the lease, votes included."""
        lease, self._lease_id = self._lease_id, ""
        if lease:
            await self.gateway.ask("lease/revoke", {"ID": lease}, twice=True)

    async def replace(self, key: str, value: bytes, *, after: int, epoch: int | None = None) -> int | None:
        return (await self.replace_all({key: Replacement(value, after)}, epoch=epoch)).get(key)

    async def remove(self, key: str, *, after: int, epoch: int | None = None) -> bool:
        taken = {"request_delete_range": {"key": encoded(self.prefix + key)}}
        body = {"compare": self._unchanged({key: after}, epoch), "success": [taken]}
        return bool((await self.gateway.ask("kv/txn", body, twice=False)).get("succeeded"))

    async def replace_all(self, values: Mapping[str, Replacement], *, epoch: int | None = None) -> Mapping[str, int]:
        done: dict[str, int] = {}
        for part in _transactions({key: each.value for key, each in values.items()}):
            done |= await self._replaced({key: values[key] for key, _ in part}, epoch)
        return done

    async def publish(self, values: Mapping[str, bytes]) -> None:
        if not self._lease_id:
            await self._hold_lease()
        for part in _transactions(values):
            puts = [
                {"key": encoded(self.prefix + key), "value": encoded(value), "lease": self._lease_id}
                for key, value in part
            ]
            await self.gateway.ask("kv/txn", {"success": [{"request_put": put} for put in puts]}, twice=True)

    async def entries(self, below_key: str) -> tuple[Mapping[str, SharedValue], int]:
        span, limit, revision, room = below(self.prefix + below_key), PAGE, 0, MOST_BYTES
        entries: dict[str, SharedValue] = {}
        while True:
            try:  # all of it as it was at one revision
                page = {**span, "limit": str(limit), "revision": str(revision)}
                said = await self.gateway.ask("kv/range", page, twice=True)
            except CoordinationError as error:
                if error.reason != TOO_LARGE or limit == 1:
                    raise
                limit //= 2
                continue
            with self.gateway.reading():
                found = [KeyValue.parse(each) for each in said.get("kvs", ())]
                entries |= {self._short(each.key): SharedValue(each.value, each.revision) for each in found}
                revision = revision or int(said["header"]["revision"])
                if not said.get("more"):
                    return entries, revision
                span["key"] = encoded(found[-1].key + "\0")
            room -= sum(len(each.value or b"") + len(each.key) for each in found)
            if room < 0:
                words = f"more than {MOST_BYTES:,} bytes stand below {self.prefix + below_key} in etcd"
                raise CoordinationError(words, reason=TOO_LARGE, remedy="delete there what failoverd did not write")

    async def changes(self, below_key: str, after: int) -> AsyncIterator[tuple[str, SharedValue]]:
        async for change in with_pauses(self.gateway.changes(self.prefix + below_key, after)):
            yield self._short(change.key), SharedValue(change.value, change.revision)

    def _short(self, key: str) -> str:
        return key.removeprefix(self.prefix)

    def _unchanged(self, after: Mapping[str, int], epoch: int | None) -> list[Mapping[str, Any]]:
        """The condition that keys are at these revisions, and (`epoch`) that leader's is there still."""
        compare: list[Mapping[str, Any]] = [
            {"key": encoded(self.prefix + key), "target": "MOD", "result": "EQUAL", "mod_revision": str(revision)}
            for key, revision in after.items()
        ]
        if epoch is not None:
            leads = {"key": encoded(self.prefix + _LEADER), "target": "CREATE", "result": "EQUAL"}
            compare.append({**leads, "create_revision": str(epoch)})
        return compare

    async def _replaced(self, part: Mapping[str, Replacement], epoch: int | None) -> Mapping[str, int]:
        """In one transaction; where something else stands in some places, once more without these."""
        while part:
            puts = [(encoded(self.prefix + key), encoded(each.value)) for key, each in part.items()]
            looks = [key for key, _ in puts] + ([encoded(self.prefix + _LEADER)] if epoch is not None else [])
            body = {
                "compare": self._unchanged({key: each.after for key, each in part.items()}, epoch),
                "success": [{"request_put": {"key": key, "value": value}} for key, value in puts],
                "failure": [{"request_range": {"key": key, "keys_only": True}} for key in looks],
            }
            said = await self.gateway.ask("kv/txn", body, twice=False)
            with self.gateway.reading():
                if said.get("succeeded"):
                    return dict.fromkeys(part, int(said["header"]["revision"]))
                stands = {self._short(each.key): each for each in _ranged(said)}
            if epoch is not None and (_LEADER not in stands or stands[_LEADER].created != epoch):
                return {}
            left = {key: each for key, each in part.items() if _version(stands.get(key)) == each.after}
            if len(left) == len(part):  # what it says contradicts itself
                return {}
            part = left
        return {}

    async def _hold_lease(self) -> None:
        """Have one that lasts for the whole time from now on: a single one, whoever asks meanwhile."""
        async with self._granting:
            if await self._renewed():
                return
            self._lease_id = ""
            granted = await self.gateway.ask("lease/grant", {"TTL": str(round(self.lease))}, twice=True)
            with self.gateway.reading():
                self._lease_id = str(granted["ID"])

    async def _renewed(self) -> bool:
        """Whether the lease is there still, and for the whole time again from now on."""
        if not self._lease_id:
            return False
        said = await self.gateway.ask("lease/keepalive", {"ID": self._lease_id}, twice=True)
        with self.gateway.reading():
            return int(said.get("result", {}).get("TTL", 0)) > 0

    async def _txn(
        self, compare: Mapping[str, str], success: Mapping[str, Any], failure: Mapping[str, Any]
    ) -> int | KeyValue | None:
        """The revision of the success, or the key that was read instead."""
        body = {"compare": [compare], "success": [success], "failure": [failure]}
        said = await self.gateway.ask("kv/txn", body, twice=False)
        with self.gateway.reading():
            if said.get("succeeded"):
                return int(said["header"]["revision"])
            found = said["responses"][0].get("response_range", {}).get("kvs", ())
            return KeyValue.parse(found[0]) if found else None


def _ranged(said: Mapping[str, Any]) -> Iterator[KeyValue]:
    """Every key that a transaction has read."""
    for response in said.get("responses", ()):
        yield from map(KeyValue.parse, response.get("response_range", {}).get("kvs", ()))


def _version(found: KeyValue | None) -> int:
    return found.revision if found is not None else 0


def _transactions(values: Mapping[str, bytes]) -> Iterator[Sequence[tuple[str, bytes]]]:
    """The values in as many parts as etcd wants them in."""
    part: list[tuple[str, bytes]] = []
    size = 0
    for key, value in values.items():
        if part and (len(part) == MOST_KEYS or size + len(value) > MOST_SIZE):
            yield part
            part, size = [], 0
        part.append((key, value))
        size += len(value)
    if part:
        yield part
