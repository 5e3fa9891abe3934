"""Courses of scenarios as a page or a terminal is given them, made by hand: what is to be shown is known."""

from dataclasses import replace
from itertools import pairwise

from failoverd.simulation.course import (
    Course,
    CourseMoment,
    LoadCourse,
    MomentKind,
    PolicyCourse,
    RegionCourse,
    States,
    Totals,
    Track,
)

NOON = 1_811_851_200.0
LOST = Totals(2, 0, 0.1, 0.8, 0.9, 39_965.0, 1.5, 10.0, 7.25)


def region(
    name: str, shares: Track, *, clients: Track = (), served: Track = ((0.0, 10_000.0),), health: States = ()
) -> RegionCourse:
    return RegionCourse(name, shares, clients or shares, served, health or ((0.0, "healthy"),))


def lost(name: str = "shop", *, back: float = 400.0) -> PolicyCourse:
    """West dies after two minutes, and is back at last; its traffic goes east meanwhile."""
    west = region(
        "west",
        ((0.0, 7_000.0), (125.0, 0.0), (back, 7_000.0)),
        clients=((0.0, 7_000.0), (125.0, 6_900.0), (135.0, 3_500.0), (155.0, 700.0), (305.0, 300.0), (back, 7_000.0)),
        served=((0.0, 10_000.0), (120.0, 0.0), (300.0, 10_000.0)),
        health=((0.0, "healthy"), (124.0, "down"), (320.0, "healthy")),
    )
    east = region("east", ((0.0, 3_000.0), (125.0, 10_000.0), (back, 3_000.0)))
    cost = ((0.0, 8.0), (125.0, 10.5), (back, 8.0))
    return PolicyCourse(name, f"{name}.example.com A", 30, (west, east), ((0.0, 0.0),), ((0.0, 800.0),), cost, LOST)


def still(name: str = "still") -> PolicyCourse:
    """Nothing ever happens to it, and nobody says what it needs."""
    regions = (region("west", ((0.0, 5_000.0),)), region("east", ((0.0, 5_000.0),)))
    return PolicyCourse(name, f"{name}.example.com A", 30, regions, ((0.0, 0.0),), (), (), Totals())


def loads(*, high: float = 800.0) -> tuple[LoadCourse, ...]:
    west = ((0.0, 810.0), (124.0, 0.0), (320.0, 810.0))
    return (
        LoadCourse("east", 600.0, ((0.0, 240.0), (125.0, high), (400.0, 240.0)), ((0.0, 540.0),)),
        LoadCourse("west", 900.0, ((0.0, 560.0), (125.0, 0.0), (400.0, 560.0)), west),
    )


def moments(name: str = "shop", *, back: float = 400.0) -> tuple[CourseMoment, ...]:
    down, change = "region.failed", "change.applied"
    return (
        CourseMoment(120.0, MomentKind.HAPPENED, "", "", "west does not answer in time"),
        CourseMoment(124.0, MomentKind.SEEN, name, down, "west is down", why="192.0.2.10 unhealthy"),
        CourseMoment(
            125.0, MomentKind.MOVED, name, change, "it is changed", "west 70 -> 0, east 30 -> 100", "failing_out"
        ),
        CourseMoment(300.0, MomentKind.HAPPENED, "", "", "west is well again"),
        CourseMoment(
            back, MomentKind.MOVED, name, change, "it is changed", "west 0 -> 70, east 100 -> 30", "returning"
        ),
    )


def course(*policies: PolicyCourse, lasted: float = 600.0, name: str = "west dies", shows: str = "") -> Course:
    return Course(name, shows, "it.scenario.yaml", NOON, lasted, policies, loads(), moments())


def death() -> Course:
    """Ten minutes in which a region dies, and is back."""
    return course(lost())


def nothing() -> Course:
    """Ten minutes in which nothing happens."""
    return Course("nothing", "", "it.scenario.yaml", NOON, 600.0, (still(),), (), ())


def later() -> Course:
    """The same death in a variant that waits for longer."""
    totals = replace(LOST, changes=3, away_minutes=12.5, cost=7.0)
    policy = replace(lost(back=500.0), totals=totals)
    return replace(death(), policies=(policy,), moments=moments(back=500.0))


