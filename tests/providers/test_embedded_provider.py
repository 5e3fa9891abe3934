"""The embedded provider behind the port that all providers share: what stands is read, what is stale is refused."""

import asyncio
from dataclasses import replace

import dns.rcode
import pytest
from support.accepting import accepting
from support.contract import smuggled
from support.embedded_dns import (
    NAME,
    POLICY,
    approved,
    ask_tcp,
    ask_udp,
    kdig,
    marker,
    plan,
    publish,
    records,
    serving,
    settings,
    target,
    values,
)

from failoverd.core.errors import Fenced, Permanent, Transient
from failoverd.core.records import Observed, RecordKey, RecordSet, RecordType, Target
from failoverd.ports import Access
from failoverd.providers import kinds
from failoverd.providers.embedded import KIND, EmbeddedReader, EmbeddedWriter

EAST, WEST = "192.0.2.10", "198.51.100.10"


async def read_from_outside(provider: EmbeddedWriter, at: Target) -> Observed:
    """What another process reads: by DNS, at the address of the daemon."""
    host, port = provider.address
    async with KIND.open("embedded-main", settings(f"{host}:{port}"), Access.READ) as reader:
        assert isinstance(reader, EmbeddedReader)
        return await reader.read(at)


# -- reading and writing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "weights"),
    [
        (RecordType.A, {EAST: 70, WEST: 30}),
        (RecordType.AAAA, {"2001:db8::10": 7_000, "2001:db8:1::10": 3_000}),
        (RecordType.CNAME, {"east.example.net": 9, "west.example.net": 1}),
        (RecordType.SRV, {"east.example.net:443": 65_535, "west.example.net:443": 1}),
    ],
)
async def test_what_was_applied_is_read_back_inside_and_outside_the_daemon(
    kind: RecordType, weights: dict[str, int]
) -> None:
    at = target(kind)
    async with serving() as provider:
        await publish(provider, at, weights)

        inside = await provider.read(at)
        assert inside.records == records(at, weights)
        assert inside.marker == marker(1, kind)
        assert await read_from_outside(provider, at) == inside


async def test_a_name_that_nobody_wrote_reads_as_nothing_inside_and_outside() -> None:
    async with serving() as provider:
        inside = await provider.read(target())

        assert (inside.records, inside.marker_text) == (None, None)
        assert await read_from_outside(provider, target()) == inside


async def test_a_change_is_answered_at_once() -> None:
    async with serving() as provider:
        await publish(provider, target(), {EAST: 1})
        assert values(await ask_udp(provider.address, NAME, "A")) == [EAST]

        await publish(provider, target(), {WEST: 1})
        assert values(await ask_udp(provider.address, NAME, "A")) == [WEST]
        assert (await kdig(provider.address, "+short", NAME, "A")).split() == [WEST]


async def test_record_types_of_a_name_share_the_marker_and_stand_side_by_side() -> None:
    six = target(RecordType.AAAA)
    async with serving() as provider:
        await publish(provider, target(), {EAST: 1})
        await publish(provider, six, {"2001:db8::10": 1})

        both = marker(2, RecordType.A, RecordType.AAAA)
        assert (await provider.read(target())).marker == both
        assert (await provider.read(target())).records == records(target(), {EAST: 1})
        assert await read_from_outside(provider, six) == await provider.read(six)


async def test_a_name_with_a_hundred_weighted_answers_is_read_whole_from_outside() -> None:
    weights = {f"192.0.2.{index}": index + 1 for index in range(100)}
    async with serving() as provider:
        await publish(provider, target(), weights)

        assert (await read_from_outside(provider, target())).records == records(target(), weights)


async def test_the_apex_of_a_zone_can_be_written_and_keeps_its_own_records() -> None:
    at = target(name="example.com")
    async with serving() as provider:
        await publish(provider, at, {EAST: 1})

        assert values(await ask_udp(provider.address, "example.com", "A")) == [EAST]
        assert values(await ask_udp(provider.address, "example.com", "NS")) == ["ns.example.com"]


# -- the fence ---------------------------------------------------------------------------------------------------------


