"""`failoverctl status`: where everything stands."""

import json
import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from rich.console import Console

from failoverd.api.asked import GlanceQuery
from failoverd.api.client import ApiError
from failoverd.api.shapes import (
    DaemonTold,
    EndpointTold,
    GlanceTold,
    JournalTold,
    NotificationsTold,
    OrphanTold,
    PlannedTold,
    PolicyTold,
    ProbingTold,
    RefusedFileTold,
    RegionTold,
    StatusTold,
    TargetStatusTold,
    VantageTold,
    WordStatusTold,
)
from failoverd.cli.failing import OutputConsole, print_json, told
from failoverd.cli.options import Exit, Output
from failoverd.cli.screen import Printout, aligned
from failoverd.cli.streams import reader_left
from failoverd.cli.views.glancing import Glancing, differs
from failoverd.cli.views.origin import Found, found, gone
from failoverd.cli.views.spoken_times import ago, clock
from failoverd.cli.words.showing import record, word_of
from failoverd.core.control.decision import DecisionKind
from failoverd.core.health.endpoint import Health
from failoverd.core.names import failoverctl
from failoverd.core.overrides import OF_NO_RECORD, by
from failoverd.core.practices import NEVER_BEGAN
from failoverd.core.records import WHOLE, answered, few, percentages
from failoverd.core.status import TargetState
from failoverd.operations import words
from failoverd.operations.concerns import SEVERITY, Condition
from failoverd.telemetry import phrases

if TYPE_CHECKING:
    from failoverd.operations.hearing import RecordHearing

console = OutputConsole(highlight=False)


EVERY: Final = 2.0
"""Seconds between two looks."""

