"""How operators' words are told: what they are about, where they stand, and what was said of them."""

from dataclasses import replace

import pytest
from support.journals import TARGET

from failoverd.core.overrides import LOST, MEANINGS, Comment, Override, Scope, Verb
from failoverd.core.records import RecordKey, RecordType, Target
from failoverd.core.status import (
    EndpointStatus,
    Overview,
    PolicyStatus,
    RegionStatus,
    Status,
    TargetState,
    TargetStatus,
)
from failoverd.operations import words
from failoverd.operations.glance import headline

NOW = 1_795_400_000.0  # 2026-11-23T02:13:20Z
HOUR = 3_600.0
SHOP = Target("shop", RecordKey("shop.example.com", RecordType.A), "bind-main", "example.com")


def word(verb: Verb = Verb.DRAIN, scope: Scope | None = None, **changes: object) -> Override:
    about = scope if scope is not None else Scope(regions=("azure-eastus",))
    given = Override(f"{verb}-1a2b3c4d", verb, about, "alice@console", NOW - 60.0, NOW + HOUR)
    said = replace(given, comments=(Comment(NOW - 60.0, "alice@console", "upgrade"),))
    return replace(said, **changes)  # type: ignore[arg-type]  # any field


def seen(*overrides: Override) -> Overview:
    """Two policies: `inference-api` in two clouds, `shop` in one."""
    statuses: tuple[Status, ...] = (
        *(PolicyStatus(name, NOW, f"{name}.yaml", "1") for name in ("inference-api", "shop")),
        RegionStatus("inference-api", "A", "azure-eastus", NOW, "healthy", 10_000, NOW, cloud="azure"),
        RegionStatus("inference-api", "A", "oci-ashburn", NOW, "healthy", 10_000, NOW, cloud="oci"),
        RegionStatus("shop", "A", "oci-ashburn", NOW, "healthy", 10_000, NOW, cloud="oci"),
        EndpointStatus("inference-api", "azure-eastus", "192.0.2.10:443", NOW, "healthy", NOW),
        EndpointStatus("inference-api", "azure-eastus", "[2001:db8::1]:443", NOW, "healthy", NOW),
        EndpointStatus("shop", "oci-ashburn", "198.51.100.10", NOW, "healthy", NOW),
        *(TargetStatus(target, NOW, TargetState.IN_SYNC) for target in (TARGET, SHOP)),
    )
    return replace(Overview.of(statuses), overrides=overrides)


# -- in one line -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ((), "all well: 2 policies"),
        ((word(),), "1 override: drain of region azure-eastus by alice until 03:13Z"),
        (
            (word(), word(Verb.PAUSE, Scope())),
            "2 overrides: pause of everything by alice until 03:13Z, 1 more",
        ),
        ((word(until=NOW + 30 * HOUR),), "drain of region azure-eastus by alice until 2026-11-24 08:13Z"),
        ((word(since=NOW + 600.0),), "drain of region azure-eastus by alice from 02:23Z"),
        ((word(needed=2),), "drain of region azure-eastus by alice waits for somebody to agree"),
        ((word(Verb.SWITCH, Scope(), name="freeze"),), "1 override: switch of freeze by alice until 03:13Z"),
        ((word(until=NOW - 1.0),), "all well: 2 policies"),
        ((word(Verb.PRACTICE),), "practice: region azure-eastus away until 03:13Z"),
        (
            (word(Verb.PRACTICE), word(Verb.HOLD, Scope())),
            "1 override: hold of everything by alice until 03:13Z; practice: region azure-eastus away until 03:13Z",
        ),
        (
            (word(Verb.PRACTICE, since=NOW + 600.0, planned=True, cleared=False),),
            "all well: 2 policies; next practice: region azure-eastus from 02:23Z to 03:13Z",
        ),
        (
            (word(since=NOW + 600.0, planned=True), word(since=NOW + 700.0, planned=True, id="drain-2")),
            "all well: 2 policies; planned: drain of region azure-eastus from 02:23Z to 03:13Z, 1 more",
        ),
        ((word(Verb.PRACTICE, since=NOW - 9.0, planned=True, cleared=False),), "all well: 2 policies"),
    ],
)
def test_the_headline_says_what_people_said(overrides: tuple[Override, ...], says: str) -> None:
    told = headline(seen(*overrides), NOW, by_daemon=True)
    assert told.endswith(says)


@pytest.mark.parametrize("verb", Verb)
def test_a_word_of_each_verb_has_its_headline_and_its_title(verb: Verb) -> None:
    """A verb without a meaning would end what draws a headline: the page, `status`, what a service manager is told."""
    said = word(verb, Scope(), name="freeze", digest="freeze")
    told = headline(seen(said), NOW, by_daemon=True)
    assert (f"{verb}: everything away" if verb is Verb.PRACTICE else f"1 override: {verb} of ") in told
    assert words.title(said).startswith(f"{verb} of ")


