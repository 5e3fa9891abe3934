"""Who uses which answer after several changes: nobody is lost or counted twice, and sums are those of the moments."""

import pytest

from failoverd.core.clients import still_old
from failoverd.simulation.clientele import Clientele

TTL = 30.0
AZURE, OCI, BOTH = {"azure": 10_000}, {"oci": 10_000}, {"azure": 5_000, "oci": 5_000}


def changed(*answers: tuple[float, dict[str, int]]) -> Clientele:
    found = Clientele(AZURE, TTL)
    for at, shares in answers:
        found.publish(shares, at)
    return found


def test_clients_of_the_only_answer_are_where_it_says() -> None:
    assert changed().parts(100.0) == {"azure": 1.0}


@pytest.mark.parametrize("after", [0.0, 10.0, 30.0, 300.0])
def test_after_one_change_as_many_are_old_as_the_model_says(after: float) -> None:
    parts = changed((100.0, OCI)).parts(100.0 + after)
    assert parts.get("azure", 0.0) == pytest.approx(still_old(after, TTL))
    assert sum(parts.values()) == pytest.approx(1.0)


def test_an_answer_that_stood_for_a_short_while_is_met_by_few() -> None:
    parts = changed((100.0, OCI), (103.0, AZURE)).parts(103.0)
    assert parts["oci"] == pytest.approx(1.0 - still_old(3.0, TTL))


def test_who_has_no_answer_is_what_is_left() -> None:
    parts = changed((100.0, {}), (160.0, AZURE)).parts(160.0)
    assert 1.0 - sum(parts.values()) == pytest.approx(1.0 - still_old(60.0, TTL))


def test_what_was_spent_is_the_sum_of_the_moments() -> None:
    clients = changed((100.0, OCI), (112.0, BOTH), (150.0, AZURE))
    moments = [clients.parts(150.0 + (number + 0.5) / 10) for number in range(2_000)]
    spent = clients.spent(150.0, 350.0)
    for name in ("azure", "oci"):
        assert spent[name] == pytest.approx(sum(each.get(name, 0.0) for each in moments) / 10, rel=1e-4)
    assert sum(spent.values()) == pytest.approx(200.0)


def test_what_was_long_ago_is_forgotten() -> None:
    clients = changed(*((100.0 * number, OCI if number % 2 else AZURE) for number in range(1, 2_000)))
    assert len(clients._old) < 60
    assert sum(clients.parts(200_000.0).values()) == pytest.approx(1.0)
