"""Everything that can go wrong between failoverd and a DNS server, each with its reason and what to do about it.

Two things matter beyond the words. An UPDATE that was sent and not answered may have taken effect, so it ends as
`outcome_unknown` and is resolved by reading, never by sending it again: the second one would fail on the first one's
success. And an answer that is not signed proves nothing (anybody could have sent it), so it can only ever become an
error, never a success and never "this record does not exist".
"""

import asyncio
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import dns.edns
import dns.exception
import dns.message
import dns.rcode
import dns.tsig
from dns.rcode import Rcode

from failoverd.core.errors import Permanent, ProviderError, Transient
from failoverd.edns import EDNS_REFUSALS
from failoverd.providers.shared.refusals import stale
from failoverd.providers.shared.unanswered import NONSENSE, in_doubt

_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})
_CHANGED = frozenset({Rcode.NXRRSET, Rcode.YXRRSET, Rcode.YXDOMAIN, Rcode.NXDOMAIN})
_TIME_OCTETS = 6
_RECORDS = slice(6, 10)
"""Where the header says how many answers, and how many records of authority, there are (RFC 1035, 4.1.1)."""
_RCODE = 3
"""The octet of the header whose lower half is the response code; more bits of it take EDNS, which no transfer has."""


@dataclass(slots=True)
class Call:
    """One exchange with a server, as far as its failure has to tell about it.

    `sent` is set before the first octet of what may take effect. `about` is set for an update without any: it asks
    whether a record stands at that name.
    """

    server: str
    zone: str
    key: str
    update: bool = False
    sent: bool = False
    about: str = ""

    def __str__(self) -> str:
        where = f"zone {self.zone} at {self.server}"
        if self.about:
            return f"cannot tell whether {self.about} stands in {where}, or a wildcard answers for it"
        return f"cannot {'update' if self.update else 'read'} {where}"


@contextmanager
def edge(call: Call) -> Iterator[None]:
    """Turns what the network raises into one of the four kinds of provider error."""
    try:
        yield
    except TimeoutError:
        raise _timed_out(call) from None
    except (OSError, asyncio.IncompleteReadError) as error:
        raise _broken(call, error) from error
    except NONSENSE as error:
        raise _garbled(call, error) from error


@contextmanager
def signed(wire: bytes, call: Call) -> Iterator[None]:
    """Turns what checking the signature of an answer raises into what the answer, or its lack of one, means."""
    try:
        yield
    except (dns.tsig.PeerError, dns.tsig.BadTime) as error:
        raise _refused_signature(error, _lenient(wire), call) from None
    except (dns.tsig.BadSignature, dns.tsig.BadKey, dns.tsig.BadAlgorithm, dns.message.UnknownTSIGKey):
        raise _unverified(call, "is signed with another key") from None
    except dns.exception.DNSException:
        raise _unsigned(_lenient(wire), call) from None


def verified(wire: bytes, request: dns.message.Message, call: Call) -> dns.message.Message:
    """The server's answer, once its signature is checked. Raises what the answer, or its lack of a signature, means."""
    with signed(wire, call):
        answer = dns.message.from_wire(wire, keyring=request.keyring, request_mac=request.mac)
    if not request.is_response(answer):
        raise _garbled(call, "it answers another question")
    return answer


def refuses_edns(wire: bytes) -> bool:
    """Whether the server does not know EDNS, by what it answers. Asked before its signature is checked.

    Such a server may not sign what it did not understand. The question without EDNS is signed and verified like any.
    """
    if any(wire[_RECORDS]):
        return False  # known at a glance: nearly all answers have some, if only the SOA that says that there is nothing
    answer = _lenient(wire)
    return answer is not None and answer.rcode() in EDNS_REFUSALS


def transfer_refusal(wire: bytes, call: Call) -> ProviderError | None:
    """What the first answer to a transfer means, or None when it is the zone. Asked before its signature is checked."""
    if len(wire) <= _RCODE or not wire[_RCODE] & 0x0F:
        return None  # known at a glance, as above: to read a part of a long zone twice takes twice as long
    answer = _lenient(wire)
    rcode = Rcode.NOERROR if answer is None else answer.rcode()
    if rcode == Rcode.NOERROR:
        return None
    if rcode in {Rcode.NOTAUTH, Rcode.REFUSED}:
        return Permanent(
            f"{call}: it does not let the key {call.key} transfer the zone ({rcode.name})",
            reason="transfer_refused",
            remedy=f"let the key transfer {call.zone} (metadata TSIG-ALLOW-AXFR in PowerDNS), or read through `api`",
        )
    return _by_rcode(rcode, call)


def transfer_broken(call: Call, what: str) -> ProviderError:
    return _garbled(call, what)


