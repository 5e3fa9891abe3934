"""The local Azure with one zone and whatever profiles a test asks for, and the providers as a file would open them.

Nothing here may leave loopback: a connection or a look-up that would is refused, and remembered.
"""

import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from clouds.azure import GROUP, SUBSCRIPTION, AzureCloud
from clouds.azure_client import AzureSite, azure_serving
from clouds.azure_dns import RecordSet, Zone
from clouds.azure_rest import new_etag
from clouds.azure_tokens import CLIENT, SECRET
from clouds.azure_traffic_manager import Profile
from clouds.serving import Luck
from support.proxies import Cut
from support.servers import ZONE

from failoverd.ports import Access, Provider, ProviderKind
from failoverd.providers import azure_dns, azure_traffic_manager
from failoverd.providers.azure_dns import provider as dns_provider
from failoverd.providers.azure_traffic_manager import provider as traffic_provider
from failoverd.providers.azure_traffic_manager.settings import DOMAIN
from failoverd.providers.shared.bucket import Rate

CUTS = (Cut.BEFORE_EFFECT, Cut.AFTER_EFFECT)
HAND_WEIGHT = 1_000
"""What people give to an endpoint: all that there is."""

_LUCK = {Cut.BEFORE_EFFECT: Luck.DROP_BEFORE, Cut.AFTER_EFFECT: Luck.DROP_AFTER}
_ZONES = {azure_dns.KIND.name: ZONE, azure_traffic_manager.KIND.name: DOMAIN}
_UNLIMITED = Rate(1e6, 1e6)


@dataclass(frozen=True)
class LocalAzure:
    """One subscription. `folder` holds the client secret; `strays` is what would have left loopback."""

    site: AzureSite
    folder: Path
    strays: list[object] = field(default_factory=list)

    @property
    def cloud(self) -> AzureCloud:
        return self.site.cloud

    @property
    def secret_file(self) -> Path:
        return self.folder / "client-secret"

    def settings(self, kind: ProviderKind, **more: object) -> Any:  # noqa: ANN401 - each kind has its own
        said = {
            "kind": kind.name,
            "zones": [_ZONES[kind.name]],
            "subscription": SUBSCRIPTION,
            "resource_group": GROUP,
            "credential": self.by_secret(),
            "endpoint": self.site.arm.url,
            "authority": self.site.login.url,
            "ca_file": self.site.ca,
        }
        return kind.settings.model_validate({**said, **more})

    def by_secret(self) -> dict[str, object]:
        tenant = self.cloud.directory.tenant
        return {"tenant_id": tenant, "client_id": CLIENT, "client_secret_file": str(self.secret_file)}

    def open(
        self, kind: ProviderKind, access: Access = Access.WRITE, **more: object
    ) -> AbstractAsyncContextManager[Provider]:
        return kind.open("dns-main", self.settings(kind, **more), access)

    def hand_out(self, secret: str) -> None:
        """Put this secret into its file, as a rotation does."""
        new = self.folder / "client-secret.new"
        new.write_text(f"{secret}\n")
        new.replace(self.secret_file)

    def cut(self, moment: Cut) -> None:
        """Let the next write of a record set break off at this moment."""
        self.site.arm.expect(_LUCK[moment], method="PUT")

    def writes(self) -> int:
        """How many writing requests arrived, whatever became of them."""
        return self.site.arm.count("PUT|PATCH|POST|DELETE")

    # -- what people do to a zone --------------------------------------------------------------------------------------

    def edit_zone(self, *changes: str) -> None:
        """By hand. The marker is said as if it were a TXT record; `delete NAME TYPE` empties a record set."""
        for change in changes:
            verb, name, *rest = change.split(maxsplit=2)
            plain = name.removeprefix("_failoverd.")
            if plain != name:
                self._mark(plain, _text(rest[0]) if verb == "add" else None)
            elif verb == "delete":
                self._put(plain, rest[0], {_LISTS[rest[0]]: None})
            else:
                self.cloud.edit(change)

    def put_metadata(self, name: str, rtype: str, **metadata: str) -> None:
        """Say something in the metadata of a record set, beside what is there."""
        self._put(name, rtype, {"metadata": {**self.cloud.metadata(name, rtype), **metadata}})

    def _mark(self, name: str, text: str | None) -> None:
        zone = self.cloud.zone(name)
        there = zone.sets.get((zone.relative(name), "A"))
        others = {key: value for key, value in (there.metadata if there else {}).items() if key != "failoverd"}
        self._put(name, "A", {"metadata": others | ({"failoverd": text} if text is not None else {})})

    def _put(self, name: str, rtype: str, properties: dict[str, Any]) -> None:
        zone = self.cloud.zone(name)
        key = (zone.relative(name), rtype)
        there = zone.sets.get(key, RecordSet(key[0], rtype, {"TTL": 60}))
        merged = {said: value for said, value in (there.properties | properties).items() if value is not None}
        zone.sets[key] = RecordSet(key[0], rtype, merged, new_etag())

    # -- what people do to a profile -----------------------------------------------------------------------------------

    def make_profile(self, name: str, **endpoints: tuple[str, int]) -> str:
        """A weighted profile for the first label of this name. Returns the name that it answers for."""
        return self.cloud.add_profile(name.partition(".")[0], endpoints).fqdn

    def edit_profile(self, *changes: str) -> None:
        """By hand, in the words of `edit_zone`: answers are endpoints, and the marker is the profile's tag."""
        for change in changes:
            verb, name, *rest = change.split(maxsplit=2)
            plain = name.removeprefix("_failoverd.")
            profile = self.profile(plain)
            if plain != name:
                profile.tags = {key: text for key, text in profile.tags.items() if key != "failoverd"}
                profile.tags |= {"failoverd": _text(rest[0])} if verb == "add" else {}
            elif verb == "delete":
                profile.members = []
            else:
                self._add_endpoint(profile, *rest[0].split(maxsplit=2))

    def profile(self, fqdn: str) -> Profile:
        return self.cloud.profile(fqdn.removesuffix(".").partition(".")[0])

    def _add_endpoint(self, profile: Profile, ttl: str, _: str, data: str) -> None:
        name = f"by-hand-{len(profile.members)}"
        made = self.cloud.add_profile("scratch", {name: (data.removesuffix("."), HAND_WEIGHT)})
        profile.members = [*profile.members, *made.members]
        profile.properties["dnsConfig"]["ttl"] = int(ttl)