async def test_a_plan_from_before_another_write_is_fenced_and_changes_nothing() -> None:
    async with serving() as provider:
        early = await provider.read(target())
        await publish(provider, target(), {EAST: 1})
        stands = await provider.read(target())

        with pytest.raises(Fenced) as caught:
            await provider.apply(approved(plan(early, records(target(), {WEST: 1}))))

        assert caught.value.reason == "stale_generation"
        assert await provider.read(target()) == stands


async def test_a_generation_that_is_not_newer_is_fenced() -> None:
    async with serving() as provider:
        await publish(provider, target(), {EAST: 1})
        stands = await provider.read(target())

        with pytest.raises(Fenced, match="stale_generation"):
            await provider.apply(approved(plan(stands, records(target(), {WEST: 1}), marker(1))))

        assert await provider.read(target()) == stands


async def test_a_plan_that_saw_other_answers_is_fenced() -> None:
    async with serving() as provider:
        await publish(provider, target(), {EAST: 1})
        mistaken = replace(await provider.read(target()), records=records(target(), {WEST: 1}))

        with pytest.raises(Fenced, match="record_changed"):
            await provider.apply(approved(plan(mistaken, records(target(), {WEST: 2}))))


async def test_of_many_writers_from_the_same_state_one_wins() -> None:
    async with serving() as provider:
        seen = await provider.read(target())
        plans = [approved(plan(seen, records(target(), {f"192.0.2.{number}": 1}))) for number in range(1, 17)]

        ends = await asyncio.gather(*(provider.apply(one) for one in plans), return_exceptions=True)

        assert sum(end is None for end in ends) == 1
        assert sum(isinstance(end, Fenced) for end in ends) == 15


# -- refusals ----------------------------------------------------------------------------------------------------------


async def test_an_empty_answer_is_refused_even_with_an_approval() -> None:
    async with serving() as provider:
        await publish(provider, target(), {EAST: 1})
        stands = await provider.read(target())

        for nothing in ({}, {EAST: 0}):
            with pytest.raises(Permanent, match="empty_answer"):
                await provider.apply(smuggled(plan(stands, records(target(), nothing))))

        assert await provider.read(target()) == stands


async def test_a_value_that_dns_cannot_hold_is_refused_and_changes_nothing() -> None:
    async with serving() as provider:
        before = await provider.read(target())

        with pytest.raises(Permanent, match="unsayable"):
            await provider.apply(approved(plan(before, records(target(), {EAST: 1, "not an address": 1}))))

        assert await provider.read(target()) == before


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (target(name="api.example.org", zone="example.org"), "zone_missing"),
        (target(name="api.example.org"), "zone_missing"),
        (target(name="notexample.com"), "zone_missing"),
        (target(name="_failoverd.api.example.com"), "name_reserved"),
        (target(name="ns.example.com"), "name_reserved"),
    ],
    ids=str,
)
async def test_a_name_that_cannot_be_published_here_is_refused(at: Target, reason: str) -> None:
    async with serving() as provider:
        with pytest.raises(Permanent) as read:
            await provider.read(at)
        with pytest.raises(Permanent) as written:
            await provider.apply(approved(plan(Observed(at, None), records(at, {EAST: 1}))))
        with pytest.raises(Permanent) as outside:
            await read_from_outside(provider, at)

        assert {read.value.reason, written.value.reason, outside.value.reason} == {reason}


async def test_a_name_belongs_to_the_closest_zone() -> None:
    at = target(name="api.lab.example.com", zone="example.com")
    async with serving(zones=("example.com", "lab.example.com")) as provider:
        with pytest.raises(Permanent, match="zone_missing"):
            await provider.read(at)

        await publish(provider, replace(at, zone="lab.example.com"), {EAST: 1})
        assert values(await ask_udp(provider.address, "api.lab.example.com", "A")) == [EAST]


# -- from another process ----------------------------------------------------------------------------------------------


