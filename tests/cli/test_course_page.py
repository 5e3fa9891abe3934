"""The page of a simulation: one file that asks nobody for anything, whose pictures are the course in other words."""

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import courses
from support.commands import Ended, failoverctl
from support.markup import Strict, read
from support.simulated import scenario

from failoverd.api.page import HERE
from failoverd.cli.course_page.course_tables import MOST_ROWS, rows
from failoverd.cli.course_page.lanes import HIGH, NARROW, WIDE, NumberedMark, Time, grouped, ticks_of, width_of
from failoverd.cli.course_page.tracks import at_dead, published_dead, runs, thinned, value_at
from failoverd.cli.course_page.whole_page import page
from failoverd.simulation.course import Course, CourseMoment, MomentKind, Totals, Track

NASTY = "<script>alert('&')</script>\"\x1b[2J"
FINE, FAILED = 0, 1
WIDE_PLOT = 500.0


def shown(*found: Course, what_if: str = "", policy: str = "") -> Strict:
    return read(page(found, what_if, policy))


def drawn(found: Strict, name: str) -> list[dict[str, str]]:
    """What is drawn of that name."""
    return [each for each in found.all("path") if each.get("data-name") == name]


def line(path: dict[str, str], lasted: float) -> Track:
    """The points that a line is drawn through, as times and values."""
    top, points = float(path["data-top"]), list[tuple[float, float]]()
    x = y = 0.0
    for letter, first, second in re.findall(r"([MHVZ])([\d.]*)(?: ([\d.]+))?", path["d"]):
        if letter == "H" and float(first) < x:
            break
        if letter == "M":
            x, y = float(first), float(second)
        elif letter == "H":
            x = float(first)
        elif letter == "V":
            y = float(first)
        points.append((x / WIDE * lasted, (1 - y / HIGH) * top))
    return tuple(points)


def bars(path: dict[str, str], lasted: float) -> list[tuple[float, float]]:
    found = re.findall(r"M([\d.]+) [\d.]+h([\d.]+)", path["d"])
    return [(float(x) / WIDE * lasted, (float(x) + float(long)) / WIDE * lasted) for x, long in found]


# -- the file ----------------------------------------------------------------------------------------------------------


def test_it_needs_nothing_besides_itself() -> None:
    html = page([courses.death(), courses.later()], "failback.after=10m")
    found = read(html)
    assert "//" not in html
    assert not re.search(r"@import|src=|<link|<iframe|<img|\son\w+=|\sstyle=", html)
    assert set(re.findall(r"url\((.)", html)) == {"#"}
    assert {each["href"][0] for each in (*found.all("a"), *found.all("use"))} == {"#"}
    assert "prefers-color-scheme: dark" in html


def test_its_policy_lets_run_what_is_in_it_and_nothing_else() -> None:
    html = page([courses.death()])
    (policy,) = (each["content"] for each in read(html).all("meta") if "http-equiv" in each)
    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert f"{tag}-src 'sha256-{b64encode(sha256(inside.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_what_it_looks_like_is_what_the_page_of_the_daemon_looks_like() -> None:
    html = page([courses.death()])
    for name in ("light.css", "base.css", "mark.svg"):
        assert (HERE / name).read_text().strip() in html


def test_what_somebody_else_wrote_is_shown_and_never_obeyed() -> None:
    policy = courses.lost(NASTY)
    policy = replace(policy, record=NASTY, regions=tuple(replace(each, region=NASTY) for each in policy.regions))
    told = [replace(each, policy=NASTY, what=NASTY, moved=NASTY, why=NASTY) for each in courses.moments()]
    found = replace(
        courses.course(policy, name=NASTY, shows=NASTY),
        file=NASTY,
        moments=tuple(told),
        loads=tuple(replace(each, region=NASTY) for each in courses.loads()),
    )
    html = page([found, found], NASTY)
    assert html.count("<script") == 1
    assert "\x1b" not in html
    assert any("<script>alert('&')</script>\"\\x1b[2J" in words for words in read(html).words)


