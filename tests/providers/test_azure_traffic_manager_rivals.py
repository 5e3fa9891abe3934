"""Two writers at one profile, request by request in every order there is, and writers that die in between.

Nothing in the API compares, so this shows what the claim achieves, and what stays possible.
"""

from collections.abc import Coroutine, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import coroutine

import pytest
from support.contract import OWNER, compare, planned, target

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Fenced
from failoverd.core.records import Marker, RecordSet, RecordType, Target
from failoverd.providers.azure_traffic_manager.profile import Profile, ProfileEndpoint, observe
from failoverd.providers.azure_traffic_manager.steering import steer

NAME = "api.trafficmanager.net"
EAST, WEST, NORTH = "192.0.2.1", "198.51.100.1", "203.0.113.1"
AT: Target = target(NAME, RecordType.A, "trafficmanager.net")

Weights = Mapping[str, int]
Writing = Coroutine[None, None, object]


def profile_of(weights: Weights) -> Profile:
    endpoints = tuple(
        ProfileEndpoint(f"at-{value}", "externalEndpoints", value, weight > 0, weight or 1)
        for value, weight in weights.items()
    )
    tags = {"team": "web", "failoverd": Marker(OWNER, AT.policy, 1, (AT.key.type,)).to_text()}
    return Profile("api", NAME, "api", enabled=True, routing="Weighted", ttl=30, tags=tags, endpoints=endpoints)


@coroutine
def turn() -> Generator[None, None, None]:
    """Where the other writer may come in between: before each request."""
    yield


@dataclass
class World:
    """The profile, every answer that it ever gave, and who claimed it in which order."""

    profile: Profile
    answers: list[dict[str, int]] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)

    def become(self, profile: Profile) -> None:
        self.profile = profile
        self.answers.append(profile.answers())


@dataclass
class Requests:
    """One writer's requests: each takes effect at once, after its turn has come."""

    world: World
    sent: int = 0

    async def read(self) -> Profile:
        await turn()
        return self.world.profile

    async def claim(self, tags: Mapping[str, str]) -> None:
        await turn()
        self.sent += 1
        self.world.claims.append(tags.get("failoverd-writer", ""))
        self.world.become(replace(self.world.profile, tags=dict(tags)))

    async def set_ttl(self, profile: Profile, ttl: int) -> None:
        await turn()
        self.sent += 1
        self.world.become(replace(self.world.profile, relative_name=profile.relative_name, ttl=ttl))

    async def create(self, endpoint: ProfileEndpoint) -> None:
        await turn()
        self.sent += 1
        there = self.world.profile
        if endpoint.value not in {each.value for each in there.endpoints}:  # else refused: a target stands once
            self.world.become(replace(there, endpoints=(*there.endpoints, endpoint)))

    async def update(self, endpoint: ProfileEndpoint) -> None:
        await turn()
        self.sent += 1
        there = self.world.profile
        changed = tuple(endpoint if each.name == endpoint.name else each for each in there.endpoints)
        self.world.become(replace(there, endpoints=changed))


@dataclass
class Writer:
    name: str
    plan: Plan
    writing: Writing
    done: bool = False
    error: Fenced | None = None

    def step(self) -> None:
        try:
            self.writing.send(None)
        except StopIteration:
            self.done = True
        except Fenced as error:
            self.done, self.error = True, error


def plan_to(profile: Profile, weights: Weights) -> Plan:
    return planned(observe(AT, profile), RecordSet.of(AT.key, 30, weights))


def writer(name: str, world: World, weights: Weights) -> Writer:
    plan = plan_to(world.profile, weights)
    return Writer(name, plan, steer(plan, Requests(world), name))


def alone(world: World, weights: Weights) -> None:
    """One writer, nobody beside it."""
    one = writer("alone", world, weights)
    while not one.done:
        one.step()
    assert one.error is None


def orders(before: Weights, first: Weights, second: Weights) -> Iterator[tuple[World, tuple[Writer, Writer]]]:
    """Every order in which the requests of two writers can arrive, each played to its end."""
    pending: list[tuple[int, ...]] = [()]
    while pending:
        given = pending.pop()
        world = World(profile_of(before))
        writers = writer("first", world, first), writer("second", world, second)
        taken: list[int] = []
        while not all(each.done for each in writers):
            able = [index for index, each in enumerate(writers) if not each.done]
            chosen = given[len(taken)] if len(taken) < len(given) else able[0]
            if len(taken) >= len(given):
                pending += [(*taken, other) for other in able[1:]]
            taken.append(chosen)
            writers[chosen].step()
        yield world, writers


