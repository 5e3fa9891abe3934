from collections.abc import Iterator

import pytest
from support.booted import Machine, machine, unbootable
from support.fixtures import bind_server
from support.servers import DnsServer, bind

__all__ = ["bind_server", "booted", "shared_bind"]


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One machine for a module: its tests are in the machine's network, and each leaves the service stopped."""
    if why := unbootable():
        pytest.skip(why)
    with machine(tmp_path_factory.mktemp("machine")) as made, made.network():
        yield made


@pytest.fixture(scope="module")
def shared_bind(booted: Machine) -> Iterator[DnsServer]:  # noqa: ARG001 - it is in the machine's network
    with bind() as server:
        yield server
