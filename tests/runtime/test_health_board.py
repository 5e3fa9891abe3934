"""What the board says, and what it keeps to itself."""

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest
from support.incidents import paper_incidents
from support.scenes import through_check
from support.stage import AZURE, OCI, endpoints, policy, regions

from failoverd.core.events import EndpointFailed, EndpointLost, EndpointRecovered, Event, IncidentOpened
from failoverd.core.health.endpoint import CheckHealth, Health
from failoverd.core.health.isolation import SENTINELS, grace
from failoverd.core.health.policy_health import STALE_AFTER
from failoverd.core.health.region import RegionState
from failoverd.core.health.table import HealthTable
from failoverd.core.health.transitions import IN_TURN, ProbeDue
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Check, Dependency, Endpoint, HealthRules, Policy, ProbeResult, RecordType, Timings
from failoverd.core.status import Overview
from failoverd.runtime.health_board import HealthBoard
from failoverd.telemetry import phrases, prose

OUTCOMES = {"P": ProbeOutcome.PASS, "F": ProbeOutcome.FAIL, "D": ProbeOutcome.DEGRADED, "B": ProbeOutcome.BLIND}
REASONS = {"P": ProbeReason.OK, "F": ProbeReason.CONNECT_REFUSED, "D": ProbeReason.SLOW, "B": ProbeReason.NO_ROUTE}
SECOND = "192.0.2.11"


class Scene:
    """A board, and a script of outcomes for it: one letter a probe, one second a step."""

    def __init__(self, found: Policy) -> None:
        self.now = 1_000.0
        self.events: list[Event] = []
        self.woken: list[str] = []
        self.more: list[bool] = []
        self.due: tuple[ProbeDue, ...] = ()  # after the last outcome, besides the same endpoint
        self.policy = found
        self.incidents = paper_incidents(self.events.append, lambda: self.now)
        self.board = HealthBoard(self.events.append, lambda: self.now, self.incidents, self.hear)
        self.board.watch(found)

    def hear(self, name: str, *, more: bool) -> None:
        self.woken.append(name)
        self.more.append(more)

    def probes(self, script: str, *addresses: str, check: str = "live") -> list[str]:
        """Feed it; returns the names of the events that came of it."""
        told = len(self.events)
        for letter in script:
            self.now += 1.0
            for endpoint in self._endpoints(addresses):
                outcome, reason = OUTCOMES[letter], REASONS[letter]
                result = ProbeResult(endpoint, check, outcome, reason, Timings(0.01), self.now)
                self.due = self.board.observe(self.policy.name, result).others
        return [event.name for event in self.events[told:]]

    def all_well(self) -> None:
        self.probes("PP")
        self.events.clear()
        self.woken.clear()

    def health(self, address: str) -> Health:
        verdicts = self.board.table.verdicts(self.policy.name)
        return next(found.state for endpoint, found in verdicts.items() if endpoint.address == address)

    def check_health(self, address: str) -> CheckHealth:
        (endpoint,) = self._endpoints([address])
        return through_check(self.board.table, self.policy.name, endpoint)

    def region(self, name: str) -> RegionState:
        return self.board.regions(self.policy.name, RecordType.A)[name].state

    def _endpoints(self, addresses: Iterable[str]) -> list[Endpoint]:
        every = [endpoint for spec in self.policy.regions for endpoint in spec.endpoints]
        return [endpoint for endpoint in every if not addresses or endpoint.address in addresses]


def test_a_first_healthy_verdict_says_nothing_of_the_endpoint_and_once_that_the_region_is_well() -> None:
    scene = Scene(policy())
    assert scene.probes("P") == []
    assert scene.probes("P") == ["region.recovered", "region.recovered"]
    assert scene.probes("PPPP") == []
    assert scene.incidents.current("api") is None


