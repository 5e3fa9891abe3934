"""The composition root of the daemon: it builds the adapters, starts them and stops them.

`Daemon.run` is the life of the process. Policies come and go with their files; each runs on its own reconciler, so that
what is wrong with one stays with it.
"""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from failoverd import __version__
from failoverd.api.credentials import SOON
from failoverd.api.service import ServiceSurroundings
from failoverd.api.serving import Api, api_of
from failoverd.assembly import authorities_of, coordinator_of, provider_set
from failoverd.config.loader import Config
from failoverd.core.errors import JournalError, ProviderError, describe
from failoverd.core.events import DaemonStarted, DaemonStopped, Event, JournalFailed, MetricsFailed, TaskCrashed
from failoverd.core.health.isolation import SENTINELS
from failoverd.core.overrides import KNOWN
from failoverd.core.records import Policy
from failoverd.core.status import FilesStatus, Heartbeat, NotificationsStatus, Overview, Status
from failoverd.installed import kinds, lease_clock, opened, probers, read_config, steady_clock
from failoverd.operations.commanding import Desk, past_of
from failoverd.operations.glance import headline
from failoverd.operations.handing_over import Resigned, hand_over
from failoverd.operations.judging import people_for
from failoverd.operations.membership import speaker
from failoverd.operations.plan_desk import PlanDesk
from failoverd.operations.self_check import DAY, SelfCheck, until_night
from failoverd.ports import Access, Coordinator, Emit, MetricsSource, ProbeContext, Prober
from failoverd.reloader import Reloader
from failoverd.runtime.descriptors import budget, raise_limit
from failoverd.runtime.engine import Engine, Installation, Surroundings
from failoverd.runtime.lazy_provider import LazyProvider
from failoverd.runtime.orphans import Orphans
from failoverd.runtime.probing import Pace
from failoverd.runtime.scheduling import ApTimetable, watch_clock
from failoverd.runtime.supervising import backoff
from failoverd.store.journal import new_instance, open_journal
from failoverd.store.statuses import StatusReading
from failoverd.telemetry import prose
from failoverd.telemetry.systemd import Notifier
from failoverd.telemetry.vital_signs import Sign, VitalSigns

if TYPE_CHECKING:
    from failoverd.telemetry.notifications.notifier import Notifications

PROVED_AGAIN: Final = 3_600.0
"""Seconds for which a change is proved at its authoritative servers still, when the daemon ended before it was."""

HEARTBEAT: Final = 5.0
"""Seconds between signs of life: in the journal, and to the service manager's watchdog."""

WATCH: Final = 1.0
"""Seconds between looks at whether a configuration file changed. Two have to agree: see `config.settling`."""

PATIENCE: Final = 5.0
"""Seconds that a provider gets to open before the daemon goes on without it, and a reload to end before it stops."""

RETENTION_EVERY: Final = 3_600.0

LONGEST_TELLING_PAUSE: Final = 60.0
"""Seconds between two tries at a receiver of notifications that does not work."""


def pace_of(config: Config) -> Pace:
    """The numbers of probing, within the file descriptors of this process: it gets as many as it may have."""
    said = config.probing
    return Pace(
        slot=said.slot,
        jitter=said.jitter,
        max_in_flight=said.max_in_flight,
        max_per_target=said.max_per_target,
        descriptors=budget(raise_limit()),
    )


