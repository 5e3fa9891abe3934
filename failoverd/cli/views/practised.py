"""`failoverctl practice`: which drill is on, when each region was last practised, how it went, and what comes next."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from failoverd.api.client import ApiError
from failoverd.api.shapes import PlannedTold, PracticeTold, StatusTold, WordStatusTold
from failoverd.cli.failing import OutputConsole, print_json, told
from failoverd.cli.options import Output
from failoverd.cli.screen import Printout
from failoverd.cli.views.origin import Found, found, gone
from failoverd.cli.views.spoken_times import ago
from failoverd.core.names import failoverctl
from failoverd.core.overrides import Verb, by, verb_of
from failoverd.core.practices import NEVER_BEGAN, PracticeOutcome
from failoverd.core.records import few
from failoverd.operations import words
from failoverd.telemetry import phrases

console = OutputConsole(highlight=False)

_COLOURS: Final = {PracticeOutcome.SUCCEEDED: "green", PracticeOutcome.FAILED: "red"}
_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class Drilled:
    """A region over all policies that have it: the last drill that any of them held, and one that never began since."""

    region: str
    policies: tuple[str, ...]
    last: PracticeTold | None
    missed: PracticeTold | None = None


def drilled(status: StatusTold) -> tuple[Drilled, ...]:
    """Each region, the one that was practised longest ago first, and before it those that never were."""
    policies: dict[str, dict[str, None]] = {}
    last: dict[str, PracticeTold] = {}
    missed: dict[str, PracticeTold] = {}
    for region in status.regions:
        policies.setdefault(region.region, {})[region.policy] = None
    for policy in status.policies:
        for each in policy.practices:
            of_it = missed if each.outcome in NEVER_BEGAN else last
            if each.region in policies and (each.region not in of_it or of_it[each.region].began < each.began):
                of_it[each.region] = each
    every = [
        Drilled(name, tuple(sorted(having)), last.get(name), _since(last.get(name), missed.get(name)))
        for name, having in policies.items()
    ]
    return tuple(sorted(every, key=lambda each: (each.last.began if each.last is not None else 0.0, each.region)))


def _since(last: PracticeTold | None, missed: PracticeTold | None) -> PracticeTold | None:
    return missed if missed is not None and (last is None or last.began < missed.began) else None


def practice(config: Path, output: Output) -> None:
    now = time.time()
    with told():
        answer = _status(config, output, now)
        if output is Output.JSON:
            print_json(
                {
                    "on": [each.model_dump(mode="json") for each in _on(answer.told)],
                    "regions": [
                        {
                            "region": each.region,
                            "policies": list(each.policies),
                            "last": each.last.model_dump(mode="json") if each.last is not None else None,
                            "missed": each.missed.model_dump(mode="json") if each.missed is not None else None,
                        }
                        for each in drilled(answer.told)
                    ],
                    "planned": [each.model_dump(mode="json") for each in to_come(answer.told)],
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
    for word in _on(status):
        begun = f"since {phrases.moment(word.since)}, until {words.until(word.until, now)}"
        page.say((f"practice: {word.about} is away", "bold yellow"), f" {begun} ({words.left(word.until - now)} left)")
        page.say(f"  {by(word.actor)}: {word.comments[0].text if word.comments else ''}")
        page.say(f"  to end it: {failoverctl('practice', 'stop')}")
    for each in drilled(status):
        where = few(list(each.policies), _NAMED)
        if each.last is None:
            page.say((each.region, "bold"), f": never practised (in {where})")
            _missed(page, each.missed, now)
            continue
        outcome = PracticeOutcome(each.last.outcome)
        said = outcome.replace("_", " ")
        page.say((each.region, "bold"), f": {ago(now - each.last.began)} ago ", (said, _COLOURS.get(outcome, "yellow")))
        why = f": {each.last.why}" if each.last.why else ""
        page.say(f"  by {each.last.actor}, for {ago(each.last.ended - each.last.began)}{why} (in {where})")
        _missed(page, each.missed, now)
    planned = to_come(status)
    soon = words.near(planned, now)
    for work in planned:
        page.say(("next: ", "bold"), f"{work.about}, {phrases.moment(work.since)} to {phrases.moment(work.until)}")
        off = failoverctl("release", work.override) if work in soon else "say its day under skip there"
        page.say(f"  by {work.actor}; to call it off: {off}")
    if not status.regions:
        page.say("no policy is at work: there is nothing to practise")
    page.show(to)


def _missed(page: Printout, missed: PracticeTold | None, now: float) -> None:
    if missed is not None:
        outcome = missed.outcome.replace("_", " ")
        page.say(f"  not held {ago(now - missed.began)} ago, ", (outcome, "yellow"), f": {missed.why}")


def _on(status: StatusTold) -> tuple[WordStatusTold, ...]:
    """The drill that is on: one at a time, as everything that is said counts more than it."""
    drills = (each for each in status.overrides if each.verb == Verb.PRACTICE and each.cleared)
    return tuple(each for each in drills if each.since <= status.at < each.until and each.ended_at is None)


def to_come(status: StatusTold) -> tuple[PlannedTold, ...]:
    """Drills that files plan, the next one first. One that began is an override by now."""
    return tuple(each for each in status.planned if verb_of(each.override) is Verb.PRACTICE and each.since > status.at)
