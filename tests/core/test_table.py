"""What the check table tells of a region while its endpoints fail, and whom it has probed for that."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from support.stage import AWS, AZURE, OCI, policy, regions

from failoverd.core.health.policy_health import FLOOR
from failoverd.core.health.region import RegionHealth, RegionState
from failoverd.core.health.table import RETOLD, HealthTable
from failoverd.core.health.transitions import NOTHING_NEW, News, ProbeDue, Transition
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import (
    Check,
    Endpoint,
    HealthRules,
    LatencyBand,
    Model,
    Policy,
    ProbeResult,
    RecordType,
    Timings,
)
from failoverd.core.status import RegionStatus

TOOK = 0.02
RULES = HealthRules(fall=3, rise=2, recheck=0.5)
PAIR = ("192.0.2.10", "192.0.2.11")
THREE = policy(regions=regions(azure=(40, AZURE), oci=(30, OCI), aws=(30, AWS)), health=RULES)
PAIRS = policy(regions=regions(azure=(40, " ".join(PAIR)), oci=(30, OCI), aws=(30, AWS)), health=RULES)


class Scene:
    """A table, and a clock that a script moves."""

    def __init__(self, found: Policy) -> None:
        self.now = 1_000.0
        self.policy = found
        self.table = HealthTable(self.now)
        self.table.watch(found, self.now)
        self.transitions: list[Transition] = []
        self.due: list[ProbeDue] = []
        self.again: float | None = None

    def feed(
        self,
        outcome: ProbeOutcome,
        *addresses: str,
        after: float = 0.0,
        check: str = "live",
        why: ProbeReason = ProbeReason.STATUS_UNEXPECTED,
    ) -> None:
        self.now += after
        reason = ProbeReason.OK if outcome is ProbeOutcome.PASS else why
        for endpoint in self._endpoints(addresses):
            result = ProbeResult(endpoint, check, outcome, reason, Timings(TOOK), self.now)
            transitions, (self.again, others) = self.table.feed(self.policy.name, result, self.now)
            self.transitions += transitions
            self.due += others

    def passes(self, *addresses: str, after: float = 0.0) -> None:
        self.feed(ProbeOutcome.PASS, *addresses, after=after)

    def fails(self, *addresses: str, after: float = 0.0) -> None:
        self.feed(ProbeOutcome.FAIL, *addresses, after=after)

    def fails_so(self, why: ProbeReason, address: str, *, after: float = 0.5) -> None:
        self.feed(ProbeOutcome.FAIL, address, after=after, why=why)

    def all_well(self) -> None:
        for check in self.policy.checks:
            for _ in range(3):
                self.feed(ProbeOutcome.PASS, after=1.0, check=check.name)
        self.transitions.clear()
        self.due.clear()

    def region(self, name: str) -> RegionHealth:
        return self.table.regions(self.policy.name, RecordType.A, self.now)[name]

    @property
    def called(self) -> int:
        """How often the policy was called."""
        return sum(1 for each in self.transitions if isinstance(each, News) and not each.more)

    def asked(self) -> set[str]:
        """The regions of which somebody is due now."""
        return {due.endpoint.region for due in self.due if due.afresh}

    def endpoint(self, address: str) -> Endpoint:
        return self._endpoints([address])[0]

    def _endpoints(self, addresses: Iterable[str]) -> list[Endpoint]:
        every = [endpoint for spec in self.policy.regions for endpoint in spec.endpoints]
        return [endpoint for endpoint in every if not addresses or endpoint.address in addresses]


def settled(found: Policy = THREE) -> Scene:
    scene = Scene(found)
    scene.all_well()
    return scene


# -- what is told is of now --------------------------------------------------------------------------------------------


def test_another_reason_of_the_same_failure_is_told_though_the_verdict_stays() -> None:
    scene = settled()
    for _ in range(3):
        scene.fails_so(ProbeReason.CONNECT_REFUSED, AZURE)
    assert "connect_refused" in scene.region("azure").evidence
    scene.transitions.clear()
    scene.fails_so(ProbeReason.RESPONSE_TIMEOUT, AZURE, after=10.0)
    endpoint, *_ = scene.table.statuses(scene.policy.name, scene.now)
    assert "response_timeout" in scene.region("azure").evidence
    assert "response_timeout" in endpoint.evidence
    assert scene.transitions == []


def test_an_answer_that_is_another_each_time_is_not_told_each_time() -> None:
    scene = settled()
    for _ in range(3):
        scene.fails_so(ProbeReason.CONNECT_REFUSED, AZURE)
    told = set()
    for number in range(60):
        scene.fails_so((ProbeReason.RESPONSE_TIMEOUT, ProbeReason.CONNECT_REFUSED)[number % 2], AZURE)
        told.add(id(scene.table.verdicts(scene.policy.name)[scene.endpoint(AZURE)]))
    assert 0 < len(told) <= 60 * 0.5 / RETOLD + 1


def test_who_passes_and_is_kept_out_is_told_so_with_its_end_and_calls_the_policy() -> None:
    scene = settled(replace(THREE, health=replace(RULES, flap_suppress=1_500.0)))
    for _ in range(2):
        for _ in range(3):
            scene.fails(AZURE, after=0.5)
        scene.transitions.clear()
        for _ in range(3):
            scene.passes(AZURE, after=2.0)
    region = scene.region("azure")
    assert region.evidence == f"{AZURE} unhealthy (live passes again, and it is kept out because it flapped)"
    assert (region.flapped, scene.called) == ((AZURE,), 1)
    assert region.flapping_until is not None
    (status,) = (
        each for each in scene.table.statuses(scene.policy.name, scene.now) if each.evidence == region.evidence
    )
    assert isinstance(status, RegionStatus)
    assert status.flapping_until == region.flapping_until
    scene.fails(AZURE, after=10.0)
    assert scene.region("azure").flapping_until is None


# -- what a region tells -----------------------------------------------------------------------------------------------


def test_a_region_that_is_well_says_when_it_last_passed_and_nothing_else() -> None:
    scene = settled()
    scene.passes(AZURE, after=7.0)
    health = scene.region("azure")
    assert (health.failing_since, health.open_until) == (None, None)
    assert health.passed_at == pytest.approx(scene.now - TOOK)


def test_the_verdict_on_a_region_is_open_from_its_first_failure_until_it_is_settled_or_could_have_been() -> None:
    scene = settled()
    scene.fails(AZURE, after=5.0)
    began = scene.now - TOOK
    health = scene.region("azure")
    assert health.state is RegionState.HEALTHY
    assert health.failing_since == pytest.approx(began)
    assert health.open_until == pytest.approx(began + 3 * 0.5 + 2.0)
    scene.fails(AZURE, after=0.5)
    assert scene.region("azure").open_until == health.open_until
    scene.fails(AZURE, after=0.5)
    down = scene.region("azure")
    assert (down.state, down.open_until) == (RegionState.DOWN, None)
    assert down.failing_since == health.failing_since
    assert down.passed_at is not None
    assert down.passed_at < began


def test_an_open_verdict_is_open_no_longer_than_it_can_take() -> None:
    scene = settled()
    scene.fails(AZURE)
    scene.now += 3 * 0.5 + 2.0
    assert scene.region("azure").open_until is None


def test_a_failure_that_cannot_bring_its_region_down_opens_no_verdict_on_it() -> None:
    scene = settled(PAIRS)
    scene.fails(PAIR[0])
    assert scene.region("azure").failing_since is not None
    assert scene.region("azure").open_until is None
    scene.fails(PAIR[1])
    assert scene.region("azure").open_until is not None


def test_passes_that_clear_the_failures_end_it_and_call_whoever_held_still() -> None:
    scene = settled()
    scene.fails(AZURE)
    scene.passes(AZURE, after=0.5)
    assert scene.region("azure").open_until is not None
    assert scene.called == 0
    scene.passes(AZURE, after=0.5)
    health = scene.region("azure")
    assert (health.state, health.failing_since, health.open_until) == (RegionState.HEALTHY, None, None)
    assert scene.called == 1


def test_a_region_that_came_back_fails_no_longer() -> None:
    scene = settled()
    for _ in range(3):
        scene.fails(AZURE, after=0.5)
    for _ in range(2):
        assert scene.region("azure").failing_since is not None
        scene.passes(AZURE, after=10.0)
    assert scene.region("azure").failing_since is None


def test_what_failed_long_ago_is_no_part_of_a_fall_that_begins_now() -> None:
    scene = settled(PAIRS)
    for _ in range(3):
        scene.fails(PAIR[0], after=0.5)
    scene.passes(PAIR[1])
    scene.fails(PAIR[1], after=3_600.0)
    assert scene.region("azure").failing_since == pytest.approx(scene.now - TOOK)


def test_a_region_passed_when_an_endpoint_passed_all_of_its_checks() -> None:
    checks = (Check("live", "https", 10.0, 2.0), Check("deep", "https", 60.0, 2.0))
    scene = settled(policy(regions=regions(azure=(70, AZURE), oci=(30, OCI)), checks=checks, health=RULES))
    earlier = scene.region("azure").passed_at
    scene.feed(ProbeOutcome.PASS, AZURE, after=5.0, check="live")
    assert scene.region("azure").passed_at != pytest.approx(scene.now - TOOK)
    scene.feed(ProbeOutcome.PASS, AZURE, after=5.0, check="deep")
    assert scene.region("azure").passed_at == pytest.approx(scene.now - TOOK - 5.0)
    assert earlier is not None


def test_a_newer_revision_forgets_neither_failures_nor_since_when() -> None:
    scene = settled()
    scene.fails(AZURE)
    before = scene.region("azure")
    scene.table.watch(scene.policy, scene.now)
    assert scene.region("azure") == before


# -- whom it has probed ------------------------------------------------------------------------------------------------


def test_failures_that_begin_have_one_endpoint_of_each_other_region_probed_at_once() -> None:
    scene = settled(PAIRS)
    scene.fails(OCI)
    asked = [due for due in scene.due if due.afresh]
    assert sorted(due.endpoint.region for due in asked) == ["aws", "azure"]
    assert {due.delay for due in asked} == {0.0}


def test_each_further_failure_of_an_open_region_asks_again_but_not_all_the_time() -> None:
    scene = settled()
    scene.fails(AZURE)
    scene.due.clear()
    scene.fails(AZURE, after=0.1)
    assert scene.asked() == set()
    scene.due.clear()
    scene.fails(AZURE, after=0.2)
    assert scene.asked() == {"oci", "aws"}


def test_nobody_asks_a_region_whose_own_verdict_is_open_or_that_is_down() -> None:
    scene = settled()
    scene.fails(AZURE)
    scene.due.clear()
    scene.fails(OCI, after=0.3)
    assert scene.asked() == {"aws"}


def test_a_pass_that_was_asked_for_after_a_region_is_down_calls_the_policy_once() -> None:
    scene = settled()
    for _ in range(3):
        scene.fails(AZURE, after=0.5)
    called = scene.called
    scene.passes(OCI, after=0.1)
    assert scene.called == called + 1
    scene.passes(OCI, after=0.1)
    assert scene.called == called + 1


def test_a_pass_in_turn_is_nothing_new() -> None:
    scene = settled()
    (endpoint,) = (each for spec in THREE.regions for each in spec.endpoints if each.address == AZURE)
    result = ProbeResult(endpoint, "live", ProbeOutcome.PASS, ProbeReason.OK, Timings(TOOK), scene.now)
    assert scene.table.feed("api", result, scene.now) is NOTHING_NEW


# -- endpoints that bear each other out --------------------------------------------------------------------------------


def test_two_endpoints_that_fail_together_are_probed_again_after_a_moment() -> None:
    scene = settled(PAIRS)
    scene.fails(PAIR[0])
    assert scene.again == 0.5 - TOOK
    scene.due.clear()
    scene.fails(PAIR[1], after=0.03)
    assert scene.again == FLOOR
    (brought_forward,) = (due for due in scene.due if due.endpoint.region == "azure")
    assert brought_forward.endpoint.address == PAIR[0]
    assert brought_forward.delay == pytest.approx(FLOOR - 0.03)


def test_one_endpoint_that_fails_alone_is_in_no_such_haste() -> None:
    scene = settled()
    for _ in range(2):
        scene.fails(AZURE, after=0.5)
        assert scene.again == 0.5 - TOOK


def test_a_pass_ends_the_haste_of_an_endpoint_and_it_begins_once_in_an_interval() -> None:
    scene = settled(PAIRS)
    scene.fails(*PAIR)
    scene.passes(*PAIR, after=FLOOR)
    assert scene.again == 0.5
    scene.passes(*PAIR, after=0.5)
    scene.fails(*PAIR, after=0.5)
    assert scene.again == 0.5 - TOOK
    scene.passes(*PAIR, after=0.5)
    scene.passes(*PAIR, after=0.5)
    scene.fails(*PAIR, after=10.0)
    assert scene.again == FLOOR


# -- which checks have to be well --------------------------------------------------------------------------------------

MODEL = Check("model", "https", every=10.0, timeout=2.0)
EITHER = replace(PAIRS, checks=(*PAIRS.checks, MODEL), health=replace(RULES, checks=1))


def test_where_one_check_is_enough_the_failures_of_the_other_bring_nothing_down() -> None:
    scene = settled(EITHER)
    for _ in range(3):
        scene.feed(ProbeOutcome.FAIL, *PAIR, check="model", after=0.5)
    assert scene.region("azure").state is RegionState.HEALTHY
    assert scene.region("azure").open_until is None
    assert scene.called == 0


def test_an_endpoint_is_down_in_the_moment_in_which_too_few_checks_are_left() -> None:
    scene = settled(EITHER)
    for _ in range(3):
        scene.feed(ProbeOutcome.FAIL, *PAIR, check="model", after=0.5)
    scene.feed(ProbeOutcome.FAIL, *PAIR, after=10.0)
    assert scene.region("azure").open_until is not None
    assert scene.again is not None
    assert scene.again <= RULES.recheck
    for _ in range(2):
        scene.feed(ProbeOutcome.FAIL, *PAIR, after=0.5)
    found = scene.region("azure")
    assert found.state is RegionState.DOWN
    assert "0 of 2 checks well, 1 needed: live " in found.evidence
    assert "model " in found.evidence


def test_what_is_told_of_an_endpoint_that_is_well_names_the_check_that_is_not() -> None:
    scene = settled(EITHER)

    def evidence() -> str:
        statuses = scene.table.statuses("api", scene.now)
        return next(each.evidence for each in statuses if getattr(each, "endpoint", "") == PAIR[0])

    for _ in range(3):
        scene.feed(ProbeOutcome.FAIL, PAIR[0], check="model", after=0.5)
    assert evidence().startswith("1 of 2 checks well, 1 needed: model ")
    for _ in range(2):
        scene.feed(ProbeOutcome.PASS, PAIR[0], check="model", after=10.0)
    assert "needed" not in evidence()


def test_a_region_passed_when_as_many_checks_passed_as_have_to() -> None:
    scene = settled(EITHER)
    scene.passes(AZURE, after=10.0)
    passed = scene.region("azure").passed_at
    assert passed is not None
    assert passed == pytest.approx(scene.now - TOOK)


# -- weights of endpoints ----------------------------------------------------------------------------------------------


def test_the_failures_of_a_heavy_endpoint_open_the_verdict_on_its_region_and_a_light_one_s_do_not() -> None:
    spec = replace(PAIRS.regions[0], weights=(1, 3))
    heavy = replace(PAIRS, regions=(spec, *PAIRS.regions[1:]))
    light, weighty = PAIR
    scene = settled(heavy)
    scene.fails(light)
    assert scene.region("azure").open_until is None
    scene.fails(weighty, after=0.5)
    assert scene.region("azure").open_until is not None
    for _ in range(2):
        scene.fails(weighty, after=0.5)
        scene.passes(light)
    assert (scene.region("azure").state, scene.region("azure").score) == (RegionState.DOWN, 2_500)


# -- how far away regions are ------------------------------------------------------------------------------------------

MEASURED = replace(THREE, latency=LatencyBand())


def connected(scene: Scene, took: float, times: int = 30, outcome: ProbeOutcome = ProbeOutcome.PASS) -> float | None:
    """What azure's connections take at the median, after so many probes of it."""
    endpoint = scene.endpoint(AZURE)
    for _ in range(times):
        scene.now += 1.0
        reason = ProbeReason.OK if outcome is ProbeOutcome.PASS else ProbeReason.OVERLOADED
        result = ProbeResult(endpoint, "live", outcome, reason, Timings(2 * took, connect=took), scene.now)
        scene.table.feed("api", result, scene.now)
    return scene.region("azure").latency


