"""Every event that is logged: its level, its meaning, its fields and theirs.

Names, levels and fields are those of the code; what they mean is said here. `docs/events.md` is made of it,
`systemd/failoverd.catalog` for `journalctl -x`, and the JSON Schema of a line of the log:

    python -m failoverd.telemetry.catalogue   # writes both files anew, from the root of the source
"""

import textwrap
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

from failoverd.core.events import KINDS, Level
from failoverd.telemetry.journald import field_name, message_id

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_EVENTS: Final[Mapping[str, str]] = {
    "daemon.started": "The daemon runs; markers name it by its `instance`.",
    "daemon.stopped": "It ended on purpose; records stay as they are.",
    "policy.loaded": "A policy, or a newer revision of it, runs.",
    "policy.removed": "Its file is gone; its records stay as they are.",
    "record.orphaned": "No policy file names a record any more that failoverd owns: nothing moves its traffic.",
    "config.rejected": "A file does not load; what ran before goes on (`keeps`).",
    "config.deferred": "A changed setting works after a restart only.",
    "task.crashed": "A part of the daemon crashed and starts again in `restart_in` seconds.",
    "replay.differed": (
        "Of the last day's `decisions`, `differing` came to something else when they were made again, as they are each "
        "night: a defect. `command` shows them."
    ),
    "metrics.failed": "The metrics cannot be served; everything else goes on.",
    "notification.failed": (
        "A receiver does not take what it is told, three times in a row; told once. It is tried on, and `waiting` "
        "notices wait."
    ),
    "notification.delivered": "It takes them again, after `lasted` seconds.",
    "journal.failed": (
        "History may be lost; traffic is steered all the same. A row that cannot be read is left out "
        "(`journal_row_unreadable`), and so is a decision that cannot be kept (`journal_decision_unwritable`); a "
        "journal that cannot be locked keeps no second daemon out (`journal_unlocked`); a file that cannot be used is "
        "kept beside as `NAME.corrupt-TIME`, and a new one begun (`journal_corrupt`)."
    ),
    "api.failed": "The admin API cannot be served at `listen`; everything else goes on.",
    "request.refused": (
        "The admin API refused a request, for who asked or how; of many, some are told, with how many were not "
        "(`untold`)."
    ),
    "clock.jumped": (
        "The system clock was moved by `seconds`; times are told by the clock as it was at the start, until a restart."
    ),
    "leader.elected": (
        "One of several members, `leader`, writes from now on; `mine`: it is who tells this. `resigned_until`: it had "
        "resigned until then, and leads already, because nobody else led for a whole lease."
    ),
    "leader.lost": (
        "This member, which led, writes no more (`cause`); another one can lead. `uncoordinated`: the coordinator does "
        "not answer it, and it cannot know whether one does. One that followed says so too, after five minutes without "
        "the coordinator: `leader`, or nobody, led when that last answered."
    ),
    "coordinator.lost": (
        "What members agree by does not answer this one: it writes nothing once its lease may be over, or (`lone`) "
        "takes off what is down alone."
    ),
    "coordinator.regained": "It answers again, after `lasted` seconds.",
    "coordinator.restored": (
        "Markers show a higher epoch (`seen`) than the coordinator gave (`was`): an older state of it was restored. "
        "Epochs go on above that."
    ),
    "memory.unread": "What members remember together under `key` cannot be read here, and is left as it is.",
    "memory.read": "All of it can be read here again, after `lasted` seconds.",
    "history.untold": (
        "The coordinator was away for so long that `count` events of this member were not told to the others: its own "
        "journal has them."
    ),
    "member.lost": "A member is not heard for longer than the lease: it has no vote, and others probe what it did.",
    "member.found": "It is heard again, after `lasted` seconds.",
    "twin.detected": (
        "Another daemon, on `host`, says that it is this `member`, too. The one that began later steps back "
        "(`steps_back`: this one does): it neither votes nor leads while it hears the other."
    ),
    "twin.gone": "No other daemon says so any more, after `lasted` seconds.",
    "vote.refused": (
        "What a member says is not counted (`reason`): it runs another revision of the policy, is none of the members, "
        "or says what cannot be read. Told once, until it is counted again."
    ),
    "quorum.lost": (
        "Fewer than two of three or more vantages can vote (`live`): what they agreed on before holds, and no failure "
        "is acted on."
    ),
    "quorum.regained": "Enough of them can again.",
    "endpoint.failed": "An endpoint is down.",
    "endpoint.degraded": "It is alive and slow or full.",
    "endpoint.recovered": "It is up again.",
    "endpoint.suppressed": "It passes, but flapped too much to be used.",
    "endpoint.lost": "No fresh verdict: the prober cannot see it.",
    "reachability.split": "An endpoint can be reached from some networks and not from others, and that lasts.",
    "reachability.restored": "From all of them the same is seen again.",
    "dependency.failed": "Something that regions depend on is down.",
    "dependency.recovered": "It is up again.",
    "vantage.isolated": "The prober doubts its own network: failures are not counted.",
    "vantage.rejoined": "It trusts its network again.",
    "probing.shed": "This host cannot keep the schedule: intervals are `factor` times as long.",
    "probing.restored": "It has been calm, a step back: `factor` 1 is as written.",
    "region.failed": "Its score is below `down_below`.",
    "region.degraded": "Its score is below `degraded_below`: endpoints are down, slow or full.",
    "region.recovered": "It is healthy again.",
    "region.lost": "No verdict on it; its share stays.",
    "override.given": (
        "An operator gave an override (`verb`), or a window of planned work begins: it is heeded from now on, or once "
        "`needed` people agree."
    ),
    "override.changed": (
        "Somebody (`by`) extended it, commented on it, or agreed to it; or the file that plans it says it otherwise."
    ),
    "override.ending": "It ends in `left` seconds, and what it keeps away comes back.",
    "override.ended": (
        "Its time is over, or somebody (`by`) released it; or the file that planned it (`by`) does not say it any more."
    ),
    "practice.started": (
        "A drill begins: `regions` get no traffic until `until`, to see that the others bear it. It ends at once if "
        "anything comes up."
    ),
    "practice.ended": (
        "A drill is over, or never began. `outcome` says how it went: `succeeded`, `failed` (the others did not bear "
        "it), `interrupted` (something came up, or somebody ended it), `capacity_check_failed` or `blocked` (it never "
        "began); `why` says by what."
    ),
    "overrides.lost": (
        "The marker names `overrides` that the journal does not know. Nothing is undone: before `until`, only what "
        "fails out moves."
    ),
    "rival.detected": (
        "Other instances (`rivals`) of the same `owner` write a name turn by turn with this one (`instance`). Told "
        "once for a name; from then on only what is down is taken off it, until a person ends that."
    ),
    "leader.outranked": (
        "A newer leader (`epoch`) of the same `owner` wrote a name than this one is (`ours`; 0: one member alone). "
        "Nothing is written there from then on, whatever fails: `remedy` says what to do. Told once for a name and a "
        "leader."
    ),
    "rival.settled": (
        "A person (`by`) says that they are gone: the name is written as before, also over what leaders up to `epoch` "
        "wrote."
    ),
    "alert.ignored": (
        "An alert with a label of ours (`failoverd_region`) was sent by `by`, and nothing moves for it: `why` says "
        "what is wrong. Told once while it fires."
    ),
    "signal.lost": (
        "Nothing that is believed was measured for three intervals: of figures the last value counts, then the "
        "declared one; a region that a signal called ill or full gets no more than it has."
    ),
    "signal.found": "It is measured again; or it is asked for no more, and not named.",
    "signal.clipped": "A figure jumped, or fell below the least that is declared: `believed` is what counts.",
    "signal.fired": "A region has far more errors than the others: it is taken to be `verdict`.",
    "signal.shared": (
        "A region has too many errors, and the others have as many (a bad deploy is the same everywhere), or nobody "
        "says how they are: nothing moves for it."
    ),
    "signal.cleared": "It has fewer errors again; or nobody knows any more (`verdict` is `unknown`).",
    "incident.opened": "Something is wrong; what follows carries its `incident_id`.",
    "incident.closed": "All is well again, after `lasted` seconds.",
    "decision.made": "What the policy wants at one record now, with the sum.",
    "decision.crashed": (
        "A defect of failoverd: this record stays as it is. `inputs` is what was decided on, to report."
    ),
    "plan.held": "A limit blocks the change; `manual` does it by hand.",
    "failover.held": (
        "`min_regions` or an override keeps what is down in the answer, it is left to a newer leader, or a rival puts "
        "it back each time: until a person acts. Or an assertion of the inventory keeps it, until `until` at most."
    ),
    "plan.refused": "The name is not ours to touch.",
    "drift.detected": "Somebody else changed the record, or what failoverd had sent before arrived late there.",
    "change.applied": (
        "The one canonical line of a change. Of kind `by_hand`, and `actor` `by hand`: a person made it, with a "
        "command that failoverd printed."
    ),
    "change.verified": (
        "All authoritative servers answer it, `took` seconds after the decision; resolvers may use the old answer "
        "until `aged_out_at`. With `unconfirmed`, it was written and read back, and no more is known."
    ),
    "change.disputed": "`waited` seconds after the write, not all of them do. They are asked on.",
    "change.fenced": "Another writer was first; nothing was changed.",
    "target.delayed": "The provider cannot be read or written; next try in `retry_in` seconds.",
    "target.resumed": "It works again.",
    "failback.stepped": "A region that comes back stands at `step` of `steps`; the next is due at `until`.",
    "failback.aborted": "It failed there and is out; it is tried again once it was well for `hold` seconds.",
    "failback.abandoned": "It did so as often as `failback.retries` says: `remedy` brings it back.",
}
"""In the order of the page, which is the order of the code."""

