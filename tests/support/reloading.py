"""Policy files, and a runner that follows them, without a daemon around it."""

import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from support.files import KINDS, policy
from support.files import Folder as Files
from support.stage import Stage

from failoverd.core.events import Event
from failoverd.core.records import Capabilities, Policy
from failoverd.ports import Access, Kinds, Prober, Provider, ProviderKind
from failoverd.reloader import Reloader
from failoverd.runtime.lazy_provider import LazyProvider
from failoverd.runtime.policy_runner import PolicyRunner
from failoverd.settings import ProviderSettings
from failoverd.simulation.virtual_time import now


class Scene:
    """Policy files, and a runner that follows them. `broken` says what keeps a policy from being set up."""

    def __init__(self, root: Path, stack: AsyncExitStack, kinds: Kinds = KINDS) -> None:
        self.files = Files(root)
        self.stage = Stage()
        self.broken: dict[str, Exception] = {}
        self.equipped_in: list[threading.Thread] = []
        kind = ProviderKind("paper", ProviderSettings, Capabilities({}, 255), self._open)
        providers = {"cloud": LazyProvider("cloud", kind, None, Access.WRITE, stack)}
        self.runner = PolicyRunner(self.stage.engine.tools, self.stage.board, self.stage.probing, providers)
        path, emit = root / "failoverd.yaml", self.stage.emit
        self.reloader = Reloader(path, self.files.config, kinds, self.runner, self._equip, emit, now)

    def write(self, *names: str, **changes: str) -> None:
        for name in names:
            self.files.write(f"{name}.yaml", policy(name, f"{name}.example.net", **changes))

    def told(self, kind: type[Event]) -> list[str]:
        return [event.policy for event in self.stage.told(kind)]

    @asynccontextmanager
    async def _open(self, *_: object) -> AsyncIterator[Provider]:
        yield self.stage.dns

    def _equip(self, wanted: Policy) -> Mapping[str, Prober]:
        self.equipped_in.append(threading.current_thread())
        if wanted.name in self.broken:
            raise self.broken[wanted.name]
        return {check.name: self.stage.world.prober(check) for check in wanted.checks}


@asynccontextmanager
async def playing(root: Path, kinds: Kinds = KINDS) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        scene = Scene(root, stack, kinds)
        try:
            yield scene
        finally:
            await scene.runner.close()
            await scene.stage.timetable.close()
