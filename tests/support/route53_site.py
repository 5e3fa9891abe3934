"""The local Route 53 with one zone, and the provider as a configuration file would open it there."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from clouds.route53 import Route53
from clouds.route53_names import normal
from clouds.route53_records import from_words
from clouds.route53_zones import Zone
from clouds.serving import Endpoint, Luck, serving
from clouds.sigv4 import AccessKey
from support.proxies import Cut
from support.servers import ZONE

from failoverd.ports import Access, Provider
from failoverd.providers import route53

ZONE_ID = "Z0FAILOVERDTEST"
KEY = AccessKey("AKIALOCALEXAMPLE", "a secret for tests")
FAST = 100_000.0
"""Requests a second: as good as no limit, for tests that are not about it."""

_LUCK = {Cut.BEFORE_EFFECT: Luck.DROP_BEFORE, Cut.AFTER_EFFECT: Luck.DROP_AFTER}


@dataclass(frozen=True)
class LocalRoute53:
    """One account. `folder` holds its credentials file."""

    cloud: Route53
    endpoint: Endpoint
    folder: Path

    @property
    def credentials_file(self) -> Path:
        return self.folder / "credentials"

    def settings(self, **more: object) -> route53.Route53Settings:
        said = {
            "kind": "route53",
            "zones": [ZONE],
            "endpoint": self.endpoint.url,
            "credentials_file": str(self.credentials_file),
            "requests_per_second": FAST,
        }
        return route53.Route53Settings.model_validate({**said, **more})

    def open(self, access: Access = Access.WRITE, **more: object) -> AbstractAsyncContextManager[Provider]:
        return route53.KIND.open("dns-main", self.settings(**more), access)

    def hand_out(self, key: AccessKey) -> None:
        """Put this key into the credentials file."""
        lines = ["[default]", f"aws_access_key_id = {key.key_id}", f"aws_secret_access_key = {key.secret}"]
        lines += [f"aws_session_token = {key.session_token}"] if key.session_token else []
        new = self.folder / "credentials.new"
        new.write_text("\n".join([*lines, ""]))
        new.replace(self.credentials_file)

    def edit(self, *changes: str) -> None:
        """By hand: `delete NAME TYPE`, or `add NAME TTL TYPE VALUE`, which adds to a record set that is there."""
        for change in changes:
            verb, words = change.split(None, 1)
            if verb == "add":
                self._add(words)
            else:
                self.cloud.edit(change)

    def fill(self, *lines: str) -> None:
        """Put many record sets into the zone at once, each as `NAME TTL TYPE VALUE`."""
        new = [from_words(line) for line in lines]
        self._zone.records = {**self._zone.records, **{record.key: record for record in new}}

    def writes(self) -> int:
        """How many change batches arrived, whatever became of them."""
        return self.endpoint.count("POST")

    def reads(self) -> int:
        """How many pages of record sets were asked for."""
        return self.endpoint.count("GET", "/rrset")

    def cut(self, moment: Cut) -> None:
        """Let the next batch break off at this moment."""
        self.endpoint.expect(_LUCK[moment], method="POST")

    def _add(self, words: str) -> None:
        record = from_words(words)
        there = self.cloud.lookup(record.name, record.rtype)
        if there:
            record = replace(there[0], values=there[0].values + record.values)
        self._zone.records = {**self._zone.records, record.key: record}

    @property
    def _zone(self) -> Zone:
        return next(zone for zone in self.cloud.zones.values() if zone.name == normal(ZONE))


@contextmanager
def local_route53(
    folder: Path, monkeypatch: pytest.MonkeyPatch, cloud: Route53 | None = None
) -> Iterator[LocalRoute53]:
    """An account with one zone, and an environment in which the SDK finds no credentials but those handed out."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "nothing"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    cloud = cloud or Route53({ZONE_ID: ZONE}, [KEY])
    with serving(cloud) as endpoint:
        local = LocalRoute53(cloud, endpoint, folder)
        local.hand_out(KEY)
        yield local
