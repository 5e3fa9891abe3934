"""Who else writes a name: told from the turns that markers name."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from support.scenes import AZURE, NOW, OCI, OWNER, PAIR, TARGET, observed, published

from failoverd.core.control.rivals import LEAST_MEMORY, MOST_UNDONE, UNNAMED, Rivalry, Turn, seen, wrote
from failoverd.core.records import Marker, Observed, RecordSet, RecordType

US, THEM, OTHERS = "0000aaaa", "1111bbbb", "2222cccc"
OURS = Marker(OWNER, TARGET.policy, 0, (), US)


def marker(instance: str, generation: int) -> Marker:
    return Marker(OWNER, TARGET.policy, generation, (RecordType.A,), instance)


def stands(found: Marker, records: RecordSet | None = None) -> Observed:
    return replace(observed(records), marker=found, marker_text=found.to_text())


def looked(known: Rivalry, found: Observed, now: float = NOW, **others: Iterable[Rivalry]) -> Rivalry:
    return seen(known, others.get("of_other_types", ()), found, OURS, None, 0.0, now)


def played(script: str, *, every: float = 30.0, known: Rivalry | None = None) -> Rivalry:
    """O is a write of ours, T a look at one of theirs, S at one of somebody else's again; `.` only takes time."""
    known = known or Rivalry()
    generation = known.turns[-1].generation if known.turns else 0
    for index, letter in enumerate(script):
        generation, now = generation + 1, NOW + index * every
        if letter == "O":
            known = looked(wrote(known, marker(US, generation), now), stands(marker(US, generation)), now)
        elif letter != ".":
            known = looked(known, stands(marker({"T": THEM, "S": OTHERS}[letter], generation)), now)
    return known


@pytest.mark.parametrize("script", ["OTOT", "TOTO", "OOTTTOOT", "TTOTO", "OTOS"])
def test_turn_by_turn_is_a_rival(script: str) -> None:
    found = played(script)
    assert found.since == NOW + 30.0 * (len(script) - 1)
    assert found.rivals == (("1111bbbb", "2222cccc") if "S" in script else ("1111bbbb",))


@pytest.mark.parametrize("script", ["O", "T", "OOOOOO", "TTTTTO", "TOOOO", "OTOOO", "OTTTT", "TSTSTS", "TSO"])
def test_a_hand_over_is_none(script: str) -> None:
    """A predecessor that fell silent, a rolling restart with a new journal, one write by another machine."""
    assert played(script).since is None


def test_turns_of_long_ago_are_forgotten() -> None:
    assert played("OTOT", every=LEAST_MEMORY / 3).since is None
    assert played("OTOT", every=LEAST_MEMORY / 4).since is not None


def test_turns_of_a_future_that_a_wrong_clock_saw_are_forgotten_like_those_of_today() -> None:
    known = replace(played("OTO"), turns=tuple(replace(turn, at=NOW + 1e8) for turn in played("OTO").turns))
    known = looked(known, stands(marker(US, 3)), NOW)
    assert looked(known, stands(marker(THEM, 4)), NOW + LEAST_MEMORY + 1).since is None
    assert looked(known, stands(marker(THEM, 4)), NOW + LEAST_MEMORY - 1).since is not None


def test_limits_that_space_writes_out_make_the_memory_longer() -> None:
    found, window = Rivalry(), 86_400.0
    for index, instance in enumerate((US, THEM, US, THEM)):
        at = NOW + index * window
        found = seen(found, (), stands(marker(instance, index + 1)), OURS, None, window, at)
    assert found.since == NOW + 3 * window


def test_the_same_turn_seen_again_is_no_other_turn() -> None:
    found = played("OT")
    for tick in range(100):
        found = looked(found, stands(marker(THEM, 2)), NOW + 60 + tick)
    assert found == played("OT")


def test_a_zone_that_was_restored_takes_no_turn() -> None:
    found = played("OTO")
    assert looked(found, stands(marker(THEM, 1)), NOW + 90) == found


