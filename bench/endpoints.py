"""Many endpoints on loopback, and a daemon's files that watch them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.servers import ZONE

METRICS_PORT = 9464
_DNS_PORT = 5301
_PER_REGION, _REGIONS = 50, 4
"""Endpoints in a region, regions in a policy."""

_SECOND_OCTET = 87
_PER_OCTET = 250


def addresses(count: int) -> list[str]:
    """So many loopback addresses."""
    return [
        f"127.{_SECOND_OCTET + number // _PER_OCTET**2}.{number // _PER_OCTET % _PER_OCTET}.{number % _PER_OCTET + 1}"
        for number in range(count)
    ]


def configure(home: Path, endpoints: Sequence[str], check: Mapping[str, object]) -> Path:
    """Write a daemon's files: policies that look at the endpoints by this check, and nothing else to do.

    Each policy has four regions of fifty, and publishes one record at the embedded server. The tick is long, so that
    what is paid for is the probing. Returns the path of the daemon's configuration.
    """
    policies = home / "policies"
    policies.mkdir(parents=True)
    per_policy = _PER_REGION * _REGIONS
    regions = [f"region-{number}" for number in range(_REGIONS)]
    write(policies / "regions.yaml", {"version": 1, "regions": {name: {"cloud": name} for name in regions}})
    for number, start in enumerate(range(0, len(endpoints), per_policy)):
        name = f"p{number:03d}"
        write(policies / f"{name}.yaml", _policy(name, endpoints[start : start + per_policy], regions, check))
    config = home / "failoverd.yaml"
    write(config, daemon())
    return config


def _policy(
    name: str, endpoints: Sequence[str], regions: Sequence[str], check: Mapping[str, object]
) -> Mapping[str, object]:
    parts = [endpoints[start : start + _PER_REGION] for start in range(0, len(endpoints), _PER_REGION)]
    return {
        "version": 1,
        "policy": name,
        "records": [{"name": f"{name}.{ZONE}", "type": "A", "ttl": "30s", "providers": ["embedded"]}],
        "weights": "membership",
        "steering": "failover",
        "regions": {
            region: {"priority": priority, "endpoints": part}
            for priority, (region, part) in enumerate(zip(regions, parts, strict=False), start=1)
        },
        "checks": {"live": check},
    }


def daemon() -> Mapping[str, object]:
    """The daemon's own file, for policies that publish at the embedded server."""
    return {
        "version": 1,
        "owner": "bench",
        "policies": "policies",
        "journal": "journal.db",
        "tick": "1h",
        "log": {"format": "json"},
        "metrics": {"listen": f"127.0.0.1:{METRICS_PORT}"},
        "providers": {"embedded": {"kind": "embedded", "listen": f"127.0.0.1:{_DNS_PORT}", "zones": [ZONE]}},
    }


def write(path: Path, content: Mapping[str, object]) -> None:
    """One of a daemon's files."""
    path.write_text(json.dumps(content, indent=1))  # JSON is YAML, too; lines may be no longer than 4096
