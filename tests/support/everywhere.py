"""One record at four providers at once: the local clouds and a real BIND, as a daemon's configuration names them."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from clouds.azure import GROUP, SUBSCRIPTION
from support.azure_site import LocalAzure, local_azure
from support.daemons import NAME, provider_block
from support.oci_site import LocalOci, local_oci
from support.route53_site import ZONE_ID, LocalRoute53, local_route53
from support.servers import ZONE, DnsServer

FAST = 1_000.0
EVERYWHERE = {"aws", "azure", "oci", "bind"}


@dataclass(frozen=True)
class Clouds:
    """One record's homes, and how a daemon's configuration names them."""

    aws: LocalRoute53
    azure: LocalAzure
    oci: LocalOci
    bind: DnsServer

    @property
    def blocks(self) -> dict[str, str]:
        said: dict[str, dict[str, object]] = {
            "aws": {
                "kind": "route53",
                "endpoint": self.aws.endpoint.url,
                "credentials_file": str(self.aws.credentials_file),
                "hosted_zones": {ZONE: ZONE_ID},
                "requests_per_second": FAST,
            },
            "azure": {
                "kind": "azure_dns",
                "subscription": SUBSCRIPTION,
                "resource_group": GROUP,
                "credential": self.azure.by_secret(),
                "endpoint": self.azure.site.arm.url,
                "authority": self.azure.site.login.url,
                "ca_file": str(self.azure.site.ca),
            },
            "oci": {
                "kind": "oci_dns",
                "endpoint": self.oci.endpoint.url,
                "config_file": str(self.oci.config_file),
                "requests_per_second": FAST,
            },
        }
        common = {"zones": [ZONE], "nameservers": "none"}
        clouds = {name: f"  {name}: {json.dumps({**block, **common})}" for name, block in said.items()}
        return {**clouds, "bind": provider_block("bind", self.bind)}

    def answers(self) -> dict[str, list[str]]:
        """What each of them holds for the record, told by the cloud itself and by dig."""
        return {
            "aws": sorted(value for found in self.aws.cloud.lookup(NAME, "A") for value in found.values),
            "azure": sorted(line.split()[-1] for line in self.azure.cloud.records(NAME, "A")),
            "oci": sorted(line.split()[-1] for line in self.oci.cloud.records(NAME, "A")),
            "bind": sorted(self.bind.dig(NAME, "A")),
        }

    @property
    def secrets(self) -> dict[str, Path]:
        """The files that their blocks name, and those that these name, by a name for each."""
        return {
            "aws": self.aws.credentials_file,
            "azure": self.azure.secret_file,
            "azure-ca": Path(self.azure.site.ca),
            "oci": self.oci.config_file,
            "oci-key": self.oci.key_file,
            "tsig.key": self.bind.key.bind_file,
        }


@contextmanager
def local_clouds(folder: Path, bind_server: DnsServer) -> Iterator[Clouds]:
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        folders = {name: folder / name for name in ("aws", "azure", "oci")}
        for each in folders.values():
            each.mkdir()
        yield Clouds(
            stack.enter_context(local_route53(folders["aws"], patch)),
            stack.enter_context(local_azure(folders["azure"], patch)),
            stack.enter_context(local_oci(folders["oci"], patch)),
            bind_server,
        )


def at(providers: set[str], *values: str) -> dict[str, list[str]]:
    return {name: list(values) for name in providers}