def test_a_region_tells_how_long_connections_take_where_the_policy_asks_for_it() -> None:
    scene = settled(MEASURED)
    assert connected(scene, 0.02) == pytest.approx(0.02, rel=0.011)
    assert scene.region("oci").latency is None
    told = {each.region: each for each in scene.table.statuses("api", scene.now) if isinstance(each, RegionStatus)}
    assert told["azure"].latency == scene.region("azure").latency
    assert connected(settled(THREE), 0.02) is None


def test_only_what_passed_counts_and_nothing_while_the_prober_is_behind() -> None:
    scene = settled(MEASURED)
    assert connected(scene, 0.02, outcome=ProbeOutcome.DEGRADED) is None
    scene.table.stretch(2)
    assert connected(scene, 0.02) is None


def test_a_newer_revision_keeps_what_was_measured_over_the_same_window() -> None:
    scene = settled(MEASURED)
    connected(scene, 0.02)
    scene.table.watch(replace(MEASURED, demand=100.0), scene.now)
    assert scene.region("azure").latency == pytest.approx(0.02, rel=0.011)
    scene.table.watch(replace(MEASURED, latency=LatencyBand(window=60.0)), scene.now)
    assert scene.region("azure").latency is None


# -- which model is seen -----------------------------------------------------------------------------------------------

