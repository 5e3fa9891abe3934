"""`failoverctl status`: what stands on the screen, in which order, how wide, how old, and with which exit code."""

import asyncio
import io
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from rich.cells import cell_len
from rich.console import Console
from support.commands import Ended, answered, deaf, failoverctl, written
from support.consoles import console
from support.journals import TARGET

from failoverd.api.shapes import GlanceTold
from failoverd.api.telling import glance_told
from failoverd.cli.options import Exit
from failoverd.cli.views import now as view
from failoverd.cli.views.glancing import Glancing, countdown, differs
from failoverd.core.control.decision import DecisionKind
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.reasons import Cause, Limit, LimitCheck, Reason, ReasonCode
from failoverd.core.status import (
    Bill,
    Heartbeat,
    Overview,
    PlannedStatus,
    PlannedWork,
    PolicyStatus,
    RegionStatus,
    Status,
    TargetState,
    TargetStatus,
    VantageStatus,
)
from failoverd.operations.glance import glance, part
from failoverd.store.journal import open_journal
from failoverd.telemetry import prose

NOW = 1_795_400_000.0  # 2026-11-23T02:13:20Z
NORMAL = {"azure-eastus": 7_000, "oci-ashburn": 3_000}
DOWN = Reason(ReasonCode.REGION_DOWN, "health", "azure-eastus", detail="HTTP 503", numbers={"score": 0})
STAYS = LimitCheck(Limit.MIN_REGIONS, False, 1, 2)
DRAIN = Override(
    "drain-1a2b3c4d", Verb.DRAIN, Scope(policies=("api",)), "alice@ops1", NOW - 60.0, NOW + 3_600.0,
    (Comment(NOW - 60.0, "alice@ops1", "rack work"),),
)  # fmt: skip


def policy(name: str) -> PolicyStatus:
    return PolicyStatus(name, NOW, f"{name}.yaml", "1", failback_after=300.0)


def well(name: str) -> TargetStatus:
    target = replace(TARGET, policy=name)
    return TargetStatus(target, NOW, TargetState.IN_SYNC, DecisionKind.NORMAL, published=NORMAL, normal=NORMAL)


def moved(name: str) -> TargetStatus:
    left = {"oci-ashburn": 10_000}
    return replace(well(name), kind=DecisionKind.FAILOVER, published=left, reasons=(DOWN,), answered_since=NOW - 240.0)


def kept(name: str) -> TargetStatus:
    return replace(
        well(name), state=TargetState.LIMITED, cause=Cause.FAILING_OUT, checks=(STAYS,), remedy=f"see {name}.yaml:12"
    )


def region(state: str = "down", of: str = "api") -> RegionStatus:
    return RegionStatus(of, "A", "azure-eastus", NOW, state, 0, NOW - 240, None, "HTTP 503", "azure", NOW - 4)


def seen(
    *statuses: Status, overrides: tuple[Override, ...] = (), by_daemon: bool = True, problems: bool = False
) -> GlanceTold:
    whole = glance(replace(Overview.of(statuses), overrides=overrides), NOW, by_daemon=by_daemon)
    return glance_told(part(whole, ["*"], problems=problems))


def screen(told: GlanceTold, width: int = 80, *, colour: bool = False, **how: bool) -> str:
    drawn = io.StringIO()
    terminal = Console(file=drawn, width=width, force_terminal=colour, color_system="standard" if colour else None)
    Glancing(told, NOW, width, wrapped=how.pop("wrapped", True), **how).page().show(terminal)
    return drawn.getvalue()


NIGHT = (policy("api"), policy("shop"), policy("web"), moved("api"), kept("shop"), well("web"), region())
LONG = [replace(each, target=replace(each.target, key=replace(TARGET.key, name="x" * 90))) for each in (moved("api"),)]


# -- what stands where -------------------------------------------------------------------------------------------------