def test_a_failing_endpoint_opens_the_incident_before_its_first_symptom_which_carries_it() -> None:
    scene = Scene(policy())
    scene.all_well()
    assert scene.probes("FF", AZURE) == []
    assert scene.probes("F", AZURE) == ["incident.opened", "endpoint.failed", "region.failed"]
    assert {event.incident_id for event in scene.events} == {scene.incidents.id_of("api")}
    opened, failed, region = scene.events
    assert isinstance(opened, IncidentOpened)
    assert AZURE in opened.cause
    assert dict(failed.facts()) == {
        "at": scene.now,
        "policy": "api",
        "incident_id": scene.incidents.id_of("api"),
        "region": "azure",
        "endpoint": AZURE,
        "check": "live",
        "was": "healthy",
        "reason": "connect_refused",
        "evidence": "live connect_refused after 10 ms",
        "failures": 3,
        "passes": 0,
        "failing_since": 1003.0,
    }
    assert dict(region.facts())["rule_at"] == "policies/api.yaml:18"
    assert scene.woken == ["api"]


def test_only_transitions_are_told() -> None:
    scene = Scene(policy())
    scene.all_well()
    scene.probes("FFF", AZURE)
    assert scene.probes("FFFFFPFPFPFP", AZURE) == []
    assert scene.probes("PP", AZURE) == ["endpoint.recovered", "region.recovered"]
    assert scene.probes("PPPPFP", AZURE) == []


def test_an_endpoint_that_fails_from_the_start_is_told() -> None:
    scene = Scene(policy())
    assert scene.probes("FFF", AZURE) == ["incident.opened", "endpoint.failed", "region.failed"]


def test_degraded_is_told_apart_from_down() -> None:
    scene = Scene(policy())
    scene.all_well()
    assert scene.probes("DDD", AZURE) == ["incident.opened", "endpoint.degraded", "region.degraded"]
    assert scene.probes("FFF", AZURE) == ["endpoint.failed", "region.failed"]


def test_half_of_a_region_down_degrades_it() -> None:
    scene = Scene(policy(regions=regions(azure=(70, f"{AZURE} {SECOND}"), oci=(30, OCI))))
    scene.all_well()
    assert scene.probes("FFF", AZURE) == ["incident.opened", "endpoint.failed", "region.degraded"]
    assert scene.probes("FFF", SECOND) == ["endpoint.failed", "region.failed"]


def test_while_a_sibling_is_being_probed_again_more_verdicts_are_said_to_come() -> None:
    scene = Scene(policy(regions=regions(azure=(70, f"{AZURE} {SECOND} 192.0.2.12 192.0.2.13"), oci=(30, OCI))))
    scene.all_well()
    scene.probes("F", AZURE, SECOND, "192.0.2.12")
    scene.more.clear()
    scene.probes("FF", AZURE)
    assert scene.more == [True]  # the region still stands
    scene.probes("FF", SECOND)
    assert scene.more == [True, True]  # half of it is gone: it is degraded, and may be down in a moment
    scene.probes("FF", "192.0.2.12")
    assert scene.more == [True, True, False]  # it is down


def test_a_region_that_is_degraded_and_can_fall_no_further_waits_for_nothing() -> None:
    scene = Scene(policy(regions=regions(azure=(70, f"{AZURE} {SECOND} 192.0.2.12 192.0.2.13"), oci=(30, OCI))))
    scene.all_well()
    scene.more.clear()
    scene.probes("FFF", AZURE, SECOND)
    assert scene.more == [True, False]


def test_who_waits_for_more_verdicts_is_called_when_the_last_probe_out_of_turn_is_over() -> None:
    scene = Scene(policy(regions=regions(azure=(70, f"{AZURE} {SECOND} 192.0.2.12 192.0.2.13 192.0.2.14"))))
    scene.all_well()
    scene.probes("F", SECOND)
    scene.more.clear()
    scene.probes("FFF", AZURE)
    assert scene.more == [True]
    scene.probes("P", SECOND)
    assert scene.more == [True]  # one pass erases no failure
    scene.probes("P", SECOND)
    assert scene.more == [True, False]