_LOGGING: Final[Mapping[str, tuple[tuple[Level, ...], str, Mapping[str, type]]]] = {
    "library.logged": (
        (Level.WARNING, Level.ERROR),
        (
            "A library that failoverd uses has a complaint: which, and where in it. Its words are not told, for they "
            "may repeat what a server answered, secrets and all; the failures of cloud SDKs and of the scheduler are "
            "told as events of failoverd."
        ),
        {"logger": str, "place": str, "exception": str},
    ),
    "log.lost": (
        (Level.WARNING,),
        (
            "Whoever reads the log took lines too slowly, or not at all: `lines` of them are gone. Told once it takes "
            "some again, whatever `log.level` says."
        ),
        {"lines": int},
    ),
    "log.diverted": (
        (Level.WARNING,),
        "journald did not take `lines` lines, which went to standard error. Told to it once it takes some again.",
        {"lines": int},
    ),
}
"""Lines about logging itself, which are no events of the daemon: levels, meaning, fields."""

_EVERY_LINE: Final[Mapping[str, str]] = {
    "at": "when it happened: RFC 3339, UTC, milliseconds",
    "level": "`info`, `warning` (traffic may move) or `error` (a person should look)",
    "event": "the name, `noun.past_participle`; stable",
    "message": "one plain sentence",
    "policy": "the policy that it is about; left out when it is about the daemon",
    "incident_id": "the incident that it belongs to; left out when there is none",
    "told_by": "the one of several members that tells it; left out where a daemon is alone",
}

