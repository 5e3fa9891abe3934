"""Who asks, and what they may do.

On the socket the system says it: the user of the process at the other end (unix(7), SO_PEERCRED). Elsewhere a token or
a client certificate does. What a request says of itself is believed in one case: root names the person behind sudo.
"""

import asyncio
import grp
import os
import pwd
import re
import socket
import struct
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from failoverd.core.errors import FailoverdError

_USER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?", re.ASCII)

_CREDENTIALS: Final = struct.Struct("3i")
"""`struct ucred`: pid, uid, gid."""

_PATIENCE: Final = 2.0
"""Seconds that the system may take to say who a user is: a directory server may be among whom it asks."""

_FRESH: Final = 60.0

_MOST_KNOWN: Final = 1_000

_OVERFLOW: Final = 65_534
"""Who a user is from within a user namespace that does not have him (user_namespaces(7))."""

_UNSEEN: Final = (
    "the daemon runs in a user namespace and cannot see whose process this is: run it without one (PrivateUsers=no), "
    "or ask as root"
)


class Role(StrEnum):
    NONE = "none"
    READ = "read"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    Attributes:
        name: `alice@host`, the name of a token, or that of a certificate; empty where nobody knows.
        role: what they may do.
        origin: from where: a process of this host, or an address.
        remedy: how they could be let do more.
    """

    name: str
    role: Role
    origin: str
    remedy: str = ""


class Peer(NamedTuple):
    """The process at the other end of a unix socket."""

    pid: int
    uid: int
    gid: int

    @classmethod
    def of(cls, transport: asyncio.BaseTransport) -> "Peer | None":
        """None for a connection that is not of this host's own kind."""
        connection = transport.get_extra_info("socket")
        if connection is None or connection.family != socket.AF_UNIX:
            return None
        return cls(
            *_CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        )


class RefusedError(FailoverdError):
    """A request is refused for who asks, or how."""

    def __init__(
        self, status: int, reason: str, detail: str, remedy: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail, reason=reason, remedy=remedy)
        self.status = status
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class _Known:
    """What the system says of a user, at that moment of the loop's clock."""

    name: str
    member: bool
    at: float


_PASSING: Final = range(61_184, 65_520)
"""Groups that systemd makes for as long as a service runs (DynamicUser in systemd.exec(5)): nobody can join one."""


class Users:
    """Users of this host. Root, the daemon's own user and members of `group` may operate.

    Args:
        group: its name; None is the daemon's own group, unless that is root's.
        others: what everybody else may do.
        threads: where the system is asked, for it may take its time.

    Raises:
        KeyError: there is no such group.
    """

    def __init__(self, group: str | None, others: Role, threads: Executor) -> None:
        self.gid = grp.getgrnam(group).gr_gid if group is not None else (os.getegid() or None)
        self.group = group or (_group_name(self.gid) if self.gid is not None else "")
        self._others = others
        self._threads = threads
        self._host = socket.gethostname()
        self._known: dict[int, _Known] = {}
        self._narrow = _of_few_users()

    async def actor(self, peer: Peer, behind: str | None) -> Actor:
        """Who a process is of; `behind` is whom root says to be behind it."""
        if self._narrow and peer.uid == _OVERFLOW:
            return Actor(f"unknown@{self._host}", self._others, f"pid {peer.pid}", _UNSEEN)
        known = await self._look_up(peer.uid)
        trusted = peer.uid in {0, os.geteuid()}
        user = behind if behind and peer.uid == 0 and _USER.fullmatch(behind) else known.name
        may = trusted or known.member or peer.gid == self.gid
        role = Role.OPERATE if may else self._others
        return Actor(f"{user}@{self._host}", role, f"pid {peer.pid}", self._remedy(known.name))

    def _remedy(self, user: str) -> str:
        if not self.group:
            return (
                "root and the group that api.group names, once it names one, may; a new member counts within a minute"
            )
        if self.gid in _PASSING:
            return f"root may; group {self.group} goes with the service: name a lasting one in api.group, and join that"
        if self.gid == 0:  # whoever joins root's own group may do far more than ask
            return f"root and members of group {self.group} may: ask with sudo; api.group names another one"
        command = f": usermod -aG {self.group} {user}" if _USER.fullmatch(user) else ""
        return f"root and members of group {self.group} may; a new member counts within a minute{command}"

    async def _look_up(self, uid: int) -> _Known:
        now = asyncio.get_running_loop().time()
        known = self._known.get(uid)
        if known is None or now - known.at > _FRESH:
            asking = asyncio.get_running_loop().run_in_executor(self._threads, _user, uid, self.gid)
            try:
                async with asyncio.timeout(_PATIENCE):
                    name, member = await asyncio.shield(asking)
            except TimeoutError:
                return known or _Known(f"uid:{uid}", False, now)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[uid] = known = _Known(name, member, now)
        return known


def _of_few_users() -> bool:
    """Whether this process lives in a user namespace that has not all users of the host."""
    try:
        return Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]
    except OSError:
        return False


def _user(uid: int, gid: int | None) -> tuple[str, bool]:
    """What a user is called, and whether it is a member of that group."""
    try:
        found = pwd.getpwuid(uid)
    except KeyError:  # a container often runs as a user that its passwd does not list
        return f"uid:{uid}", False
    try:
        member = gid is not None and gid in os.getgrouplist(found.pw_name, found.pw_gid)
    except OSError:
        member = False
    return found.pw_name, member


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def certificate_name(certificate: Mapping[str, Any]) -> str:
    """The common name of a certificate's subject, or else the whole subject; as `ssl.getpeercert` has them."""
    parts = [pair for names in certificate.get("subject", ()) for pair in names]
    common = next((value for kind, value in parts if kind == "commonName"), "")
    return common or ",".join(f"{kind}={value}" for kind, value in parts)