RIVALRIES: Mapping[str, tuple[Weights, Weights, Weights]] = {
    "both move away, to different places": ({EAST: 5}, {WEST: 5}, {NORTH: 5}),
    "each drops what the other keeps": ({EAST: 5, WEST: 5}, {EAST: 5}, {WEST: 5}),
    "weights alone": ({EAST: 5, WEST: 5}, {EAST: 9, WEST: 1}, {EAST: 1, WEST: 9}),
    "one moves, one stays": ({EAST: 5, WEST: 0}, {WEST: 5}, {EAST: 7}),
}
"""What stands there, and what each of two rivals makes of it."""

every_rivalry = pytest.mark.parametrize("rivalry", RIVALRIES)


@cache
def played(rivalry: str) -> list[tuple[World, Writer, Writer]]:
    """How each order ended: the world, who claimed it last, and the other one."""
    outcomes = []
    for world, writers in orders(*RIVALRIES[rivalry]):
        last, other = writers if writers[0].name == world.claims[-1] else reversed(writers)
        outcomes.append((world, last, other))
    assert len(outcomes) > 100
    return outcomes


@every_rivalry
def test_whoever_claims_last_finishes_and_the_other_stops(rivalry: str) -> None:
    for world, last, other in played(rivalry):
        assert last.error is None
        if other.error is None:  # it was through before the last one claimed
            assert world.claims == [other.name, last.name]
        else:
            assert other.error.reason in {"stale_generation", "overtaken"}


@every_rivalry
def test_at_most_one_endpoint_is_not_as_the_last_claim_says(rivalry: str) -> None:
    for world, last, _ in played(rivalry):
        wanted = {answer.value: answer.weight for answer in last.plan.after.answers}
        stands = world.profile.answers()
        assert len([value for value in {*wanted, *stands} if wanted.get(value) != stands.get(value)]) <= 1


@every_rivalry
def test_the_profile_never_ends_without_an_answer(rivalry: str) -> None:
    assert all(world.profile.answers() for world, _, _ in played(rivalry))


def test_a_stray_request_can_leave_it_without_an_answer_for_a_moment_and_is_taken_back() -> None:
    """What the missing ETag means at its worst, and why one daemon alone is to write there."""
    emptied = [world for world, _, _ in played("each drops what the other keeps") if {} in world.answers]
    assert emptied
    assert all(world.answers[-1] for world in emptied)


@every_rivalry
def test_the_next_round_puts_right_whatever_rivals_left(rivalry: str) -> None:
    for left, last, _ in played(rivalry):
        world, wanted = World(left.profile), {answer.value: answer.weight for answer in last.plan.after.answers}
        if world.profile.answers() != wanted:
            alone(world, wanted)
        assert world.profile.answers() == wanted
        assert world.profile.tags["team"] == "web"


@every_rivalry
def test_a_single_writer_never_passes_an_empty_answer(rivalry: str) -> None:
    before, first, second = RIVALRIES[rivalry]
    world = World(profile_of(before))
    alone(world, first)
    alone(world, second)
    assert {} not in world.answers
    assert world.profile.answers() == second


@pytest.mark.parametrize("requests", range(12))
def test_a_writer_that_dies_between_any_two_requests_is_healed_by_the_next_round(requests: int) -> None:
    world = World(profile_of({EAST: 5, WEST: 5, NORTH: 0}))
    dying = writer("dying", world, {NORTH: 9, WEST: 1})
    for _ in range(requests):
        if not dying.done:
            dying.step()
    dying.writing.close()
    assert {} not in world.answers
    wanted = RecordSet.of(AT.key, 30, {NORTH: 9, WEST: 1})
    if isinstance(compare(observe(AT, world.profile), wanted), Plan):
        alone(world, {NORTH: 9, WEST: 1})
    assert world.profile.answers() == {NORTH: 9, WEST: 1}
