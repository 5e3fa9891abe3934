"""Where everything stands, from the journal alone: it can be told with the daemon dead."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from failoverd.core.control.decision import DecisionKind
from failoverd.core.records import few
from failoverd.core.status import Heartbeat, JournalStatus, Overview, TargetState, TargetStatus
from failoverd.operations import words
from failoverd.store.statuses import StatusReading
from failoverd.telemetry import prose

RUNNING: Final = "running"
SILENT: Final = "silent"
SILENT_AFTER: Final = 30.0
"""Seconds without a heartbeat after which the daemon is called silent."""


def overview(reading: StatusReading, now: float, *, healthy: bool = True) -> Overview:
    """What the journal holds. Endpoints that are `healthy` are most of it, and may be left out.

    Not where an operator's word is about endpoints: which records these answer for is to be known.
    """
    overrides = tuple(word for word in reading.overrides(now) if not word.over_by(now))
    healthy = healthy or any(word.scope.endpoints for word in overrides)
    return Overview(
        heartbeat=reading.heartbeat(),
        vantage=reading.vantage(),
        probing=reading.probing(),
        policies=reading.policies(),
        regions=reading.regions(),
        endpoints=reading.endpoints(healthy=healthy),
        targets=reading.targets(),
        orphans=reading.orphans(),
        refused_files=reading.refused_files(),
        notifications=reading.notifications(),
        planned=reading.planned(),
        overrides=overrides,
    )


def daemon_state(beat: Heartbeat | None, now: float) -> str:
    """`running`, `stopped`, `silent`, or that it never was."""
    if beat is None:
        return "never ran with this journal"
    if beat.state == RUNNING and now - beat.at > SILENT_AFTER:
        return SILENT
    return beat.state


def headline(found: Overview, now: float, *, by_daemon: bool = False) -> str:
    """In one line, for `status` and `systemctl status` alike: what is not well, the worst of it first.

    Unless the daemon says it itself, also whether one looks after it (by the wall clock): all else is only what it saw
    last.
    """
    by_state: dict[TargetState, list[TargetStatus]] = {}
    for target in found.targets:
        by_state.setdefault(target.state, []).append(target)
    limited = by_state.get(TargetState.LIMITED, [])
    abstains = found.vantage.isolated if found.vantage is not None else ()
    told = [
        "" if by_daemon else _not_at_work(found.heartbeat, now),
        journal_words(found.journal),
        _about("kept on what is down by a limit", _policies(each for each in limited if each.keeps_dead)),
        _about("not to be read or written", _policies(by_state.get(TargetState.DELAYED, ()))),
        _about("written by another instance as well", _policies(each for each in found.targets if each.has_rival)),
        _about("under operators' words that were lost", _policies(each for each in found.targets if each.lost_words)),
        _about("refused", _policies(by_state.get(TargetState.REFUSED, ()))),
        f"the prober abstains on {' and '.join(abstains)}" if abstains else "",
        _about("incident", [each.policy for each in found.policies if each.incident_id]),
        words.brief(found.overrides, now),
        _about("held by a limit", _policies(each for each in limited if not each.keeps_dead)),
        _about("edited by hand", _policies(by_state.get(TargetState.DRIFTED, ()))),
        _about("orphaned records of", list(dict.fromkeys(each.target.policy for each in found.orphans))),
        _about("without a verdict", _unknown(found)),
        _about("not taken up", [Path(each.file).name for each in found.refused_files]),
        _about("notifications are not taken by", silent_receivers(found)),
        _about("newer file does not load", [each.policy for each in found.policies if each.rejected]),
    ]
    said = "; ".join(filter(None, told)) or "all well"
    return f"{prose.counted(len(found.policies), 'policy', 'policies')}, {said}"


def journal_words(journal: JournalStatus | None) -> str:
    """That it does not work; "" while it does."""
    if journal is None:
        return ""
    return f"the journal cannot be {'written' if journal.writes else 'read'}"


def silent_receivers(found: Overview) -> list[str]:
    """Receivers that do not take what they are told."""
    told = found.notifications.receivers if found.notifications is not None else ()
    return list(dict.fromkeys(each.receiver for each in told if each.failing_since is not None))


def _not_at_work(beat: Heartbeat | None, now: float) -> str:
    state = daemon_state(beat, now)
    if state == RUNNING:
        return ""
    return f"the daemon {'is ' if beat is not None else ''}{state}"


def _policies(targets: Iterable[TargetStatus]) -> list[str]:
    return list(dict.fromkeys(each.target.policy for each in targets))


def _unknown(found: Overview) -> list[str]:
    """Policies of which nothing is known yet: nobody has seen whether all is well."""
    seen = {each.target.policy for each in found.targets}
    unseen = [each.policy for each in found.policies if each.policy not in seen]
    return [*unseen, *_policies(each for each in found.targets if each.kind == DecisionKind.HOLD_NO_VERDICT)]


def _about(what: str, names: Sequence[str]) -> str:
    return f"{what}: {few(sorted(names), _NAMED)}" if names else ""


_NAMED: Final = 3
"""Names of policies, or of files, that a headline has room for, of each kind."""
