"""What the daemon and the operator's verbs are both built of, and the session that these work in.

A process that answers one question imports this, and not the daemon.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from failoverd.authorities import Delegations, DnsAuthorities, Served
from failoverd.config.coordinating import MEMBER_VARIABLE, unsaid
from failoverd.config.drills import planner_of_all
from failoverd.config.loader import Config, PolicySet, load_policies
from failoverd.config.schema.coordination import EtcdSettings, KubernetesSettings
from failoverd.core.errors import ConfigError, CoordinationError, JournalError
from failoverd.core.events import Event
from failoverd.core.overrides import KNOWN
from failoverd.installed import kinds, opened, read_config, steady_clock
from failoverd.operations.session import Session
from failoverd.operations.waiting import Waiting
from failoverd.ports import Access, Clock, Coordinator, Kinds, ProbeContext
from failoverd.reloader import claims_of
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.lazy_provider import LazyProvider
from failoverd.runtime.lead import Alone
from failoverd.runtime.orphans import Orphans
from failoverd.runtime.override_book import Overrides
from failoverd.runtime.proving import Prover
from failoverd.runtime.states import States
from failoverd.store.access import copied, require_readable
from failoverd.store.failures import journal_errors
from failoverd.store.journal import SqliteJournal, open_journal
from failoverd.store.reading import HistoryReading
from failoverd.telemetry import prose

CONNECTIONS: Final = 16
"""To the coordinator at once: each watch keeps one."""

LEAST_PATIENCE: Final = 1.0
"""Seconds that one of the coordinator's servers gets to answer at least, however short the lease."""

FRESH: Final = 60.0
"""Seconds for which what the daemon last said of a region's past is believed."""


def provider_set(
    config: Config, access: Access, stack: AsyncExitStack, *, beside_daemon: bool = False
) -> dict[str, LazyProvider]:
    """Every configured provider, not opened yet; they close with the stack.

    `beside_daemon` is for other processes: what lives in the daemon's memory can only be read from there.
    """
    opened = {}
    for name, entry in config.providers.items():
        reachable = Access.READ if beside_daemon and entry.kind.in_daemon else access
        opened[name] = LazyProvider(name, entry.kind, entry.settings, reachable, stack)
    return opened


def authorities_of(config: Config, clock: Clock) -> DnsAuthorities:
    """The authoritative servers of every configured provider, asked to prove a change."""
    served = {
        name: Served(entry.settings.authorities(), entry.capabilities) for name, entry in config.providers.items()
    }
    return DnsAuthorities(served, Delegations(config.resolver, clock))


async def coordinator_of(config: Config, stack: AsyncExitStack) -> Coordinator | None:
    """Where the members of this installation agree, for as long as the stack is open. None: this daemon is alone.

    Nobody is asked yet.

    Raises:
        ConfigError: nothing says which of the members this daemon is, or it is in no cluster that could be asked.
    """
    said = config.coordination
    if said is None:
        return None
    if said.me is None:
        names = ", ".join(each.name for each in said.members)
        remedy = f"write `member` below `coordination`, or set {MEMBER_VARIABLE}: one of {names}"
        raise ConfigError(unsaid(), reason="member_unknown", remedy=remedy, place=str(config.file))
    if isinstance(said.engine, EtcdSettings):
        return await _etcd(said.engine, said.member, said.lease, stack)
    return await _kubernetes(said.engine, config, said.member, said.lease, stack)


async def _etcd(said: EtcdSettings, member: str, lease: float, stack: AsyncExitStack) -> Coordinator:
    from failoverd.coordination.etcd.etcd_coordinator import EtcdCoordinator  # noqa: PLC0415 - HTTP, for those who want it
    from failoverd.coordination.etcd.gateway import Gateway  # noqa: PLC0415 - the same reason
    from failoverd.http_client import ShownCertificate, http_session  # noqa: PLC0415 - the same reason

    session = await stack.enter_async_context(http_session("etcd", limit=CONNECTIONS, per_host=CONNECTIONS))
    shown = ShownCertificate(said.cert_file, said.key_file) if said.cert_file and said.key_file else None
    gateway = Gateway(
        session,
        said.endpoints,
        patience=max(lease / 10, LEAST_PATIENCE),
        silence=lease / 2,  # votes have to be heard again before who gave them is held to be gone
        user=said.user or "",
        password_file=said.password_file,
        ca_file=said.ca_file,
        shown=shown,
    )
    return EtcdCoordinator(gateway, said.prefix or "", member, lease)