def test_a_region_that_is_down_for_one_record_type_alone_says_for_which() -> None:
    six = replace(region("down", "shop"), record_type="AAAA")
    four = replace(region("healthy", "shop"), score=10_000, evidence="")
    told = screen(seen(policy("api"), policy("shop"), well("api"), well("shop"), six, four, region()), wrapped=False)
    down, healthy = (line for line in told.splitlines() if line.startswith("azure-eastus"))
    assert "down 0% for 4 min: HTTP 503 (in shop for AAAA, api; seen" in down
    assert "(in shop for A; seen" in healthy


def test_a_region_says_what_it_carries_who_is_short_how_far_it_is_and_what_a_signal_has_it_taken_for() -> None:
    taken = Reason(ReasonCode.REGION_DEGRADED, "signals", "azure-eastus", numbers={"score": 5_000})
    alert = Reason(
        ReasonCode.ALERTED, "overrides", "azure-eastus", numbers={"until": NOW}, detail="degraded: a by b: c"
    )
    excess = Reason(ReasonCode.EXCESS, "tier", "azure-eastus", numbers={"rest": 1e3, "demand": 1e3, "taken": 0.0})
    loaded = replace(
        well("api"), demand=1_000.0, capacities={"azure-eastus": 600.0}, reasons=(taken, alert, excess), seen=NOW
    )
    calm = replace(region("healthy"), score=10_000, evidence="", latency=0.0123)
    told = screen(seen(policy("api"), loaded, calm))
    assert all(len(each) <= 80 for each in told.splitlines())
    said = " ".join(told.split())
    assert (
        "azure-eastus (azure): healthy for 4 min, and taken for degraded: an alert calls azure-eastus degraded" in said
    )
    assert "carries 700 of 600, 100 too much; api is short of 100; latency 12 ms" in said


def test_the_headline_is_first_then_how_old_it_is_then_who_is_needed_then_the_records() -> None:
    blind = VantageStatus(NOW, (), NOW - 100.0, sentinels=3, silent=("a",))
    lines = screen(seen(*NIGHT, blind), wrapped=False).splitlines()
    assert lines[0].startswith("1 of 3 needs a person: shop (api.example.com A at bind-main) is kept on what is down")
    assert lines[1] == "as of now, by the daemon at work; the prober trusts its network: 2 of 3 sentinels answer"
    assert lines[2].startswith(
        "needs a person: shop (api.example.com A at bind-main) is kept on what is down by min_re"
    )
    assert lines[3] == "  remedy: see shop.yaml:12"
    records = [line.strip() for line in lines if re.match(r"  (api|shop|web), at ", line)]
    assert [line.split(",")[0] for line in records] == ["shop", "api", "web"]


def test_a_record_says_what_it_answers_against_normal_for_how_long_what_comes_next_and_how_to_stop_it() -> None:
    said = " ".join(screen(seen(policy("api"), moved("api"))).split())
    assert "oci-ashburn 100% 4 min azure-eastus comes back" in said
    assert "(azure-eastus 70%, oci-ashburn 30%)" in " ".join(re.sub(r"once well for 5 min", "", said).split())
    assert "why: azure-eastus is down (score 0%): HTTP 503" in said
    assert "stop: failoverctl hold api --reason TEXT --for 1h" in said


def test_a_step_that_time_brings_is_counted_down() -> None:
    assert countdown(NOW + 300.0, NOW) == "at 02:18Z (in 5m)"
    assert countdown(NOW + 7.4, NOW) == "at 02:13Z (in 7s)"
    assert countdown(NOW - 1.0, NOW) == "now"
    waits = Reason(ReasonCode.FAILBACK_HOLD, "failback.after", "azure-eastus", numbers={"well": 60.0, "hold": 300.0})
    said = screen(seen(policy("api"), replace(moved("api"), reasons=(waits,), until=NOW + 240.0)))
    assert "(in 4m)" in " ".join(said.split())


