"""What is wrong with an endpoint: to a probe, and to clients."""

import pytest
from support.playing import folder, loaded

from failoverd.config.schema.test_file import Fault, FaultEntry
from failoverd.core.probe_reasons import ProbeOutcome
from failoverd.core.records import Check, Endpoint
from failoverd.simulation.impairments import Impairment


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Endpoint, Check]:
    """An endpoint, and its check, which has two seconds for an answer."""
    (estate,) = loaded(folder(tmp_path_factory.mktemp("policies"), "version: 1\ntests: []\n")).estates
    return next(iter(estate.found.policies["shop"].probes()))


def fault(does: str, percent: int) -> FaultEntry:
    return FaultEntry.model_validate({"does": does, "part": f"{percent}%"})


def outcomes(said: FaultEntry, probed: tuple[Endpoint, Check], number: int = 4_000) -> list[ProbeOutcome]:
    answers = (Impairment(said).answer(*probed, float(moment)) for moment in range(number))
    return [answer.outcome if answer is not None else ProbeOutcome.PASS for answer in answers]


@pytest.mark.parametrize("part", [1, 33, 90])
def test_a_brown_out_fails_its_part_of_the_probes_and_of_the_clients(part: int, probed: tuple[Endpoint, Check]) -> None:
    said = fault("brown-out", part)
    failed = outcomes(said, probed).count(ProbeOutcome.FAIL)
    assert failed / 4_000 == pytest.approx(part / 100, abs=0.02)
    assert Impairment(said).serves(2.0) == pytest.approx(1 - part / 100)


def test_a_hundredth_of_the_packets_fails_hardly_a_probe_and_a_third_most(probed: tuple[Endpoint, Check]) -> None:
    few = outcomes(FaultEntry(does="packet-loss"), probed).count(ProbeOutcome.FAIL)
    many = outcomes(fault("packet-loss", 33), probed).count(ProbeOutcome.FAIL)
    assert few < 10
    assert many > 1_000


@pytest.mark.parametrize(
    ("does", "outcome", "serves"),
    [
        ("well", ProbeOutcome.PASS, 1.0),
        ("refuse", ProbeOutcome.FAIL, 0.0),
        ("drop", ProbeOutcome.FAIL, 0.0),
        (503, ProbeOutcome.FAIL, 0.0),
        (429, ProbeOutcome.DEGRADED, 1.0),
        ("slow", ProbeOutcome.FAIL, 0.0),
    ],
)
def test_each_fault_is_seen_and_felt(
    does: Fault, outcome: ProbeOutcome, serves: float, probed: tuple[Endpoint, Check]
) -> None:
    said = FaultEntry(does=does)
    assert outcomes(said, probed, 1) == [outcome]
    assert Impairment(said).serves(2.0) == serves


def test_chance_is_of_the_seed_the_endpoint_and_the_moment(probed: tuple[Endpoint, Check]) -> None:
    said = fault("brown-out", 50)
    first, other = ([Impairment(said, seed).answer(*probed, float(at)) is None for at in range(50)] for seed in (1, 2))
    assert first == [Impairment(said, 1).answer(*probed, float(at)) is None for at in range(50)]
    assert first != other
