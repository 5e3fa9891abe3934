"""One allocation over the estate, with the numbers of a bad day worked out by hand."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failoverd.core.control.sharing import Claim, Draw, Grant, Passage, beyond, share_out

ROOMS = {"oci": 600.0, "aws": 900.0}
"""What is left when azure is lost."""


def claim(policy: str, tier: int, demand: float, pulls: dict[str, float], **more: object) -> Claim:
    level = tuple(Draw(name, pull, ROOMS[name], ROOMS[name]) for name, pull in pulls.items())
    return Claim(policy, tier, demand, (level,), **more)  # type: ignore[arg-type]


def three(**dev: object) -> list[Claim]:
    left = {"oci": 30.0, "aws": 20.0}  # of 50/30/20
    return [
        claim("prod", 100, 800, left),
        claim("pilot", 200, 500, left),
        claim("dev", 300, 400, left, **dev),
    ]


def load(grants: dict[str, Grant], region: str) -> float:
    found = (
        grant.loads.get(region, 0.0) + (grant.short if grant.excess_on == region else 0.0) for grant in grants.values()
    )
    return round(sum(found), 6)


def test_prod_is_served_first_and_what_fits_nowhere_goes_to_its_place() -> None:
    grants = dict(share_out(three(sheds=True)))
    assert grants["prod"].loads == {"oci": 480, "aws": 320}
    assert grants["pilot"].loads == pytest.approx({"oci": 120, "aws": 380})
    assert grants["dev"].loads == pytest.approx({"aws": 200})
    assert (round(grants["dev"].short, 6), grants["dev"].excess_on) == (200, "")
    assert (load(grants, "oci"), load(grants, "aws")) == (600, 900)


def test_without_a_place_all_of_the_excess_goes_where_the_higher_tiers_suffer_least() -> None:
    grants = dict(share_out(three()))
    assert grants["dev"].excess_on == "aws"
    assert (load(grants, "oci"), load(grants, "aws")) == (600, 1_100)


def test_what_others_take_is_told_to_whom_it_leaves_too_little() -> None:
    grants = share_out(three())
    assert grants["prod"].taken == {}
    assert grants["pilot"].taken == pytest.approx({"oci": 480, "aws": 320})
    assert grants["pilot"].rooms == pytest.approx({"oci": 120, "aws": 580})


def test_equals_are_raised_together() -> None:
    one, other = claim("one", 100, 900, {"oci": 1}), claim("other", 100, 300, {"oci": 1})
    grants = share_out([one, other])
    assert grants["one"].loads == pytest.approx({"oci": 450})
    assert grants["other"].loads == pytest.approx({"oci": 150})


def test_a_load_that_nothing_can_move_is_taken_off_first() -> None:
    pinned = Claim("dev", 300, 400, (), {"oci": 400.0})
    grants = share_out([claim("prod", 100, 800, {"oci": 30, "aws": 20}), pinned])
    assert grants["prod"].loads == pytest.approx({"oci": 200, "aws": 600})


def test_a_standby_is_drawn_upon_when_the_first_level_is_full() -> None:
    first, then = (Draw("oci", 1, 600, 600),), (Draw("aws", 1, 900, 900),)
    grant = share_out([Claim("prod", 100, 800, (first, then))])["prod"]
    assert grant.loads == pytest.approx({"oci": 600, "aws": 200})


def test_who_fills_several_regions_in_one_moment_goes_on_from_there() -> None:
    both, then = (Draw("oci", 2, 600, 600), Draw("lab", 1, 300, 300)), (Draw("aws", 1, 900, 900),)
    grants = share_out([Claim(name, 100, 800, (both, then)) for name in ("one", "other")])
    assert grants["one"] == grants["other"]
    assert grants["one"].loads == pytest.approx({"oci": 300, "lab": 150, "aws": 350})


def test_what_fills_a_region_and_the_link_to_it_in_one_moment_leaves_it_once() -> None:
    link = Passage("mesh", 2, 1_200)
    level = (Draw("oci", 1, 600, 600), Draw("aws", 1, 900, 900))
    grants = share_out([Claim("one", 100, 1_400, (level,), links={"oci": link})])
    assert grants["one"].loads == pytest.approx({"oci": 600, "aws": 800})


def test_nobody_gets_more_of_a_region_than_it_may_have() -> None:
    shed = Claim("prod", 100, 800, ((Draw("oci", 1, 600, 150), Draw("aws", 1, 900, 900)),))
    assert share_out([shed])["prod"].loads == pytest.approx({"oci": 150, "aws": 650})


def test_a_region_of_which_nobody_said_what_it_carries_is_shared_with_nobody() -> None:
    free = Claim("prod", 100, 800, ((Draw("lab", 1),),))
    assert free.resources == frozenset()
    assert share_out([free])["prod"] == Grant(800, {"lab": 800.0}, {})


def test_units_are_rooms_of_their_own() -> None:
    tokens = Claim("llm", 100, 1e6, ((Draw("oci", 1, 2e6, 2e6),),), unit="tokens")
    grants = share_out([tokens, claim("prod", 200, 600, {"oci": 1})])
    assert grants["prod"].short == 0
    assert grants["llm"].short == 0


def test_room_is_made_along_several_policies_and_by_each_as_much_as_the_others() -> None:
    """Only p has any left in west: it leaves north to q and r, who leave south to s."""
    rooms = {"south": 100.0, "north": 100.0, "west": 100.0}

    def of(name: str, demand: float, *names: str) -> Claim:
        level = tuple(Draw(each, 1.0, rooms[each], rooms[each]) for each in names)
        return Claim(name, 100, demand, (level,))

    q, r = of("q", 50, "south", "north"), of("r", 50, "south", "north")
    grants = share_out([of("p", 100, "north", "west"), q, r, of("s", 100, "south")])
    assert [grants[name].short for name in "pqrs"] == pytest.approx([0, 0, 0, 0])
    assert grants["s"].loads == pytest.approx({"south": 100})
    assert [grants[name].loads["north"] for name in "qr"] == pytest.approx([50, 50])
    assert grants["p"].loads["west"] == pytest.approx(100)


# -- links -------------------------------------------------------------------------------------------------------------

GIGABIT = Passage("az - oci", 1.6e6, 0.7e9)
"""Of which 70 % may be planned with, for requests that each move 200 kB: 437.5 a second."""


def fetching(policy: str, tier: int, demand: float, pulls: dict[str, float], *by: str) -> Claim:
    """A claim whose data comes over that link, in some of its regions."""
    return claim(policy, tier, demand, pulls, links=dict.fromkeys(by, GIGABIT))


def test_a_link_is_drawn_upon_by_tier_as_a_region_is() -> None:
    spills = (Draw("aws", 1.0, ROOMS["aws"], ROOMS["aws"]),)
    prod, dev = (
        replace(each, levels=(*each.levels, spills))
        for each in (fetching("prod", 100, 300, {"oci": 1.0}, "oci"), fetching("dev", 300, 300, {"oci": 1.0}, "oci"))
    )
    grants = share_out([dev, prod])
    assert grants["prod"].loads == pytest.approx({"oci": 300})
    assert grants["dev"].loads == pytest.approx({"oci": 137.5, "aws": 162.5})
    assert grants["prod"].linked == {}
    assert grants["dev"].linked == pytest.approx({"oci": 137.5})


def test_equals_share_a_link_by_their_demand_and_what_a_request_moves_counts() -> None:
    light = Passage(GIGABIT.link, GIGABIT.bits / 2, GIGABIT.room)
    heavy = fetching("heavy", 100, 400, {"oci": 1.0}, "oci")
    other = claim("light", 100, 400, {"oci": 1.0}, links={"oci": light})
    grants = share_out([heavy, other])
    assert grants["heavy"].loads == pytest.approx(grants["light"].loads) == {"oci": pytest.approx(437.5 / 1.5)}
    assert grants["light"].linked["oci"] == pytest.approx(437.5 / 1.5)


def test_a_link_that_two_regions_of_a_policy_share_carries_both() -> None:
    grants = share_out([fetching("api", 100, 800, {"oci": 30.0, "aws": 20.0}, "oci", "aws")])
    assert grants["api"].loads == pytest.approx({"oci": 262.5, "aws": 175})
    assert grants["api"].short == pytest.approx(800 - 437.5)


def test_who_passes_no_link_has_what_the_others_leave_of_the_regions() -> None:
    grants = share_out([fetching("prod", 100, 400, {"oci": 1.0}, "oci"), claim("dev", 300, 300, {"oci": 1.0})])
    assert grants["dev"].loads == pytest.approx({"oci": 600 - 400})
    assert (grants["dev"].linked, grants["prod"].linked) == ({}, {})


def test_what_is_too_much_for_a_link_is_in_the_region_all_the_same() -> None:
    """Nothing else is there for prod, so all of its 600 stand in oci, whatever its link carries: dev goes to aws."""
    dev = claim("dev", 300, 300, {"oci": 1.0, "aws": 1.0})
    grants = share_out([fetching("prod", 100, 600, {"oci": 1.0}, "oci"), dev])
    assert grants["prod"].short == pytest.approx(600 - 437.5)
    assert grants["dev"].loads == pytest.approx({"aws": 300.0})


def test_what_stands_takes_of_the_link_as_well() -> None:
    frozen = Claim("frozen", 300, 400, (), {"oci": 400.0}, links={"oci": GIGABIT})
    grants = share_out([frozen, fetching("prod", 100, 300, {"oci": 1.0}, "oci")])
    assert grants["prod"].loads == pytest.approx({"oci": 37.5})


# -- whatever the estate -----------------------------------------------------------------------------------------------

NAMES = ("a", "b", "c", "d")


@st.composite
def estates(draw: st.DrawFn) -> list[Claim]:
    rooms = {name: float(draw(st.integers(0, 1_000))) for name in NAMES}
    claims = []
    for index in range(draw(st.integers(1, 6))):
        levels = []
        names = list(NAMES)
        for _ in range(draw(st.integers(1, 2))):
            mine = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)) if names else []
            names = [name for name in names if name not in mine]
            level = []
            for name in mine:
                score = draw(st.sampled_from([1.0, 0.5, 0.0]))
                level.append(Draw(name, float(draw(st.integers(1, 100))), rooms[name] * score, rooms[name] * score))
            levels.append(tuple(level))
        tier = draw(st.integers(1, 3))
        claims.append(Claim(f"p{index}", tier, float(draw(st.integers(1, 800))), tuple(filter(None, levels))))
    return claims


@st.composite
def joined(draw: st.DrawFn) -> list[Claim]:
    """The same, where the data of some comes over links."""
    rooms = {name: float(draw(st.integers(0, 1_000))) for name in ("x", "y")}
    ways = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["x", "y"]), max_size=4)
    bits = st.sampled_from([0.5, 1.0, 3.0])
    return [
        replace(each, links={name: Passage(link, draw(bits), rooms[link]) for name, link in draw(ways).items()})
        for each in draw(estates())
    ]


def passes(claims: list[Claim], grants: Mapping[str, Grant]) -> dict[str, float]:
    """What is sent over each link."""
    found: dict[str, float] = defaultdict(float)
    for each in claims:
        for (link, _), bits in each.passing(grants[each.policy].loads):
            found[link] += bits
    return found


def carried(claims: list[Claim]) -> dict[str, float]:
    found: dict[str, float] = {}
    for each in claims:
        for level in each.levels:
            for draw in level:
                found[draw.region] = max(found.get(draw.region, 0.0), draw.room)
    return found


@given(estates())
def test_no_region_gets_more_than_its_room_and_nothing_is_lost(claims: list[Claim]) -> None:
    grants, rooms = share_out(claims), carried(claims)
    for name, room in rooms.items():
        assert sum(grant.loads.get(name, 0.0) for grant in grants.values()) <= room + 1e-6
    for each in claims:
        grant = grants[each.policy]
        assert sum(grant.loads.values()) + grant.short == pytest.approx(each.demand)


def taken_before(claims: list[Claim], grants: Mapping[str, Grant], tier: int) -> dict[str, float]:
    """What is in each region: what was granted to all, and what fits nowhere of higher tiers."""
    found = dict.fromkeys(carried(claims), 0.0)
    for each in claims:
        grant = grants[each.policy]
        sent = beyond(each, grant.short, grant.excess_on) if each.tier < tier else {}
        for loads in (grant.loads, sent):
            for name, load in loads.items():
                found[name] += load
    return found


@given(estates())
def test_nobody_is_short_while_a_region_that_it_may_use_has_room(claims: list[Claim]) -> None:
    grants, rooms = share_out(claims), carried(claims)
    for each in claims:
        if grants[each.policy].short <= 1e-6:
            continue
        used = taken_before(claims, grants, each.tier)
        for level in each.levels:
            for draw in level:
                mine = grants[each.policy].loads.get(draw.region, 0.0)
                assert used[draw.region] >= rooms[draw.region] - 1e-3 or mine >= draw.room - 1e-3


@given(estates())
def test_nobody_is_short_of_what_one_of_its_tier_could_leave_for_a_region_that_has_room(claims: list[Claim]) -> None:
    grants, rooms = share_out(claims), carried(claims)

    def able(each: Claim) -> set[str]:
        """The regions of which it may have more, whoever has them now."""
        loads = grants[each.policy].loads
        return {d.region for level in each.levels for d in level if loads.get(d.region, 0.0) < d.room - 1e-3}

    for short in (each for each in claims if grants[each.policy].short > 1e-3):
        used = taken_before(claims, grants, short.tier)
        idle = {name for name, room in rooms.items() if used[name] < room - 1e-3}
        for other in (each for each in claims if each.tier == short.tier):
            there = {name for name in able(short) if grants[other.policy].loads.get(name, 0.0) > 1e-3}
            assert not there or not able(other) & idle


@given(joined())
def test_no_link_carries_more_than_it_can_and_nobody_is_short_while_region_and_link_have_room(
    claims: list[Claim],
) -> None:
    grants, rooms = share_out(claims), carried(claims)
    passed = passes(claims, grants)
    widths = {way.link: way.room for each in claims for way in each.links.values()}
    for link, room in widths.items():
        assert passed[link] <= room + 1e-6
    for each in claims:
        grant = grants[each.policy]
        assert sum(grant.loads.values()) + grant.short == pytest.approx(each.demand)
        used = taken_before(claims, grants, each.tier)
        for draw in (draw for level in each.levels for draw in level if grant.short > 1e-6):
            way, mine = each.links.get(draw.region), grant.loads.get(draw.region, 0.0)
            full = used[draw.region] >= rooms[draw.region] - 1e-3 or mine >= draw.room - 1e-3
            assert full or (way is not None and passed[way.link] >= way.room - 1e-3)


@given(joined())
def test_of_links_too_a_higher_tier_has_what_it_would_have_alone(claims: list[Claim]) -> None:
    whole = share_out(claims)
    for tier in {each.tier for each in claims}:
        # whoever needs nothing is there still, for one of a lower tier may be the one that sees more of a region alive
        alone = share_out([each if each.tier <= tier else replace(each, demand=0.0) for each in claims])
        for each in claims:
            if each.tier <= tier:
                assert whole[each.policy].short <= alone[each.policy].short + 1e-6


@given(estates())
def test_a_higher_tier_is_served_as_if_no_lower_one_were_there(claims: list[Claim]) -> None:
    whole = share_out(claims)
    for tier in {each.tier for each in claims}:
        alone = share_out([each for each in claims if each.tier <= tier])
        for each in claims:
            if each.tier <= tier:  # the room may be seen by a lower tier that sees more of it alive
                assert whole[each.policy].short <= alone[each.policy].short + 1e-6


@given(estates(), st.randoms(use_true_random=False))
def test_equal_estates_in_any_order_come_to_the_same(claims: list[Claim], chance: object) -> None:
    shuffled = list(claims)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert share_out(shuffled) == share_out(claims)


@given(estates())
def test_a_region_that_gets_sicker_is_never_sent_more(claims: list[Claim]) -> None:
    def sick(each: Claim) -> Claim:
        levels = tuple(
            tuple(Draw(d.region, d.pull, d.room / 2, d.most / 2) if d.region == "a" else d for d in level)
            for level in each.levels
        )
        return Claim(each.policy, each.tier, each.demand, levels)

    before, after = share_out(claims), share_out(map(sick, claims))
    total = {
        name: sum(grant.loads.get("a", 0.0) for grant in grants.values())
        for name, grants in (("b", before), ("a", after))
    }
    assert total["a"] <= total["b"] + 1e-6


def test_infinite_room_is_no_resource() -> None:
    assert Draw("lab", 1).room == inf
