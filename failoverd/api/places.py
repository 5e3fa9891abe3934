"""Where the admin API is heard: at a socket of this host, and for other machines over TLS.

Each way in is served as long as its context lasts, and is bounded by itself: `failoverd.guests`.
"""

import asyncio
import os
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from failoverd.api.actors import Actor, Peer, RefusedError, Role, Users, certificate_name
from failoverd.api.bounds import ASKING, MOST_CALLERS, MOST_OF_PEER
from failoverd.api.browsers import cookie, cookie_name, reader, require_reader, require_this_host, token_in
from failoverd.api.credentials import end_of, expiring, tls_of
from failoverd.api.sending import BEHIND
from failoverd.api.service import Known
from failoverd.api.sockets import reachable
from failoverd.api.tokens import AdminTokens
from failoverd.config.schema.config_file import ApiTcpEntry
from failoverd.core.errors import ConfigError
from failoverd.core.status import RefusedFile
from failoverd.guests import Guest, Guests, running
from failoverd.ports import Clock

_BACKLOG: Final = 64
_EVERYBODY: Final = 0o666
_GROUP: Final = 0o660


# -- the socket of this host -------------------------------------------------------------------------------------------


class _Neighbour(Guest):
    """A process of this host."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.asks = Peer.of(transport)
        super().connection_made(transport)

    def peer(self, transport: asyncio.BaseTransport) -> str:  # noqa: ARG002 - as Guest has it
        return str(self.asks.uid) if self.asks is not None else ""


@asynccontextmanager
async def heard_on_host(path: Path, users: Users, others: Role, site: web.Application) -> AsyncIterator[None]:
    """Serve at a socket. One that a dead daemon left is replaced, and never one that somebody answers at.

    Raises:
        OSError: there can be no socket.
    """
    guests = Guests(MOST_CALLERS, MOST_OF_PEER)
    async with running(site) as server:
        listener, made = await asyncio.to_thread(_bound, path, users.gid if others is Role.NONE else None)
        loop = asyncio.get_running_loop()
        serving = await loop.create_unix_server(partial(_Neighbour, server, guests, ASKING), sock=listener)
        try:
            yield
        finally:
            serving.close()
            guests.leave()
            _remove(path, made)
            await serving.wait_closed()


def known_on_host(users: Users) -> Known:
    """Who asks at the socket."""

    async def known(request: web.Request) -> Actor:
        peer = request.protocol.asks if isinstance(request.protocol, _Neighbour) else None
        if peer is None:
            raise RefusedError(401, "peer_unknown", "the system does not say whose process this is")
        return await users.actor(peer, request.headers.get(BEHIND))

    return known


def _remove(path: Path, inode: int) -> None:
    """The socket that was made; it may be gone, or somebody else's by now."""
    with suppress(OSError):
        if path.stat().st_ino == inode:
            path.unlink()