async def test_another_process_cannot_write() -> None:
    async with serving() as provider, KIND.open("embedded-main", settings(), Access.READ) as reader:
        before = await provider.read(target())

        with pytest.raises(Permanent) as caught:
            await reader.apply(approved(plan(before, records(target(), {EAST: 1}))))

        assert caught.value.reason == "embedded_elsewhere"
        assert "daemon" in caught.value.remedy
        assert await provider.read(target()) == before


async def test_without_a_daemon_the_reader_says_so_at_once() -> None:
    async with serving() as provider:
        free = f"127.0.0.1:{provider.address[1]}"

    async with KIND.open("embedded-main", settings(free), Access.READ) as reader:
        with pytest.raises(Transient, match="connect_failed"):
            await reader.read(target())


async def test_a_free_port_is_known_to_the_daemon_alone() -> None:
    async with KIND.open("embedded-main", settings("127.0.0.1:0"), Access.READ) as reader:
        with pytest.raises(Permanent, match="port_unknown"):
            await reader.read(target())


async def test_a_daemon_that_serves_other_zones_is_told_from_an_empty_one() -> None:
    async with serving(zones=("example.org",)) as provider:
        with pytest.raises(Permanent, match="zone_missing"):
            await read_from_outside(provider, target())


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\x0cgarbage.....",
        b"",
    ],
    ids=["another protocol", "no DNS", "hangs up"],
)
async def test_a_server_that_speaks_no_dns_is_no_reason_to_believe_anything(reply: bytes) -> None:
    left = asyncio.Event()

    async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2)
        writer.write(reply)
        writer.write_eof()
        await reader.read()
        left.set()

    async with accepting(impostor) as port:
        async with KIND.open("embedded-main", settings(f"127.0.0.1:{port}"), Access.READ) as reader:
            with pytest.raises((Transient, Permanent)) as caught:
                await reader.read(target())
        await left.wait()

    assert caught.value.reason in {"connect_failed", "not_embedded"}


# -- after a start -----------------------------------------------------------------------------------------------------


async def test_after_a_start_the_last_good_answer_stands_again_before_any_probe() -> None:
    async with serving() as before:
        await publish(before, target(), {EAST: 70, WEST: 30})
        last_good = await before.read(target())

    async with serving() as after:
        assert last_good.records is not None
        assert last_good.marker is not None
        assert after.seed(target(), last_good.records, last_good.marker)

        assert await after.read(target()) == last_good
        assert values(await ask_udp(after.address, NAME, "A"))[0] in {EAST, WEST}


async def test_what_stands_already_is_not_seeded_over() -> None:
    async with serving() as provider:
        await publish(provider, target(), {EAST: 1})
        stands = await provider.read(target())

        assert not provider.seed(target(), records(target(), {WEST: 1}), marker(9))
        alias = target(RecordType.CNAME)
        assert not provider.seed(alias, records(alias, {"east.example.net": 1}), marker(9, RecordType.CNAME))
        assert await provider.read(target()) == stands


async def test_two_types_of_a_name_are_seeded_one_after_the_other_and_keep_the_newer_generation() -> None:
    six = target(RecordType.AAAA)
    async with serving() as provider:
        assert provider.seed(target(), records(target(), {EAST: 1}), marker(7, RecordType.A))
        assert provider.seed(six, records(six, {"2001:db8::10": 1}), marker(6, RecordType.AAAA))

        assert (await provider.read(six)).marker == marker(7, RecordType.A, RecordType.AAAA)


async def test_a_name_of_another_policy_is_not_seeded() -> None:
    six = target(RecordType.AAAA)
    async with serving() as provider:
        assert provider.seed(target(), records(target(), {EAST: 1}), marker(1))
        assert not provider.seed(six, records(six, {"2001:db8::10": 1}), marker(1, RecordType.AAAA, policy="other"))


async def test_an_empty_answer_is_not_seeded() -> None:
    async with serving() as provider:
        with pytest.raises(Permanent, match="empty_answer"):
            provider.seed(target(), records(target(), {EAST: 0}), marker(1))


