"""What comes of a scenario: what the daemon does, what clients meet meanwhile, and what that comes to."""

from pathlib import Path

import pytest
from support.playing import POLICY, REGIONS
from support.simulated import at, happened, moves, region, simulated, told

from failoverd.core.clients import lost, still_old

TTL = 30.0
PRICED = POLICY + "traffic: {response: 50kB}\n"
PRICES = REGIONS.replace("jurisdiction: EU}", "jurisdiction: EU, egress_cost_per_gb: 0.01}").replace(
    "jurisdiction: US}", "jurisdiction: US, egress_cost_per_gb: 0.09}"
)


DEATH = "for: 1h\nhappens: {5m: {endpoints: {azure-weu: {does: drop, for: 20m}}}}\n"


def test_a_region_that_dies_leaves_at_once_and_comes_back_by_itself(tmp_path: Path) -> None:
    course = simulated(tmp_path, DEATH)
    (out, _), (back, _) = moves(course)
    assert 300 < out < 320
    assert 1_500 + 300 < back < 1_500 + 360, "failback waits for five minutes in which it is well"
    azure = region(course, "azure-weu")
    assert [share for _, share in azure.shares] == [7_000, 0, 7_000]
    assert [since for since, _ in azure.shares] == pytest.approx([0, out, back], abs=0.1)
    assert list(azure.served) == [(0.0, 10_000), (300.0, 0), (1_500.0, 10_000)]
    assert [state for _, state in azure.health] == ["healthy", "down", "healthy"]
    assert happened(course) == [(300.0, "azure-weu does not answer in time"), (1_500.0, "azure-weu is well again")]


def test_clients_follow_by_the_resolvers_that_they_ask(tmp_path: Path) -> None:
    course = simulated(tmp_path, DEATH)
    out = moves(course)[0][0]
    clients = region(course, "azure-weu").clients
    for after in (10, 30, 60, 300, 900):
        assert at(clients, out + after) == pytest.approx(7_000 * still_old(after, TTL), abs=250)


def test_what_clients_lost_is_the_sum_of_what_they_met(tmp_path: Path) -> None:
    course = simulated(tmp_path, DEATH)
    out, found = moves(course)[0][0], course.policies[0].totals
    dead = 0.7 * (out - 300) + 0.7 * lost(1_500 - out, TTL)
    assert found.failed_client_minutes == pytest.approx(dead / 60, rel=0.01)
    assert found.dead_client_minutes == pytest.approx(found.failed_client_minutes)
    assert found.failed_requests == pytest.approx(dead * 800, rel=0.01)
    assert found.dead_minutes == pytest.approx((out - 300) / 60, abs=0.01)
    assert (found.changes, found.false_moves) == (2, 0)


def test_a_prober_that_is_cut_off_moves_nothing(tmp_path: Path) -> None:
    course = simulated(tmp_path, "for: 30m\nhappens: {5m: {prober: cut-off}, 15m: {prober: well}}\n")
    assert moves(course) == []
    assert told(course, "vantage.isolated")
    assert course.policies[0].totals.failed_client_minutes == 0


def test_a_move_out_of_a_region_that_served_is_counted_as_false(tmp_path: Path) -> None:
    """A check has two seconds for an answer that clients, as another check says, wait ten seconds for."""
    patient = POLICY.replace(
        "demand:", "  deep: {http: /deep, host: shop.example.com, every: 5s, timeout: 10s}\ndemand:"
    )
    said = "for: 20m\nhappens: {5m: {endpoints: {azure-weu: {does: slow, by: 5s}}}}\n"
    found = simulated(tmp_path, said, policy=patient).policies[0].totals
    assert (found.false_moves, found.changes, round(found.failed_client_minutes, 3)) == (1, 1, 0)
    said = "for: 20m\nhappens: {5m: {operator: {drain: azure-weu, for: 10m}}}\n"
    found = simulated(tmp_path, said).policies[0].totals
    assert (found.false_moves, found.changes) == (0, 2), "what a person says is none"


def test_a_record_that_another_writer_empties_leaves_clients_nowhere(tmp_path: Path) -> None:
    said = "for: 30m\nhappens: {5m: {providers: {dns: down}}, 6m: {empty: true}, 12m: {providers: {dns: up}}}\n"
    course = simulated(tmp_path, said)
    nowhere = course.policies[0].nowhere
    assert at(nowhere, 359) == 0
    assert at(nowhere, 420) == pytest.approx(9_000, abs=100), "whose answer is older than the TTL"
    assert at(nowhere, 1_700) < 300
    assert course.policies[0].totals.failed_client_minutes > 5
    assert told(course, "drift.detected")


def test_a_brown_out_fails_a_part_of_the_requests(tmp_path: Path) -> None:
    said = "for: 30m\nhappens: {5m: {endpoints: {azure-weu: {does: brown-out, part: 40%}}}}\n"
    course = simulated(tmp_path, said)
    assert region(course, "azure-weu").served == ((0.0, 10_000), (300.0, 6_000))
    assert len(moves(course)) == 1
    assert course.policies[0].totals.dead_minutes == 0
    assert 0 < course.policies[0].totals.failed_client_minutes < 0.7


def test_a_hundredth_of_the_packets_that_is_lost_moves_nothing(tmp_path: Path) -> None:
    said = "for: 2h\nhappens: {5m: {endpoints: {azure-weu: packet-loss}}}\n"
    assert moves(simulated(tmp_path, said)) == []


