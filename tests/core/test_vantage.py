"""What the vantage counts, as policies come and go."""

import random

from failoverd.core.health.endpoint import CheckHealth
from failoverd.core.health.isolation import Family
from failoverd.core.health.vantage import FailureTrack, Vantage
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Check, Endpoint, HealthRules, ProbeResult, Timings

LIVE = Check("live", "tcp", 10.0, 2.0)
WHERE = Endpoint("azure", "192.0.2.10")


def fails(vantage: Vantage, track: FailureTrack, at: float) -> None:
    result = ProbeResult(WHERE, LIVE.name, ProbeOutcome.FAIL, ProbeReason.CONNECT_TIMEOUT, Timings(2.0), at)
    vantage.judge(track, LIVE, result, CheckHealth(), HealthRules())


def test_what_is_counted_bit_by_bit_is_what_a_count_of_everybody_says() -> None:
    chance = random.Random(4)  # noqa: S311 - no secret
    vantage = Vantage(lambda _: None, 100.0)
    here: dict[str, list[FailureTrack]] = {}
    for turn in range(300):
        name = chance.choice("abcde")
        come = [
            FailureTrack(
                chance.choice(list(Family)), chance.choice(["azure", "oci", "aws", ""]), (name, chance.choice("xy"))
            )
            for _ in range(chance.randrange(6))
        ]
        vantage.recount(100.0, come=come, gone=here.pop(name, ()))
        here[name] = come
        everybody = [track for tracks in here.values() for track in tracks]
        for track in chance.sample(everybody, k=len(everybody) // 3):
            fails(vantage, track, 100.0 + turn)
        afresh = Vantage(lambda _: None, 100.0)
        afresh.recount(100.0, come=everybody)
        assert {key: (found.watched, found.failing) for key, found in vantage._clouds.items()} == {
            key: (found.watched, found.failing) for key, found in afresh._clouds.items()
        }
        assert {key: groups for key, groups in vantage._groups.items() if groups} == afresh._groups
        assert {key: quickest for key, quickest in vantage._quickest.items() if quickest} == afresh._quickest
        assert all(all(counts.values()) for counts in vantage._groups.values())
        assert all(all(counts.values()) for counts in vantage._quickest.values())


def test_a_new_revision_of_a_policy_forgets_neither_that_a_cloud_is_lost_nor_since_when() -> None:
    vantage = Vantage(lambda _: None, 500.0)
    old = FailureTrack(Family.IPV4, "azure", ("api", "azure"))
    vantage.recount(500.0, come=[old])
    fails(vantage, old, 100.0)
    new = FailureTrack(Family.IPV4, "azure", ("api", "azure"))
    new.take_over(old, LIVE.name)
    vantage.recount(500.0, come=[new], gone=[old])
    assert (new.began, new.counting) == (old.began, old.counting)
    assert vantage._clouds[Family.IPV4, "azure"].lost_at == 98.0
