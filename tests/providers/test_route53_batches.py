"""How many requests a change of many records costs, and what becomes of a bad one among them."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from clouds.route53 import Route53
from clouds.serving import Luck
from support.contract import VALUES, apply_all, plan_all, planned, target, wish
from support.route53_site import KEY, ZONE_ID, LocalRoute53, local_route53
from support.servers import ZONE

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Fenced, Permanent, RateLimited
from failoverd.core.records import RecordType, Target
from failoverd.ports import Access, Urgency
from failoverd.providers.route53.change import MAX_CHARACTERS, MAX_ELEMENTS, change_of

ADDRESSES = VALUES[RecordType.A]
ALLOWANCE = 1.2
"""How many times the least number of calls is still good."""


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalRoute53]:
    with local_route53(tmp_path, monkeypatch) as local:
        yield local


def targets(count: int) -> list[Target]:
    return [target(f"service-{number}.{ZONE}") for number in range(count)]


def least_calls(plans: Sequence[Plan]) -> int:
    """What the documented limits of a batch allow at best, whatever is put together with what."""
    changes = [change_of(plan) for plan in plans]
    elements, characters = sum(each.elements for each in changes), sum(each.characters for each in changes)
    return max(-(-elements // MAX_ELEMENTS), -(-characters // MAX_CHARACTERS))


async def test_a_region_that_fails_in_hundreds_of_records_costs_few_calls(local: LocalRoute53) -> None:
    async with local.open() as provider:
        wanted = targets(400)
        creations = await plan_all(provider, wanted, *ADDRESSES)
        assert set(await apply_all(provider, creations)) == {None}
        assert local.writes() <= ALLOWANCE * least_calls(creations)

        written, listed = local.writes(), local.reads()
        failovers = await plan_all(provider, wanted, *ADDRESSES[1:])
        assert local.reads() - listed <= ALLOWANCE * len(wanted) * (len(ADDRESSES) + 1) / 300
        assert set(await apply_all(provider, failovers)) == {None}
        assert least_calls(failovers) >= 3
        assert local.writes() - written <= ALLOWANCE * least_calls(failovers)
        after = await asyncio.gather(*(provider.read(at) for at in wanted))
        assert [observed.records for observed in after] == [plan.after for plan in failovers]


async def test_a_bad_record_among_two_hundred_fails_alone(local: LocalRoute53) -> None:
    async with local.open() as provider:
        plans = await plan_all(provider, targets(200), ADDRESSES[0])
        stale = plans[137]
        local.edit(f"add {stale.target.key.name}. 30 A 192.0.2.99")
        results = await apply_all(provider, plans)
        refused = {plans[index].target: result for index, result in enumerate(results) if result is not None}
        assert set(refused) == {stale.target}
        assert isinstance(refused[stale.target], Fenced)
        assert stale.target.key.name in str(refused[stale.target])
        assert local.cloud.lines(stale.target.key.name) == [f"{stale.target.key.name}. 30 A 192.0.2.99"]
        good = await asyncio.gather(*(provider.read(plan.target) for plan in plans if plan is not stale))
        assert [observed.records for observed in good] == [plan.after for plan in plans if plan is not stale]


async def test_a_name_that_may_not_be_written_fails_alone(local: LocalRoute53) -> None:
    async with local.open() as provider:
        plans = await plan_all(provider, targets(20), ADDRESSES[0])
        local.cloud.protect(f"{plans[3].target.key.name}.", "A", "owned by the mail team")
        results = await apply_all(provider, plans)
        (refused,) = [result for result in results if result is not None]
        assert isinstance(refused, Permanent)
        assert refused.reason == "record_protected"
        assert "the mail team" in refused.detail


async def test_a_refusal_that_concerns_everybody_is_not_split(local: LocalRoute53) -> None:
    async with local.open() as provider:
        plans = await plan_all(provider, targets(50), ADDRESSES[0])
        local.cloud.keys.clear()
        results = await apply_all(provider, plans)
        assert {type(result) for result in results} == {Permanent}
        assert local.writes() == 1


async def test_two_types_of_one_name_are_never_in_one_batch(local: LocalRoute53) -> None:
    name = f"both.{ZONE}"
    async with local.open() as provider:
        four, six = target(name), target(name, RecordType.AAAA)
        plans = [
            planned(await provider.read(four), wish(provider, four, ADDRESSES[0])),
            planned(await provider.read(six), wish(provider, six, VALUES[RecordType.AAAA][0])),
        ]
        results = await apply_all(provider, plans)
        assert [type(result) for result in results] == [type(None), Fenced]
        assert local.writes() == 2
        assert (await provider.read(four)).records == plans[0].after
        assert (await provider.read(six)).records is None


async def test_a_thousand_names_are_read_with_as_few_calls_as_they_fill_pages(local: LocalRoute53) -> None:
    async with local.open(Access.READ) as provider:
        lines: list[str] = []
        for at in targets(1_000):
            lines += [f"{at.key.name}. 30 A 192.0.2.1", f'{at.key.marker_name}. 60 TXT "x"']
        local.fill(*lines)
        seen = await asyncio.gather(*(provider.read(at) for at in targets(1_000)))
        assert all(observed.records is not None and observed.marker_text == "x" for observed in seen)
        assert local.reads() <= 8  # 2,000 record sets fill 6.7 pages
        await provider.read(target(f"service-500.{ZONE}"))
        assert local.reads() <= 9


async def test_a_busy_zone_is_left_alone_for_a_moment_and_then_written(
    local: LocalRoute53, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.providers.route53.errors._BUSY_SECONDS", 0.2)
    async with local.open() as provider:
        plans = await plan_all(provider, targets(1), ADDRESSES[0])
        local.cloud.zones[ZONE_ID].busy_until = local.cloud._clock() + 0.1
        assert await apply_all(provider, plans) == [None]
        assert local.writes() == 2


async def test_a_zone_that_stays_busy_is_told_with_its_own_reason(
    local: LocalRoute53, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.providers.route53.errors._BUSY_SECONDS", 0.01)
    async with local.open() as provider:
        plans = await plan_all(provider, targets(1), ADDRESSES[0])
        local.cloud.zones[ZONE_ID].busy_until = float("inf")
        (refused,) = await apply_all(provider, plans)
        assert isinstance(refused, RateLimited)
        assert refused.reason == "prior_request_not_complete"
        assert refused.retry_after == pytest.approx(0.01, abs=0.01)
        assert local.writes() == 3
        assert local.cloud.lines() == []


async def test_a_throttled_account_is_tried_again_when_it_says(local: LocalRoute53) -> None:
    async with local.open() as provider:
        plans = await plan_all(provider, targets(3), ADDRESSES[0])
        local.endpoint.expect(Luck.THROTTLE, method="POST", times=2, retry_after=0.05)
        assert await apply_all(provider, plans) == [None, None, None]
        assert local.writes() == 3


async def test_a_fail_out_gets_through_the_silence_of_a_routine_read(
    local: LocalRoute53, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.providers.shared.throttling.FIRST_TRIAL", 0.2)
    async with local.open() as provider:
        (plan,) = await plan_all(provider, targets(1), ADDRESSES[0])
        local.endpoint.expect(Luck.THROTTLE, method="GET", retry_after=600)
        with pytest.raises(RateLimited):
            await provider.read(plan.target)
        await provider.read(plan.target, urgency=Urgency.FAIL_OUT)
        assert await apply_all(provider, [plan]) == [None]
        with pytest.raises(RateLimited):
            await provider.read(plan.target)


async def test_endless_throttling_ends_the_round(local: LocalRoute53) -> None:
    async with local.open() as provider:
        plans = await plan_all(provider, targets(3), ADDRESSES[0])
        local.endpoint.expect(Luck.THROTTLE, method="POST", times=1_000, retry_after=0.01)
        results = await apply_all(provider, plans)
        assert {type(result) for result in results} == {RateLimited}
        assert {result.reason for result in results if isinstance(result, RateLimited)} == {"throttled"}
        assert local.writes() == 3
        local.endpoint.relent()
        assert local.cloud.lines() == []


async def test_an_account_that_is_used_at_its_rate_is_never_throttled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = Route53({ZONE_ID: ZONE}, [KEY], rate=50.0)
    with local_route53(tmp_path, monkeypatch, strict) as local:
        async with local.open(requests_per_second=50.0) as provider:
            for number in range(30):
                plans = await plan_all(provider, targets(1), ADDRESSES[number % 3])
                assert await apply_all(provider, plans) == [None]
        assert {call.status for call in local.endpoint.calls} == {200}
