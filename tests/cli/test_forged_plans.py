"""A plan file is only paper: whatever somebody writes into it, nothing is written but what failoverd would plan."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.daemons import EAST, NAME, WEST, Site, provider_block, site
from support.servers import DnsServer

from failoverd.cli.operations import Attempt, PlanFile, apply_plan, workshop
from failoverd.cli.planning import outcome
from failoverd.codec import dump, load
from failoverd.core.errors import FailoverdError
from failoverd.core.guard import Held
from failoverd.core.plan import Plan, PlanKind
from failoverd.core.records import WHOLE, Answer, Marker, Observed, RecordKey, RecordSet, RecordType
from failoverd.ports import Access

FINE, FAILED, LIMITED = 0, 1, 11
STRANGER = "192.0.2.66"
OTHER = f"shop.{NAME.partition('.')[2]}"

Forge = Callable[[Plan], Plan]


def marked(**changes: object) -> Forge:
    return lambda plan: replace(plan, marker=replace(plan.marker, **changes))  # type: ignore[arg-type]


def answering(*values: str, ttl: int | None = None) -> Forge:
    """The file's answers, and the decision that explains them, say something else."""

    def forge(plan: Plan) -> Plan:
        after = RecordSet(plan.after.key, ttl or plan.after.ttl, tuple(Answer(value, 1) for value in values))
        decision = replace(plan.decision, records=after)
        return replace(plan, after=after, decision=decision, shares_after={"east": WHOLE})

    return forge


def at_another_name(plan: Plan) -> Plan:
    """Somebody else's record, described just as it stands there."""
    key = RecordKey(OTHER, RecordType.A)
    target = replace(plan.target, key=key)
    there = RecordSet.of(key, 60, {STRANGER: 1})
    after = replace(plan.after, key=key)
    decision = replace(plan.decision, target=target, records=after)
    return replace(plan, target=target, before=Observed(target, there), after=after, decision=decision)


def in_another_zone(plan: Plan) -> Plan:
    target = replace(plan.target, zone="elsewhere.test")
    return replace(plan, target=target, before=replace(plan.before, target=target))


def for_another_key(plan: Plan) -> Plan:
    after = replace(plan.after, key=RecordKey(OTHER, RecordType.A))
    return replace(plan, after=after, decision=replace(plan.decision, records=after))


FORGERIES: dict[str, tuple[Forge, str]] = {
    "somebody else's name": (at_another_name, "target_unknown"),
    "a zone that is not the policy's": (in_another_zone, "target_unknown"),
    "a provider that nobody configured": (
        lambda plan: replace(plan, target=replace(plan.target, provider="other")),
        "target_unknown",
    ),
    "a policy that does not exist": (
        lambda plan: replace(plan, target=replace(plan.target, policy="other")),
        "policy_unknown",
    ),
    "answers that go to another name": (for_another_key, "plan_altered"),
    "another owner": (marked(owner="somebody"), "plan_altered"),
    "another policy on the marker": (marked(policy="shop"), "plan_altered"),
    "a type that is not owned": (marked(types=(RecordType.A, RecordType.AAAA)), "plan_altered"),
    "a generation far ahead": (marked(generation=10**17), "plan_altered"),
    "an old generation": (marked(generation=1), "plan_altered"),
    "no answer": (answering(), "empty_answer"),
    "an address of nobody": (answering(EAST, STRANGER), "answer_unknown"),
    "a TTL that keeps resolvers for a week": (answering(EAST, ttl=604_800), "plan_altered"),
    "a short cut past max_shift": (lambda plan: replace(plan, shares_before=plan.shares_after), "plan_altered"),
    "shares that the answers do not have": (
        lambda plan: replace(plan, shares_after=plan.shares_before),
        "plan_altered",
    ),
    "a baseline of its own": (lambda plan: replace(plan, baseline=plan.shares_after), "plan_altered"),
    "a kind that is not rationed": (lambda plan: replace(plan, kind=PlanKind.ADOPT), "plan_altered"),
    "answers that its reasons do not speak of": (
        lambda plan: replace(plan, decision=replace(plan.decision, records=plan.before.records)),
        "plan_altered",
    ),
    "a picture of what stands there that is not true": (
        lambda plan: replace(plan, before=replace(plan.before, records=None)),
        "record_changed",
    ),
}


async def planned(here: Site, file: Path) -> PlanFile:
    await here.control("plan", "--out", str(file))
    return read(file)


def read(file: Path) -> PlanFile:
    return load(PlanFile, file.read_bytes())


async def applied(here: Site, plan: Plan) -> Attempt:
    async with workshop(here.config, Access.WRITE) as shop:
        return await apply_plan(shop, plan)


