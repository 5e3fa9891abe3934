"""What holds for every test: nothing asks anybody outside of this machine."""

from typing import NoReturn

import dns.resolver
import pytest


@pytest.fixture(autouse=True)
def _no_resolver_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may ask the system's resolver. Daemons that tests start are kept from it by `resolver` in their files."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a test asks the resolver of this system: give the provider `nameservers`")

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", refuse)