def test_evidence_that_grows_too_old_turns_into_not_knowing_and_moves_the_region_with_it() -> None:
    scene = Scene(policy())
    scene.all_well()
    scene.probes("BBB", AZURE)
    scene.probes("P", OCI)
    check = scene.policy.checks[0]
    scene.now += STALE_AFTER * check.every + check.timeout - 5.0
    scene.board.settle()
    assert scene.events == []
    scene.now += 2.0
    scene.board.settle()
    assert [event.name for event in scene.events] == ["incident.opened", "endpoint.lost", "region.lost"]
    assert (scene.region("azure"), scene.region("oci")) == (RegionState.UNKNOWN, RegionState.HEALTHY)
    assert scene.woken == ["api"]
    scene.board.settle()
    assert len(scene.events) == 3


def test_what_is_lost_says_why_the_prober_could_not_see_it() -> None:
    scene = Scene(policy())
    scene.all_well()
    scene.probes("BBB", AZURE)
    scene.now += 100.0
    scene.board.settle()
    lost = next(event for event in scene.events if isinstance(event, EndpointLost) and AZURE in event.endpoint)
    assert lost.reason == ProbeReason.NO_ROUTE
    assert "3 blind probes since the last evidence" in lost.evidence
    assert "no_route" in lost.evidence


def test_what_was_never_seen_says_why_without_an_event() -> None:
    scene = Scene(policy())
    scene.board.regions("api", RecordType.A)
    scene.probes("B", AZURE)
    assert scene.events == []
    told = {status.region: status.evidence for status in scene.board.statuses("api")}
    assert "no_route" in told["azure"]
    assert "not probed yet" in told["oci"]


def test_one_probe_brings_a_lost_endpoint_back() -> None:
    scene = Scene(policy())
    scene.all_well()
    scene.now += 100.0
    scene.board.settle()
    scene.events.clear()
    assert scene.probes("P", AZURE) == ["endpoint.recovered", "region.recovered"]


def test_a_flapping_endpoint_is_said_to_be_kept_out_once() -> None:
    rules = HealthRules(fall=1, rise=2, flap_penalty=1_000.0, flap_suppress=2_500.0, flap_half_life=300.0)
    scene = Scene(policy(health=rules))
    scene.all_well()
    scene.probes("FPPFPPF", AZURE)
    assert scene.probes("PP", AZURE) == ["endpoint.suppressed"]
    assert scene.probes("PPPPPP", AZURE) == []
    assert scene.health(AZURE) is Health.UNHEALTHY
    assert scene.events[-1].incident_id == scene.incidents.id_of("api")
    scene.now += 900.0
    assert scene.probes("P", AZURE) == ["endpoint.recovered", "region.recovered"]


def test_an_endpoint_is_as_healthy_as_the_worst_of_its_checks() -> None:
    checks = (Check("live", "https", 10.0, 2.0), Check("deep", "https", 60.0, 2.0))
    scene = Scene(policy(checks=checks))
    scene.probes("PP")
    assert scene.health(AZURE) is Health.UNKNOWN
    scene.probes("PP", check="deep")
    assert scene.health(AZURE) is Health.HEALTHY
    scene.probes("FFF", AZURE, check="deep")
    scene.probes("PPP", AZURE)
    assert scene.health(AZURE) is Health.UNHEALTHY


# -- newer revisions ---------------------------------------------------------------------------------------------------


def test_a_newer_revision_keeps_the_health_of_what_did_not_change() -> None:
    scene = Scene(policy())
    scene.all_well()
    scene.probes("FFF", AZURE)
    scene.board.watch(replace(scene.policy, owner="other"))
    assert (scene.health(AZURE), scene.health(OCI)) == (Health.UNHEALTHY, Health.HEALTHY)
    assert scene.probes("PP", AZURE) == ["endpoint.recovered", "region.recovered"]


