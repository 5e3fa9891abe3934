"""Answers as record sets, and record sets as answers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failoverd.core.errors import Permanent
from failoverd.core.records import RecordKey, RecordSet, RecordType
from failoverd.providers.route53 import records

NAME = "api.example.com"
KEY = RecordKey(NAME, RecordType.A)
SRV_KEY = RecordKey(NAME, RecordType.SRV)
BALANCER = "Z35SXDOTRQ7X7K/lb.us-east-1.elb.amazonaws.com"


def simple(kind: str, *values: str, **more: object) -> dict[str, Any]:
    written = [{"Value": value} for value in values]
    return {"Name": f"{NAME}.", "Type": kind, "TTL": 30, "ResourceRecords": written, **more}


@pytest.mark.parametrize("edited", [0, 1, 2])
@pytest.mark.parametrize("ttl", [5, 300])
def test_a_ttl_of_one_record_set_alone_is_seen_whichever_it_is(edited: int, ttl: int) -> None:
    wanted = records.normalise(RecordSet.of(KEY, 30, {"192.0.2.1": 50, "192.0.2.2": 30, "192.0.2.3": 20}))
    written = list(records.encode(wanted))
    written[edited] = {**written[edited], "TTL": ttl}
    found = records.decode(KEY, written)
    assert found is not None
    assert (found.ttl, found.ttls, found.answers) == (max(30, ttl), tuple(sorted((30, ttl))), wanted.answers)
    assert not found.says(wanted)
    assert found.ttl_text == " and ".join(map(str, sorted((30, ttl))))


addresses = st.ip_addresses(v=4).map(str)
balancers = st.integers(1, 99).map(lambda number: f"Z35SXDOTRQ7X7K/lb-{number}.us-east-1.elb.amazonaws.com")


@given(
    weights=st.dictionaries(addresses | balancers, st.integers(1, 10_000), min_size=1, max_size=20),
    ttl=st.integers(1, 86_400),
)
def test_what_is_normalised_is_read_back_as_it_is(weights: dict[str, int], ttl: int) -> None:
    desired = records.normalise(RecordSet.of(KEY, ttl, weights))
    assert records.decode(KEY, records.encode(desired)) == desired
    assert records.normalise(desired) == desired
    assert {answer.value for answer in desired.answers} == set(weights)


@given(
    weights=st.dictionaries(st.integers(1, 65_535).map(lambda p: f"e.example.net:{p}"), st.integers(1, 255), min_size=1)
)
def test_srv_records_too(weights: dict[str, int]) -> None:
    desired = RecordSet.of(SRV_KEY, 30, weights)
    assert records.decode(SRV_KEY, records.encode(desired)) == desired


def test_an_identifier_is_the_value_as_far_as_it_fits() -> None:
    label = "a" * 60
    long, longer = f"{label}.{label}.{label}.example.net", f"{label}.{label}.{label}.example.org"
    key = RecordKey(NAME, RecordType.CNAME)
    said = [
        each["SetIdentifier"] for each in records.encode(RecordSet.of(key, 30, {long: 1, longer: 1, "b.example": 1}))
    ]
    assert said[2] == "b.example"
    assert [len(identifier) for identifier in said[:2]] == [128, 128]
    assert len(set(said)) == 3
    assert all(identifier.startswith(label) for identifier in said[:2])


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        (RecordType.A, {"2001:db8::1": 1}),
        (RecordType.A, {"192.0.2.1": 256}),
        (RecordType.CNAME, {BALANCER: 1}),
        (RecordType.SRV, {"host-without-port": 1}),
    ],
)
def test_what_cannot_be_said_is_refused(kind: RecordType, answers: dict[str, int]) -> None:
    with pytest.raises(Permanent) as caught:
        records.encode(RecordSet.of(RecordKey(NAME, kind), 30, answers))
    assert caught.value.reason == "unsayable"


@pytest.mark.parametrize(
    ("kind", "found", "why"),
    [
        (RecordType.A, simple("A", "192.0.2.1"), None),
        (RecordType.A, simple("A", "192.0.2.1", SetIdentifier="x", Weight=0), None),
        (
            RecordType.A,
            simple("A", "192.0.2.1", SetIdentifier="x", GeoLocation={"CountryCode": "FR"}),
            "A (geolocation)",
        ),
        (RecordType.A, simple("A", "192.0.2.1", Novelty="yes"), "A (with Novelty)"),
        (RecordType.A, simple("A", "nonsense"), "A (unreadable)"),
        (RecordType.SRV, simple("SRV", "0 1 443 a.example.", SetIdentifier="x", Weight=3), "SRV (weighted)"),
        (
            RecordType.CNAME,
            {"Name": f"{NAME}.", "Type": "CNAME", "AliasTarget": {"EvaluateTargetHealth": False}},
            "CNAME (an alias)",
        ),
    ],
)
def test_what_is_not_ours_to_say_is_named(kind: RecordType, found: dict[str, Any], why: str | None) -> None:
    assert records.foreign(kind, found) == why


def test_an_odd_srv_record_keeps_its_oddity() -> None:
    found = records.decode(SRV_KEY, [simple("SRV", "10 0 443 Old.example.net.")])
    assert found == RecordSet.of(SRV_KEY, 30, {"old.example.net:443 priority=10 weight=0": 1})


@pytest.mark.parametrize(
    ("values", "text", "plain"),
    [
        (('"v=1 owner=prod"',), "v=1 owner=prod", True),
        (('"v=1" "owner=prod"',), "v=1 owner=prod", False),
        (('"b"', '"a"'), "a b", False),
        (('"caf\\303\\251"',), '"caf\\303\\251"', False),
    ],
)
def test_the_text_at_a_marker(values: tuple[str, ...], text: str, plain: bool) -> None:
    assert records.marker_text([simple("TXT", *values)]) == (text, plain)


def test_a_weighted_text_is_no_marker() -> None:
    assert records.marker_text([simple("TXT", '"v=1 owner=prod"', SetIdentifier="x", Weight=1)])[1] is False
    assert records.marker_text([]) == (None, False)
