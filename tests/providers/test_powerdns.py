"""The provider against a real PowerDNS: what clients see, what people put beside our records, what fails."""

import asyncio
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import uvloop
from support.contract import VALUES, approved, compare, failures, planned, publish, target, unseen, wish
from support.powerdns import by_both, dns_update, http_api, open_powerdns
from support.proxies import closed_port
from support.servers import LOCKED_ZONE, LUA, ZONE, Key, PowerDns, lua, powerdns, program, ready
from support.silence import silence

from failoverd.core.control.plan import InSync, Plan, RefusalReason, Refused
from failoverd.core.errors import Fenced, Permanent, ProviderError, Transient
from failoverd.core.records import Observed, RecordSet, RecordType, Target
from failoverd.ports import Access
from failoverd.providers.powerdns import PowerdnsSettings
from failoverd.runtime.manual_command import manual_command

A, AAAA, CNAME, SRV = RecordType.A, RecordType.AAAA, RecordType.CNAME, RecordType.SRV
EAST, WEST, NORTH = VALUES[A]

Configured = Callable[..., PowerdnsSettings]
either_way = pytest.mark.parametrize("configured", [dns_update, by_both, http_api])


@pytest.fixture
def server(powerdns_server: PowerDns) -> PowerDns:
    return powerdns_server


@pytest.fixture
def doomed() -> Iterator[PowerDns]:
    """A server of the test's own, to be killed."""
    with powerdns() as server:
        yield server


async def a_plan(server: PowerDns, at: Target, *values: str) -> Plan:
    """What a writer would do at `at`, made while everything was well."""
    async with open_powerdns(by_both(server)) as provider:
        return planned(await provider.read(at), wish(provider, at, *values))


