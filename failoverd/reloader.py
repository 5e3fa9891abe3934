"""From files to policies at work: what changed is taken up, what does not load or cannot be set up changes nothing.

Each policy is taken up by itself: whatever is wrong with one is said, and all the others go on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

from failoverd.config.drills import planner_of_all
from failoverd.config.listing import stamp
from failoverd.config.loader import Config, PolicyLoader, PolicySet, load_config, watch
from failoverd.config.settling import DOUBTFUL, Watch
from failoverd.core.errors import ConfigError, describe
from failoverd.core.events import ConfigDeferred, ConfigRejected
from failoverd.core.records import Maintenance, Policy, Practice
from failoverd.core.status import FilesStatus, RefusedFile
from failoverd.ports import Clock, Emit, Kinds, Prober
from failoverd.runtime.orphans import Claims
from failoverd.runtime.policy_runner import PolicyRunner

_TOGETHER: Final = 32
"""Policies that are set up together: to go to a thread and back costs more than to set one up."""


def claims_of(found: PolicySet, running: Mapping[str, Policy]) -> Claims:
    """What the files name, those included that run on because a newer file does not load."""
    policies = [*found.policies.values(), *running.values()]
    return Claims(
        targets=frozenset(target for policy in policies for target in policy.targets),
        unsure=frozenset(each.named for each in found.rejected.values()),
        whole=all(each.named or each.policies for each in found.rejected.values()),
    )


Equip = Callable[[Policy], Mapping[str, Prober]]
"""The probers of a policy's checks. Reads files; raises ConfigError when a check cannot be set up here."""


