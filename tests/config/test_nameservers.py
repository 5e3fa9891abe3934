"""Whom to ask after a change, as a file says it."""

import pytest
from pydantic import ValidationError

from failoverd.config.schema.config_file import ConfigFile
from failoverd.settings import NameserverChoice, ProviderSettings, ServerAddress

V4, V6 = ServerAddress("192.0.2.53"), ServerAddress("2001:db8::53", 5353)


def provider(**said: object) -> ProviderSettings:
    return ProviderSettings.model_validate({"kind": "any", "zones": ["example.com"], **said})


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ("delegation", "delegation"),
        ("none", "none"),
        (["192.0.2.53"], (V4,)),
        (["192.0.2.53:53", "[2001:DB8::53]:5353"], (V4, V6)),
    ],
)
def test_it_is_the_delegation_a_list_or_nobody(said: object, understood: NameserverChoice) -> None:
    assert provider(nameservers=said).nameservers == understood
    assert provider(nameservers=said).authorities() == understood


def test_the_delegation_is_the_default() -> None:
    assert provider().nameservers == "delegation"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "write a list such as"),
        ("nobody", "or delegation, or none"),
        ({"ns1": "192.0.2.53"}, "write a list such as"),
        (["ns1.example.com"], "is not an IP address"),
        (["192.0.2.53:0"], "has no valid port"),
        (["224.0.0.1"], "cannot be reached: it is a multicast address"),
        (["::ffff:192.0.2.53"], "another way to write 192.0.2.53"),
        (["[::]:53"], "no address of anybody"),
        ([53], "write a list such as"),
    ],
)
def test_anything_else_is_refused_with_the_way_to_write_it(said: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        provider(nameservers=said)


def test_resolvers_are_addresses_too() -> None:
    said = {"version": 1, "owner": "prod", "policies": "policies", "providers": {"main": {}}}
    assert ConfigFile.model_validate(said).resolver == ()
    assert ConfigFile.model_validate({**said, "resolver": ["192.0.2.53", "[2001:db8::53]:5353"]}).resolver == (V4, V6)
    assert ConfigFile.model_validate({**said, "dispute_after": "2m"}).dispute_after == 120.0