OLD, NEW = Model("llama", "r1"), Model("llama", "r2")
WANTING = replace(PAIRS, model=OLD)


def shows(scene: Scene, address: str, served: Model | None, outcome: ProbeOutcome = ProbeOutcome.PASS) -> None:
    reason = ProbeReason.OK if outcome is ProbeOutcome.PASS else ProbeReason.NO_ROUTE
    result = ProbeResult(scene.endpoint(address), "live", outcome, reason, Timings(TOOK), scene.now, served=served)
    scene.transitions += scene.table.feed(scene.policy.name, result, scene.now).transitions


def test_what_is_seen_first_counts_at_once_and_another_model_once_it_was_seen_often_enough() -> None:
    scene = settled(WANTING)
    shows(scene, AWS, OLD)
    assert (scene.region("aws").served, scene.called) == ((OLD,), 0)
    for _ in range(RULES.fall - 1):
        shows(scene, AWS, NEW)
    assert (scene.region("aws").served, scene.called) == ((OLD,), 0)
    shows(scene, AWS, NEW)
    assert (scene.region("aws").served, scene.called) == ((NEW,), 1)


def test_servers_of_both_behind_one_address_swing_nothing() -> None:
    scene = settled(WANTING)
    for _ in range(20):
        shows(scene, AWS, OLD)
        shows(scene, AWS, NEW)
        shows(scene, AWS, NEW)
    assert (scene.region("aws").served, scene.called) == ((OLD,), 0)


