"""`failoverctl members`: who leads, who is there, and whose votes count."""

import time
from pathlib import Path
from typing import Final

from failoverd.api.client import ApiError
from failoverd.api.shapes import MembersTold, MemberTold, RosterTold
from failoverd.cli.failing import OutputConsole, print_json, told
from failoverd.cli.options import Exit, Output
from failoverd.cli.screen import Printout, aligned, folded
from failoverd.cli.views.glancing import COLOURS
from failoverd.cli.views.now import EXITS
from failoverd.cli.views.origin import found, gone
from failoverd.core.records import few
from failoverd.operations.concerns import Condition
from failoverd.telemetry import phrases

console = OutputConsole(highlight=False)

_LEAST: Final = 60
_NAMED: Final = 2
_APART: Final = 0.1
"""Seconds: less of a difference between two clocks is what messages take."""


def members(config: Path, output: Output) -> Exit:
    """The exit code is that of `status`, by what is not as it should be about the members."""
    now = time.time()

    def read(unheard: ApiError) -> tuple[MembersTold, float | None]:
        from failoverd.cli.views.from_journal import members_read

        return members_read(config, now, silent=gone(unheard))

    with told():
        answer = found(config, output, lambda client: client.members(), read)
        if output is Output.JSON:
            print_json(answer.plain())
        else:
            shown(answer.told, now, max(_LEAST, console.width)).show(console)
    return EXITS[Condition(answer.told.level)]


def shown(told: MembersTold, now: float, width: int) -> Printout:
    """The answer first, then what is amiss, then a line for each member."""
    page, level = Printout(), Condition(told.level)
    for line in folded(told.headline, width, indent="  "):
        page.say_worded(line, COLOURS[level])
    if (roster := told.roster) is None:
        return page
    for line in folded(_as_of(roster, now), width, indent="  "):
        page.say_worded(line, "dim")
    for concern in told.concerns:
        lasted = f" ({phrases.ago(now - concern.since)})" if concern.since is not None else ""
        for line in folded(f"{concern.text}{lasted}", width, indent="  "):
            page.say_worded(line, COLOURS[Condition(concern.level)])
        for line in folded(f"remedy: {concern.remedy}", width, "  ", "    "):
            page.say_worded(line)
    page.say()
    rows = [_HEAD, *(_row(each, roster, now) for each in roster.members)]
    for row in aligned(rows):
        page.say_worded(row)
    return page


def _as_of(roster: RosterTold, now: float) -> str:
    heard = f"coordinator heard {_ago(roster.heard_at, now)}"
    leads = f"for {phrases.ago(max(0.0, now - roster.since))}" if roster.leader else "nobody leads"
    return f"as {roster.member} knows it: {leads}, {heard}, lease {roster.lease_seconds:g}s"


def _ago(at: float | None, now: float) -> str:
    return f"{phrases.ago(max(0.0, now - at))} ago" if at is not None else "never"


_HEAD: Final = ("member", "network", "does", "votes", "heard", "version", "clock")


def _row(each: MemberTold, roster: RosterTold, now: float) -> tuple[str, ...]:
    name = f"{each.name} (this)" if each.name == roster.member else each.name
    return name, each.network, each.standing, _votes(each), _ago(each.heard_at, now), each.version or "-", _clock(each)


def _votes(each: MemberTold) -> str:
    if each.uncounted:
        return f"no: {each.uncounted}"
    return f"but of {few(list(each.differing), _NAMED)}" if each.differing else "yes"


def _clock(each: MemberTold) -> str:
    """How far it is ahead."""
    if each.offset_seconds is None:
        return "-"
    return "ok" if abs(each.offset_seconds) < _APART else f"{each.offset_seconds:+.1f}s"
