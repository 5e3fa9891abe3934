"""What a first configuration is made of: answers, each judged in the moment in which it is given.

Whoever judges is the schema of the files: a function here raises ValueError with the words that `failoverctl check`
would say, or gives the value as it is going to stand in the file.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import typer
from pydantic import BaseModel

from failoverd.cli.importing import policy_name
from failoverd.cli.probing.url_target import url_probe
from failoverd.config.diagnostics import holds_secret
from failoverd.config.documents import parse
from failoverd.config.schema.config_file import ConfigFile
from failoverd.config.schema.inventory_file import INVENTORY, InventoryFile
from failoverd.config.schema.policy_file import PolicyFile, RecordEntry
from failoverd.config.tree import Place
from failoverd.config.validation import wrong_at
from failoverd.config.values import parse_endpoint
from failoverd.config.writing import flow
from failoverd.core.names import in_dns, is_wildcard, without_wildcard
from failoverd.core.records import RecordType
from failoverd.ports import ProviderKind
from failoverd.settings import expand_home

CLOUDS: Final = ("azure", "oci", "aws", "gcp")
ANY: Final = "any"
"""The host of a URL which says nothing: what is asked is each endpoint, under no name of its own."""

_OWN_HOST: Final = re.compile(r"(?:(https?):)?(/(?!/).*)")
_NUMBER: Final = re.compile(r"\d{1,15}")
_LIKE_A_KEY: Final = re.compile(r"(?![/.~])[A-Za-z0-9+/]{24,}={0,2}")


@dataclass(frozen=True, slots=True)
class FirstRegion:
    """A region: its name, whose cloud it is in, and its endpoints as they were written."""

    name: str
    cloud: str
    endpoints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class First:
    """A whole first configuration.

    Attributes:
        kind: of the one provider.
        settings: of that provider as in the file, without its kind and its zone.
        check: the one check, as in the file.
        journal: relative to the file; empty for the usual place.
    """

    kind: ProviderKind
    settings: Mapping[str, Any]
    zone: str
    record: str
    policy: str
    owner: str
    journal: str
    regions: Sequence[FirstRegion]
    check: Mapping[str, Any] = field(default_factory=dict)

    @property
    def types(self) -> list[RecordType]:
        return types_of(address for region in self.regions for address in region.endpoints)


# -- the provider ------------------------------------------------------------------------------------------------------


def setting(kind: ProviderKind, said: Mapping[str, Any], key: str, text: str) -> Any:  # noqa: ANN401 - as in the file
    """One setting of a provider, whose others are `said`. Text is a number or a list where it has to be one."""
    place = place_of(key)
    if key.endswith("_file"):
        text = _file(text)
    wrong = ""
    for value in _readings(text):
        try:
            _judge(kind.settings, place, with_setting({"kind": kind.name, **said}, key, value))
        except ValueError as error:
            wrong = wrong or str(error)
        else:
            return value
    raise ValueError(wrong)


def _file(text: str) -> str:
    """The absolute path: who is asked stands in some folder, and the daemon in another."""
    if holds_secret("", text) or _LIKE_A_KEY.fullmatch(text):
        raise ValueError("that looks like the secret itself, which does not belong here: name a file that holds it")
    return as_utf8(str(expand_home(Path(text)).absolute()))


def as_utf8(text: str) -> str:
    """A word of a command line, or a path, as it is meant: where the locale has ASCII alone, Python did not read it."""
    if not any("\ud800" <= char <= "\udfff" for char in text):
        return text
    try:
        return os.fsencode(text).decode()
    except UnicodeError:
        raise ValueError("it is no text in UTF-8") from None


def with_setting(said: Mapping[str, Any], key: str, value: object) -> dict[str, Any]:
    """The settings with one more, which stands at `key`, such as `key.secret_file`."""
    first, *rest = place_of(key)
    inside: Any = {**said.get(first, {}), rest[0]: value} if rest else value
    return {**said, first: inside}


def said_at(said: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - as in the file
    """The setting at `key`; None where it was not said."""
    first, *rest = place_of(key)
    found = said.get(first)
    return found.get(rest[0]) if rest and isinstance(found, Mapping) else found


def place_of(key: str) -> tuple[str, ...]:
    """What comes after the first dot is one key: `hosted_zones.example.com` has two parts."""
    first, dot, rest = key.partition(".")
    return (first, rest) if dot else (first,)


def _readings(text: str) -> Iterator[object]:
    yield text
    if _NUMBER.fullmatch(text):
        yield int(text)
    if text in {"true", "false"}:
        yield text == "true"
    yield [part.strip() for part in text.split(",")]


def zone(kind: ProviderKind, text: str) -> str:
    _judge(kind.settings, ("zones", 0), {"kind": kind.name, "zones": [text]})
    return _as_in_dns(text)


# -- the policy --------------------------------------------------------------------------------------------------------


def record(zone: str, text: str) -> str:
    _judge(RecordEntry, ("name",), {"name": text})
    name = _as_in_dns(text)
    if name != zone and not name.endswith(f".{zone}"):
        raise ValueError(f"{name} is not in the zone {zone}: write the whole name, such as www.{zone}")
    return name


def policy(text: str) -> str:
    _judge(PolicyFile, ("policy",), {"policy": text})
    if f"{text}.yaml" == INVENTORY:
        raise ValueError(f"{INVENTORY} is the inventory of the regions: choose another name")
    return text


def policy_of(record: str) -> str:
    """What a policy is called unless somebody says it: as the record's first label, if that can be a name."""
    _, name = without_wildcard(record)
    for candidate in (name.partition(".")[0], policy_name(name)):
        try:
            return policy(candidate)
        except ValueError:
            continue
    return "first"