EXITS: Final = {
    Condition.WELL: Exit.FINE,
    Condition.MOVED: Exit.MOVED,
    Condition.PERSON: Exit.PERSON,
    Condition.UNKNOWN: Exit.UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class StatusWanted:
    """What of it is wanted: of these policies (by globs; all without any), only what is not well, how much."""

    config: Path
    policies: tuple[str, ...] = ()
    problems: bool = False
    dns: bool = False
    verbose: bool = False

    @property
    def query(self) -> GlanceQuery:
        """What is not well alone, unless the rest is little: of thousands, that is what takes time."""
        told = "true" if self.problems else "false" if self.policies or self.verbose else "auto"
        return GlanceQuery(policy=",".join(self.policies) or None, problems=told)


def status(asked: StatusWanted, output: Output) -> Exit:
    """Where everything stands. How it stands is the exit code."""
    now = time.time()
    with told():
        if output is Output.TEXT:
            seen = look(asked, now)
            _page(asked, seen, now, console).show(console)
            if asked.verbose:
                show_status(console, _whole(asked, output, now, healthy=False).told, now, headed=False)
            return exit_of(seen, asked)
        answer = _whole(asked, output, now, healthy=True)
        plain, seen = answer.plain(), answer.told.glance
        if asked.policies or asked.problems:
            seen = look(asked, now, Output.JSON)
            plain["glance"] = json.loads(seen.to_json())
        if asked.dns:
            from failoverd.cli.views.dns_answers import as_json

            plain["dns"] = [as_json(each) for each in _heard(asked, seen)]
        print_json(plain)
        return exit_of(seen, asked)


def watch(asked: StatusWanted, screen: Console = console) -> Exit:
    """Look again and again until somebody ends it; the exit code is that of the last look.

    On a terminal it is drawn in its place. Elsewhere it is told anew when something changed.
    """
    from rich.live import Live

    last: GlanceTold | None = None
    with (
        told(),
        Live(console=screen, auto_refresh=False, vertical_overflow="crop")
        if screen.is_terminal
        else nullcontext() as live,
    ):
        try:
            while True:
                now = time.time()
                seen = look(asked, now, again=last is not None)
                if live is not None:
                    live.update(_page(asked, seen, now, screen).drawn(screen), refresh=True)
                elif last is None or differs(last, seen):
                    _page(asked, seen, now, screen).show(screen)
                last = seen
                if reader_left():
                    return exit_of(seen, asked)
                time.sleep(EVERY)
        except KeyboardInterrupt:
            return exit_of(last, asked) if last is not None else Exit.INTERRUPTED


def exit_of(seen: GlanceTold, asked: StatusWanted) -> Exit:
    """By the worst of what was asked about: of some policies, theirs and that of the installation."""
    if seen.stale or not asked.policies:
        return EXITS[Condition(seen.level)]
    levels = [Condition(each.level) for each in seen.concerns] + [Condition(each.level) for each in seen.records]
    return EXITS[max(levels, key=SEVERITY.index, default=Condition.WELL)]


def _page(asked: StatusWanted, seen: GlanceTold, now: float, screen: Console) -> Printout:
    """A reader that is no terminal gets each sentence as one line, to search it."""
    drawing = Glancing(seen, now, screen.width, wrapped=screen.is_terminal, every=asked.verbose or bool(asked.policies))
    page = drawing.page()
    if asked.dns:
        page.say()
        for each in _heard(asked, seen):
            page.say((f"{each.record}: ", "bold"), (each.words, "green" if each.agree else "red"))
    return page


def _heard(asked: StatusWanted, seen: GlanceTold) -> "Sequence[RecordHearing]":
    from failoverd.cli.views.dns_answers import ask_servers

    return ask_servers(asked.config, seen.records)


def look(asked: StatusWanted, now: float, output: Output = Output.TEXT, *, again: bool = False) -> GlanceTold:
    """`again`: that it comes from the journal was said before."""

    def read(unheard: ApiError) -> tuple[GlanceTold, float | None]:
        from failoverd.cli.views.from_journal import glance_read

        return glance_read(asked.config, now, asked.policies, problems=asked.problems, silent=gone(unheard))

    return found(asked.config, Output.JSON if again else output, lambda client: client.glance(asked.query), read).told


def _whole(asked: StatusWanted, output: Output, now: float, *, healthy: bool) -> Found[StatusTold]:
    def read(unheard: ApiError) -> tuple[StatusTold, float | None]:
        from failoverd.cli.views.from_journal import status_read

        return status_read(asked.config, now, healthy=healthy, silent=gone(unheard))

    return found(asked.config, output, lambda client: client.status(healthy=healthy), read)


def show_status(console: Console, told: StatusTold, now: float, *, headed: bool = True) -> None:
    """All that is known: is the daemon alive, what is wrong, what is published, what waits and for what."""
    page = Printout()
    page.say((told.headline, "bold") if headed else "")
    page.say("daemon: ", (told.daemon.state, "bold"), _beat_words(told.daemon, now))
    _show_journal(page, told.journal, now)
    _show_members(page, told)
    _show_vantage(page, told.vantage, now)
    _show_probing(page, told.probing)
    _show_notifications(page, told.notifications, now)
    _show_overrides(page, told.overrides, now)
    _show_planned(page, told.planned, now)
    regions, endpoints = _by_policy(told.regions), _by_policy(told.endpoints)
    targets: dict[str, list[TargetStatusTold]] = {}
    for target in told.targets:
        targets.setdefault(target.target.policy, []).append(target)
    for policy in told.policies:
        _show_policy(page, policy, now)
        _show_regions(page, regions.get(policy.policy, []), now)
        _show_endpoints(page, endpoints.get(policy.policy, []), now)
        for target in targets.get(policy.policy, ()):
            _show_target(page, target)
    _show_orphans(page, told.orphans)
    _show_files(page, told.refused_files, "not taken up", "failoverctl check says all that is wrong with it")
    _show_files(page, told.warned_files, "at work, but", "put another one there, then: failoverctl reload")
    page.show(console)


P = TypeVar("P", RegionTold, EndpointTold)


def _by_policy(statuses: Iterable[P]) -> dict[str, list[P]]:
    sorted_out: dict[str, list[P]] = {}
    for status in statuses:
        sorted_out.setdefault(status.policy, []).append(status)
    return sorted_out


def _beat_words(beat: DaemonTold, now: float) -> str:
    if beat.at is None:
        return ""
    named = f", instance {beat.instance}" if beat.instance else ""
    seen = f"last seen {ago(now - beat.at)} ago"
    return f" (pid {beat.pid}{named}, version {beat.version}, {seen}); records stay as they are"


def _show_journal(page: Printout, journal: JournalTold | None, now: float) -> None:
    """What is lost while it does not work, and how that ends."""
    if journal is None:
        return
    what = "written" if journal.writes else "read"
    page.say((f"journal: cannot be {what}", "red"), f" for {ago(now - journal.since)}: {journal.error}")
    page.say("  records are steered and operators are heard all the same; but a restart would know nothing of what was")
    page.say("  said or changed meanwhile, and history would lack it")
    if journal.remedy:
        page.say(f"  remedy: {journal.remedy}")


def _show_members(page: Printout, told: StatusTold) -> None:
    """Whether this daemon speaks, or which of the others."""
    if told.glance.speaker:
        page.say(f"members: {told.glance.speaker}; ", failoverctl("members"), " has all of it")


def _show_vantage(page: Printout, vantage: VantageTold | None, now: float) -> None:
    """Whether the prober trusts its own network; nothing where there is nothing to say."""
    if vantage is None:
        return
    if vantage.isolated:
        families, since = " and ".join(vantage.isolated), ago(now - vantage.since)
        page.say((f"prober: abstains on {families}", "red"), f" for {since}: {vantage.evidence}")
        page.say("  failures are not counted and move nothing until it sees its sentinels or the clouds again")
    elif vantage.silent:
        many = f"{len(vantage.silent)} of {vantage.sentinels} sentinels do not answer"
        page.say(f"prober: trusts its network; {many}: {', '.join(vantage.silent)}")


def _show_probing(page: Printout, probing: ProbingTold | None) -> None:
    """Whether the schedule is kept."""
    if probing is None:
        return
    pace = f"{probing.rate:,.0f}/s" if probing.rate >= _MANY else f"{probing.rate:.1f}/s"
    lag = f"lag p99 {probing.lag_seconds * 1000:,.0f} ms, at most {probing.lag_max_seconds * 1000:,.0f} ms"
    page.say(f"probing: {pace}, {lag}, {probing.skipped:,} skipped, {probing.waiting:,} waiting")
    if probing.stretched > 1:
        words = f"  shedding load: intervals are {probing.stretched} times as long as written"
        page.say((words, "red"), "; re-checks keep their pace")


def _show_planned(page: Printout, planned: Iterable[PlannedTold], now: float) -> None:
    """What will happen by itself, and what does already."""
    for each in words.near(planned, now):
        open_now = f"open, until {phrases.moment(each.until)}"
        when = open_now if each.since <= now else f"{phrases.moment(each.since)} to {phrases.moment(each.until)}"
        page.say(("planned: ", "bold"), f"{each.about}, {when}: {each.reason} ({each.actor})")
        page.say(f"  to call it off: {failoverctl('release', each.override)}")


_MANY: Final = 10
"""From so many a second on, tenths say nothing."""


def _show_notifications(page: Printout, told: NotificationsTold | None, now: float) -> None:
    """How many troubles people are told of, and who does not hear of them."""
    if told is None or not told.receivers:
        return
    lasting = sum(notice.ended is None for notice in told.notices)
    places = phrases.counted(len(told.receivers), "address", "addresses")
    page.say(f"notifications: {phrases.counted(lasting, 'trouble')} told to {places}")
    for each in told.receivers:
        if each.failing_since is not None:
            page.say(
                (f"  {each.receiver} at {each.place} is not told", "red"),
                f" for {ago(now - each.failing_since)}, {each.waiting} wait: {each.error}",
            )


def _show_overrides(page: Printout, overrides: Iterable[WordStatusTold], now: float) -> None:
    """What people said: by whom and why, until when, and which records it is about."""
    for each in overrides:
        word = word_of(each)
        page.say((f"override {word.id}: {words.title(word)}", "bold"))
        page.say(f"  {by(word.actor)}, {words.when(word, now)}: {word.reason}")
        if word.verb in OF_NO_RECORD:
            continue
        many = phrases.counted(len(each.records), "record")
        page.say(f"  it is about {f'{many}: {few(each.records, _NAMED)}' if each.records else 'nothing now'}")
        if each.overruled:
            page.say(("  it is not in force", "red"), f" at {few(each.overruled, _NAMED)}: a later override is")


_NAMED: Final = 4
"""Records that a line names."""


def _show_policy(page: Printout, policy: PolicyTold, now: float) -> None:
    page.say()
    page.say((policy.policy, "bold"), f"  revision {policy.revision} of {policy.file}")
    if policy.rejected:
        page.say(("  a newer file does not load:", "red"), f" {policy.rejected}")
    if policy.incident_id:
        since = f" for {ago(now - policy.incident_since)}" if policy.incident_since is not None else ""
        runbook = f"; runbook {policy.runbook}" if policy.runbook else ""
        page.say((f"  incident {policy.incident_id}", "red"), since, runbook)
    for each in policy.practices:
        why = f" ({each.why})" if each.why else ""
        said = "not practised" if each.outcome in NEVER_BEGAN else "practised"
        page.say(f"  {said}: {each.region} {ago(now - each.began)} ago: {each.outcome.replace('_', ' ')}{why}")


def _show_orphans(page: Printout, orphans: Sequence[OrphanTold]) -> None:
    """What nothing moves any more, and how that ends."""
    for each in orphans:
        target, published = each.target, percentages(each.published_bp) or "not known"
        page.say()
        page.say((f"{record(target)}: orphaned", "red"), f" generation {each.generation}, last verified: {published}")
        page.say(f"  no policy file names it any more ({target.policy} did): it stays as it is, whatever fails")
        page.say(f"  remedy: put the file back, or: {failoverctl('disown', target.policy, target.record)}")


def _show_files(page: Printout, files: Sequence[RefusedFileTold], what: str, remedy: str) -> None:
    """What somebody may believe to be at work, or to do its work."""
    for each in files:
        page.say()
        page.say((f"{each.place or each.file}: {what}", "red"))
        page.say(f"  {each.error}")
        page.say(f"  remedy: {remedy}")


_COLUMNS: Final = ("region", "type", "health", "score", "for", "evidence")


def _show_regions(page: Printout, regions: Sequence[RegionTold], now: float) -> None:
    rows = [
        (each.region, each.record_type, each.state, f"{each.score_bp * 100 / WHOLE:g}%", ago(now - each.since),
         each.evidence)
        for each in regions
    ]  # fmt: skip
    for line in aligned((_COLUMNS, *rows)):
        page.say_worded(line)


def _show_endpoints(page: Printout, endpoints: Iterable[EndpointTold], now: float) -> None:
    """Those that are not well: of the others, the table of the regions says enough."""
    for each in endpoints:
        if each.state != Health.HEALTHY:
            words = f" for {ago(now - each.since)}: {each.evidence}"
            page.say(f"    {each.region} {each.endpoint}: ", (each.state, "red"), words)


def _unusual(target: TargetStatusTold) -> bool:
    """Whether somebody would wonder why it stands as it does."""
    told = target.has_rival or target.outranked or bool(target.lost_overrides)
    return target.kind != DecisionKind.NORMAL or told


def _show_target(page: Printout, target: TargetStatusTold) -> None:
    colour = "green" if target.state == TargetState.IN_SYNC else "red"
    unread = target.state == TargetState.DELAYED and not target.generation and not target.published_bp
    published = answered(target.published_bp, target.foreign) or "no answer"
    stands = ": what is answered is not known" if unread else f" generation {target.generation}: {published}"
    page.say(f"  {record(target.target)}: ", (target.state, colour), stands)
    for reason in target.reasons if _unusual(target) else ():
        page.say(f"    why: {reason}")
    for check in target.checks:
        page.say(f"    limit: {check}")
    if target.detail:
        page.say(f"    {target.detail}")
    if target.remedy:
        page.say(f"    remedy: {target.remedy}")
    if target.digest:
        page.say(f"    or let this one through: {failoverctl('approve', target.digest, '--reason', 'TEXT')}")
    if target.until is not None:
        page.say(f"    next look at {clock(target.until)}")
    if target.manual:
        page.say("    the same by hand:")
        page.say_block(target.manual)
