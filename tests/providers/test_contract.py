"""What every provider promises, whatever stands behind it."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import pytest
from support.approving import reviewed
from support.contract import (
    ENTRIES,
    OWNER,
    VALUES,
    Entry,
    Site,
    approved,
    compare,
    planned,
    publish,
    smuggled,
    target,
    unseen,
    wish,
)
from support.fuzzing import SOAK
from support.proxies import Cut

from failoverd.core.control.decision import Decision, DecisionKind
from failoverd.core.control.limits import Held
from failoverd.core.control.ownership import adopt, disown
from failoverd.core.control.plan import InSync, Plan, PlanKind, RefusalReason, Refused, Signature
from failoverd.core.errors import Fenced, Permanent, ProviderError, Transient
from failoverd.core.records import WHOLE, Marker, Marking, Observed, RecordSet, RecordType, Weights
from failoverd.runtime.manual_command import manual_command

WRITES = 15 if SOAK > 1 else 8
"""While somebody reads all the time; `make soak` has more of them."""

A, AAAA, CNAME, SRV = RecordType.A, RecordType.AAAA, RecordType.CNAME, RecordType.SRV


def entries(chosen: Iterable[Entry]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("entry", list(chosen), ids=lambda entry: entry.name)


def each_type(chosen: Iterable[Entry], types: Iterable[RecordType] = RecordType) -> pytest.MarkDecorator:
    """Each of these providers with each of these types that it can say."""
    pairs = [(entry, kind) for entry in chosen for kind in types if kind in entry.kind.capabilities.weights]
    return pytest.mark.parametrize(
        ("entry", "kind"), [pytest.param(entry, kind, id=f"{entry.name}: {kind}") for entry, kind in pairs]
    )


every_provider = entries(ENTRIES)
where_writes_are_conditional = [entry for entry in ENTRIES if entry.conditional]
where_rivals_may_meet = [entry for entry in ENTRIES if not entry.conditional and entry.whole]
where_people_edit = entries(entry for entry in ENTRIES if entry.editable)
where_srv_is_said = entries(entry for entry in ENTRIES if SRV in entry.kind.capabilities.weights)
where_writes_are_whole = entries(entry for entry in ENTRIES if entry.whole)
where_wildcards_are_managed = entries(entry for entry in ENTRIES if entry.kind.capabilities.wildcards)
where_types_share_a_marker = entries(entry for entry in ENTRIES if entry.kind.capabilities.marking is Marking.TXT)
where_zones_answer = entries(entry for entry in ENTRIES if entry.server)
where_people_edit_markers = entries(
    entry for entry in ENTRIES if entry.editable and entry.kind.capabilities.marking is Marking.TXT
)
where_aliases_hide_markers = entries(  # the edits of the others are records in Lua, which hide nothing
    entry
    for entry in ENTRIES
    if entry.editable and entry.kind.capabilities.marking is Marking.TXT and entry.kind.name != "powerdns"
)
where_connections_break = pytest.mark.parametrize(
    ("entry", "moment"),
    [pytest.param(entry, cut, id=f"{entry.name}: {cut}") for entry in ENTRIES for cut in entry.cuts],
)


@pytest.fixture
async def site(entry: Entry, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    async with entry.open(request) as site:
        yield site


@pytest.fixture
def name(name: str, site: Site) -> str:
    """A name that no other test uses, ready to be written."""
    return site.ready(name)


# -- what is written is what is read -----------------------------------------------------------------------------------


@each_type(ENTRIES)
async def test_what_was_wished_is_read_back_and_a_second_plan_is_empty(site: Site, name: str, kind: RecordType) -> None:
    first, second, _ = VALUES[kind]
    at = target(name, kind, site.zone)
    for generation, value in enumerate((first, second, first), start=1):
        plan = await publish(site.writer, at, value)
        observed = await site.rival.read(at)
        desired = wish(site.writer, at, value)
        assert observed.records == desired
        assert observed.marker == Marker(OWNER, at.policy, generation, (kind,))
        assert observed.marker_text == plan.marker.to_text()
        assert observed.foreign == ()
        assert compare(observed, desired) == InSync(at, generation)


@each_type(ENTRIES)
async def test_who_led_is_read_back_with_the_marker(site: Site, name: str, kind: RecordType) -> None:
    first, second, third = VALUES[kind]
    at = target(name, kind, site.zone)
    for epoch, value in ((7, first), (10**18 - 1, second)):
        plan = await publish(site.writer, at, value, epoch=epoch)
        observed = await site.rival.read(at)
        assert (observed.marker, observed.marker_text) == (plan.marker, plan.marker.to_text())
        assert plan.marker.epoch == epoch
    later = await publish(site.rival, at, third, epoch=7)
    assert later.marker.epoch == 10**18 - 1, "an epoch never falls"
    assert (await site.reader.read(at)).marker == later.marker


@every_provider
async def test_the_longest_marker_is_read_back(name: str, site: Site) -> None:
    """A tag may be shorter than a string of a TXT record."""
    at = target(name, zone=site.zone)
    plan = planned(await site.writer.read(at), wish(site.writer, at, VALUES[A][0]))
    words = tuple(f"drain-{number:08x}" for number in range(30))
    signed = Signature(OWNER, "0000aaaa", words, 4_000_000_000, 10**18 - 1)
    plan = replace(plan, marker=signed.on(replace(plan.marker, generation=10**18 - 1)))
    assert len(plan.marker.to_text()) > 240
    await site.writer.apply(approved(plan))
    assert (await site.rival.read(at)).marker == plan.marker


@each_type(ENTRIES, [A, AAAA, SRV])
async def test_several_values_are_read_back_together(site: Site, name: str, kind: RecordType) -> None:
    at = target(name, kind, site.zone)
    await publish(site.writer, at, *VALUES[kind])
    await publish(site.writer, at, *VALUES[kind][:2])
    assert (await site.reader.read(at)).records == wish(site.reader, at, *VALUES[kind][:2])


@every_provider
async def test_a_change_of_the_ttl_alone_is_a_change(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    await publish(site.writer, at, *VALUES[A])
    longer = wish(site.writer, at, *VALUES[A], ttl=300)
    await site.writer.apply(approved(planned(await site.writer.read(at), longer)))
    assert (await site.writer.read(at)).records == longer


@each_type(ENTRIES)
async def test_normalising_twice_changes_nothing_more(site: Site, name: str, kind: RecordType) -> None:
    desired = RecordSet.of(target(name, kind).key, 30, dict(zip(VALUES[kind], (WHOLE, 0, 0), strict=True)))
    once = site.writer.normalise(desired)
    assert [answer.value for answer in once.answers] == [VALUES[kind][0]]
    assert site.writer.normalise(once) == once


@where_srv_is_said
async def test_srv_weights_are_read_back_as_written(site: Site, name: str) -> None:
    at = target(name, SRV, site.zone)
    desired = site.writer.normalise(RecordSet.of(at.key, 30, dict(zip(VALUES[SRV], (7_000, 2_999, 1), strict=True))))
    await site.writer.apply(approved(planned(await site.writer.read(at), desired)))
    assert [answer.weight for answer in desired.answers] != [1, 1, 1]
    assert (await site.reader.read(at)).records == desired


@every_provider
async def test_a_name_that_does_not_exist_is_read_as_nothing(site: Site, entry: Entry, name: str) -> None:
    for kind in entry.kind.capabilities.weights:
        at = target(name, kind, site.zone)
        assert await site.reader.read(at) == Observed(at, None)


@every_provider
async def test_undoing_a_change_puts_the_earlier_answers_back(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    await publish(site.writer, at, VALUES[A][0])
    change = await publish(site.writer, at, VALUES[A][1])
    undo = change.undone()
    assert undo is not None
    observed = await site.writer.read(at)
    await site.writer.apply(approved(replace(undo, before=observed)))
    after = await site.writer.read(at)
    assert after.records == wish(site.writer, at, VALUES[A][0])
    assert after.marker is not None
    assert after.marker.generation == 3


@where_writes_are_whole
async def test_a_read_during_writes_never_mixes_two_generations(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    written = [Observed(at, None)]

    async def write() -> None:
        for ttl in range(1, 1 + WRITES):
            observed = await site.writer.read(at)
            plan = planned(observed, wish(site.writer, at, VALUES[A][ttl % 3], ttl=ttl))
            written.append(Observed(at, plan.after, plan.marker, plan.marker.to_text()))
            await site.writer.apply(approved(plan))

    writing = asyncio.create_task(write())
    seen = []
    while not writing.done():
        seen.append(replace(await site.reader.read(at), token=""))  # the provider's own, which a plan does not foresee
    await writing
    assert [observed for observed in seen if observed not in written] == []


# -- the fence ---------------------------------------------------------------------------------------------------------


@each_type(ENTRIES)
async def test_a_stale_generation_is_refused_and_changes_nothing(site: Site, name: str, kind: RecordType) -> None:
    first, second, third = VALUES[kind]
    at = target(name, kind, site.zone)
    await publish(site.writer, at, first)
    stale = planned(await site.writer.read(at), wish(site.writer, at, second))
    await publish(site.rival, at, third)
    newest = await site.rival.read(at)

    with pytest.raises(Fenced) as caught:
        await site.writer.apply(approved(stale))
    assert caught.value.reason
    assert caught.value.detail
    assert await site.rival.read(at) == newest


@each_type(where_writes_are_conditional)
async def test_of_two_creators_one_wins(site: Site, name: str, kind: RecordType) -> None:
    at = target(name, kind, site.zone)
    seen = await site.writer.read(at)
    plans = [planned(seen, wish(site.writer, at, value)) for value in VALUES[kind][:2]]
    results = await asyncio.gather(
        site.writer.apply(approved(plans[0])), site.rival.apply(approved(plans[1])), return_exceptions=True
    )
    assert [type(result) for result in results if result is not None] == [Fenced]
    winner = plans[results.index(None)]
    assert (await site.reader.read(at)).records == winner.after


@each_type(where_rivals_may_meet)
async def test_of_two_creators_in_one_moment_one_stands_whole(site: Site, name: str, kind: RecordType) -> None:
    at = target(name, kind, site.zone)
    seen = await site.writer.read(at)
    plans = [planned(seen, wish(site.writer, at, value)) for value in VALUES[kind][:2]]
    writes = (site.writer.apply(approved(plans[0])), site.rival.apply(approved(plans[1])))
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), Fenced, Transient}
    after = await site.reader.read(at)
    assert (after.records, after.marker) in [(plan.after, plan.marker) for plan in plans]


@every_provider
async def test_applying_the_same_plan_twice_is_refused(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    plan = await publish(site.writer, at, VALUES[A][0])
    with pytest.raises(Fenced):
        await site.writer.apply(approved(plan))


@where_types_share_a_marker
async def test_a_and_aaaa_share_the_marker_and_leave_each_other_alone(site: Site, name: str) -> None:
    four, six = target(name, A, site.zone), target(name, AAAA, site.zone)
    await publish(site.writer, four, *VALUES[A])
    before = (await site.writer.read(four)).records
    await publish(site.writer, six, *VALUES[AAAA])

    observed = await site.reader.read(four)
    assert observed.records == before
    assert observed.marker == (await site.reader.read(six)).marker
    assert observed.marker == Marker(OWNER, four.policy, 2, (A, AAAA))
    assert isinstance(compare(observed, wish(site.writer, four, *VALUES[A])), InSync)


@every_provider
async def test_a_leader_that_was_frozen_is_refused_and_reads_who_leads(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    await publish(site.writer, at, VALUES[A][0], epoch=7)
    frozen = planned(await site.writer.read(at), wish(site.writer, at, VALUES[A][1]), epoch=7)
    newer = await publish(site.rival, at, VALUES[A][2], epoch=8)
    with pytest.raises(Fenced):
        await site.writer.apply(approved(frozen))
    observed = await site.writer.read(at)
    assert (observed.records, observed.marker) == (newer.after, newer.marker)
    assert observed.marker is not None
    assert frozen.outranked_by(observed.marker)


@where_types_share_a_marker
async def test_a_write_to_aaaa_makes_an_older_plan_for_a_stale(site: Site, name: str) -> None:
    four, six = target(name, A, site.zone), target(name, AAAA, site.zone)
    await publish(site.writer, four, VALUES[A][0])
    stale = planned(await site.writer.read(four), wish(site.writer, four, VALUES[A][1]))
    await publish(site.rival, six, VALUES[AAAA][0])
    with pytest.raises(Fenced):
        await site.writer.apply(approved(stale))
    assert (await site.reader.read(four)).records == wish(site.writer, four, VALUES[A][0])


@where_types_share_a_marker
async def test_a_marker_that_came_after_the_read_fences_a_creation(site: Site, name: str) -> None:
    four, six = target(name, A, site.zone), target(name, AAAA, site.zone)
    plan = planned(await site.writer.read(four), wish(site.writer, four, VALUES[A][0]))
    await publish(site.rival, six, VALUES[AAAA][0])
    with pytest.raises(Fenced):
        await site.writer.apply(approved(plan))
    assert (await site.reader.read(four)).records is None


@where_people_edit
async def test_a_record_edited_by_hand_after_the_read_fences_the_write(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    await publish(site.writer, at, VALUES[A][0])
    plan = planned(await site.writer.read(at), wish(site.writer, at, VALUES[A][1]))
    site.by_hand(f"add {name}. 30 A 192.0.2.77")
    edited = await site.reader.read(at)
    with pytest.raises(Fenced):
        await site.writer.apply(approved(plan))
    assert await site.reader.read(at) == edited


@where_people_edit
async def test_a_record_made_by_hand_before_its_creation_fences_the_write(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    plan = planned(await site.writer.read(at), wish(site.writer, at, VALUES[A][1]))
    site.by_hand(f"add {name}. 30 A 192.0.2.77")
    with pytest.raises(Fenced):
        await site.writer.apply(approved(plan))
    observed = await site.reader.read(at)
    assert observed.records is not None
    assert observed.records.says(wish(site.writer, at, "192.0.2.77"))
    assert observed.marker_text is None


@where_people_edit
async def test_a_marker_removed_by_hand_after_the_read_fences_the_write(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    await publish(site.writer, at, VALUES[A][0])
    plan = planned(await site.writer.read(at), wish(site.writer, at, VALUES[A][1]))
    site.by_hand(f"delete {at.key.marker_name}. TXT")
    with pytest.raises(Fenced):
        await site.writer.apply(approved(plan))


# -- rebuilding, adopting, refusing ------------------------------------------------------------------------------------


@each_type(entry for entry in ENTRIES if entry.editable)
async def test_a_record_emptied_by_hand_is_restored(site: Site, name: str, kind: RecordType) -> None:
    at = target(name, kind, site.zone)
    await publish(site.writer, at, VALUES[kind][0])
    site.by_hand(f"delete {name}. {kind}")
    emptied = await site.writer.read(at)
    assert emptied.records is None
    assert emptied.marker is not None

    plan = await publish(site.writer, at, VALUES[kind][0])
    assert plan.kind is PlanKind.RESTORE
    restored = await site.reader.read(at)
    assert restored.records == wish(site.writer, at, VALUES[kind][0])
    assert restored.marker == plan.marker


@where_people_edit
async def test_a_record_edited_by_hand_is_seen_and_put_back(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    await publish(site.writer, at, *VALUES[A])
    site.by_hand(f"delete {name}. A", f"add {name}. 30 A 192.0.2.77")
    edited = (await site.reader.read(at)).records
    assert edited is not None
    assert edited.says(wish(site.writer, at, "192.0.2.77"))
    await publish(site.writer, at, *VALUES[A])
    assert (await site.reader.read(at)).records == wish(site.writer, at, *VALUES[A])


@each_type(entry for entry in ENTRIES if entry.editable)
async def test_adopting_leaves_the_answers_as_they_are(site: Site, name: str, kind: RecordType) -> None:
    at = target(name, kind, site.zone)
    data = {SRV: "10 0 443 old.example.net.", CNAME: "old.example.net."}.get(kind, VALUES[kind][2])
    site.by_hand(f"add {name}. 77 {kind} {data}")
    found = await site.writer.read(at)
    refused = compare(found, wish(site.writer, at, VALUES[kind][0]))
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.NO_MARKER

    decision = Decision(at, DecisionKind.OPERATOR, {}, None, (), 0.0)
    plan = adopt(found, decision, plan_id="c-1", signed=Signature(OWNER), region_of={}, revision="r1")
    assert isinstance(plan, Plan)
    await site.writer.apply(approved(plan))
    adopted = await site.reader.read(at)
    assert adopted.records == found.records
    assert adopted.marker == plan.marker


@where_people_edit
@pytest.mark.parametrize(
    "strings", ['"v=spf1 -all"', '"v=1 owner=prod policy=inference-api" "gen=1 types=A"', '"v=1 gen=\\195\\188"']
)
async def test_a_text_that_is_no_marker_of_ours_is_refused(site: Site, name: str, strings: str) -> None:
    at = target(name, zone=site.zone)
    site.by_hand(f"add {at.key.marker_name}. 60 TXT {strings}")
    observed = await site.writer.read(at)
    assert observed.marker is None
    assert observed.marker_text
    refused = compare(observed, wish(site.writer, at, VALUES[A][0]))
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.FOREIGN_MARKER


@where_aliases_hide_markers
async def test_an_alias_where_the_marker_would_stand_is_seen_before_anything_is_published(
    site: Site, name: str
) -> None:
    at = target(name, zone=site.zone)
    untouched = await site.writer.read(at)
    site.by_hand(f"add {at.key.marker_name}. 60 CNAME elsewhere.example.net.")
    observed = await site.writer.read(at)
    assert observed.foreign == (f"CNAME at {at.key.marker_name}",)
    refused = compare(observed, wish(site.writer, at, VALUES[A][0]))
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.FOREIGN_TYPE
    assert f"CNAME at {at.key.marker_name} hides {name} or its marker" in refused.detail

    hasty = planned(untouched, wish(site.writer, at, VALUES[A][0]))
    with pytest.raises(ProviderError):
        await site.writer.apply(approved(hasty))
    assert (await site.reader.read(at)).records is None


@where_people_edit_markers
async def test_two_markers_at_one_name_are_refused(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    plan = await publish(site.writer, at, VALUES[A][0])
    newer = replace(plan.marker, generation=9).to_text()
    site.by_hand(f'add {at.key.marker_name}. 60 TXT "{newer}"')
    observed = await site.writer.read(at)
    assert observed.marker is None
    refused = compare(observed, wish(site.writer, at, VALUES[A][1]))
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.FOREIGN_MARKER


@pytest.mark.parametrize(
    ("entry", "ours", "theirs"),
    [
        pytest.param(entry, ours, theirs, id=f"{entry.name}: {ours} beside {theirs}")
        for entry in ENTRIES
        for ours, theirs in [(A, CNAME), (AAAA, CNAME), (SRV, CNAME), (CNAME, A)]
        if {ours, theirs} <= entry.kind.capabilities.weights.keys()
    ],
)
async def test_a_type_that_excludes_ours_is_seen_and_never_overwritten(
    site: Site, name: str, ours: RecordType, theirs: RecordType
) -> None:
    there, wanted = target(name, theirs, site.zone), target(name, ours, site.zone)
    await publish(site.writer, there, VALUES[theirs][0])
    standing = await site.reader.read(there)
    observed = await site.writer.read(wanted)
    assert observed.foreign == (theirs,)
    assert observed.records is None
    refused = compare(observed, wish(site.writer, wanted, VALUES[ours][0]))
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.FOREIGN_TYPE

    blind = planned(replace(observed, foreign=()), wish(site.writer, wanted, VALUES[ours][0]))
    with pytest.raises(ProviderError):
        await site.writer.apply(smuggled(blind))
    assert await site.reader.read(there) == standing


# -- wildcards ---------------------------------------------------------------------------------------------------------


@where_zones_answer
async def test_what_a_wildcard_answers_is_no_record_and_a_name_below_it_is_created_and_rebuilt(
    site: Site, name: str
) -> None:
    site.by_hand(f"add *.{name}. 60 A 192.0.2.99", f'add *.{name}. 60 TXT "v=spf1 -all"')
    at = target(f"new.{name}", zone=site.zone)
    assert await site.reader.read(at) == Observed(at, None)

    plan = await publish(site.writer, at, VALUES[A][0])
    assert plan.kind is PlanKind.CREATE
    created = await site.rival.read(at)
    assert (created.records, created.marker) == (plan.after, plan.marker)

    site.by_hand(f"delete {at.key.name}. A", f"delete {at.key.marker_name}. TXT")
    assert await site.writer.read(at) == Observed(at, None)
    await publish(site.writer, at, VALUES[A][1])
    assert (await site.reader.read(at)).records == wish(site.reader, at, VALUES[A][1])


# -- never empty -------------------------------------------------------------------------------------------------------


@each_type(ENTRIES)
async def test_nothing_that_serves_cannot_be_normalised(site: Site, name: str, kind: RecordType) -> None:
    key = target(name, kind).key
    for weights in ({}, dict.fromkeys(VALUES[kind], 0)):
        with pytest.raises(Permanent) as caught:
            site.writer.normalise(RecordSet.of(key, 30, weights))
        assert caught.value.reason == "empty_answer"


@each_type(ENTRIES)
async def test_an_empty_set_is_never_written_even_past_the_guard(site: Site, name: str, kind: RecordType) -> None:
    at = target(name, kind, site.zone)
    await publish(site.writer, at, VALUES[kind][0])
    before = await site.writer.read(at)
    plan = planned(before, RecordSet(at.key, 30, ()))
    assert isinstance(reviewed(plan), Held)
    with pytest.raises(Permanent) as caught:
        await site.writer.apply(smuggled(plan))
    assert caught.value.reason == "empty_answer"
    assert await site.reader.read(at) == before


@every_provider
async def test_a_type_that_holds_one_value_is_not_split(site: Site, entry: Entry, name: str) -> None:
    single = entry.kind.capabilities.single
    for kind in single:
        with pytest.raises(Permanent) as caught:
            wish(site.writer, target(name, kind), *VALUES[kind])
        assert caught.value.reason == "unsayable"
        assert caught.value.remedy


@every_provider
async def test_membership_means_a_weight_of_one(site: Site, entry: Entry, name: str) -> None:
    for kind, weights in entry.kind.capabilities.weights.items():
        values = VALUES[kind][:1] if kind in entry.kind.capabilities.single else VALUES[kind]
        desired = site.writer.normalise(RecordSet.of(target(name, kind).key, 30, dict.fromkeys(values, 1_234)))
        if weights is Weights.MEMBERSHIP:
            assert {answer.weight for answer in desired.answers} == {1}
        else:
            assert max(answer.weight for answer in desired.answers) <= entry.kind.capabilities.max_weight


@every_provider
async def test_weights_are_the_best_fraction_that_the_provider_can_say(site: Site, entry: Entry, name: str) -> None:
    """A small share is not cut down to a whole number on the scale of the large one."""
    for kind, weights in entry.kind.capabilities.weights.items():
        if weights is Weights.NATIVE:
            small, large = VALUES[kind][:2]
            key = target(name, kind).key
            said = site.writer.normalise(RecordSet.of(key, 30, {small: 100, large: 9_900}))
            assert said.shares({small: "small", large: "large"}) == {"large": 9_900, "small": 100}
            assert site.writer.normalise(said) == said


# -- names -------------------------------------------------------------------------------------------------------------


@where_wildcards_are_managed
async def test_a_wildcard_is_read_written_and_fenced_like_any_other_name(site: Site, name: str) -> None:
    at = target(f"*.{name}", zone=site.zone)
    first = await publish(site.writer, at, VALUES[A][0])
    await publish(site.writer, at, VALUES[A][1])
    observed = await site.rival.read(at)
    desired = wish(site.writer, at, VALUES[A][1])
    assert (observed.records, observed.foreign) == (desired, ())
    assert compare(observed, desired) == InSync(at, 2)
    for stale in (first, unseen(first, at)):
        with pytest.raises(Fenced):
            await site.rival.apply(approved(stale))
    assert await site.reader.read(at) == observed


@where_wildcards_are_managed
async def test_a_wildcard_and_its_parent_are_two_names_with_a_marker_each(site: Site, name: str) -> None:
    wildcard, parent = target(f"*.{name}", zone=site.zone), target(name, zone=site.zone)
    await publish(site.writer, parent, VALUES[A][2])
    await publish(site.writer, wildcard, VALUES[A][0])
    await publish(site.writer, parent, VALUES[A][1])
    seen = [await site.reader.read(at) for at in (wildcard, parent)]
    assert [each.records for each in seen] == [
        wish(site.writer, wildcard, VALUES[A][0]),
        wish(site.writer, parent, VALUES[A][1]),
    ]
    assert [each.marker.generation for each in seen if each.marker is not None] == [1, 2]


# -- giving back -------------------------------------------------------------------------------------------------------


@every_provider
async def test_a_record_is_given_back_with_its_answers_and_can_be_adopted_again(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    await publish(site.writer, at, VALUES[A][0])
    seen = await site.writer.read(at)
    decision = Decision(at, DecisionKind.OPERATOR, {}, seen.records, (), 0.0)
    back = disown(seen, decision, plan_id="c-2", signed=Signature(OWNER), region_of={}, revision="r1")
    assert isinstance(back, Plan)
    await site.writer.apply(approved(back))
    left = await site.rival.read(at)
    assert (left.records, left.marker, left.marker_text) == (seen.records, None, None)
    with pytest.raises(Fenced):
        await site.writer.apply(approved(back))

    again = adopt(left, decision, plan_id="c-3", signed=Signature(OWNER), region_of={}, revision="r1")
    assert isinstance(again, Plan)
    await site.writer.apply(approved(again))
    after = await site.reader.read(at)
    assert (after.records, after.marker) == (seen.records, again.marker)


# -- errors ------------------------------------------------------------------------------------------------------------


@every_provider
async def test_a_dry_run_cannot_write(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    plan = planned(await site.reader.read(at), wish(site.reader, at, VALUES[A][0]))
    with pytest.raises(Permanent) as caught:
        await site.reader.apply(approved(plan))
    assert caught.value.reason
    assert caught.value.remedy
    assert await site.writer.read(at) == Observed(at, None)


@every_provider
async def test_a_zone_that_is_not_there_is_a_permanent_error(site: Site) -> None:
    at = target("api.missing.test", zone="missing.test")
    with pytest.raises(Permanent) as caught:
        await site.writer.read(at)
    assert caught.value.reason == "zone_missing"
    assert "missing.test" in caught.value.detail
    assert caught.value.remedy


@every_provider
async def test_the_manual_command_names_what_it_changes(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    plan = planned(await site.reader.read(at), wish(site.reader, at, VALUES[A][0]))
    command = site.reader.manual(plan)
    assert name in command
    assert VALUES[A][0] in command


@every_provider
async def test_the_manual_command_says_that_a_person_did_it(site: Site, entry: Entry, name: str) -> None:
    """Where there is a command at all: what only the daemon can write has no person to write it."""
    at = target(name, zone=site.zone)
    plan = planned(await site.reader.read(at), wish(site.reader, at, VALUES[A][0]))
    command = manual_command(site.reader, plan)
    if entry.kind.in_daemon:
        assert "by=hand" not in command
        assert "30 minutes" not in command
        return
    assert plan.by_person.marker_text is not None
    assert plan.by_person.marker_text in command
    note = [line for line in command.splitlines() if line.startswith("# ")][:2]
    assert "30 minutes" in note[0]
    assert re.search(r"failoverctl extend (pin|hold)-[0-9a-f]{8} --for 2h$", note[1])
    assert re.fullmatch(r"[\w #,.:-]+", "".join(note)), "a shell that knows no comments would obey them"


@every_provider
async def test_what_a_person_wrote_reads_back_as_by_hand_and_our_next_write_as_ours(site: Site, name: str) -> None:
    at = target(name, zone=site.zone)
    await publish(site.writer, at, VALUES[A][0])
    plan = planned(await site.writer.read(at), wish(site.writer, at, *VALUES[A][:2])).by_person
    await site.writer.apply(approved(plan))
    found = await site.reader.read(at)
    assert (found.records, found.marker) == (plan.after, plan.marker)
    assert found.marker is not None
    assert found.marker.by_hand
    ours = await publish(site.writer, at, VALUES[A][1])
    assert (await site.reader.read(at)).marker == ours.marker
    assert not ours.marker.by_hand


@where_connections_break
async def test_a_connection_that_breaks_leaves_no_half_state(site: Site, name: str, moment: Cut) -> None:
    assert site.cut is not None
    at = target(name, zone=site.zone)
    await publish(site.writer, at, VALUES[A][0])
    before = await site.reader.read(at)
    plan = planned(before, wish(site.writer, at, *VALUES[A][1:]))
    async with site.cut(moment) as broken:
        with pytest.raises(Transient) as caught:
            await broken.apply(approved(plan))
        assert caught.value.reason == "outcome_unknown"
        assert caught.value.detail

    after = await site.reader.read(at)
    if moment is Cut.BEFORE_EFFECT:
        assert after == before
    else:
        assert (after.records, after.marker) == (plan.after, plan.marker)
        assert isinstance(compare(after, plan.after), InSync)


@where_connections_break
async def test_a_creation_that_breaks_converges_on_the_next_round(site: Site, name: str, moment: Cut) -> None:
    assert site.cut is not None
    at = target(name, zone=site.zone)
    plan = planned(await site.reader.read(at), wish(site.writer, at, VALUES[A][0]))
    async with site.cut(moment) as broken:
        with pytest.raises(Transient):
            await broken.apply(approved(plan))
    if moment is Cut.BEFORE_EFFECT:
        await publish(site.writer, at, VALUES[A][0])
    assert isinstance(compare(await site.reader.read(at), plan.after), InSync)
    with pytest.raises(Fenced):
        await site.writer.apply(approved(unseen(plan, at)))
