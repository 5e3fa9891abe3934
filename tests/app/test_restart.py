"""What the embedded server says from its first moment on: what it said last, or that it does not know yet."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import dns.rcode
import pytest
from support.daemons import EAST, EMBEDDED, NAME, Site, site
from support.embedded_dns import ask_udp, values
from support.servers import ZONE

from failoverd.app import Daemon
from failoverd.core.control.plan import LastGood
from failoverd.core.errors import JournalError
from failoverd.core.events import DaemonStarted, Event
from failoverd.core.records import RecordKey, RecordSet, RecordType, Target
from failoverd.providers.embedded import EmbeddedWriter
from failoverd.store.journal import open_journal

TARGET = Target("api", RecordKey(NAME, RecordType.A), "main", ZONE)


def complain(error: JournalError) -> None:
    raise error


async def answered_before(here: Site) -> None:
    """An earlier process published the eastern region alone, which is not the normal answer."""
    async with open_journal(here.folder / "journal.db", complain) as journal:
        good = LastGood(RecordSet.of(TARGET.key, 30, {EAST: 1}), 7, {"east": 10_000}, 1.0)
        await journal.confirm(TARGET, good)


@asynccontextmanager
async def started(here: Site) -> AsyncIterator[tuple[str, int]]:
    """The daemon in this process once its start is over, and the address of its DNS server."""
    over = asyncio.Event()

    def take(event: Event) -> None:
        if isinstance(event, DaemonStarted):
            over.set()

    daemon = Daemon(here.config, [take])
    life = asyncio.create_task(daemon.run())
    try:
        await asyncio.wait([life, asyncio.create_task(over.wait())], return_when=asyncio.FIRST_COMPLETED)
        server = daemon.providers["main"].opened
        assert isinstance(server, EmbeddedWriter)
        yield server.address
    finally:
        daemon.stop("the test is over")
        await life


async def test_a_policy_whose_file_was_broken_meanwhile_is_answered_as_before(tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here:
        await answered_before(here)
        here.edit_policy("records:", "rekords:")
        async with started(here) as address:
            assert values(await ask_udp(address, NAME, "A")) == [EAST]
            other = await ask_udp(address, f"other.{ZONE}", "A")  # nobody knows what the broken file would say
            assert (other.rcode(), other.authority) == (dns.rcode.SERVFAIL, [])


async def test_a_policy_that_cannot_be_set_up_any_more_is_answered_as_before(tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here:
        await answered_before(here)
        here.edit_policy("{http: /health,", "{https: /health, ca_file: /nonexistent/ca.pem,")
        async with started(here) as address:
            assert values(await ask_udp(address, NAME, "A")) == [EAST]
            assert (await ask_udp(address, f"other.{ZONE}", "A")).rcode() == dns.rcode.NXDOMAIN


async def test_a_name_is_not_denied_before_it_is_published_for_the_first_time(tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here:
        here.edit_policy("{http: /health,", "{https: /health, ca_file: /nonexistent/ca.pem,")
        async with started(here) as address:
            assert (await ask_udp(address, NAME, "A")).rcode() == dns.rcode.SERVFAIL


LOADING = "failoverd.reloader.Reloader.load"
TAKING_UP = "failoverd.runtime.policy_runner.PolicyRunner.take_up"


@pytest.mark.parametrize(
    ("step", "answer"),
    [(LOADING, (dns.rcode.SERVFAIL, [])), (TAKING_UP, (dns.rcode.NOERROR, [EAST]))],
    ids=["before the files are read", "before the policy is taken up"],
)
async def test_no_name_is_denied_while_the_daemon_starts(
    tmp_path: Path, step: str, answer: tuple[dns.rcode.Rcode, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    async with site(tmp_path, EMBEDDED) as here:
        await answered_before(here)
        daemon = Daemon(here.config, [])

        async def ask() -> None:
            server = daemon.providers["main"].opened
            assert isinstance(server, EmbeddedWriter)
            reply = await ask_udp(server.address, NAME, "A")
            seen.append((reply.rcode(), values(reply)))
            daemon.stop("the test is over")

        monkeypatch.setattr(step, lambda *_: ask())
        await daemon.run()
    assert seen == [answer]


async def test_a_signal_after_the_end_is_heeded_as_one_before_the_start(tmp_path: Path) -> None:
    """To read the files again is asked of whoever comes, and a late word of it kills nobody."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with site(tmp_path, EMBEDDED) as here:
            async with started(here):
                assert signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
