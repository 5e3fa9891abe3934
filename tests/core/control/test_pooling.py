"""What is kept from one change to the next comes to the same as sharing everything out anew."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failoverd.core.control import pooling, sharing
from failoverd.core.control.pooling import TOLERANCE, Pool
from failoverd.core.control.sharing import Claim, Draw, Grant, Passage, share_out

NAMES = ("a", "b", "c", "d")
LINKS = {"narrow": 90.0, "wide": 300.0}
POLICIES = ("p0", "p1", "p2", "p3", "p4", "p5")


@st.composite
def claims(draw: st.DrawFn) -> Claim:
    names = list(NAMES)
    levels = []
    for _ in range(draw(st.integers(0, 2))):
        mine = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)) if names else []
        names = [name for name in names if name not in mine]
        rooms = {name: 100.0 * (NAMES.index(name) + 1) for name in mine}
        most = draw(st.sampled_from([1.0, 0.5, 0.1]))
        level = (Draw(name, float(draw(st.integers(1, 9))), rooms[name], rooms[name] * most) for name in mine)
        levels.append(tuple(level))
    stands = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from([10.0, 60.0]), max_size=1))
    demand = float(draw(st.integers(60, 400)))
    ways = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from([*LINKS]), max_size=2))
    bits = draw(st.sampled_from([1.0, 2.0]))
    return Claim(
        draw(st.sampled_from(POLICIES)),
        draw(st.integers(1, 3)),
        demand,
        tuple(filter(None, levels)),
        stands,
        sheds=draw(st.booleans()),
        links={name: Passage(link, bits, LINKS[link]) for name, link in ways.items()},
    )


def same(found: Grant, wanted: Grant) -> None:
    for mine, theirs in (
        (found.loads, wanted.loads),
        (found.rooms, wanted.rooms),
        (found.taken, wanted.taken),
        (found.linked, wanted.linked),
    ):
        for name in mine.keys() | theirs.keys():
            assert mine.get(name, 0.0) == pytest.approx(theirs.get(name, 0.0), abs=1e-5)
    assert found.short == pytest.approx(wanted.short, abs=1e-5)
    assert found.excess_on == wanted.excess_on or wanted.short < 1e-5


@given(st.lists(st.tuples(claims(), st.booleans()), min_size=1, max_size=14))
def test_whatever_changed_in_whichever_order_everybody_is_granted_what_sharing_anew_would(
    changes: list[tuple[Claim, bool]],
) -> None:
    pool, now = Pool(), dict[str, Claim]()
    for each, stays in changes:
        if stays:
            now[each.policy] = each
        else:
            now.pop(each.policy, None)
        pool.put(each.policy, now.get(each.policy))
        anew = share_out(now.values())
        for name in sorted(now, reverse=True):
            found = pool.grant(name)
            assert found is not None
            same(found, anew[name])


@given(st.lists(st.tuples(claims(), st.booleans(), st.booleans()), min_size=1, max_size=14))
def test_so_they_are_once_it_is_settled_where_so_many_share_that_not_each_change_is_shared_out(
    changes: list[tuple[Claim, bool, bool]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooling, "SMALL", 0)
        pool, now = Pool(), dict[str, Claim]()
        for each, stays, asks in changes:
            if stays:
                now[each.policy] = each
            else:
                now.pop(each.policy, None)
            pool.put(each.policy, now.get(each.policy))
            if asks:
                pool.grant(each.policy)
        pool.settle()
        anew = share_out(now.values())
        for name in now:
            found = pool.look(name)
            assert found is not None
            same(found, anew[name])


def thousand(lost: int, size: int = 1_000) -> dict[str, Claim]:
    """Policies of three tiers over three regions; the first `lost` of them have lost one."""
    rooms = {"az": size * 0.9, "oci": size * 0.6, "aws": size * 0.9}
    found = {}
    for index in range(size):
        pulls = {"az": 50.0, "oci": 30.0, "aws": 20.0}
        if index < lost:
            del pulls["az"]
        level = tuple(Draw(name, pull, rooms[name], rooms[name]) for name, pull in pulls.items())
        found[f"p{index:04}"] = Claim(f"p{index:04}", index % 3, 1.7, (level,))
    return found


def test_in_a_storm_nobody_is_sent_more_than_the_tolerance_and_little_is_filled_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filled = []
    fill = sharing.fill

    def counted(*said: object) -> object:
        filled.append(said)
        return fill(*said)  # type: ignore[arg-type]

    monkeypatch.setattr(pooling, "fill", counted)
    size = 300
    pool, calm = Pool(), thousand(0, size)
    for name, each in calm.items():
        pool.put(name, each)
    told: dict[str, Grant] = {name: found for name in calm if (found := pool.grant(name)) is not None}
    assert not filled, "nothing is full on a normal day"
    lost = thousand(size, size)
    for name in lost:
        pool.put(name, lost[name])
        found = pool.grant(name)
        assert found is not None
        told[name] = found
        for region, room in {"oci": size * 0.6, "aws": size * 0.9}.items():
            tops = sum(seen.loads.get(region, 0.0) for other in calm if (seen := pool.look(other)) is not None)
            assert tops <= room * (1 + 3 * TOLERANCE)
    assert len(filled) < size / 3
    changed = pool.settle()
    assert changed
    anew = share_out(lost.values())
    for name in lost:
        settled = pool.look(name)
        assert settled is not None
        same(settled, anew[name])
    assert pool.settle() == []


def test_parts_that_had_a_policy_in_common_are_apart_once_it_is_gone() -> None:
    pool = Pool()
    one, other = Draw("a", 1, 100, 100), Draw("b", 1, 100, 100)
    pool.put("p0", Claim("p0", 1, 50, ((one,),)))
    pool.put("p1", Claim("p1", 1, 50, ((other,),)))
    pool.put("p2", Claim("p2", 1, 200, ((one, other),)))
    pool.settle()
    pool.put("p2", None)
    pool.settle()
    pool.put("p0", Claim("p0", 1, 90, ((one,),)))
    assert pool.unsettled == 1


def test_who_shares_nothing_with_what_changed_is_left_alone_and_who_gets_the_same_is_not_told() -> None:
    """`dev` comes last, so the others are looked at with it, and have what they had."""
    pool = Pool()
    shared = tuple(Draw(name, 1, 600, 600) for name in ("a", "b"))
    alone = Draw("c", 1, 100, 100)
    tiers = {"prod": 1, "pilot": 2, "dev": 3}
    for name, tier in tiers.items():
        pool.put(name, Claim(name, tier, 400, (shared,)))
    pool.put("lone", Claim("lone", 1, 1, ((alone,),)))
    for name in (*tiers, "lone"):
        pool.grant(name)
    pool.settle()

    pool.put("lone", Claim("lone", 1, 2, ((alone,),)))
    assert pool.unsettled == 1
    pool.settle()
    pool.put("dev", Claim("dev", 3, 500, (shared,)))
    assert (pool.unsettled, pool.settle()) == (6, ["dev"])
    pool.put("prod", Claim("prod", 1, 900, (shared,)))
    assert (pool.unsettled, sorted(pool.settle())) == (6, ["dev", "pilot", "prod"])


# -- what nobody takes -------------------------------------------------------------------------------------------------


def pool_of(*claims: Claim) -> Pool:
    pool = Pool()
    for each in claims:
        pool.put(each.policy, each)
    return pool


def wants(policy: str, tier: int, demand: float, bits: float = 0.0) -> Claim:
    """A policy of one region of 700; where a request moves bits, over a link of 437.5."""
    links = {"oci": Passage("azure-oci", bits, 437.5)} if bits else {}
    return Claim(policy, tier, demand, ((Draw("oci", 1.0, 700.0, 700.0),),), links=links)


def test_what_is_spare_is_what_nobody_takes_of_any_tier() -> None:
    pool = pool_of(wants("prod", 100, 300), wants("dev", 300, 200))
    assert pool.spare("prod") == {"oci": 500.0}
    assert pool.spare("dev") == {"oci": 400.0}
    assert pool.spare("nobody") == {}


def test_what_somebody_is_short_of_is_not_spare_whoever_comes_first() -> None:
    pool = pool_of(wants("prod", 100, 600), wants("dev", 300, 300))
    assert pool.spare("prod") == {"oci": 400.0}


def test_what_is_spare_of_a_link_is_what_nobody_else_needs_of_it() -> None:
    pool = pool_of(wants("prod", 100, 300, 1.0), wants("dev", 300, 100, 1.0))
    assert pool.spare("prod") == pytest.approx({"oci": 337.5})
    assert pool.spare("dev") == pytest.approx({"oci": 137.5})


def test_who_leaves_regions_out_is_pressed_once_somebody_is_short_of_what_it_takes() -> None:
    prod = replace(wants("prod", 100, 600), aside=frozenset({"aws"}))
    pool = pool_of(prod, wants("dev", 300, 100))
    assert pool.pressed() == []
    pool.put("dev", wants("dev", 300, 200))
    assert pool.grant("dev") is not None
    assert pool.pressed() == ["prod"]
