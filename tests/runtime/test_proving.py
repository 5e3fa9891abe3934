"""A change is proved when every authoritative server says so: what was told, and when."""

from dataclasses import replace

import pytest
from support.approving import limits
from support.scenes import PAIR, plan_between
from support.stage import API, AT, AZURE, OCI, Stage, normal, playing, policy, record, target
from support.virtual import until, virtually

from failoverd.core.control.plan import Plan
from failoverd.core.control.propagation import Nameserver, Nameservers, Question, Statement
from failoverd.core.errors import Permanent, Transient
from failoverd.core.events import ChangeApplied, ChangeDisputed, ChangeVerified, Event, IncidentClosed, TaskCrashed
from failoverd.core.records import Marker, RecordSet, RecordType, Target
from failoverd.ports import Provider
from failoverd.runtime.proving import ABREAST, ABREAST_AT_ONE, Prover
from failoverd.simulation.paper_authorities import NS1, NS2, PaperAuthorities
from failoverd.simulation.paper_provider import PaperProvider
from failoverd.simulation.virtual_time import elapse, now, run
from failoverd.simulation.zonefile import Zonefile
from failoverd.telemetry import prose


def lagging(stage: Stage) -> Zonefile:
    """The zone as it is now, on a second server that hears of nothing more until it is told."""
    copy = Zonefile(dict(stage.zonefile.records), dict(stage.zonefile.markers))
    stage.authorities.behind[NS2] = copy
    return copy


def made() -> Plan:
    """A plan that fails out."""
    return plan_between(PAIR, {"azure": 70, "oci": 30}, {"oci": 100})


def disputes(stage: Stage) -> list[ChangeDisputed]:
    return stage.told(ChangeDisputed)


# -- everybody agrees --------------------------------------------------------------------------------------------------