def test_a_probe_that_did_not_look_says_nothing_of_the_model() -> None:
    scene = settled(WANTING)
    shows(scene, AWS, OLD)
    shows(scene, AWS, NEW)
    for outcome in (ProbeOutcome.PASS, ProbeOutcome.BLIND):
        shows(scene, AWS, None, outcome)
    shows(scene, AWS, NEW)
    shows(scene, AWS, NEW)
    assert scene.region("aws").served == (NEW,), "those who looked saw it three times in a row"


def test_a_region_serves_what_its_endpoints_do_that_are_well() -> None:
    scene = settled(WANTING)
    shows(scene, PAIR[0], OLD)
    shows(scene, PAIR[1], NEW)
    assert scene.region("azure").served == (OLD, NEW)
    for _ in range(RULES.fall):
        scene.fails(PAIR[1], after=1.0)
    assert scene.region("azure").served == (OLD,)


def test_what_was_seen_outlives_an_edit_of_the_policy_and_not_one_of_the_check() -> None:
    scene = settled(WANTING)
    shows(scene, AWS, NEW)
    scene.table.watch(replace(WANTING, model=NEW), scene.now)
    assert scene.region("aws").served == (NEW,)
    scene.table.watch(replace(WANTING, checks=(replace(WANTING.checks[0], timeout=9.0),)), scene.now)
    assert scene.region("aws").served == ()


def test_who_wants_no_model_is_told_of_none() -> None:
    scene = settled(PAIRS)
    shows(scene, AWS, OLD)
    assert scene.region("aws").served == ()