def test_what_people_said_has_its_owner_its_end_and_the_command_that_ends_it() -> None:
    work = PlannedWork("drain-01234567", "region oci", "regions.yaml:9", "switches", NOW - 5, NOW + 60)
    lines = screen(
        seen(policy("api"), well("api"), PlannedStatus(NOW, (work,)), overrides=(DRAIN,)), wrapped=False
    ).splitlines()
    begin = lines.index(
        "override drain-1a2b3c4d: drain of policy api, by alice@ops1 since 02:12Z until 03:13Z (1h left): rack work"
    )
    assert lines[begin + 1] == "  about 1 record; stop: failoverctl release drain-1a2b3c4d"
    assert "planned: region oci, open, until 2026-11-23 02:14:20Z: switches (regions.yaml:9)" in lines
    assert lines[-1] == "  to call it off: failoverctl release drain-01234567"


def test_a_region_is_told_once_with_how_old_its_evidence_is() -> None:
    names = [f"api-{number}" for number in range(9)]
    lines = screen(seen(*map(policy, names), *(region(of=name) for name in names)), wrapped=False).splitlines()
    (told,) = (line for line in lines if line.startswith("azure-eastus"))
    assert told == (
        "azure-eastus (azure): down 0% for 4 min: HTTP 503 (in api-0, api-1, api-2 and 6 more; seen 4 s ago)"
    )


# -- many, and few -----------------------------------------------------------------------------------------------------


def test_two_that_ail_are_never_scrolled_off_by_a_thousand_that_do_not() -> None:
    names = [f"api-{number}" for number in range(998)]
    statuses: list[Status] = [*map(policy, [*names, "bad", "worse"]), *map(well, names), moved("bad"), kept("worse")]
    for problems in (True, False):
        printed = screen(seen(*statuses, problems=problems))
        assert len(printed.splitlines()) < 30
        assert "and 998 records as normal" in printed
        assert "bad, at bind-main" in printed
        assert "worse, at bind-main" in printed
    assert "998 records" not in screen(seen(*statuses), every=True)


def test_where_all_is_well_there_is_little_to_read() -> None:
    names = [f"api-{number}" for number in range(30)]
    lines = screen(seen(*map(policy, names), *map(well, names), problems=True)).splitlines()
    assert lines == ["all well: 30 policies", "as of now, by the daemon at work", "30 records as normal"]


# -- the screen --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 72, 71, 40])
def test_no_line_is_wider_than_the_screen_but_what_is_to_be_copied(width: int) -> None:
    for told in (seen(*NIGHT, overrides=(DRAIN,)), seen(policy("api"), *LONG, region())):
        for line in screen(told, width).splitlines():
            assert cell_len(line) <= width or "failoverctl " in line or "remedy: " in line or "x" * 90 in line, line


@pytest.mark.parametrize("width", [200, 80, 72, 40])
@pytest.mark.parametrize("name", ["www.shop.example.test", "xn--bcher-kva.example.test", "a" * 60 + ".example.test"])
def test_the_name_of_a_record_can_be_copied_at_any_width(name: str, width: int) -> None:
    named = replace(moved("api"), target=replace(TARGET, policy="api", key=replace(TARGET.key, name=name)))
    for wrapped in (True, False):  # a pipe has 80 columns, and people search what comes out of it
        lines = screen(seen(policy("api"), named), width, wrapped=wrapped).splitlines()
        words = " ".join(lines).split()
        assert name in [word.strip("()") for word in words]
        assert words.count("bücher.example.test") == ("xn--" in name)


def test_what_is_wider_than_its_column_has_a_line_to_itself_and_moves_no_other() -> None:
    named = replace(moved("api"), target=replace(TARGET, policy="api", key=replace(TARGET.key, name="w" * 60)))
    head, name, first = screen(seen(policy("api"), named)).splitlines()[3:6]
    assert name == f"{'w' * 60} A"
    assert first.index("oci-ashburn 100%") == head.index("answers")
    assert first.index("4 min") == head.index("for")


def test_a_narrow_screen_has_one_thing_below_the_other() -> None:
    lines = screen(seen(policy("api"), moved("api")), 40).splitlines()
    begin = lines.index("api.example.com A")
    assert lines[begin + 1 : begin + 5] == [
        "  api, at bind-main",
        "  oci-ashburn 100% (azure-eastus 70%,",
        "  oci-ashburn 30%)",
        "  for 4 min",
    ]


