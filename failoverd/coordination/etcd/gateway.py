"""One etcd cluster, asked by the JSON gateway of its members: whoever of them answers.

Numbers of 64 bits come as texts, and what is false or zero is left out. A request that may have been heard is not sent
to another member, unless hearing it twice does no harm.

An endpoint may lead to something else: a proxy that wants people to sign in, an etcd of somebody else. What is no etcd
is passed over as one that does not answer. And each answer says of which cluster it is: half of the endpoints at least
have to say the same before anything is asked, for two clusters would have two leaders.
"""

import asyncio
import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import aiohttp

from failoverd.core.errors import Compacted, CoordinationError, FailoverdError
from failoverd.foreign import keep_secret, quoted
from failoverd.http_client import CaFiles, ShownCertificate, read_bounded, read_lines, unreached
from failoverd.outgoing import place_of, read_secret

MOST_BYTES: Final = 16_777_216
"""Of one answer, and of one message of a watch."""

TOO_LARGE: Final = "too_large"
"""The reason of an answer that is longer."""

OTHER_CLUSTER: Final = "other_cluster"
"""The reason where endpoints belong to several clusters, and it is not known which one is meant."""

SILENCE: Final = 30.0
"""Seconds that a watch may say nothing before the member that tells it is asked whether it is there. etcd itself gives
a sign of life every 10 minutes only, and who watches has to know sooner that nothing is told any more."""

