"""The provider against real BIND, Knot and PowerDNS: what clients see, what servers really do, what fails."""

import asyncio
import resource
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dns.rcode
import dns.rdatatype
import pytest
import uvloop
from support.accepting import accepting
from support.contract import (
    VALUES,
    approved,
    failures,
    open_rfc2136,
    planned,
    publish,
    rfc2136_settings,
    target,
    unseen,
    wish,
)
from support.proxies import Cut, answering, closed_port, counting, cutting, forward, message, without_edns
from support.servers import LOCKED_ZONE, ZONE, DnsServer, Key, PowerDns
from support.silence import silence

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Fenced, Permanent, Transient
from failoverd.core.records import WHOLE, Observed, RecordSet, RecordType, Target
from failoverd.ports import Access
from failoverd.providers.dnsupdate.change import Change
from failoverd.providers.dnsupdate.client import Reader, Writer
from failoverd.providers.dnsupdate.rdata import absolute, encode
from failoverd.providers.dnsupdate.secret import KeyFile
from failoverd.providers.rfc2136 import Rfc2136
from failoverd.runtime.manual_command import manual_command
from failoverd.settings import ServerAddress

A, AAAA, CNAME, SRV = RecordType.A, RecordType.AAAA, RecordType.CNAME, RecordType.SRV
EAST, WEST, NORTH = VALUES[A]


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """No more than a hundred files and sockets beside those that are open."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(descriptor.name) for descriptor in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


both_servers = pytest.mark.parametrize(
    ("server_fixture", "program"), [("bind_server", "dig"), ("knot_server", "kdig")], ids=["BIND", "Knot"]
)

every_server = pytest.mark.parametrize(
    ("server_fixture", "program"),
    [("bind_server", "dig"), ("knot_server", "kdig"), ("powerdns_server", "dig")],
    ids=["BIND", "Knot", "PowerDNS"],
)


@pytest.fixture
def server(server_fixture: str, request: pytest.FixtureRequest) -> DnsServer:
    running: DnsServer = request.getfixturevalue(server_fixture)
    return running


async def a_plan(server: DnsServer, at: Target, *values: str) -> Plan:
    """What a writer would do at `at`, made while everything was well."""
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        return planned(await provider.read(at), wish(provider, at, *values))


# -- what clients see --------------------------------------------------------------------------------------------------


@every_server
async def test_a_failover_is_seen_by_an_independent_client(server: DnsServer, program: str, name: str) -> None:
    at = target(name)
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        await publish(provider, at, EAST, WEST)
        assert server.dig(name, "A", program=program) == [EAST, WEST]
        await publish(provider, at, WEST)
        assert server.dig(name, "A", program=program) == [WEST]
        await publish(provider, at, EAST, WEST)
        assert server.dig(name, "A", program=program) == [EAST, WEST]
    marker = "v=1 owner=prod policy=inference-api gen=3 types=A"
    assert server.dig(at.key.marker_name, "TXT", program=program) == [f'"{marker}"']


@pytest.mark.usefixtures("few_descriptors")
async def test_a_thousand_records_at_once_take_no_thousand_sockets(bind_server: DnsServer, name: str) -> None:
    async with open_rfc2136(rfc2136_settings(bind_server, timeout="60s")) as provider:  # however slowly BIND answers
        seen = await asyncio.gather(*(provider.read(target(f"n{number}.{name}")) for number in range(1_000)))
    assert {found.records for found in seen} == {None}


@every_server
async def test_srv_weights_are_seen_by_an_independent_client(server: DnsServer, program: str, name: str) -> None:
    at = target(name, SRV)
    desired = RecordSet.of(at.key, 30, {"east.example.net:443": 7_000, "west.example.net:443": 3_000})
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        await provider.apply(approved(planned(await provider.read(at), provider.normalise(desired))))
    assert server.dig(name, "SRV", program=program) == ["0 3000 443 west.example.net.", "0 7000 443 east.example.net."]


@every_server
async def test_it_works_over_ipv6(server: DnsServer, program: str, name: str) -> None:
    async with open_rfc2136(rfc2136_settings(server, address="::1")) as provider:
        await publish(provider, target(name, AAAA), *VALUES[AAAA])
    assert server.dig(name, "AAAA", program=program) == sorted(VALUES[AAAA])


@every_server
def test_it_works_on_the_event_loop_of_the_daemon(server: DnsServer, program: str, name: str) -> None:
    async def failover() -> None:
        async with open_rfc2136(rfc2136_settings(server)) as provider:
            await publish(provider, target(name), EAST)
            await publish(provider, target(name), WEST)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(failover())
    assert server.dig(name, "A", program=program) == [WEST]


@every_server
async def test_a_set_too_large_for_a_datagram_is_read_over_tcp(server: DnsServer, program: str, name: str) -> None:
    at = target(name, AAAA)
    many = [f"2001:db8::{number:x}" for number in range(1, 101)]
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        await publish(provider, at, *many)
        assert (await provider.read(at)).records == wish(provider, at, *many)
    assert len(server.dig(name, "AAAA", program=program)) == 100


@every_server
async def test_where_udp_is_dropped_tcp_is_asked(server: DnsServer, program: str, name: str) -> None:
    del program
    at = target(name)
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        await publish(provider, at, EAST)

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await forward(await message(reader), server.port))

    async with accepting(pipe) as port, open_rfc2136(rfc2136_settings(server, port=port)) as provider:
        assert (await provider.read(at)).records == wish(provider, at, EAST)


# -- what it costs -----------------------------------------------------------------------------------------------------


@every_server
async def test_a_change_of_a_known_record_takes_five_calls(server: DnsServer, program: str, name: str) -> None:
    """Two questions before, the update, and two questions after."""
    at = target(name)
    async with counting(server.port) as count, open_rfc2136(rfc2136_settings(server, port=count.port)) as provider:
        await publish(provider, at, EAST)
        count.clear()
        plan = await publish(provider, at, WEST)
        assert await provider.read(at) == Observed(at, plan.after, plan.marker, plan.marker_text)
        assert (count.questions, count.updates) == (4, 1)
    assert server.dig(name, "A", program=program) == [WEST]


@every_server
async def test_what_is_not_known_to_belong_together_is_asked_for_until_it_does(
    server: DnsServer, program: str, name: str
) -> None:
    del program
    at = target(name)
    async with (
        counting(server.port) as count,
        open_rfc2136(rfc2136_settings(server, port=count.port)) as provider,
        open_rfc2136(rfc2136_settings(server)) as rival,
    ):
        await publish(provider, at, EAST)
        for change in ("an edit by hand", "another writer"):
            if change == "an edit by hand":
                server.edit(f"delete {name}. A", f"add {name}. 30 A {NORTH}")
            else:
                await publish(rival, at, WEST)
            count.clear()
            seen = await provider.read(at)
            assert (seen, count.questions) == (await rival.read(at), 3), change


# -- what servers do behind their answers ------------------------------------------------------------------------------


@both_servers
async def test_a_cname_put_over_an_a_is_acknowledged_and_ignored_and_reading_back_shows_it(
    server: DnsServer, program: str, name: str
) -> None:
    there, wanted = target(name, A), target(name, CNAME)
    settings = rfc2136_settings(server)
    async with open_rfc2136(settings) as provider:
        await publish(provider, there, EAST)
        desired = wish(provider, wanted, "east.example.net")
        unfenced = Change(ZONE, (), (), (), ((absolute(name), 30, encode(desired)[0]),))
        await Writer(settings.server, KeyFile(settings.key).load, settings.timeout).update(unfenced)

        observed = await provider.read(wanted)
        assert observed.records is None
        assert observed.foreign == ("A",)
        with pytest.raises(Fenced):
            await provider.apply(approved(unseen(planned(Observed(wanted, None), desired), wanted)))
    assert server.dig(name, "A", program=program) == [EAST]


@every_server
@pytest.mark.parametrize("data", ["10 100 443 east.example.net.", "0 0 443 east.example.net."])
async def test_an_srv_record_edited_by_hand_shows_and_is_put_back(
    server: DnsServer, program: str, name: str, data: str
) -> None:
    at = target(name, SRV)
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        await publish(provider, at, "east.example.net:443")
        wanted = (await provider.read(at)).records
        server.edit(f"delete {name}. SRV", f"add {name}. 30 SRV {data}")
        edited = (await provider.read(at)).records
        assert edited is not None
        assert edited != wanted
        assert edited.serving, "it is answered, so it counts as an answer"
        await publish(provider, at, "east.example.net:443")
        assert (await provider.read(at)).records == wanted
    assert server.dig(name, "SRV", program=program) == ["0 10000 443 east.example.net."]


@every_server
async def test_a_delegated_name_is_not_ours(server: DnsServer, program: str) -> None:
    del program
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(target(f"api.child.{ZONE}"))
    assert caught.value.reason == "not_authoritative"


@every_server
async def test_a_cname_is_seen_beside_its_own_marker_only(server: DnsServer, program: str, name: str) -> None:
    del program
    at = target(name, CNAME)
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        await publish(provider, at, "east.example.net")
        server.edit(f"delete {name}. CNAME", f'add {name}. 30 TXT "verification=1"')
        assert (await provider.read(at)).foreign == ("TXT",)


# -- what fails, each with its own reason ------------------------------------------------------------------------------


@both_servers
async def test_an_unknown_key_has_its_own_reason(server: DnsServer, program: str, name: str, tmp_path: Path) -> None:
    del program
    stranger = Key.make(tmp_path, "stranger")
    plan = await a_plan(server, target(name), EAST)
    settings = rfc2136_settings(server, key="stranger", secret_file=stranger.bind_file)
    async with open_rfc2136(settings) as provider:
        errors = await failures(provider, plan)
    assert [(type(error), error.reason) for error in errors] == [(Permanent, "tsig_bad_key")] * 2
    assert all("stranger" in error.detail and error.remedy for error in errors)


@both_servers
async def test_a_wrong_secret_has_its_own_reason_and_is_not_told(
    server: DnsServer, program: str, name: str, tmp_path: Path
) -> None:
    del program
    wrong = Key.make(tmp_path)
    plan = await a_plan(server, target(name), EAST)
    async with open_rfc2136(rfc2136_settings(server, secret_file=wrong.plain_file)) as provider:
        errors = await failures(provider, plan)
    assert [(type(error), error.reason) for error in errors] == [(Permanent, "tsig_bad_signature")] * 2
    assert all(wrong.secret not in f"{error} {error!r} {error.__context__!r}" for error in errors)


@both_servers
@pytest.mark.parametrize(("skew", "said"), [(4_000, "4000s ahead"), (-4_000, "4000s behind")])
async def test_a_skewed_clock_has_its_own_reason_and_says_by_how_much(
    server: DnsServer, program: str, name: str, monkeypatch: pytest.MonkeyPatch, skew: int, said: str
) -> None:
    del program
    plan = await a_plan(server, target(name), EAST)
    real = time.time
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        monkeypatch.setattr("dns.message.time.time", lambda: real() + skew)
        errors = await failures(provider, plan)
    assert [(type(error), error.reason) for error in errors] == [(Permanent, "clock_skewed")] * 2
    assert all("NTP" in error.remedy for error in errors)
    assert any(said in error.detail or f"{abs(skew) - 1}s" in error.detail for error in errors)


@pytest.mark.parametrize("mistake", ["unknown key", "wrong secret", "skewed clock"])
async def test_powerdns_refuses_every_bad_signature_in_the_same_way_and_the_remedy_names_them_all(
    powerdns_server: PowerDns, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    plan = await a_plan(powerdns_server, target(name), EAST)
    key, real = Key.make(tmp_path, "stranger" if mistake == "unknown key" else "failoverd"), time.time
    secret_file = powerdns_server.key.bind_file if mistake == "skewed clock" else key.bind_file
    settings = rfc2136_settings(powerdns_server, key=key.name, secret_file=secret_file)
    async with open_rfc2136(settings) as provider:
        if mistake == "skewed clock":
            monkeypatch.setattr("dns.message.time.time", lambda: real() + 4_000)
        errors = await failures(provider, plan)
    assert [(type(error), error.reason) for error in errors] == [(Permanent, "unsigned_refusal")] * 2
    assert all("secret" in error.remedy and "clock" in error.remedy for error in errors)
    assert all(key.secret not in f"{error} {error!r} {error.__context__!r}" for error in errors)


@every_server
async def test_a_zone_that_is_missing_has_its_own_reason(server: DnsServer, program: str) -> None:
    del program
    at = target("api.missing.test", zone="missing.test")
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        plan = planned(Observed(at, None), wish(provider, at, EAST))
        reading, writing = await failures(provider, plan)
    assert (type(reading), reading.reason) == (Permanent, "zone_missing")
    assert type(writing) is Permanent
    assert writing.reason in {"zone_missing", "unsigned_refusal"}  # Knot does not sign this one, and a read came first


async def test_a_zone_that_takes_no_updates_has_its_own_reason(bind_server: DnsServer) -> None:
    at = target(f"api.{LOCKED_ZONE}", zone=LOCKED_ZONE)
    async with open_rfc2136(rfc2136_settings(bind_server)) as provider:
        plan = planned(await provider.read(at), wish(provider, at, EAST))
        with pytest.raises(Permanent) as caught:
            await provider.apply(approved(plan))
    assert caught.value.reason == "update_refused"
    assert "allow-update" in caught.value.remedy


async def test_knot_says_of_a_zone_whose_acl_lacks_the_key_that_it_does_not_know_the_key(
    knot_server: DnsServer,
) -> None:
    at = target(f"api.{LOCKED_ZONE}", zone=LOCKED_ZONE)
    async with open_rfc2136(rfc2136_settings(knot_server)) as provider:
        plan = planned(Observed(at, None), wish(provider, at, EAST))
        errors = await failures(provider, plan)
    assert [error.reason for error in errors] == ["tsig_bad_key", "tsig_bad_key"]
    assert all("acl" in error.remedy for error in errors)


@every_server
async def test_a_name_outside_its_zone_is_refused(server: DnsServer, program: str) -> None:
    del program
    at = target(f"api.{LOCKED_ZONE}", zone=ZONE)
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        plan = planned(Observed(at, None), wish(provider, at, EAST))
        with pytest.raises(Permanent) as caught:
            await provider.apply(approved(plan))
    assert caught.value.reason == "not_in_zone"


async def test_a_server_that_is_down_refuses_the_connection(bind_server: DnsServer, name: str) -> None:
    plan = await a_plan(bind_server, target(name), EAST)
    with closed_port() as port:
        async with open_rfc2136(rfc2136_settings(bind_server, port=port)) as provider:
            errors = await failures(provider, plan)
    assert [(type(error), error.reason) for error in errors] == [(Transient, "connect_refused")] * 2


async def test_a_server_that_never_answers_times_out_and_the_outcome_of_a_write_is_unknown(
    bind_server: DnsServer, name: str
) -> None:
    plan = await a_plan(bind_server, target(name), EAST)
    async with (
        answering(udp=None, tcp=None) as port,
        open_rfc2136(rfc2136_settings(bind_server, port=port, timeout="7s")) as provider,
    ):
        with silence():
            started = asyncio.get_running_loop().time()
            reading, writing = await failures(provider, plan)
            assert 14 < asyncio.get_running_loop().time() - started < 16
    assert (type(reading), reading.reason) == (Transient, "timed_out")
    assert (type(writing), writing.reason) == (Transient, "outcome_unknown")


@every_server
async def test_a_frozen_server_may_still_act_later_and_the_next_read_tells(
    server: DnsServer, program: str, name: str
) -> None:
    at = target(name)
    plan = await a_plan(server, at, EAST)
    async with open_rfc2136(rfc2136_settings(server)) as provider:
        with server.frozen(), silence():
            reading, writing = await failures(provider, plan)
        assert [reading.reason, writing.reason] == ["timed_out", "outcome_unknown"]

        observed = await provider.read(at)
        assert observed.records in {None, plan.after}
        assert (observed.records is None) == (observed.marker is None)
    assert server.dig(name, "A", program=program) in ([], [EAST])


async def test_rubbish_is_transient_when_read_and_unknown_when_written(bind_server: DnsServer, name: str) -> None:
    plan = await a_plan(bind_server, target(name), EAST)
    for rubbish in (b"", b"\x84\x00", b"\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00", b"\xff" * 40):
        async with (
            answering(udp=rubbish, tcp=rubbish) as port,
            open_rfc2136(rfc2136_settings(bind_server, port=port)) as provider,
        ):
            reading, writing = await failures(provider, plan)
        assert (type(reading), reading.reason) == (Transient, "answer_invalid")
        assert (type(writing), writing.reason) == (Transient, "outcome_unknown")


@pytest.mark.parametrize(
    ("header", "read", "written"),
    [
        (b"\x84\x00", (Permanent, "answer_unverified"), (Permanent, "answer_unverified")),
        (b"\x84\x01", (Permanent, "format_error"), (Permanent, "format_error")),
        (b"\x84\x02", (Transient, "server_failure"), (Transient, "server_failure")),
        (b"\x84\x03", (Permanent, "answer_unverified"), (Permanent, "answer_unverified")),
        (b"\x84\x04", (Permanent, "not_implemented"), (Permanent, "not_implemented")),
        (b"\x84\x05", (Permanent, "zone_missing"), (Permanent, "unsigned_refusal")),
        (b"\x84\x08", (Permanent, "answer_unverified"), (Permanent, "answer_unverified")),
        (b"\x84\x09", (Permanent, "unsigned_refusal"), (Permanent, "unsigned_refusal")),
        (b"\x84\x0b", (Transient, "unexpected_answer"), (Transient, "unexpected_answer")),
    ],
)
async def test_an_unsigned_answer_is_never_believed_to_be_a_success(
    bind_server: DnsServer, name: str, header: bytes, read: tuple[type, str], written: tuple[type, str]
) -> None:
    plan = await a_plan(bind_server, target(name), EAST)
    answer = header + bytes(8)
    async with (
        answering(udp=answer, tcp=answer) as port,
        open_rfc2136(rfc2136_settings(bind_server, port=port)) as provider,
    ):
        reading, writing = await failures(provider, plan)
    assert (type(reading), reading.reason) == read
    assert (type(writing), writing.reason) == written


@pytest.mark.parametrize("rcode", [dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS])
async def test_a_server_that_does_not_know_edns_is_read_without_it(
    bind_server: DnsServer, name: str, rcode: dns.rcode.Rcode
) -> None:
    """It signs what it understands, so nothing is believed that is not proved."""
    bind_server.edit(f"add {name}. 30 A {EAST}")
    async with (
        without_edns(bind_server.port, rcode) as port,
        open_rfc2136(rfc2136_settings(bind_server, port=port)) as provider,
    ):
        observed = await provider.read(target(name))
    assert observed.records is not None, observed


async def test_a_server_that_closes_before_it_answers_is_transient(bind_server: DnsServer, name: str) -> None:
    async with (
        cutting(bind_server.port, Cut.BEFORE_EFFECT) as port,
        open_rfc2136(rfc2136_settings(bind_server, port=port)) as provider,
    ):
        with pytest.raises(Transient) as caught:
            await provider.read(target(name))
    assert caught.value.reason == "connection_lost"


async def test_an_address_without_a_route_is_unreachable(bind_server: DnsServer, name: str) -> None:
    plan = await a_plan(bind_server, target(name), EAST)
    nowhere = {"server": ServerAddress("fe80::1")}  # which a file may not say
    async with open_rfc2136(rfc2136_settings(bind_server).model_copy(update=nowhere)) as provider:
        reading, _ = await failures(provider, plan)
    assert isinstance(reading, Transient)
    assert reading.reason in {"unreachable", "network_error"}


# -- the secret --------------------------------------------------------------------------------------------------------


async def test_a_rotated_secret_is_taken_up_without_a_restart(
    bind_server: DnsServer, name: str, tmp_path: Path
) -> None:
    at, secret = target(name), tmp_path / "secret"
    wrong = Key.make(tmp_path)
    secret.write_text(wrong.clause())
    async with open_rfc2136(rfc2136_settings(bind_server, secret_file=secret)) as provider:
        with pytest.raises(Permanent):
            await provider.read(at)
        fresh = tmp_path / "fresh"
        fresh.write_text(bind_server.key.secret)
        fresh.replace(secret)
        await publish(provider, at, EAST)


async def test_a_missing_secret_stops_each_operation_and_not_the_opening(
    bind_server: DnsServer, name: str, tmp_path: Path
) -> None:
    plan = await a_plan(bind_server, target(name), EAST)
    secret = tmp_path / "secret"
    async with open_rfc2136(rfc2136_settings(bind_server, secret_file=secret)) as provider:
        errors = await failures(provider, plan)
        assert [(type(error), error.reason) for error in errors] == [(Permanent, "secret_unreadable")] * 2
        assert provider.manual(plan), "the command that a person needs now must not depend on the secret"
        secret.write_text(bind_server.key.secret)
        await provider.apply(approved(plan))


# -- dry run -----------------------------------------------------------------------------------------------------------


async def test_the_client_of_a_dry_run_has_no_way_to_send_an_update(bind_server: DnsServer) -> None:
    async with (
        open_rfc2136(rfc2136_settings(bind_server), Access.READ) as dry,
        open_rfc2136(rfc2136_settings(bind_server), Access.WRITE) as wet,
    ):
        assert isinstance(dry, Rfc2136)
        assert isinstance(wet, Rfc2136)
        assert type(dry._client) is Reader
        assert not hasattr(dry._client, "update")
        assert type(wet._client) is Writer


# -- the command for a person ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["bind_file", "plain_file"])
@pytest.mark.parametrize("kind", list(RecordType))
async def test_the_manual_command_really_does_it(
    bind_server: DnsServer, name: str, form: str, kind: RecordType
) -> None:
    at = target(name, kind)
    secret_file: Path = getattr(bind_server.key, form)
    async with open_rfc2136(rfc2136_settings(bind_server, secret_file=secret_file), Access.READ) as provider:
        for value in VALUES[kind][:2]:
            plan = planned(await provider.read(at), wish(provider, at, value))
            command = manual_command(provider, plan)
            assert bind_server.key.secret not in command
            await asyncio.to_thread(_run, command)
            observed = await provider.read(at)
            assert (observed.records, observed.marker) == (plan.after, plan.by_person.marker)


async def test_the_manual_command_obeys_the_fence(bind_server: DnsServer, name: str) -> None:
    at = target(name)
    plan = await a_plan(bind_server, at, EAST)
    async with open_rfc2136(rfc2136_settings(bind_server)) as provider:
        await publish(provider, at, WEST)
        done = await asyncio.to_thread(_run, manual_command(provider, plan), check=False)
        assert done.returncode != 0
        assert "YXRRSET" in done.stderr
        assert (await provider.read(at)).records == wish(provider, at, WEST)


async def test_the_manual_command_quotes_what_it_did_not_write(
    bind_server: DnsServer, name: str, tmp_path: Path
) -> None:
    at = target(name)
    secret = tmp_path / "a secret $(touch pwned) 'file'"
    secret.write_text(bind_server.key.clause())
    async with open_rfc2136(rfc2136_settings(bind_server, secret_file=secret)) as provider:
        plan = await publish(provider, at, EAST)
        server_edit = f'{plan.marker.to_text()} x=\\"$(touch pwned)\\"'
        bind_server.edit(f"delete {at.key.marker_name}. TXT", f'add {at.key.marker_name}. 60 TXT "{server_edit}"')
        changed = planned(await provider.read(at), wish(provider, at, WEST))
        await asyncio.to_thread(_run, manual_command(provider, changed), cwd=tmp_path)
        assert (await provider.read(at)).records == wish(provider, at, WEST)
    assert not (tmp_path / "pwned").exists()


def _run(command: str, *, check: bool = True, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=check, timeout=20, cwd=cwd)


# -- what DNS can say --------------------------------------------------------------------------------------------------


async def test_a_marker_that_does_not_fit_into_one_string_is_refused(bind_server: DnsServer, name: str) -> None:
    plan = await a_plan(bind_server, target(name), EAST)
    long = replace(plan, marker=replace(plan.marker, owner="o" * 250))
    async with open_rfc2136(rfc2136_settings(bind_server)) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.apply(approved(long))
    assert caught.value.reason == "unsayable"


async def test_a_name_without_room_for_the_marker_is_refused(bind_server: DnsServer) -> None:
    at = target(".".join(["x" * 60] * 4) + ".test")
    async with open_rfc2136(rfc2136_settings(bind_server)) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(at)
    assert caught.value.reason == "unsayable"


async def test_values_that_are_no_data_of_their_type_are_refused(bind_server: DnsServer, name: str) -> None:
    async with open_rfc2136(rfc2136_settings(bind_server)) as provider:
        for kind, value in ((A, "2001:db8::1"), (AAAA, "east"), (CNAME, "a..b"), (SRV, "east"), (SRV, "east:99999")):
            with pytest.raises(Permanent) as caught:
                wish(provider, target(name, kind), value)
            assert caught.value.reason == "unsayable"


async def test_heavy_srv_weights_are_scaled_into_sixteen_bits_and_none_is_lost(
    bind_server: DnsServer, name: str
) -> None:
    key = target(name, SRV).key
    async with open_rfc2136(rfc2136_settings(bind_server)) as provider:
        scaled = provider.normalise(RecordSet.of(key, 30, {"a.test:1": 1_000_000, "b.test:1": 500_000, "c.test:1": 1}))
        assert [answer.weight for answer in scaled.answers] == [65_535, 32_768, 1]
        assert provider.normalise(scaled) == scaled
        small = RecordSet.of(key, 30, {"a.test:1": WHOLE - 1, "b.test:1": 1})
        assert provider.normalise(small) == small


def test_the_record_types_that_are_managed_are_types_of_dns() -> None:
    assert [dns.rdatatype.RdataType[kind].name for kind in RecordType] == ["A", "AAAA", "CNAME", "SRV"]
