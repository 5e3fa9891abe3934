"""Transfers of whole zones: long ones from a real server, and the ones that must not be believed."""

import asyncio
from collections.abc import Sequence

import dns.message
import dns.rrset
import dns.tsig
import pytest
from support.accepting import LOOPBACK, accepting
from support.contract import VALUES, publish, target, wish
from support.powerdns import dns_update, open_powerdns
from support.proxies import message
from support.servers import ZONE, PowerDns

from failoverd.core.errors import Permanent, ProviderError, Transient
from failoverd.core.records import RecordType
from failoverd.providers.dnsupdate import transfer as module
from failoverd.providers.dnsupdate.errors import Call, edge
from failoverd.settings import ServerAddress

KEY = dns.tsig.Key("failoverd", b"0123456789abcdef0123456789abcdef", "hmac-sha256")
STRANGER = dns.tsig.Key("failoverd", b"another secret of the same length", "hmac-sha256")
SOA = f"{ZONE}. 60 IN SOA ns.{ZONE}. hostmaster.{ZONE}. 1 3600 600 86400 60"
EAST, _, _ = VALUES[RecordType.A]


async def test_a_zone_of_many_messages_is_read_whole(powerdns_server: PowerDns, name: str) -> None:
    records = [f"add n{number}.{name}. 60 TXT {'x' * 200}" for number in range(300)]
    for start in range(0, len(records), 100):
        powerdns_server.edit(*records[start : start + 100])
    async with open_powerdns(dns_update(powerdns_server)) as provider:
        for at in (target(f"a.{name}"), target(f"zz.{name}")):
            await publish(provider, at, EAST)
            assert (await provider.read(at)).records == wish(provider, at, EAST)


def reply(request: bytes, records: Sequence[str], key: dns.tsig.Key | None, rcode: int = 0) -> bytes:
    """One message of a transfer, with its length in front, signed or not."""
    asked = dns.message.from_wire(request[2:], keyring={KEY.name: KEY})
    answer = dns.message.make_response(asked)
    answer.tsig, answer.request_mac = None, asked.mac or b""
    answer.set_rcode(dns.rcode.Rcode(rcode))
    for record in records:
        name, ttl, rdclass, rdtype, data = record.split(maxsplit=4)
        answer.answer.append(dns.rrset.from_text(name, int(ttl), rdclass, rdtype, data))
    if key is not None:
        answer.use_tsig(key)
    wire = answer.to_wire()
    return len(wire).to_bytes(2, "big") + wire


async def failure(*answers: tuple[Sequence[str], dns.tsig.Key | None, int]) -> ProviderError:
    """How a transfer ends that is answered with these messages."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await message(reader)
        for records, key, rcode in answers:
            writer.write(reply(request, records, key, rcode))
        await writer.drain()

    async with accepting(handle) as port:
        call = Call(f"{LOOPBACK}:{port}", ZONE, "failoverd")
        with pytest.raises(ProviderError) as caught, edge(call):
            await module.transfer(ServerAddress(LOOPBACK, port), KEY, call)
    return caught.value


async def test_a_transfer_that_is_not_signed_is_not_believed() -> None:
    error = await failure(([SOA, SOA], None, 0))
    assert (type(error), error.reason) == (Transient, "answer_invalid")


async def test_a_transfer_that_is_signed_with_another_key_is_not_believed() -> None:
    error = await failure(([SOA, SOA], STRANGER, 0))
    assert (type(error), error.reason) == (Permanent, "answer_unverified")


async def test_a_transfer_whose_end_is_not_signed_is_not_believed() -> None:
    error = await failure(([SOA], KEY, 0), ([SOA], None, 0))
    assert (type(error), error.reason) == (Transient, "answer_invalid")


async def test_a_transfer_that_ends_early_is_not_taken_for_the_zone() -> None:
    error = await failure(([SOA], KEY, 0))
    assert (type(error), error.reason) == (Transient, "transfer_cut")


async def test_a_message_without_records_does_not_go_on_forever() -> None:
    error = await failure(([SOA], KEY, 0), ([], None, 0))
    assert (type(error), error.reason) == (Transient, "answer_invalid")


async def test_a_zone_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TRANSFER", 100)
    error = await failure(([SOA], KEY, 0))
    assert (type(error), error.reason) == (Transient, "answer_invalid")


@pytest.mark.parametrize(("rcode", "reason"), [(5, "transfer_refused"), (9, "transfer_refused"), (2, "server_failure")])
async def test_a_refusal_has_its_reason_signed_or_not(rcode: int, reason: str) -> None:
    for key in (KEY, None):
        assert (await failure(([], key, rcode))).reason == reason