@virtually
async def test_a_change_is_verified_when_all_servers_answer_it_and_says_how_long_that_took() -> None:
    async with playing(API) as stage:
        await normal(stage)
        copy = lagging(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        applied = stage.told(ChangeApplied)[-1]
        await elapse(20.0)
        assert len(stage.told(ChangeVerified)) == 1, "the second server has not heard of it yet"
        copy.records, copy.markers = stage.zonefile.records, stage.zonefile.markers
        agreed = await until(lambda: len(stage.told(ChangeVerified)) == 2)
        verified = stage.told(ChangeVerified)[-1]
        assert (verified.change_id, verified.generation, verified.servers) == (applied.change_id, 2, 2)
        assert 20.0 < verified.took < 26.0
        assert verified.incident_id == applied.incident_id
        assert verified.aged_out_at == agreed + 30, "the old answer was handed out until the last server had the new"
        assert disputes(stage) == []


@virtually
async def test_the_old_answer_ages_out_by_its_own_ttl_and_not_by_the_new_one() -> None:
    async with playing(API) as stage:
        await normal(stage)
        (first,) = stage.told(ChangeVerified)
        assert first.aged_out_at is None, "there was no answer before"
        slow = replace(API, records=(replace(API.records[0], ttl=600),))
        await stage.take_up(slow)
        await until(lambda: len(stage.told(ChangeVerified)) == 2)
        await stage.take_up(API)
        at = await until(lambda: len(stage.told(ChangeVerified)) == 3)
        assert [event.aged_out_at for event in stage.told(ChangeVerified)][2] == at + 600


@virtually
async def test_where_nobody_is_to_be_asked_the_read_back_is_all_the_proof_there_is() -> None:
    async with playing() as stage:
        stage.authorities.servers = ()
        await stage.take_up(API)
        await until(lambda: stage.told(ChangeVerified))
        (verified,) = stage.told(ChangeVerified)
        assert verified.servers == 0
        assert prose.say(verified).endswith("no authoritative server was asked")
        assert stage.authorities.asked == []


@virtually
async def test_a_server_to_which_there_is_no_way_is_named_and_not_waited_for() -> None:
    async with playing() as stage:
        stage.authorities.unreachable.add(NS2)
        await stage.take_up(API)
        await until(lambda: stage.told(ChangeVerified))
        (verified,) = stage.told(ChangeVerified)
        assert (verified.servers, verified.unasked) == (1, (str(NS2),))
        assert str(NS2) in prose.say(verified)


# -- somebody does not -------------------------------------------------------------------------------------------------


@virtually
async def test_a_server_that_stays_behind_is_told_once_with_what_it_says_and_verified_when_it_follows() -> None:
    async with playing(API) as stage:
        await normal(stage)
        copy = lagging(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        written = now()
        assert stage.prover.disputed == frozenset()
        assert await until(lambda: disputes(stage)) == pytest.approx(written + 60.0, abs=0.1)
        await elapse(3_600.0)
        assert [each.disputed for each in stage.runner.figures()] == [True]
        (dispute,) = disputes(stage)
        assert dispute.agreeing == (str(NS1),)
        assert dispute.disagreeing == (f"{NS2} says {AZURE}, {OCI}, generation 1",)
        assert dispute.silent == ()
        assert dispute.level == "error"
        late = [at for at, server in stage.authorities.asked if server == NS2 and at > written + 60.0]
        assert len(late) < 40, "it is asked on, but seldom"
        copy.records, copy.markers = stage.zonefile.records, stage.zonefile.markers
        await until(lambda: len(stage.told(ChangeVerified)) == 2)
        assert stage.told(ChangeVerified)[-1].took > 3_600.0
        assert [each.disputed for each in stage.runner.figures()] == [False]


@virtually
async def test_a_server_that_does_not_answer_is_silent_and_does_not_disagree() -> None:
    async with playing() as stage:
        stage.authorities.silent.add(NS2)
        await stage.take_up(API)
        await until(lambda: disputes(stage))
        (dispute,) = disputes(stage)
        assert (dispute.agreeing, dispute.disagreeing, dispute.silent) == ((str(NS1),), (), (str(NS2),))
        assert f"{NS2} is silent" in prose.say(dispute)
        stage.authorities.silent.clear()
        await until(lambda: stage.told(ChangeVerified))


@virtually
async def test_servers_that_cannot_be_found_are_a_dispute_with_its_reason() -> None:
    async with playing() as stage:
        stage.authorities.unknown = Transient("example.com has no NS records", reason="delegation_unknown")
        await stage.take_up(API)
        await until(lambda: disputes(stage))
        assert "example.com has no NS records (delegation_unknown)" in disputes(stage)[0].detail
        stage.authorities.unknown = None
        await until(lambda: stage.told(ChangeVerified))


@virtually
async def test_when_no_server_can_be_reached_from_here_nothing_is_called_proved() -> None:
    async with playing() as stage:
        stage.authorities.unreachable.update({NS1, NS2})
        await stage.take_up(API)
        await until(lambda: disputes(stage))
        assert disputes(stage)[0].unasked == (str(NS1), str(NS2))
        assert stage.told(ChangeVerified) == []


# -- the proof of an answer that is history ----------------------------------------------------------------------------


@virtually
async def test_a_later_change_of_the_same_record_takes_the_place_of_the_older_proof() -> None:
    async with playing(replace(API, failback_after=5.0)) as stage:
        await normal(stage)
        copy = lagging(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        stage.heals(AZURE)
        await until(lambda: stage.generation(API) == 3)
        copy.records, copy.markers = stage.zonefile.records, stage.zonefile.markers
        await elapse(120.0)
        assert [event.generation for event in stage.told(ChangeVerified)] == [1, 3]
        assert disputes(stage) == []


@virtually
async def test_a_newer_generation_of_another_writer_ends_the_proof_quietly() -> None:
    async with playing(API) as stage:
        await normal(stage)
        copy = lagging(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        key = AT.zone, AT.key
        copy.records[key] = RecordSet.of(AT.key, 30, {"203.0.113.99": 1})
        copy.markers[AT.zone, AT.key.name] = Marker("lab", "api", 9, (RecordType.A,)).to_text()
        await elapse(300.0)
        assert [event.generation for event in stage.told(ChangeVerified)] == [1]
        assert disputes(stage) == []


@virtually
async def test_a_newer_generation_with_the_same_answers_is_another_type_of_the_name_and_proves_it() -> None:
    async with playing(API) as stage:
        await normal(stage)
        copy = lagging(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        copy.records = stage.zonefile.records
        copy.markers[AT.zone, AT.key.name] = Marker("prod", "api", 3, (RecordType.A, RecordType.AAAA)).to_text()
        await until(lambda: len(stage.told(ChangeVerified)) == 2)


# -- beside everything else --------------------------------------------------------------------------------------------


@virtually
async def test_an_incident_closes_and_rounds_go_on_while_a_proof_waits() -> None:
    async with playing(replace(API, failback_after=5.0)) as stage:
        await normal(stage)
        lagging(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        stage.heals(AZURE)
        await until(lambda: stage.told(IncidentClosed))
        assert [event.generation for event in stage.told(ChangeVerified)] == [1]


@virtually
async def test_hundreds_of_changes_ask_no_more_than_some_servers_at_once() -> None:
    found = policy(
        records=tuple(record("api", f"r{number}.example.com") for number in range(300)),
        limits=limits(max_changes=50),
    )
    async with playing(found) as stage:
        await until(lambda: len(stage.told(ChangeVerified)) == 300)
        assert 1 < stage.authorities.most_abreast <= min(ABREAST, 2 * ABREAST_AT_ONE)


@virtually
async def test_a_dead_server_does_not_keep_proofs_waiting_for_each_other() -> None:
    found = policy(
        records=tuple(record("api", f"r{number}.example.com") for number in range(100)),
        limits=limits(max_changes=50),
    )
    stage = Stage()
    stage.authorities.silent.add(NS2)
    async with playing(found, stage=stage):
        written = await until(lambda: len(stage.told(ChangeApplied)) == 100)
        disputed = await until(lambda: len(disputes(stage)) == 100)
        assert disputed - written < 75.0
        stage.authorities.silent.clear()
        await until(lambda: len(stage.told(ChangeVerified)) == 100)


@virtually
async def test_stopping_ends_every_proof() -> None:
    stage = Stage()
    stage.authorities.silent.add(NS2)
    stage.start(API)
    await until(lambda: stage.told(ChangeApplied))
    await stage.stop()  # a task that is left over would fail this test
    assert stage.told(ChangeVerified) == []


@virtually
async def test_a_policy_that_is_managed_no_longer_is_not_asked_about_any_more() -> None:
    stage = Stage()
    stage.authorities.silent.add(NS2)
    async with playing(API, stage=stage):
        await until(lambda: stage.told(ChangeApplied))
        await elapse(1.0)
        stage.prover.forget(API.name)
        asked = len(stage.authorities.asked)
        await elapse(600.0)
        assert len(stage.authorities.asked) == asked
        assert disputes(stage) == []


class Broken(PaperAuthorities):
    """It has a defect, once."""

    async def ask(self, server: Nameserver, question: Question) -> Statement:
        if not self.asked:
            self.asked.append((0.0, NS1))
            raise KeyError("a defect")
        return await super().ask(server, question)


@virtually
async def test_a_defect_in_a_proof_is_told_and_the_proof_begins_again() -> None:
    told: list[Event] = []
    zonefile, plan = Zonefile(), made()
    zonefile.records[plan.target.zone, plan.target.key] = plan.after
    zonefile.markers[plan.target.zone, plan.target.key.name] = plan.marker.to_text()
    prover = Prover(Broken(zonefile), told.append, now)
    prover.prove(PaperProvider(zonefile, now), plan, "inc-1")
    await until(lambda: len(told) == 2)
    assert isinstance(told[0], TaskCrashed)
    assert isinstance(told[1], ChangeVerified)
    assert prover.propagation(plan) is None


# -- a provider that knows by itself -----------------------------------------------------------------------------------


class Announcing(PaperProvider):
    """`ports.Propagating`: says when all of its servers have a change, after `lag` seconds, or that it cannot tell."""

    lag = 40.0
    knows = True
    error: Permanent | None = None

    async def propagated(self, target: Target) -> bool:
        assert target.key.name
        await elapse(self.lag)
        if self.error is not None:
            raise self.error
        return self.knows


async def _proved(provider: Provider, zonefile: Zonefile, plan: Plan) -> tuple[float, PaperAuthorities]:
    told: list[Event] = []
    authorities = PaperAuthorities(zonefile)
    zonefile.records[plan.target.zone, plan.target.key] = plan.after
    zonefile.markers[plan.target.zone, plan.target.key.name] = plan.marker.to_text()
    prover = Prover(authorities, told.append, now)
    began = now()
    prover.prove(provider, plan, "")
    await until(lambda: told)
    assert isinstance(told[0], ChangeVerified)
    return now() - began, authorities


@virtually
async def test_servers_are_asked_once_the_provider_says_that_they_have_it() -> None:
    zonefile = Zonefile()
    provider = Announcing(zonefile, now)
    took, authorities = await _proved(provider, zonefile, made())
    assert 40.0 <= took < 41.0
    assert min(at for at, _ in authorities.asked) >= 40.0


@virtually
async def test_a_provider_that_never_says_so_or_cannot_is_no_obstacle() -> None:
    zonefile = Zonefile()
    provider = Announcing(zonefile, now)
    provider.lag = 10_000.0
    took, _ = await _proved(provider, zonefile, made())
    assert 60.0 <= took < 61.0
    provider.lag, provider.error = 1.0, Permanent("no permission", reason="permission_denied")
    took, _ = await _proved(provider, zonefile, made())
    assert took < 2.0


class Nobody(PaperAuthorities):
    """`nameservers: none`."""

    async def of(self, target: Target) -> Nameservers:
        return replace(await super().of(target), servers=())


@virtually
async def test_what_neither_the_provider_says_nor_anybody_is_asked_about_is_not_called_in_place() -> None:
    """Its answer was lost, or a restart came between, or it keeps its word for too long, or may not be asked."""
    told: list[Event] = []
    zonefile = Zonefile()
    provider = Announcing(zonefile, now)
    prover = Prover(Nobody(zonefile), told.append, now)

    async def said(lag: float, *, knows: bool = True, error: Permanent | None = None) -> str:
        provider.lag, provider.knows, provider.error = lag, knows, error
        told.clear()
        prover.prove(provider, made(), "")
        await until(lambda: told)
        return prose.say(told[0])

    assert "is in place" in await said(40.0)
    for words in (
        await said(0.0, knows=False),
        await said(10_000.0),
        await said(1.0, error=Permanent("no permission", reason="permission_denied")),
    ):
        assert "is in place" not in words
        assert "whether the provider's servers answer it is not known, and none of them was asked" in words


@pytest.mark.parametrize("began", [91.68312261651779, 250.06282489890796, 509.2700343521531])
def test_a_dispute_is_told_in_time_whatever_the_clock_stands_at(began: float) -> None:
    """A minute after these moments, in floats, less than a minute has passed, and no time is left to wait for."""

    class Unknown(PaperAuthorities):
        looked = 0

        async def of(self, target: Target) -> Nameservers:
            self.looked += 1
            if self.looked > 1_000:
                raise RuntimeError("it is looked at without a pause")
            raise Transient(f"nobody knows who answers for {target.zone}", reason="no_delegation")

    async def disputed() -> None:
        told: list[Event] = []
        prover = Prover(Unknown(Zonefile()), told.append, now)
        prover.prove(PaperProvider(Zonefile(), now), made(), "")
        await until(lambda: told)
        await prover.close()
        assert [type(each) for each in told] == [ChangeDisputed]
        assert now() == pytest.approx(began + 60.0)

    run(disputed(), began)


@virtually
async def test_who_waits_for_a_proof_hears_how_far_it_is() -> None:
    zonefile, plan = Zonefile(), made()
    authorities = PaperAuthorities(zonefile)
    prover = Prover(authorities, lambda _: None, now)
    prover.prove(PaperProvider(zonefile, now), plan, "")
    await prover.settle(plan.target, 5.0)
    propagation = prover.propagation(plan)
    assert propagation is not None
    assert prose.unproved(propagation) == f"{NS1} says no answer; {NS2} says no answer"
    assert await authorities.of(target(API)) == Nameservers((NS1, NS2), marked=True, whole=False)
    await prover.close()


# -- a restart ---------------------------------------------------------------------------------------------------------


@virtually
async def test_a_proof_that_a_restart_cut_off_is_begun_again_and_one_that_ended_is_known() -> None:
    """Somebody waits for it: `--wait` would never end."""
    async with playing(API) as stage:
        await normal(stage)
        await until(lambda: stage.told(ChangeVerified))
        lagging(stage)
        stage.fails(AZURE)
        await until(stage.steers(API, oci=100.0))
        applied = stage.told(ChangeApplied)[-1]
    again = Stage(zonefile=stage.zonefile, world=stage.world, journal=stage.journal)
    async with playing(API, stage=again):
        await until(lambda: again.told(ChangeVerified))
        (verified,) = again.told(ChangeVerified)
        assert verified.change_id == applied.change_id
        assert again.engine.proof_heard(target(API)) == (applied.generation, True)
        assert again.told(ChangeApplied) == []
        await elapse(1.0)
    last = Stage(zonefile=stage.zonefile, world=stage.world, journal=stage.journal)
    async with playing(API, stage=last):
        await elapse(60.0)
        assert last.engine.proof_heard(target(API)) == (applied.generation, True)
        assert last.told(ChangeVerified) == [], "it was told"
