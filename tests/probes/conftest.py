"""Everything about probes holds on asyncio's own event loop and on uvloop, and leaves nothing behind on either."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import trustme
import uvloop
from support.alarms import until
from support.plugins import children, descriptors, folder_for_plugins

from failoverd.probes import execution


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


STALLED = execution._STALLED


@pytest.fixture(autouse=True)
def time_outs_are_blamed_on_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """However late this process notices that one has passed: a machine that runs many tests at once may be so late."""
    monkeypatch.setattr(execution, "_STALLED", math.inf)


@pytest.fixture
def stalls_are_noticed(monkeypatch: pytest.MonkeyPatch, time_outs_are_blamed_on_targets: None) -> None:
    """As it is outside of the tests."""
    del time_outs_are_blamed_on_targets
    monkeypatch.setattr(execution, "_STALLED", STALLED)


@pytest_asyncio.fixture(autouse=True)
async def nothing_is_left_behind() -> AsyncIterator[None]:
    """No task outlives a test, and nothing is reported to the event loop's handler of last resort."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() - before - {asyncio.current_task()} == set()
    assert complaints == []


@pytest_asyncio.fixture
async def nothing_runs_on() -> AsyncIterator[None]:
    """No child, living or dead, and no descriptor is left behind, once the kernel has ended what was killed."""
    before = descriptors()
    yield
    await until(lambda: not children())
    assert descriptors() <= before, "what an earlier test left to the garbage collector may go meanwhile"


@pytest.fixture
def plugins() -> Iterator[Path]:
    """A folder that plugins may use."""
    with folder_for_plugins() as folder:
        yield folder


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that only the tests trust."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of that authority's certificate."""
    path = tmp_path_factory.mktemp("trust") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)