async def test_after_a_start_no_name_is_denied_until_it_is_known_which_there_are() -> None:
    async with serving(whole=False) as provider:
        assert (await ask_udp(provider.address, NAME, "A")).rcode() == dns.rcode.SERVFAIL
        with pytest.raises(Transient, match="not_ready"):
            await read_from_outside(provider, target())

        provider.expect(frozenset({target()}), whole=True)
        assert (await ask_udp(provider.address, NAME, "A")).rcode() == dns.rcode.SERVFAIL
        assert (await ask_udp(provider.address, "typo.example.com", "A")).rcode() == dns.rcode.NXDOMAIN
        assert await read_from_outside(provider, target()) == await provider.read(target())

        await publish(provider, target(), {EAST: 1})
        assert values(await ask_udp(provider.address, NAME, "A")) == [EAST]


async def test_what_can_never_be_published_disturbs_no_other_name() -> None:
    async with serving(whole=False) as provider:
        apex, nowhere = target(RecordType.CNAME, "example.com"), target(zone="example.net")
        endless = target(name=f"{'a.' * 115}example.com")
        provider.expect(frozenset({apex, nowhere, endless, target(name="ns.example.com")}), whole=True)

        assert (await ask_udp(provider.address, "example.com", "SOA")).answer
        assert values(await ask_udp(provider.address, "ns.example.com", "A")) == ["127.0.0.1"]


# -- what can be said --------------------------------------------------------------------------------------------------


async def normalised(desired: RecordSet) -> RecordSet:
    async with KIND.open("embedded-main", settings(), Access.READ) as provider:
        return provider.normalise(desired)


async def test_normalising_leaves_out_what_is_never_answered() -> None:
    assert await normalised(records(target(), {EAST: 7_000, WEST: 0})) == records(target(), {EAST: 7_000})


async def test_normalising_scales_weights_into_sixteen_bits_and_keeps_the_smallest_above_zero() -> None:
    desired = records(target(), {EAST: 1_000_000, WEST: 500_000, "203.0.113.10": 1})

    assert await normalised(desired) == records(target(), {EAST: 65_535, WEST: 32_768, "203.0.113.10": 1})


async def test_normalising_keeps_the_ttl_within_what_dns_has() -> None:
    assert (await normalised(records(target(), {EAST: 1}, ttl=0))).ttl == 1
    assert (await normalised(records(target(), {EAST: 1}, ttl=2**40))).ttl == 2**31 - 1


@pytest.mark.parametrize(
    ("desired", "reason"),
    [
        (records(target(), {}), "empty_answer"),
        (records(target(), {EAST: 0}), "empty_answer"),
        (records(target(), {"east.example.net": 1}), "unsayable"),
        (RecordSet.of(RecordKey(f"{'a.' * 115}example.com", RecordType.A), 30, {EAST: 1}), "name_invalid"),
    ],
    ids=["nothing", "nothing above zero", "host name as address", "no room for the marker"],
)
async def test_what_cannot_be_said_is_refused(desired: RecordSet, reason: str) -> None:
    with pytest.raises(Permanent) as caught:
        await normalised(desired)

    assert caught.value.reason == reason


async def test_the_manual_text_says_what_is_wanted_and_how_to_look() -> None:
    async with serving() as provider:
        text = provider.manual(plan(await provider.read(target()), records(target(), {WEST: 3})))

        look = next(line for line in text.splitlines() if "+short TXT" in line)
        assert f"A 30 {WEST}=3" in text
        assert f"failoverctl why {POLICY}" in text
        assert look == f"dig @127.0.0.1 -p {provider.address[1]} +tcp +short TXT _weights._failoverd.{NAME}"


async def test_the_weights_can_be_looked_at_as_the_manual_text_says() -> None:
    async with serving() as provider:
        await publish(provider, target(), {EAST: 70, WEST: 30})

        assert values(await ask_tcp(provider.address, f"_weights._failoverd.{NAME}", "TXT")) == [
            f'"A 30 {EAST}=70"',
            f'"A 30 {WEST}=30"',
            '"marker v=1 owner=prod policy=inference-api gen=1 types=A"',
        ]


def test_the_kind_is_listed_and_says_what_it_can() -> None:
    assert kinds()["embedded"] is KIND
    assert set(KIND.capabilities.weights) == set(RecordType)
    assert KIND.in_daemon