def test_what_flaps_serves_by_turns_and_is_left_out(tmp_path: Path) -> None:
    said = "for: 40m\nhappens: {5m: {endpoints: {azure-weu: {does: flap, every: 2m, for: 10m}}}}\n"
    course = simulated(tmp_path, said)
    azure = region(course, "azure-weu")
    assert [since for since, _ in azure.served] == [0.0, *(300.0 + 60 * number for number in range(10))]
    assert at(azure.served, 1_000) == 10_000
    assert course.policies[0].totals.changes <= 2


@pytest.mark.parametrize(("does", "down"), [("slow", True), ("{does: slow, by: 1s}", False), ("429", False)])
def test_who_is_slow_is_down_only_where_a_probe_has_no_time_for_it(tmp_path: Path, does: str, *, down: bool) -> None:
    course = simulated(tmp_path, f"for: 10m\nhappens: {{2m: {{endpoints: {{azure-weu: {does}}}}}}}\n")
    assert ("down" in [state for _, state in region(course, "azure-weu").health]) is down
    assert at(region(course, "azure-weu").served, 300) == (0 if down else 10_000)


def test_a_provider_that_throttles_is_waited_for(tmp_path: Path) -> None:
    said = "for: 20m\nhappens: {1m: {providers: {dns: throttled}}, 2m: {endpoints: {azure-weu: drop}}}\n"
    course = simulated(tmp_path, said)
    assert told(course, "target.delayed")
    assert at(region(course, "azure-weu").shares, 300) == 0


def test_a_region_that_gets_too_much_is_counted_by_where_clients_are(tmp_path: Path) -> None:
    said = 'for: 30m\ngiven: {demand: "800 x5 4000 x10 800"}\ninterval: 1m\n'
    course = simulated(tmp_path, said)
    assert course.policies[0].totals.over_minutes == pytest.approx(10, abs=0.5)
    assert list(course.policies[0].demand) == [(0.0, 800), (300.0, 4_000), (900.0, 800)]
    (oci,) = (each for each in course.loads if each.region == "oci-fra")
    assert (oci.capacity, at(oci.room, 600)) == (600, 600)
    assert at(oci.load, 890) > 600


def test_what_is_overloaded_may_fail_by_it(tmp_path: Path) -> None:
    said = 'for: 12m\ngiven: {demand: "800 x5 4000"}\ninterval: 1m\noverload: {above: 1.2, does: 503}\n'
    course = simulated(tmp_path, said)
    assert at(region(course, "azure-weu").served, 400) == 0
    assert region(simulated(tmp_path, said.replace("1.2", "9")), "azure-weu").served == ((0.0, 10_000),)


def test_what_it_costs_goes_with_the_clients(tmp_path: Path) -> None:
    course = simulated(tmp_path, DEATH, policy=PRICED, regions=PRICES)
    normal = 800 * 3_600 * 50e3 / 1e9 * 0.01
    (_, first), (_, away), (_, last) = course.policies[0].cost
    assert first == last == pytest.approx(normal, abs=0.01)
    assert away > first, "a quarter of it goes where it costs nine times as much"
    assert course.policies[0].totals.cost is not None
    assert course.policies[0].totals.cost > normal
    assert simulated(tmp_path, DEATH).policies[0].totals.cost is None


def test_all_policies_are_at_work_together(tmp_path: Path) -> None:
    pilot = POLICY.replace("shop", "pilot").replace("tier: prod", "tier: pilot").replace(".10]", ".20]")
    course = simulated(tmp_path, f"policy: shop\n{DEATH}", pilot=pilot)
    assert [each.policy for each in course.policies] == ["pilot", "shop"]
    (oci,) = (each for each in course.loads if each.region == "oci-fra")
    shares = [at(each.shares, 0) for policy in course.policies for each in policy.regions if each.region == "oci-fra"]
    assert at(oci.load, 0) == pytest.approx(sum(800 * share / 10_000 for share in shares))


def test_a_clock_that_is_set_meanwhile_is_told_and_heeded(tmp_path: Path) -> None:
    work = 'maintenance: [{region: oci-fra, cron: "0 9 * * *", timezone: Europe/Berlin, for: 10m, reason: patches}]\n'
    policy = POLICY.replace("every: 5s", "every: 1m") + work
    said = 'for: 24h\ngiven: {at: "2027-03-27T07:30Z"}\n'
    course = simulated(tmp_path, said, policy=policy)
    ((since, words),) = happened(course)
    assert since == 17.5 * 3_600
    assert words == "the clocks of Europe/Berlin are set, from +0100 to +0200; what is planned by them moves along"
    away = [since for since, moved in moves(course) if "oci-fra 30 -> 0" in moved]
    assert away == pytest.approx([0.5 * 3_600, 23.5 * 3_600], abs=60), "nine o'clock in Berlin, both"


def test_chance_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    said = "for: 10m\nseed: 7\nhappens: {1m: {endpoints: {azure-weu: {does: brown-out, part: 20%}}}}\n"
    first, again = simulated(tmp_path, said), simulated(tmp_path, said)
    assert first == again


def test_nothing_happens_on_a_good_day(tmp_path: Path) -> None:
    course = simulated(tmp_path, "for: 1h\n")
    assert (course.moments, course.policies[0].totals.changes) == ((), 0)
    assert region(course, "azure-weu").shares == ((0.0, 7_000),)
