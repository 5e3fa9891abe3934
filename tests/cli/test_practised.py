"""`failoverctl practice`: which drill is on, when each region was last practised, how it went, and what comes."""

import io
import json
from dataclasses import replace
from pathlib import Path

from support.consoles import TRIO, console

from failoverd.api.telling import status_told
from failoverd.cli.failing import OutputConsole
from failoverd.cli.views.from_journal import inventory_read
from failoverd.cli.views.practised import drilled, show
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.core.practices import MOST_KEPT, PastPractice, PracticeOutcome, latest, remembered
from failoverd.core.status import Overview, PlannedWork, PolicyStatus, RegionStatus
from failoverd.operations.board import regions_at_large
from failoverd.operations.glance import glance
from failoverd.operations.reviewing import practised_at
from failoverd.store.journal import open_journal

NOW = 1_800_000_000.0
DAY = 86_400.0


def past(region: str, ago: float, outcome: PracticeOutcome, why: str = "") -> PastPractice:
    began = NOW - ago
    return PastPractice(region, outcome, began, began + 1_800.0, "practice-1", "api.yaml:12", why)


def region(policy: str, name: str) -> RegionStatus:
    return RegionStatus(policy, "A", name, NOW, "healthy", 10_000, NOW - DAY, cloud="azure")


API = PolicyStatus(
    "api",
    NOW,
    "api.yaml",
    "r1",
    practices=latest(
        [
            past("west", 20 * DAY, PracticeOutcome.FAILED, "region east is down"),
            past("west", 14 * DAY, PracticeOutcome.SUCCEEDED),
            past("east", 7 * DAY, PracticeOutcome.FAILED, "region west is degraded"),
            past("east", 2 * DAY, PracticeOutcome.BLOCKED, "incident inc-1 of policy api is open"),
        ]
    ),
)
SHOP = PolicyStatus("shop", NOW, "shop.yaml", "r1", practices=(past("west", 3 * DAY, PracticeOutcome.INTERRUPTED),))
LATER = PlannedWork(
    "practice-6", "region east of policy api", "api.yaml:12", "practice", NOW + 7 * DAY, NOW + 7 * DAY + 1_800
)
NEXT = PlannedWork("practice-2", "region west of policy api", "api.yaml:12", "practice", NOW + 60, NOW + 1_860)
SEEN = Overview(
    policies=(API, SHOP),
    regions=(region("api", "east"), region("api", "west"), region("shop", "west"), region("shop", "north")),
    planned=(NEXT, PlannedWork("drain-3", "region north", "api.yaml:9", "patches", NOW + 60, NOW + 1_860), LATER),
)


def screen(seen: Overview) -> list[str]:
    """What is printed, line by line."""
    paper = io.StringIO()
    show(OutputConsole(file=paper, width=100, highlight=False), status_told(seen, NOW), NOW)
    return paper.getvalue().splitlines()


def test_the_region_that_was_practised_longest_ago_is_the_first() -> None:
    found = drilled(status_told(SEEN, NOW))
    assert [(each.region, each.policies) for each in found] == [
        ("north", ("shop",)),
        ("east", ("api",)),
        ("west", ("api", "shop")),
    ]
    assert [each.last.outcome if each.last is not None else None for each in found] == [None, "failed", "interrupted"]


def test_a_drill_that_never_began_does_not_hide_the_last_one_that_was_held() -> None:
    held = past("west", 60 * DAY, PracticeOutcome.SUCCEEDED)
    missed = [past("west", float(days), PracticeOutcome.CAPACITY_CHECK_FAILED) for days in range(59, 0, -1)]
    assert latest([held, *missed]) == (held, missed[-1])
    kept = remembered([held, *missed])
    assert (kept[0], len(kept)) == (held, MOST_KEPT + 1)
    assert latest(kept) == (held, missed[-1])
    again = past("west", 0.5, PracticeOutcome.FAILED)
    assert latest([*kept, again]) == (again,)


def test_a_region_whose_drills_never_began_was_never_practised() -> None:
    refused = past("north", DAY, PracticeOutcome.CAPACITY_CHECK_FAILED, "the others carry 90 of 110")
    seen = replace(SEEN, policies=(API, replace(SHOP, practices=(*SHOP.practices, refused))))
    assert screen(seen)[:2] == [
        "north: never practised (in shop)",
        "  not held 1d ago, capacity check failed: the others carry 90 of 110",
    ]
    assert practised_at(seen.policies) == {"east": NOW - 7 * DAY, "west": NOW - 3 * DAY}


