"""Alerts of a monitoring system: what becomes a cause, until when, and who has the last word."""

from dataclasses import replace

import pytest
from support.stage import API, AZURE, OCI, normal, playing, policy, regions
from support.virtual import until, virtually

from failoverd.core.events import (
    AlertIgnored,
    ChangeApplied,
    IncidentClosed,
    IncidentOpened,
    OverrideEnded,
    OverrideEnding,
    OverrideEvent,
)
from failoverd.core.overrides import LONGEST, Override, Scope, Verb
from failoverd.operations.alerting import HOLDS, Alert, AlertHeard, heard
from failoverd.operations.commanding import Desk, WordRequest
from failoverd.operations.judging import OverrideError
from failoverd.simulation.virtual_time import elapse, now
from failoverd.telemetry.prose import say

AM = "alertmanager"
NOW = 1_800_000_000.0
THREE = policy(failback_after=20.0, regions=regions(azure=(70, AZURE), oci=(30, OCI), aws=(0, "203.0.113.10")))
POLICIES = {API.name: API}
GPU = Alert(
    "f1a2b3", {"alertname": "GpuFailing", "failoverd_region": "azure", "severity": "critical"}, firing=True,
    summary="two of eight GPUs are gone",
)  # fmt: skip
RESOLVED = replace(GPU, firing=False)


def labelled(**labels: str) -> Alert:
    return replace(GPU, labels={**GPU.labels, **labels})


def hear(alert: Alert = GPU, *words: Override, at: float = NOW) -> AlertHeard:
    return heard(alert, words, POLICIES, AM, at)


def given(alert: Alert = GPU) -> Override:
    word = hear(alert).word
    assert word is not None
    return word


def test_an_alert_with_a_region_is_a_word_with_an_owner_a_reason_and_an_end() -> None:
    word = given()
    assert (word.verb, word.scope.text(), word.name, word.actor) == (Verb.ALERT, "region azure", "degraded", AM)
    assert word.reason == "GpuFailing (critical): two of eight GPUs are gone"
    assert word.until == NOW + HOLDS


def test_it_says_for_which_policy_and_how_ill() -> None:
    word = given(labelled(failoverd_policy=API.name, failoverd_verdict="down"))
    assert (word.scope.text(), word.name) == (f"region azure of policy {API.name}", "down")


@pytest.mark.parametrize(
    ("ends", "holds"), [(NOW + 60, 60), (NOW + 1e9, LONGEST), (-62_135_596_800.0, HOLDS), (NOW, HOLDS)]
)
def test_it_ends_as_it_says_and_after_72_hours_at_most(ends: float, holds: float) -> None:
    assert given(replace(GPU, ends=ends)).until == NOW + holds


@pytest.mark.parametrize(
    "labels",
    [
        {"failoverd_region": ""},
        {"failoverd_region": "nowhere"},
        {"failoverd_region": "*"},
        {"failoverd_policy": "nobody"},
        {"failoverd_policy": "*"},
        {"failoverd_verdict": "on fire"},
    ],
)
def test_what_is_not_for_us_is_ignored_and_says_why(labels: dict[str, str]) -> None:
    found = hear(labelled(**labels))
    assert (found.became, found.word, bool(found.why)) == ("ignored", None, True)


def test_notified_of_again_it_holds_longer_and_nothing_is_told() -> None:
    again = hear(GPU, given(), at=NOW + 600)
    assert (again.became, again.event) == ("extended", None)
    assert again.word == replace(given(), until=NOW + 600 + HOLDS)


def test_that_it_got_worse_is_told() -> None:
    found = hear(labelled(failoverd_verdict="down"), given(), at=NOW + 60)
    assert (found.became, found.event is not None) == ("changed", True)


def test_resolved_it_is_over_and_may_fire_again() -> None:
    over = hear(RESOLVED, given(), at=NOW + 60)
    assert (over.became, over.word is not None and over.word.over_by(NOW + 60)) == ("ended", True)
    assert over.word is not None
    assert hear(GPU, over.word, at=NOW + 120).became == "given"
    assert hear(RESOLVED, over.word, at=NOW + 120).became == "known"


def test_what_a_person_released_stays_so_until_the_alert_was_resolved() -> None:
    released = given().released("alice", "the alert is wrong", NOW + 60)
    found = hear(GPU, released, at=NOW + 120)
    assert (found.became, found.why) == ("ignored", f"{released.id} was released by alice")
    forgotten = hear(RESOLVED, released, at=NOW + 180).word
    assert forgotten is not None
    assert hear(GPU, forgotten, at=NOW + 240).became == "given"


def test_one_that_ended_by_its_time_is_given_again() -> None:
    assert hear(GPU, given(), at=NOW + HOLDS).became == "given"


def test_there_is_room_for_so_many() -> None:
    many = [replace(given(), id=f"alert-{number}", digest=f"{number}") for number in range(200)]
    assert hear(GPU, *many).became == "ignored"


# -- at a daemon -------------------------------------------------------------------------------------------------------


