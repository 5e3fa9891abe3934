"""Answers of an API, each with one thing in it that makes no sense: nothing is taken for a defect of failoverd.

What a proxy, a portal or a broken release answers has the form of a success. Every member of what an API says is left
out or replaced in turn, and each time the read ends as an observation or as one of the provider's errors. A plain run
does one of these to each member, the soak all of them.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
from clouds.serving import Cloud, Endpoint, Request, Response, serving
from support.azure_site import local_azure
from support.contract import publish, target
from support.fuzzing import SOAK
from support.oci_site import local_oci
from support.powerdns import open_powerdns
from support.route53_site import local_route53
from support.servers import ZONE

from failoverd.core.errors import ProviderError, Transient
from failoverd.core.records import Observed, Target
from failoverd.ports import Propagating, Provider
from failoverd.providers import azure_dns, azure_traffic_manager, oci_dns, oci_steering, powerdns
from failoverd.providers.shared import account

AT = target("api.example.test")

Warp = Callable[[bytes], bytes]


class Warped:
    """A cloud whose answers to reads pass through `warp`, from the second request on that `concerns` it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.warp: Warp | None = None
        self.turn = 0
        self.said: list[bytes] = []

    def answer(self, request: Request) -> Response:
        found = self._cloud.answer(request)
        if request.method != "GET" or found.status != 200:
            return found
        self.said.append(found.body)
        if self.warp is None or len(self.said) - 1 != self.turn:
            return found
        return Response(found.status, self.warp(found.body), found.headers)

    def throttled(self, retry_after: float | None) -> Response:
        return self._cloud.throttled(retry_after)


class Canned:
    """The API of PowerDNS with one name in its zone."""

    def answer(self, request: Request) -> Response:
        if "zone" in request.query:
            return Response(200, b"[]")
        name = request.query["rrset_name"]
        lua = "A \"pickwrandom({{70,'192.0.2.1'},{30,'198.51.100.1'}})\""
        text = '"v=1 owner=prod policy=inference-api gen=1 types=A"'
        kind, content = ("TXT", text) if name.startswith("_failoverd.") else ("LUA", lua)
        rrset = {"name": name, "type": kind, "ttl": 30, "records": [{"content": content, "disabled": False}]}
        return Response(200, json.dumps({"rrsets": [rrset]}).encode())

    def throttled(self, retry_after: float | None) -> Response:
        raise NotImplementedError


# -- what is done to an answer -----------------------------------------------------------------------------------------

GONE: Final = "nothing at all"
NONSENSE: Final[tuple[object, ...]] = (GONE, None, [], GONE, {}, "\N{SNOWMAN}", -1, [[]])
MOST: Final = 30
"""Members of one answer that a plain run changes."""

DEEP: Final = b"[" * 100_000


def warps(body: bytes) -> Iterator[tuple[str, Warp]]:
    """Everything that is done to an answer like this one."""
    yield "a page", lambda _: b"<html>portal</html>"
    yield "nothing", lambda _: b""
    if body.startswith(b"<"):
        yield from _of_xml(body)
        return
    yield "depth", lambda _: DEEP
    places = list(_places(json.loads(body)))
    for number, where in enumerate(places if SOAK > 1 else places[:: len(places) // MOST + 1]):
        for other in NONSENSE if SOAK > 1 else (NONSENSE[number % len(NONSENSE)],):
            yield f"{where}={other!r}", lambda said, where=where, other=other: _json(said, where, other)  # type: ignore[misc]


def _places(said: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401 - any JSON
    if at:
        yield at
    members = said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ()
    for name, value in members:
        yield from _places(value, (*at, name))


def _json(body: bytes, where: tuple[str | int, ...], other: object) -> bytes:
    said = inner = json.loads(body)
    try:
        for step in where[:-1]:
            inner = inner[step]
        if other == GONE:
            del inner[where[-1]]
        else:
            inner[where[-1]] = other
    except (LookupError, TypeError):  # another answer than the one that this was made for
        return body
    return json.dumps(said).encode()


def _of_xml(body: bytes) -> Iterator[tuple[str, Warp]]:
    for number, each in enumerate(ET.fromstring(body).iter()):  # noqa: S314 - of our own stand-in
        name = re.sub(r"\{.*\}", "", each.tag)
        for remove in (True, False) if SOAK > 1 else (number % 2 == 1,):
            what = f"{name} {number} {'gone' if remove else 'changed'}"
            yield what, lambda said, number=number, remove=remove: _xml(said, number, remove=remove)  # type: ignore[misc]


def _xml(body: bytes, number: int, *, remove: bool) -> bytes:
    root = ET.fromstring(body)  # noqa: S314 - of our own stand-in
    namespace = re.match(r"\{(.*)\}", root.tag)
    ET.register_namespace("", namespace[1] if namespace is not None else "")
    parents = {child: parent for parent in root.iter() for child in parent}
    found = dict(enumerate(root.iter())).get(number)
    if found is None or (remove and found not in parents):
        return b""
    if remove:
        parents[found].remove(found)
    else:
        found.clear()
        found.text = "\N{SNOWMAN}"
    return ET.tostring(root)


# -- the providers -----------------------------------------------------------------------------------------------------


def _between(endpoint: Endpoint) -> Warped:
    endpoint.cloud = warped = Warped(endpoint.cloud)
    return warped


Site = Callable[..., AbstractAsyncContextManager[tuple[Provider, Target, Warped]]]


@asynccontextmanager
async def _route53(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Provider, Target, Warped]]:
    with local_route53(folder, monkeypatch) as local:
        async with local.open() as provider:
            await publish(provider, AT, "192.0.2.1", "198.51.100.1")
            yield provider, AT, _between(local.endpoint)


def _oci(kind: Any) -> Site:  # noqa: ANN401
    @asynccontextmanager
    async def site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Provider, Target, Warped]]:
        with local_oci(folder, monkeypatch) as local:
            async with local.open(kind) as provider:
                await publish(provider, AT, "192.0.2.1", "198.51.100.1")
            async with local.open(kind) as provider:
                yield provider, AT, _between(local.endpoint)

    return site


