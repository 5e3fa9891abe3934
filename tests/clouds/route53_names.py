r"""Domain names and values as Route 53 writes them, and what it says about those that it does not take.

A name is kept in lower case with its final dot; every octet but a-z, 0-9, hyphen and underscore stands as a backslash
and three octal digits, so that a wildcard comes back as `\052` ("DNS domain name format" in the developer guide).
"""

import ipaddress
import re
from collections.abc import Callable, Mapping

_OCTET = re.compile(r"\\([0-3][0-7]{2})|(.)", re.DOTALL)
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_STRINGS = re.compile(r'(?:"(?:[^"\\]|\\.)*"(?:\s+|$))+')
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_STRING_OCTET = re.compile(r"\\[0-3][0-7]{2}|\\.|.", re.DOTALL)


class MalformedError(Exception):
    """A name or a value that Route 53 does not take, in the words of its answer."""

    def __init__(self, problem: str, words: str, found: str) -> None:
        super().__init__(f"FATAL problem: {problem} ({words}) encountered with '{found}'")


def normal(name: str) -> str:
    """The name as Route 53 stores and returns it; raises MalformedError."""
    labels = [_label(label, name) for label in name.removesuffix(".").split(".")]
    written = ".".join(labels) + "."
    if len(_OCTET.findall(written)) > 254:
        raise MalformedError("DomainNameTooLong", "Domain name is too long", name)
    return written


def _label(label: str, name: str) -> str:
    if not label:
        raise MalformedError("DomainLabelEmpty", "Domain label is empty", name)
    octets = list(_OCTET.finditer(label))
    if any(octet[2] and not "!" <= octet[2] <= "~" for octet in octets):
        raise MalformedError("UnsupportedCharacter", "Value contains unsupported characters", name)
    if len(octets) > 63:
        raise MalformedError("DomainLabelTooLong", "Domain label is too long", label)
    return "".join(_written(chr(int(octet[1], 8)) if octet[1] else octet[2]) for octet in octets)


def _written(octet: str) -> str:
    octet = octet.lower() if octet.isascii() else octet
    return octet if octet in _PLAIN else f"\\{ord(octet):03o}"


def order(name: str) -> str:
    """What names are sorted by: the labels reversed, each with its dot, compared as ASCII."""
    return ".".join(reversed(name.removesuffix(".").split("."))) + "."


def within(name: str, zone: str) -> bool:
    """Whether this name (both are normal) belongs to the zone."""
    return name == zone or name.endswith("." + zone)


def check_value(rtype: str, value: str) -> None:
    """Whether the value is one of its type; raises MalformedError. Types without a rule here just say something."""
    if not value:
        raise MalformedError("RDATAEmpty", "Value is empty", value)
    _RULES.get(rtype, _anything)(value)


def _anything(_value: str) -> None:
    """Types that no rule is written for."""


def _ipv4(value: str) -> None:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        raise MalformedError("ARRDATAIllegalIPv4Address", "Value is not a valid IPv4 address", value) from None


def _ipv6(value: str) -> None:
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        raise MalformedError("AAAARRDATAIllegalIPv6Address", "Value is not a valid IPv6 address", value) from None


def _strings(value: str) -> None:
    if not _STRINGS.fullmatch(value):
        problem = "Value should be enclosed in quotation marks"
        raise MalformedError("InvalidCharacterString", problem, value)
    for string in _STRING.findall(value):
        if len(_STRING_OCTET.findall(string)) > 255:
            raise MalformedError("CharacterStringTooLong", "Value is too long", f'"{string}"')


def _numbers_and_name(numbers: int, rtype: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        *leading, target = value.split()
        if len(leading) != numbers or not all(number.isdecimal() and int(number) <= 65535 for number in leading):
            raise MalformedError(f"{rtype}RRDATAIllegal", f"Value is not valid for {rtype}", value)
        normal(target)

    return check


def _name(value: str) -> None:
    normal(value)


_RULES: Mapping[str, Callable[[str], None]] = {
    "A": _ipv4,
    "AAAA": _ipv6,
    "CNAME": _name,
    "NS": _name,
    "PTR": _name,
    "TXT": _strings,
    "SPF": _strings,
    "MX": _numbers_and_name(1, "MX"),
    "SRV": _numbers_and_name(3, "SRV"),
}