def test_an_endpoint_that_is_added_is_no_incident() -> None:
    scene = Scene(policy())
    scene.all_well()
    scene.policy = replace(scene.policy, regions=regions(azure=(70, f"{AZURE} {SECOND}"), oci=(30, OCI)))
    scene.board.watch(scene.policy)
    scene.board.regions("api", RecordType.A)
    scene.probes("P", AZURE)
    scene.probes("PP", SECOND)
    scene.board.regions("api", RecordType.A)
    assert scene.region("azure") is RegionState.HEALTHY
    assert {event.name for event in scene.events} <= {"region.recovered"}
    assert scene.incidents.current("api") is None


def test_a_check_that_is_changed_starts_over_and_is_no_incident() -> None:
    scene = Scene(policy())
    scene.all_well()
    scene.policy = replace(scene.policy, checks=(Check("live", "https", 5.0, 2.0),))
    scene.board.watch(scene.policy)
    scene.board.regions("api", RecordType.A)
    assert scene.region("azure") is RegionState.UNKNOWN
    scene.probes("PP")
    assert scene.region("azure") is RegionState.HEALTHY
    assert {event.name for event in scene.events} <= {"region.recovered"}


def test_results_for_what_is_not_watched_any_more_are_dropped() -> None:
    scene = Scene(policy())
    stranger = endpoints("azure", "192.0.2.99")[0]
    result = ProbeResult(stranger, "live", ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED, Timings(0.0), scene.now)
    assert scene.board.observe("api", result) is IN_TURN
    scene.board.forget("api")
    assert scene.probes("FFF") == []


# -- asked about it ----------------------------------------------------------------------------------------------------


def test_the_board_says_where_its_regions_stand() -> None:
    scene = Scene(policy())
    scene.probes("PP")
    scene.probes("FFF", AZURE)
    found = Overview.of(scene.board.statuses("api"))
    by_region = {each.region: each for each in found.regions}
    assert {(each.region, each.endpoint): each.state for each in found.endpoints}["azure", AZURE] == "unhealthy"
    assert (by_region["azure"].state, by_region["oci"].state) == ("down", "healthy")
    assert by_region["azure"].score == 0
    assert AZURE in by_region["azure"].evidence


@pytest.mark.parametrize(
    ("script", "undecided", "calm"), [("P", True, False), ("PP", False, True), ("PPFFF", False, False)]
)
def test_it_knows_whether_all_is_decided_and_calm(script: str, undecided: bool, calm: bool) -> None:
    scene = Scene(policy())
    scene.probes(script)
    assert (scene.board.undecided("api"), scene.board.calm("api")) == (undecided, calm)


# -- dependencies ------------------------------------------------------------------------------------------------------

DATABASE = Dependency.of("192.0.2.50", 5432, Check("database", "tcp", 10.0, 2.0))


def needing() -> Policy:
    found = policy()
    azure, *others = found.regions
    return replace(found, regions=(replace(azure, depends_on=("database",)), *others), dependencies=(DATABASE,))


def knock(scene: Scene, script: str) -> list[str]:
    """Outcomes of probes at the database."""
    told = len(scene.events)
    for letter in script:
        scene.now += 1.0
        probe = (DATABASE.endpoint, "database", OUTCOMES[letter], REASONS[letter])
        scene.board.observe(scene.policy.name, ProbeResult(*probe, Timings(0.01), scene.now))
    return [event.name for event in scene.events[told:]]


def test_a_dependency_that_fails_is_told_and_moves_nothing() -> None:
    scene = Scene(needing())
    knock(scene, "PP")
    scene.all_well()
    assert knock(scene, "FFF") == ["dependency.failed"]
    assert scene.woken == []
    assert scene.region("azure") is RegionState.HEALTHY
    assert scene.board.calm("api")
    assert knock(scene, "PP") == ["dependency.recovered"]