_LISTS = {"A": "ARecords", "AAAA": "AAAARecords", "CNAME": "CNAMERecord", "SRV": "SRVRecords"}


def _text(words: str) -> str:
    """The text of `60 TXT "one" "two"`, its strings put together as DNS does."""
    return "".join(words.split('"')[1::2])


@contextmanager
def local_azure(folder: Path, monkeypatch: pytest.MonkeyPatch, cloud: AzureCloud | None = None) -> Iterator[LocalAzure]:
    """A subscription with one zone, and an environment in which the SDK finds nothing but what it is given."""
    for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "FEDERATED_TOKEN_FILE", "AUTHORITY_HOST", "USERNAME"):
        monkeypatch.delenv(f"AZURE_{name}", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for module in (dns_provider, traffic_provider):
        monkeypatch.setattr(module, "READS", _UNLIMITED)
        monkeypatch.setattr(module, "WRITES", _UNLIMITED)
    with azure_serving(cloud or AzureCloud((ZONE,))) as site:
        local = LocalAzure(site, folder)
        keep_on_loopback(monkeypatch, local.strays)
        local.hand_out(SECRET)
        yield local
        assert local.strays == []


def keep_on_loopback(monkeypatch: pytest.MonkeyPatch, strays: list[object]) -> None:
    """Refuse every connection and look-up that would leave this machine, and remember it."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:  # noqa: ANN401 - what sockets take
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _local(address[0]):
            strays.append(address)
            raise ConnectionRefusedError(f"{address} is not on loopback")
        connect(self, address)

    def guarded_look_up(host: Any, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - as above
        if not _local(host):
            strays.append(host)
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is not on loopback")
        return look_up(host, *args, **more)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)


def _local(host: object) -> bool:
    try:
        return ip_address(str(host)).is_loopback
    except ValueError:
        return host in {"localhost", None, b"localhost"}


def zone_of(local: LocalAzure) -> Zone:
    return local.cloud.zone(ZONE)