def region(text: str, taken: Collection[str] = ()) -> str:
    _judge(InventoryFile, ("regions", text), {"regions": {text: {"cloud": "any"}}})
    if text in taken:
        raise ValueError(f"{text} was said already: a region has one name")
    return text


def cloud(text: str) -> str:
    _judge(InventoryFile, ("regions", "any", "cloud"), {"regions": {"any": {"cloud": text}}})
    return text


def cloud_of(region: str) -> str:
    """Whose cloud a region is in, where its name says it: azure-eastus. Empty where it does not."""
    first = region.partition("-")[0]
    return first if first in CLOUDS else ""


def endpoints(text: str, others: Collection[str] = ()) -> tuple[str, ...]:
    """The endpoints of one region; `others` are those of the regions before it."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not found:
        raise ValueError("it needs an address, or several with commas between them")
    for each in found:
        parse_endpoint(each)
    twice = next((each for number, each in enumerate(found) if each in (*others, *found[:number])), None)
    if twice is not None:
        raise ValueError(f"{twice} was said already: one endpoint, one region, one place")
    types_of((*others, *found))
    return found


def types_of(addresses: Iterator[str] | Sequence[str]) -> list[RecordType]:
    """The types of the records that answer with these: A, AAAA or both; CNAME for host names."""
    found = {_type_of(parse_endpoint(each).address) for each in addresses}
    if RecordType.CNAME in found and len(found) > 1:
        raise ValueError("addresses and host names cannot be answers of one record: write one or the other")
    return sorted(found)


def _type_of(address: str) -> RecordType:
    try:
        return RecordType.AAAA if ip_address(address).version == 6 else RecordType.A  # noqa: PLR2004 - IP versions
    except ValueError:
        return RecordType.CNAME


def check(record: str, text: str) -> dict[str, Any]:
    """A check, of a URL as `failoverctl probe` takes it, or of a path: that is asked for under the record's name."""
    own = _OWN_HOST.fullmatch(text)
    if own is not None and is_wildcard(record):
        raise ValueError(f"{record} is the name of no host: write https://NAME{own[2]}")
    try:
        found = url_probe(f"{own[1] or 'https'}://{record}{own[2]}" if own is not None else text)
    except typer.BadParameter as error:
        raise ValueError(f"{error.message}; or a path, such as /health") from error
    settings, host = found.check.settings, found.endpoint.address
    if not isinstance(settings, BaseModel):
        raise TypeError(f"{found.check.kind} has no settings that a file could say")
    said = settings.model_dump(mode="json", exclude_unset=True, by_alias=True)
    said = {found.check.kind: said[found.check.kind], **said}
    fields = type(settings).model_fields
    if "host" in fields and host != ANY and _type_of(host) is RecordType.CNAME:
        said["host"] = host
    if found.endpoint.port is not None and "port" in fields:
        said["port"] = found.endpoint.port
    return said


# -- the installation --------------------------------------------------------------------------------------------------


def owner(text: str) -> str:
    _judge(ConfigFile, ("owner",), {"owner": text})
    return text


def journal(text: str) -> str:
    _judge(ConfigFile, ("journal",), {"journal": text})
    return text


# -- judging -----------------------------------------------------------------------------------------------------------


def _judge(model: type[BaseModel], place: Place, said: Mapping[str, Any]) -> None:
    """Raises ValueError, in the words of `check`, if what stands at `place` would not load."""
    parsed = parse(flow(said).encode(), "")
    if parsed.document is None:
        raise ValueError(parsed.diagnostics[0].message)
    found = wrong_at(model, parsed.document, place)
    if found is not None:
        raise ValueError(f"{found.message}; {found.hint}" if found.hint else found.message)


def _as_in_dns(text: str) -> str:
    asterisk, rest = without_wildcard(text)
    return asterisk + in_dns(rest).removesuffix(".").lower()