def test_what_falls_while_its_dependency_is_down_is_explained_and_is_no_flapping() -> None:
    scene = Scene(needing())
    scene.all_well()
    knock(scene, "FFF")
    scene.probes("FFF", AZURE, OCI)
    failed = {event.endpoint: event for event in scene.events if isinstance(event, EndpointFailed)}
    assert failed[AZURE].explained_by == ("database",)
    assert "explained by database" in prose.say(failed[AZURE])
    assert failed[OCI].explained_by == ()
    assert "explained by database" in scene.board.regions("api", RecordType.A)["azure"].evidence
    penalties = [scene.check_health(address).penalty for address in (AZURE, OCI)]
    assert penalties[0] == 0.0
    assert penalties[1] > 0.0


# -- a prober that doubts itself ---------------------------------------------------------------------------------------

DNS = tuple(
    (Endpoint(SENTINELS, f"192.0.2.{last}"), Check(f"dns-{last}", "tcp", 10.0, 2.0)) for last in (201, 202, 203)
)


class Doubting(Scene):
    """A scene with three clouds, and sentinels if any are wanted."""

    def __init__(self, *, sentinels: bool) -> None:
        found = policy(regions=regions(azure=(50, AZURE), oci=(30, OCI), aws=(20, "203.0.113.10")))
        super().__init__(replace(found, regions=tuple(replace(spec, cloud=spec.name) for spec in found.regions)))
        table = HealthTable(self.now, None, DNS if sentinels else ())
        self.board = HealthBoard(self.events.append, lambda: self.now, self.incidents, self.hear, table)
        self.board.watch(self.policy)

    def listen(self, script: str) -> None:
        """Outcomes of probes at every sentinel."""
        for letter in script:
            self.now += 0.1
            for endpoint, check in DNS:
                probe = ProbeResult(endpoint, check.name, OUTCOMES[letter], REASONS[letter], Timings(0.01), self.now)
                self.board.observe(SENTINELS, probe)

    def names(self) -> list[str]:
        return [event.name for event in self.events]


def test_one_cloud_that_is_out_is_not_doubted() -> None:
    scene = Doubting(sentinels=False)
    scene.all_well()
    scene.probes("F", AZURE)
    scene.probes("P", OCI)
    assert "endpoint.failed" in scene.probes("FF", AZURE)
    assert "vantage.isolated" not in scene.names()


def test_an_uplink_that_is_lost_while_only_one_cloud_is_probed_gives_no_verdict() -> None:
    """The other clouds have their turn seconds later: until then nobody bears the failures out."""
    scene = Doubting(sentinels=False)
    scene.all_well()
    scene.now += 30.0
    assert scene.probes("F" * 6, AZURE) == []
    assert scene.probes("F" * 10, OCI, "203.0.113.10") == ["vantage.isolated"]


def test_an_endpoint_of_another_cloud_bears_a_failure_out() -> None:
    scene = Doubting(sentinels=False)
    scene.all_well()
    scene.now += 30.0
    assert scene.probes("FFFFF", AZURE) == []
    assert {due.endpoint.region for due in scene.due} == {"oci", "aws"}
    scene.probes("P", OCI)
    assert "endpoint.failed" in scene.probes("F", AZURE)


def test_a_failure_that_nobody_bears_out_is_probed_again_soon_and_believed_after_the_grace() -> None:
    """Who could bear it out is blind, or slow, or watched for another purpose: that must hold no failover for ever."""
    scene = Doubting(sentinels=False)
    scene.all_well()
    scene.now += 30.0
    (azure,) = scene._endpoints([AZURE])
    check, rules = scene.policy.checks[0], scene.policy.health
    probe = ProbeResult(azure, "live", ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED, Timings(0.0), scene.now)
    began = scene.now
    while "endpoint.failed" not in scene.names():
        again, _ = scene.board.observe("api", probe._replace(at=scene.now))
        assert again == rules.recheck or "endpoint.failed" in scene.names()
        scene.now += rules.recheck
    run = (rules.fall - 1) * rules.recheck
    assert scene.now - began <= run + grace(rules, check.timeout) + 2 * rules.recheck