def stored(server: PowerDns, name: str, record_type: str = "LUA") -> list[str]:
    """What stands in the database of the server, read without failoverd and without DNS."""
    with closing(sqlite3.connect(f"file:{server.directory}/pdns.sqlite3?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT content FROM records WHERE name = ? AND type = ?", (name, record_type))
        return sorted(content for (content,) in rows)


def by_a_person(command: str) -> None:
    subprocess.run(["bash", "-c", command], check=True, capture_output=True, timeout=20)


@contextmanager
def started_again(server: PowerDns) -> Iterator[None]:
    """The same server, on the same port and database, once its process has ended."""
    server.process.wait()
    command = [program("pdns_server"), f"--config-dir={server.directory}", "--daemon=no", "--guardian=no"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            assert ready(process, server.port)
            yield
        finally:
            process.terminate()


# -- what clients see --------------------------------------------------------------------------------------------------


@either_way
async def test_a_failover_is_seen_by_an_independent_client(server: PowerDns, name: str, configured: Configured) -> None:
    at = target(name)
    async with open_powerdns(configured(server)) as provider:
        await publish(provider, at, EAST, WEST)
        assert stored(server, name) == [f"A \"pickwrandom({{{{5000,'{EAST}'}},{{5000,'{WEST}'}}}})\""]
        assert {*server.dig(name, "A")} < {EAST, WEST}
        await publish(provider, at, WEST)
        assert [server.dig(name, "A") for _ in range(20)] == [[WEST]] * 20
    marker = "v=1 owner=prod policy=inference-api gen=2 types=A"
    assert server.dig(at.key.marker_name, "TXT") == [f'"{marker}"']


@either_way
async def test_a_weighted_cname_answers_every_question_with_one_host(
    server: PowerDns, name: str, configured: Configured
) -> None:
    async with open_powerdns(configured(server)) as provider:
        await publish(provider, target(name, CNAME), *VALUES[CNAME])
    hosts = {f"{value}." for value in VALUES[CNAME]}
    for asked in ("CNAME", "A", "AAAA"):
        (answered,) = server.dig(name, asked)
        assert answered in hosts


@either_way
async def test_srv_keeps_its_own_weights(server: PowerDns, name: str, configured: Configured) -> None:
    at = target(name, SRV)
    async with open_powerdns(configured(server)) as provider:
        desired = provider.normalise(RecordSet.of(at.key, 30, {"east.example.net:443": 7, "west.example.net:443": 3}))
        await provider.apply(approved(planned(await provider.read(at), desired)))
    assert server.dig(name, "SRV") == ["0 3 443 west.example.net.", "0 7 443 east.example.net."]


@either_way
@pytest.mark.parametrize(
    ("kind", "value"), [(AAAA, "2001:db8:{0}:{0}:{0}:{0}:{0}:{0}"), (CNAME, "a.host.{}.example.net")]
)
async def test_a_hundred_answers_are_more_than_one_string_and_still_answer(
    doomed: PowerDns, name: str, configured: Configured, kind: RecordType, value: str
) -> None:
    at, many = target(name, kind), [value.format(number) for number in range(100, 200)]
    async with open_powerdns(configured(doomed)) as provider:
        await publish(provider, at, *many)
        assert (await provider.read(at)).records == wish(provider, at, *many)
    (content,) = stored(doomed, name)
    assert '" "' in content
    (answered,) = doomed.dig(name, kind.value)
    assert answered.removesuffix(".") in many


async def test_where_the_server_cannot_transfer_its_zone_the_remedy_names_the_api(doomed: PowerDns, name: str) -> None:
    """PowerDNS 4.7 puts a hundred records into one message of a transfer, whatever their length."""
    label = "a" * 60
    many = [f"{label}.{label}.{label}.{label}.h{number}" for number in range(90)]
    at = target(f"a.{name}", CNAME)
    async with open_powerdns(by_both(doomed)) as provider:
        for first in "abc":
            await publish(provider, target(f"{first}.{name}", CNAME), *many)
        observed = await provider.read(at)
    async with open_powerdns(dns_update(doomed)) as provider:
        with pytest.raises(Transient) as caught:
            await provider.read(at)
        assert caught.value.reason == "transfer_cut"
        assert "`api`" in caught.value.remedy
    assert observed.records is not None
    (answered,) = doomed.dig(at.key.name, "CNAME")
    assert answered.removesuffix(".") in many


@either_way
def test_it_works_on_the_event_loop_of_the_daemon(server: PowerDns, name: str, configured: Configured) -> None:
    async def failover() -> None:
        async with open_powerdns(configured(server)) as provider:
            await publish(provider, target(name), EAST)
            await publish(provider, target(name), WEST)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(failover())
    assert server.dig(name, "A") == [WEST]


@either_way
async def test_the_manual_command_does_the_same_and_tells_no_secret(
    server: PowerDns, name: str, configured: Configured
) -> None:
    at = target(name)
    async with open_powerdns(configured(server)) as provider:
        plan = planned(await provider.read(at), wish(provider, at, EAST, WEST))
        command = manual_command(provider, plan)
        assert server.key.secret not in command
        assert server.api_key not in command
        by_a_person(command)
        observed = await provider.read(at)
        assert (observed.records, observed.marker) == (plan.after, plan.by_person.marker)


# -- beside our records ------------------------------------------------------------------------------------------------


@either_way
@pytest.mark.parametrize(
    ("kind", "data", "foreign"),
    [
        (A, "A 192.0.2.77", ("plain A",)),
        (AAAA, "AAAA 2001:db8::77", ("plain AAAA",)),
        (A, "CNAME other.example.net.", ("CNAME",)),
        (CNAME, "CNAME other.example.net.", ("plain CNAME",)),
        (CNAME, "TXT verification", ("TXT",)),
    ],
)
async def test_a_plain_record_is_somebody_elses_and_refused(
    server: PowerDns, name: str, configured: Configured, kind: RecordType, data: str, foreign: tuple[str, ...]
) -> None:
    at = target(name, kind)
    server.edit(f"add {name}. 30 {data}")
    async with open_powerdns(configured(server)) as provider:
        observed = await provider.read(at)
        assert (observed.records, observed.foreign) == (None, foreign)
        refused = compare(observed, wish(provider, at, VALUES[kind][0]))
        assert isinstance(refused, Refused)
        assert refused.reason is RefusalReason.FOREIGN_TYPE

        blind = unseen(planned(Observed(at, None), wish(provider, at, VALUES[kind][0])), at)
        with pytest.raises(ProviderError):
            await provider.apply(approved(blind))
    assert stored(server, name) == []


@either_way
async def test_a_plain_address_that_came_after_the_read_fences_the_write(
    server: PowerDns, name: str, configured: Configured
) -> None:
    at = target(name)
    async with open_powerdns(configured(server)) as provider:
        await publish(provider, at, EAST)
        plan = planned(await provider.read(at), wish(provider, at, WEST))
        server.edit(f"add {name}. 30 A 192.0.2.77")
        with pytest.raises(Fenced):
            await provider.apply(approved(plan))


@either_way
@pytest.mark.parametrize("code", ["ifurlup('http://x/', {'192.0.2.77'})", "pickrandom({'192.0.2.77'})", "nonsense("])
async def test_code_of_somebodys_own_shows_as_a_difference_and_is_put_back(
    server: PowerDns, name: str, configured: Configured, code: str
) -> None:
    at = target(name)
    async with open_powerdns(configured(server)) as provider:
        await publish(provider, at, EAST, WEST)
        server.edit(f"delete {name}. {LUA}", f"add {name}. 30 {LUA} {lua('A', code)}")
        edited = await provider.read(at)
        assert edited.records is not None
        assert [answer.value for answer in edited.records.answers] == [f'lua "{code}"']
        await publish(provider, at, EAST, WEST)
        assert (await provider.read(at)).records == wish(provider, at, EAST, WEST)


@either_way
async def test_a_second_lua_record_beside_ours_is_seen_and_removed(
    server: PowerDns, name: str, configured: Configured
) -> None:
    at = target(name)
    async with open_powerdns(configured(server)) as provider:
        await publish(provider, at, EAST, WEST)
        other = "pickrandom({'192.0.2.77'})"
        server.edit(f"add {name}. 30 {LUA} {lua('A', other)}")
        assert len(stored(server, name)) == 2
        await publish(provider, at, EAST, WEST)
    assert len(stored(server, name)) == 1


@either_way
async def test_the_same_weights_in_other_words_are_in_sync_and_still_fence(
    server: PowerDns, name: str, configured: Configured
) -> None:
    at = target(name)
    async with open_powerdns(configured(server)) as provider:
        plan = await publish(provider, at, EAST, WEST)
        spelled = f"; return pickwrandom( {{ {{5000, '{WEST}'}}, {{5000, '{EAST}'}} }} )"
        server.edit(f"delete {name}. {LUA}", f"add {name}. 30 {LUA} {lua('A', spelled)}")
        observed = await provider.read(at)
        assert compare(observed, plan.after) == InSync(at, 1)
        change = planned(observed, wish(provider, at, WEST))
        server.edit(f"delete {name}. {LUA}", f"add {name}. 30 {LUA} {lua('A', spelled + ' ')}")
        with pytest.raises(Fenced):
            await provider.apply(approved(change))
        await publish(provider, at, WEST)
        assert (await provider.read(at)).records == wish(provider, at, WEST)


@either_way
async def test_lua_records_of_other_types_are_left_as_they_are(
    server: PowerDns, name: str, configured: Configured
) -> None:
    server.edit(f"add {name}. 30 {LUA} {lua('TXT', 'os.date()')}")
    async with open_powerdns(configured(server)) as provider:
        await publish(provider, target(name), EAST, WEST)
        await publish(provider, target(name, SRV), "east.example.net:443")
        await publish(provider, target(name), WEST)
    assert stored(server, name) == [f"A \"pickwrandom({{{{10000,'{WEST}'}}}})\"", 'TXT "os.date()"']


@either_way
async def test_a_lua_record_of_another_type_that_came_after_the_read_fences_the_write(
    server: PowerDns, name: str, configured: Configured
) -> None:
    at = target(name)
    async with open_powerdns(configured(server)) as provider:
        await publish(provider, at, EAST)
        plan = planned(await provider.read(at), wish(provider, at, WEST))
        server.edit(f"add {name}. 30 {LUA} {lua('TXT', 'os.date()')}")
        with pytest.raises(Fenced):
            await provider.apply(approved(plan))
    assert 'TXT "os.date()"' in stored(server, name)


# -- what fails, each with its own reason ------------------------------------------------------------------------------


@pytest.mark.parametrize("configured", [dns_update, by_both])
async def test_a_wrong_tsig_secret_changes_nothing(
    server: PowerDns, name: str, tmp_path: Path, configured: Configured
) -> None:
    wrong = Key.make(tmp_path)
    plan = await a_plan(server, target(name), EAST)
    settings = configured(server)
    assert settings.key is not None
    settings = settings.model_copy(update={"key": settings.key.model_copy(update={"secret_file": wrong.plain_file})})
    async with open_powerdns(settings) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.apply(approved(plan))
        if configured is dns_update:
            with pytest.raises(Permanent, match="unsigned_refusal"):
                await provider.read(plan.target)
    assert caught.value.reason == "unsigned_refusal"
    assert wrong.secret not in f"{caught.value} {caught.value!r} {caught.value.__context__!r}"
    assert stored(server, name) == []


async def test_a_wrong_api_key_changes_nothing_and_a_rotated_one_is_taken_up(
    server: PowerDns, name: str, tmp_path: Path
) -> None:
    file, plan = tmp_path / "key", await a_plan(server, target(name), EAST)
    async with open_powerdns(http_api(server, key_file=str(file))) as provider:
        assert [error.reason for error in await failures(provider, plan)] == ["secret_unreadable"] * 2
        file.write_text("\n")
        assert [error.reason for error in await failures(provider, plan)] == ["secret_invalid"] * 2
        file.write_text("wrong-key-of-ours\n")
        errors = await failures(provider, plan)
        assert [(type(error), error.reason) for error in errors] == [(Permanent, "api_key_refused")] * 2
        assert all("wrong-key-of-ours" not in f"{error} {error!r} {error.__context__!r}" for error in errors)
        assert stored(server, name) == []
        file.write_text(server.api_key)
        await provider.apply(approved(plan))
    assert len(stored(server, name)) == 1


@either_way
async def test_a_zone_that_is_missing_has_its_own_reason(server: PowerDns, configured: Configured) -> None:
    at = target("api.missing.test", zone="missing.test")
    async with open_powerdns(configured(server)) as provider:
        plan = planned(Observed(at, None), wish(provider, at, EAST))
        errors = await failures(provider, plan)
    assert [(type(error), error.reason) for error in errors] == [(Permanent, "zone_missing")] * 2


async def test_a_zone_that_lets_the_key_do_nothing_has_its_own_reasons(server: PowerDns) -> None:
    at = target(f"api.{LOCKED_ZONE}", zone=LOCKED_ZONE)
    async with open_powerdns(dns_update(server)) as provider:
        plan = planned(Observed(at, None), wish(provider, at, EAST))
        errors = await failures(provider, plan)
    assert [(type(error), error.reason) for error in errors] == [
        (Permanent, "transfer_refused"),
        (Permanent, "update_refused"),
    ]
    assert "TSIG-ALLOW-AXFR" in errors[0].remedy
    assert "TSIG-ALLOW-DNSUPDATE" in errors[1].remedy


@either_way
async def test_an_alias_where_the_marker_would_stand_is_seen_before_anything_is_published(
    server: PowerDns, name: str, configured: Configured
) -> None:
    at = target(name)
    async with open_powerdns(configured(server)) as provider:
        hasty = planned(await provider.read(at), wish(provider, at, EAST))
        server.edit(f"add {at.key.marker_name}. 60 CNAME elsewhere.example.net.")
        refused = compare(await provider.read(at), wish(provider, at, EAST))
        assert isinstance(refused, Refused)
        assert f"CNAME at {at.key.marker_name} hides {name} or its marker" in refused.detail
        with pytest.raises(Fenced):
            await provider.apply(approved(hasty))
    assert stored(server, name) == []


async def test_a_delegated_name_is_not_ours(server: PowerDns) -> None:
    async with open_powerdns(dns_update(server)) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(target(f"api.child.{ZONE}"))
    assert caught.value.reason == "not_authoritative"


async def test_a_server_that_is_down_refuses_the_connection(server: PowerDns, name: str) -> None:
    plan = await a_plan(server, target(name), EAST)
    for configured in (dns_update, http_api):
        with closed_port() as port:
            async with open_powerdns(configured(server, port=port)) as provider:
                errors = await failures(provider, plan)
        assert [(type(error), error.reason) for error in errors] == [(Transient, "connect_refused")] * 2


@pytest.mark.parametrize(
    ("configured", "writing"), [(dns_update, "outcome_unknown"), (by_both, "outcome_unknown"), (http_api, "timed_out")]
)
async def test_a_frozen_server_times_out(server: PowerDns, name: str, configured: Configured, writing: str) -> None:
    """Through the API nothing was sent yet that could change anything: the comparison before it was not answered."""
    plan = await a_plan(server, target(name), EAST)
    async with open_powerdns(configured(server)) as provider:
        with server.frozen(), silence():
            errors = await failures(provider, plan)
    assert [(type(error), error.reason) for error in errors] == [(Transient, "timed_out"), (Transient, writing)]


@either_way
async def test_a_server_killed_in_the_middle_of_writes_leaves_a_whole_generation(
    doomed: PowerDns, name: str, configured: Configured
) -> None:
    at, plans = target(name), []
    async with open_powerdns(configured(doomed)) as provider:
        for ttl in range(1, 6):
            plans.append(planned(await provider.read(at), wish(provider, at, VALUES[A][ttl % 3], ttl=ttl)))
            await provider.apply(approved(plans[-1]))
        plans.append(planned(await provider.read(at), wish(provider, at, NORTH, ttl=77)))
        doomed.process.send_signal(signal.SIGKILL)
        with pytest.raises(Transient):
            await provider.apply(approved(plans[-1]))

        with started_again(doomed):
            after = await provider.read(at)
            assert (after.records, after.marker) in [(plan.after, plan.marker) for plan in plans[-2:]]
            await publish(provider, at, EAST)


@either_way
async def test_a_dry_run_has_no_way_to_write(server: PowerDns, name: str, configured: Configured) -> None:
    plan = await a_plan(server, target(name), EAST)
    async with open_powerdns(configured(server), Access.READ) as dry:
        with pytest.raises(Permanent) as caught:
            await dry.apply(approved(plan))
    assert caught.value.reason == "read_only"
    assert stored(server, name) == []
