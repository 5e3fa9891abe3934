"""What a configuration file may say about a PowerDNS, and what it is told when it says something else."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from failoverd.core.records import Fence
from failoverd.providers.powerdns import KIND
from failoverd.providers.powerdns.settings import PowerdnsSettings

KEY = {"name": "failoverd", "secret_file": "/etc/failoverd/tsig.key"}
API = {"url": "https://192.0.2.53:8081", "key_file": "/etc/failoverd/powerdns.key"}


def settings(**said: object) -> PowerdnsSettings:
    return PowerdnsSettings.model_validate({"kind": "powerdns", "zones": ["example.com"], **said})


def complaint(**said: object) -> str:
    with pytest.raises(ValidationError) as caught:
        settings(**said)
    return str(caught.value)


def test_the_least_that_has_to_be_said() -> None:
    fenced, plain = settings(server="192.0.2.53", key=KEY), settings(api=API)
    assert fenced.api is None
    assert fenced.timeout == 2.0
    assert plain.server is None
    assert plain.api is not None
    assert plain.api.server == "localhost"
    assert plain.api.key_file == Path("/etc/failoverd/powerdns.key")


def test_without_an_update_there_is_no_more_of_a_fence_than_a_look() -> None:
    fences = [
        settings(**said).narrowed(KIND.capabilities).fence
        for said in (
            {"server": "192.0.2.53", "key": KEY},
            {"server": "192.0.2.53", "key": KEY, "api": API},
            {"api": API},
        )
    ]
    assert fences == [Fence.ATOMIC, Fence.ATOMIC, Fence.CHECKED_BEFORE]


def test_both_may_be_said() -> None:
    both = settings(server="192.0.2.53", key=KEY, api=API)
    assert both.server is not None
    assert both.api is not None


def test_a_way_to_write_has_to_be_said() -> None:
    assert "say how to write: `server` and `key` (RFC 2136, fenced), or `api`" in complaint()


@pytest.mark.parametrize("half", [{"server": "192.0.2.53"}, {"key": KEY}, {"key": KEY, "api": API}])
def test_half_of_an_update_is_refused(half: dict[str, object]) -> None:
    assert "`server` and `key` belong together" in complaint(**half)


@pytest.mark.parametrize("said", ["key", "api_key", "secret"])
def test_an_inline_key_is_refused_and_not_repeated(said: str) -> None:
    told = complaint(api={"url": API["url"], said: "hunter2hunter2"})
    assert "does not belong in this file" in told
    assert "`key_file`" in told
    assert "hunter2" not in told


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    told = complaint(api={**API, "url": "https://admin:hunter2@192.0.2.53"})
    assert "`key_file`" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "url", ["", "192.0.2.53:8081", "ftp://192.0.2.53", "https://", "https://h:99999", "http://h/?a"]
)
def test_what_is_no_address_of_an_api_is_refused(url: str) -> None:
    assert "write it like https://192.0.2.1:8081" in complaint(api={**API, "url": url})


def test_certificates_for_a_url_without_tls_are_refused() -> None:
    assert "`ca_file` has no meaning" in complaint(api={**API, "url": "http://192.0.2.53", "ca_file": "/ca.pem"})


@pytest.mark.parametrize("server", ["", "a/b", "../x", "a b"])
def test_the_id_of_a_server_is_one_word(server: str) -> None:
    assert "server" in complaint(api={**API, "server": server})
