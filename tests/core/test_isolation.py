"""When the prober doubts itself: the rules of core/health/isolation.py, by what happened to it or to the clouds."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from support.scenes import NOW, result

from failoverd.core.health.endpoint import CheckHealth, Health, observe
from failoverd.core.health.isolation import (
    NEVER,
    CloudState,
    Doubt,
    DoubtCause,
    Family,
    IsolationRules,
    SentinelState,
    assess,
    doubted,
    family_of,
    seen_elsewhere,
    sentinel_groups,
    witnessed,
)
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Endpoint, HealthRules

RULES = IsolationRules(sentinels=5_000, window=10.0, doubt=60.0)


def clouds(now: float = NOW, **failing: int) -> list[CloudState]:
    """Clouds of two endpoints each, with how many of them fail; a lost one was lost `now`."""
    return [CloudState(name, 2, count, now if count == 2 else None) for name, count in failing.items()]


def voices(*, well: int = 0, down: int = 0, family: Family = Family.IPV4) -> list[SentinelState]:
    return [SentinelState(str(index), family, down=index < down, well=index >= down) for index in range(well + down)]


def judged(
    seen: list[CloudState],
    heard: list[SentinelState] | None = None,
    before: Doubt | None = None,
    now: float = NOW,
    *,
    answered: float | None = None,
) -> Doubt | None:
    """What is thought now; somebody answered at that time, or now if not all of the endpoints fail."""
    if answered is None and any(sight.failing < sight.watched for sight in seen):
        answered = now
    return assess(
        Family.IPV4, seen, heard or [], before, RULES, now, answered_at=NEVER if answered is None else answered
    )


def cause(doubt: Doubt | None) -> DoubtCause | None:
    return doubt.cause if doubt is not None and doubt.abstains else None


# -- common cause ------------------------------------------------------------------------------------------------------


def test_the_outage_of_one_cloud_is_believed() -> None:
    assert judged(clouds(azure=2, oci=0)) is None
    assert judged(clouds(azure=2, oci=1, aws=1)) is None


def test_a_single_cloud_says_nothing_about_the_prober() -> None:
    assert judged(clouds(azure=2)) is None


def test_two_of_four_clouds_are_doubted_and_two_of_five_are_not() -> None:
    assert cause(judged(clouds(a=2, b=2, c=0, d=0))) is DoubtCause.CLOUDS
    assert judged(clouds(a=2, b=2, c=0, d=0, e=0)) is None


def test_clouds_that_are_lost_one_after_the_other_are_believed() -> None:
    early, late = clouds(NOW, azure=2), clouds(NOW + 10.5, oci=2, aws=0)
    assert judged([*early, *late], now=NOW + 10.5) is None
    near = clouds(NOW + 10.0, oci=2, aws=0)
    assert cause(judged([*early, *near], now=NOW + 10.0)) is DoubtCause.CLOUDS


def test_a_doubt_is_bounded_while_another_cloud_is_in_sight() -> None:
    seen = clouds(azure=2, oci=2, aws=0)
    doubt = judged(seen)
    assert doubt is not None
    assert doubt.until == NOW + 60.0
    assert cause(judged(seen, before=doubt, now=NOW + 59.9)) is DoubtCause.CLOUDS
    believed = judged(seen, before=doubt, now=NOW + 60.0)
    assert believed is not None
    assert not believed.abstains
    assert cause(judged(seen, before=believed, now=NOW + 9_000.0)) is None


def test_what_was_believed_is_forgotten_once_all_of_it_is_back() -> None:
    seen = clouds(azure=2, oci=2, aws=0)
    believed = judged(seen, before=judged(seen), now=NOW + 60.0)
    assert judged(clouds(azure=0, oci=0, aws=0), before=believed, now=NOW + 100.0) is None
    assert cause(judged(clouds(NOW + 200.0, azure=2, oci=2, aws=0), now=NOW + 200.0)) is DoubtCause.CLOUDS


def test_while_everything_is_lost_no_time_ends_the_doubt() -> None:
    seen = clouds(azure=2, oci=2)
    doubt = judged(seen)
    assert cause(judged(seen, before=doubt, now=NOW + 86_400.0)) is DoubtCause.CLOUDS


def test_a_doubt_that_spreads_to_everything_loses_its_bound() -> None:
    doubt = judged(clouds(azure=2, oci=2, aws=0))
    spread = [*clouds(azure=2, oci=2), *clouds(NOW + 8.0, aws=2)]
    doubt = judged(spread, before=doubt, now=NOW + 8.0, answered=NOW + 2.0)
    assert cause(judged(spread, before=doubt, now=NOW + 60.0, answered=NOW + 2.0)) is DoubtCause.CLOUDS
    assert cause(judged(spread, before=doubt, now=NOW + 86_400.0, answered=NOW + 2.0)) is DoubtCause.CLOUDS


def test_a_doubt_is_bounded_too_while_a_part_of_the_lost_clouds_answers() -> None:
    """A bad release that crashes two thirds of both clouds must not be withheld for ever."""
    most = [CloudState("azure", 3, 2, NOW), CloudState("oci", 3, 2, NOW + 5.0)]
    doubt = judged(most, now=NOW + 5.0)
    assert cause(judged(most, before=doubt, now=NOW + 64.9)) is DoubtCause.CLOUDS
    assert cause(judged(most, before=doubt, now=NOW + 65.0)) is None


def test_a_third_cloud_that_hiccups_does_not_put_the_bound_off() -> None:
    seen, hiccup = clouds(azure=2, oci=2, aws=0), [*clouds(azure=2, oci=2), *clouds(NOW + 30.0, aws=2)]
    doubt = judged(seen)
    doubt = judged(hiccup, before=doubt, now=NOW + 30.0, answered=NOW + 20.0)
    doubt = judged(seen, before=doubt, now=NOW + 30.5)
    assert cause(judged(seen, before=doubt, now=NOW + 60.0)) is None


def test_a_cloud_that_came_back_is_doubted_anew_while_another_is_still_believed_lost() -> None:
    four = clouds(azure=2, oci=2, aws=0, gcp=0)
    believed = judged(four, before=judged(four), now=NOW + 60.0)
    back = clouds(azure=2, oci=0, aws=0, gcp=0)
    believed = judged(back, before=believed, now=NOW + 600.0)
    assert believed is not None
    assert believed.believed == {"azure"}
    away = [*clouds(azure=2), *clouds(NOW + 3_600.0, oci=2, aws=2, gcp=2)]
    doubt = judged(away, before=believed, now=NOW + 3_600.0)
    assert cause(doubt) is DoubtCause.CLOUDS
    assert doubt is not None
    assert doubt.clouds == {"oci", "aws", "gcp"}
    assert doubt.believed == {"azure"}


# -- sentinels ---------------------------------------------------------------------------------------------------------


def test_half_of_the_sentinels_down_isolate_whatever_the_clouds_do() -> None:
    assert cause(judged(clouds(azure=0, oci=0), voices(well=1, down=1))) is DoubtCause.SENTINELS
    assert judged(clouds(azure=0, oci=0), voices(well=2, down=1)) is None


def test_sentinels_that_are_all_well_clear_the_prober_at_once() -> None:
    seen = clouds(azure=2, oci=2)
    assert judged(seen, voices(well=3)) is None
    assert judged(seen, voices(well=3), before=judged(seen), now=NOW + 1.0) is None


def test_sentinels_that_are_mostly_well_clear_the_prober_too_for_one_of_them_may_be_gone() -> None:
    assert judged(clouds(azure=2, oci=2), voices(well=2, down=1)) is None


def test_sentinels_that_are_neither_well_nor_down_leave_it_to_the_clouds() -> None:
    shaky = [replace(voice, well=False) for voice in voices(well=3)]
    assert cause(judged(clouds(azure=2, oci=2, aws=0), shaky)) is DoubtCause.CLOUDS


def test_a_sentinel_of_the_other_family_neither_accuses_nor_clears() -> None:
    six = voices(down=3, family=Family.IPV6)
    assert judged(clouds(azure=0, oci=0), six) is None
    assert cause(judged(clouds(azure=2, oci=2), voices(well=3, family=Family.IPV6))) is DoubtCause.CLOUDS


def test_a_prober_without_ipv6_is_isolated_in_ipv6_alone() -> None:
    heard = [*voices(well=2), *voices(down=2, family=Family.IPV6)]
    assert assess(Family.IPV4, clouds(azure=0), heard, None, RULES, NOW) is None
    assert cause(assess(Family.IPV6, clouds(azure=2), heard, None, RULES, NOW)) is DoubtCause.SENTINELS


def test_a_prober_without_ipv6_still_judges_host_names() -> None:
    heard = [*voices(well=3), *voices(down=3, family=Family.IPV6)]
    assert assess(Family.NAME, clouds(azure=2, oci=2), heard, None, RULES, NOW) is None
    deaf = [*voices(down=3), *voices(down=3, family=Family.IPV6)]
    assert cause(assess(Family.NAME, clouds(azure=0), deaf, None, RULES, NOW)) is DoubtCause.SENTINELS


def test_who_speaks_for_whom() -> None:
    four, six, name = (SentinelState(of, of) for of in Family)
    heard = [four, six, name, SentinelState("blind", Family.IPV4, blind=True)]
    assert sentinel_groups(Family.IPV4, heard) == [[four, name]]
    assert sentinel_groups(Family.IPV6, heard) == [[six]]
    assert sentinel_groups(Family.NAME, heard) == [[four, name], [six]]
    assert sentinel_groups(Family.IPV6, [four, name]) == []


def test_families_of_addresses() -> None:
    addresses = ("192.0.2.1", "2001:db8::1", "api.example.net")
    families = [family_of(Endpoint("azure", address).family) for address in addresses]
    assert families == [Family.IPV4, Family.IPV6, Family.NAME]


# -- witnesses ---------------------------------------------------------------------------------------------------------


def test_a_failure_is_believed_when_enough_sentinels_answered() -> None:
    assert witnessed([True, True, False], RULES)
    assert not witnessed([True, False], RULES)
    assert not witnessed([False, False, True], RULES)
    assert witnessed([], RULES)


def test_a_failure_is_believed_when_another_cloud_answered_or_all_were_lost_long_before() -> None:
    azure, oci = clouds(azure=0, oci=2)
    later = NOW + 60.0
    assert seen_elsewhere([(azure, True), (oci, False)], later, 10.0)
    assert not seen_elsewhere([(azure, False), (oci, True)], later, 10.0)
    assert seen_elsewhere([(oci, False)], later, 10.0)
    assert not seen_elsewhere([(oci, False)], NOW + 9.0, 10.0)
    assert seen_elsewhere([], NOW, 10.0)


def test_a_doubted_failure_keeps_what_was_seen() -> None:
    taken = doubted(result("F")._replace(detail="no answer"), "2 of 3 sentinels do not answer")
    assert (taken.outcome, taken.reason) == (ProbeOutcome.BLIND, ProbeReason.VANTAGE_ISOLATED)
    assert taken.detail == "connect_refused (no answer), not counted: 2 of 3 sentinels do not answer"


# -- any series --------------------------------------------------------------------------------------------------------

sights = st.lists(
    st.builds(
        lambda name, failing, at: CloudState(name, 2, failing, at if failing == 2 else None),
        st.sampled_from("abcdef"),
        st.integers(0, 2),
        st.floats(0, 100),
    ),
    max_size=6,
    unique_by=lambda sight: sight.cloud,
)


@given(sights)
def test_one_lost_cloud_is_never_doubted(seen: list[CloudState]) -> None:
    one = [sight for index, sight in enumerate(seen) if index == 0 or not sight.lost]
    assert judged(one, now=100.0) is None


@given(sights, st.integers(1, 5))
def test_while_all_sentinels_are_well_nothing_is_doubted(seen: list[CloudState], many: int) -> None:
    assert judged(seen, voices(well=many), now=100.0) is None


@given(sights, sights)
def test_equal_sights_give_equal_doubts(first: list[CloudState], then: list[CloudState]) -> None:
    once, again = (judged(list(then), before=judged(list(first), now=100.0), now=130.0) for _ in range(2))
    assert once == again


@given(st.text("PFDB", max_size=60), st.integers(1, 5))
def test_no_series_turns_unhealthy_while_its_failures_are_doubted(script: str, fall: int) -> None:
    health = CheckHealth()
    for index, letter in enumerate(script):
        seen = result(letter, NOW + index)
        taken = doubted(seen, "isolated") if seen.outcome is ProbeOutcome.FAIL else seen
        health = observe(health, taken, HealthRules(fall=fall, rise=2)).health
        assert health.state is not Health.UNHEALTHY
        assert health.failures == 0
