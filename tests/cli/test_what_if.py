"""`plan --if-down` and the others: what would be done, in a few lines, by the daemon or from here."""

import json
from pathlib import Path

import pytest
from support.api import heard
from support.commands import POLICY, answered, failoverctl, written
from support.daemons import EAST, NAME, WEST, Site, provider_block, site
from support.repositories import git
from support.servers import DnsServer

from failoverd.api.shapes import FindingTold, TargetTold
from failoverd.cli.what_if import MOST_LINES, paired, tell, tell_pairs

FINE, FAILED, USAGE, PENDING = 0, 1, 2, 10


async def published(here: Site, file: Path) -> None:
    await here.control("plan", "--out", str(file))
    code, printed = await here.control("apply", str(file))
    assert code == FINE, printed


# -- the daemon is asked -----------------------------------------------------------------------------------------------


async def test_the_daemon_is_asked_for_what_is_supposed(tmp_path: Path) -> None:
    config = written(tmp_path)
    async with heard(tmp_path) as here:
        words = ("plan", "--if-down", "a,b", "--if-down", "c", "--if-cloud-down", "oci", "--drain", "d")
        told = await answered(*words, "--config", config)
        plain = await answered("plan", "--if-down", "a", "--output", "json", "--config", config)
    said = here.plans.supposed[0]
    assert [set(each) for each in (said.down, said.clouds, said.drained)] == [{"a", "b", "c"}, {"oci"}, {"d"}]
    assert "inference-api if a and b and c and cloud oci down, d drained" in told.said
    assert "then   2027-01-15 08:00:00Z: change" in told.said
    first, second = json.loads(plain.out)
    assert (first["following"]["at"], first["following"]["cause"]) == ("2027-01-15T08:00:00.000Z", "operator")
    assert (first["result"], second["result"]) == ("plan", "failed")


async def test_what_is_supposed_cannot_be_written_to_a_file(tmp_path: Path) -> None:
    config, file = written(tmp_path), tmp_path / "change.plan"
    told = await answered("plan", "--if-down", "west", "--out", file, "--config", config)
    assert (told.code, file.exists()) == (USAGE, False)
    assert "what is only supposed cannot be applied: leave --out away" in " ".join(told.said.split())


@pytest.mark.parametrize("names", ["", "west,", ",west", " "])
def test_an_empty_name_is_no_name(tmp_path: Path, names: str) -> None:
    told = failoverctl("plan", "--if-down", names, "--config", written(tmp_path))
    assert (told.code, "write names with commas between them" in told.said) == (USAGE, True)


# -- without one -------------------------------------------------------------------------------------------------------