@virtually
async def test_an_alert_moves_traffic_and_nobody_is_warned_of_its_end() -> None:
    async with playing(THREE) as stage:
        await normal(stage)
        desk = Desk(stage.engine, now, lambda _scope, _id: None)
        (found,) = await desk.alert([labelled(failoverd_verdict="down")], AM)
        assert found.became == "given"
        await until(stage.steers(THREE, oci=100))
        assert stage.told(ChangeApplied)[-1].cause == "failing_out"
        told = len(stage.told(OverrideEvent))
        await elapse(60)
        await desk.alert([labelled(failoverd_verdict="down")], AM)
        assert len(stage.told(OverrideEvent)) == told
        await desk.alert([replace(RESOLVED, labels=GPU.labels)], AM)
        assert len(stage.told(OverrideEnded)) == 1
        assert stage.told(OverrideEnding) == []
        await until(stage.steers(THREE, azure=70, oci=30))


@virtually
async def test_an_alert_that_means_us_and_cannot_be_heeded_is_told_once() -> None:
    """Its sender gets a 200, and nobody reads what else that answer says."""
    misspelt = labelled(failoverd_region="azuer")
    async with playing(API) as stage:
        await normal(stage)
        desk = Desk(stage.engine, now, lambda _scope, _id: None)
        for _ in range(3):
            (found,) = await desk.alert([misspelt], AM)
            assert found.became == "ignored"
        (told,) = stage.told(AlertIgnored)
        assert (told.alert, told.fingerprint, told.by) == ("GpuFailing", GPU.fingerprint, AM)
        assert say(told) == (
            "alertmanager sends the alert GpuFailing, and nothing moves for it: no policy here has the region that "
            'failoverd_region says, "azuer"; did you mean "azure"?'
        )
        await desk.alert([replace(misspelt, firing=False)], AM)
        await desk.alert([misspelt], AM)
        assert len(stage.told(AlertIgnored)) == 2  # it fires anew
        await desk.alert([labelled(failoverd_region="azuer", failoverd_policy="pai")], AM)
        assert len(stage.told(AlertIgnored)) == 3  # another reason is news


@pytest.mark.parametrize(
    "labels",
    [
        {"alertname": "GpuFailing", "failoverd_regoin": "azure"},
        {"alertname": "GpuFailing", "failoverd_region": "azure", "failoverd_verdict": "dwon"},
        {"alertname": "GpuFailing", "failoverd_region": "azure", "failoverd_policy": "pai"},
    ],
)
@virtually
async def test_any_label_of_ours_says_that_it_means_us(labels: dict[str, str]) -> None:
    async with playing(API) as stage:
        await normal(stage)
        await Desk(stage.engine, now, lambda _scope, _id: None).alert([replace(GPU, labels=labels)], AM)
        assert len(stage.told(AlertIgnored)) == 1


@virtually
async def test_alerts_about_other_things_and_what_a_person_released_are_no_news() -> None:
    async with playing(API) as stage:
        await normal(stage)
        desk = Desk(stage.engine, now, lambda _scope, _id: None)
        await desk.alert([replace(GPU, labels={"alertname": "DiskFull"})], AM)
        (found,) = await desk.alert([GPU], AM)
        assert found.word is not None
        await desk.release(found.word.id, "we know", "alice@bastion")
        (again,) = await desk.alert([GPU], AM)
        assert again.became == "ignored"
        assert stage.told(AlertIgnored) == []


@virtually
async def test_an_alert_is_an_incident_for_as_long_as_it_lasts_though_it_moves_nothing() -> None:
    roomy = tuple(replace(spec, capacity=1_000.0) for spec in THREE.regions)
    api = replace(THREE, regions=roomy, demand=500.0)
    async with playing(api) as stage:
        await until(stage.steers(api, azure=70, oci=30))
        desk = Desk(stage.engine, now, lambda _scope, _id: None)
        await desk.alert([GPU], AM)
        await until(lambda: stage.told(IncidentOpened))
        assert stage.told(IncidentOpened)[0].cause.startswith("an alert calls azure degraded: GpuFailing (critical)")
        await elapse(300)
        assert (stage.shares(api), stage.told(IncidentClosed)) == ({"azure": 70, "oci": 30}, [])
        await desk.alert([RESOLVED], AM)
        await until(lambda: stage.told(IncidentClosed))
        assert len(stage.told(IncidentOpened)) == 1


@virtually
async def test_an_alert_about_a_region_that_is_drained_is_no_incident() -> None:
    async with playing(THREE) as stage:
        await normal(stage)
        desk = Desk(stage.engine, now, lambda _scope, _id: None)
        await desk.give(WordRequest(Verb.DRAIN, Scope(regions=("azure",)), "new GPUs", 3_600), "alice")
        await until(stage.steers(THREE, oci=100))
        await desk.alert([GPU], AM)
        await elapse(60)
        assert stage.told(IncidentOpened) == []


@virtually
async def test_nobody_gives_an_alert_by_hand() -> None:
    async with playing(API) as stage:
        desk = Desk(stage.engine, now, lambda _scope, _id: None)
        with pytest.raises(OverrideError, match="/v1/alerts"):
            await desk.give(WordRequest(Verb.ALERT, Scope(regions=("azure",)), "because", 60), "alice")
