"""What holds for every test: it runs the programs of the system, and asks nobody outside of this machine."""

import os
from typing import NoReturn

import dns.resolver
import pytest
from support.servers import PLACES

os.environ["PATH"] = PLACES  # what is in the way of it, a version manager's wrapper for instance, is nobody's to test


@pytest.fixture(autouse=True)
def _no_resolver_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may ask the system's resolver. Daemons that tests start are kept from it by `resolver` in their files."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a test asks the resolver of this system: give the provider `nameservers`")

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", refuse)
