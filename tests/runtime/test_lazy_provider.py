"""Providers that cannot be opened yet, and what that means for everybody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from support.stage import AZURE, Stage, playing, policy, target
from support.virtual import until, virtually

from failoverd.core.errors import (
    ConfigError,
    FailoverdError,
    Fenced,
    Permanent,
    ProviderError,
    RateLimited,
    Transient,
)
from failoverd.core.events import TargetDelayed
from failoverd.core.records import Capabilities, RecordSet
from failoverd.core.tallies import CallOutcome
from failoverd.ports import Access, Provider, ProviderKind
from failoverd.runtime.lazy_provider import LazyProvider
from failoverd.settings import ProviderSettings
from failoverd.simulation.paper_provider import PaperProvider
from failoverd.simulation.virtual_time import elapse, now
from failoverd.simulation.zonefile import Zonefile

API = policy()
AT = target(API)


class Server:
    """What a kind opens. It fails as long as there are errors left."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.opened = 0
        self.closed = 0
        self.zonefile = Zonefile()

    @asynccontextmanager
    async def open(self, name: str, _: Any, __: Access) -> AsyncIterator[Provider]:  # noqa: ANN401 - each kind has its own
        await elapse(0.1)
        if self.errors:
            raise self.errors.pop(0)
        self.opened += 1
        try:
            yield PaperProvider(self.zonefile, now, name=name)
        finally:
            self.closed += 1

    def opening(self, stack: AsyncExitStack) -> LazyProvider:
        kind = ProviderKind("paper", ProviderSettings, Capabilities({}, 255), self.open, extra="paper")
        return LazyProvider("dns-main", kind, None, Access.WRITE, stack)


@virtually
async def test_it_opens_once_for_everybody_and_closes_with_the_stack() -> None:
    server = Server()
    async with AsyncExitStack() as stack:
        provider = server.opening(stack)
        await asyncio.gather(provider.read(AT), provider.read(AT), provider.open())
        assert (server.opened, server.closed) == (1, 0)
    assert server.closed == 1


@virtually
async def test_calls_are_counted_by_what_they_come_to_and_timed_with_the_wait_for_the_opening() -> None:
    server = Server(OSError(98, "address already in use"))
    async with AsyncExitStack() as stack:
        provider = server.opening(stack)
        with pytest.raises(Permanent):
            await provider.read(AT)
        await provider.read(AT)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.0):
                await provider.read(AT)
        reads, writes = provider.figures()
    assert (reads.provider, reads.call, writes.call) == ("dns-main", "read", "apply")
    counted = {outcome.value: count for outcome, count in reads.outcomes.items() if count}
    assert counted == {"permanent": 1, "ok": 1, "given_up": 1}
    assert sum(reads.seconds.counts) == 3
    assert 0.2 <= reads.seconds.total < 0.5
    assert not any(writes.outcomes.values())


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Transient("", reason="r"), CallOutcome.TRANSIENT),
        (RateLimited("", reason="r"), CallOutcome.RATE_LIMITED),
        (Fenced("", reason="r"), CallOutcome.FENCED),
        (KeyError("a defect"), CallOutcome.CRASHED),
        (asyncio.CancelledError(), CallOutcome.GIVEN_UP),
    ],
)
def test_each_end_of_a_call_has_its_name(error: BaseException, outcome: CallOutcome) -> None:
    assert CallOutcome.of(error) is outcome


@pytest.mark.parametrize(
    "error",
    [
        OSError(98, "address already in use"),
        PermissionError(13, "permission denied", "/etc/failoverd/key"),
        ConfigError("no key", reason="key_missing"),
        ImportError("no module named boto3"),
        ValueError("an SDK does not like its settings"),
        KeyError("region"),
    ],
)
def test_whatever_keeps_it_from_opening_is_said_as_one_of_the_four_kinds(error: Exception) -> None:
    @virtually
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            provider = Server(error).opening(stack)
            with pytest.raises(Permanent, match="provider dns-main cannot be opened") as caught:
                await provider.read(AT)
            assert caught.value.reason == "provider_unopened"
            assert caught.value.remedy
            await provider.read(AT)

    scenario()


@virtually
async def test_an_sdk_that_is_not_installed_is_named_with_the_extra_that_brings_it() -> None:
    async with AsyncExitStack() as stack:
        provider = Server(ModuleNotFoundError("No module named 'papersdk'", name="papersdk")).opening(stack)
        with pytest.raises(Permanent, match="it needs papersdk, which is not installed") as caught:
            await provider.open()
        assert "No module named" not in caught.value.detail
        assert caught.value.remedy == (
            "install failoverd with its extra: pip install 'failoverd[paper]' (Debian: apt install failoverd-paper; "
            "container image: built with EXTRAS=paper), and start it again"
        )


@virtually
async def test_a_reason_that_the_kind_gives_itself_is_kept() -> None:
    async with AsyncExitStack() as stack:
        provider = Server(Permanent("the key file is empty", reason="key_empty")).opening(stack)
        with pytest.raises(Permanent) as caught:
            await provider.open()
        assert caught.value.reason == "key_empty"


@virtually
async def test_before_it_is_open_it_can_say_nothing_but_that() -> None:
    async with AsyncExitStack() as stack:
        provider = Server().opening(stack)
        with pytest.raises(ProviderError) as caught:
            provider.normalise(RecordSet.of(AT.key, 30, {AZURE: 1}))
        assert caught.value.reason == "not_open"


@virtually
async def test_a_provider_that_cannot_be_opened_makes_its_own_targets_wait_until_it_can() -> None:
    errors: list[FailoverdError | OSError] = [OSError(98, "address already in use")] * 3
    server = Server(*errors)
    async with AsyncExitStack() as stack:
        stage = Stage(zonefile=server.zonefile, providers={"dns-main": server.opening(stack)})
        async with playing(API, stage=stage):
            await until(stage.steers(API, azure=70.0, oci=30.0))
            assert [event.reason for event in stage.told(TargetDelayed)] == ["provider_unopened"]