async def _kubernetes(
    said: KubernetesSettings, config: Config, member: str, lease: float, stack: AsyncExitStack
) -> Coordinator:
    from failoverd.coordination.kubernetes.api_server import ApiServer  # noqa: PLC0415 - HTTP, for those who want it
    from failoverd.coordination.kubernetes.config_maps import Namespaced  # noqa: PLC0415 - the same reason
    from failoverd.coordination.kubernetes.kubernetes_coordinator import (  # noqa: PLC0415 - the same reason
        KubernetesCoordinator,
    )
    from failoverd.coordination.kubernetes.service_account import ServiceAccount  # noqa: PLC0415 - the same reason
    from failoverd.http_client import http_session  # noqa: PLC0415 - the same reason

    try:
        account = ServiceAccount.of_pod(os.environ)
        namespace = said.namespace or await account.namespace()
    except CoordinationError as error:
        raise ConfigError(error.detail, reason=error.reason, remedy=error.remedy, place=str(config.file)) from None
    session = await stack.enter_async_context(http_session("kubernetes", limit=CONNECTIONS, per_host=CONNECTIONS))
    server = ApiServer(session, account, namespace, patience=max(lease / 10, LEAST_PATIENCE))
    found = KubernetesCoordinator(server, Namespaced(config.owner), member, lease, steady_clock())
    stack.push_async_callback(found.close)
    return found


Files = Callable[[Config, Kinds], PolicySet]
"""Which policies there are."""


def _at_work(config: Config, known: Kinds) -> PolicySet:
    return load_policies(config, known, running={})


@asynccontextmanager
async def session(
    path: Path, access: Access, waits: Callable[[Waiting], None] = lambda _: None, files: Files = _at_work
) -> AsyncIterator[Session]:
    """Open everything that an operator's verbs need. With `Access.READ` no provider has a way to write.

    `waits` is told how far it is, with what takes time. `files`: which policies, if not those of the configuration.
    """
    config, clock, events, known = read_config(path), steady_clock(), list[Event](), kinds()
    async with AsyncExitStack() as stack:
        journal = await _journal_of(config.journal, access, stack)
        writer = JournalWriter(journal, events.append, clock)
        lead = Alone(epoch=_epoch(config.journal) if config.coordination is not None else 0)
        states = States(writer, events.append, Overrides(writer, events.append, clock), lead)
        found = files(config, known)
        states.overrides.follow(planner_of_all(found.policies, found.maintenance or (), found.practices or ()))

        async def remember() -> None:
            states.resume(await writer.protect(journal.states(), reads=True) or (), ())
            states.overrides.load(await writer.protect(journal.overrides(clock() - KNOWN), reads=True) or ())

        def alive() -> bool:
            try:
                return _alive(config.journal, clock())
            except JournalError:
                return False  # it could be read at the start: why not any more is told by what else needs it

        await remember()
        _alive(config.journal, clock())  # a journal that cannot be read ends the command before anything is done
        prover = Prover(authorities_of(config, clock), events.append, clock, dispute_after=config.dispute_after)
        try:
            yield Session(
                config=config,
                policies=found.policies,
                unsound=tuple(str(each.errors[0]) for each in found.rejected.values()),
                providers=provider_set(config, access, stack, beside_daemon=True),
                states=states,
                journal=writer,
                prover=prover,
                equip=lambda name, checks: opened(checks, known, ProbeContext(name, clock, None)),
                clock=clock,
                events=events,
                orphans=Orphans(journal, writer, list[Event]().append, clock),  # the daemon has told of them
                claims=claims_of(found, {}),
                alive=alive,
                remember=remember,
                rules=found.rules or (),
                waits=waits,
                instance=await writer.instance(),
            )
        finally:
            await prover.close()
            for event in events:
                writer.take(event)
            await writer.flush()


async def _journal_of(path: Path, access: Access, stack: AsyncExitStack) -> SqliteJournal:
    """The journal; or a private copy for a reader without the right to write, where no daemon has it open."""
    journal = await stack.enter_async_context(open_journal(path, words=prose.told))
    try:
        await journal.instance()
    except JournalError as error:
        if access is not Access.READ or error.reason != "journal_unwritable":
            return journal  # whoever needs it says so
        require_readable(path)
        copies = stack.enter_context(ExitStack())
        with journal_errors(path):
            copy = copied(path, copies)
        return await stack.enter_async_context(open_journal(copy, words=prose.told))
    return journal


def _epoch(journal: Path) -> int:
    """Of the leader that this member knew last: where nobody can lead, a person writes in that one's place.

    Where a newer one has written since, nothing is: that one's machine is the place to be.
    """
    with HistoryReading(journal) as reading:
        told = reading.members()
    return told.epoch if told is not None else 0


def _alive(journal: Path, now: float) -> bool:
    """Whether a daemon works with this journal, so that what it said lately is still so."""
    with HistoryReading(journal) as reading:
        beat = reading.heartbeat()
    return beat is not None and now - beat.at <= FRESH and beat.state == "running"