def test_a_pass_in_between_neither_erases_a_failure_nor_holds_it_up() -> None:
    scene = Doubting(sentinels=False)
    scene.all_well()
    scene.now += 30.0
    assert "endpoint.failed" in scene.probes("FPFPF", AZURE)


def test_a_cloud_that_is_blind_is_no_witness_and_a_sibling_is_enough() -> None:
    found = policy(regions=regions(azure=(50, f"{AZURE} 192.0.2.11"), oci=(50, OCI)))
    scene = Doubting(sentinels=False)
    scene.policy = replace(found, regions=tuple(replace(spec, cloud=spec.name) for spec in found.regions))
    scene.board.watch(scene.policy)
    scene.probes("PP", AZURE, "192.0.2.11")
    scene.probes("B" * 5, OCI)
    scene.now += 30.0
    scene.probes("F", AZURE)
    scene.probes("P", "192.0.2.11")
    assert "endpoint.failed" in scene.probes("FF", AZURE)


def test_a_failure_that_is_an_answer_needs_nobody_to_bear_it_out() -> None:
    scene = Doubting(sentinels=False)
    scene.all_well()
    scene.now += 30.0
    for address in (AZURE, OCI):
        (endpoint,) = scene._endpoints([address])
        for _ in range(3):
            scene.now += 0.5
            timings, reason = Timings(0.01), ProbeReason.STATUS_UNEXPECTED
            scene.board.observe("api", ProbeResult(endpoint, "live", ProbeOutcome.FAIL, reason, timings, scene.now))
    assert scene.names().count("endpoint.failed") == 2
    assert "vantage.isolated" not in scene.names()


def test_an_endpoint_that_refuses_our_key_bears_out_that_another_cloud_is_silent() -> None:
    scene = Doubting(sentinels=False)
    scene.all_well()
    scene.now += 30.0
    assert scene.probes("FF", AZURE) == []
    (oci,) = scene._endpoints([OCI])
    refused = (ProbeOutcome.BLIND, ProbeReason.CREDENTIAL_REFUSED, Timings(0.01), scene.now)
    scene.board.observe("api", ProbeResult(oci, "live", *refused))
    assert "endpoint.failed" in scene.probes("F", AZURE)


def test_while_every_other_cloud_is_lost_already_a_failure_is_believed_at_once() -> None:
    scene = Doubting(sentinels=False)
    scene.all_well()
    for cloud in (OCI, "203.0.113.10"):
        scene.probes("F", cloud)
        scene.probes("P", AZURE)
        assert "endpoint.failed" in scene.probes("FF", cloud)
        scene.now += 60.0
    assert "endpoint.failed" in scene.probes("FFF", AZURE)


def test_everything_at_once_turns_nothing_unhealthy_until_it_is_seen_again() -> None:
    scene = Doubting(sentinels=False)
    scene.all_well()
    scene.probes("F" * 20)
    assert scene.names() == ["vantage.isolated"]
    assert scene.woken == []
    assert scene.board.vantage().isolated == ("IPv4",)
    assert "endpoints fail" in scene.board.vantage().evidence
    assert scene.probes("P") == ["vantage.rejoined"]
    assert scene.board.vantage().isolated == ()


def test_two_of_three_clouds_are_believed_after_the_bound() -> None:
    scene = Doubting(sentinels=False)
    scene.all_well()
    gone = (AZURE, OCI)
    scene.probes("F" * 3, *gone)
    assert scene.names() == ["vantage.isolated"]
    scene.probes("P", "203.0.113.10")
    scene.probes("F", *gone)
    scene.now += 60.0
    scene.probes("P", "203.0.113.10")
    told = scene.probes("FFF", *gone)
    assert told[0] == "vantage.rejoined"
    assert told.count("endpoint.failed") == 2


def test_sentinels_that_answer_make_a_great_outage_believable_at_once() -> None:
    scene = Doubting(sentinels=True)
    scene.listen("PPPPP")
    scene.all_well()
    scene.probes("F")
    scene.listen("P")
    assert scene.probes("FF").count("endpoint.failed") == 3