def with_long_names() -> Course:
    """The same of names that are as long as they may be, and have no place to be broken at."""
    long = "a" * 63
    regions = tuple(replace(each, region=each.region + long) for each in lost().regions)
    policy = replace(lost(long), record=f"{long}.{long}.example.com A", regions=regions)
    found = course(policy, name=long, shows=long)
    told = tuple(replace(each, what=long, moved=long, why=long, policy=long) for each in found.moments)
    regional = tuple(replace(each, region=each.region + long) for each in found.loads)
    return replace(found, file=f"{long}/{long}.scenario.yaml", moments=told, loads=regional)


DAY = 86_400.0
REGIONS = ("azure-westeurope", "oci-frankfurt", "aws-euc1", "azure-northeurope", "oci-amsterdam")


def day(policies: int = 10) -> Course:
    """24 hours of ten policies with ten endpoints each, in which one region comes and goes every ten minutes."""
    turns = [600.0 * each for each in range(1, 144)]
    moments = [CourseMoment(at, MomentKind.HAPPENED, "", "", "demand becomes another one") for at in turns[::12]]
    told = list[PolicyCourse]()
    for number in range(policies):
        name = f"service-{number}"
        told.append(_flapping(name, turns, 7.0 * number))
        moments += _changes(name, turns, 7.0 * number)
    loads = tuple(_daily(name, place) for place, name in enumerate(REGIONS))
    ordered = tuple(sorted(moments, key=lambda each: each.at))
    return Course("a day", "a region that flaps", "day.scenario.yaml", NOON, DAY, tuple(told), loads, ordered)


def _flapping(name: str, turns: list[float], late: float) -> PolicyCourse:
    out = [(at + 4 + late, number % 2 == 0) for number, at in enumerate(turns)]
    first = ((0.0, 2_000.0), *((at, 0.0 if down else 2_000.0) for at, down in out))
    others = ((0.0, 2_000.0), *((at, 2_500.0 if down else 2_000.0) for at, down in out))
    clients = [(0.0, 2_000.0)]
    for (at, down), (until, _) in pairwise([*out, (DAY, False)]):
        goal = 100.0 if down else 2_000.0
        clients += [
            (at + after, goal + (2_100.0 - 2 * goal) * (1 - after / 60))
            for after in (1, 5, 10, 20, 30, 60)
            if at + after < until
        ]
    served = ((0.0, 10_000.0), *((at, 0.0 if number % 2 == 0 else 10_000.0) for number, at in enumerate(turns)))
    health = ((0.0, "healthy"), *((at - 1, "down" if down else "healthy") for at, down in out))
    flaps = region(REGIONS[0], first, clients=tuple(clients), served=served, health=health)
    rest = (region(each, others) for each in REGIONS[1:])
    cost = ((0.0, 4.0), *((at, 5.0 if down else 4.0) for at, down in out))
    demand = ((0.0, 400.0),)
    return PolicyCourse(name, f"{name}.example.com A", 30, (flaps, *rest), ((0.0, 0.0),), demand, cost, LOST)


def _changes(name: str, turns: list[float], late: float) -> list[CourseMoment]:
    found = list[CourseMoment]()
    for number, at in enumerate(turns):
        moved = f"{REGIONS[0]} 20 -> 0, {REGIONS[1]} 20 -> 25" if number % 2 == 0 else f"{REGIONS[0]} 0 -> 20"
        words = "is down" if number % 2 == 0 else "is healthy"
        found.append(
            CourseMoment(
                at + 3 + late, MomentKind.SEEN, name, "region.failed", f"{REGIONS[0]} {words}", why="10.0.0.1 unhealthy"
            )
        )
        found.append(
            CourseMoment(at + 4 + late, MomentKind.MOVED, name, "change.applied", "it is changed", moved, "failing_out")
        )
    return found


def _daily(name: str, place: int) -> LoadCourse:
    hours = tuple((3_600.0 * hour + 60 * place, 900.0 + 90 * ((hour * 7 + place) % 12)) for hour in range(24))
    return LoadCourse(name, 2_000.0, ((0.0, 900.0), *hours), ((0.0, 1_800.0), (43_200.0 + place, 1_000.0)))
