"""The documented IAM policy: enough for everything that the provider does, and nothing more."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.contract import VALUES, planned, publish, target, wish
from support.route53_site import KEY, ZONE_ID, LocalRoute53, local_route53
from support.servers import ZONE

from failoverd.core.errors import Permanent
from failoverd.core.records import RecordType
from failoverd.ports import Propagating, Provider
from failoverd.providers.route53.change import change_of

DOCUMENT = json.loads((Path(__file__).parents[2] / "docs" / "permissions" / "route53.json").read_text())
SIDS = [statement["Sid"] for statement in DOCUMENT["Statement"]]
AT = target(f"api.{ZONE}")
KEYS = "route53:ChangeResourceRecordSets"


def granted(*, without: str = "") -> dict[str, Any]:
    """The policy for the zone of the test. The local Route 53 knows no conditions: they are looked at by themselves."""
    statements = [
        {
            "Effect": statement["Effect"],
            "Action": statement["Action"],
            "Resource": statement["Resource"].replace("ZONE-ID", ZONE_ID),
        }
        for statement in DOCUMENT["Statement"]
        if statement["Sid"] != without
    ]
    return {"Version": DOCUMENT["Version"], "Statement": statements}


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalRoute53]:
    with local_route53(tmp_path, monkeypatch) as local:
        yield local


async def use_everything(provider: Provider) -> None:
    await publish(provider, AT, *VALUES[RecordType.A])
    assert isinstance(provider, Propagating)
    await provider.propagated(AT)


async def test_it_is_enough(local: LocalRoute53) -> None:
    local.cloud.keys = {KEY.key_id: replace(KEY, policy=granted())}
    async with local.open() as provider:
        await use_everything(provider)


@pytest.mark.parametrize("sid", SIDS)
async def test_each_statement_is_needed(local: LocalRoute53, sid: str) -> None:
    local.cloud.keys = {KEY.key_id: replace(KEY, policy=granted(without=sid))}
    async with local.open() as provider:
        with pytest.raises(Permanent) as caught:
            await use_everything(provider)
    assert caught.value.reason == "permission_denied"
    assert "docs/permissions/route53.json" in caught.value.remedy


async def test_its_conditions_allow_what_is_sent_and_no_more(local: LocalRoute53) -> None:
    (conditions,) = [statement["Condition"] for statement in DOCUMENT["Statement"] if "Condition" in statement]
    exact, alike = conditions["ForAllValues:StringEquals"], conditions["ForAllValues:StringLike"]
    sent = set()
    async with local.open() as provider:
        for kind in RecordType:
            at = target(f"{kind.lower()}.{ZONE}", kind)
            await publish(provider, at, VALUES[kind][0])
            plan = planned(await provider.read(at), wish(provider, at, VALUES[kind][1]))
            sent |= {(each["Action"], each["ResourceRecordSet"]["Type"]) for each in change_of(plan).actions}
    assert {action for action, _ in sent} == set(exact[f"{KEYS}Actions"])
    assert {kind for _, kind in sent} == set(exact[f"{KEYS}RecordTypes"])
    assert alike[f"{KEYS}NormalizedRecordNames"] == ["api.example.com", "_failoverd.api.example.com"]
