"""What members say to each other, as it is written; and that nothing that is read can hurt."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stage import API, AZURE, OCI, policy, regions

from failoverd.core.health.endpoint import Health
from failoverd.core.health.isolation import Family
from failoverd.core.health.votes import Vote, Votes
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Endpoint
from failoverd.runtime.members.ballots import MOST_EVIDENCE, Ballot, MemberBeat, MemberRun
from failoverd.runtime.members.versioned import LaterVersionError

REFUSED = Vote(Health.UNHEALTHY, check="live", reason=ProbeReason.CONNECT_REFUSED, evidence="live connect_refused: ")
MANY = policy(
    regions=regions(
        **{
            f"region-{number}": (10, " ".join(f"10.{number}.{each // 250}.{each % 250 + 1}" for each in range(1_000)))
            for number in range(10)
        }
    )
)
ENDPOINTS = [endpoint for spec in API.regions for endpoint in spec.endpoints]
VOTES = st.builds(
    Vote, st.sampled_from(Health), st.booleans(), st.just("live"), st.sampled_from(ProbeReason), st.just("live failed")
)


def sent(votes: Votes) -> Votes:
    """The votes as they arrive."""
    return Ballot.parsed(Ballot.of(votes, "r1", ["a", "b"], None).dumped()).votes(API, votes.elsewhere)


@given(st.sampled_from([Health.HEALTHY, Health.UNKNOWN]), st.dictionaries(st.sampled_from(ENDPOINTS), VOTES))
def test_votes_arrive_as_they_were_given(rest: Health, listed: dict[Endpoint, Vote]) -> None:
    assert sent(Votes(rest, listed)) == Votes(rest, listed)


def test_what_was_left_to_others_is_said_by_the_names_that_were_counted_on() -> None:
    elsewhere = frozenset(ENDPOINTS[:1])
    ballot = Ballot.parsed(Ballot.of(Votes(elsewhere=elsewhere), "r1", ["oci-1", "azure-1"], 2).dumped())
    assert (ballot.among, ballot.factor) == (("azure-1", "oci-1"), 2)
    assert ballot.votes(API, elsewhere) == Votes(elsewhere=elsewhere)


def test_a_heartbeat_arrives_as_it_was_sent() -> None:
    families, run = frozenset({Family.IPV6, Family.NAME}), MemberRun(900.5, "abc", "host-1")
    said = MemberBeat(7, 1_000.25, "1.2.3", families, run, "def", 1_000.5, lease=20.0)
    assert MemberBeat.parsed(said.dumped()) == said


def test_a_ballot_is_small_however_many_endpoints_are_well() -> None:
    assert len(Ballot.of(Votes(), "0123456789ab", (), None).dumped()) < 60
    every = [endpoint for spec in MANY.regions for endpoint in spec.endpoints]
    region = Ballot.of(Votes(listed=dict.fromkeys(every[:1_000], REFUSED)), "0123456789ab", (), None).dumped()
    assert len(region) < 15_000
    whole = Ballot.of(Votes(listed=dict.fromkeys(every, REFUSED)), "0123456789ab", (), None).dumped()
    assert len(whole) < 150_000
    assert len(Ballot.parsed(whole).votes(MANY, frozenset()).listed) == 10_000


def test_words_of_others_are_short_and_command_no_terminal() -> None:
    vote = REFUSED._replace(evidence="\x1b[2J" + "x" * 10_000)
    said = json.loads(Ballot.of(Votes(listed={ENDPOINTS[0]: REFUSED}), "r1", (), None).dumped())
    said["seen"][0]["evidence"] = vote.evidence
    (heard,) = Ballot.parsed(json.dumps(said).encode()).votes(API, frozenset()).listed.values()
    assert len(heard.evidence) <= MOST_EVIDENCE
    assert heard.evidence.isprintable()


def test_endpoints_and_checks_that_are_not_in_the_policy_are_left_out() -> None:
    said = {
        "v": 1,
        "revision": "r1",
        "rest": "healthy",
        "later": {"whatever": 1},
        "seen": [
            {"health": "unhealthy", "check": "other", "reason": "of_a_later_version", "evidence": "it fails"}
            | {"endpoints": {"azure": [AZURE, "192.0.2.99"], "mars": [OCI]}}
        ],
    }
    votes = Ballot.parsed(json.dumps(said).encode()).votes(API, frozenset())
    assert votes.listed == {ENDPOINTS[0]: Vote(Health.UNHEALTHY, check="", evidence="it fails")}


def test_a_value_of_a_later_version_is_left_whole() -> None:
    for kind in (Ballot, MemberBeat):
        with pytest.raises(LaterVersionError, match="shape 2"):
            kind.parsed(b'{"v":2}')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SHAPES = st.fixed_dictionaries(
    {"v": st.just(1) | JSON},
    optional={
        "revision": st.just("r1") | JSON,
        "rest": st.just("healthy") | JSON,
        "among": JSON,
        "factor": JSON,
        "seen": JSON
        | st.lists(
            st.fixed_dictionaries(
                {"health": st.just("unhealthy") | JSON, "endpoints": st.just({"azure": [AZURE]}) | JSON},
                optional={"suspect": JSON, "check": JSON, "reason": JSON, "evidence": JSON},
            ),
            max_size=3,
        ),
        "number": JSON,
        "at": JSON,
        "isolated": JSON,
        "run": JSON,
    },
)


@given(SHAPES.map(lambda said: json.dumps(said).encode()) | st.binary(max_size=64))
def test_whatever_is_read_it_is_understood_or_refused(value: bytes) -> None:
    for kind in (Ballot, MemberBeat):
        try:
            found = kind.parsed(value)
        except ValueError:
            continue
        if isinstance(found, Ballot):
            assert set(found.votes(API, frozenset()).listed) <= set(ENDPOINTS)