def test_a_command_that_failoverd_printed_is_nobodys_turn() -> None:
    by_hand = replace(marker("", 4), by_hand=True)
    assert looked(played("OTO"), stands(by_hand)).since is None


@pytest.mark.parametrize("whose", [{"owner": "somebody-else"}, {"policy": "another"}])
def test_a_name_of_somebody_else_has_no_rival_but_an_owner(whose: dict[str, str]) -> None:
    found = played("OTO")
    assert looked(found, stands(replace(marker(THEM, 4), **whose)), NOW + 90) == found  # type: ignore[arg-type]


def test_a_writer_of_an_earlier_version_which_names_no_instance_is_a_rival_as_well() -> None:
    found = looked(played("OTO"), stands(marker("", 4)))
    assert found.since is not None
    assert found.rivals == (THEM, UNNAMED)


def test_who_has_no_instance_looks_for_no_rival() -> None:
    found = Rivalry()
    for index, instance in enumerate(("", THEM, "", THEM)):
        found = seen(found, (), stands(marker(instance, index + 1)), replace(OURS, instance=""), None, 0.0, NOW)
    assert wrote(found, marker("", 9), NOW) == Rivalry()


def test_the_types_of_a_name_see_the_turns_of_its_one_marker_together() -> None:
    """One type wrote while the other one only looked: each alone has seen no more than half of it."""
    one = Rivalry((Turn(US, 1, NOW), Turn(THEM, 2, NOW)))
    other = Rivalry((Turn(THEM, 2, NOW), Turn(US, 3, NOW)))
    assert looked(one, stands(marker(THEM, 4))).since is None
    assert looked(one, stands(marker(THEM, 4)), of_other_types=[other]).since == NOW
    assert looked(other, stands(marker(US, 3)), of_other_types=[played("OTOT")]).since == NOW + 90


def test_a_rival_that_falls_silent_stays_one_for_nobody_knows_whether_it_does_the_same() -> None:
    found = played("OTOT")
    assert looked(found, stands(marker(THEM, 4)), NOW + 400 * 86_400).since == found.since


# -- what it puts back -------------------------------------------------------------------------------------------------

WHOLE, LEFT = published(PAIR, {"azure": 70, "oci": 30}), published(PAIR, {"oci": 100})


def put_back(known: Rivalry, generation: int, theirs: RecordSet, ours: RecordSet) -> Rivalry:
    """We write, and at the next look theirs stands there."""
    known = wrote(known, marker(US, generation), NOW)
    return seen(known, (), stands(marker(THEM, generation + 1), theirs), OURS, ours, 0.0, NOW)


def test_what_is_put_back_again_and_again_is_contested() -> None:
    known = played("OTOT")
    for number in range(1, MOST_UNDONE + 1):
        assert not known.contested
        known = put_back(known, 10 * number, WHOLE, LEFT)
        assert known.undone == number
    assert known.contested


def test_who_takes_off_more_than_we_did_puts_nothing_back() -> None:
    known = played("OTOT")
    for number in range(1, 9):
        known = put_back(known, 10 * number, LEFT, WHOLE)
    assert known.undone == 0


def test_what_stood_there_before_the_rival_was_found_is_not_counted() -> None:
    assert put_back(played("OT"), 3, WHOLE, LEFT).undone == 0


def test_one_look_counts_once() -> None:
    known = put_back(played("OTOT"), 10, WHOLE, LEFT)
    for _ in range(9):
        known = seen(known, (), stands(marker(THEM, 11), WHOLE), OURS, LEFT, 0.0, NOW)
    assert known.undone == 1


def test_the_scene_is_what_it_says() -> None:
    assert {answer.value for answer in WHOLE.serving} == {AZURE.endpoints[0].address, OCI.endpoints[0].address}
    assert {answer.value for answer in LEFT.serving} == {OCI.endpoints[0].address}