@asynccontextmanager
async def _azure_dns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Provider, Target, Warped]]:
    with local_azure(folder, monkeypatch) as local:
        async with local.open(azure_dns.KIND) as provider:
            await publish(provider, AT, "192.0.2.1", "198.51.100.1")
            yield provider, AT, _between(local.site.arm)


@asynccontextmanager
async def _traffic_manager(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Provider, Target, Warped]]:
    with local_azure(folder, monkeypatch) as local:
        at = target(local.make_profile("api"), zone=azure_traffic_manager.DOMAIN)
        async with local.open(azure_traffic_manager.KIND) as provider:
            await publish(provider, at, "192.0.2.1", "198.51.100.1")
            yield provider, at, _between(local.site.arm)


@asynccontextmanager
async def _powerdns(folder: Path, _: pytest.MonkeyPatch) -> AsyncIterator[tuple[Provider, Target, Warped]]:
    key = folder / "api-key"
    key.write_text("an-api-key-of-powerdns")
    warped = Warped(Canned())
    with serving(warped) as endpoint:
        api = {"url": endpoint.url, "key_file": str(key)}
        said = {"kind": "powerdns", "zones": [ZONE], "timeout": "5s", "api": api}
        async with open_powerdns(powerdns.PowerdnsSettings.model_validate(said)) as provider:
            yield provider, AT, warped


SITES: dict[str, Site] = {
    "route53": _route53,
    "oci_dns": _oci(oci_dns.KIND),
    "oci_steering": _oci(oci_steering.KIND),
    "azure_dns": _azure_dns,
    "azure_traffic_manager": _traffic_manager,
    "powerdns": _powerdns,
}


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
async def test_whatever_is_wrong_with_an_answer_is_the_answers_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    monkeypatch.setattr(account, "TRIES", 1)
    async with site(tmp_path, monkeypatch) as (provider, at, warped):
        assert (await provider.read(at)).records is not None
        wrong: list[str] = []
        reasons: set[str] = set()
        for turn, body in enumerate(list(warped.said)):
            for what, warp in warps(body):
                warped.said.clear()
                warped.turn, warped.warp = turn, warp
                try:
                    async with asyncio.timeout(5.0):
                        assert isinstance(await provider.read(at), Observed)
                except ProviderError as error:
                    reasons.add(error.reason)
                except Exception as error:  # noqa: BLE001 - that there is none is what is shown
                    wrong.append(f"{turn}: {what}: {error!r}")
        assert wrong == []
        assert "answer_invalid" in reasons, reasons


async def test_whether_a_change_is_everywhere_is_not_told_by_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "TRIES", 1)
    async with _route53(tmp_path, monkeypatch) as (provider, at, warped):
        assert isinstance(provider, Propagating)
        warped.warp = lambda _: b"<html>portal</html>"
        with pytest.raises(Transient) as caught:
            await provider.propagated(at)
        assert caught.value.reason == "answer_invalid"
        assert "proxy" in caught.value.remedy
