"""The admin API of a daemon, at every place that its configuration names. One that fails takes nothing else with it."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from failoverd.api.actors import Role, Users
from failoverd.api.places import Door, heard_elsewhere, heard_on_host, known_on_host
from failoverd.api.service import Service, ServiceSurroundings
from failoverd.config.schema.config_file import ApiEntry, ApiTcpEntry
from failoverd.core.errors import ConfigError
from failoverd.core.events import ApiFailed, ConfigRejected
from failoverd.core.status import FilesStatus, RefusedFile


class Api:
    """The admin API at work. Make it with `api_of`.

    Attributes:
        port: where other machines reach it; None while they do not.
    """

    def __init__(self, around: ServiceSurroundings, file: Path) -> None:
        self._around = around
        self._file = file
        self._door: Door | None = None
        self._unheard = list[RefusedFile]()
        self.port: int | None = None

    def reread(self) -> None:
        """Take up tokens and certificates as they are now. Those that do not load change nothing, loudly."""
        if self._door is None:
            return
        self._door.reread()
        for each in self._door.refused:
            at, keeps = self._around.clock(), "what that file held when it was read before"
            self._around.emit(ConfigRejected(at=at, file=each.file, errors=(str(each),), keeps=keeps))

    def beside(self, files: FilesStatus, within: float = 0.0) -> FilesStatus:
        """These, and the API's own: what is not at work, and certificates that end within so many seconds."""
        door = self._door
        refused = (*files.refused, *self._unheard, *(door.refused if door is not None else ()))
        warned = (*files.warned, *(door.warned(within) if door is not None else ()))
        return replace(files, refused=tuple(sorted(refused, key=lambda each: each.file)), warned=warned)

    async def hear(self, socket: Path, said: ApiEntry, service: Service, stack: AsyncExitStack) -> None:
        """Serve at each place for as long as the stack lasts."""
        await self._on_host(socket, said, service, stack)
        if said.tcp is not None:
            await self._elsewhere(said.tcp, service, stack)

    async def _on_host(self, socket: Path, said: ApiEntry, service: Service, stack: AsyncExitStack) -> None:
        others = Role(said.others)
        threads = ThreadPoolExecutor(1, "users")
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)
        try:
            users = Users(said.group, others, threads)
            site = service.site(known_on_host(users))
            await stack.enter_async_context(heard_on_host(socket, users, others, site))
        except KeyError:
            self._failed(str(socket), f"there is no group {said.group}", "name another one in api.group")
        except OSError as error:
            self._failed(str(socket), error.strerror or str(error), _NO_SOCKET)

    async def _elsewhere(self, said: ApiTcpEntry, service: Service, stack: AsyncExitStack) -> None:
        try:
            self._door = Door(said, self._around.clock)
            site, listen = service.site(self._door.known, self._door.let_in), said.listen
            self.port = await stack.enter_async_context(heard_elsewhere(listen.address, listen.port, self._door, site))
        except ConfigError as error:
            self._failed(str(said.listen), error.detail, error.remedy)
        except OSError as error:
            remedy = "free the port, or say another one in api.tcp.listen, and restart"
            self._failed(str(said.listen), error.strerror or str(error), remedy)

    def _failed(self, listen: str, error: str, remedy: str) -> None:
        """Nobody is heard there until a restart, whatever the file says."""
        words = f"nobody is heard at {listen}: {error}; {remedy}. A restart tries it again, and moves no traffic"
        self._unheard.append(RefusedFile(str(self._file), words))
        self._around.emit(ApiFailed(at=self._around.clock(), listen=listen, error=error, remedy=remedy))


_NO_SOCKET: Final = (
    "the daemon's user needs the right to write that folder (systemd: RuntimeDirectory=failoverd); "
    "api.socket names another"
)


@asynccontextmanager
async def api_of(around: ServiceSurroundings, file: Path, socket: Path, said: ApiEntry) -> AsyncIterator[Api]:
    """Serve the API for as long as the context lasts. Commands that were begun end before it does."""
    api, service = Api(around, file), Service(around)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(service.close)
        await api.hear(socket, said, service, stack)
        yield api
