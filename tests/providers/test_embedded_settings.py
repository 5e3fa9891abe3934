"""What a configuration file may say about the embedded server."""

import pytest
from pydantic import ValidationError
from support.embedded_dns import settings

from failoverd.providers.embedded import EmbeddedSettings
from failoverd.settings import ServerAddress


def test_it_listens_on_loopback_unless_told_otherwise() -> None:
    chosen = EmbeddedSettings(kind="embedded", zones=("example.com",))

    assert (chosen.host, chosen.port, chosen.glue) == ("127.0.0.1", 5353, "127.0.0.1")


@pytest.mark.parametrize(
    ("listen", "host", "port", "reachable", "glue"),
    [
        ("192.0.2.53:53", "192.0.2.53", 53, "192.0.2.53", "192.0.2.53"),
        ("[2001:DB8::53]:53", "2001:db8::53", 53, "2001:db8::53", "2001:db8::53"),
        ("0.0.0.0:53", "0.0.0.0", 53, "127.0.0.1", None),
        ("[::]:53", "::", 53, "::1", None),
        ("127.0.0.1:0", "127.0.0.1", 0, "127.0.0.1", "127.0.0.1"),
    ],
)
def test_an_address_is_understood(listen: str, host: str, port: int, reachable: str, glue: str | None) -> None:
    chosen = settings(listen)

    assert (chosen.host, chosen.port, chosen.reachable_host, chosen.glue) == (host, port, reachable, glue)


@pytest.mark.parametrize(
    "listen", ["", "5353", ":5353", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:53", "[127.0.0.1]:53", "dns:53"]
)
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(ValidationError, match="listen"):
        settings(listen)


def test_a_stated_name_server_address_is_the_glue() -> None:
    assert settings("0.0.0.0:53", nameserver="192.0.2.53").glue == "192.0.2.53"


def test_a_zone_leaves_room_for_the_names_below_it() -> None:
    with pytest.raises(ValidationError, match="longer than 200"):
        settings(zones=(".".join(["x" * 50] * 4),))


@pytest.mark.parametrize(
    ("listen", "asked"),
    [
        ("127.0.0.1:5353", (ServerAddress("127.0.0.1", 5353),)),
        ("0.0.0.0:53", (ServerAddress("127.0.0.1"),)),
        ("[::]:53", (ServerAddress("::1"),)),
        ("127.0.0.1:0", "none"),
    ],
)
def test_it_is_its_own_witness_unless_nobody_knows_its_port(listen: str, asked: object) -> None:
    assert settings(listen).authorities() == asked


def test_others_are_asked_where_they_are_named() -> None:
    named = (ServerAddress("192.0.2.53"),)
    assert settings().model_copy(update={"nameservers": named}).authorities() == named
    assert settings().model_copy(update={"nameservers": "none"}).authorities() == "none"
