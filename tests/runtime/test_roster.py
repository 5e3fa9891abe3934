"""Who of the members does what, as one of them tells people: what it hears, and what the coordinator knows better."""

from dataclasses import dataclass, field

from failoverd.core.members import Member, MemberRole
from failoverd.core.status import MembersStatus, MemberStanding
from failoverd.runtime.members.leading import KnownLeader
from failoverd.runtime.members.peers import HeardMember
from failoverd.runtime.members.roster import roster

NOW = 1_000.0
AZURE_1, OCI_1 = Member("azure-1", "azure"), Member("oci-1", "oci")
AWS_1 = Member("aws-1", "aws", MemberRole.VANTAGE)


@dataclass
class PaperLeading:
    """`Leading`, as far as people are told of it."""

    standing: KnownLeader = field(default_factory=lambda: KnownLeader("oci-1", 3, NOW - 60, NOW - 1))
    leads: bool = False
    lone: bool = False
    coordinated: bool = True
    epoch: int = 7
    lease: float = 20.0


def heard(member: Member, ago: float = 1.0, **more: object) -> HeardMember:
    return HeardMember(member, NOW - ago, **{"votes": True, "version": "9", **more})  # type: ignore[arg-type]


def told(*heard_of: HeardMember, listens_for: float = 500.0) -> MembersStatus:
    """What azure-1 tells: of whom it did not hear, that it did not."""
    known = {each: HeardMember(each, None, votes=False) for each in (OCI_1, AWS_1)}
    known |= {each.member: each for each in (heard(AZURE_1, 0.0), *heard_of)}
    return roster(PaperLeading(), AZURE_1, known.values(), NOW, NOW - listens_for)  # type: ignore[arg-type]


def standings(status: MembersStatus) -> dict[str, str]:
    return {each.name: str(each.standing) for each in status.members}


def test_each_member_is_there_by_name_with_what_it_does() -> None:
    found = told(heard(OCI_1), heard(AWS_1))
    assert standings(found) == {"aws-1": "watches", "azure-1": "follows", "oci-1": "leads"}
    assert (found.member, found.leader, found.epoch, found.since) == ("azure-1", "oci-1", 7, NOW - 60)
    assert [each.name for each in found.voting] == ["aws-1", "azure-1", "oci-1"]
    assert found.has_listened


def test_who_was_never_heard_of_or_is_silent_for_a_lease_is_told_so() -> None:
    found = told(heard(AWS_1, 21.0, votes=False))
    by_name = {each.name: each for each in found.members}
    assert (by_name["aws-1"].standing, by_name["aws-1"].uncounted) == (MemberStanding.SILENT, "silent")
    assert (by_name["oci-1"].standing, by_name["oci-1"].uncounted) == (MemberStanding.LEADS, "not heard of")


def test_why_votes_do_not_count_is_said() -> None:
    found = told(heard(OCI_1, votes=False, isolated=("IPv4", "IPv6")), heard(AWS_1, votes=False, differing=("shop",)))
    by_name = {each.name: each for each in found.members}
    assert by_name["oci-1"].uncounted == "isolated (IPv4, IPv6)"
    assert by_name["aws-1"].uncounted == "no verdicts yet"
    assert by_name["aws-1"].differing == ("shop",)


def test_who_has_not_listened_for_a_lease_misses_nobody() -> None:
    assert not told(listens_for=10.0).has_listened
