"""The state at a glance, for a terminal: who is needed first, then each record, its regions, and what people said.

A table as wide as the screen, or, where that is narrow, one thing below the other. What is well is told in one line
where there is much of it, so that what is not never scrolls off.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from rich.cells import cell_len

from failoverd.api.shapes import ConcernTold, GlanceTold, PlannedTold, RecordLineTold, RegionLineTold, WordLineTold
from failoverd.cli.screen import Printout, folded
from failoverd.core.health.region import RegionState
from failoverd.core.names import failoverctl
from failoverd.core.overrides import by
from failoverd.core.records import WHOLE, answered, few, percentages
from failoverd.core.status import TargetState
from failoverd.operations import words
from failoverd.operations.concerns import FEW, SEVERITY, Condition
from failoverd.telemetry import phrases

_NARROW: Final = 72
"""Columns below which a table is no table any more."""

_MOST: Final = 20
"""Troubles that are told one by one, unless somebody asks for all of them."""

_NAMED: Final = 3

_WELL: Final = "well"
_IN_FORCE: Final = "in_force"

COLOURS: Final = {
    Condition.WELL: "green",
    Condition.MOVED: "yellow",
    Condition.UNKNOWN: "magenta",
    Condition.PERSON: "bold red",
}
_LEVELS: Final = {Condition.PERSON: "needs a person", Condition.MOVED: "degraded", Condition.UNKNOWN: "not known"}
_HEALTH: Final = {RegionState.HEALTHY: "green", RegionState.DEGRADED: "yellow", RegionState.DOWN: "red"}


class Glancing:
    """One look at it, at `now`, on a screen of `width` columns. `every`: however many there are, each is told.

    `wrapped`: what is longer than a line goes on in the next one; else it is left to who reads it.
    """

    def __init__(self, told: GlanceTold, now: float, width: int, *, wrapped: bool, every: bool = False) -> None:
        self._told = told
        self._now = now
        self._width = width
        self._wrapped = wrapped
        self._every = every
        self._page = Printout()

    def page(self) -> Printout:
        told = self._told
        self._prose(told.headline, COLOURS[Condition(told.level)] if told.level != _WELL else "bold green")
        self._prose(self._as_of(), "dim")
        if told.speaker:
            self._prose(told.speaker, "dim")
        self._concerns()
        records = sorted(told.records, key=lambda each: -SEVERITY.index(Condition(each.level)))
        ailing = [each for each in records if each.level != _WELL]
        well = records[len(ailing) :]
        shown = well if self._every or len(well) <= FEW else []
        if ailing or shown:
            self._page.say()
            self._records([*ailing, *shown])
        if told.well > len(shown):
            count = phrases.counted(told.well - len(shown), "record")
            self._prose(f"{'and ' if ailing or shown else ''}{count} as normal", self._dim("green"))
        self._regions()
        self._overrides()
        self._planned()
        return self._page

    def _dim(self, style: str) -> str:
        """What nobody looks after any more is no news, whatever it says."""
        return "dim" if self._told.stale else style

    def _prose(self, text: str, style: str = "", *, indent: str = "", first: str | None = None) -> None:
        begin = indent if first is None else first
        if not self._wrapped:
            self._page.say((begin + text, style))
            return
        for line in folded(text, self._width - len(indent), begin, indent):
            self._page.say_worded(line, style)

    # -- how old it is -------------------------------------------------------------------------------------------------

    def _as_of(self) -> str:
        told = self._told
        if told.seen is None:
            return "nothing was ever seen"
        prober = f"; the prober {told.prober}" if told.prober else ""
        if told.stale:
            return f"as of {phrases.ago(self._now - told.seen)} ago{prober}"
        return f"as of {self._age(told.seen)}, by the daemon at work{prober}"

    def _age(self, at: float) -> str:
        seconds = self._now - at
        return "now" if seconds < 1 else f"{phrases.ago(seconds)} ago"

    def _for(self, since: float | None) -> str:
        return phrases.ago(self._now - since) if since is not None else ""

    # -- who is needed -------------------------------------------------------------------------------------------------

    def _concerns(self) -> None:
        concerns = self._told.concerns
        shown = concerns if self._every else concerns[:_MOST]
        for each in shown:
            self._concern(each)
        if len(concerns) > len(shown):
            self._prose(f"and {len(concerns) - len(shown)} troubles more: failoverctl status --problems --verbose")

    def _concern(self, told: ConcernTold) -> None:
        lasted = f" ({self._for(told.since)})" if told.since is not None else ""
        level = Condition(told.level)
        self._prose(
            f"{_LEVELS.get(level, level)}: {told.text}{lasted}", self._dim(COLOURS[level]), indent="  ", first=""
        )
        if told.remedy:
            self._page.say(f"  remedy: {told.remedy}")
        if told.runbook:
            self._page.say(f"  runbook {told.runbook}")

    # -- records -------------------------------------------------------------------------------------------------------

    def _records(self, records: Sequence[RecordLineTold]) -> None:
        if self._width < _NARROW:
            for each in records:
                self._stacked(each)
            return
        rest = self._width - _SINCE - 3 * len(_GAP)
        name, answer = rest * 32 // 100, rest * 36 // 100
        widths = (name, answer, _SINCE, rest - name - answer)
        self._row([["record"], ["answers (normally)"], ["for"], ["next"]], widths, "bold")
        for each in records:
            next_step = self._next(each)
            cells = [
                folded(f"{each.record} {each.type}", self._width, indent="  "),
                folded(_answer(each), widths[1], indent="  "),
                [self._for(each.since) or "-"],
                folded(next_step or "-", widths[3], indent="  "),
            ]
            cells[0] += folded(_where(each), widths[0], "  ", "  ")
            if last_seen := self._last_seen(each):
                cells[1] += folded(last_seen, widths[1], "  ", "  ")
            self._row(cells, widths, self._dim(COLOURS[Condition(each.level)]))
            self._details(each)

    def _row(self, cells: Sequence[Sequence[str]], widths: Sequence[int], style: str) -> None:
        """What is wider than its column has the rest of the line to itself, and begins further left where it must."""
        waiting = [deque(cell) for cell in cells]
        while any(waiting):
            line, start = "", 0
            for cell, width in zip(waiting, widths, strict=True):
                if cell:
                    begin = max(0, min(start, self._width - cell_len(cell[0])))
                    if line and cell_len(line) + len(_GAP) > begin:
                        break
                    line += " " * (begin - cell_len(line)) + cell.popleft()
                start += width + len(_GAP)
            self._page.say_worded(line.rstrip(), style)

    def _stacked(self, each: RecordLineTold) -> None:
        self._prose(f"{each.record} {each.type}", self._dim(COLOURS[Condition(each.level)]), indent="  ", first="")
        self._prose(_where(each), indent="  ")
        self._prose(_answer(each), indent="  ")
        if last_seen := self._last_seen(each):
            self._prose(last_seen, indent="  ")
        if each.since is not None:
            self._prose(f"for {self._for(each.since)}", indent="  ")
        if next_step := self._next(each):
            self._prose(f"next: {next_step}", indent="  ")
        self._details(each)

    def _details(self, each: RecordLineTold) -> None:
        """Why, and how to stop it: of what is not as on any day."""
        if each.costs and (self._every or each.level != _WELL):
            self._prose(f"costs: {each.costs}", self._dim(""), indent="    ", first="  ")
        if each.level == _WELL:
            return
        if each.why:
            self._prose(f"why: {each.why}", self._dim(""), indent="    ", first="  ")
        if each.stop:
            self._page.say(("  let go: " if each.ends else "  stop: ", self._dim("")), each.stop)

    def _last_seen(self, each: RecordLineTold) -> str:
        """Of what cannot be read now, which everybody would take for what it answers."""
        if each.state != TargetState.DELAYED or each.seen is None:
            return ""
        return f"as it was {self._age(each.seen)}"

    def _next(self, each: RecordLineTold) -> str:
        if not each.next or each.next_at is None:
            return each.next
        return f"{each.next} {countdown(each.next_at, self._now)}"

    # -- regions -------------------------------------------------------------------------------------------------------

    def _regions(self) -> None:
        """The same region in the same state is one line, however many policies see it so."""
        groups: dict[tuple[object, ...], list[RegionLineTold]] = {}
        for each in self._told.regions:
            key = each.region, each.cloud, each.state, each.score_bp, each.taken_for, each.taken_why
            groups.setdefault(key, []).append(each)
        lines = Counter((each.policy, each.region) for each in self._told.regions)
        by_type = {key for key, count in lines.items() if count > 1}
        ill = [group for group in groups.values() if not _is_well(group[0])]
        healthy = [group for group in groups.values() if _is_well(group[0])]
        shown = healthy if self._every or len(healthy) <= FEW else []
        if ill or healthy:
            self._page.say()
        for group in [*ill, *shown]:
            self._region(group, by_type)
        if len(healthy) > len(shown):
            self._prose(f"and {phrases.counted(len(healthy), 'region')} healthy", self._dim("green"))

    def _region(self, group: Sequence[RegionLineTold], by_type: Collection[tuple[str, str]]) -> None:
        """The record types are said where the policy has another line of the region, which it sees otherwise there."""
        first = group[0]
        cloud = f" ({first.cloud})" if first.cloud else ""
        seen = [each.seen for each in group]
        known = [at for at in seen if at is not None]
        age = f"seen {self._age(min(known))}" if len(known) == len(seen) else "not all of it seen yet"
        why = f": {first.why}" if first.why and first.state != RegionState.HEALTHY else ""
        split = [(each, (each.policy, each.region) in by_type) for each in group]
        names = [f"{each.policy} for {' and '.join(each.types)}" if apart else each.policy for each, apart in split]
        where = few(list(dict.fromkeys(names)), _NAMED)
        score = f" {first.score_bp * 100 / WHOLE:g}%" if first.state != RegionState.HEALTHY else ""
        since = self._for(min(each.since for each in group))
        drill = max((each for each in group if each.practised_at is not None), key=_practised_at, default=None)
        last = f"; practised {self._age(_practised_at(drill))}: {drill.practised}" if drill is not None else ""
        taken = f", and taken for {first.taken_for}: {first.taken_why}" if first.taken_for else ""
        text = f"{first.region}{cloud}: {first.state}{score} for {since}{why}{taken} (in {where}; {age}{last})"
        style = self._dim(_HEALTH.get(RegionState(first.taken_for or first.state), ""))
        self._prose(text, style, indent="    ", first="")
        measured = "; ".join(_measured(group))
        if measured:
            self._prose(measured, style if first.short else self._dim(""), indent="    ", first="  ")

    # -- what people said ----------------------------------------------------------------------------------------------

    def _overrides(self) -> None:
        if self._told.overrides:
            self._page.say()
        for each in self._told.overrides:
            self._override(each)

    def _override(self, told: WordLineTold) -> None:
        left = f" ({words.left(told.until - self._now)} left)" if told.state == _IN_FORCE else ""
        since = f" since {words.until(told.since, self._now)}" if told.state == _IN_FORCE else ""
        state = "" if told.state == _IN_FORCE else f", {told.state}"
        until = words.until(told.until, self._now)
        text = f"override {told.id}: {told.text}, {by(told.by)}{since} until {until}{left}{state}: {told.reason}"
        self._prose(text, self._dim("cyan"), indent="    ", first="")
        about = f"about {phrases.counted(told.records, 'record')}; " if told.records is not None else ""
        self._page.say(f"  {about}stop: {failoverctl('release', told.id)}")

    def _planned(self) -> None:
        if self._told.planned:
            self._page.say()
        for each in self._told.planned:
            self._work(each)

    def _work(self, told: PlannedTold) -> None:
        end = phrases.moment(told.until)
        when = f"open, until {end}" if told.since <= self._now else f"{phrases.moment(told.since)} to {end}"
        self._prose(f"planned: {told.about}, {when}: {told.reason} ({told.actor})", indent="  ", first="")
        self._page.say(f"  to call it off: {failoverctl('release', told.override)}")


# -- parts of it -------------------------------------------------------------------------------------------------------

_SINCE: Final = 6
_GAP: Final = "  "


def countdown(at: float, now: float) -> str:
    """When that is, and how long until then: `at 04:10Z (in 35m)`."""
    left = at - now
    return f"at {words.until(at, now)} (in {words.left(left)})" if left >= 1 else "now"


def _where(each: RecordLineTold) -> str:
    return f"{each.policy}, at {each.provider}"


def _answer(each: RecordLineTold) -> str:
    """What it answers, against what it would on a day on which nothing is wrong."""
    now = answered(each.now_bp, each.foreign) or ("not known" if each.seen is None else "no answer")
    return f"{now} ({percentages(each.normal_bp)})" if each.moved else now


def differs(one: GlanceTold, other: GlanceTold) -> bool:
    """Whether anything changed, but how long it lasts by now."""
    return tuple(_essence(one)) != tuple(_essence(other))


def _essence(told: GlanceTold) -> Iterator[object]:
    yield told.level, told.stale, told.policies, told.well
    yield from ((each.level, each.policy, each.subject) for each in told.concerns)
    for each in told.records:
        yield each.policy, each.record, each.type, each.provider, each.level, each.state, each.now_bp, each.overrides
    yield from ((each.policy, each.region, each.types, each.state, each.taken_for, each.short) for each in told.regions)
    yield from ((each.id, each.state, each.until) for each in told.overrides)
    yield from ((each.override, each.since <= told.at) for each in told.planned)


def _is_well(line: RegionLineTold) -> bool:
    """Nobody has to look at it: probes find it well, nothing says worse, and nobody is short for it."""
    return line.state == RegionState.HEALTHY and not line.taken_for and not line.short


def _measured(group: Sequence[RegionLineTold]) -> Iterator[str]:
    """What it carries of what it can, who is short, and how far away it is."""
    first, times = group[0], [each.latency_seconds for each in group if each.latency_seconds is not None]
    if first.capacity is not None and first.load is not None:
        left = first.capacity - first.load
        room = f"room for {phrases.amount(left)}" if left >= 0 else f"{phrases.amount(-left)} too much"
        yield f"carries {phrases.amount(first.load)} of {phrases.amount(first.capacity)}, {room}"
    yield from first.short
    if times:
        yield f"latency {max(times) * 1000:,.0f} ms"


def _practised_at(line: RegionLineTold) -> float:
    return line.practised_at or 0.0
