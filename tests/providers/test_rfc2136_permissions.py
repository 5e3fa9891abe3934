"""What docs/permissions says for BIND and Knot, on the real servers: enough for every change, and for no other name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import servers
from support.contract import VALUES, approved, open_rfc2136, planned, publish, rfc2136_settings, target, wish
from support.servers import ZONE, DnsServer, Key

from failoverd.core.errors import Permanent
from failoverd.core.records import RecordType

FOLDER = Path(__file__).parents[2] / "docs" / "permissions"
NAME = f"api.{ZONE}"


def documented(server: str, pattern: str, key: Key) -> str:
    """A part of the document, for the zone and the key of the tests."""
    found = re.search(pattern, (FOLDER / f"rfc2136.{server}.conf").read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found.group(0).replace("example.com", ZONE).replace("failoverd name", f"{key.name} name")


def limited_bind(directory: Path, port: int, key: Key) -> list[str]:
    below_a_wildcard(directory)
    command = servers._bind_configuration(directory, port, key)
    everything = f'allow-update {{ key "{key.name}"; }};'
    limit(Path(command[-1]), everything, documented("bind", r"update-policy \{.*?\};", key))
    return command


def limited_knot(directory: Path, port: int, key: Key) -> list[str]:
    below_a_wildcard(directory)
    command = servers._knot_configuration(directory, port, key)
    limits = documented("knot", r"^    action: update\n.*?\n(?=\nzone:)", key)
    limit(Path(command[-1]), "    action: update\n", limits)
    return command


def below_a_wildcard(directory: Path) -> None:
    """Every name of the zone is answered for, so that whether one stands is asked by an update, which is to be let."""
    with (directory / f"{ZONE}.zone").open("a") as file:
        file.write("* A 192.0.2.99\n")


def limit(file: Path, everything: str, limited: str) -> None:
    text = file.read_text()
    assert text.count(everything) == 1
    file.write_text(text.replace(everything, limited))


@pytest.fixture(scope="module", params=["BIND", "Knot"])
def server(request: pytest.FixtureRequest) -> Iterator[DnsServer]:
    said = {"BIND": ("named", limited_bind), "Knot": ("knotd", limited_knot)}
    with servers._running(request.param, *said[request.param]) as running:
        yield running


async def test_every_type_of_a_granted_name_is_created_and_changed(server: DnsServer) -> None:
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        for kind in (RecordType.A, RecordType.AAAA, RecordType.SRV):
            at = target(NAME, kind)
            await publish(provider, at, VALUES[kind][0])
            await publish(provider, at, VALUES[kind][1])
            assert (await provider.read(at)).records == wish(provider, at, VALUES[kind][1])


async def test_another_name_is_refused(server: DnsServer) -> None:
    other = target(f"mail.{ZONE}")
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        plan = planned(await provider.read(other), wish(provider, other, *VALUES[RecordType.A]))
        with pytest.raises(Permanent) as caught:
            await provider.apply(approved(plan))
        assert (await provider.read(other)).records is None
    said_alike = "tsig_bad_key" if server.software == "Knot" else "update_refused"  # Knot answers as for a wrong key
    assert caught.value.reason == said_alike
