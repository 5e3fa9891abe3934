"""What is not as it should be, in words, with what ends it: by record, by policy, and of the whole installation."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from failoverd.core.control.decision import ALL_DOWN, DecisionKind
from failoverd.core.names import failoverctl
from failoverd.core.overrides import Override
from failoverd.core.reasons import Cause, Reason, ReasonCode
from failoverd.core.records import few
from failoverd.core.status import PATIENCE, MembersStatus, Overview, PolicyStatus, TargetState, TargetStatus
from failoverd.operations import membership, words
from failoverd.telemetry import phrases


class Condition(StrEnum):
    """How a record, a policy, or all of it is."""

    WELL = "well"
    MOVED = "moved"  # away from normal, or degraded: failoverd takes care of it
    UNKNOWN = "unknown"  # nobody can say
    PERSON = "person"  # somebody has to do something


SEVERITY: Final = (Condition.WELL, Condition.UNKNOWN, Condition.MOVED, Condition.PERSON)
"""From what may wait to what may not: that nobody knows counts for less than what is known to be wrong."""


FEW: Final = 12
"""Policies, records, regions that are well, of which each is shown: there may be thousands."""


@dataclass(frozen=True, slots=True)
class Concern:
    """What is not as it should be, in words, and what ends it.

    `policy` is "" where it is of the whole installation; `subject` is the record at its provider, an incident, a file.
    `command` stands in the remedy, and is made here: whatever else stands there may be in words of others, in which
    nobody is to look for one. `runbook` is in the words of the policy.
    """

    level: Condition
    policy: str
    subject: str
    text: str
    remedy: str = ""
    since: float | None = None
    command: str = ""
    runbook: str = ""


AT_WORK_AGAIN: Final = "systemctl start failoverd"
"""What a person does about a daemon that is not at work."""


def nobody_at_work(since: float | None) -> Concern:
    """Without a daemon, records stay as they are: who has to move one does so with commands that need none."""
    text = "no daemon is at work: records stay as they are, whatever fails"
    remedy = f"{AT_WORK_AGAIN}; what moves traffic until then: {phrases.by_plan()[0]}"
    return Concern(Condition.PERSON, "", "daemon", text, remedy, since, AT_WORK_AGAIN)


def concerns_of(found: Overview, now: float) -> list[Concern]:
    """What needs a person before what does not, what loses traffic before what may."""
    targets = (concern for each in found.targets for concern in _of_target(each, now))
    told = [*targets, *_of_policies(found.policies), *_of_words(found.overrides, now), *_of_installation(found)]
    told += of_members(found.members, now) if found.members is not None else ()
    return sorted(told, key=lambda each: -SEVERITY.index(each.level))


def _of_target(status: TargetStatus, now: float) -> Iterator[Concern]:
    """All of them: that a provider is away must not hide that no region is up, nor a limit that a person is awaited."""
    policy, subject = status.target.policy, str(status.target)
    for row in _ROWS:
        if row.stands(status):
            text = f"{policy} ({subject}) {row.words(status)}"
            level = Condition.MOVED if row.waits(status, now) else Condition.PERSON
            own = row.of_state or status.state not in _OF_STATE
            remedy, command = row.remedy(status)
            if own and not remedy:
                remedy, command = status.remedy, status.command
            yield Concern(level, policy, subject, text, remedy, status.since if own else None, command)


def _urgently(_: TargetStatus, __: float) -> bool:
    return False


def _ends_by_itself(status: TargetStatus, _: float) -> bool:
    return status.until is not None


def _is_young(status: TargetStatus, now: float) -> bool:
    """A provider may be away for a moment, while nothing waits for it that loses traffic."""
    lasted = now - status.since if status.since is not None else 0.0
    return lasted <= PATIENCE and status.cause not in {Cause.FAILING_OUT, Cause.REBUILDING, Cause.EVICTED}


def _its_own(_: TargetStatus) -> tuple[str, str]:
    return "", ""


def _ending_with(begin: str, command: str) -> tuple[str, str]:
    return begin + command, command


@dataclass(frozen=True, slots=True)
class _Row:
    """One kind of concern about a record.

    `remedy` is that, and the command in it; without one it is the status that knows a remedy. `waits` says whether
    failoverd takes care of it, so that it is nobody's matter yet. `of_state`: it is what a state of `_OF_STATE` means,
    so that it has lasted as long as that, and has its remedy.
    """

    stands: Callable[[TargetStatus], bool]
    words: Callable[[TargetStatus], str]
    remedy: Callable[[TargetStatus], tuple[str, str]] = _its_own
    waits: Callable[[TargetStatus, float], bool] = _urgently
    of_state: bool = False


_OF_STATE: Final = frozenset({TargetState.REFUSED, TargetState.DELAYED, TargetState.DRIFTED})
"""States in which what is decided is not looked at: how long they last says nothing of what else is wrong."""


_BY_A_PERSON: Final = frozenset({ReasonCode.FAILBACK_MANUAL, ReasonCode.FAILBACK_GIVEN_UP})


def _to_bring_back(status: TargetStatus) -> list[str]:
    return [reason.region for reason in status.reasons if reason.code in _BY_A_PERSON]


def _bring_back(status: TargetStatus) -> tuple[str, str]:
    returning = [word for each in _to_bring_back(status) for word in ("--return", each)]
    return phrases.by_plan(status.target.policy, *returning)


def flapped(status: TargetStatus) -> list[Reason]:
    """Regions that pass, and are kept out of the answer because they flapped; of a standby nobody waits for that."""
    found = (reason for reason in status.reasons if reason.code is ReasonCode.FLAPPED)
    return [each for each in found if status.normal.get(each.region) or _is_all_down(status)]


def put_up(status: TargetStatus, out: Iterable[Reason]) -> str:
    """The command by which regions are used that pass, and are kept out; "" without any."""
    endpoints = [name for each in out for name in each.named]
    about = ("--policy", status.target.policy, "--reason", "TEXT", "--for", "1h")
    return failoverctl("up", *endpoints, *about) if endpoints else ""


def _put_up(status: TargetStatus) -> tuple[str, str]:
    command = put_up(status, flapped(status))
    return command, command


def _flaps(status: TargetStatus) -> str:
    said = [f"{each.region} until {phrases.moment(each.numbers['until'])}" for each in flapped(status)]
    return f"keeps {' and '.join(said)} out, which flapped, although it passes"


def _although(status: TargetStatus) -> str:
    return f"; it {_flaps(status)}" if flapped(status) else ""


def _is_all_down(status: TargetStatus) -> bool:
    return status.kind in ALL_DOWN


def _when_all_down(status: TargetStatus) -> tuple[str, str]:
    return _put_up(status) if flapped(status) else (phrases.ALL_DOWN_REMEDY, "")


def _guests(status: TargetStatus) -> list[Reason]:
    return [each for each in status.reasons if each.code is ReasonCode.GUEST]


def _answered_by(status: TargetStatus) -> str:
    said = [f"{each.region} until {phrases.moment(each.numbers['until'])}" for each in _guests(status)]
    return f"may be answered by {' and '.join(said)}, outside of its residency: then that leaves at once"


def _is_held(status: TargetStatus) -> bool:
    """By a limit, and by nothing that is told already."""
    told = status.keeps_dead or status.lost_words or status.has_rival or status.outranked
    return status.state is TargetState.LIMITED and not told


_ROWS: Final = (
    _Row(lambda it: it.keeps_dead, lambda it: f"is kept on what is down by {in_the_way(it)}"),
    _Row(
        _is_all_down,
        lambda it: f"has no region that is up{_although(it)}",
        _when_all_down,
    ),
    _Row(
        lambda it: bool(it.lost_words),
        lambda _: "is held by overrides that were lost",
        lambda _: _ending_with("give the same override again, or: ", failoverctl("release", "--lost")),
    ),
    _Row(
        lambda it: it.has_rival,
        lambda _: "is written by another instance as well",
        lambda _: _ending_with(
            "stop the other instance, or give it names of its own; then: ", failoverctl("release", "--rival")
        ),
    ),
    _Row(
        lambda it: it.outranked,
        lambda _: "is left as it is, for a newer leader wrote it",
        lambda it: (it.remedy, it.command),
        _is_young,
    ),
    _Row(lambda it: it.state is TargetState.REFUSED, lambda it: f"is not touched: {it.detail}", of_state=True),
    _Row(
        lambda it: it.state is TargetState.DELAYED,
        lambda it: f"{still_lost(it)}cannot be read or written: {it.detail}",
        waits=_is_young,
        of_state=True,
    ),
    _Row(
        lambda it: it.state is TargetState.DRIFTED,
        lambda _: "was edited by somebody else, and stays so",
        waits=_ends_by_itself,
        of_state=True,
    ),
    _Row(
        _is_held,
        lambda it: f"is held by {in_the_way(it)}",
        waits=_ends_by_itself,
    ),
    _Row(
        lambda it: bool(_to_bring_back(it)),
        lambda it: f"waits for a person to bring {' and '.join(_to_bring_back(it))} back",
        _bring_back,
    ),
    _Row(
        lambda it: bool(flapped(it)) and not _is_all_down(it),
        _flaps,
        _put_up,
        lambda *_: True,
    ),
    _Row(lambda it: bool(_guests(it)), _answered_by, waits=lambda *_: True),
)


def still_lost(status: TargetStatus) -> str:
    """What traffic is lost on until it can be written: `sends traffic to azure-eastus, which is down, and `."""
    if status.cause != Cause.FAILING_OUT:
        return ""
    dead = sorted(name for name, share in status.published.items() if share and not status.wanted.get(name))
    return f"sends traffic to {' and '.join(dead) or 'an endpoint'}, which {'are' if dead[1:] else 'is'} down, and "


def in_the_way(status: TargetStatus) -> str:
    """What holds a plan, by name."""
    limits = [f"the rule {each.rule}" if each.rule else str(each.limit) for each in status.checks if each.holds_back]
    nameless = "a limit" if status.state is TargetState.LIMITED else "an override"
    nameless = "a newer leader" if status.outranked else nameless
    return few(list(dict.fromkeys(limits)), _NAMED) or nameless


def _of_policies(policies: Iterable[PolicyStatus]) -> Iterator[Concern]:
    for each in policies:
        if each.rejected:
            text = f"{each.policy} runs an older revision: its newer file does not load"
            remedy = f"{_CHECK}: {each.rejected}"
            yield Concern(Condition.PERSON, each.policy, each.file, text, remedy, each.at, _CHECK)
        if each.incident_id:
            text, since = f"{each.policy} has an incident open ({each.incident_id})", each.incident_since
            yield Concern(Condition.MOVED, each.policy, each.incident_id, text, since=since, runbook=each.runbook)


def _of_words(overrides: Iterable[Override], now: float) -> Iterator[Concern]:
    for word in overrides:
        if words.standing(word, now) is words.WordStanding.PENDING:
            text = f"{words.title(word)} waits for somebody to agree"
            command = failoverctl("agree", word.id)
            yield Concern(Condition.PERSON, "", word.id, text, command, word.since, command)


def _of_installation(found: Overview) -> Iterator[Concern]:
    if found.journal is not None:
        text = f"the journal cannot be {'written' if found.journal.writes else 'read'}"
        remedy = f"{found.journal.error}; {found.journal.remedy}"
        yield Concern(Condition.PERSON, "", "journal", text, remedy, found.journal.since)
    vantage = found.vantage
    if vantage is not None and vantage.isolated:
        text = f"the prober abstains on {' and '.join(vantage.isolated)}: {vantage.evidence}"
        remedy = "look at the prober's own network: failures are not counted and move nothing until it sees again"
        yield Concern(Condition.PERSON, "", "prober", text, remedy, vantage.since)
    for file in found.refused_files:
        text, remedy = f"{Path(file.file).name} is not taken up", f"{file}; all of it is said by: {_CHECK}"
        yield Concern(Condition.PERSON, "", file.file, text, remedy, command=_CHECK)
    for file in found.warned_files:
        text, command = f"{Path(file.file).name}: {file.error}", failoverctl("reload")
        yield Concern(Condition.PERSON, "", file.file, text, f"put another one there, then: {command}", command=command)
    if found.deferred:
        text = f"a restart is pending: {few(found.deferred, _NAMED)} of the daemon's own file takes effect then"
        remedy = f"{_RESTART}, which moves no traffic"
        yield Concern(Condition.MOVED, "", "settings", text, remedy, command=_RESTART)
    if found.orphans:
        names = list(dict.fromkeys(str(each.target.key) for each in found.orphans))
        text = f"no file names {few(names, _NAMED)} any more: it stays as it is, whatever fails"
        first = found.orphans[0]
        command = failoverctl("disown", first.target.policy, first.target.key.name)
        yield Concern(Condition.PERSON, "", names[0], text, f"put the file back, or: {command}", first.since, command)
    for each in found.notifications.receivers if found.notifications is not None else ():
        if each.failing_since is not None:
            text = f"{each.receiver} at {each.place} does not take what it is told"
            yield Concern(Condition.PERSON, "", each.receiver, text, each.error, each.failing_since)
    if found.probing is not None and found.probing.stretched > 1:
        text = f"probing sheds load: intervals are {found.probing.stretched} times as long as written"
        yield Concern(
            Condition.MOVED, "", "probing", text, "give it more processor, or probe less often", found.probing.at
        )


def of_members(told: MembersStatus, now: float) -> Iterator[Concern]:
    """What of several members is not as it should be: first what keeps them from writing, or from seeing."""
    if not told.coordinated:
        text = f"the coordinator does not answer {told.member}, which {_left_to_it(told)}"
        remedy = f"{told.trouble or 'it was not asked yet'}; it is asked again all the time, and no restart is needed"
        yield Concern(Condition.PERSON, "", "coordinator", text, remedy, told.heard_at)
    elif told.trouble:
        text = f"the coordinator answers {told.member}, and keeps it from telling what it sees, or hearing others"
        yield Concern(Condition.PERSON, "", "coordinator", text, told.trouble, told.heard_at)
    elif not told.led and not told.twin:
        lasts = now - told.since > _TWO_LEASES * told.lease
        text, remedy = _of_no_leader(told)
        yield Concern(Condition.PERSON if lasts else Condition.MOVED, "", "leader", text, remedy, told.since)
    yield from _of_settings(told)
    if not told.coordinated:
        return  # whom it does not hear is heard by others all the same
    yield from _of_votes(told)
    for each in told.members:
        if each.isolated and each.name != told.member:
            text = f"{each.name} ({each.network}) does not trust its own network, and does not vote"
            yield Concern(Condition.MOVED, "", f"member {each.name}", text, "look at the network that it is in")
    if apart := membership.clocks_apart(told):
        text = f"clocks differ from that of {told.member}: {few(apart, _NAMED)}"
        remedy = "set them by NTP, on each member's machine; restart a daemon that began with a wrong time"
        yield Concern(Condition.MOVED, "", "clocks", text, remedy)


def _of_no_leader(told: MembersStatus) -> tuple[str, str]:
    if not told.leader:
        return "nobody leads: no member writes", f"look at the members that may lead: {_MEMBERS}"
    remedy = "if no daemon holds it, delete the key `leader` of this installation in etcd (or its Lease)"
    if told.leader == told.member:
        return f"{told.member} is said to lead, and does not write", remedy
    return f"{told.leader} leads, and is none of the members: no member writes", remedy


def _of_settings(told: MembersStatus) -> Iterator[Concern]:
    if told.twin:
        text = f"another daemon, on {told.twin}, is {told.member} as well: this one neither votes nor leads"
        remedy = "stop one of the two, or give it a name of its own among the members"
        yield Concern(Condition.PERSON, "", "twin", text, remedy)
    if others := [each.name for each in told.members if each.otherwise]:
        text = f"{few(others, _NAMED)} was told something else of the members than {told.member}"
        remedy = "have the same `coordination:` in each file, but for `member`, and restart who had another"
        yield Concern(Condition.PERSON, "", "settings", text, remedy)


def _of_votes(told: MembersStatus) -> Iterator[Concern]:
    if membership.too_few_vote(told):
        text = f"{membership.voting(told)}: no verdict on an endpoint changes"
        yield Concern(Condition.PERSON, "", "votes", text, f"{_MEMBERS} says why the others do not count")
    for each in membership.silent(told):
        remedy = f"look at its machine: {AT_WORK_AGAIN}"
        yield Concern(Condition.MOVED, "", f"member {each.name}", membership.why_silent(each), remedy, each.heard_at)
    if differing := membership.differing(told):
        text = f"members have other policies than {told.member}: {few(differing, _NAMED)}; these votes do not count"
        command = failoverctl("reload")
        remedy = f"bring the same files to each of them, then there: {command}"
        yield Concern(Condition.PERSON, "", "revisions", text, remedy, command=command)


def _left_to_it(told: MembersStatus) -> str:
    if told.leads:
        return "leads until its lease may be over"
    return "takes off what is down, and writes nothing else" if told.lone else "writes nothing until it does"


def unseen(found: Overview) -> list[str]:
    """Policies of which nothing is known yet: nobody has seen whether all is well."""
    seen = {each.target.policy for each in found.targets}
    waits = (each.target.policy for each in found.targets if each.kind == DecisionKind.HOLD_NO_VERDICT)
    return list(dict.fromkeys([*(each.policy for each in found.policies if each.policy not in seen), *waits]))


_CHECK: Final = failoverctl("check")
_MEMBERS: Final = failoverctl("members")
_TWO_LEASES: Final = 2
"""For so many leases nobody may lead before that is a person's matter: one has to end before another begins."""

_RESTART: Final = "systemctl restart failoverd"

_NAMED: Final = 3
"""Names that a headline has room for, of each kind."""