def test_without_word_of_the_sentinels_no_failure_is_a_verdict() -> None:
    scene = Doubting(sentinels=True)
    scene.listen("PPPPP")
    scene.all_well()
    scene.now += 30.0
    assert scene.probes("FFFFF", AZURE) == []
    scene.listen("P")
    assert "endpoint.failed" in scene.probes("F", AZURE)


def test_a_failure_that_is_held_back_asks_for_the_sentinels() -> None:
    scene = Doubting(sentinels=True)
    scene.listen("PPPPP")
    scene.all_well()
    scene.now += 30.0
    scene.probes("FF", AZURE)
    told = len(scene.events)
    (endpoint,) = scene._endpoints([AZURE])
    probe = ProbeResult(endpoint, "live", ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED, Timings(0.01), scene.now)
    held = scene.board.observe("api", probe)
    assert held.again == scene.policy.health.recheck - probe.timings.total
    assert {due.endpoint for due in held.others if due.policy == SENTINELS} == {endpoint for endpoint, _ in DNS}
    assert len(scene.events) == told
    unseen = scene.check_health(AZURE).unseen
    assert unseen is not None
    assert unseen.reason is ProbeReason.VANTAGE_ISOLATED


def test_a_prober_that_loses_its_uplink_says_so_and_turns_nothing() -> None:
    scene = Doubting(sentinels=True)
    scene.listen("PPPPP")
    scene.all_well()
    scene.probes("F")
    scene.listen("FF")
    scene.probes("F" * 20)
    assert scene.names() == ["vantage.isolated"]
    assert scene.board.vantage().silent == ("dns-201", "dns-202", "dns-203")
    scene.listen("PPPPP")
    assert scene.names() == ["vantage.isolated", "vantage.rejoined"]


def test_a_stranger_among_the_sentinels_is_dropped() -> None:
    scene = Doubting(sentinels=False)
    probe = ProbeResult(DNS[0][0], "dns-201", ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED, Timings(0.01), scene.now)
    assert scene.board.observe(SENTINELS, probe) is IN_TURN


def test_one_failure_in_a_hundred_moves_nothing_and_raises_no_doubt() -> None:
    scene, dice = Doubting(sentinels=True), random.Random(4)  # noqa: S311 - the same dice each time
    scene.listen("PPPPP")
    scene.all_well()
    for _ in range(2_000):
        scene.listen("P")
        for address in (AZURE, OCI, "203.0.113.10"):
            scene.probes("F" if dice.random() < 0.01 else "P", address)
    assert scene.names() == []


# -- evidence that is not what it seems --------------------------------------------------------------------------------


def test_a_failure_does_not_bring_back_that_a_lost_endpoint_was_well() -> None:
    scene = Scene(policy())
    scene.all_well()
    scene.now += 100.0
    scene.board.settle()
    scene.events.clear()
    assert "endpoint.recovered" not in scene.probes("F", AZURE)
    assert scene.health(AZURE) is Health.UNKNOWN
    assert "endpoint.failed" in scene.probes("FF", AZURE)


def test_a_new_check_forgets_nothing_of_the_others() -> None:
    rules = HealthRules(fall=1, rise=2, flap_penalty=1_000.0, flap_suppress=2_500.0)
    scene = Scene(policy(health=rules))
    scene.all_well()
    scene.probes("FPPFPPF", AZURE)
    deep = Check("deep", "https", 60.0, 2.0)
    newer = replace(scene.policy, checks=(*scene.policy.checks, deep))
    scene.board.watch(newer)
    assert scene.health(AZURE) is Health.UNHEALTHY
    assert scene.health(OCI) is Health.UNKNOWN  # it has yet to show itself under the new one
    scene.probes("PPP", AZURE)
    assert scene.health(AZURE) is Health.UNHEALTHY  # still kept out
    scene.events.clear()
    scene.probes("PP", OCI, check="deep")
    assert scene.health(OCI) is Health.HEALTHY