class Daemon:
    """failoverd, from start to stop.

    Args:
        path: the daemon's configuration file.
        sinks: who is told of every event besides the journal: logs, a live view.
    """

    def __init__(self, path: Path, sinks: Sequence[Emit]) -> None:
        self._path = path
        self._sinks = list(sinks)
        self._known = kinds()
        self._clock = steady_clock()
        self._started_at = self._clock()
        self._notifier = Notifier(os.environ)
        self._signs = VitalSigns(time.monotonic, self._beside)
        self._stop = asyncio.Event()
        self._cause = ""
        self._taking_in = asyncio.Lock()
        self._jobs: set[asyncio.Task[None]] = set()
        self._statuses: Callable[[], list[Status]] = list
        self._emit: Emit = self._tell
        self._notifications: Notifications | None = None
        self._engine: Engine
        self._hearing = AsyncExitStack()
        self._api: Api | None = None
        self.providers: Mapping[str, LazyProvider] = {}

    # -- the life of the process ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Start, work until a signal or `stop`, and leave every record exactly as it is.

        Raises:
            ConfigError: there is nothing to run: the daemon's own configuration does not load.
            JournalError: `journal_in_use`, another daemon works with this journal.
        """
        config = read_config(self._path)
        async with AsyncExitStack() as stack:
            self._journal = await stack.enter_async_context(
                open_journal(config.journal, self._tell_journal, prose.told, sole=True)
            )
            self._timetable = stack.enter_context(ApTimetable(self.emit, self._clock))
            self.providers = provider_set(config, Access.WRITE, stack)
            sources = await self._sources(config, stack)
            coordinator = await coordinator_of(config, stack)
            self._engine = self._assemble(config, await self._instance(), sources, coordinator)
            self._emit = self._engine.emit
            self._statuses = self._engine.statuses
            self._reloader = Reloader(
                self._path, config, self._known, self._engine.runner, self._equip, self.emit, self._clock
            )
            self._engine.member.follow_files(lambda: self._reloader.claims)
            self._self_check = SelfCheck(self._journal, self.emit, self._clock)
            self._orphans = Orphans(self._journal, self._engine.writer, self.emit, self._clock)
            await self._notify(config, stack)
            await self._resume()
            await self._expose(config, stack)
            with self._signals():
                try:
                    await self._start(config)
                    await self._stop.wait()
                finally:
                    await self._finish()

    async def _instance(self) -> str:
        """The id that markers name this daemon by: that of its journal, so that a restart is the same one.

        While the journal does not work, the id is in memory alone, and is kept later.
        """
        with suppress(JournalError):  # told where it was opened
            return await self._journal.instance()
        return new_instance()

    @staticmethod
    async def _sources(config: Config, stack: AsyncExitStack) -> Mapping[str, MetricsSource]:
        """Who measures what policies want to know."""
        if not config.prometheus:
            return {}
        from failoverd.signals.prometheus import PrometheusSource, asking  # noqa: PLC0415 - HTTP, for who measures

        session = await stack.enter_async_context(asking())
        return {
            name: PrometheusSource(session, said.url, said.every, said.timeout, said.bearer_file, said.ca_file)
            for name, said in config.prometheus.items()
        }

    def _assemble(
        self,
        config: Config,
        instance: str,
        sources: Mapping[str, MetricsSource],
        coordinator: Coordinator | None,
    ) -> Engine:
        around = Surroundings(
            journal=self._journal,
            providers=self.providers,
            authorities=authorities_of(config, self._clock),
            timetable=self._timetable,
            clock=self._clock,
            emit=self._tell,
            sources=sources,
            coordinator=coordinator,
            lease_clock=lease_clock(),
            wall_clock=time.time,
        )
        said = Installation(
            owner=config.owner,
            isolation=config.isolation,
            sentinels=tuple((sentinel.endpoint, sentinel.check) for sentinel in config.sentinels),
            pace=pace_of(config),
            dispute_after=config.dispute_after,
            instance=instance,
            host=socket.gethostname(),
            membership=config.coordination.membership if config.coordination is not None else None,
            unfenced=frozenset(name for name, entry in config.providers.items() if not entry.fenced),
        )
        return Engine(said, around)

    async def _start(self, config: Config) -> None:
        if self._engine.lead.candidate:  # a vantage has no credentials
            await asyncio.gather(*(self._open(provider) for provider in self.providers.values()))
        await self._watch_sentinels(config)
        async with self._taking_in:
            await self._reloader.load()
        self._engine.attend()
        await self._hear(config)
        await self._engine.writer.update_status(self._engine.runner.overview())
        claims = self._reloader.claims
        if claims.whole:  # a file that does not load may be mended in a minute, and its policy goes on
            kept = {*self._engine.runner.policies, *claims.unsure}
            await self._engine.writer.protect(self._journal.retain(kept, self._clock()))
        forgetful = [name for name, provider in self.providers.items() if provider.in_daemon]
        await self._orphans.look(claims, forgetful)
        self._signs.beat()
        watchdog = self._notifier.watchdog_interval
        self._timetable.every("heartbeat", min(HEARTBEAT, watchdog / 2) if watchdog else HEARTBEAT, self._beat)
        self._timetable.every("tick", config.tick, self._tick, phase=config.tick)
        self._timetable.every("configuration watch", WATCH, self._watch_files, phase=WATCH)
        self._timetable.every("retention", RETENTION_EVERY, partial(self._prune, config.retention), phase=60.0)
        self._timetable.every("self-check", DAY, self._self_check.look, phase=lambda: until_night(time.time()))
        self.emit(
            DaemonStarted(
                at=self._clock(),
                version=__version__,
                policies=tuple(sorted(self._engine.runner.policies)),
                providers=tuple(sorted(self.providers)),
                pid=os.getpid(),
                instance=self._engine.instance,
            )
        )
        self._signs.start()
        self._notifier.ready(self._status())

    async def _finish(self) -> None:
        """Stop probing, let writes under way finish, write the last events. Records stay as they are."""
        self._stop.set()
        self._signs.stop()
        self._notifier.stopping()
        await self._hearing.aclose()
        await self._end_jobs()
        await self._engine.halt(self._notifications.hand_over if self._notifications is not None else None)
        self.emit(DaemonStopped(at=self._clock(), cause=self._cause or "it failed"))
        await self._engine.close()
        await self._engine.writer.update_status([*self._signs_of_life("stopped"), *self._telling()])

    def stop(self, cause: str) -> None:
        self._cause = self._cause or cause
        self._stop.set()

    def emit(self, event: Event) -> None:
        """Tell everybody, and the journal once there is one."""
        self._emit(event)

    def _tell(self, event: Event) -> None:
        """The order of sinks is the order in which they were given."""
        for sink in self._sinks:
            sink(event)

    def snapshot(self) -> list[Status]:
        """Where every policy, region and target stands. Empty before the daemon runs."""
        return self._statuses()

    # -- starting ------------------------------------------------------------------------------------------------------

    async def _resume(self) -> None:
        """Take up what an earlier process left: the state of each policy, and intents whose outcome nobody knows."""
        states = await self._engine.writer.protect(self._journal.states(), reads=True) or ()
        interrupted = await self._engine.writer.protect(self._journal.interrupted(self._clock())) or ()
        clock_watch = partial(watch_clock, self._timetable, self.emit, self._clock)
        words = await self._engine.writer.protect(self._journal.overrides(self._clock() - KNOWN), reads=True) or ()
        lately = self._clock() - PROVED_AGAIN
        proofs = await self._engine.writer.protect(self._journal.proofs(lately), reads=True) or ()
        await self._engine.writer.belong(self._engine.instance)
        telling = self._notifications.work() if self._notifications is not None else {}
        self._engine.start(states, interrupted, words, proofs, clock_watch=clock_watch, **telling)

    async def _notify(self, config: Config, stack: AsyncExitStack) -> None:
        """Tell people of what needs them, where the configuration says whom: of what an earlier process told, too."""
        if not config.notify:
            before = await self._told_before(config)
            if before is not None and before.receivers:  # nobody is told any more
                await self._engine.writer.update_status([NotificationsStatus(self._clock())])
            return
        from failoverd.telemetry.notifications import notifier  # noqa: PLC0415 - HTTP, for those who want it

        self._notifications = await stack.enter_async_context(
            notifier.telling(
                notifier.addresses(config.notify, config.owner),
                keep=lambda status: self._engine.writer.update_status([status]),
                runbook_of=self._runbook_of,
                pause=partial(backoff, first=1.0, longest=LONGEST_TELLING_PAUSE),
                emit=self.emit,
                clock=self._clock,
                colleagues=self._engine.member.notices,
            )
        )
        self._sinks.append(self._notifications.take)
        self._notifications.resume(await self._told_before(config))

    async def _told_before(self, config: Config) -> NotificationsStatus | None:
        """What an earlier process told people of, once the journal is brought to this version."""
        await self._engine.writer.protect(self._journal.touch())
        return await asyncio.to_thread(_told_before, config.journal)

    def _runbook_of(self, policy: str) -> str:
        found = self._engine.runner.policies.get(policy)
        return found.runbook if found is not None else ""

    async def _expose(self, config: Config, stack: AsyncExitStack) -> None:
        """Serve the metrics and the signs of life, where that is asked for. Without them, everything else goes on."""
        if config.metrics is None:
            return
        from failoverd.telemetry.exposing import exposed  # noqa: PLC0415 - an HTTP server, for those who want one
        from failoverd.telemetry.metrics import Metrics, Work  # noqa: PLC0415 - the same reason

        engine, listen = self._engine, config.metrics.listen

        def work() -> Work:
            return Work(
                now=self._clock(),
                targets=engine.runner.figures(),
                calls=tuple(figures for provider in self.providers.values() for figures in provider.figures()),
                words=engine.words(),
                journal_failing=engine.writer.trouble is not None,
                journal_failures=engine.writer.failures,
                signals=engine.measuring.figures(),
                replayed=self._self_check.figures,
            )

        metrics = Metrics(engine.probing.figures, self._told_by_metrics, __version__, self._started_at, work)
        try:
            await stack.enter_async_context(exposed(listen.address, listen.port, metrics, self._signs))
        except OSError as error:
            self.emit(MetricsFailed(at=self._clock(), listen=str(listen), error=error.strerror or str(error)))

    async def _hear(self, config: Config) -> None:
        """Hear operators, once there is something that they can speak about. Where that fails, it is told."""
        around = ServiceSurroundings(
            desk=Desk(self._engine, self._clock, past_of(config.journal), self._people),
            plans=PlanDesk(self._engine, self._clock),
            overview=self._overview,
            heartbeat=lambda: self._heartbeat("running"),
            reload=self._reload_for,
            hand_over=self._hand_over,
            journal=config.journal,
            keeper=self._engine.writer,
            emit=self.emit,
            clock=self._clock,
        )
        api = api_of(around, config.file, config.socket, config.api)
        self._api = await self._hearing.enter_async_context(api)

    def _people(self, rules: Iterable[str]) -> int:
        return people_for(self._engine.tools.rulebook.rules, rules)

    async def _reload_for(self) -> FilesStatus:
        """For an operator, who is told what was refused."""
        await self._soon(self.reload())
        return self._with_api(self._reloader.refused, SOON)

    async def _hand_over(self, seconds: float, actor: str, reason: str, anyway: bool) -> Resigned:
        """For an operator."""
        engine = self._engine
        return await hand_over(engine.member.lead, engine.members(), self._clock, seconds, actor, reason, anyway=anyway)

    def _files(self) -> FilesStatus:
        """What of all that files say is not at work."""
        return self._with_api(self._reloader.status)

    def _with_api(self, files: FilesStatus, within: float = 0.0) -> FilesStatus:
        return self._api.beside(files, within) if self._api is not None else files

    async def _overview(self) -> Overview:
        """As it is now: whoever just gave a record back, in another process, does not find it here any more."""
        await self._look_at_orphans()
        engine = self._engine
        own: list[Status] = [engine.probing.status(), engine.overrides.planned()]
        return replace(Overview.of([*self._told_by_metrics(), *own]), journal=engine.writer.trouble)

    def _told_by_metrics(self) -> list[Status]:
        return [*self._of_daemon(), *self._engine.runner.statuses()]

    def _of_daemon(self) -> list[Status]:
        """What stands of no policy."""
        engine = self._engine
        return [engine.board.vantage(), self._orphans.status, self._files(), engine.members(), *self._telling()]

    def _telling(self) -> list[Status]:
        return [self._notifications.status] if self._notifications is not None else []

    async def _watch_sentinels(self, config: Config) -> None:
        if not config.sentinels:
            return
        checks = [sentinel.check for sentinel in config.sentinels]
        context = ProbeContext(SENTINELS, self._clock, self._journal)
        self._engine.watch_sentinels(await asyncio.to_thread(opened, checks, self._known, context))

    def _tell_journal(self, error: JournalError) -> None:
        self.emit(JournalFailed(at=self._clock(), reason=error.reason, error=str(error)))

    async def _open(self, provider: LazyProvider) -> None:
        """Open early, so that an embedded server answers at once. One that fails is tried again when it is needed."""
        with suppress(ProviderError, TimeoutError):  # its targets say so, each in its own first round
            async with asyncio.timeout(PATIENCE):
                await provider.open()

    # -- policies come and go ------------------------------------------------------------------------------------------

    async def reload(self) -> None:
        """Read every file again, and try what waits for a provider. What does not load changes nothing, loudly."""
        if self._api is not None:  # before all else: who was shut out is not to wait for a policy that is taken up
            self._api.reread()
        await self._take_in(self._reloader.reload)
        self._engine.runner.retry()

    async def _follow(self) -> None:
        """The same with what has come to rest."""
        await self._take_in(self._reloader.follow)

    async def _take_in(self, work: Callable[[], Awaitable[None]]) -> None:
        async with self._taking_in:
            if self._stop.is_set():
                return
            self._notifier.reloading()
            try:
                await work()
                await self._orphans.look(self._reloader.claims)
                await self._engine.writer.update_status([self._files(), *self._engine.runner.overview()])
            finally:
                self._notifier.ready(self._status())

    async def _retry(self) -> None:
        async with self._taking_in:
            if not self._stop.is_set():
                await self._reloader.retry()

    async def _watch_files(self) -> None:
        if await self._reloader.changed():
            await self._soon(self._follow())
        elif self._reloader.waits():
            await self._soon(self._retry())

    def _soon(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """In the background, and ended before the runner is when the daemon stops."""
        job = asyncio.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job

    async def _end_jobs(self) -> None:
        jobs = set(self._jobs)
        if jobs:
            await asyncio.wait(jobs, timeout=PATIENCE)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    def _equip(self, policy: Policy) -> dict[str, Prober]:
        return probers(policy, self._known, self._clock, self._journal)

    # -- regular work --------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        self._engine.runner.tick()
        await self._look_at_orphans()

    async def _look_at_orphans(self) -> None:
        if self._orphans.status.records:  # `disown` in another process ends it
            await self._orphans.look(self._reloader.claims)

    async def _beat(self) -> None:
        self._notifier.watchdog()
        self._signs.beat()
        self._signs.headline = self._status()
        self._notifier.status(self._signs.headline)
        await self._engine.writer.update_status(self._signs_of_life("running"))
        await self._engine.remind(self._orphans.status, *self._telling())
        if self._notifications is not None:
            self._notifications.look(self._standing())

    async def _prune(self, retention: float) -> None:
        await self._engine.writer.protect(self._journal.prune(self._clock() - retention))

    def _beside(self) -> list[Sign]:
        """What `/readyz` looks at besides the daemon's own life."""
        refused = self._reloader.status.refused
        idle = "" if self._engine.policies or not refused else f"none runs, for {refused[0].file} does not load"
        silent = (
            ""
            if self._engine.writer.trouble is None
            else "it cannot be written or read, and traffic is steered without it"
        )
        signs = [Sign("policies", idle), Sign("journal", silent, counts=False)]
        told = self._engine.members()
        if told.member:
            unheard = "" if told.coordinated else f"it does not answer, and {speaker(told)}"
            signs.append(Sign("coordinator", unheard, counts=False))
        return signs

    def _signs_of_life(self, state: str) -> list[Status]:
        own: list[Status] = [
            self._heartbeat(state),
            self._engine.board.vantage(),
            self._engine.probing.status(),
            self._files(),
            self._engine.overrides.planned(),
            self._engine.members(),
        ]
        return [*own, *self._engine.runner.overview()]

    def _heartbeat(self, state: str) -> Heartbeat:
        # The wall clock, not the steady one: whoever judges by it that the daemon is silent has no other, and once the
        # clock was set, the steady one differs from theirs until a restart.
        return Heartbeat(time.time(), os.getpid(), self._started_at, __version__, state, self._engine.instance)

    def _status(self) -> str:
        """The headline of `failoverctl status`. It is only words: a defect in them ends no start and no heartbeat."""
        try:
            return headline(self._standing(), self._clock(), by_daemon=True)
        except Exception as error:  # noqa: BLE001 - the boundary that keeps a defect in a view out of the daemon's life
            told = describe(error)
            self.emit(TaskCrashed(at=self._clock(), policy="", task="headline", error=told, restart_in=HEARTBEAT))
            return f"where things stand cannot be said, for a defect in failoverd; it goes on steering: {told}"

    def _standing(self) -> Overview:
        whole = Overview.of([*self._of_daemon(), *self._engine.runner.standing()])
        return replace(whole, journal=self._engine.writer.trouble, overrides=self._engine.words())

    def _signals(self) -> "_Signals":
        return _Signals(
            {
                signal.SIGTERM: partial(self.stop, "SIGTERM"),
                signal.SIGINT: partial(self.stop, "SIGINT"),
                signal.SIGHUP: self._reload_soon,
            }
        )

    def _reload_soon(self) -> None:
        self._soon(self.reload())


def _told_before(journal: Path) -> NotificationsStatus | None:
    """What an earlier process told people of."""
    try:
        with StatusReading(journal) as reading:
            return reading.notifications()
    except JournalError:
        return None  # why it cannot be read is told by what else needs it


class _Signals:
    """Signal handlers for as long as the context lasts; then what was done about each signal before."""

    def __init__(self, handlers: Mapping[signal.Signals, Callable[[], None]]) -> None:
        self._handlers = handlers
        self._before = {number: signal.getsignal(number) for number in handlers}

    def __enter__(self) -> None:
        for number, handler in self._handlers.items():
            asyncio.get_running_loop().add_signal_handler(number, handler)

    def __exit__(self, *_: object) -> None:
        for number in self._handlers:
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, self._before[number])
