"""OCI's DNS service on loopback with one zone, and the providers that talk to it through the real SDK."""

import functools
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import oci  # type: ignore[import-untyped, unused-ignore]
import pytest
from clouds.oci import TENANCY, USER, OciCloud
from clouds.oci_client import dns_client, fingerprint, oci_serving, private_pem
from clouds.oci_rest import Json
from clouds.oci_rules import MAX_WEIGHT
from clouds.serving import Endpoint, Luck
from support.proxies import Cut
from support.servers import ZONE

from failoverd.core.names import MARKER_LABEL
from failoverd.ports import Access, Provider, ProviderKind
from failoverd.providers import oci_dns
from failoverd.providers.oci_cloud.settings import OciSettings

FAST = 10_000.0
"""Requests a second: no test waits for its turn, but those about turns."""

_LUCK: Mapping[Cut, Luck] = {Cut.BEFORE_EFFECT: Luck.DROP_BEFORE, Cut.AFTER_EFFECT: Luck.DROP_AFTER}


@dataclass(frozen=True)
class LocalOci:
    """A running cloud, and the folder with the configuration file and the key that failoverd has for it."""

    cloud: OciCloud
    endpoint: Endpoint
    folder: Path

    @property
    def config_file(self) -> Path:
        return self.folder / "config"

    @property
    def key_file(self) -> Path:
        return self.folder / "key.pem"

    def settings(self, kind: ProviderKind = oci_dns.KIND, **more: object) -> OciSettings:
        said = {
            "kind": kind.name,
            "zones": [ZONE],
            "endpoint": self.endpoint.url,
            "config_file": str(self.config_file),
            "requests_per_second": FAST,
        }
        settings = kind.settings.model_validate({**said, **more})
        assert isinstance(settings, OciSettings)
        return settings

    def open(
        self, kind: ProviderKind = oci_dns.KIND, access: Access = Access.WRITE, **more: object
    ) -> AbstractAsyncContextManager[Provider]:
        return kind.open("dns-main", self.settings(kind, **more), access)

    def hand_out(self, pem: str, **instead: str) -> None:
        """Put this key into its file, and the profile that names it, with some of it replaced."""
        said = {
            "tenancy": TENANCY,
            "user": USER,
            "fingerprint": fingerprint(),
            "key_file": str(self.key_file),
            "region": "us-ashburn-1",
        } | instead
        _replace(self.key_file, pem)
        _replace(self.config_file, "\n".join(["[DEFAULT]", *(f"{name}={value}" for name, value in said.items()), ""]))

    def edit(self, *changes: str) -> None:
        """Plain records by hand: `delete NAME TYPE`, `add NAME TTL TYPE RDATA`."""
        self.cloud.edit("\n".join(changes))

    def steer(self, *changes: str) -> None:
        """The same words, said of the answers of steering policies; the marker is a tag of theirs."""
        for change in changes:
            verb, name, *rest = change.split(maxsplit=4 if change.startswith("add ") else 2)
            domain = name.rstrip(".")
            if domain.startswith(MARKER_LABEL):
                self._tag(domain.removeprefix(f"{MARKER_LABEL}."), {"failoverd": rest[2]} if verb == "add" else {})
            elif verb == "add":
                ttl, rtype, text = rest
                self._answer(domain, int(ttl), rtype, text)
            else:
                self._empty(domain, rest[0])

    def policies(self, name: str) -> list[Json]:
        """The policies that are attached to a name."""
        attached = [one.shown for one in self.cloud.steering.attachments.values() if one.shown["domainName"] == name]
        return [self.cloud.policy(one["steeringPolicyId"]) for one in attached]

    def _answer(self, name: str, ttl: int, rtype: str, text: str) -> None:
        """One more answer, as heavy as OCI allows."""
        there = self.policies(name)
        if not there:
            self.cloud.steer(name, rtype, {text: MAX_WEIGHT}, ttl=ttl)
            return
        answers = [*there[0]["answers"], {"name": "by hand", "rtype": rtype, "rdata": text}]
        weighted = [*there[0]["rules"][-2]["defaultAnswerData"], _weight("by hand", MAX_WEIGHT)]
        self._update(there[0]["id"], {"answers": answers, "rules": _weighing(there[0], weighted), "ttl": ttl})

    def _tag(self, name: str, tags: Json) -> None:
        """Other tags; on a policy that is made first, where there is none."""
        if not self.policies(name):
            self._answer(name, 30, "A", "192.0.2.77")
        for policy in self.policies(name):
            self._update(policy["id"], {"freeformTags": tags})

    def _empty(self, name: str, rtype: str) -> None:
        for policy in self.policies(name):
            answers = [answer for answer in policy["answers"] if answer["rtype"] != rtype]
            self._update(policy["id"], {"answers": answers, "rules": _weighing(policy, [])})

    def _update(self, policy: str, body: Json) -> None:
        dns_client(self.endpoint.url).update_steering_policy(policy, body)

    def cut(self, moment: Cut) -> None:
        """Let the next write that a resolver would notice break off at this moment."""
        self.endpoint.expect(_LUCK[moment], method="PATCH|PUT")
        self.endpoint.expect(_LUCK[moment], method="POST", path="steeringPolicyAttachments")

    def writes(self) -> int:
        """How many writing requests arrived, whatever became of them."""
        return self.endpoint.count("PATCH|PUT|POST|DELETE")

    def reads(self) -> int:
        return self.endpoint.count("GET")


def _weight(name: str, weight: int) -> Json:
    return {"answerCondition": f"answer.name == '{name}'", "value": weight}


def _weighing(policy: Json, weighted: list[Json]) -> list[Json]:
    """The rules of a policy with other weights."""
    return [
        {**rule, "defaultAnswerData": weighted} if rule["ruleType"] == "WEIGHTED" else rule for rule in policy["rules"]
    ]


CUTS = (Cut.BEFORE_EFFECT, Cut.AFTER_EFFECT)

_loaded = functools.cache(oci.signer.load_private_key)
"""Each key once: OpenSSL proves that it is one, which takes longer than all else that makes a client of the SDK."""


@contextmanager
def local_oci(folder: Path, monkeypatch: pytest.MonkeyPatch, cloud: OciCloud | None = None) -> Iterator[LocalOci]:
    """A tenancy with one zone, and an environment in which the SDK finds nothing but what is handed out."""
    for name in ("OCI_CONFIG_FILE", "OCI_REGION", "OCI_RESOURCE_PRINCIPAL_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(oci.signer, "load_private_key", _loaded)
    cloud = cloud or OciCloud([ZONE])
    with oci_serving(cloud) as endpoint:
        local = LocalOci(cloud, endpoint, folder)
        local.hand_out(private_pem())
        yield local


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o600)
    new.replace(path)