def test_what_a_failover_costs_is_told_and_on_a_normal_day_to_who_asks_about_the_policy() -> None:
    usual, more = Bill(5.71, 5.71, 4_111.0), Bill(7.83, 5.71, 5_638.0)
    costs = "costs: about $7.83 an hour, $2.12 more than on a normal day; $5,638 a month"
    assert costs in screen(seen(policy("api"), replace(moved("api"), bill=more)), 200)
    calm = seen(policy("web"), replace(well("web"), bill=usual))
    assert "costs:" not in screen(calm, 200)
    assert "costs: about $5.71 an hour; $4,111 a month (estimate" in screen(calm, 200, every=True)


def test_colours_mean_how_it_is_and_what_nobody_looks_after_is_dim() -> None:
    red, yellow, dim = "\x1b[1;31m", "\x1b[33m", "\x1b[2m"
    told = screen(seen(*NIGHT), colour=True)
    assert told.startswith(f"{red}1 of 3 needs a person")
    assert f"{yellow}api.example.com A" in told
    stale = screen(seen(*NIGHT, Heartbeat(NOW - 60, 1, 0.0, "1", "running"), by_daemon=False), colour=True)
    first, *rest = stale.splitlines()
    assert "not known: the daemon is silent, last seen 1 min ago" in first
    assert not any(red in line or yellow in line for line in rest)
    for words in ("as of 1 min ago", "needs a person: shop", "api.example.com A", "azure-eastus (azure): down"):
        assert any(line.startswith(f"{dim}{words}") for line in rest), words


def test_no_colour_is_no_colour() -> None:
    with patch.dict(os.environ, {"NO_COLOR": "1"}):
        assert "\x1b[3" not in _drawn(Console(file=(drawn := io.StringIO()), width=80, force_terminal=True), drawn)
    assert "\x1b" not in _drawn(Console(file=(drawn := io.StringIO()), width=80), drawn)


def _drawn(terminal: Console, drawn: io.StringIO) -> str:
    Glancing(seen(*NIGHT), NOW, 80, wrapped=True).page().show(terminal)
    return drawn.getvalue()


def test_what_servers_said_is_shown_and_never_obeyed() -> None:
    evil = "503 \x1b]0;owned\x07\x9b2J\r[bold]x[/bold]"
    said = replace(moved("api"), state=TargetState.DELAYED, detail=evil, remedy=evil)
    printed = screen(seen(policy("api"), said, replace(region(), evidence=evil)))
    assert not {"\x1b", "\x07", "\x9b", "\r"} & set(printed)
    assert "[bold]x[/bold]" in printed


# -- exit codes, and who is asked --------------------------------------------------------------------------------------


async def _kept(folder: Path, *statuses: Status) -> Path:
    """A journal that says so, of a daemon that is not there."""
    config = written(folder)
    async with open_journal(folder / "journal.db", words=prose.told) as journal:
        await journal.update_status(statuses)
    return config


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ((policy("api"), well("api")), Exit.FINE),
        ((policy("api"), moved("api")), Exit.MOVED),
        ((policy("api"), moved("api"), kept("api")), Exit.PERSON),
        ((policy("api"),), Exit.UNREACHABLE),
    ],
)
def test_how_it_stands_is_the_exit_code(said: tuple[Status, ...], code: Exit) -> None:
    asked = view.StatusWanted(Path("failoverd.yaml"))
    assert view.exit_of(seen(*said), asked) == code
    assert view.exit_of(seen(*said, by_daemon=False), asked) == Exit.UNREACHABLE


def test_the_exit_code_is_of_the_policies_that_were_asked_about() -> None:
    whole = glance(Overview.of((policy("api"), policy("shop"), moved("api"), well("shop"))), NOW, by_daemon=True)
    asked = view.StatusWanted(Path("failoverd.yaml"), ("shop",))
    assert view.exit_of(glance_told(part(whole, ["shop"])), asked) == Exit.FINE
    assert view.exit_of(glance_told(part(whole, ["api"])), asked) == Exit.MOVED


