"""`failoverctl practice`: when each region was last practised, and how it went."""

import io

from failoverd.api.telling import status_told
from failoverd.cli.failing import OutputConsole
from failoverd.cli.views.practised import drilled, show
from failoverd.core.practices import PastPractice, PracticeOutcome, latest
from failoverd.core.status import Overview, PlannedWork, PolicyStatus, RegionStatus
from failoverd.operations.board import regions_at_large
from failoverd.operations.glance import glance

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
        ]
    ),
)
SHOP = PolicyStatus("shop", NOW, "shop.yaml", "r1", practices=(past("west", 3 * DAY, PracticeOutcome.INTERRUPTED),))
NEXT = PlannedWork("practice-2", "region west of policy api", "api.yaml:12", "practice", NOW + 60, NOW + 1_860)
SEEN = Overview(
    policies=(API, SHOP),
    regions=(region("api", "east"), region("api", "west"), region("shop", "west"), region("shop", "north")),
    planned=(NEXT, PlannedWork("drain-3", "region north", "api.yaml:9", "patches", NOW + 60, NOW + 1_860)),
)


def test_the_region_that_was_practised_longest_ago_is_the_first() -> None:
    found = drilled(status_told(SEEN, NOW))
    assert [(each.region, each.policies) for each in found] == [
        ("north", ("shop",)),
        ("east", ("api",)),
        ("west", ("api", "shop")),
    ]
    assert [each.last.outcome if each.last is not None else None for each in found] == [None, "failed", "interrupted"]


def test_a_person_reads_it_in_one_screen() -> None:
    screen = OutputConsole(file=io.StringIO(), width=80, highlight=False)
    show(screen, status_told(SEEN, NOW), NOW)
    assert screen.file.getvalue().splitlines() == [  # type: ignore[attr-defined] # it is the text above
        "north: never practised (in shop)",
        "east: 7d ago failed",
        "  by api.yaml:12, for 30m: region west is degraded (in api)",
        "west: 3d ago interrupted",
        "  by api.yaml:12, for 30m (in api, shop)",
        "planned: region west of policy api, 2027-01-15 08:01:00Z to 2027-01-15 08:31:00Z",
        "  by api.yaml:12; to call it off: failoverctl release practice-2",
    ]


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
