"""What the vantage counts, as policies come and go."""

import random

from failoverd.core.health import CheckHealth
from failoverd.core.isolation import Family
from failoverd.core.probe_reasons import Outcome, ProbeReason
from failoverd.core.records import Check, Endpoint, HealthRules, ProbeResult, Timings
from failoverd.runtime.vantage import Sight, Vantage

LIVE = Check("live", "tcp", 10.0, 2.0)
WHERE = Endpoint("azure", "192.0.2.10")


def fails(vantage: Vantage, sight: Sight, at: float) -> None:
    result = ProbeResult(WHERE, LIVE.name, Outcome.FAIL, ProbeReason.CONNECT_TIMEOUT, Timings(2.0), at)
    vantage.judge(sight, LIVE, result, CheckHealth(), HealthRules())


def test_what_is_counted_bit_by_bit_is_what_a_count_of_everybody_says() -> None:
    chance = random.Random(4)  # noqa: S311 - no secret
    vantage = Vantage(lambda _: None, lambda: 100.0)
    here: dict[str, list[Sight]] = {}
    for turn in range(300):
        name = chance.choice("abcde")
        come = [
            Sight(chance.choice(list(Family)), chance.choice(["azure", "oci", "aws", ""]), (name, chance.choice("xy")))
            for _ in range(chance.randrange(6))
        ]
        vantage.recount(come=come, gone=here.pop(name, ()))
        here[name] = come
        everybody = [sight for sights in here.values() for sight in sights]
        for sight in chance.sample(everybody, k=len(everybody) // 3):
            fails(vantage, sight, 100.0 + turn)
        afresh = Vantage(lambda _: None, lambda: 100.0)
        afresh.recount(come=everybody)
        assert {key: (found.watched, found.failing) for key, found in vantage._clouds.items()} == {
            key: (found.watched, found.failing) for key, found in afresh._clouds.items()
        }
        assert {key: set(groups) for key, groups in vantage._groups.items() if groups} == {
            key: set(groups) for key, groups in afresh._groups.items()
        }


def test_a_new_revision_of_a_policy_forgets_neither_that_a_cloud_is_lost_nor_since_when() -> None:
    vantage = Vantage(lambda _: None, lambda: 500.0)
    old = Sight(Family.IPV4, "azure", ("api", "azure"))
    vantage.recount(come=[old])
    fails(vantage, old, 100.0)
    new = Sight(Family.IPV4, "azure", ("api", "azure"))
    new.take_over(old, LIVE.name)
    vantage.recount(come=[new], gone=[old])
    assert (new.began, new.counting) == (old.began, old.counting)
    assert vantage._clouds[Family.IPV4, "azure"].lost_at == 98.0