@pytest.mark.parametrize("output", ["text", "json"])
async def test_with_the_daemon_dead_the_journal_speaks_and_nothing_is_known(tmp_path: Path, output: str) -> None:
    config = await _kept(
        tmp_path / "a", Heartbeat(time.time() - 90, 1, 0.0, "1", "running"), policy("api"), well("api")
    )
    told = await answered("status", "--output", output, "--config", config)
    assert told.code == Exit.UNREACHABLE, told.said
    if output == "text":
        assert told.out.startswith(b"not known: the daemon is silent, last seen 2 min ago\nas of 2 min ago\n")
        assert told.err.startswith("note: from the journal, 2m old: ")
    else:
        assert json.loads(told.out)["glance"]["stale"] is True


@pytest.mark.parametrize(("age", "busy"), [(1.0, True), (90.0, False)])
async def test_a_daemon_that_answers_late_is_judged_by_its_last_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float, busy: bool
) -> None:
    """One that is busy is not to be started, and what it wrote a second ago is how it stands."""
    monkeypatch.setattr("failoverd.cli.views.origin.PATIENCE", 0.1)
    beat = Heartbeat(time.time() - age, 1, 0.0, "1", "running")
    config = await _kept(tmp_path / "a", beat, policy("api"), well("api"))
    with deaf(config.parent / "api.sock"):
        told = await answered("status", "--config", config)
    assert told.code == (Exit.FINE if busy else Exit.UNREACHABLE), told.said
    assert ("not known" in told.said, "systemctl start" in told.said) == (not busy, not busy), told.said
    assert "did not answer within 0.1s" in told.err
    assert ("it is at work, and busy" in told.err) is busy