_FIELDS: Final[Mapping[str, str]] = {
    "command": "what a person runs to see it",
    "decided_at": "when the first of them was decided; seconds since the epoch",
    "decisions": "decisions that were made again",
    "differing": "those that came to something else",
    "differs_in": "what of the first of them is not the same",
    "aborts": "how often a region failed on its way back",
    "about": "what the override is about: a region, a policy, a record",
    "actor": "who did it, or who asked",
    "alert": "name of an alert, by its label `alertname`",
    "aged_out_at": "until when resolvers may use the old answer; seconds since the epoch",
    "agreeing": "authoritative servers that answer what was written",
    "answers_from": "weight of each answer before, in basis points",
    "answers_to": "weight of each answer now, in basis points",
    "asked": "what the other regions have to carry, in the unit of the demand",
    "attempts": "how often it was tried without success",
    "believed": "what counts of it",
    "burn": "how many times faster than the service level allows errors are made, in the long window",
    "by": "who, or which file, did that",
    "carried": "what the other regions can carry, in the unit of the demand",
    "cause": "why, as a word or a sentence",
    "change_id": "the change, which `failoverctl undo` takes back",
    "changes": "how many changes the incident had",
    "check": "the check that tipped the verdict",
    "comment": "what was said to it",
    "count": "how many there are",
    "decision_id": "the decision, which leads to a change",
    "demand": "what the policies need together, in its unit",
    "dependency": "its name in the policy",
    "detail": "what was found, in words",
    "digest": "what a person approves, who lets the plan through",
    "disagreeing": "authoritative servers that answer something else, with what they say",
    "endpoint": "address or host name",
    "epoch": "number of the leader, which grows with each",
    "error": "what went wrong, in words",
    "errors": "each error, with its place in the file",
    "evidence": "what was seen, in words",
    "exception": "the kind of exception, and where it was raised",
    "expected": "what should stand there",
    "explained_by": "dependencies of its region that were down at that time",
    "factor": "how many times as long intervals are as the policies say",
    "failing_since": "when the first of those probes failed that it is down for; seconds since the epoch",
    "failures": "how many probes failed",
    "family": "what the prober cannot judge: `IPv4`, `IPv6` or host names",
    "file": "path of the file",
    "fingerprint": "what tells an alert from others, as its sender says it",
    "found": "what stands there",
    "generation": "number of the change at this record, which grows with each",
    "hold": "how long it has to be well before that; seconds",
    "live": "the members whose votes count",
    "isolated": "the members that do not trust what they see",
    "unheard": "the members that say nothing",
    "member": "name of a member, as in the configuration",
    "network": "what the member shares with others that fail with it",
    "host": "name of the machine",
    "steps_back": "whether this daemon leaves the name to the other one",
    "silent_for": "how long it said nothing; seconds",
    "reachable_from": "networks of the vantages that can reach it",
    "unreachable_from": "networks of the vantages that cannot",
    "in_flight": "probes that are under way",
    "inputs": "what was decided on, as JSON",
    "instance": "the id by which markers name this daemon",
    "keeps": "the revision that runs on",
    "key": "what it stands under in the members' common memory",
    "kind": "which kind of change, or of drift (lost, edited, intended, late)",
    "lag": "99th percentile of how late probes begin; seconds",
    "lasted": "how long it took, from its beginning to its end; seconds",
    "leader": "the member that writes",
    "leads": "whether this member leads still, until its lease may be over",
    "left": "how long until it ends; seconds",
    "limits": "each limit that was looked at, with its numbers",
    "lines": "how many lines",
    "listen": "address at which it should be served",
    "lone": "whether this member takes off what is down though nobody leads",
    "logger": "the library's logger",
    "manual": "commands that do it without failoverd, for bash",
    "measured": "what was answered",
    "mine": "whether it is the member that tells this",
    "needed": "how many people have to agree",
    "origin": "from where it was asked",
    "others": "the median of the other regions' burn",
    "ours": "this daemon's own epoch; 0: one member alone",
    "outcome": "how a drill went, as a code that is stable",
    "override": "id of the override",
    "overrides": "ids of overrides",
    "owner": "`owner` of the configuration, as markers say it",
    "passes": "how many probes passed: between the failures, or in a row since",
    "pid": "number of the process",
    "place": "where: a module and its line, or a receiver's address",
    "policies": "names of policies",
    "provider": "the provider's name in the configuration",
    "providers": "names of providers",
    "reason": "why, as a code that is stable; of an override, what its giver said",
    "reasons": "the sum, step by step",
    "receiver": "the receiver's name in the configuration",
    "record": "name and type",
    "record_type": "A, AAAA, CNAME or SRV: whose endpoints are meant",
    "region": "name of the region",
    "regions": "names of regions",
    "remedy": "what to do",
    "request": "method and path",
    "requests": "how many there were in the long window",
    "restart_in": "when it starts again; seconds",
    "resigned_until": "until when the leader had resigned that leads already, for nobody else did; else 0",
    "retry_in": "when it is tried again; seconds",
    "revision": "of the policy file: a hash of what it says",
    "rivals": "instances that write the same name",
    "rule_at": "file and line of what is obeyed, or the key to write where the file leaves it to a default",
    "runbook": "address of the policy's runbook",
    "score": "of a region's endpoints, in basis points: one that is slow or full counts half",
    "seconds": "by how much it was moved; seconds",
    "servers": "how many authoritative servers agree; 0 where none is asked",
    "seen": "the epoch that markers show",
    "settings": "dotted keys in the file",
    "share": "what the region gets, in basis points",
    "shares": "what each region is to get, in basis points",
    "shares_from": "what each region got before, in basis points",
    "shares_to": "what each region gets now, in basis points",
    "short": "the same as `burn`, in the short window",
    "signal": "the figure: `demand`, or a region's `capacity`",
    "signals": "what was asked for, each with its policy",
    "silent": "authoritative servers that do not answer",
    "still_lost": "how many more of this source are lost",
    "source": "the source's name under `prometheus`",
    "status": "status code of HTTP",
    "step": "which step of the ramp",
    "steps": "how many steps the ramp has",
    "task": "name of the part",
    "took": "how long it took; seconds",
    "ttl": "time to live of the answer; seconds",
    "unasked": "authoritative servers that this host cannot reach",
    "unconfirmed": "where nobody says that the provider's servers have it",
    "uncoordinated": "whether the coordinator is silent, so that nobody can be known to lead",
    "undo": "the command that takes it back",
    "until": "when it ends, or passes by itself; seconds since the epoch",
    "untold": "how many like it were not told",
    "verb": "which kind of override: `drain`, `hold`, `pin` and so on",
    "verdict": "name of the decision; and of a signal, how ill it finds the region",
    "version": "of failoverd",
    "waited": "how long ago it was written; seconds",
    "waiting": "how many wait: notices, or probes for a place",
    "wanted": "what each region should get, in basis points",
    "was": "what it was before",
    "will": "what failoverd does about it",
    "zone": "the zone at the provider",
    "why": "what a drill ended by, or why an alert is not heeded, in words",
    "writer": "the instance whose marker stands there",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of line: `fields` are those that not every line has, with their types in Python."""

    name: str
    levels: tuple[Level, ...]
    meaning: str
    fields: Mapping[str, Any]


def kinds() -> Iterator[Kind]:
    """Every kind of line that there is, events first, in the order in which the code declares them."""
    for kind in KINDS.values():
        hints = get_type_hints(kind)
        own = {spec.name: hints[spec.name] for spec in fields(kind) if spec.name not in _EVERY_LINE}
        yield Kind(kind.name, (kind.level,), _EVENTS[kind.name], own)
    for name, (levels, meaning, told) in _LOGGING.items():
        yield Kind(name, levels, meaning, told)


# -- the JSON Schema of a line -----------------------------------------------------------------------------------------


def schema() -> dict[str, Any]:
    """What a line of the log in JSON may be (JSON Schema 2020-12): which kind it is says `event`."""
    return {
        "$schema": _DIALECT,
        "title": "a line of failoverd's log",
        "anyOf": [_schema_of(kind) for kind in kinds()],
    }


def _schema_of(kind: Kind) -> dict[str, Any]:
    common: dict[str, dict[str, Any]] = {
        "at": {"type": "string", "format": "date-time"},
        "level": {"enum": [level.value for level in kind.levels]},
        "event": {"const": kind.name},
        **{name: {"type": "string"} for name in ("message", "policy", "incident_id", "told_by")},
    }
    own = {name: _json_type(hint) for name, hint in kind.fields.items()}
    told = {**_EVERY_LINE, **_FIELDS}
    return {
        "title": kind.name,
        "description": kind.meaning,
        "x-message-id": message_id(kind.name),
        "type": "object",
        "properties": {name: {**shape, "description": told[name]} for name, shape in {**common, **own}.items()},
        "required": ["at", "level", "event", "message"],
        "additionalProperties": False,
    }


def _json_type(hint: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever an annotation may be
    origin = get_origin(hint)
    if origin is types.UnionType:  # what is None is left out
        return _json_type(get_args(hint)[0])
    if origin is tuple:
        return {"type": "array", "items": {"type": "string"}}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": {"anyOf": [{"type": "integer"}, {"type": "string"}]}}
    return {"type": {bool: "boolean", int: "integer", float: "number"}.get(hint, "string")}


# -- the page ----------------------------------------------------------------------------------------------------------

_INTRODUCTION: Final = """\
# Events

Every line that failoverd logs, made from its code. [Logs](logs.md) says how they come out, and how to ask for them.
`failoverctl schema events` prints the same as a JSON Schema, for whoever reads the lines by a program. Under journald a
field `shares_to` is `FAILOVERD_SHARES_TO`, and `journalctl -x` explains each event (`systemd/failoverd.catalog`).

## Every line

| field | meaning |
|---|---|
"""


def page() -> str:
    """`docs/events.md`."""
    every = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in _EVERY_LINE.items())
    rows = "".join(
        f"| `{kind.name}` | {', '.join(kind.levels)} | {kind.meaning} | {_listed(kind.fields)} |\n" for kind in kinds()
    )
    glossary = "".join(f"| `{name}` | {_types(name)} | {meaning} |\n" for name, meaning in _FIELDS.items())
    return (
        f"{_INTRODUCTION}{every}\n## Events\n\n| event | level | meaning | fields |\n|---|---|---|---|\n{rows}"
        f"\n## Fields\n\n| field | type | meaning |\n|---|---|---|\n{glossary}"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _types(name: str) -> str:
    found = [_in_words(kind.fields[name]) for kind in kinds() if name in kind.fields]
    return ", or ".join(dict.fromkeys(found))


def _in_words(hint: Any) -> str:  # noqa: ANN401 - the same reason
    match _json_type(hint)["type"]:
        case "array":
            return "list of texts"
        case "object":
            return "numbers by name"
        case "integer" | "number":
            return "number"
        case "boolean":
            return "true"
        case _:
            return "text"


# -- the message catalogue of journald ---------------------------------------------------------------------------------


def journal_catalog() -> str:
    """`systemd/failoverd.catalog` (https://systemd.io/CATALOG), in which an entry is found by its MESSAGE_ID."""
    head = (
        "# What `journalctl -x` explains. Install it as /usr/lib/systemd/catalog/failoverd.catalog, and run\n"
        "# `journalctl --update-catalog`. Made by `python -m failoverd.telemetry.catalogue`.\n"
    )
    return head + "".join(_catalogued(kind) for kind in kinds())


def _catalogued(kind: Kind) -> str:
    meaning = textwrap.fill(kind.meaning, 100, break_long_words=False, break_on_hyphens=False)
    shown = [name for name in _CATALOGUED if name in kind.fields]
    facts = "".join(f"{name}: @{field_name(name)}@\n" for name in shown)
    return f"\n-- {message_id(kind.name)}\nSubject: {kind.name}\nDefined-By: failoverd\n\n{meaning}\n{facts}"


_CATALOGUED: Final = ("rule_at", "remedy", "runbook", "undo", "manual")
"""Facts that help at once."""


def main() -> None:
    """Write both files anew."""
    Path("docs/events.md").write_text(page(), encoding="utf-8")
    Path("systemd/failoverd.catalog").write_text(journal_catalog(), encoding="utf-8")


if __name__ == "__main__":
    main()
