"""Real DNS servers, started once for all provider tests. Each test uses names of its own."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from clouds.serving import WallClock
from support.azure_site import LocalAzure, local_azure
from support.servers import ZONE, DnsServer, PowerDns, bind, knot, powerdns

_numbers = count(1)


@pytest.fixture(scope="session")
def bind_server() -> Iterator[DnsServer]:
    with bind() as server:
        yield server


@pytest.fixture(scope="session")
def knot_server() -> Iterator[DnsServer]:
    with knot() as server:
        yield server


@pytest.fixture(scope="session")
def shared_powerdns() -> Iterator[PowerDns]:
    with powerdns() as server:
        yield server


@pytest.fixture
def powerdns_server(shared_powerdns: PowerDns) -> Iterator[PowerDns]:
    yield shared_powerdns
    shared_powerdns.clear()


@pytest.fixture
def name() -> str:
    """A name in the writable zone that no other test uses."""
    return f"n{next(_numbers)}.{ZONE}"


@pytest.fixture
def clock() -> WallClock:
    """What a cloud goes by, where a test makes it jump."""
    return WallClock()


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAzure]:
    with local_azure(tmp_path, monkeypatch) as local:
        yield local
