"""The local Route 53 at its documented rate, and what every local cloud counts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from clouds.route53 import REQUESTS_PER_SECOND, Route53
from clouds.route53_names import normal
from clouds.serving import Call, Endpoint, serving
from clouds.sigv4 import AccessKey
from support.servers import ZONE

from bench import least
from bench.least import Content, Least
from bench.stands import Made, Purpose, Stand, Zoneful

INSYNC_AFTER = 30.0
"""Seconds for which a change at Route 53 is PENDING here; it is documented to be INSYNC usually within 60."""

PROCESSING = 0.1
"""Seconds for which a hosted zone that took a change turns the next one down (PriorRequestNotComplete)."""


class Route53Stand(Stand):
    """Five requests a second for everything (quotas of the developer guide)."""

    kind = "route53"

    def __init__(self, endpoint: Endpoint, cloud: Route53, folder: Path, key: AccessKey) -> None:
        self._endpoint = endpoint
        self._cloud = cloud
        self._credentials = folder / "aws-credentials"
        self._credentials.write_text(
            f"[default]\naws_access_key_id = {key.key_id}\naws_secret_access_key = {key.secret}\n"
        )

    def block(self) -> Mapping[str, object]:
        return {
            "kind": "route53",
            "zones": [ZONE],
            "endpoint": self._endpoint.url,
            "credentials_file": str(self._credentials),
            "nameservers": "none",
        }

    def environment(self) -> Mapping[str, str]:
        return {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent"}

    def calls(self) -> Sequence[Made]:
        return seen(self._endpoint, _of_route53)

    def holding(self, zoneful: Zoneful, address: str) -> int:
        found: dict[str, list[tuple[str, ...]]] = {}
        for zone in self._cloud.zones.values():
            for each in list(zone.records.values()):
                if each.rtype == "A":
                    found.setdefault(each.name, []).append(tuple(each.values))
        return sum(1 for name in zoneful.names if found.get(normal(name)) == [(address,)])

    def least(self, records: int, content: Content) -> Least:
        return least.route53(records, content)


@contextmanager
def route53(folder: Path) -> Iterator[Stand]:
    """One account with one hosted zone."""
    key = AccessKey("AKIALOCALEXAMPLE", "a secret for this benchmark")
    cloud = Route53(
        {"Z0BENCHMARK": ZONE}, [key], rate=REQUESTS_PER_SECOND, insync_after=INSYNC_AFTER, processing=PROCESSING
    )
    with serving(cloud) as endpoint:
        yield Route53Stand(endpoint, cloud, folder, key)


def seen(endpoint: Endpoint, purpose: Callable[[Call], Purpose]) -> list[Made]:
    """The calls that arrived, told apart."""
    return [Made(purpose(call), call.at, not 200 <= call.status < 300) for call in list(endpoint.calls)]  # noqa: PLR2004 - success, in HTTP


def _of_route53(call: Call) -> Purpose:
    if call.method == "POST":
        return Purpose.WRITE
    return Purpose.PROOF if "/change/" in call.path else Purpose.READ
