"""Real servers that take no updates, for the moment or ever: what they answer alike is told with every remedy."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from sqlite3 import connect

import pytest
from support import servers
from support.contract import VALUES, approved, open_rfc2136, planned, rfc2136_settings, target, wish
from support.proxies import closed_port
from support.servers import LOCKED_ZONE, ZONE, DnsServer, Key, free_port, program

from failoverd.core.errors import Permanent, ProviderError, Transient
from failoverd.core.records import RecordType

EAST, WEST, _ = VALUES[RecordType.A]


async def refusal(server: DnsServer, name: str, zone: str = ZONE) -> ProviderError:
    """How writing a new record fails."""
    at = target(name, zone=zone)
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        plan = planned(await provider.read(at), wish(provider, at, EAST))
        with pytest.raises(ProviderError) as caught:
            await provider.apply(approved(plan))
    return caught.value


def replaced(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


# -- frozen ------------------------------------------------------------------------------------------------------------


@contextmanager
def bind() -> Iterator[tuple[DnsServer, Callable[..., object]]]:
    """BIND, and `rndc` for it."""
    control = free_port()

    def configured(directory: Path, port: int, key: Key) -> list[str]:
        command = servers._bind_configuration(directory, port, key)
        said = f'controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ "{key.name}"; }}; }};'
        replaced(Path(command[-1]), "controls { };", said)
        return command

    with servers._running("BIND", "named", configured) as server:
        tool = [program("rndc"), "-s", "127.0.0.1", "-p", str(control), "-k", str(server.key.bind_file)]
        yield server, lambda verb: subprocess.run([*tool, verb, ZONE], check=True, capture_output=True, timeout=30)


@contextmanager
def knot() -> Iterator[tuple[DnsServer, Callable[..., object]]]:
    """Knot, and `knotc` for it."""

    def configured(directory: Path, port: int, key: Key) -> list[str]:
        command = servers._knot_configuration(directory, port, key)
        replaced(Path(command[-1]), "key:\n", f"control:\n    listen: {directory}/knot.sock\nkey:\n")
        return command

    with servers._running("Knot", "knotd", configured) as server:
        tool = [program("knotc"), "-b", "-s", str(server.directory / "knot.sock")]  # it waits until it has happened
        yield (
            server,
            lambda verb: subprocess.run([*tool, f"zone-{verb}", ZONE], check=True, capture_output=True, timeout=30),
        )


@pytest.mark.parametrize(("start", "thaw"), [(bind, "rndc thaw"), (knot, "knotc zone-thaw")], ids=["BIND", "Knot"])
async def test_a_frozen_zone_is_told_beside_a_missing_permission_and_thaws(
    start: Callable[[], AbstractContextManager[tuple[DnsServer, Callable[..., object]]]], thaw: str, name: str
) -> None:
    with start() as (server, tool):
        server.edit(f"add *.{name}. 60 A 192.0.2.99")
        tool("freeze")
        error = await refusal(server, name)
        assert (type(error), error.reason) == (Permanent, "update_refused")
        assert "frozen" in error.detail
        assert thaw in error.remedy
        assert "let the key failoverd update" in error.remedy

        async with open_rfc2136(rfc2136_settings(server)) as provider:
            at = target(f"new.{name}")
            with pytest.raises(Permanent) as caught:
                await provider.read(at)
            assert f"cannot tell whether {at.key.name} stands" in caught.value.detail
            assert thaw in caught.value.remedy

            tool("thaw")
            plan = planned(await provider.read(at), wish(provider, at, WEST))
            await provider.apply(approved(plan))
        assert server.dig(at.key.name, "A") == [WEST]


# -- no such record ----------------------------------------------------------------------------------------------------


async def test_a_name_that_bind_takes_for_no_host_is_told_beside_a_missing_permission(
    bind_server: DnsServer, name: str
) -> None:
    error = await refusal(bind_server, f"_a.{name}")
    assert (type(error), error.reason) == (Permanent, "update_refused")
    assert "takes no such record at that name" in error.detail
    assert "check-names" in error.remedy


# -- no primary --------------------------------------------------------------------------------------------------------


def bind_secondary(directory: Path, port: int, key: Key, primary: int, *, forwards: bool) -> list[str]:
    command = servers._bind_configuration(directory, port, key)
    forwarding = "allow-update-forwarding { any; };" if forwards else ""
    said = f"type secondary; masterfile-format text; primaries {{ 127.0.0.1 port {primary}; }}; {forwarding}"
    replaced(Path(command[-1]), f'type primary; file "{LOCKED_ZONE}.zone";', f'{said} file "{LOCKED_ZONE}.zone";')
    return command


def powerdns_secondary(directory: Path, port: int, key: Key, primary: int, *, forwards: bool) -> list[str]:
    command = servers._powerdns_configuration(directory, (port, free_port()), key, "an API key of no use")
    with (directory / "pdns.conf").open("a") as file:
        file.write(f"secondary=yes\nforward-dnsupdate={'yes' if forwards else 'no'}\n")
    with closing(connect(directory / "pdns.sqlite3")) as database, database:
        database.execute("UPDATE domains SET type = 'SLAVE', master = ?", (f"127.0.0.1:{primary}",))
        database.execute("UPDATE domainmetadata SET content = ? WHERE content = 'nobody'", (key.name,))
    return command


@pytest.mark.parametrize("forwards", [False, True], ids=["on its own", "forwarding to a primary that is down"])
@pytest.mark.parametrize(
    ("software", "command", "configured"),
    [("BIND", "named", bind_secondary), ("PowerDNS", "pdns_server", powerdns_secondary)],
    ids=["BIND", "PowerDNS"],
)
async def test_a_secondary_is_told_that_server_has_to_name_the_primary(
    software: str, command: str, configured: Callable[..., list[str]], forwards: bool
) -> None:
    with (
        closed_port() as primary,
        servers._running(software, command, lambda *said: configured(*said, primary, forwards=forwards)) as server,
    ):
        error = await refusal(server, f"api.{LOCKED_ZONE}", LOCKED_ZONE)
    known = (Transient, "server_failure") if forwards else (Permanent, "update_refused")
    assert (type(error), error.reason) == known
    assert "secondary" in error.remedy
    assert "`server`" in error.remedy


# -- switched off ------------------------------------------------------------------------------------------------------


async def test_a_powerdns_that_takes_no_updates_at_all_is_told_how_to_take_them() -> None:
    def configured(directory: Path, port: int, key: Key) -> list[str]:
        command = servers._powerdns_configuration(directory, (port, free_port()), key, "an API key of no use")
        replaced(directory / "pdns.conf", "\ndnsupdate=yes\n", "\ndnsupdate=no\n")
        return command

    with servers._running("PowerDNS", "pdns_server", configured) as server:
        error = await refusal(server, f"api.{ZONE}")
    assert (type(error), error.reason) == (Permanent, "update_refused")
    assert "dnsupdate=yes" in error.remedy
