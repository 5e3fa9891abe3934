"""LUA records through the HTTP API of PowerDNS (manual, "Zones endpoint"): GET of one name, PATCH of record sets.

A PATCH is all or nothing, so the record set and its marker change together. But it has no condition: the server does
not compare anything. What stands there is compared just before, and read again just after, and a rival who writes in
the moment between is noticed and not prevented. Where that matters, write by RFC 2136.

The API shows and changes what a zone holds, which is not always what is answered: names below a delegation, and those
of which the server has a closer zone, are answered from there. So that is asked for wherever a write may follow.
"""

import asyncio
import json
import shlex
import ssl
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

import dns.rdata
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Permanent
from failoverd.core.records import Observed, Target
from failoverd.files import require_regular
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.powerdns.content import ALIAS, SAID_IN_LUA, Lua
from failoverd.providers.powerdns.errors import (
    Call,
    changed,
    delegated,
    edge,
    overtaken,
    refusal,
    without_effect,
)
from failoverd.providers.powerdns.http import ApiAddress, Progress, Request
from failoverd.providers.powerdns.secret import ApiKeyFile
from failoverd.providers.powerdns.settings import ApiSettings
from failoverd.providers.powerdns.standing import Row, Rows, lua_after, lua_before, observe
from failoverd.providers.shared.refusals import another_zone

_LUA = "LUA"


class ApiReader:
    """Reads a target by its name."""

    def __init__(self, settings: ApiSettings, timeout: float) -> None:
        self._settings = settings
        self._timeout = timeout
        self._key = ApiKeyFile(settings.key_file)
        self._known: dict[Target, Observed] = {}

    async def read(self, target: Target) -> Observed:
        """Where the same stands as at the last look, which zone answers was asked then."""
        call = self._call(target.zone)
        with edge(call):
            async with asyncio.timeout(self._timeout):
                found = await self._observe(target, call)
                if found != self._known.get(target):
                    await self._require_answered(target, call)
        self._known[target] = found
        return found

    async def _require_answered(self, target: Target, call: Call) -> None:
        """Raises Permanent where the server answers for the name, or its marker, from elsewhere than this zone."""
        for name in _below(target.key.marker_name, target.zone):
            query = urlencode({"zone": f"{name}."})
            zones = json.loads(await self._exchange("GET", f"{self._zones}?{query}", call))
            if any(zone["name"].lower() == f"{name}." for zone in zones):
                raise another_zone(call, target.key.name, name)
            if any(row.record.rdtype is RdataType.NS for row in await self._rows(name, call)):
                raise delegated(call, target.key.name, name)

    async def _observe(self, target: Target, call: Call) -> Observed:
        """The records and the marker that were written together.

        They are two requests, and a write may come between them. Every write changes the marker, so if it reads the
        same before and after the records, they belong to it; otherwise they are asked for again, until the deadline.
        """
        marker = await self._rows(target.key.marker_name, call)
        while True:
            records = await self._rows(target.key.name, call)
            now = await self._rows(target.key.marker_name, call)
            if now == marker:
                return observe(target, records, marker)
            marker = now

    async def _rows(self, name: str, call: Call) -> Rows:
        query = urlencode({"rrset_name": f"{name}."})
        body = await self._exchange("GET", f"{self._path(call.zone)}?{query}", call)
        return [row for rrset in json.loads(body)["rrsets"] for row in _rows(rrset, name)]

    async def _exchange(self, method: str, path: str, call: Call, body: bytes = b"") -> bytes:
        response = await self._endpoint.exchange(Request(method, path, self._key.load(), body), call.progress)
        refused = refusal(response, call)
        if refused is not None:
            raise refused
        return response.body

    @cached_property
    def _endpoint(self) -> ApiAddress:
        settings = self._settings
        if not settings.url.startswith("https:"):
            return ApiAddress(settings.url, None)
        try:
            if settings.ca_file is not None:
                require_regular(settings.ca_file)
            return ApiAddress(settings.url, ssl.create_default_context(cafile=settings.ca_file))
        except OSError as error:
            raise Permanent(
                f"the certificates in {settings.ca_file} cannot be loaded: {error.strerror or error}",
                reason="ca_unreadable",
                remedy="correct `ca_file`, or let the user that failoverd runs as read it",
            ) from error

    def _call(self, zone: str, *, writes: bool = False) -> Call:
        return Call(self._settings.url, zone, Progress(), writes)

    @property
    def _zones(self) -> str:
        return f"/api/v1/servers/{quote(self._settings.server)}/zones"

    def _path(self, zone: str) -> str:
        return f"{self._zones}/{quote(zone)}."


