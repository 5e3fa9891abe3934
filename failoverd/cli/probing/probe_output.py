"""What a probe came to, for people and for programs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.console import Console

from failoverd.cli.probing.probe_rounds import FinishedProbe
from failoverd.cli.screen import say
from failoverd.core.probe_reasons import ProbeOutcome
from failoverd.core.records import ProbeResult, Timings
from failoverd.telemetry.phrases import counted

WIDTH: Final = 32
"""Columns of a bar."""

_STYLES: Final = {
    ProbeOutcome.PASS: "green",
    ProbeOutcome.DEGRADED: "yellow",
    ProbeOutcome.FAIL: "bold red",
    ProbeOutcome.BLIND: "magenta",
}
_BLIND: Final = "BLIND says nothing about the endpoint: the daemon would not move traffic for it."
_PHASES: Final = ("resolve", "connect", "tls", "first_byte")


def as_json(target: str, rounds: Sequence[Sequence[FinishedProbe]]) -> dict[str, Any]:
    """Times are seconds; a phase that was not reached, or that the check does not have, is null."""
    outcomes = Counter(finished.result.outcome for each in rounds for finished in each)
    return {
        "target": target,
        "ok": all_well(rounds),
        "outcomes": {outcome.value: outcomes[outcome] for outcome in ProbeOutcome},
        "probes": [_plain(finished, number) for number, each in enumerate(rounds, start=1) for finished in each],
    }


def _plain(finished: FinishedProbe, number: int) -> dict[str, Any]:
    probe, result = finished.probe, finished.result
    return {
        "round": number,
        "policy": probe.policy or None,
        "region": probe.endpoint.region or None,
        "endpoint": probe.endpoint.text,
        "check": probe.check.name,
        "kind": probe.check.kind,
        "at": result.at,
        "outcome": result.outcome.value,
        "reason": result.reason.value,
        "detail": result.detail,
        "meaning": result.reason.meaning,
        "timings": result.timings._asdict(),
        "measures": dict(result.measures),
    }


def all_well(rounds: Sequence[Sequence[FinishedProbe]]) -> bool:
    """Whether every probe may carry traffic: it passed, or is degraded."""
    return all(
        finished.result.outcome in {ProbeOutcome.PASS, ProbeOutcome.DEGRADED} for each in rounds for finished in each
    )


# -- text --------------------------------------------------------------------------------------------------------------


def show(console: Console, finished: FinishedProbe) -> None:
    """A headline, the phases one below the other, the measures, and what it means."""
    probe, result = finished.probe, finished.result
    whose = f"{probe.policy}  " if probe.policy else ""
    say(console, f"{whose}{probe.place}  ", (probe.check.name, "bold"), f" ({probe.check.kind})")
    verdict = (result.outcome.upper(), _STYLES[result.outcome])
    say(console, "  ", verdict, f"  {result.reason}" + (f": {result.detail}" if result.detail else ""))
    _show_phases(console, result.timings)
    if result.measures:
        say(console, "  measures: ", ", ".join(f"{name} {value:g}" for name, value in result.measures))
    for words in _meaning(result):
        say(console, f"  {words}")


def _meaning(result: ProbeResult) -> Iterator[str]:
    yield result.reason.meaning
    if result.outcome is ProbeOutcome.BLIND:
        yield _BLIND


def _show_phases(console: Console, timings: Timings) -> None:
    """Each phase begins where the one before it ended."""
    mark = "█" if console.encoding.lower().startswith("utf") else "#"
    for name, begin, took in _spans(timings):
        say(console, f"  {name:<10} {took * 1_000:>9.2f} ms  ", (_bar(begin, took, timings.total, mark), "cyan"))


def _bar(begin: float, took: float, total: float, mark: str) -> str:
    """Where a phase lies within the whole; one that took any time has a mark at least."""
    if took <= 0:
        return ""
    indent = min(WIDTH - 1, int(begin / total * WIDTH))
    return " " * indent + mark * max(1, min(WIDTH - indent, round(took / total * WIDTH)))


def _spans(timings: Timings) -> Iterator[tuple[str, float, float]]:
    """Name, begin and length of each phase that was reached; then the whole."""
    begin = 0.0
    for name in _PHASES:
        seconds = getattr(timings, name)
        if seconds is not None:
            yield name.replace("_", " "), begin, seconds
            begin += seconds
    yield "total", 0.0, timings.total


def summary(rounds: Sequence[Sequence[FinishedProbe]]) -> str:
    """How many probes came to what: `3 probes: 2 pass, 1 fail`."""
    outcomes = Counter(finished.result.outcome for each in rounds for finished in each)
    told = ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in ProbeOutcome if outcomes[outcome])
    return f"{counted(outcomes.total(), 'probe')}: {told}"
