"""What the contract suite needs from each provider, and the providers that are held against it.

Adding a provider to the suite is one entry in `ENTRIES`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support import approving, azure_site
from support.azure_site import LocalAzure, local_azure
from support.oci_site import CUTS, local_oci
from support.powerdns import by_both, dns_update, http_api, open_powerdns, patches_cut
from support.proxies import Cut, cutting
from support.route53_site import local_route53
from support.servers import ZONE, DnsServer, PowerDns

from failoverd.core.control import limits
from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import InSync, Plan, Refused, Signature, diff
from failoverd.core.errors import ProviderError
from failoverd.core.records import WHOLE, Observed, RecordKey, RecordSet, RecordType, Target
from failoverd.ports import Access, Provider, ProviderKind
from failoverd.providers import (
    azure_dns,
    azure_traffic_manager,
    embedded,
    oci_dns,
    oci_steering,
    powerdns,
    rfc2136,
    route53,
)

OWNER = "prod"
POLICY = "inference-api"

VALUES: Mapping[RecordType, tuple[str, str, str]] = {
    RecordType.A: ("192.0.2.1", "198.51.100.1", "203.0.113.1"),
    RecordType.AAAA: ("2001:db8::1", "2001:db8:1::1", "2001:db8:2::1"),
    RecordType.CNAME: ("east.example.net", "west.example.net", "north.example.net"),
    RecordType.SRV: ("east.example.net:443", "west.example.net:443", "north.example.net:8443"),
}
"""Three values to publish, by type."""

Edit = Callable[..., None]
"""Changes the zone past failoverd, as a person would: `delete api.example.test. A`, `add api.example.test. 30 A ..`."""


@dataclass(frozen=True)
class Site:
    """One provider with a zone to play in.

    Attributes:
        writer: opened for writing.
        rival: another writer of the same zone, as a second daemon would have it.
        reader: opened for reading only.
        edit: how a person changes the zone; None where nobody but failoverd can.
        cut: a writer whose connection breaks at the given moment; None where there is no connection.
        ready: makes a name fit to be written where it has to exist before, and returns what it is called there.
    """

    zone: str
    writer: Provider
    rival: Provider
    reader: Provider
    edit: Edit | None = None
    cut: Callable[[Cut], AbstractAsyncContextManager[Provider]] | None = None
    ready: Callable[[str], str] = str

    def by_hand(self, *changes: str) -> None:
        assert self.edit is not None
        self.edit(*changes)


@dataclass(frozen=True)
class Entry:
    """One provider in the suite. `editable` and `cuts` say which scenarios can happen to it at all.

    `conditional`: its API compares in the moment of the write. Where it does not, two rivals in one moment may succeed.
    `server`: a real one is started for it.
    """

    name: str
    kind: ProviderKind
    open: Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Site]]
    editable: bool = True
    cuts: tuple[Cut, ...] = ()
    conditional: bool = True
    whole: bool = True
    server: bool = False


# -- what a scenario is made of ----------------------------------------------------------------------------------------


def target(name: str, record_type: RecordType = RecordType.A, zone: str = ZONE) -> Target:
    return Target(POLICY, RecordKey(name, record_type), "dns-main", zone)


def wish(provider: Provider, at: Target, *values: str, ttl: int = 30) -> RecordSet:
    """The values with equal weights, as `provider` will read them back."""
    return provider.normalise(RecordSet.of(at.key, ttl, dict.fromkeys(values, WHOLE // len(values))))


def compare(observed: Observed, desired: RecordSet, *, owner: str = OWNER, epoch: int = 0) -> Plan | InSync | Refused:
    decision = Decision(observed.target, DecisionKind.FAILOVER, {}, desired, (), 0.0)
    return diff(observed, desired, decision, signed=Signature(owner, epoch=epoch), region_of={}, revision="r1")


def planned(observed: Observed, desired: RecordSet, *, epoch: int = 0) -> Plan:
    plan = compare(observed, desired, epoch=epoch)
    assert isinstance(plan, Plan), plan
    return plan


def approved(plan: Plan) -> Approved:
    return approving.approved(plan)


def smuggled(plan: Plan) -> Approved:
    """A plan that never passed the guard, as a defect might make one."""
    return Approved(plan, (), seal=limits._SEAL)


async def publish(provider: Provider, at: Target, *values: str, epoch: int = 0) -> Plan:
    """One round of the reconciler: read, plan, apply."""
    plan = planned(await provider.read(at), wish(provider, at, *values), epoch=epoch)
    await provider.apply(approved(plan))
    return plan


async def plan_all(provider: Provider, wanted: Sequence[Target], *values: str) -> list[Plan]:
    """A plan for each target, all of them read at the same time."""
    seen = await asyncio.gather(*(provider.read(at) for at in wanted))
    return [planned(observed, wish(provider, observed.target, *values)) for observed in seen]


async def apply_all(provider: Provider, plans: Sequence[Plan]) -> Sequence[Observed | BaseException | None]:
    return await asyncio.gather(*(provider.apply(approved(plan)) for plan in plans), return_exceptions=True)


async def failures(provider: Provider, plan: Plan) -> tuple[ProviderError, ProviderError]:
    """How reading and writing fail."""
    with pytest.raises(ProviderError) as reading:
        await provider.read(plan.target)
    with pytest.raises(ProviderError) as writing:
        await provider.apply(approved(plan))
    return reading.value, writing.value


async def failing(provider: Provider, plan: Plan) -> ProviderError:
    """How a write fails: with words, a remedy, and no secret in either."""
    with pytest.raises(ProviderError) as caught:
        await provider.apply(approved(plan))
    assert caught.value.detail
    assert caught.value.remedy
    assert "PRIVATE KEY" not in str(caught.value)
    return caught.value


def unseen(plan: Plan, at: Target) -> Plan:
    """The plan, made by somebody who saw nothing at all at the target."""
    return replace(plan, target=at, before=Observed(at, None))


# -- the providers -----------------------------------------------------------------------------------------------------


def rfc2136_settings(
    server: DnsServer, *, port: int | None = None, address: str = "127.0.0.1", secret_file: Path | None = None,
    timeout: str = "5s", key: str = "",
) -> rfc2136.Rfc2136Settings:  # fmt: skip
    """Settings for a real server, as a configuration file would say them."""
    host = f"[{address}]" if ":" in address else address
    return rfc2136.Rfc2136Settings.model_validate(
        {
            "kind": "rfc2136",
            "zones": [ZONE],
            "server": f"{host}:{port or server.port}",
            "key": {"name": key or server.key.name, "secret_file": str(secret_file or server.key.bind_file)},
            "timeout": timeout,
            "nameservers": [f"{host}:{port or server.port}"],
        }
    )


def open_rfc2136(
    settings: rfc2136.Rfc2136Settings, access: Access = Access.WRITE
) -> AbstractAsyncContextManager[Provider]:
    return rfc2136.KIND.open("dns-main", settings, access)


def _rfc2136(fixture: str) -> Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Site]]:
    @asynccontextmanager
    async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
        server: DnsServer = request.getfixturevalue(fixture)
        settings = rfc2136_settings(server)

        @asynccontextmanager
        async def cut(moment: Cut) -> AsyncIterator[Provider]:
            async with (
                cutting(server.port, moment) as port,
                open_rfc2136(rfc2136_settings(server, port=port)) as provider,
            ):
                yield provider

        async with (
            open_rfc2136(settings) as writer,
            open_rfc2136(settings) as rival,
            open_rfc2136(settings, Access.READ) as reader,
        ):
            yield Site(ZONE, writer, rival, reader, server.edit, cut)

    return site


def _powerdns(
    configured: Callable[..., powerdns.PowerdnsSettings],
    proxy: Callable[[int, Cut], AbstractAsyncContextManager[int]],
) -> Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Site]]:
    @asynccontextmanager
    async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
        server: PowerDns = request.getfixturevalue("powerdns_server")
        settings = configured(server)

        @asynccontextmanager
        async def cut(moment: Cut) -> AsyncIterator[Provider]:
            port = server.api_port if configured is http_api else server.port
            async with proxy(port, moment) as own, open_powerdns(configured(server, port=own)) as provider:
                yield provider

        async with (
            open_powerdns(settings) as writer,
            open_powerdns(settings) as rival,
            open_powerdns(settings, Access.READ) as reader,
        ):
            yield Site(ZONE, writer, rival, reader, server.edit_lua, cut)

    return site


@asynccontextmanager
async def _embedded(_: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """One writer, for the zone is memory of one process; the reader asks it by DNS, as another process would."""

    def settings(listen: str) -> embedded.EmbeddedSettings:
        return embedded.EmbeddedSettings.model_validate({"kind": "embedded", "zones": [ZONE], "listen": listen})

    async with embedded.KIND.open("dns-main", settings("127.0.0.1:0"), Access.WRITE) as writer:
        assert isinstance(writer, embedded.EmbeddedWriter)
        writer.expect(frozenset(), whole=True)
        host, port = writer.address
        async with embedded.KIND.open("dns-main", settings(f"{host}:{port}"), Access.READ) as reader:
            yield Site(ZONE, writer, writer, reader)


@asynccontextmanager
async def _route53(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    with local_route53(request.getfixturevalue("tmp_path"), request.getfixturevalue("monkeypatch")) as local:

        @asynccontextmanager
        async def cut(moment: Cut) -> AsyncIterator[Provider]:
            local.cut(moment)
            async with local.open() as provider:
                yield provider

        async with local.open() as writer, local.open() as rival, local.open(Access.READ) as reader:
            yield Site(ZONE, writer, rival, reader, local.edit, cut)


def _oci(kind: ProviderKind) -> Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Site]]:
    @asynccontextmanager
    async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
        with local_oci(request.getfixturevalue("tmp_path"), request.getfixturevalue("monkeypatch")) as local:

            @asynccontextmanager
            async def cut(moment: Cut) -> AsyncIterator[Provider]:
                local.cut(moment)
                async with local.open(kind) as provider:
                    yield provider
                local.endpoint.relent()

            edit = local.edit if kind is oci_dns.KIND else local.steer
            async with (
                local.open(kind) as writer,
                local.open(kind) as rival,
                local.open(kind, Access.READ) as reader,
            ):
                yield Site(ZONE, writer, rival, reader, edit, cut)

    return site


@asynccontextmanager
async def _azure_dns(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    with local_azure(request.getfixturevalue("tmp_path"), request.getfixturevalue("monkeypatch")) as local:

        @asynccontextmanager
        async def cut(moment: Cut) -> AsyncIterator[Provider]:
            local.cut(moment)
            async with local.open(azure_dns.KIND) as provider:
                yield provider

        async with _azure(local, azure_dns.KIND) as (writer, rival, reader):
            yield Site(ZONE, writer, rival, reader, local.edit_zone, cut)


@asynccontextmanager
async def _azure_traffic_manager(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    with local_azure(request.getfixturevalue("tmp_path"), request.getfixturevalue("monkeypatch")) as local:
        async with _azure(local, azure_traffic_manager.KIND) as (writer, rival, reader):
            domain = azure_traffic_manager.DOMAIN
            yield Site(domain, writer, rival, reader, local.edit_profile, ready=local.make_profile)


@asynccontextmanager
async def _azure(local: LocalAzure, kind: ProviderKind) -> AsyncIterator[tuple[Provider, Provider, Provider]]:
    async with local.open(kind) as writer, local.open(kind) as rival, local.open(kind, Access.READ) as reader:
        yield writer, rival, reader


ENTRIES = (
    Entry("embedded", embedded.KIND, _embedded, editable=False),
    Entry("rfc2136 on BIND", rfc2136.KIND, _rfc2136("bind_server"), cuts=tuple(Cut), server=True),
    Entry("rfc2136 on Knot", rfc2136.KIND, _rfc2136("knot_server"), cuts=tuple(Cut), server=True),
    Entry("rfc2136 on PowerDNS", rfc2136.KIND, _rfc2136("powerdns_server"), cuts=tuple(Cut), server=True),
    Entry("powerdns by RFC 2136", powerdns.KIND, _powerdns(dns_update, cutting), cuts=tuple(Cut), server=True),
    Entry("powerdns by both", powerdns.KIND, _powerdns(by_both, cutting), cuts=tuple(Cut), server=True),
    Entry(
        "powerdns by its API",
        powerdns.KIND,
        _powerdns(http_api, patches_cut),
        cuts=tuple(Cut),
        conditional=False,
        server=True,
    ),
    Entry("route53", route53.KIND, _route53, cuts=(Cut.BEFORE_EFFECT, Cut.AFTER_EFFECT)),
    Entry("oci_dns", oci_dns.KIND, _oci(oci_dns.KIND), cuts=CUTS),
    Entry("oci_steering", oci_steering.KIND, _oci(oci_steering.KIND), cuts=CUTS),
    Entry("azure_dns", azure_dns.KIND, _azure_dns, cuts=azure_site.CUTS),
    Entry(
        "azure_traffic_manager",
        azure_traffic_manager.KIND,
        _azure_traffic_manager,
        conditional=False,
        whole=False,
    ),
)
