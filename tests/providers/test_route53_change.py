"""A plan as part of a batch: what fences it, and how much of a batch it takes."""

from dataclasses import replace
from typing import Any

import pytest
from support.contract import planned, target

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Permanent
from failoverd.core.records import Observed, RecordSet, RecordType
from failoverd.providers.route53 import records
from failoverd.providers.route53.change import MAX_CHARACTERS, MAX_ELEMENTS, Change, change_of, fitting, observed

AT = target("api.example.test")
MARKER = "v=1 owner=prod policy=inference-api gen=7 types=A"
BALANCER = "Z35SXDOTRQ7X7K/lb.us-east-1.elb.amazonaws.com"


def standing(*answers: str, at: Any = AT, marker: str = MARKER) -> Observed:  # noqa: ANN401
    """What is read when failoverd had written this."""
    sets = records.encode(RecordSet.of(at.key, 30, dict.fromkeys(answers, 1)))
    return observed(at, sets, [records.marker(at.key.marker_name, marker)])


def plan(before: Observed, *answers: str) -> Plan:
    return planned(before, RecordSet.of(before.target.key, 30, dict.fromkeys(answers, 1)))


def said(change: Change) -> list[tuple[str, str, str | None]]:
    """Action, type and identifier of everything in it."""
    sets = [(each["Action"], each["ResourceRecordSet"]) for each in change.actions]
    return [(action, each["Type"], each.get("SetIdentifier")) for action, each in sets]


def test_what_a_person_made_is_adopted_and_given_back_whatever_its_weights() -> None:
    """Two addresses in one weighted set share its weight, so in whole numbers the others weigh twice as much."""

    def made(identifier: str, weight: int, *values: str) -> dict[str, Any]:
        listed = [{"Value": value} for value in values]
        common = {"Name": "api.example.test.", "Type": "A", "TTL": 77, "ResourceRecords": listed}
        return {**common, "SetIdentifier": identifier, "Weight": weight}

    sets = [made("one", 255, "192.0.2.1"), made("two", 100, "192.0.2.2", "192.0.2.3")]
    before = observed(AT, sets, [records.marker(AT.key.marker_name, MARKER)])
    assert before.records is not None
    assert said(change_of(replace(plan(before, "192.0.2.1"), after=before.records))) == [
        ("DELETE", "TXT", None),
        ("DELETE", "A", "one"),
        ("DELETE", "A", "two"),
        ("CREATE", "A", "one"),
        ("CREATE", "A", "two"),
        ("CREATE", "TXT", None),
    ]


def test_a_creation_creates_and_nothing_else() -> None:
    assert said(change_of(plan(Observed(AT, None), "192.0.2.1"))) == [
        ("CREATE", "A", "192.0.2.1"),
        ("CREATE", "TXT", None),
    ]


def test_a_change_deletes_all_that_was_read_and_creates_all_that_follows() -> None:
    change = change_of(plan(standing("192.0.2.1", "192.0.2.2"), "192.0.2.2", "192.0.2.3"))
    assert said(change) == [
        ("DELETE", "TXT", None),
        ("DELETE", "A", "192.0.2.1"),
        ("DELETE", "A", "192.0.2.2"),
        ("CREATE", "A", "192.0.2.2"),
        ("CREATE", "A", "192.0.2.3"),
        ("CREATE", "TXT", None),
    ]


def test_what_is_deleted_is_what_was_read_member_by_member() -> None:
    simple = {
        "Name": "api.example.test.",
        "Type": "A",
        "TTL": 77,
        "ResourceRecords": [{"Value": "192.0.2.2"}, {"Value": "192.0.2.1"}],
    }
    before = observed(AT, [simple], [records.marker(AT.key.marker_name, MARKER)])
    change = change_of(plan(before, "192.0.2.3"))
    assert change.actions[1] == {"Action": "DELETE", "ResourceRecordSet": simple}


def test_without_a_token_it_is_what_failoverd_writes() -> None:
    before = standing("192.0.2.1", "192.0.2.2")
    assert change_of(plan(replace(before, token=""), "192.0.2.3")) == change_of(plan(before, "192.0.2.3"))


def test_equal_things_have_equal_tokens_and_nothing_has_none() -> None:
    assert standing("192.0.2.1").token == standing("192.0.2.1").token
    assert standing("192.0.2.1").token != standing("192.0.2.2").token
    assert observed(AT, [], []) == Observed(AT, None)


def test_an_empty_answer_is_no_change() -> None:
    empty = replace(plan(standing("192.0.2.1"), "192.0.2.2"), after=RecordSet(AT.key, 30, ()))
    with pytest.raises(Permanent) as caught:
        change_of(empty)
    assert caught.value.reason == "empty_answer"


def test_values_are_counted_as_the_limits_count_them() -> None:
    change = change_of(plan(standing("192.0.2.1", BALANCER), "192.0.2.1"))
    marker, next_marker = f'"{MARKER}"', f'"{MARKER.replace("gen=7", "gen=8")}"'
    assert change.elements == 5  # two markers, an address twice, and an alias, which has no value but counts
    assert change.characters == len(marker) + len(next_marker) + 2 * len("192.0.2.1")


def many(count: int, *answers: str) -> list[Change]:
    return [
        change_of(plan(standing(*answers, at=target(f"n{number}.example.test")), *answers[1:]))
        for number in range(count)
    ]


@pytest.mark.parametrize(("answers", "records_wanted"), [(4, 200), (60, 15)])
def test_a_batch_is_filled_to_the_documented_limits(answers: int, records_wanted: int) -> None:
    """A few answers run into the limit of characters first, many into that of elements."""
    line = many(records_wanted, *(f"192.0.2.{number}" for number in range(1, answers + 1)))
    count = fitting(line)
    assert sum(each.elements for each in line[:count]) <= MAX_ELEMENTS
    assert sum(each.characters for each in line[:count]) <= MAX_CHARACTERS
    more = line[: count + 1]
    assert sum(each.elements for each in more) > MAX_ELEMENTS or sum(each.characters for each in more) > MAX_CHARACTERS


def test_a_name_is_in_a_batch_once() -> None:
    four, six = Observed(AT, None), Observed(target("api.example.test", RecordType.AAAA), None)
    other = Observed(target("www.example.test"), None)
    line = [
        change_of(plan(other, "192.0.2.1")),
        change_of(plan(four, "192.0.2.1")),
        change_of(plan(six, "2001:db8::1")),
    ]
    assert fitting(line) == 2
    assert fitting(line[2:]) == 1
