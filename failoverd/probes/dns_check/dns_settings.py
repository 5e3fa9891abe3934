"""What a policy may say in a `dns` check."""

from typing import Annotated, Final, Literal, Self

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from pydantic import AfterValidator, Field, model_validator

from failoverd.settings import DNS_PORT, CheckSettings, Port, parse_name

_MOST_TEXT: Final = 1_000


def parse_question(value: str) -> str:
    """A DNS name in canonical form; a dot alone is the root."""
    return value if value == "." else parse_name(value)


QuestionName = Annotated[str, AfterValidator(parse_question)]
Data = Annotated[str, Field(min_length=1, max_length=_MOST_TEXT)]
Type = Literal[
    "A",
    "AAAA",
    "CAA",
    "CNAME",
    "DNSKEY",
    "DS",
    "HTTPS",
    "MX",
    "NAPTR",
    "NS",
    "PTR",
    "SOA",
    "SRV",
    "SVCB",
    "TLSA",
    "TXT",
]
Rcode = Literal["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "NOTAUTH", "NOTZONE"]


class DnsSettings(CheckSettings):
    """Whether a DNS server answers a question as it should."""

    dns: QuestionName = Field(description="name to ask for; a dot alone is the root")
    type: Type = Field(default="A", description="type of record to ask for")
    port: Port = Field(default=DNS_PORT, description="port to ask at; the port of an endpoint comes first")
    transport: Literal["udp", "tcp"] = Field(
        default="udp", description="how to ask; an answer that udp has no room for is fetched over tcp"
    )
    recursion: bool = Field(default=False, description="ask the server to ask others, as of a resolver")
    rcode: Rcode = Field(default="NOERROR", description="response code that the answer has to have")
    authoritative: bool = Field(default=False, description="the server has to answer of its own authority")
    min_answers: int = Field(
        default=1, ge=0, le=1_000, description="how many records the answer has at least, with the rcode NOERROR"
    )
    expect: tuple[Data, ...] = Field(
        default=(), strict=False, max_length=100, description="data that has to be among the answers, as in a zone file"
    )
    expect_exactly: tuple[Data, ...] | None = Field(
        default=None, strict=False, max_length=100, description="data that has to be the whole answer, in any order"
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.expect and self.expect_exactly is not None:
            raise ValueError("name what to expect once: in expect, or in expect_exactly")
        wanted = (*self.expect, *(self.expect_exactly or ()))
        if wanted and self.rcode != "NOERROR":
            raise ValueError(f"with the rcode {self.rcode} there are no answers to expect")
        for text in wanted:
            canonical(self.type, text)
        return self


def canonical(record_type: str, text: str) -> bytes:
    """The data of a record, from how a zone file writes it: equal data is equal here (RFC 4034, 6.2).

    Raises ValueError when a record of this type cannot hold it.
    """
    kind = dns.rdatatype.from_text(record_type)
    try:
        data = dns.rdata.from_text(dns.rdataclass.IN, kind, text, origin=dns.name.root, relativize=False)
    except (dns.exception.DNSException, ValueError, KeyError, IndexError) as error:
        raise ValueError(f"{text[:80]!r} is not the data of a record of type {record_type}: {error}") from None
    return data.to_digestable(dns.name.root)
