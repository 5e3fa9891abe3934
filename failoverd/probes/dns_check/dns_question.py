"""A question to a DNS server, and what its answer means (RFC 1035, 4; RFC 2308; RFC 6891).

Opens no socket: bytes go in, a finding comes out. Nothing that is in those bytes makes it raise anything else.
"""

from typing import Final

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
from dns.rdtypes.ANY.CNAME import CNAME

from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import few
from failoverd.edns import EDNS_REFUSALS
from failoverd.probes.dns_check.dns_message import HEADER, MALFORMED, DnsAnswer, parse_answer
from failoverd.probes.dns_check.dns_settings import DnsSettings, canonical
from failoverd.probes.findings import Concluded, Finding

MOST_ANSWER: Final = 16 * 1024
"""Bytes of an answer that are taken."""

_PAYLOAD: Final = 1232
"""Bytes that an answer over UDP may have, so that no network has to cut it into fragments."""

_MOST_ALIASES: Final = 16
_MOST_KNOWN: Final = 64
_SHOWN: Final = 4


class Unrelated(Exception):  # noqa: N818 - a datagram of somebody else is no error
    """These bytes are no answer to this question."""


class EdnsRefused(Concluded):
    """The server does not know EDNS: the question is asked again without it. `finding` is what it comes to else."""


class DnsQuestion:
    """What a check asks, and how it weighs what it is told. The same for all of its probes."""

    def __init__(self, settings: DnsSettings) -> None:
        self._settings = settings
        self._name = dns.name.from_text(settings.dns)
        self._type = dns.rdatatype.from_text(settings.type)
        self._rcode = dns.rcode.from_text(settings.rcode)
        self._wanted = {canonical(settings.type, text): text for text in _wanted(settings)}
        flags = dns.flags.RD if settings.recursion else dns.flags.Flag(0)
        asked = dns.message.make_query(self._name, self._type, use_edns=0, payload=_PAYLOAD, flags=flags, id=0)
        plain = dns.message.make_query(self._name, self._type, flags=flags, id=0)
        self._tails = {True: asked.to_wire()[2:], False: plain.to_wire()[2:]}
        self._known: dict[bytes, Finding] = {}

    def wire(self, number: bytes, *, edns: bool = True) -> bytes:
        """The question with this id, two bytes."""
        return number + self._tails[edns]

    def judge(self, number: bytes, data: bytes, *, edns: bool = True) -> Finding | None:
        """What an answer to the question with that id means; None when it was cut for want of room.

        Raises:
            Unrelated: this is no answer to it.
            EdnsRefused: it was asked with EDNS, and should not have been.
        """
        if data[:2] != number:
            raise Unrelated("an answer to another question: its id is wrong")
        known = self._known.get(data[2:])  # servers that are well say the same over and over
        if known is not None:
            return known
        finding = self._read(data, edns=edns)
        if finding is not None and finding.reason is ProbeReason.OK:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[data[2:]] = finding
        return finding

    # -- reading -------------------------------------------------------------------------------------------------------

    def _read(self, data: bytes, *, edns: bool) -> Finding | None:
        if len(data) < HEADER.size:
            return Finding(ProbeReason.RESPONSE_INVALID, f"{len(data)} bytes are no DNS message")
        flags = int.from_bytes(data[2:4], "big")
        if not flags & dns.flags.QR:
            raise Unrelated("a question instead of an answer")
        try:
            answer = parse_answer(data, self._type)
        except MALFORMED as error:
            if flags & dns.flags.TC:
                return None  # in the middle of a record, as some do
            return Finding(ProbeReason.RESPONSE_INVALID, f"not a DNS message: {error or type(error).__name__}")
        if not self._is_ours(answer):
            raise Unrelated("an answer to another question")
        if answer.flags & dns.flags.TC:
            return None
        finding = self._weigh(answer)
        if edns and finding.reason is ProbeReason.RCODE_UNEXPECTED and answer.rcode in EDNS_REFUSALS:
            raise EdnsRefused(finding)
        return finding

    def _is_ours(self, answer: DnsAnswer) -> bool:
        """A server that does not understand a question need not repeat it."""
        if not answer.questions:
            return answer.rcode != dns.rcode.NOERROR
        return answer.questions == [(self._name, self._type)]

    # -- weighing ------------------------------------------------------------------------------------------------------

    def _weigh(self, answer: DnsAnswer) -> Finding:
        settings = self._settings
        rcode = dns.rcode.to_text(dns.rcode.Rcode.make(answer.rcode))
        if answer.rcode != self._rcode:
            return Finding(ProbeReason.RCODE_UNEXPECTED, f"{rcode} instead of {settings.rcode}")
        if settings.authoritative and not answer.flags & dns.flags.AA:
            return Finding(ProbeReason.ANSWER_MISMATCH, "the server does not answer of its own authority")
        if answer.rcode != dns.rcode.NOERROR:
            return Finding(ProbeReason.OK, rcode)
        told = {record.to_digestable(dns.name.root): record for record in self._records(answer)}
        if len(told) < settings.min_answers:
            words = f"{_counted(len(told))} of type {settings.type}; {settings.min_answers} are wanted"
            return Finding(ProbeReason.ANSWER_MISMATCH, words)
        return self._compare(told)

    def _compare(self, told: dict[bytes, dns.rdata.Rdata]) -> Finding:
        missing = [text for data, text in self._wanted.items() if data not in told]
        if missing:
            words = f"{missing[0]} is not among the answers: {_shown(list(told.values()))}"
            return Finding(ProbeReason.ANSWER_MISMATCH, words)
        more = [record for data, record in told.items() if data not in self._wanted]
        if self._settings.expect_exactly is not None and more:
            return Finding(ProbeReason.ANSWER_MISMATCH, f"not expected among the answers: {_shown(more)}")
        return Finding(ProbeReason.OK, f"NOERROR with {_counted(len(told))}")

    def _records(self, answer: DnsAnswer) -> list[dns.rdata.Rdata]:
        """The records of the type that was asked for, at the name, or at the one that aliases lead to."""
        name = self._name
        for _ in range(_MOST_ALIASES):
            found = answer.records.get((name, self._type))
            if found is not None:
                return found
            alias = next(iter(answer.records.get((name, dns.rdatatype.CNAME), ())), None)
            if not isinstance(alias, CNAME):
                return []
            name = alias.target
        return []


def _wanted(settings: DnsSettings) -> tuple[str, ...]:
    return settings.expect if settings.expect_exactly is None else settings.expect_exactly


def _counted(number: int) -> str:
    return "no answer" if number == 0 else "1 answer" if number == 1 else f"{number} answers"


def _shown(records: list[dns.rdata.Rdata]) -> str:
    return few([record.to_text()[:60] for record in records], _SHOWN) or "there is none"
