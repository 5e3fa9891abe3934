"""Fixtures of more than one folder: real servers that are emptied between tests."""

from collections.abc import Iterator

import pytest
from support.servers import ZONE, DnsServer, bind, knot


@pytest.fixture(scope="module")
def shared_bind() -> Iterator[DnsServer]:
    with bind() as server:
        yield server


@pytest.fixture
def bind_server(shared_bind: DnsServer) -> DnsServer:
    """A real BIND with nothing at the name under test."""
    return _cleared(shared_bind)


@pytest.fixture(scope="module")
def shared_knot() -> Iterator[DnsServer]:
    with knot() as server:
        yield server


@pytest.fixture
def knot_server(shared_knot: DnsServer) -> DnsServer:
    return _cleared(shared_knot)


def _cleared(server: DnsServer) -> DnsServer:
    server.edit("delete api", f"delete _failoverd.api.{ZONE}.")
    return server