def refusal(answer: dns.message.Message, call: Call) -> ProviderError | None:
    """What the response code means, or None when it is a success (for a query NXDOMAIN is one: there is no record)."""
    rcode = answer.rcode()
    if rcode == Rcode.NOERROR or (rcode == Rcode.NXDOMAIN and not call.update):
        return None
    if rcode in _CHANGED and call.update:
        return stale(
            f"{call.server} refused the update of {call.zone}: the record or its marker is no longer what was read "
            f"({rcode.name}); nothing was changed"
        )
    if rcode == Rcode.REFUSED and not call.update:
        return _query_refused(answer, call)
    return _by_rcode(rcode, call)


def not_authoritative(call: Call) -> Permanent:
    return Permanent(
        f"{call}: it is not authoritative for the name that was asked for",
        reason="not_authoritative",
        remedy=f"point `server` at the primary server of {call.zone}; if the name is delegated, name its own zone",
    )


def transfer_cut(call: Call) -> Transient:
    return Transient(
        f"{call}: it ended the connection in the middle of the transfer",
        reason="transfer_cut",
        remedy="look into the DNS server's log; PowerDNS does so when a hundred records in a row exceed 64 KiB "
        "(`oversized chunk`): name its `api` as well, which reads one name at a time",
    )


# -- the network -------------------------------------------------------------------------------------------------------


def _timed_out(call: Call) -> ProviderError:
    if call.update and call.sent:
        return _unknown(call, "it did not answer in time")
    return Transient(
        f"{call}: it did not answer in time",
        reason="timed_out",
        remedy="see whether the server is overloaded, or a firewall drops UDP and TCP to its port",
    )


def _broken(call: Call, error: OSError | asyncio.IncompleteReadError) -> ProviderError:
    if call.update and call.sent:
        return _unknown(call, "the connection broke before the answer came")
    if isinstance(error, ConnectionRefusedError):
        return Transient(
            f"{call}: connection refused",
            reason="connect_refused",
            remedy="start the DNS server, or correct the address and port in `server`",
        )
    if isinstance(error, ConnectionError | asyncio.IncompleteReadError):
        return Transient(
            f"{call}: it closed the connection without an answer",
            reason="connection_lost",
            remedy="look into the DNS server's log; it may be restarting, or limit its TCP clients",
        )
    if error.errno in _UNREACHABLE:
        return Transient(
            f"{call}: {error.strerror}",
            reason="unreachable",
            remedy="check the route from this host to the DNS server, and its address family",
        )
    return Transient(f"{call}: {error.strerror or error}", reason="network_error", remedy="look into this host's log")


def _garbled(call: Call, error: Exception | str) -> ProviderError:
    what = error if isinstance(error, str) else type(error).__name__
    if call.update and call.sent:
        return _unknown(call, f"its answer makes no sense ({what})")
    return Transient(
        f"{call}: its answer makes no sense ({what})",
        reason="answer_invalid",
        remedy="check that a DNS server listens there, and that nothing in between rewrites DNS",
    )


def _unknown(call: Call, why: str) -> Transient:
    return in_doubt(f"the update of {call.zone} was sent to {call.server}", why)


# -- the signature -----------------------------------------------------------------------------------------------------


def _refused_signature(
    error: dns.tsig.PeerError | dns.tsig.BadTime, answer: dns.message.Message | None, call: Call
) -> ProviderError:
    match error:
        case dns.tsig.PeerBadKey():
            return Permanent(
                f"{call}: it does not know the key {call.key}",
                reason="tsig_bad_key",
                remedy=f"add the key {call.key} to the server, and (Knot answers the same) to an acl of {call.zone}",
            )
        case dns.tsig.PeerBadSignature() | dns.tsig.PeerBadTruncation():
            return Permanent(
                f"{call}: it knows the key {call.key}, but with another secret or algorithm",
                reason="tsig_bad_signature",
                remedy="compare secret and algorithm on both sides; after a rotation, replace `secret_file`; or "
                "another server answers there: two BINDs of one user can share a port unseen",
            )
        case dns.tsig.PeerBadTime() | dns.tsig.BadTime():
            return Permanent(
                f"{call}: the clocks of this host and of the server differ{_skew(answer)}; a signature holds for 300s",
                reason="clock_skewed",
                remedy="set both clocks by NTP (timedatectl timesync-status, chronyc tracking)",
            )
        case _:
            return Permanent(
                f"{call}: it rejects the signature of key {call.key} ({error})",
                reason="tsig_rejected",
                remedy="look into the DNS server's log",
            )


def _skew(answer: dns.message.Message | None) -> str:
    """By how much, if the server said its own time, as RFC 8945, 5.2.3 asks of it. A hint: it is not verified."""
    tsig = answer.tsig[0] if answer is not None and answer.tsig else None
    if tsig is None or len(tsig.other) != _TIME_OCTETS:
        return ""
    ahead = int(tsig.time_signed) - int.from_bytes(tsig.other, "big")
    return f" (this host is {abs(ahead)}s {'ahead' if ahead > 0 else 'behind'})"


