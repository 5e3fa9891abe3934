"""The local Azure at the documented rates of its Resource Manager: Azure DNS, and Traffic Manager."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from clouds.azure import GROUP, SUBSCRIPTION, AzureCloud
from clouds.azure_access import Rations
from clouds.azure_client import AzureSite, azure_serving
from clouds.azure_tokens import CLIENT, SECRET
from clouds.serving import Call
from support.servers import ZONE

from bench import least
from bench.least import Content, Least
from bench.route53 import seen
from bench.stands import Made, Purpose, Stand, Zoneful
from failoverd.providers.azure_traffic_manager.settings import DOMAIN

_FEWER_PROFILES = 100


class AzureStand(Stand):
    """One resource group. Reads 250 and 25 a second, writes 200 and 10 a second (Resource Manager, request limits)."""

    def __init__(self, site: AzureSite, folder: Path) -> None:
        self._site = site
        self._secret = folder / "azure-secret"
        self._secret.write_text(f"{SECRET}\n")

    def block(self) -> Mapping[str, object]:
        tenant = self._site.cloud.directory.tenant
        return {
            "kind": self.kind,
            "zones": [self.zone],
            "subscription": SUBSCRIPTION,
            "resource_group": GROUP,
            "credential": {"tenant_id": tenant, "client_id": CLIENT, "client_secret_file": str(self._secret)},
            "endpoint": self._site.arm.url,
            "authority": self._site.login.url,
            "ca_file": self._site.ca,
            "nameservers": "none",
        }

    def calls(self) -> Sequence[Made]:
        return seen(self._site.arm, _purpose)


class AzureDnsStand(AzureStand):
    """Record sets of one zone."""

    kind = "azure_dns"

    def holding(self, zoneful: Zoneful, address: str) -> int:
        sets = dict(self._site.cloud.zone(ZONE).sets)
        found = (sets.get((name.removesuffix(f".{ZONE}"), "A")) for name in zoneful.names)
        return sum(1 for each in found if each is not None and each.records == [{"ipv4Address": address}])

    def least(self, records: int, content: Content) -> Least:
        del content
        return least.azure_dns(records)


class TrafficManagerStand(AzureStand):
    """Weighted profiles, which are there already: one for each record."""

    kind = "azure_traffic_manager"
    zone = DOMAIN
    most = _FEWER_PROFILES
    remark = (
        f"{_FEWER_PROFILES} profiles, for each takes three writes: the claim, and each endpoint. The least is one PUT, "
        "which is not taken: Azure has no condition for it, so a late one would undo a newer generation as a whole, "
        "and remove the endpoints that others have added"
    )

    def prepare(self, zoneful: Zoneful) -> None:
        for name in zoneful.names:
            self._site.cloud.add_profile(name.partition(".")[0], {})

    def holding(self, zoneful: Zoneful, address: str) -> int:
        traffic = self._site.cloud.traffic
        profiles = {profile.fqdn: profile for profile in list(traffic.profiles.values())}
        return sum(1 for name in zoneful.names if list(profiles[name].served()) == [address])

    def least(self, records: int, content: Content) -> Least:
        del content
        return least.traffic_manager(records)


@contextmanager
def dns(folder: Path) -> Iterator[Stand]:
    """A subscription with one zone."""
    with azure_serving(AzureCloud((ZONE,), rations=Rations())) as site:
        yield AzureDnsStand(site, folder)


@contextmanager
def traffic_manager(folder: Path) -> Iterator[Stand]:
    """A subscription with profiles."""
    with azure_serving(AzureCloud((), rations=Rations())) as site:
        yield TrafficManagerStand(site, folder)


def _purpose(call: Call) -> Purpose:
    return Purpose.READ if call.method == "GET" else Purpose.WRITE