def picture(server: DnsServer) -> list[list[str]]:
    """Everything that could have been written, and the serial, which counts every write."""
    names = [(NAME, "A"), (f"_failoverd.{NAME}", "TXT"), (OTHER, "A"), (f"_failoverd.{OTHER}", "TXT")]
    return [server.dig(*asked) for asked in (*names, ("example.test", "SOA"))]


def refusal(attempt: Attempt) -> str:
    assert isinstance(attempt.result, FailoverdError), attempt.result
    assert not attempt.sent
    assert outcome(attempt).startswith("refused, nothing was changed: ")
    assert attempt.result.remedy or attempt.result.reason == "empty_answer"
    return attempt.result.reason


async def test_whatever_a_plan_file_says_only_what_failoverd_plans_is_written(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    file = tmp_path / "change.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        await here.control("plan", "--out", str(file))
        await here.control("apply", str(file))
        bind_server.edit(f"add {OTHER.partition('.')[0]} 60 A {STRANGER}")
        await here.break_region("west")
        honest = await planned(here, file)
        (plan,) = honest.plans
        assert (plan.generation, plan.shares_after) == (2, {"east": WHOLE})

        before = picture(bind_server)
        forged = replace(honest, plans=tuple(forge(plan) for forge, _ in FORGERIES.values()))
        file.write_text(dump(forged))
        code, printed = await here.control("apply", str(file), "--output", "json")
        outcomes = [told["outcome"] for told in json.loads(printed)]
        for (forgery, (_, reason)), told in zip(FORGERIES.items(), outcomes, strict=True):
            assert told.startswith("refused, nothing was changed: "), (forgery, told)
            assert f"({reason})" in told, (forgery, told)
        assert (code, picture(bind_server)) == (FAILED, before)

        assert (await applied(here, plan)).result is None
        assert bind_server.dig(NAME, "A") == [EAST]


async def test_forged_shares_do_not_pass_a_limit_and_neither_does_the_honest_plan(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    file = tmp_path / "change.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        await here.control("plan", "--out", str(file))
        await here.control("apply", str(file))
        here.edit_policy("max_shift: 100% per 5m", "max_shift: 10% per 5m")
        await here.break_region("west")
        (plan,) = (await planned(here, file)).plans
        assert isinstance((await applied(here, plan)).result, Held)
        cheat = replace(plan, shares_before=plan.shares_after, baseline=plan.shares_after)
        assert refusal(await applied(here, cheat)) == "plan_altered"
        assert bind_server.dig(NAME, "A") == [WEST, EAST]


@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        (None, "no_marker"),
        (Marker("somebody", "api", 4, (RecordType.A,)).to_text(), "other_owner"),
        (Marker("tests", "shop", 4, (RecordType.A,)).to_text(), "other_policy"),
        ("heritage=external-dns", "foreign_marker"),
    ],
    ids=["no marker", "another owner", "another policy", "no marker of ours"],
)
async def test_a_name_that_is_not_ours_is_not_taken_by_a_plan_file_that_describes_it_well(
    bind_server: DnsServer, tmp_path: Path, marker: str | None, reason: str
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        (plan,) = (await planned(here, tmp_path / "change.plan")).plans
        bind_server.edit(f"add api 60 A {STRANGER}")
        if marker is not None:
            bind_server.edit(f'add _failoverd.api 60 TXT "{marker}"')
        before = picture(bind_server)
        async with workshop(here.config, Access.READ) as shop:
            there = await shop.providers["main"].read(plan.target)
        shares = {"elsewhere": WHOLE}
        assert refusal(await applied(here, replace(plan, before=there, shares_before=shares))) == reason
        assert picture(bind_server) == before


async def test_a_change_id_is_used_once_for_limits_count_by_it(bind_server: DnsServer, tmp_path: Path) -> None:
    file = tmp_path / "change.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        (first,) = (await planned(here, file)).plans
        assert (await applied(here, first)).result is None
        await here.break_region("west")
        (second,) = (await planned(here, file)).plans
        assert refusal(await applied(here, replace(second, id=first.id))) == "plan_used"
        assert bind_server.dig(NAME, "A") == [WEST, EAST]


async def test_two_that_apply_the_same_plan_at_once_write_it_once(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        (plan,) = (await planned(here, tmp_path / "change.plan")).plans
        attempts = await asyncio.gather(applied(here, plan), applied(here, plan))
        assert sum(attempt.result is None for attempt in attempts) == 1
        (lost,) = (attempt for attempt in attempts if attempt.result is not None)
        assert "nothing was changed" in outcome(lost)
        assert bind_server.dig(f"_failoverd.{NAME}", "TXT") == ['"v=1 owner=tests policy=api gen=1 types=A"']
