"""The local OCI, at the rate that the provider keeps by default, for OCI documents none: DNS, and steering policies."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from clouds.oci import COMPARTMENT, TENANCY, USER, OciCloud
from clouds.oci_client import fingerprint, oci_serving, private_pem
from clouds.serving import Call, Endpoint
from support.servers import ZONE

from bench import least
from bench.least import Content, Least
from bench.route53 import seen
from bench.stands import Made, Purpose, Stand, Zoneful
from failoverd.providers.oci_cloud.settings import OciSettings
from failoverd.providers.oci_dns.settings import OciDnsSettings

RATE = float(OciSettings.model_fields["requests_per_second"].default)
_FEWER_POLICIES = 50

OPERATIONS = int(OciDnsSettings.model_fields["operations_per_request"].default)


class OciStand(Stand):
    """One tenancy with one zone."""

    def __init__(self, kind: str, cloud: OciCloud, endpoint: Endpoint, folder: Path) -> None:
        self.kind = kind
        if kind == "oci_steering":
            self.most = _FEWER_POLICIES
            self.remark = f"{_FEWER_POLICIES} steering policies, for each is read and written by itself"
        self._cloud = cloud
        self._endpoint = endpoint
        self._config = folder / "oci-config"
        key = folder / "oci-key.pem"
        key.write_text(private_pem())
        key.chmod(0o600)
        said = {
            "tenancy": TENANCY,
            "user": USER,
            "fingerprint": fingerprint(),
            "key_file": key,
            "region": "us-ashburn-1",
        }
        self._config.write_text("\n".join(["[DEFAULT]", *(f"{name}={value}" for name, value in said.items()), ""]))
        self._config.chmod(0o600)

    def block(self) -> Mapping[str, object]:
        block = {
            "kind": self.kind,
            "zones": [ZONE],
            "endpoint": self._endpoint.url,
            "config_file": str(self._config),
            "nameservers": "none",
        }
        return block if self.kind == "oci_dns" else {**block, "compartment": COMPARTMENT}

    def calls(self) -> Sequence[Made]:
        return seen(self._endpoint, _purpose)

    def holding(self, zoneful: Zoneful, address: str) -> int:
        return sum(1 for name in zoneful.names if list(self._cloud.served(name, "A")) == [address])

    def least(self, records: int, content: Content) -> Least:
        del content
        return least.oci_dns(records, OPERATIONS) if self.kind == "oci_dns" else least.oci_steering(records)


@contextmanager
def dns(folder: Path) -> Iterator[Stand]:
    """A tenancy whose plain records are written."""
    with _stand("oci_dns", folder) as stand:
        yield stand


@contextmanager
def steering(folder: Path) -> Iterator[Stand]:
    """A tenancy whose steering policies are written."""
    with _stand("oci_steering", folder) as stand:
        yield stand


@contextmanager
def _stand(kind: str, folder: Path) -> Iterator[Stand]:
    cloud = OciCloud([ZONE], rate=RATE, burst=RATE)
    with oci_serving(cloud) as endpoint:
        yield OciStand(kind, cloud, endpoint, folder)


def _purpose(call: Call) -> Purpose:
    return Purpose.READ if call.method == "GET" else Purpose.WRITE