async def test_a_daemon_that_was_killed_is_not_there_however_short_ago_it_lived(tmp_path: Path) -> None:
    beat = Heartbeat(time.time() - 1.0, 1, 0.0, "1", "running")
    config = await _kept(tmp_path / "a", beat, policy("api"), well("api"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(config.parent / "api.sock"))  # and its daemon dies
    told = await answered("status", "--config", config)
    assert (told.code, told.out.startswith(b"not known: the daemon is silent")) == (Exit.UNREACHABLE, True), told.said


async def test_a_policy_that_nobody_knows_is_a_slip(tmp_path: Path) -> None:
    async with console(tmp_path / "a") as here:
        told = await here.failoverctl("status", "inference-ap")
        assert (told.code, "there is no policy 'inference-ap'" in _flat(told)) == (Exit.USAGE, True), told.said
        told = await here.failoverctl("status", "inference-*", "nope")
        assert (told.code, "there is no policy 'nope'" in _flat(told)) == (Exit.USAGE, True), told.said
    config = await _kept(tmp_path / "b", policy("api"), well("api"))
    told = await answered("status", "nope", "--config", config)
    assert (told.code, "the journal knows no other" in _flat(told)) == (Exit.USAGE, True), told.said


def _flat(told: Ended) -> str:
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", told.said).split())


async def test_a_daemon_at_work_is_asked_and_what_is_well_is_not_told_as_a_problem(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        for words, rows in ((["status"], 1), (["status", "inference-*"], 1), (["status", "--problems"], 0)):
            told = await here.failoverctl(*words)
            assert (told.code, told.err) == (Exit.FINE, ""), told.said
            assert told.out.decode().startswith("all well: 1 policy\nas of now, by the daemon at work\n")
            assert told.out.count(b"inference-api, at") == rows
        await here.said("drain", "azure")
        told = await here.failoverctl("status", "--output", "json", "--problems")
        assert told.code == Exit.MOVED
        assert [each["moved"] for each in json.loads(told.out)["glance"]["records"]] == [False]


async def test_the_terminal_of_any_encoding_and_width_is_answered(tmp_path: Path) -> None:
    strange = replace(region(), region="Zürich-東京", evidence="sagt nein → 503")
    config = await _kept(tmp_path / "a", policy("api"), moved("api"), strange)
    for columns in (40, 80):
        told = await asyncio.to_thread(failoverctl, "status", "--config", config, encoding="ascii", columns=columns)
        assert (told.code, b"Z\\xfcrich" in told.out) == (Exit.UNREACHABLE, True), told.said


# -- again and again ---------------------------------------------------------------------------------------------------


@pytest.fixture
def looks() -> Iterator[list[GlanceTold]]:
    """What is seen, one look after the other; then somebody ends it."""
    coming: list[GlanceTold] = []

    def look(*_: object, **__: object) -> GlanceTold:
        return coming.pop(0)

    def rest(_: float) -> None:
        if not coming:
            raise KeyboardInterrupt

    with patch.object(view, "look", look), patch("time.sleep", rest):
        yield coming


CALM, ILL = seen(policy("api"), well("api")), seen(policy("api"), moved("api"))


def test_watching_in_a_pipe_tells_only_what_changed_and_ends_with_the_last_look(looks: list[GlanceTold]) -> None:
    later = CALM.model_copy(update={"at": NOW + 2, "seen": NOW + 2})
    looks += [CALM, later, ILL, ILL]
    drawn = io.StringIO()
    assert view.watch(view.StatusWanted(Path("x")), Console(file=drawn, width=80)) == Exit.MOVED
    assert re.findall(r"^(?:all well|1 of 1 moved)", drawn.getvalue(), re.MULTILINE) == ["all well", "1 of 1 moved"]


def test_watching_on_a_terminal_draws_each_look_in_the_place_of_the_last(looks: list[GlanceTold]) -> None:
    looks += [ILL, CALM]
    drawn = io.StringIO()
    terminal = Console(file=drawn, width=80, height=24, force_terminal=True, _environ={"TERM": "xterm"})
    assert view.watch(view.StatusWanted(Path("x")), terminal) == Exit.FINE
    assert "\x1b[1A" in drawn.getvalue()
    assert drawn.getvalue().count("1 of 1 moved") == 1


def _frame(told: GlanceTold, width: int, height: int) -> list[str]:
    """What one look leaves on a terminal of that size."""
    drawn = io.StringIO()
    terminal = Console(file=drawn, width=width, height=height, force_terminal=True, color_system=None)
    terminal.print(Glancing(told, NOW, width, wrapped=True).page().drawn(terminal), end="")
    return drawn.getvalue().splitlines()


def test_watching_leaves_nothing_out_at_the_right() -> None:
    remedy = "write a higher limits.max_shift into /etc/failoverd/policies/api.yaml than its default, or wait"
    lines = _frame(seen(policy("api"), replace(kept("api"), remedy=remedy), moved("web")), 40, 60)
    assert all(cell_len(line) <= 40 for line in lines), lines
    said = " ".join(" ".join(lines).split())
    for words in (remedy, "stop: failoverctl hold api --reason TEXT --for 1h"):
        assert words.replace(" ", "") in said.replace(" ", "")


def test_watching_says_how_much_a_low_screen_leaves_out() -> None:
    names = [f"api-{number}" for number in range(9)]
    told = seen(*map(policy, names), *map(moved, names))
    whole, some = _frame(told, 80, 200), _frame(told, 80, 24)
    assert (len(some), some[:23]) == (24, whole[:23])
    assert some[-1].startswith(f"{len(whole) - 23} more lines: ")
    assert _frame(told, 80, len(whole)) == whole


def test_only_what_changed_differs() -> None:
    assert not differs(CALM, CALM.model_copy(update={"at": NOW + 60.0}))
    assert differs(CALM, ILL)
    assert differs(CALM, seen(policy("api"), well("api"), overrides=(DRAIN,)))


async def test_a_program_is_not_shown_a_screen_that_is_drawn_again(tmp_path: Path) -> None:
    told = await answered("status", "--watch", "--output", "json", "--config", written(tmp_path / "a"))
    assert (told.code, "--watch is for people" in _flat(told)) == (Exit.USAGE, True), told.said
