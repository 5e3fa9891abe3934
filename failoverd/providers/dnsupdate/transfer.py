"""A whole zone over one connection, signed (AXFR, RFC 5936): for what a server does not tell when asked for it alone.

A long zone comes in many messages. The first and the last have to be signed, and those in between are covered by the
next signature (RFC 8945, 5.3.1). The zone is complete when its SOA comes for the second time.
"""

import asyncio

import dns.message
import dns.rrset
import dns.tsig
from dns.rdatatype import RdataType

from failoverd.providers.dnsupdate import rdata
from failoverd.providers.dnsupdate.errors import Call, signed, transfer_broken, transfer_cut, transfer_refusal
from failoverd.settings import ServerAddress

MAX_TRANSFER = 64 * 1024 * 1024
"""Octets of a zone that are still read. Past that, another way of reading is the right one."""


async def transfer(server: ServerAddress, key: dns.tsig.Key, call: Call) -> list[dns.rrset.RRset]:
    """Every record of the zone at one moment, each in a set of its own.

    The caller sets the deadline, and turns what the network raises into provider errors (`errors.edge`).
    """
    request = dns.message.make_query(rdata.absolute(call.zone), RdataType.AXFR, flags=0)
    request.use_tsig(key)
    wire = request.to_wire()
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        writer.write(len(wire).to_bytes(2, "big") + wire)
        await writer.drain()
        return await _receive(reader, request, call)
    except asyncio.IncompleteReadError:
        raise transfer_cut(call) from None
    finally:
        writer.transport.abort()


async def _receive(reader: asyncio.StreamReader, request: dns.message.Message, call: Call) -> list[dns.rrset.RRset]:
    records: list[dns.rrset.RRset] = []
    size, soas = 0, 0
    last: dns.message.Message | None = None
    while soas < 2:  # noqa: PLR2004 - the SOA stands at both ends
        wire = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        size += len(wire)
        if size > MAX_TRANSFER:
            raise transfer_broken(call, f"a zone of more than {MAX_TRANSFER >> 20} MiB")
        last = _next(wire, request, last, call)
        records += last.answer
        soas += sum(record.rdtype is RdataType.SOA for record in last.answer)
    if last is None or not last.had_tsig:
        raise transfer_broken(call, "the end of the zone is not signed")
    return records


def _next(
    wire: bytes, request: dns.message.Message, last: dns.message.Message | None, call: Call
) -> dns.message.Message:
    """One message of the transfer, its signature checked or, in the middle, taken into the next one."""
    refused = transfer_refusal(wire, call)
    if refused is not None:
        raise refused
    with signed(wire, call):
        message = dns.message.from_wire(
            wire, keyring=request.keyring, request_mac=request.mac, xfr=True, one_rr_per_rrset=True,
            tsig_ctx=None if last is None else last.tsig_ctx, multi=True,
        )  # fmt: skip
    if message.id != request.id or not message.answer:
        raise transfer_broken(call, "a message that is no part of the transfer")
    if last is None and not message.had_tsig:
        raise transfer_broken(call, "a transfer that is not signed")
    return message