class ApiWriter(ApiReader):
    """Also writes. A dry run holds an `ApiReader`, which has no way to."""

    async def apply(self, plan: Plan) -> None:
        """Compare, replace, and look again, all within one deadline."""
        patch = json.dumps(_patch(plan)).encode()
        reading, writing = self._call(plan.target.zone), self._call(plan.target.zone, writes=True)
        with edge(writing):
            async with asyncio.timeout(self._timeout):
                if await self._observe(plan.target, reading) != plan.before:
                    raise changed(writing, plan.target.key.name)
                await self._require_answered(plan.target, reading)
                await self._exchange("PATCH", self._path(plan.target.zone), writing, patch)
                after = await self._observe(plan.target, reading)
        if after == plan.before:
            raise without_effect(writing, plan.target.key.name)
        if after.marker_text != plan.marker_text:
            raise overtaken(writing, plan.target.key.name)


def curl(settings: ApiSettings, plan: Plan) -> str:
    """A curl command for bash. It reads the key from its file: none is printed, or seen in `ps`."""
    url = f"{settings.url}/api/v1/servers/{quote(settings.server)}/zones/{quote(plan.target.zone)}."
    key = f"<(printf 'header = \"X-API-Key: %s\"' \"$(tr -d '[:space:]' < {shlex.quote(str(settings.key_file))})\")"
    trust = f" --cacert {shlex.quote(str(settings.ca_file))}" if settings.ca_file is not None else ""
    body = json.dumps(_patch(plan), indent=1)
    return f"curl --fail-with-body -X PATCH -K {key}{trust} --data @- {shlex.quote(url)} <<'END'\n{body}\nEND"


def _below(name: str, zone: str) -> list[str]:
    """The names at which another zone may begin that answers for this one: it, and those above it within the zone."""
    labels = name.removesuffix(zone).strip(".").split(".")
    return [".".join((*labels[at:], zone)) for at in range(len(labels))]


def _patch(plan: Plan) -> dict[str, Any]:
    """The record set, unless it stays as it is, and the marker. Raises Permanent when it would be empty."""
    key, before, after = plan.target.key, plan.before, plan.after
    marker = [rdata.marker_rdata(plan.marker_text).to_text()] if plan.marker_text is not None else []
    if key.type in SAID_IN_LUA:
        rrset_type, contents = _LUA, [lua.content for lua in lua_after(before, after)]
    else:
        lua_before(before)  # refuses what excludes ours
        rrset_type, contents = key.type.value, [record.to_text() for record in rdata.encode(after)]
    rrsets = [_replace(key.marker_name, "TXT", rdata.MARKER_TTL, marker)]
    if before.records != after:
        rrsets.insert(0, _replace(key.name, rrset_type, after.ttl, contents))
    return {"rrsets": rrsets}


def _replace(name: str, rrset_type: str, ttl: int, contents: list[str]) -> dict[str, Any]:
    records = [{"content": content, "disabled": False} for content in contents]
    if not records:
        return {"name": f"{name}.", "type": rrset_type, "changetype": "DELETE"}
    return {"name": f"{name}.", "type": rrset_type, "ttl": ttl, "changetype": "REPLACE", "records": records}


def _rows(rrset: dict[str, Any], name: str) -> list[Row]:
    """What is served of one record set in an answer of the API."""
    if rrset["name"].lower() != f"{name}.":
        return []
    return [
        Row(rrset["ttl"], _record(rrset["type"], record["content"]))
        for record in rrset["records"]
        if not record["disabled"]
    ]


def _record(rrset_type: str, content: str) -> dns.rdata.Rdata:
    if rrset_type == _LUA:
        return Lua.from_content(content).rdata()
    if rrset_type == "ALIAS":  # which nobody else knows; that it stands there is all that matters
        return dns.rdata.GenericRdata(RdataClass.IN, ALIAS, b"")
    return dns.rdata.from_text(RdataClass.IN, rrset_type, content)
