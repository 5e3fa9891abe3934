"""A plan file is only paper: whatever somebody writes into it, nothing is written but what failoverd would plan."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.daemons import EAST, NAME, Site, provider_block, site
from support.servers import DnsServer

from failoverd.api.planned import attempt_told
from failoverd.assembly import session
from failoverd.codec import dump, load
from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.limits import Held
from failoverd.core.control.plan import Plan, PlanKind
from failoverd.core.errors import FailoverdError
from failoverd.core.reasons import Cause
from failoverd.core.records import WHOLE, Answer, Marker, Observed, RecordKey, RecordSet, RecordType
from failoverd.operations.planning import Attempt, PlanFile, PlannedChange, apply_plans
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
    "answers that go to another name": (for_another_key, "plan_outdated"),
    "another owner": (marked(owner="somebody"), "plan_outdated"),
    "another policy on the marker": (marked(policy="shop"), "plan_outdated"),
    "a type that is not owned": (marked(types=(RecordType.A, RecordType.AAAA)), "plan_outdated"),
    "a generation far ahead": (marked(generation=10**17), "plan_outdated"),
    "an old generation": (marked(generation=1), "plan_outdated"),
    "no answer": (answering(), "plan_outdated"),
    "an address of nobody": (answering(EAST, STRANGER), "plan_outdated"),
    "a TTL that keeps resolvers for a week": (answering(EAST, ttl=604_800), "plan_outdated"),
    "a short cut past max_shift": (lambda plan: replace(plan, shares_before=plan.shares_after), "plan_outdated"),
    "shares that the answers do not have": (
        lambda plan: replace(plan, shares_after=plan.shares_before),
        "plan_outdated",
    ),
    "a baseline of its own": (lambda plan: replace(plan, baseline=plan.shares_after), "plan_outdated"),
    "a cause that is not rationed": (lambda plan: replace(plan, cause=Cause.REBUILDING), "plan_outdated"),
    "a whole that is not wanted": (lambda plan: replace(plan, whole={"west": WHOLE}), "plan_outdated"),
    "an edit that nobody made": (lambda plan: replace(plan, overruled=plan.after), "plan_outdated"),
    "another revision": (lambda plan: replace(plan, revision="r0"), "policy_changed"),
    "another kind of decision": (
        lambda plan: replace(plan, decision=replace(plan.decision, kind=DecisionKind.OPERATOR)),
        "plan_outdated",
    ),
    "a decision about another record": (
        lambda plan: replace(plan, decision=replace(plan.decision, target=replace(plan.target, zone="elsewhere.test"))),
        "plan_outdated",
    ),
    "shares that nobody decided on": (
        lambda plan: replace(plan, decision=replace(plan.decision, shares={"west": WHOLE})),
        "plan_outdated",
    ),
    "a kind that is not rationed": (lambda plan: replace(plan, kind=PlanKind.ADOPT), "plan_outdated"),
    "answers that its reasons do not speak of": (
        lambda plan: replace(plan, decision=replace(plan.decision, records=plan.before.records)),
        "plan_outdated",
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


async def applied(here: Site, change: PlannedChange, plan: Plan | None = None) -> Attempt:
    """What comes of a change; or of another plan that claims to be made from the same."""
    async with session(here.config, Access.WRITE) as at_work:
        (attempt,) = await apply_plans(at_work, [replace(change, plan=plan or change.plan)])
        return attempt


def picture(server: DnsServer) -> list[list[str]]:
    """Everything that could have been written, and the serial, which counts every write."""
    names = [(NAME, "A"), (f"_failoverd.{NAME}", "TXT"), (OTHER, "A"), (f"_failoverd.{OTHER}", "TXT")]
    return [server.dig(*asked) for asked in (*names, ("example.test", "SOA"))]


def refusal(attempt: Attempt) -> str:
    assert isinstance(attempt.result, FailoverdError), attempt.result
    assert not attempt.sent
    assert attempt_told(attempt).summary.startswith("refused, nothing was changed: ")
    assert attempt.result.remedy
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
        (change,) = honest.changes
        assert (change.plan.generation, change.plan.shares_after) == (2, {"east": WHOLE})

        before = picture(bind_server)
        forgeries = (replace(change, plan=forge(change.plan)) for forge, _ in FORGERIES.values())
        forged = replace(honest, changes=tuple(forgeries))
        file.write_text(dump(forged))
        code, printed = await here.control("apply", str(file), "--output", "json")
        outcomes = [told["outcome"] for told in json.loads(printed)]
        for (forgery, (_, reason)), told in zip(FORGERIES.items(), outcomes, strict=True):
            assert told.startswith("refused, nothing was changed: "), (forgery, told)
            assert f"({reason})" in told, (forgery, told)
        assert (code, picture(bind_server)) == (FAILED, before)

        assert (await applied(here, change)).result is None
        assert bind_server.dig(NAME, "A") == [EAST]


async def test_a_forged_plan_does_not_pass_a_limit_and_neither_does_the_honest_one(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    file = tmp_path / "change.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.edit_policy("max_changes: 100 per 1h", "max_changes: 1 per 1h")
        await here.control("plan", "--out", str(file))
        await here.control("apply", str(file))
        here.edit_policy("ttl: 5s", "ttl: 6s")
        (fits,) = (await planned(here, file)).changes
        assert (await applied(here, fits)).result is None
        here.edit_policy("ttl: 6s", "ttl: 7s")
        (change,) = (await planned(here, file)).changes
        before = picture(bind_server)
        assert isinstance((await applied(here, change)).result, Held)
        cheat = replace(change.plan, shares_before={"east": WHOLE}, baseline=change.plan.shares_after)
        assert refusal(await applied(here, change, cheat)) == "plan_outdated"
        assert picture(bind_server) == before


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
        (change,) = (await planned(here, tmp_path / "change.plan")).changes
        bind_server.edit(f"add api 60 A {STRANGER}")
        if marker is not None:
            bind_server.edit(f'add _failoverd.api 60 TXT "{marker}"')
        before = picture(bind_server)
        async with session(here.config, Access.READ) as at_work:
            there = await at_work.providers["main"].read(change.plan.target)
        described = replace(change.plan, before=there, shares_before={"elsewhere": WHOLE})
        assert refusal(await applied(here, change, described)) == reason
        assert picture(bind_server) == before


async def test_a_change_id_is_not_taken_from_a_file_for_limits_count_by_it(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    file = tmp_path / "change.plan"
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        (first,) = (await planned(here, file)).changes
        assert (await applied(here, first)).result is None
        await here.break_region("west")
        (second,) = (await planned(here, file)).changes
        assert (await applied(here, second, replace(second.plan, id=first.plan.id))).result is None
        _, printed = await here.control("history", "--output", "json")
        assert len({row["change_id"] for row in json.loads(printed)["changes"]}) == 2


async def test_two_that_apply_the_same_plan_at_once_write_it_once(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        (change,) = (await planned(here, tmp_path / "change.plan")).changes
        attempts = await asyncio.gather(applied(here, change), applied(here, change))
        assert sum(attempt.result is None for attempt in attempts) == 1
        (lost,) = (attempt for attempt in attempts if attempt.result is not None)
        assert "stands there already, generation 1" in attempt_told(lost).summary
        (marker,) = bind_server.dig(f"_failoverd.{NAME}", "TXT")
        assert marker.startswith('"v=1 owner=tests policy=api gen=1 types=A inst=')