def _lenient(wire: bytes) -> dns.message.Message | None:
    """The answer without a look at its signature, only to say what is wrong with it; None when it is no DNS message."""
    try:
        return dns.message.from_wire(wire, keyring=False)
    except dns.exception.DNSException:
        return None


def _unsigned(answer: dns.message.Message | None, call: Call) -> ProviderError:
    if answer is None:
        return _garbled(call, "not a DNS message")
    rcode = answer.rcode()
    if answer.had_tsig or rcode in _CHANGED or rcode == Rcode.NOERROR:
        return _unverified(call, "is not signed")
    if rcode == Rcode.REFUSED and not call.update:
        return _query_refused(answer, call)
    if rcode in {Rcode.REFUSED, Rcode.NOTAUTH}:
        return Permanent(
            f"{call}: it answered {rcode.name} without a signature",
            reason="unsigned_refusal",
            remedy=f"check that the server is primary for {call.zone} and knows the key {call.key}; PowerDNS answers "
            "the same when the secret or the clocks differ",
        )
    return _by_rcode(rcode, call)


def _unverified(call: Call, what: str) -> Permanent:
    perhaps = "; the update may or may not have taken effect" if call.update and call.sent else ""
    return Permanent(
        f"{call}: its answer {what}, so it proves nothing{perhaps}",
        reason="answer_unverified",
        remedy=f"check that {call.server} is the server that holds the key {call.key}, and nothing stands in between",
    )


# -- the response code -------------------------------------------------------------------------------------------------


def _query_refused(answer: dns.message.Message, call: Call) -> Permanent:
    """A server refuses zones that it does not have. Extended errors (RFC 8914) tell when it has it, and hides it."""
    if any(said.code == dns.edns.EDECode.PROHIBITED for said in answer.extended_errors()):
        return Permanent(
            f"{call}: its policy does not let the key {call.key} query",
            reason="query_refused",
            remedy=f"let the key {call.key} query the zone (allow-query in BIND)",
        )
    return _zone_missing(call)


def _zone_missing(call: Call) -> Permanent:
    return Permanent(
        f"{call}: it does not serve that zone",
        reason="zone_missing",
        remedy=f"add {call.zone} to that server as a primary zone, or correct `zones` and `server`",
    )


def _by_rcode(rcode: Rcode, call: Call) -> ProviderError:
    if rcode == Rcode.NOTAUTH:
        return _zone_missing(call)
    meaning = _MEANINGS.get(rcode)
    if meaning is None:
        remedy = "look into the DNS server's log"
        return Transient(f"{call}: it answered {dns.rcode.to_text(rcode)}", reason="unexpected_answer", remedy=remedy)
    remedy = meaning.remedy.format(key=call.key)
    return meaning.kind(f"{call}: {meaning.detail.format(key=call.key)}", reason=meaning.reason, remedy=remedy)


class _Meaning(NamedTuple):
    kind: type[Transient | Permanent]
    reason: str
    detail: str
    remedy: str


_MEANINGS = {
    Rcode.REFUSED: _Meaning(
        Permanent,
        "update_refused",
        "it refuses the update: the key {key} may not change the zone, the zone is frozen, it is secondary there, or "
        "it takes no such record at that name",
        "the DNS server's log says which: let the key {key} update the zone (allow-update or update-policy in BIND, "
        "acl in Knot, dnsupdate=yes and metadata TSIG-ALLOW-DNSUPDATE in PowerDNS); thaw it (rndc thaw, knotc "
        "zone-thaw); point `server` at the primary, for a secondary refuses as well; or use a name that it takes, for "
        "check-names of BIND refuses addresses at a name with `_`, and Knot what stands at a DNAME",
    ),
    Rcode.NOTZONE: _Meaning(
        Permanent,
        "not_in_zone",
        "the name is not in that zone",
        "correct `zones`: the record must be in the zone that is updated",
    ),
    Rcode.SERVFAIL: _Meaning(
        Transient,
        "server_failure",
        "it failed (SERVFAIL)",
        "look into the DNS server's log: a full disk, a broken journal, a limit such as BIND's max-records-per-type, "
        "or a secondary that cannot reach its primary (point `server` at the primary)",
    ),
    Rcode.FORMERR: _Meaning(
        Permanent,
        "format_error",
        "it does not understand the request (FORMERR)",
        "look into the DNS server's log, and report this: the request or the server is defective",
    ),
    Rcode.NOTIMP: _Meaning(
        Permanent,
        "not_implemented",
        "it does not implement this (NOTIMP)",
        "use a server that takes dynamic updates (RFC 2136), and switch them on",
    ),
}
