"""Real DNS servers, started once for all provider tests. Each test uses names of its own."""

from collections.abc import Iterator
from itertools import count

import pytest
from support.servers import ZONE, DnsServer, bind, knot

_numbers = count(1)


@pytest.fixture(scope="session")
def bind_server() -> Iterator[DnsServer]:
    with bind() as server:
        yield server


@pytest.fixture(scope="session")
def knot_server() -> Iterator[DnsServer]:
    with knot() as server:
        yield server


@pytest.fixture
def name() -> str:
    """A name in the writable zone that no other test uses."""
    return f"n{next(_numbers)}.{ZONE}"