async def test_a_loss_a_drain_and_another_file_are_played_from_here_and_nothing_is_written(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        await published(here, tmp_path / "first.plan")
        serial = bind_server.dig(NAME, "A")
        code, printed = await here.control("plan", "--if-down", "west")
        assert (code, f"{NAME} A at main: change (failing_out): east 50%, west 50% -> east 100%" in printed) == (
            PENDING,
            True,
        ), printed
        assert "api if west down" in printed
        assert "then   nothing more moves by itself" in printed
        assert len(printed.splitlines()) <= MOST_LINES + 1, "and a line that says who looked"
        code, printed = await here.control("plan", "--drain", "east")
        assert (code, "change (operator): east 50%, west 50% -> west 100%" in printed) == (PENDING, True), printed
        code, printed = await here.control("plan", "--if-down", "wset")
        assert (code, "there is no region 'wset'" in printed) == (FAILED, True), printed
        other = tmp_path / "new.yaml"
        other.write_text((tmp_path / "policies" / "api.yaml").read_text().replace("ttl: 5s", "ttl: 7s"))
        code, printed = await here.control("plan", "--policy", str(other))
        assert (code, f"api by {other}" in printed, "change (operator)" in printed) == (PENDING, True, True), printed
        code, printed = await here.control("plan", "--policy", str(other), "--if-down", "west")
        assert (code, "-> east 100%" in printed) == (PENDING, True), printed
        assert bind_server.dig(NAME, "A") == serial == [WEST, EAST]


async def test_two_revisions_are_compared_by_what_they_would_do(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        await published(here, tmp_path / "first.plan")
        git(tmp_path, "init", "-q", "-b", "main")
        git(tmp_path, "add", "policies")
        git(tmp_path, "commit", "-q", "-m", "first")
        code, printed = await here.control("plan", "--against", "git:main")
        assert (code, "1 policy: the same as by git:main" in printed) == (FINE, True), printed
        here.edit_policy("ttl: 5s", "ttl: 7s")
        code, printed = await here.control("plan", "--against", "git:main")
        assert code == PENDING, printed
        lines = [line.strip() for line in printed.splitlines()]
        assert lines[:3] == ["api", "git:main:", f"{NAME} A at main: nothing to do"], printed
        assert f"{NAME} A at main: change (operator): east 50%, west 50% -> east 50%, west 50%" in lines
        assert len(lines) <= MOST_LINES
        _, printed = await here.control("plan", "--against", "git:main", "--if-down", "west", "--output", "json")
        (pair,) = json.loads(printed)
        assert [pair[side]["plan"]["shares_after"] for side in ("old", "new")] == [{"east": 10_000}] * 2
        code, printed = await here.control("plan", "--against", "git:nosuch")
        assert (code, "no git repository that has 'nosuch'" in printed) == (FAILED, True), printed


def test_a_record_that_only_one_revision_has_is_told() -> None:
    (pair,) = paired([], [long_finding(1)])
    lines = tell_pairs("", "git:main", [pair], every=False)
    assert lines[:3] == ["api", "  git:main:", "    no such record"]
    assert len(lines) <= MOST_LINES


async def test_a_file_that_does_not_load_is_played_by_nobody(tmp_path: Path) -> None:
    config, file = written(tmp_path), tmp_path / "new.yaml"
    file.write_text(POLICY.replace("share: 50", "shares: 50", 1))
    told = await answered("plan", "--policy", file, "--config", config)
    assert told.code == FAILED
    assert f"nothing can be decided by {file}" in told.said
    assert "failoverctl check" in told.said


async def test_a_file_that_takes_the_record_of_another_policy_is_told(tmp_path: Path) -> None:
    config, file = written(tmp_path), tmp_path / "new.yaml"
    file.write_text(POLICY.replace("policy: shop", "policy: store"))
    told = await answered("plan", "--policy", file, "--config", config)
    assert (told.code, "nothing can be decided by" in told.said) == (FAILED, True), told.said


# -- in twelve lines ---------------------------------------------------------------------------------------------------


def long_finding(number: int) -> FindingTold:
    return FindingTold(
        target=TargetTold(policy="api", record=f"{number}.example.com", type="A", provider="main", zone="example.com"),
        result="plan",
        summary="change (failing_out): west 100% -> east 100% (generation 2)",
        reasons=tuple(f"reason {number}.{each}" for each in range(20)),
        limits=("max_shift: 90%, not within 70%", "min_regions: 1 regions, within at least 1 regions"),
    )


def test_a_policy_takes_twelve_lines_at_most_and_what_is_alike_is_told_once() -> None:
    lines = tell("if west down", [long_finding(1), long_finding(2)], every=False)
    assert len(lines) == MOST_LINES
    assert lines[1].startswith("  1.example.com A at main, 2.example.com A at main: change (failing_out)")
    assert [line for line in lines if "limit" in line] == ["  limit  max_shift: 90%, not within 70%"]
    assert "  within min_regions" in lines
    assert lines[-1].startswith("  and ")
    assert len(tell("if west down", [long_finding(1), long_finding(2)], every=True)) > MOST_LINES


def test_policies_of_which_nothing_would_change_are_only_counted() -> None:
    quiet = long_finding(1).model_copy(update={"result": "in_sync", "summary": "nothing to do"})
    assert tell("if west down", [quiet], every=False) == ["1 policy if west down: nothing would change"]
