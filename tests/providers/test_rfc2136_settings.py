"""What a configuration file may say about a server, and what it is told when it says something else."""

from pathlib import Path
from typing import cast

import pytest
from pydantic import ValidationError

from failoverd.providers.rfc2136.settings import Rfc2136Settings
from failoverd.settings import ServerAddress


def said(**changes: object) -> dict[str, object]:
    key = {
        "name": "failoverd",
        "secret_file": "/etc/failoverd/tsig.key",
        **cast("dict[str, object]", changes.pop("key", {})),
    }
    return {"kind": "rfc2136", "zones": ["example.com"], "server": "192.0.2.53", "key": key, **changes}


def complaint(**changes: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Rfc2136Settings.model_validate(said(**changes))
    return str(caught.value)


def test_the_least_that_has_to_be_said() -> None:
    settings = Rfc2136Settings.model_validate(said())
    assert settings.server == ServerAddress("192.0.2.53", 53)
    assert settings.key.algorithm == "hmac-sha256"
    assert settings.key.secret_file == Path("/etc/failoverd/tsig.key")
    assert settings.timeout == 2.0


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.53", "192.0.2.53", 53),
        ("192.0.2.53:5353", "192.0.2.53", 5353),
        ("2001:DB8::53", "2001:db8::53", 53),
        ("[2001:db8::53]", "2001:db8::53", 53),
        ("[2001:db8:0::53]:5353", "2001:db8::53", 5353),
    ],
)
def test_a_server_is_an_address_with_an_optional_port(text: str, address: str, port: int) -> None:
    assert Rfc2136Settings.model_validate(said(server=text)).server == ServerAddress(address, port)


@pytest.mark.parametrize(
    "text",
    ["", "192.0.2", "192.0.2.53:", "192.0.2.53:0", "192.0.2.53:65536", "192.0.2.53:x", "[::1]x", "[::1", "[]:53"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert "write 192.0.2.1" in complaint(server=text)


def test_a_host_name_is_refused_because_failoverd_steers_the_dns_that_would_resolve_it() -> None:
    assert "is not an IP address: a name would have to be resolved" in complaint(server="ns1.example.com")


def test_a_server_is_shown_as_it_is_written() -> None:
    assert str(ServerAddress.parse("192.0.2.53")) == "192.0.2.53:53"
    assert str(ServerAddress.parse("2001:db8::53")) == "[2001:db8::53]:53"


def test_a_secret_in_the_file_is_refused_with_the_way_out_and_without_showing_it() -> None:
    text = complaint(key={"secret": "c2VjcmV0"})
    assert "`secret_file`" in text
    assert "reviewed and committed" in text
    assert "c2VjcmV0" not in text


@pytest.mark.parametrize("algorithm", ["hmac-md5", "HMAC-MD5.SIG-ALG.REG.INT.", "hmac-sha1", "hmac-sha224"])
def test_weak_algorithms_are_refused_by_name(algorithm: str) -> None:
    assert f"{algorithm} is too weak" in complaint(key={"algorithm": algorithm})


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "hmac-sha384", "hmac-sha512"])
def test_strong_algorithms_are_taken(algorithm: str) -> None:
    assert Rfc2136Settings.model_validate(said(key={"algorithm": algorithm})).key.algorithm == algorithm


def test_an_unknown_algorithm_is_refused_with_the_known_ones() -> None:
    assert "'hmac-sha256', 'hmac-sha384' or 'hmac-sha512'" in complaint(key={"algorithm": "rot13"})


@pytest.mark.parametrize(
    "changes", [{"timeout": "0s"}, {"timeout": 2}, {"zones": []}, {"servers": "192.0.2.53"}, {"key": {"file": "x"}}]
)
def test_anything_else_that_is_wrong_is_refused(changes: dict[str, object]) -> None:
    assert complaint(**changes)


def test_the_json_schema_describes_what_a_file_says() -> None:
    properties = Rfc2136Settings.model_json_schema()["properties"]
    assert properties["server"]["type"] == "string"
    assert properties["timeout"]["type"] == "string"
