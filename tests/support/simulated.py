"""Scenarios as people write them, played against the policy `shop` and others."""

from pathlib import Path

from support.manual import REAL_KINDS
from support.playing import POLICY, REGIONS, folder

from failoverd.config.scenario_files import ScenarioRead, load_scenario
from failoverd.simulation.course import Course, CourseMoment, MomentKind, RegionCourse, Track
from failoverd.simulation.simulating import simulate
from failoverd.simulation.trial import site_of

NO_TESTS = "version: 1\ntests: []\n"


def scenario(path: Path, said: str, *, policy: str = POLICY, regions: str = REGIONS, **others: str) -> Path:
    """The file of a scenario of the policy `shop`; `said` is all of it but its name."""
    file = folder(path, NO_TESTS, policy=policy, regions=regions, **others) / "it.scenario.yaml"
    file.write_text(f"version: 1\nname: it\n{said.strip()}\n")
    return file


def read(path: Path, said: str, *, policy: str = POLICY, regions: str = REGIONS, **others: str) -> ScenarioRead:
    return load_scenario(scenario(path, said, policy=policy, regions=regions, **others), REAL_KINDS)


def simulated(path: Path, said: str, *, policy: str = POLICY, regions: str = REGIONS, **others: str) -> Course:
    """What came of it."""
    found = read(path, said, policy=policy, regions=regions, **others)
    assert found.scenario is not None, [each.render() for each in found.diagnostics]
    return simulate(found.scenario, site_of(found.scenario.found))


def region(course: Course, name: str) -> RegionCourse:
    """A region of the first policy."""
    return next(each for each in course.policies[0].regions if each.region == name)


def at(track: Track, moment: float) -> float:
    """What a track says of a moment."""
    return [value for since, value in track if since <= moment][-1]


def moves(course: Course) -> list[tuple[float, str]]:
    return [(each.at, each.moved) for each in course.moments if each.kind is MomentKind.MOVED]


def happened(course: Course) -> list[tuple[float, str]]:
    return [(each.at, each.what) for each in course.moments if each.kind is MomentKind.HAPPENED]


def told(course: Course, event: str) -> list[CourseMoment]:
    return [each for each in course.moments if each.event == event]
