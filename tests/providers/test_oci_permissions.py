"""The documented OCI policies: enough for everything that the providers do, and nothing more."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from clouds.oci import PERMISSIONS
from support.contract import VALUES, approved, planned, publish, target, wish
from support.oci_site import LocalOci, local_oci
from support.servers import ZONE

from failoverd.core.errors import Fenced, Permanent
from failoverd.core.records import RecordType
from failoverd.ports import ProviderKind
from failoverd.providers import oci_dns, oci_steering

FOLDER = Path(__file__).parents[2] / "docs" / "permissions"
KINDS = (oci_dns.KIND, oci_steering.KIND)
ADDRESSES = VALUES[RecordType.A]
AT = target(f"api.{ZONE}")
ALL = frozenset[str]().union(*PERMISSIONS.values())
VERBS = ("inspect", "read", "use", "manage")
COVERED = {
    "dns-zones": (["DNS_ZONE_INSPECT"], ["DNS_ZONE_READ"], ["DNS_ZONE_UPDATE"], ["DNS_ZONE_CREATE", "DNS_ZONE_DELETE"]),
    "dns-records": (["DNS_RECORD_INSPECT"], ["DNS_RECORD_READ"], ["DNS_RECORD_UPDATE"], []),
    "dns-steering-policies": (
        ["DNS_STEERING_POLICY_INSPECT"],
        ["DNS_STEERING_POLICY_READ"],
        ["DNS_STEERING_POLICY_UPDATE"],
        ["DNS_STEERING_POLICY_CREATE", "DNS_STEERING_POLICY_DELETE", "DNS_STEERING_POLICY_MOVE"],
    ),
    "dns-steering-policy-attachments": (["DNS_STEERING_ATTACHMENT_INSPECT"], ["DNS_STEERING_ATTACHMENT_READ"], [], []),
}
"""What each verb allows beyond the one before it ("Details for the DNS Service")."""

STATEMENT = re.compile(
    r"Allow group \S+ to (?P<verb>[a-z]+) (?P<resource>[a-z-]+) in compartment \S+"
    r"(?: where (?:target\.dns-zone\.name = '[a-z.]+'|request\.permission != '(?P<but>[A-Z_]+)'))?"
)


@dataclass(frozen=True)
class Statement:
    verb: str
    resource: str
    but: str = ""

    @property
    def permissions(self) -> set[str]:
        steps = COVERED[self.resource][: VERBS.index(self.verb) + 1]
        return {permission for step in steps for permission in step} - {self.but}

    def weaker(self) -> set[str]:
        """What it would allow with the verb before."""
        at = VERBS.index(self.verb)
        return replace(self, verb=VERBS[at - 1]).permissions if at else set()


def statements(kind: ProviderKind) -> list[Statement]:
    lines = (FOLDER / f"{kind.name}.txt").read_text().splitlines()
    found = [STATEMENT.fullmatch(line) for line in lines if line and not line.startswith("#")]
    return [Statement(each["verb"], each["resource"], each["but"] or "") for each in found if each is not None]


def granted(kind: ProviderKind, weakened: Statement | None = None) -> set[str]:
    """What a kind's document allows, with one statement weakened."""
    return {
        permission
        for each in statements(kind)
        for permission in (each.weaker() if each == weakened else each.permissions)
    }


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalOci]:
    with local_oci(tmp_path, monkeypatch) as local:
        yield local


async def use_everything(local: LocalOci, kind: ProviderKind) -> None:
    """Creates, in a race that one of two loses, and changes."""
    async with local.open(kind) as provider, local.open(kind) as rival:
        seen = await provider.read(AT)
        plans = [planned(seen, wish(rival, AT, value)) for value in ADDRESSES[:2]]
        rivals = provider.apply(approved(plans[0])), rival.apply(approved(plans[1]))
        for result in await asyncio.gather(*rivals, return_exceptions=True):
            if isinstance(result, BaseException) and not isinstance(result, Fenced):
                raise result
        await publish(provider, AT, ADDRESSES[2])
    assert len(local.cloud.steering.policies) <= 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_it_is_enough(local: LocalOci, kind: ProviderKind) -> None:
    lines = (FOLDER / f"{kind.name}.txt").read_text().splitlines()
    assert len(statements(kind)) == sum(1 for line in lines if line and not line.startswith("#"))
    local.cloud.user.denied |= ALL - granted(kind)
    await use_everything(local, kind)


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        pytest.param(kind, statement, id=f"{kind.name}: {statement.verb} {statement.resource}")
        for kind in KINDS
        for statement in statements(kind)
    ],
)
async def test_each_statement_is_needed_with_its_verb(
    local: LocalOci, kind: ProviderKind, statement: Statement
) -> None:
    local.cloud.user.denied |= ALL - granted(kind, weakened=statement)
    with pytest.raises(Permanent) as caught:
        await use_everything(local, kind)
    assert caught.value.reason in {"permission_denied", "zone_missing"}
    assert "docs/permissions" in caught.value.remedy


def test_what_is_left_out_is_not_needed() -> None:
    assert "DNS_STEERING_POLICY_MOVE" not in granted(oci_steering.KIND)
    assert "DNS_RECORD_UPDATE" not in granted(oci_steering.KIND)
