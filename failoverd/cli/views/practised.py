"""`failoverctl practice`: when each region was last practised, how it went, and what comes next."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from failoverd.api.client import ApiError
from failoverd.api.shapes import PlannedTold, PracticeTold, StatusTold
from failoverd.cli.failing import OutputConsole, print_json, told
from failoverd.cli.options import Output
from failoverd.cli.screen import Printout
from failoverd.cli.views.origin import Found, found, gone
from failoverd.cli.views.spoken_times import ago
from failoverd.core.names import failoverctl
from failoverd.core.overrides import Verb, verb_of
from failoverd.core.practices import PracticeOutcome
from failoverd.core.records import few
from failoverd.telemetry import phrases

console = OutputConsole(highlight=False)

_COLOURS: Final = {PracticeOutcome.SUCCEEDED: "green", PracticeOutcome.FAILED: "red"}
_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class Drilled:
    """A region over all policies that have it, with the last drill of any of them."""

    region: str
    policies: tuple[str, ...]
    last: PracticeTold | None


def drilled(status: StatusTold) -> tuple[Drilled, ...]:
    """Each region, the one that was practised longest ago first, and before it those that never were."""
    policies: dict[str, dict[str, None]] = {}
    last: dict[str, PracticeTold] = {}
    for region in status.regions:
        policies.setdefault(region.region, {})[region.policy] = None
    for policy in status.policies:
        for each in policy.practices:
            if each.region in policies and (each.region not in last or last[each.region].began < each.began):
                last[each.region] = each
    every = [Drilled(name, tuple(sorted(having)), last.get(name)) for name, having in policies.items()]
    return tuple(sorted(every, key=lambda each: (each.last.began if each.last is not None else 0.0, each.region)))


def practice(config: Path, output: Output) -> None:
    now = time.time()
    with told():
        answer = _status(config, output, now)
        if output is Output.JSON:
            print_json(
                {
                    "regions": [
                        {
                            "region": each.region,
                            "policies": list(each.policies),
                            "last": each.last.model_dump(mode="json") if each.last is not None else None,
                        }
                        for each in drilled(answer.told)
                    ],
                    "planned": [each.model_dump(mode="json") for each in _planned(answer.told)],
                    "source": answer.plain()["source"],
                }
            )
        else:
            show(console, answer.told, now)


def _status(config: Path, output: Output, now: float) -> Found[StatusTold]:
    def read(unheard: ApiError) -> tuple[StatusTold, float | None]:
        from failoverd.cli.views.from_journal import status_read

        return status_read(config, now, healthy=False, silent=gone(unheard))

    return found(config, output, lambda client: client.status(healthy=False), read)


def show(to: OutputConsole, status: StatusTold, now: float) -> None:
    page = Printout()
    for each in drilled(status):
        where = few(list(each.policies), _NAMED)
        if each.last is None:
            page.say((each.region, "bold"), f": never practised (in {where})")
            continue
        outcome = PracticeOutcome(each.last.outcome)
        said = outcome.replace("_", " ")
        page.say((each.region, "bold"), f": {ago(now - each.last.began)} ago ", (said, _COLOURS.get(outcome, "yellow")))
        why = f": {each.last.why}" if each.last.why else ""
        page.say(f"  by {each.last.actor}, for {ago(each.last.ended - each.last.began)}{why} (in {where})")
    for work in _planned(status):
        when = f"{phrases.moment(work.since)} to {phrases.moment(work.until)}"
        on = "on until " + phrases.moment(work.until) if work.since <= now else when
        page.say(("planned: ", "bold"), f"{work.about}, {on}")
        page.say(f"  by {work.actor}; to call it off: {failoverctl('release', work.override)}")
    if not status.regions:
        page.say("no policy is at work: there is nothing to practise")
    page.show(to)


def _planned(status: StatusTold) -> Iterator[PlannedTold]:
    return (each for each in status.planned if verb_of(each.override) is Verb.PRACTICE and each.until > status.at)