def test_a_service_that_fails_a_third_of_the_time_is_told_with_what_passed_in_between() -> None:
    scene = Scene(policy(health=HealthRules(fall=3, rise=4)))
    scene.probes("PPPP")
    scene.events.clear()
    scene.probes("FPPFPPF", AZURE)
    (failed,) = (event for event in scene.events if isinstance(event, EndpointFailed))
    assert (failed.failures, failed.passes) == (3, 4)
    began = phrases.moment(failed.failing_since or 0.0)
    assert f"{AZURE} in azure is down after 3 failures of 7 probes of live since {began}: " in prose.say(failed)
    assert failed.failing_since is not None
    assert failed.failing_since < failed.at
    scene.events.clear()
    scene.probes("PPPP", AZURE)
    (recovered,) = (event for event in scene.events if isinstance(event, EndpointRecovered))
    assert (recovered.failures, recovered.passes, recovered.failing_since) == (0, 4, None)
    assert "is up after 4 passes of live in a row" in prose.say(recovered)


def test_a_dependency_that_is_lost_from_sight_explains_nothing() -> None:
    scene = Scene(needing())
    knock(scene, "PP")
    scene.all_well()
    knock(scene, "FFF")
    scene.now += 200.0
    scene.board.settle()
    scene.probes("PP")
    scene.events.clear()
    scene.probes("FFF", AZURE)
    (failed,) = (event for event in scene.events if isinstance(event, EndpointFailed))
    assert failed.explained_by == ()
    assert knock(scene, "PP") == ["dependency.recovered"]


def test_a_dependency_in_no_cloud_needs_a_witness_as_well() -> None:
    found = needing()
    scene = Scene(replace(found, regions=tuple(replace(spec, cloud=spec.name) for spec in found.regions)))
    knock(scene, "PP")
    scene.all_well()
    scene.now += 30.0
    assert knock(scene, "FFF") == []
    scene.probes("P", AZURE)
    assert knock(scene, "F") == ["dependency.failed"]


def test_one_failure_after_an_isolation_does_not_complete_a_run_from_before_it() -> None:
    scene = Doubting(sentinels=True)
    scene.listen("PPPPP")
    scene.all_well()
    scene.probes("F")
    scene.listen("P")
    scene.probes("F")
    scene.listen("FF")
    scene.listen("PPPPP")
    assert scene.names()[-1] == "vantage.rejoined"
    scene.now += 20.0
    assert "endpoint.failed" not in scene.probes("F", AZURE)
    scene.listen("P")
    assert "endpoint.failed" in scene.probes("F", AZURE)


def test_a_plugin_that_is_content_does_not_show_that_the_network_is_there() -> None:
    checks = (Check("live", "https", 10.0, 2.0), Check("disk", "exec", 10.0, 2.0, uses_network=False))
    found = policy(regions=regions(azure=(50, AZURE), oci=(50, OCI)), checks=checks)
    scene = Scene(replace(found, regions=tuple(replace(spec, cloud=spec.name) for spec in found.regions)))
    scene.all_well()
    scene.probes("PP", check="disk")
    scene.now += 30.0
    scene.probes("F", AZURE)
    scene.probes("P", check="disk")
    assert scene.probes("FF", AZURE) == []
    scene.probes("P", OCI)
    assert "endpoint.failed" in scene.probes("F", AZURE)


def test_to_edit_a_check_during_an_isolation_is_no_sign_that_the_network_is_back() -> None:
    scene = Doubting(sentinels=False)
    scene.all_well()
    scene.probes("F" * 3)
    assert scene.names() == ["vantage.isolated"]
    (check,) = scene.policy.checks
    scene.board.watch(replace(scene.policy, checks=(replace(check, timeout=check.timeout / 2),)))
    scene.probes("F" * 5)
    assert scene.names() == ["vantage.isolated"]
    scene.probes("P")
    assert scene.names()[-1] == "vantage.rejoined"