def test_every_verb_has_its_meaning() -> None:
    assert MEANINGS.keys() == set(Verb)


@pytest.mark.parametrize(
    ("said", "how"),
    [
        (word(), "until 03:13Z (1h left)"),
        (word(until=NOW + 125 * 60.0), "until 04:18Z (2h 5m left)"),
        (word(until=NOW + 20.0), "until 02:13Z (20s left)"),
        (
            word(needed=3, agreed=("bob@console",)),
            "waits for 1 more to agree (failoverctl agree drain-1a2b3c4d),",
        ),
        (word(since=NOW + 600.0), "from 02:23Z until 03:13Z"),
        (word(until=NOW - 60.0), "over since 02:12Z (its time had passed)"),
        (word().released("bob@console", "done", NOW - 60.0), "over since 02:12Z (released by bob@console)"),
    ],
)
def test_when_it_holds_is_said_in_words(said: Override, how: str) -> None:
    assert words.when(said, NOW).startswith(how)


def test_a_title_says_what_the_verb_alone_does_not() -> None:
    shares = {"azure-eastus": 6_000, "oci-ashburn": 4_000}
    assert words.title(word(Verb.SHED, part=2_500)) == "shed of region azure-eastus (by 25%)"
    pin = word(Verb.PIN, Scope(policies=("shop",)), shares=shares)
    assert words.title(pin) == "pin of policy shop (azure-eastus 60%, oci-ashburn 40%)"
    assert words.title(word(Verb.SWITCH, Scope(), name="release-freeze")) == "switch of release-freeze"


# -- what they are about -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "targets"),
    [
        (Scope(), (TARGET, SHOP)),
        (Scope(regions=("azure-*",)), (TARGET,)),
        (Scope(regions=("oci-ashburn",)), (TARGET, SHOP)),
        (Scope(clouds=("azure",)), (TARGET,)),
        (Scope(policies=("shop",)), (SHOP,)),
        (Scope(policies=("shop",), regions=("azure-eastus",)), ()),
        (Scope(records=("api.example.com",)), (TARGET,)),
        (Scope(endpoints=("192.0.2.10",)), (TARGET,)),
        (Scope(endpoints=("azure-eastus/192.0.2.10:443",)), (TARGET,)),
        (Scope(endpoints=("azure-eastus/192.0.2.10",)), (TARGET,)),
        (Scope(endpoints=("azure-eastus/192.0.2.1",)), ()),
        (Scope(endpoints=("[2001:db8::1]:443",)), (TARGET,)),
        (Scope(endpoints=("2001:db8::1",)), (TARGET,)),
        (Scope(endpoints=("198.51.100.10",)), (SHOP,)),
        (Scope(regions=("gcp-*",)), ()),
    ],
)
def test_the_records_that_a_word_is_about(about: Scope, targets: tuple[Target, ...]) -> None:
    assert words.concerned(word(scope=about), seen()) == targets


@pytest.mark.parametrize("verb", [Verb.SWITCH, Verb.APPROVE])
def test_a_switch_and_an_approval_are_about_no_record(verb: Verb) -> None:
    assert words.concerned(word(verb, Scope()), seen()) == ()


# -- what was said of them ---------------------------------------------------------------------------------------------


def test_everything_that_was_said_is_told_in_order_and_by_whom() -> None:
    said = word(needed=2, agreed=("bob@console",), until=NOW + 2 * HOUR)
    later = Comment(NOW - 50.0, "bob@console", "fine"), Comment(NOW - 40.0, "carol@console", "takes longer")
    comments = (*said.comments, *later)
    over = replace(said, comments=comments).released("dave@console", "done", NOW - 10.0)
    told = words.told([over], NOW)
    assert [(each.what, each.by.partition("@")[0], each.text) for each in told] == [
        ("given", "alice", "upgrade"),
        ("agreed", "bob", "fine"),
        ("extended", "carol", "takes longer"),
        ("released", "dave", "done"),
    ]
    assert [each.what for each in words.told([over], NOW, since=NOW - 45.0)] == ["extended", "released"]


def test_nobody_is_said_to_have_given_a_word_that_was_lost() -> None:
    lost = Override("drain-0badcafe", Verb.DRAIN, Scope(policies=("inference-api",)), LOST, NOW, NOW + HOUR)
    (released,) = words.told([lost.released("bob@console", "all is well there", NOW)], NOW)
    assert (released.what, released.by, released.text) == ("released", "bob@console", "all is well there")


def test_what_time_alone_ended_says_so() -> None:
    (_, ended) = words.told([word(until=NOW - 5.0)], NOW)
    assert (ended.what, ended.by, ended.at) == ("ended", "", NOW - 5.0)