def test_each_picture_has_a_title_and_each_table_says_what_its_cells_are_of() -> None:
    html = page([courses.death(), courses.later()], "failback.after=10m")
    pictures = re.findall(r'<svg role="img"[^>]*>(.{0,7})', html)
    assert pictures
    assert set(pictures) == {"<title>"}
    assert html.count("<table") == html.count("<caption")
    assert all(each.get("scope") for each in read(html).all("th"))
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    named = {
        next(filter(None, each)) for each in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"|labelledby="([^"]+)"', html)
    }
    assert named <= set(ids)


def test_a_day_of_a_hundred_endpoints_stays_small() -> None:
    """One of five regions comes and goes all day, and each of ten policies moves 143 times."""
    html = page([courses.day()])
    assert len(html) < 500_000
    left = len(courses.day().moments) - MOST_ROWS
    assert f"And {left:,} more moments" in html


def test_the_same_course_makes_the_same_page() -> None:
    assert page([courses.day()]) == page([courses.day()])


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_areas_are_as_high_as_the_weights_that_are_published() -> None:
    found = shown(courses.death())
    (west,), (east,) = drawn(found, "west")[:1], drawn(found, "east")[:1]
    assert "data-stack" in west
    for at, share in ((60.0, 70.0), (200.0, 0.0), (500.0, 70.0)):
        assert value_at(line(west, 600.0), at) == pytest.approx(share, abs=0.1)
        assert value_at(line(east, 600.0), at) == pytest.approx(100.0)  # it lies upon the other
    changes = [at for at, _ in line(west, 600.0)]
    assert any(at == pytest.approx(125.0, abs=0.3) for at in changes)


def test_bands_are_as_long_as_a_state_and_what_is_wrong_is_higher() -> None:
    found = shown(courses.death())
    states = {each["data-state"]: each for each in drawn(found, "west") if "data-state" in each}
    assert bars(states["down"], 600.0) == [pytest.approx((124.0, 320.0), abs=0.4)]
    assert bars(states["dead"], 600.0) == [pytest.approx((120.0, 300.0), abs=0.4)]
    assert [each[0] for each in bars(states["healthy"], 600.0)] == [0.0, pytest.approx(320.0, abs=0.4)]
    tall = {state: float(re.findall(r"v([\d.]+)", each["d"])[0]) for state, each in states.items()}
    assert tall["down"] > tall["healthy"]


def test_clients_at_a_dead_region_are_those_of_the_course() -> None:
    course = courses.death()
    (policy,) = course.policies
    clients, published = at_dead(policy), published_dead(policy)
    assert [value_at(clients, at) for at in (60.0, 122.0, 140.0, 310.0)] == [0.0, 7_000.0, 3_500.0, 0.0]
    assert [value_at(published, at) for at in (60.0, 122.0, 140.0)] == [0.0, 7_000.0, 0.0]
    (path,) = drawn(shown(course), "clients at dead regions")
    for at in (60.0, 122.0, 140.0, 200.0, 310.0):
        assert value_at(line(path, 600.0), at) == pytest.approx(value_at(clients, at) / 100, abs=0.1)


def test_load_and_room_share_a_scale_and_what_is_too_much_is_marked() -> None:
    found = shown(courses.death())
    loads, room = drawn(found, "load"), drawn(found, "room")
    east = loads[0]
    assert [each["data-top"] for each in loads] == [each["data-top"] for each in room]
    for at, value in ((60.0, 240.0), (200.0, 800.0), (500.0, 240.0)):
        assert value_at(line(east, 600.0), at) == pytest.approx(value, abs=1)
    begins, ends = round(125 / 600 * WIDE), round(400 / 600 * WIDE)
    over = [re.findall(r"M(\d+) \d+H(\d+)", each["d"]) for each in found.all("path", "over")]
    assert over[0] == [(str(begins), str(ends))]


def test_cost_is_drawn_where_it_is_known() -> None:
    (path,) = drawn(shown(courses.death()), "cost")
    assert [value_at(line(path, 600.0), at) for at in (60.0, 200.0)] == pytest.approx([8.0, 10.5], abs=0.02)
    assert drawn(shown(courses.nothing()), "cost") == []


def test_a_variant_is_drawn_beside_it_on_the_same_scale() -> None:
    found = shown(courses.death(), courses.later(), what_if="failback.after=10m")
    for name in ("load", "cost", "clients at dead regions"):
        tops = [each["data-top"] for each in drawn(found, name)]
        assert tops
        assert all(one == other for one, other in zip(tops[::2], tops[1::2], strict=True))
    assert "with failback.after=10m" in found.words


def test_a_policy_to_which_nothing_happens_stands_aside() -> None:
    html = page([courses.course(courses.lost(), courses.still())])
    assert "1 policy to which nothing happened" in html
    assert html.index("1 policy to which") < html.index("still.example.com")


def test_only_the_policy_that_is_asked_for_is_shown() -> None:
    html = page([courses.course(courses.lost("one"), courses.lost("two"))], policy="two")
    assert "two.example.com" in html
    assert "one.example.com" not in html


def test_a_scenario_in_which_nothing_happens_says_so() -> None:
    html = page([courses.nothing()])
    assert "Nothing happened, and nothing moved." in html
    assert "Nobody says what is needed" in html
    assert "Clients at dead regions" not in html


# -- words -------------------------------------------------------------------------------------------------------------


def test_the_totals_are_on_top_with_the_difference_of_a_variant() -> None:
    words = shown(courses.death(), courses.later(), what_if="failback.after=10m").words
    assert words.index("What it came to") < words.index("Weights ")
    at = words.index("difference")
    assert words[at + 1 : at + 10] == ["+1", "=", "=", "=", "=", "=", "+2.5", "=", "\N{MINUS SIGN}0.25"]


def test_what_nobody_can_reckon_is_said_to_be_unknown() -> None:
    policy = replace(courses.lost(), totals=Totals(changes=1))
    words = shown(courses.course(policy)).words
    at = words.index("shop", words.index("What it came to"))
    assert words[at + 1 : at + 10] == ["1", "0", "0.0", "0.0", "0.0", "0.0", "0.0", "-", "-"]


def test_the_table_has_the_numbers_of_the_marks() -> None:
    html = page([courses.death()])
    assert re.findall(r'class="number-of">(\d+)<', html) == ["1", "2"]
    assert re.findall(r'<text class="number"[^>]*>(\d+)<', html) == ["1", "2"]
    words = read(html).words
    assert (
        words.index("12:02:00")
        < words.index("west does not answer in time")
        < words.index("west 70 -> 0, east 30 -> 100")
    )


def test_what_comes_to_pass_in_both_variants_is_one_row() -> None:
    found = rows([courses.moments(), courses.moments(back=500.0)])
    assert [(each.moment.at, sum(side is not None for side in each.sides)) for each in found] == [
        (120.0, 2),
        (124.0, 2),
        (125.0, 2),
        (300.0, 2),
        (400.0, 1),
        (500.0, 1),
    ]


# -- axes, and what has no room ----------------------------------------------------------------------------------------


@given(st.floats(1.0, 7 * 86_400.0))
def test_times_at_the_axis_are_round_and_have_room(lasted: float) -> None:
    ticks = ticks_of(lasted)
    assert ticks[0].at == 0
    assert all(each.at <= lasted for each in ticks)
    steps = {later.at - each.at for each, later in pairwise(ticks)}
    assert len(steps) <= 1
    for room, found in ((WIDE_PLOT, ticks), (NARROW, [each for each in ticks if each.always])):
        places = [each.at / lasted * room for each in found]
        assert all(
            b - a >= width_of(tick.words) * 0.9 for (a, b), tick in zip(pairwise(places), found[1:], strict=False)
        )


@pytest.mark.parametrize(
    ("lasted", "said"),
    [(600, "0s 2m 4m 6m 8m 10m"), (3_600, "0s 10m 20m 30m 40m 50m 1h"), (86_400, "0s 3h 6h 9h 12h 15h 18h 21h 1d")],
)
def test_ten_minutes_and_a_day_have_sensible_times(lasted: float, said: str) -> None:
    assert " ".join(each.words for each in ticks_of(lasted)) == said


@given(st.lists(st.floats(0.0, 600.0), unique=True, max_size=60))
def test_numbers_of_marks_never_stand_upon_each_other(times: list[float]) -> None:
    marks = tuple(NumberedMark(at, number) for number, at in enumerate(sorted(times), 1))
    time = Time(600.0, (), marks)
    groups = grouped(time)
    assert [mark for group in groups for mark in group] == list(marks)
    ends = 0.0
    for group in groups:
        words = str(group[0].number) if len(group) == 1 else f"{group[0].number}-{group[-1].number}"
        begin = min(group[0].at / 600.0 * NARROW, NARROW - width_of(words))
        assert begin >= ends
        ends = begin + width_of(words)


@given(st.lists(st.tuples(st.floats(0.0, 599.0), st.floats(0.0, 100.0)), min_size=1, max_size=300), st.integers(8, 80))
def test_a_thinned_track_begins_and_ends_as_it_did_and_keeps_its_extremes(
    points: list[tuple[float, float]], most: int
) -> None:
    track = tuple(sorted(dict(points).items()))
    found = thinned(track, 600.0, most)
    assert len(found) <= max(most, 4)
    assert set(found) <= set(track)
    assert (found[0], found[-1]) == (track[0], track[-1])
    values = [value for _, value in track]
    assert {min(values), max(values)} <= {value for _, value in found}


def test_states_that_have_no_room_are_laid_together_and_the_worst_is_shown() -> None:
    flaps = tuple((float(at), "down" if at % 2 else "healthy") for at in range(100))
    assert runs(flaps, 200.0, 10) == [(0.0, 200.0, "down")]  # it ends so
    assert runs(flaps[:3], 200.0, 10) == [(0.0, 1.0, "healthy"), (1.0, 2.0, "down"), (2.0, 200.0, "healthy")]


def test_many_moments_of_a_kind_become_lines() -> None:
    told = tuple(CourseMoment(float(at), MomentKind.MOVED, "shop", "change.applied", "x", "y") for at in range(600))
    html = page([replace(courses.death(), moments=told)])
    assert re.search(r'<path class="moved dense" d="M0 0v8', html)
    assert len(re.findall(r'<use href="#moved" x=', html)) == 0


# -- the command -------------------------------------------------------------------------------------------------------

DEATH = """\
for: 10m
happens:
  1m: {endpoints: {azure-weu: {does: refuse, for: 3m}}}
"""


@pytest.fixture(autouse=True)
def _no_configuration_by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FAILOVERD_CONFIG", str(tmp_path / "nowhere.yaml"))


def simulate(path: Path, *words: str) -> Ended:
    return failoverctl("simulate", str(scenario(path, DEATH)), *words)


def test_it_is_written_beside_what_is_printed_and_said_where(tmp_path: Path) -> None:
    file = tmp_path / "it.html"
    file.write_text("what was there before")
    told = simulate(tmp_path, "--html", str(file), "--what-if", "failback.after=7m")
    assert told.code == FINE, told.said
    assert b"shop: azure-weu 70 -> 0" in told.out
    assert f"the page is in {file}" in told.err
    words = read(file.read_text()).words
    assert "with failback.after=7m" in words
    assert "azure-weu refuses the connection" in words
    assert [each.name for each in tmp_path.glob(".failoverd-*")] == []


def test_programs_still_get_nothing_but_json(tmp_path: Path) -> None:
    told = simulate(tmp_path, "--html", str(tmp_path / "it.html"), "--output", "json")
    assert told.out.startswith(b"{")
    assert told.out.rstrip().endswith(b"}")
    assert (tmp_path / "it.html").exists()


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.html").write_text("before")
    link = tmp_path / "it.html"
    link.symlink_to("real.html")
    assert simulate(tmp_path, "--html", str(link)).code == FINE
    assert link.is_symlink()
    assert (tmp_path / "real.html").read_text().startswith("<!doctype html>")


def test_what_cannot_be_written_is_told_before_anything_is_played(tmp_path: Path) -> None:
    told = simulate(tmp_path, "--html", str(tmp_path / "nowhere" / "it.html"))
    assert (told.code, told.out) == (FAILED, b"")
    assert "the page cannot be written to" in told.err