def _bound(path: Path, gid: int | None) -> tuple[socket.socket, int]:
    """A socket that appears at `path` once it can be used, and its inode. With a `gid`, it is for that group alone."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _require_free(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        with reachable(fresh) as name:
            listener.bind(name)
        try:
            if gid is not None and fresh.stat().st_gid != gid:
                os.chown(fresh, -1, gid)
            fresh.chmod(_EVERYBODY if gid is None else _GROUP)
            listener.listen(_BACKLOG)
            made = fresh.stat().st_ino
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
    except BaseException:
        listener.close()
        raise
    return listener, made


def _require_free(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise FileExistsError(0, "something else than a socket is there", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial, reachable(path) as name:
        trial.settimeout(1.0)
        try:
            trial.connect(name)
        except (ConnectionRefusedError, FileNotFoundError):
            return  # its daemon is dead
        except OSError as error:
            raise OSError(
                0, f"it cannot be told whether a daemon is there: {error.strerror or error}", str(path)
            ) from error
    raise OSError(0, "another daemon is heard there", str(path))


# -- other machines ----------------------------------------------------------------------------------------------------


class Door:
    """Who comes in from elsewhere: certificates and tokens, as their files were read last.

    Raises:
        ConfigError: a file cannot be used.

    Attributes:
        refused: the files that could not be used when they were read last; what they held before goes on.
    """

    def __init__(self, said: ApiTcpEntry, clock: Clock) -> None:
        self._said = said
        self._clock = clock
        self.tls: ssl.SSLContext | None = None
        self._tokens: AdminTokens | None = None
        self._ends: float | None = None
        self._turn = 0
        self.refused: tuple[RefusedFile, ...] = ()
        for error in self._read().values():
            raise error

    def reread(self) -> None:
        """Take up what the files hold now, each by itself: a certificate that is amiss keeps no token at work."""
        self.refused = tuple(RefusedFile(str(file), error.wrong, error.place) for file, error in self._read().items())
        self._turn += 1

    def warned(self, within: float) -> tuple[RefusedFile, ...]:
        """Certificates that have expired, or will within so many seconds."""
        file = self._said.certificate_file
        found = expiring(self._ends, self._clock(), within)
        return (RefusedFile(str(file), found),) if found else ()

    def _read(self) -> Mapping[Path, ConfigError]:
        said, amiss = self._said, dict[Path, ConfigError]()
        if said.tokens_file is not None:
            try:
                self._tokens = AdminTokens.read(said.tokens_file)
            except ConfigError as error:
                amiss[said.tokens_file] = error
        if said.certificate_file is not None:
            try:
                self.tls, self._ends = tls_of(said), end_of(said.certificate_file)
            except ConfigError as error:
                amiss[said.certificate_file] = error
        return amiss

    async def known(self, request: web.Request) -> Actor:
        """Who asks: by the token, if one is shown, or else by the certificate."""
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        origin = str(peer[0]) if peer else ""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._tokens is not None:
            return self._tokens.actor(token.strip(), origin, self._clock())
        kept = token_in(request.cookies.get(cookie_name(request.headers, tls=self._secured), ""))
        if kept and self._tokens is not None:
            if not self._secured:
                require_this_host(request.headers)
            return reader(self._tokens.actor(kept, origin, self._clock()))
        certificate = request.transport.get_extra_info("peercert") if request.transport is not None else None
        name = certificate_name(certificate or {})
        if certificate and name:
            self._require_current(request, certificate)
            role = Role.OPERATE if name in self._said.operators else Role.READ
            return Actor(name, role, origin, "api.tcp.operators names the certificates that may change something")
        wanted = "a token (Authorization: Bearer)" if self._tokens is not None else "a client certificate"
        raise RefusedError(401, "nobody", f"nobody can tell who asks: show {wanted}")

    def _require_current(self, request: web.Request, certificate: Mapping[str, Any]) -> None:
        """Certificates are verified when a connection begins: one that lasts is asked to begin again."""
        expires = ssl.cert_time_to_seconds(certificate["notAfter"])
        if self._clock() > expires or request.setdefault(_TURN, self._turn) != self._turn:
            raise RefusedError(401, "certificate_old", "the certificate was shown long ago", "connect again")

    def let_in(self, request: web.Request, actor: Actor) -> Mapping[str, str]:
        """How a browser keeps being known that shows a token. A certificate it shows each time by itself."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return {}
        require_reader(actor)
        return {"Set-Cookie": cookie(token.strip(), request.headers, tls=self._secured)}

    @property
    def _secured(self) -> bool:
        return self._said.certificate_file is not None


_TURN: Final = web.RequestKey("turn", int)


@asynccontextmanager
async def heard_elsewhere(address: str, port: int, door: Door, site: web.Application) -> AsyncIterator[int]:
    """Serve over TCP; gives the port, which is chosen by the system for 0.

    Raises:
        OSError: nobody can listen there.
    """
    guests = Guests(MOST_CALLERS, MOST_OF_PEER)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    async with running(site) as server, AsyncExitStack() as stack:
        listener = socket.create_server((address, port), family=family, backlog=_BACKLOG)
        listener.setblocking(False)
        stack.callback(listener.close)
        stack.callback(guests.leave)
        welcoming = _Porch(listener, door, partial(Guest, server, guests, ASKING))
        task = asyncio.create_task(welcoming.run())
        stack.push_async_callback(_ended, task)
        yield listener.getsockname()[1]


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class _Porch:
    """Takes connections in. Those that have not shown who they are yet are bounded as well: each holds a descriptor."""

    def __init__(self, listener: socket.socket, door: Door, guest: Callable[[], Guest]) -> None:
        self._listener = listener
        self._door = door
        self._guest = guest
        self._waiting: dict[asyncio.Task[None], str] = {}

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    connection, peer = await loop.sock_accept(self._listener)
                except OSError:  # it is gone already, or there are no descriptors now
                    await asyncio.sleep(_NAP)
                    continue
                self._welcome(connection, str(peer[0]))
        finally:
            for task in self._waiting:
                task.cancel()

    def _welcome(self, connection: socket.socket, peer: str) -> None:
        """Make room, if there is none, by who has taken longest to say who it is, first of those of that address."""
        of_peer = [task for task, name in self._waiting.items() if name == peer]
        if len(of_peer) >= MOST_OF_PEER or len(self._waiting) >= MOST_CALLERS:
            longest = (of_peer if len(of_peer) >= MOST_OF_PEER else list(self._waiting))[0]
            del self._waiting[longest]
            longest.cancel()
        task = asyncio.create_task(self._take_in(connection))
        self._waiting[task] = peer
        task.add_done_callback(lambda done: self._waiting.pop(done, None))

    async def _take_in(self, connection: socket.socket) -> None:
        loop, tls = asyncio.get_running_loop(), self._door.tls
        hurry = ASKING if tls is not None else None
        try:
            await loop.connect_accepted_socket(self._guest, connection, ssl=tls, ssl_handshake_timeout=hurry)
        except OSError:  # it speaks no TLS, shows no certificate, or takes too long: nobody of ours
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise


_NAP: Final = 0.1
