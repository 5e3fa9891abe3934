"""Every stand, by the name that the command line has for it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from bench import azure, dns_servers, oci
from bench.route53 import route53
from bench.stands import Stand

OPENERS: Mapping[str, Callable[[Path], AbstractContextManager[Stand]]] = {
    "route53": route53,
    "azure_dns": azure.dns,
    "azure_traffic_manager": azure.traffic_manager,
    "oci_dns": oci.dns,
    "oci_steering": oci.steering,
    "rfc2136": dns_servers.on_bind,
    "powerdns": dns_servers.on_powerdns,
}