_UNAVAILABLE: Final = frozenset(
    {
        HTTPStatus.INTERNAL_SERVER_ERROR,  # of one whose data is corrupt
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class Unheard(CoordinationError):  # noqa: N818 - said of a request, not of a fault
    """A member did not answer. `maybe`: what was asked may have been done."""

    def __init__(self, detail: str, *, reason: str, remedy: str = "", maybe: bool) -> None:
        super().__init__(detail, reason=reason, remedy=remedy)
        self.maybe = maybe


@dataclass(frozen=True, slots=True)
class KeyValue:
    """One key as it stands; without a value, it was deleted. `revision` is that of its last change."""

    key: str
    value: bytes | None
    revision: int
    created: int = 0
    lease: str = ""

    @classmethod
    def parse(cls, said: Mapping[str, Any], *, deleted: bool = False) -> "KeyValue":
        value = None if deleted else b64decode(said.get("value", ""))
        key, changed = b64decode(said["key"]).decode(), int(said["mod_revision"])
        return cls(key, value, changed, int(said.get("create_revision", 0)), str(said.get("lease", "")))


@dataclass(slots=True)
class Gateway:
    """A way to ask.

    Attributes:
        session: connections.
        endpoints: addresses of members, such as `https://10.0.0.1:2379`; one at least.
        patience: seconds that a member gets to answer.
        silence: seconds that a watch may say nothing before its member has to show that it is there.
        user: who asks, where etcd wants to know; the password stands in `password_file`.
        ca_file: who signs for the members, instead of the system's authorities.
        shown: the certificate that members ask for.
    """

    session: aiohttp.ClientSession
    endpoints: Sequence[str]
    patience: float
    silence: float = SILENCE
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    shown: ShownCertificate | None = None
    _asked: int = 0  # the member that is asked first: the last that answered
    _token: str = field(default="", repr=False)
    _doubted: bool = False  # the token: etcd may wait for ever for the entry of its log that it names
    _cluster: str = ""  # the id of the cluster that is meant, where there are several endpoints
    _strange: bool = False  # an answer was of another one, or nobody answered: it may have been made anew
    _strangers: frozenset[str] = frozenset()  # endpoints of others
    _ca_files: CaFiles = field(default_factory=CaFiles)

    async def ask(self, call: str, body: Mapping[str, Any], *, twice: bool) -> dict[str, Any]:
        """What the cluster answers. `twice`: it does no harm if two members hear it.

        Raises:
            CoordinationError: no member answers (`Unheard`), or the answer is no.
        """
        await self._know_cluster()
        if self._signed_in:
            try:
                return await self._of_anyone(call, body, twice=twice)
            except CoordinationError as error:
                if error.reason != "http_401" or not self.user:  # tokens end after five minutes
                    raise
        await self._authenticate()
        return await self._of_anyone(call, body, twice=twice)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What stands in an answer; whatever is not written there as etcd writes it is a CoordinationError."""
        place = self.endpoints[self._asked]
        try:
            with _as_etcd_writes(place):
                yield
        except Unheard:
            self._leave(place)
            raise

    async def changes(self, prefix: str, after: int) -> AsyncIterator[KeyValue]:
        """Every change below the prefix that came after that revision, as it happens, in order. Ends by an error only.

        Raises:
            Compacted: some of them are forgotten, or that revision never was.
            CoordinationError: the member that told them does so no more: begin again after the last revision.
        """
        await self._know_cluster()
        if not self._signed_in:
            await self._authenticate()
        while True:
            place = self.endpoints[self._asked]
            try:
                async for change in self._watch(place, prefix, after):
                    yield change
                    after = change.revision
            except Unheard as error:
                if error.reason != "timeout" or not await self._tells(place, prefix):
                    self._leave(place)
                    raise

    async def _watch(self, place: str, prefix: str, after: int) -> AsyncIterator[KeyValue]:
        create = {**below(prefix), "start_revision": str(after + 1)}
        patience = aiohttp.ClientTimeout(total=None, sock_connect=self.patience, sock_read=self.silence)
        began = False
        try:
            async with self._posting(place, "watch", {"create_request": create}, patience) as answer:
                lines = read_lines(answer.content, MOST_BYTES)
                while True:
                    async with asyncio.timeout(self.silence):  # a byte now and then tells nothing
                        line = await anext(lines, None)
                    if line is None:
                        break
                    with _as_etcd_writes(place):
                        told = list(_told(place, self._ours(place, _parsed(place, line)), after))
                    began = True
                    for change in told:
                        yield change
        except Unheard as error:
            if began or error.reason != "timeout":
                raise
            words = f"{place_of(place)} begins no watch: what stands between may keep an answer until it is whole"
            raise Unheard(words, reason="watch_unanswered", maybe=True) from None
        raise Unheard(f"etcd at {place_of(place)} ended the watch", reason="watch_ended", maybe=True)

    async def _tells(self, place: str, prefix: str) -> bool:
        """Whether a member that was silent is there, and with a majority: then nothing happened.

        One that is cut off from the others is silent for ever, as is one that is frozen, and their connections stand.
        """
        try:
            await self._of(place, "kv/range", {"key": encoded(prefix), "count_only": True})
        except CoordinationError:
            return False
        return True

    async def _of_anyone(self, call: str, body: Mapping[str, Any], *, twice: bool) -> dict[str, Any]:
        for left in reversed(range(len(self.endpoints) - len(self._strangers))):
            place = self.endpoints[self._asked]
            try:
                return await self._of(place, call, body)
            except Unheard as error:
                self._leave(place)
                self._doubted = self._doubted or error.reason == "timeout"
                if not left:
                    self._strange = True
                if not left or (error.maybe and not twice):
                    raise
            except CoordinationError as error:
                if error.reason == TOO_LARGE:  # some of what is no etcd answers without end
                    self._leave(place)
                raise
        raise AssertionError("no endpoint was named")

    async def _of(self, place: str, call: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._ours(place, await self._exchanged(place, call, body))

    async def _exchanged(self, place: str, call: str, body: Mapping[str, Any]) -> dict[str, Any]:
        patience = aiohttp.ClientTimeout(total=self.patience)
        async with self._posting(place, call, body, patience) as answer:
            said = await read_bounded(answer.content, MOST_BYTES)
            if said is None:
                words = f"etcd at {place_of(place)} answers with more than {MOST_BYTES:,} bytes"
                raise CoordinationError(words, reason=TOO_LARGE)
            return _parsed(place, said)

    @asynccontextmanager
    async def _posting(
        self, place: str, call: str, body: Mapping[str, Any], patience: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A request that is answered with 200. Redirects are not followed, for the credentials would go along."""
        with _as_ours():
            trust = await self._ca_files.trusted(self.ca_file, self.shown)
        headers = {"Content-Type": "application/json", **({"Authorization": self._token} if self._token else {})}
        said = BytesIO(json.dumps(body).encode())  # a state may be large: it is sent in pieces
        url = f"{place}/v3/{call}"
        with _in_our_words(place):
            async with self.session.post(
                url, data=said, headers=headers, timeout=patience, ssl=trust, allow_redirects=False
            ) as answer:
                if answer.status != HTTPStatus.OK:
                    raise _refused(place, answer.status, await read_bounded(answer.content, MOST_BYTES))
                yield answer

    # -- which cluster -------------------------------------------------------------------------------------------------

    async def _know_cluster(self) -> None:
        """Know which cluster is meant: the one that most endpoints belong to, and half of them at least.

        Who reached a wrong endpoint alone would else lead there, and another one where all others agree. Once it is
        known it stays so, until more than half of them say that it is another one: it was made anew.

        Raises:
            CoordinationError: too few of them say the same now.
        """
        places = tuple(dict.fromkeys(self.endpoints))
        if len(places) == 1 or (self._cluster and not self._strange):
            return
        said = await asyncio.gather(*map(self._cluster_at, places))
        found = {place: each for place, each in zip(places, said, strict=True) if isinstance(each, str)}
        why = next((each for each in said if isinstance(each, CoordinationError)), None)
        self._cluster, self._strange = self._chosen(found, len(places), why), False
        self._strangers = frozenset(place for place, cluster in found.items() if cluster != self._cluster)
        if self.endpoints[self._asked] in self._strangers:
            self._leave(self.endpoints[self._asked])

    def _chosen(self, found: Mapping[str, str], of: int, why: CoordinationError | None) -> str:
        (cluster, most), *others = Counter(found.values()).most_common(2) or [("", 0)]
        if 2 * most > of:
            return cluster
        if self._cluster and (len(found) < of or self._cluster in found.values()):
            return self._cluster
        if 2 * most < of:
            words = f"{most} of {of} endpoints of etcd say of which cluster they are, and half of them have to"
            why = why or CoordinationError("they are of several", reason=OTHER_CLUSTER, remedy=_ENDPOINTS)
            raise Unheard(f"{words}: {why.detail}", reason=why.reason, remedy=why.remedy, maybe=False)
        if others and others[0][1] == most:
            said = ", ".join(f"{place_of(place)} to {cluster}" for place, cluster in found.items())
            words = f"endpoints of etcd belong to several clusters: {said}"
            raise CoordinationError(words, reason=OTHER_CLUSTER, remedy=_ENDPOINTS)
        return cluster

    async def _cluster_at(self, place: str) -> str | CoordinationError:
        """The cluster that an endpoint belongs to, or why it does not say."""
        try:
            async with asyncio.timeout(self.patience / 2):  # whoever asks has to be answered as well
                said = await self._exchanged(place, "maintenance/status", {})
            with _as_etcd_writes(place):
                return quoted(str(said["header"]["cluster_id"]), 20)
        except CoordinationError as error:
            return error
        except TimeoutError:
            return Unheard(f"etcd at {place_of(place)} does not answer", reason="timeout", maybe=True)

    def _ours(self, place: str, said: dict[str, Any]) -> dict[str, Any]:
        """An answer, which is of the cluster that is meant.

        Raises:
            Unheard: it is of another one. It may be the same, made anew: that is looked at before anything is asked.
        """
        with _as_etcd_writes(place):
            header = said.get("header") or said.get("result", {}).get("header") or {}
            other = header.get("cluster_id", self._cluster)
        if not self._cluster or other == self._cluster:
            return said
        self._strange = True
        words = f"{place_of(place)} belongs to another cluster of etcd than most of `endpoints`"
        raise Unheard(words, reason=OTHER_CLUSTER, remedy=_ENDPOINTS, maybe=False)

    # -- who asks ------------------------------------------------------------------------------------------------------

    @property
    def _signed_in(self) -> bool:
        return not self.user or bool(self._token and not self._doubted)

    async def _authenticate(self) -> None:
        """Get a token (`AuthService`).

        A simple one names the entry of etcd's log at which it was given, and a member that lacks that entry yet lets
        who shows it wait. One that was put back to an older state, or made anew, has it in a long time, or never. So
        after a silence this signs in anew.
        """
        if self.password_file is None:
            return
        self._token, self._doubted = "", False
        with _as_ours():
            password = await asyncio.to_thread(read_secret, self.password_file)
        who = {"name": self.user, "password": password}
        self._token = str((await self._of_anyone("auth/authenticate", who, twice=True)).get("token", ""))
        keep_secret(self._token)  # who reads it has what the user has, for minutes

    def _leave(self, place: str) -> None:
        """Ask another member from now on, unless somebody who asked that one as well was sooner."""
        if self.endpoints[self._asked] == place:
            after = (self._asked + 1 + number for number in range(len(self.endpoints)))
            turns = [number % len(self.endpoints) for number in after]
            self._asked = next((each for each in turns if self.endpoints[each] not in self._strangers), turns[0])


# -- how etcd writes ---------------------------------------------------------------------------------------------------


def encoded(said: str | bytes) -> str:
    return b64encode(said.encode() if isinstance(said, str) else said).decode()


def below(prefix: str) -> dict[str, str]:
    """The fields that ask for every key that begins so: up to the first one that is beyond all of them."""
    return {"key": encoded(prefix), "range_end": encoded(prefix[:-1] + chr(ord(prefix[-1]) + 1))}


def _told(place: str, message: Mapping[str, Any], after: int) -> Iterator[KeyValue]:
    """The changes in one message of a watch that began after a revision.

    To one that lies ahead etcd says nothing until it comes: whoever restored it from a backup would go unheard.
    """
    said = message.get("result", {})
    if said.get("canceled"):
        words = quoted(str(said.get("cancel_reason", "")), 200)
        kind = Compacted if "compact_revision" in said else CoordinationError
        raise kind(f"etcd at {place_of(place)} ended the watch: {words}", reason="watch_canceled")
    if said.get("created") and int(said["header"]["revision"]) < after:
        raise Compacted(f"etcd at {place_of(place)} was put back to an older state", reason="restored")
    for event in said.get("events", ()):
        yield KeyValue.parse(event["kv"], deleted=event.get("type") == "DELETE")


def _parsed(place: str, body: bytes | None) -> dict[str, Any]:
    try:
        said = json.loads(body or b"")
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise _not_etcd(place)
    return said


@contextmanager
def _as_etcd_writes(place: str) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError):
        raise _not_etcd(place) from None


def _not_etcd(place: str) -> Unheard:
    words = f"{place_of(place)} answers with what is no answer of etcd"
    return Unheard(words, reason="not_etcd", remedy="correct the address in `endpoints`", maybe=True)


def _refused(place: str, status: int, body: bytes | None) -> CoordinationError:
    try:
        message, before = str(json.loads(body or b"")["message"]), False
    except (ValueError, TypeError, LookupError, RecursionError):
        # whoever stands before the gateway says plain text
        message, before = (body or b"").decode("utf-8", "replace").strip(), True
    words = f"etcd at {place_of(place)} answers {status}: {quoted(message or 'no reason given', 200)}"
    remedy = next((found for said, found in _SAID.items() if said in message), _REMEDIES.get(status, ""))
    if before or status in _UNAVAILABLE:
        return Unheard(words, reason=f"http_{status}", remedy=remedy, maybe=True)
    return CoordinationError(words, reason=f"http_{status}", remedy=remedy)


_ENDPOINTS: Final = "let all `endpoints` be of one cluster of etcd"
_WHO: Final = "correct `user` and what stands in `password_file`; a new password needs no restart"
_SAID: Final[Mapping[str, str]] = {
    "authentication failed": _WHO,
    "user name is empty": _WHO,
    "database space exceeded": "compact and defragment etcd, disarm its alarm (etcdctl alarm disarm), and have it "
    "compact by itself from then on: --auto-compaction-retention=1h",
    "CommonName": "name a certificate without a common name in `cert_file`: etcd's gateway takes no other from clients "
    "while users have to sign in, for it would not know which of them is meant",
}
"""What to do, by what etcd says; it says much under the status 400."""

_REMEDIES: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: _WHO,
    HTTPStatus.FORBIDDEN: "let the user read and write below `prefix`",
    HTTPStatus.NOT_FOUND: "correct the address in `endpoints`: it takes the JSON gateway of etcd 3.4 or later",
}


@contextmanager
def _as_ours() -> Iterator[None]:
    """What is wrong with a file of ours, as what it comes to: nobody can be asked."""
    try:
        yield
    except FailoverdError as error:
        raise CoordinationError.of(error) from error


@contextmanager
def _in_our_words(place: str) -> Iterator[None]:
    """Whatever the library raises, as `Unheard`."""
    try:
        yield
    except TimeoutError:
        raise Unheard(f"etcd at {place_of(place)} does not answer", reason="timeout", maybe=True) from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        why = unreached(f"etcd at {place_of(place)}", error)
        never = isinstance(error, aiohttp.ClientConnectorError)
        raise Unheard(why.detail, reason=why.reason, remedy=why.remedy, maybe=not never) from None