class Reloader:
    """Makes the runner follow the files. One call at a time: its methods are not meant to overlap.

    Args:
        path: the daemon's configuration file.
        config: what it said at the start, which holds until a restart.
    """

    def __init__(
        self, path: Path, config: Config, known: Kinds, runner: PolicyRunner, equip: Equip, emit: Emit, clock: Clock
    ) -> None:
        self._path = path
        self._config = config
        self._known = known
        self._loader = PolicyLoader(config, known)
        self._runner = runner
        self._equip = equip
        self._emit = emit
        self._clock = clock
        self._equipping = asyncio.Lock()  # checks share what they read, so they are set up one after the other
        self._watch = watch(config)
        self._deferred: tuple[str, ...] = ()
        self._told: dict[str, tuple[RefusedFile, ...]] = {}
        self._refused: dict[str, Policy] = {}
        self._of_all: tuple[Maintenance, ...] = ()
        self._practices: tuple[Practice, ...] = ()
        self.claims = Claims()
        """What the files named when they were read last."""

    @property
    def status(self) -> FilesStatus:
        """What could not be taken up. What keeps a newer revision of a running policy away is told of that policy."""
        running = {policy.source.file for policy in self._runner.policies.values()}
        told = running | ({str(self._config.policies)} if running else set())
        whole = self.refused
        return replace(whole, refused=tuple(each for each in whole.refused if each.file not in told))

    @property
    def refused(self) -> FilesStatus:
        """Every file that is not at work as it stands there, newer revisions of running policies among them."""
        found = tuple(errors[0] for _, errors in sorted(self._told.items()))
        return FilesStatus(self._clock(), found, self._deferred)

    def waits(self) -> bool:
        """Whether a policy loads and still could not be taken up, so that `retry` may help."""
        return bool(self._refused)

    async def changed(self) -> bool:
        """Look at the files: whether any of them changed and has come to rest, which `follow` is for.

        Call it regularly, for it compares what it sees with what it saw the last time.
        """
        return await asyncio.to_thread(self._watch.look)

    async def load(self) -> None:
        """Read the policies, and let the runner run what they say."""
        await asyncio.to_thread(self._watch.accept)
        await self._follow(None)

    async def reload(self) -> None:
        """Read every file again, at rest or not: somebody asks for it.

        What does not load changes nothing, and is said loudly; so is a defect in here.
        """
        await asyncio.to_thread(self._watch.accept)
        await self._reread(None)

    async def follow(self) -> None:
        """The same for what has come to rest. What may be half written is left for the next look."""
        doubted = await self._reread(self._watch)
        await asyncio.to_thread(self._watch.took, doubted)

    async def retry(self) -> None:
        """Try again what could not be taken up. The same failure is not said again."""
        await self._take_up_all(list(self._refused.values()))

    # -- parts ---------------------------------------------------------------------------------------------------------

    async def _reread(self, watch: Watch | None) -> frozenset[Path]:
        """Read what changed. The files that are to be looked at once more."""
        doubted = frozenset[Path]()
        try:
            if watch is None or await asyncio.to_thread(lambda: watch.rests(self._path, stamp(self._path), DOUBTFUL)):
                sound = await self._reread_config()
            else:
                sound, doubted = False, doubted | {self._path}  # nobody waits for it, so it is never read in haste
            doubted |= await self._follow(watch)
        except Exception as error:  # noqa: BLE001 - what runs goes on, whatever goes wrong with reading files
            self._reject((RefusedFile(str(self._path), describe(error)),))
        else:
            if sound:
                self._told.pop(str(self._path), None)
        return doubted

    async def _reread_config(self) -> bool:
        """Whether the daemon's own file loads. It is taken up at a restart alone."""
        loaded = await asyncio.to_thread(load_config, self._path, self._known)
        if loaded.config is None:
            file = str(self._path)
            self._reject(tuple(found.refusal(file) for found in loaded.diagnostics if found.is_error))
            return False
        self._defer(loaded.config)
        return True

    def _defer(self, config: Config) -> None:
        """The daemon's own settings are taken up at a restart; say which ones wait for it."""
        waiting = tuple(
            spec.name for spec in fields(config) if getattr(config, spec.name) != getattr(self._config, spec.name)
        )
        if waiting and waiting != self._deferred:
            self._emit(ConfigDeferred(at=self._clock(), file=str(self._path), settings=waiting))
        self._deferred = waiting

    async def _follow(self, watch: Watch | None) -> frozenset[Path]:
        running = self._runner.policies
        found = await asyncio.to_thread(self._loader.load, running, watch)
        wanted = [policy for name, policy in found.policies.items() if running.get(name) != policy]
        gone = [running[name] for name in set(running) - set(found.policies) - found.kept]
        if found.rules is not None:  # before the policies: none of them moves unbound
            self._runner.obey(found.rules)
        self._of_all = found.maintenance if found.maintenance is not None else self._of_all
        self._practices = found.practices if found.practices is not None else self._practices
        if not running:
            self._runner.expect(planner_of_all(found.policies, self._of_all, self._practices))  # the same at the start
        self._refused = {}
        self._reject_files(found, {policy.source.file for policy in wanted})
        await self._restore(found, wanted)
        await asyncio.gather(*(self._remove(policy) for policy in gone), self._take_up_all(wanted))
        self._runner.expect(planner_of_all(self._runner.policies, self._of_all, self._practices))
        self.claims = claims_of(found, self._runner.policies)
        self._runner.announce(self.claims.targets, whole=self.claims.whole and not self._lame(found))
        return found.doubted

    def _lame(self, found: PolicySet) -> frozenset[str]:
        """Policies whose file does not load, and that do not run on as they were."""
        return frozenset(each.named for each in found.rejected.values()) - self._runner.policies.keys() - {""}

    async def _restore(self, found: PolicySet, wanted: Iterable[Policy]) -> None:
        """Before anything is set up, which takes a while: what is answered from memory is answered as before."""
        lame, whole = self._lame(found), claims_of(found, self._runner.policies).whole

        def unread(policy: str) -> bool:
            return policy in lame or not (whole or policy in found.policies)

        for policy in wanted:
            await self._alone(policy, self._runner.restore(policy))
        if lame or not whole:
            await self._runner.restore_unread(unread)

    async def _take_up_all(self, policies: Sequence[Policy]) -> None:
        """A few at a time, so that what runs is not kept waiting; who waits for a write under way holds up nobody."""
        async with asyncio.TaskGroup() as group:
            for start in range(0, len(policies), _TOGETHER):
                some = policies[start : start + _TOGETHER]
                async with self._equipping:
                    equipped = await asyncio.to_thread(self._equip_each, some)
                for policy, probers in zip(some, equipped, strict=True):
                    group.create_task(self._take_up(policy, probers))

    def _equip_each(self, policies: Iterable[Policy]) -> list[Mapping[str, Prober] | Exception]:
        return [self._equip_alone(policy) for policy in policies]

    def _equip_alone(self, policy: Policy) -> Mapping[str, Prober] | Exception:
        try:
            return self._equip(policy)
        except Exception as error:  # noqa: BLE001 - it is raised again where it is said of this policy alone
            return error

    async def _take_up(self, policy: Policy, probers: Mapping[str, Prober] | Exception) -> None:
        """Run a policy, or its newer revision, unless it cannot be set up here (a missing CA file, say)."""
        if await self._alone(policy, self._start(policy, probers)):
            self._refused.pop(policy.name, None)
            self._told.pop(policy.source.file, None)
        else:
            self._refused[policy.name] = policy

    async def _start(self, policy: Policy, probers: Mapping[str, Prober] | Exception) -> None:
        if isinstance(probers, Exception):
            raise probers
        await self._runner.take_up(policy, probers)

    async def _remove(self, policy: Policy) -> None:
        await self._alone(policy, self._runner.remove(policy.name))

    async def _alone(self, policy: Policy, work: Awaitable[None]) -> bool:
        """Whether it went well. If not, it is said of this policy, and the others are none the wiser."""
        try:
            await work
        except ConfigError as error:
            self._reject((RefusedFile(policy.source.file, error.wrong, error.place),), (policy.name,))
        except Exception as error:  # noqa: BLE001 - a defect that one policy brings to light stays with that policy
            self._reject((RefusedFile(policy.source.file, describe(error)),), (policy.name,))
        else:
            return True
        return False

    # -- what is wrong with files --------------------------------------------------------------------------------------

    def _reject_files(self, found: PolicySet, wanted: set[str]) -> None:
        """Say what does not load. The policies that it held go on as they were."""
        for name in self._runner.policies:
            self._runner.reject(name, "")
        for rejected in found.rejected.values():
            self._reject(rejected.errors, rejected.policies)
        for file in self._told.keys() - found.rejected.keys() - wanted - {str(self._path)}:
            del self._told[file]

    def _reject(self, errors: tuple[RefusedFile, ...], policies: tuple[str, ...] = ()) -> None:
        """Once for each set of errors of a file: one that is merely read again is no news."""
        file, said = errors[0].file, tuple(map(str, errors))
        for name in policies:
            self._runner.reject(name, said[0])
        if self._told.get(file) == errors:
            return
        self._told[file] = errors
        policy = policies[0] if len(policies) == 1 else ""
        keeps = self._keeps(file, policies)
        self._emit(ConfigRejected(at=self._clock(), policy=policy, file=file, errors=said, keeps=keeps))

    def _keeps(self, file: str, policies: tuple[str, ...]) -> str:
        """What goes on in spite of it."""
        running = self._runner.policies
        if file == str(self._path):
            return "the configuration that was read at the start"
        if file == str(self._config.policies):
            return "every policy that runs" if running else "a daemon without policies"
        kept = [f"revision {running[name].source.revision} of policy {name}" for name in policies if name in running]
        return ", ".join(kept)
