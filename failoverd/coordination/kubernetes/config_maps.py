"""How values stand in ConfigMaps: one each, found by the labels of its installation, told apart by its key.

Its name is made of the key's hash, for keys have letters and lengths that names may not have; the key itself is an
annotation. Each write carries a mark of its own, so that the version grows although the same is said again.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import uuid4

from failoverd.coordination.kubernetes.api_server import CONFIG_MAPS, ApiRequest, ApiVerb, Json, version
from failoverd.core.errors import CoordinationError

_INSTALLATION: Final = "failoverd/installation"
_KIND: Final = "failoverd/kind"
_ROOM: Final = "failoverd/room"
SESSION: Final = "failoverd/session"
_KEY: Final = "failoverd/key"
_MEMBER: Final = "failoverd/member"
_WRITE: Final = "failoverd/write"


class KeptValue(NamedTuple):
    """One value as it stands, or stood."""

    key: str
    value: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Namespaced:
    """What the members of one owner have in a namespace."""

    owner: str

    @property
    def name(self) -> str:
        """What its Lease is called, and what the names of its ConfigMaps begin with."""
        return f"failoverd-{self.owner}"

    def value(self, key: str, value: bytes, member: str, *, session: str = "", after: int = 0) -> Json:
        """The ConfigMap of a value, to be written in place of that version; 0: of any, or of none."""
        labels = {_KIND: "value", _ROOM: _room(key), **({SESSION: session} if session else {})}
        notes = {_KEY: key, _MEMBER: member}
        return self._config_map(self.value_name(key), labels, notes, {"value": value}, after)

    def session(self, session: str, member: str) -> Json:
        """The ConfigMap that is there for as long as a session is."""
        return self._config_map(self.session_name(session), {_KIND: "session", SESSION: session}, {_MEMBER: member})

    def value_name(self, key: str) -> str:
        return f"{self.name}-{sha256(key.encode()).hexdigest()[:40]}"

    def session_name(self, session: str) -> str:
        return f"{self.name}-session-{session}"

    def values_below(self, below_key: str) -> str:
        """A label selector that finds every value whose key begins so, and few others."""
        room = f",{_ROOM}={_room(below_key)}" if "/" in below_key else ""
        return f"{_INSTALLATION}={self.owner},{_KIND}=value{room}"

    def values_of(self, session: str = "") -> str:
        """One that finds what is there for a session; without one, for any."""
        return f"{_INSTALLATION}={self.owner},{_KIND}=value,{SESSION}{f'={session}' if session else ''}"

    @property
    def sessions(self) -> str:
        return f"{_INSTALLATION}={self.owner},{_KIND}=session"

    def parsed(self, found: Iterable[Json]) -> Iterator[KeptValue]:
        """The values among these. Whatever a person put beside them is none."""
        for each in found:
            meta = each["metadata"]
            key = str((meta.get("annotations") or {}).get(_KEY, ""))
            if meta["name"] == self.value_name(key):
                yield KeptValue(key, _value(each), version(each))

    def _config_map(
        self,
        name: str,
        labels: Mapping[str, str],
        notes: Mapping[str, str],
        data: Mapping[str, bytes] = MappingProxyType({}),
        after: int = 0,
    ) -> Json:
        ours = {"app.kubernetes.io/managed-by": "failoverd", _INSTALLATION: self.owner}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "labels": {**ours, **labels},
                "annotations": {**notes, _WRITE: uuid4().hex},
                **({"resourceVersion": str(after)} if after else {}),
            },
            "binaryData": {key: b64encode(value).decode() for key, value in data.items()},
        }


def deletion(name: str, seen: int = 0) -> ApiRequest:
    """To delete one in that version only; 0: in any."""
    body: Json = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if seen:
        body["preconditions"] = {"resourceVersion": str(seen)}
    return ApiRequest(ApiVerb.DELETE, CONFIG_MAPS, name, body=body)


def _value(found: Json) -> bytes:
    """Nothing, where a person took it out. Raises CoordinationError."""
    try:
        return b64decode((found.get("binaryData") or {}).get("value", ""))
    except (ValueError, TypeError, AttributeError):
        raise CoordinationError("a ConfigMap cannot be read", reason="not_kubernetes") from None


def _room(key: str) -> str:
    """The first word of a key, as a label may hold it: what most selections have in common."""
    return re.sub(r"[^a-z0-9]", "", key.partition("/")[0].lower())[:63]