async def test_the_capacity_review_says_when_the_loss_of_each_region_was_last_practised(tmp_path: Path) -> None:
    began = 1_700_000_000.0
    drill = PastPractice("azure", PracticeOutcome.SUCCEEDED, began, began + 1_800.0, "practice-1", "api.yaml:12")
    async with console(tmp_path) as here:
        here.crew.practices = (drill, replace(drill, region="oci", outcome=PracticeOutcome.BLOCKED))
        rows = json.loads((await here.failoverctl("inventory", "--output", "json")).out)["regions"]
    assert {each["region"]: each["practised"] for each in rows} == {
        "azure": "2023-11-14T22:13:20.000Z",
        "oci": None,
        "aws": None,
    }


async def test_the_journal_alone_says_it_too(tmp_path: Path) -> None:
    config = tmp_path / "failoverd.yaml"
    config.write_text("version: 1\nowner: prod\npolicies: policies\njournal: journal.db\n")
    async with open_journal(tmp_path / "journal.db") as journal:
        await journal.update_status([API])
        told, _ = inventory_read(config, NOW, [TRIO])
        assert {each.practised for each in told.regions} == {None}, "no policy of this name has these regions"
        here = replace(API, practices=(past("azure", DAY, PracticeOutcome.FAILED),))
        await journal.update_status([here])
        told, _ = inventory_read(config, NOW, [TRIO])
    assert {each.region: each.practised for each in told.regions} == {"aws": None, "azure": NOW - DAY, "oci": None}


def test_files_alone_say_which_loss_leaves_whom_short(tmp_path: Path) -> None:
    """Before a daemon ever ran: what a region carries now nobody knows, and what a loss would do follows from files."""
    config = tmp_path / "failoverd.yaml"
    config.write_text("version: 1\nowner: prod\npolicies: policies\njournal: journal.db\n")
    sized = [replace(spec, capacity=100.0) for spec in TRIO.regions]
    told, seen = inventory_read(config, NOW, [replace(TRIO, demand=250.0, regions=tuple(sized))])
    assert (seen, [each.load for each in told.regions]) == (None, [None, None, None])
    assert {each.lost: round(each.total) for each in told.losses} == {"aws": 50, "azure": 50, "oci": 50}
    assert not (tmp_path / "journal.db").exists()


def test_a_person_reads_it_in_one_screen() -> None:
    assert screen(SEEN) == [
        "north: never practised (in shop)",
        "east: 7d ago failed",
        "  by api.yaml:12, for 30m: region west is degraded (in api)",
        "  not held 2d ago, blocked: incident inc-1 of policy api is open",
        "west: 3d ago interrupted",
        "  by api.yaml:12, for 30m (in api, shop)",
        "next: region west of policy api, 2027-01-15 08:01:00Z to 2027-01-15 08:31:00Z",
        "  by api.yaml:12; to call it off: failoverctl release practice-2",
        "next: region east of policy api, 2027-01-22 08:00:00Z to 2027-01-22 08:30:00Z",
        "  by api.yaml:12; to call it off: say its day under skip there",
    ]


def test_the_drill_that_is_on_comes_first_with_its_end_and_how_to_end_it_now() -> None:
    asked = (Comment(NOW - 600, "alice@ops1", "before the fair"),)
    word = Override("practice-1", Verb.PRACTICE, Scope(regions=("north",)), "alice@ops1", NOW - 600, NOW + 1_200, asked)
    others = (
        replace(word, id="practice-4", since=NOW - 60, planned=True, cleared=False),
        replace(word, id="drain-5", verb=Verb.DRAIN),
    )
    on = replace(SEEN, overrides=(word, *others))
    assert screen(on)[:4] == [
        "practice: region north is away since 2027-01-15 07:50:00Z, until 08:20Z (20m left)",
        "  by alice@ops1: before the fair",
        "  to end it: failoverctl practice stop",
        "north: never practised (in shop)",
    ]


def test_status_lists_no_drill_of_next_week_and_none_twice() -> None:
    planned = Override(
        "practice-2",
        Verb.PRACTICE,
        Scope(policies=("api",), regions=("west",)),
        "api.yaml:12",
        NOW + 60,
        NOW + 1_860,
        planned=True,
        cleared=False,
    )
    whole = glance(replace(SEEN, overrides=(planned,)), NOW, by_daemon=True)
    assert [each.override for each in whole.planned] == ["practice-2", "drain-3"]
    assert whole.overrides == ()


def test_status_and_the_page_show_it_beside_the_region() -> None:
    lines = glance(SEEN, NOW, by_daemon=True).regions
    assert [(each.policy, each.region, each.practised) for each in lines] == [
        ("api", "east", "failed"),
        ("api", "west", "succeeded"),
        ("shop", "west", "interrupted"),
        ("shop", "north", ""),
    ]
    at_large = {each.region: (each.practised, each.practised_at) for each in regions_at_large(lines)}
    assert at_large["west"] == ("interrupted", NOW - 3 * DAY)
    assert at_large["north"] == ("", None)
