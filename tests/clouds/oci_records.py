"""Records as OCI keeps them: normalised, each with a hash of its own, in sets with one TTL.

OCI gives names back in lower case without the final dot, rdata in presentation format with absolute names, and TXT in
quotes, whatever was sent.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from clouds.oci_rest import Json, invalid

Key = tuple[str, str]  # domain and type: what names a record set

MAX_TTL = 604_800  # seconds: a week
TYPES = frozenset(
    {"A", "AAAA", "ALIAS", "CAA", "CDNSKEY", "CDS", "CERT", "CNAME", "CSYNC", "DHCID", "DNAME", "DNSKEY", "DS"}
    | {"HTTPS", "IPSECKEY", "KEY", "KX", "LOC", "MX", "NS", "PTR", "PX", "SOA", "SPF", "SRV", "SSHFP", "SVCB"}
    | {"TLSA", "TXT"}
)
NAME_VALUED = frozenset({"ALIAS", "CNAME", "DNAME", "NS", "PTR"})


@dataclass(frozen=True)
class Record:
    """One record. `protected`: the API gives it, and nobody can change or remove it."""

    domain: str
    rtype: str
    rdata: str
    ttl: int
    protected: bool = False

    @property
    def key(self) -> Key:
        return self.domain, self.rtype

    @property
    def hash(self) -> str:
        """Unique in its zone, and the same for the same data: the TTL belongs to the set, not to the record."""
        return hashlib.md5(f"{self.domain} {self.rtype} {self.rdata}".encode(), usedforsecurity=False).hexdigest()

    def __str__(self) -> str:
        return f"{self.domain}. {self.ttl} {self.rtype} {self.rdata}"


def domain_of(value: object) -> str:
    """A domain name as OCI gives it back: lower case, no dot at the end."""
    if not isinstance(value, str) or not value.strip("."):
        raise invalid(f"{value!r} is no domain name")
    try:
        dns.name.from_text(value)
    except dns.exception.DNSException:
        raise invalid(f"{value!r} is no domain name") from None
    return value.rstrip(".").lower()


def type_of(value: object) -> str:
    if not isinstance(value, str) or value.upper() not in TYPES:
        raise invalid(f"{value!r} is no supported record type")
    return value.upper()


def ttl_of(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_TTL:
        raise invalid(f"a TTL is a number of seconds from 1 to {MAX_TTL}, not {value!r}")
    return value


def rdata_of(rtype: str, value: object) -> str:
    """Rdata in the form that OCI gives back; words without quotes are so many strings of a TXT record."""
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"{value!r} is no rdata")
    spoken = "CNAME" if rtype == "ALIAS" else rtype
    try:
        parsed = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(spoken), value, origin=dns.name.root,
                                     relativize=False)  # fmt: skip
    except (dns.exception.DNSException, ValueError):
        raise invalid(f"{value!r} is no rdata of type {rtype}") from None
    text = str(parsed.to_text())
    return text.lower() if rtype in NAME_VALUED else text


def record_of(details: Json) -> Record:
    """The record that a complete description means."""
    rtype = type_of(details["rtype"])
    return Record(domain_of(details["domain"]), rtype, rdata_of(rtype, details["rdata"]), ttl_of(details["ttl"]))


def shown(record: Record, version: int) -> dict[str, Any]:
    return {
        "domain": record.domain,
        "recordHash": record.hash,
        "isProtected": record.protected,
        "rdata": record.rdata,
        "rrsetVersion": str(version),
        "rtype": record.rtype,
        "ttl": record.ttl,
    }
