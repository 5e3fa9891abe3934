"""How many answers a network of clients gets over UDP, and that this is no affair of anybody else."""

from collections import Counter

import pytest

from failoverd.providers.embedded.rate_limit import BURST, MOST_NETWORKS, RateVerdict, ResponseRateLimit, network_of

RATE = 100
GREEDY, SIBLING, OTHER = "198.51.100.7", "198.51.100.200", "203.0.113.9"


class Scene:
    def __init__(self, rate: float = RATE) -> None:
        self.now = 1_000.0
        self.limit = ResponseRateLimit(rate, lambda: self.now)

    def ask(self, times: int, address: str = GREEDY) -> Counter[RateVerdict]:
        return Counter(self.limit.verdict(address) for _ in range(times))


def test_a_network_gets_its_burst_and_of_the_rest_every_other_query_is_sent_to_tcp() -> None:
    scene, burst = Scene(), int(RATE * BURST)
    assert scene.ask(burst) == {RateVerdict.ANSWER: burst}
    assert scene.ask(50) == {RateVerdict.SLIP: 25, RateVerdict.DROP: 25}


def test_its_addresses_share_one_bucket_and_other_networks_have_their_own() -> None:
    scene = Scene()
    scene.ask(10 * RATE)
    assert scene.ask(1, SIBLING) == {RateVerdict.SLIP: 1}
    assert scene.ask(RATE, OTHER) == {RateVerdict.ANSWER: RATE}


def test_tokens_come_back_with_time_and_never_more_than_a_burst() -> None:
    scene = Scene()
    scene.ask(10 * RATE)
    scene.now += 0.5
    assert scene.ask(RATE)[RateVerdict.ANSWER] == RATE / 2
    scene.now += 3_600.0
    assert scene.ask(10 * RATE)[RateVerdict.ANSWER] == RATE * BURST


def test_a_rate_of_zero_limits_nobody() -> None:
    assert Scene(rate=0).ask(100_000) == {RateVerdict.ANSWER: 100_000}


def test_forged_addresses_of_all_the_world_cost_bounded_memory() -> None:
    scene = Scene()
    for number in range(MOST_NETWORKS + 1_000):
        scene.limit.verdict(f"10.{number >> 8}.{number & 255}.1")
    assert len(scene.limit._networks) == MOST_NETWORKS


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.254", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("2001:db8:0:ab00::1", "2001:db8:0:abff:1::9", True),
        ("2001:db8:0:ab00::1", "2001:db8:0:ac00::1", False),
        ("fe80::1%lo", "fe80::2", True),
    ],
)
def test_a_network_is_a_24_or_a_56(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) is same
