"""Records as Azure DNS writes them in JSON (API 2018-05-01), what it takes as valid, and their words in a zone file."""

import ipaddress
import re
import shlex
from collections.abc import Callable
from typing import Final

from clouds.azure_rest import ArmError, Json, whole

MAX_TTL = 2_147_483_647
MAX_RECORDS = 20
MAX_STRING = 255  # of one string of a TXT record
MAX_TEXT = 4_096  # of a TXT record's strings together

LISTS = {
    "A": "ARecords",
    "AAAA": "AAAARecords",
    "CAA": "caaRecords",
    "MX": "MXRecords",
    "NS": "NSRecords",
    "PTR": "PTRRecords",
    "SRV": "SRVRecords",
    "TXT": "TXTRecords",
}
SINGLES = {"CNAME": "CNAMERecord", "SOA": "SOARecord"}
TYPES: Final = {**LISTS, **SINGLES}
ALIASES = {"A", "AAAA", "CNAME"}  # types that may point to an Azure resource instead

NAME = re.compile(
    r"(?=.{1,254}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?", re.IGNORECASE
)


def bad(message: str) -> ArmError:
    """How Azure DNS refuses content."""
    return ArmError(400, "BadRequest", message, bare=True)


def records_of(rtype: str, properties: Json) -> list[Json]:
    """The records in the properties of a set; a set may have none."""
    if rtype in SINGLES:
        single = properties.get(SINGLES[rtype])
        return [] if single is None else [single]
    records = properties.get(LISTS[rtype]) or []
    if not isinstance(records, list):
        raise bad(f"'{LISTS[rtype]}' must be a list.")
    return list(records)


def with_records(rtype: str, records: list[Json]) -> Json:
    """The properties that hold these records."""
    if rtype in SINGLES:
        return {SINGLES[rtype]: records[0]} if records else {}
    return {LISTS[rtype]: records}


def checked(rtype: str, records: list[Json]) -> list[Json]:
    """The records in their canonical form; raises 400."""
    if len(records) > MAX_RECORDS:
        raise bad(f"The record set has {len(records)} records, and at most {MAX_RECORDS} are allowed.")
    found = [_checked(rtype, record) for record in records]
    spoken = [words(rtype, record).lower().rstrip(".") for record in found]
    if rtype != "TXT" and len(set(spoken)) < len(spoken):
        raise bad("The record set contains the same record twice.")
    return found


def words(rtype: str, record: Json) -> str:
    """The record as a zone file has it."""
    if rtype == "TXT":
        return " ".join(f'"{text}"' for text in record["value"])
    return " ".join(str(record[name]) for name in CHECKS[rtype])


def parsed(rtype: str, text: str) -> Json:
    """The record that these words of a zone file mean; raises 400."""
    if rtype == "TXT":
        return _checked(rtype, {"value": shlex.split(text)})
    numbers = {name for name, check in CHECKS[rtype].items() if check in {_short, _octet, _long}}
    given = dict(zip(CHECKS[rtype], text.split(), strict=True))
    return _checked(rtype, {name: int(word) if name in numbers else word for name, word in given.items()})


def _checked(rtype: str, record: Json) -> Json:
    if not isinstance(record, dict):
        raise bad(f"A record of type {rtype} must be an object.")
    found = {name: check(record.get(name)) for name, check in CHECKS[rtype].items()}
    wrong = [name for name, value in found.items() if value is None]
    if wrong:
        raise bad(f"The value of '{wrong[0]}' is not valid: {record.get(wrong[0])!r}.")
    return found


def _ipv4(value: object) -> str | None:
    try:
        return str(ipaddress.IPv4Address(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _ipv6(value: object) -> str | None:
    try:
        return str(ipaddress.IPv6Address(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and (value == "." or NAME.fullmatch(value)) else None


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _short(value: object) -> int | None:
    return whole(value, 0, 65_535)


def _octet(value: object) -> int | None:
    return whole(value, 0, 255)


def _long(value: object) -> int | None:
    return whole(value, 0, MAX_TTL)


def _texts(value: object) -> list[str] | None:
    if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
        return None
    fits = all(len(text) <= MAX_STRING for text in value) and sum(map(len, value)) <= MAX_TEXT
    return list(value) if fits else None


CHECKS: dict[str, dict[str, Callable[[object], object | None]]] = {
    "A": {"ipv4Address": _ipv4},
    "AAAA": {"ipv6Address": _ipv6},
    "CAA": {"flags": _octet, "tag": _string, "value": _string},
    "CNAME": {"cname": _name},
    "MX": {"preference": _short, "exchange": _name},
    "NS": {"nsdname": _name},
    "PTR": {"ptrdname": _name},
    "SOA": {
        "host": _name,
        "email": _name,
        "serialNumber": _long,
        "refreshTime": _long,
        "retryTime": _long,
        "expireTime": _long,
        "minimumTTL": _long,
    },
    "SRV": {"priority": _short, "weight": _short, "port": _short, "target": _name},
    "TXT": {"value": _texts},
}
