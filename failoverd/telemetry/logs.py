"""Events as log lines: one each, JSON for machines, entries for journald, a readable form for a terminal.

`docs/logs.md` has the fields.

Libraries that use the standard `logging` module come out of the same renderer, at WARNING and above, as
`library.logged`: which of them, and where in it, but never its words. Those of the clouds quote what a server answered,
and with it what it was asked, secrets and all. Whatever goes wrong there reaches us as an error, too, and is told as
such; so nothing is told of libraries of that kind.

Values are bounded and control characters are escaped, so that nothing that an endpoint or a provider answers can forge
a line or flood the disk.
"""

import atexit
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Any, Final, TextIO, cast

import structlog

from failoverd.codec import sayable
from failoverd.core.errors import describe
from failoverd.core.events import Event, Level
from failoverd.core.names import both_ways
from failoverd.core.records import percentages
from failoverd.foreign import shown
from failoverd.telemetry import journald, lines, prose
from failoverd.telemetry.lines import LineSink, LineWriter
from failoverd.telemetry.pasting import COMMANDS, whole
from failoverd.telemetry.times import rfc3339

_LEVELS: Final = {Level.INFO: logging.INFO, Level.WARNING: logging.WARNING, Level.ERROR: logging.ERROR}

_LONGEST_LINE: Final = 40_000
"""Characters. journald splits lines at 48 KiB (`LineMax=` in journald.conf), and half a JSON object is none."""

_SHARES: Final = frozenset({"shares", "shares_from", "shares_to", "wanted"})

_IN_ORDER: Final = frozenset({"reasons", "evidence", "limits", "errors"})
"""Facts of which each item has its place. journald keeps the values of a field in any order, so these are one value."""

_SHOWN: Final = ("rule_at", "undo", "remedy", "manual", "file", "incident_id", "decision_id", "change_id")
"""Facts that a line on a terminal adds to its sentence; JSON has them all."""

_RESET: Final = "\x1b[0m"
_DIM: Final = "\x1b[2m"
_COLOURS: Final = {"info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31;1m"}

_TOLD_BY_US: Final = frozenset(
    {"apscheduler", "azure", "boto3", "botocore", "msal", "msal_extensions", "oci", "requests", "s3transfer", "urllib3"}
)
"""Libraries whose failures reach us as errors and events of our own."""

Fields = MutableMapping[str, Any]


class LogFormat(StrEnum):
    AUTO = "auto"  # TERMINAL on a terminal, JOURNAL where that is what journald reads, JSON elsewhere
    JSON = "json"
    JOURNAL = "journal"
    TERMINAL = "terminal"


class Logs:
    """Make it with `configure_logs`."""

    def __init__(self, writer: LineWriter[Any], logger: Any) -> None:  # noqa: ANN401 - structlog's filtering logger
        self._writer = writer
        self._logger = logger
        self._bridge: _Bridge | None = None

    def render(self, event: Event) -> None:
        """Write one event. An `Emit` sink: never blocks, never raises."""
        try:
            message, facts = prose.told(event)
        except Exception as error:  # noqa: BLE001 - a defect in an event must not stop what the event tells of
            message, facts = f"this event cannot be put into words: {error!r}", {}
        self.write(event.level, event.name, event.at, message, facts)

    def write(self, level: Level, name: str, at: float, message: str, facts: Mapping[str, object]) -> None:
        getattr(self._logger, level.value)(name, at=at, message=message, facts=facts)

    def bridge(self, level: Level) -> None:
        """Take over what libraries log, from WARNING up."""
        self._bridge = _Bridge(self, max(_LEVELS[level], logging.WARNING))
        logging.getLogger().addHandler(self._bridge)

    def close(self) -> bool:
        """Write what waits and give the standard logging back. Safe to call twice.

        Returns:
            Whether all was written: otherwise nobody reads the stream, and whoever writes to it will wait for ever.
        """
        if self._bridge is not None:
            logging.getLogger().removeHandler(self._bridge)
        atexit.unregister(self.close)
        return self._writer.close()


class _Bridge(logging.Handler):
    """What libraries log, as `library.logged`."""

    def __init__(self, logs: Logs, level: int) -> None:
        super().__init__(level)
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in _TOLD_BY_US:
            return
        level = Level.ERROR if record.levelno >= logging.ERROR else Level.WARNING
        place = f"{record.filename}:{record.lineno}"
        facts: dict[str, object] = {"logger": record.name, "place": place}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            facts["exception"] = describe(error)
        words = f"{record.name} has a complaint at {place}{f', {describe(error)}' if error is not None else ''}"
        self._logs.write(level, "library.logged", record.created, words, facts)


def configure_logs(form: LogFormat, level: Level, stream: TextIO, socket: str = journald.SOCKET) -> Logs:
    """Start logging to `stream`; `Logs.render` is the sink for events. Closed at exit if nobody closes it before.

    In a service whose standard error journald reads, entries go to its `socket` instead, with fields of their own, and
    to the stream while nobody takes them there. Lines there begin with their sd-daemon priority, which journald takes
    off and keeps.
    """
    reads = _is_journal(stream)
    render: Processor = _Prefixed(_on_stream(form, stream.isatty()), reads)
    outlet: LineSink[Any] = lines.outlet(stream)
    if form is LogFormat.JOURNAL or (form is LogFormat.AUTO and reads):
        render = _native(render)
        outlet = _Journal(outlet, socket, _notice(render))
    lost = partial(_notice(render), "log.lost", "{lines} log lines were lost: their reader did not take them")
    writer: LineWriter[Any] = LineWriter(outlet, lost, lines.CAPACITY)
    logger = structlog.wrap_logger(
        _Lines(writer.write),
        processors=[structlog.processors.add_log_level, _lay_out, _passed_on(render)],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        context_class=dict,
    )
    logs = Logs(writer, logger.bind())
    logs.bridge(level)
    atexit.register(logs.close)
    return logs


# -- structlog's parts -------------------------------------------------------------------------------------------------

Processor = Callable[[Any, str, Fields], Any]


def _on_stream(form: LogFormat, on_terminal: bool) -> Processor:
    """How a line on a stream looks."""
    if form is LogFormat.TERMINAL or (form is not LogFormat.JSON and on_terminal):
        return _Terminal(on_terminal)
    return structlog.processors.JSONRenderer(serializer=to_json)


class _Lines:
    """The logger at the end of structlog's chain."""

    def __init__(self, write: Callable[[Any], None]) -> None:
        self.info = self.warning = self.error = write


def _passed_on(render: Processor) -> Processor:
    """What is rendered is the one argument of the logger, whatever its type."""
    return lambda logger, method, fields: ((render(logger, method, fields),), {})


class _Prefixed:
    """Put the sd-daemon(3) priority before each rendered line when the reader is journald."""

    def __init__(self, render: Processor, journal: bool) -> None:
        self._render = render
        self._journal = journal

    def __call__(self, logger: object, method: str, fields: Fields) -> str:
        priority = f"<{journald.PRIORITIES[fields['level']]}>" if self._journal else ""
        return priority + str(self._render(logger, method, fields))


def _lay_out(_: object, __: str, fields: Fields) -> Fields:
    """`at`, `level`, `event`, `message`, then the facts in the order in which the event declares them."""
    facts = {name: value for name, value in fields["facts"].items() if name not in {"at", "level", "event", "message"}}
    return {name: fields[name] for name in ("at", "level", "event", "message")} | facts


def _notice(render: Processor) -> Callable[[str, str, int], Any]:
    """What makes lines about logging itself: an event, its words, and how many `lines` it is about."""

    def made(event: str, words: str, count: int) -> object:
        said = {"at": time.time(), "level": "warning", "event": event, "message": words.format(lines=count)}
        return render(None, "warning", {**said, "lines": count})

    return made


def _is_journal(stream: TextIO) -> bool:
    """Whether `stream` goes to journald: $JOURNAL_STREAM holds the device and inode of it (systemd.exec(5))."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file descriptor behind it
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


# -- journald ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """What journald gets, and the line that is written instead while nobody takes it there."""

    native: bytes
    line: Callable[[], str]

    def __len__(self) -> int:
        return len(self.native)


def _native(render: Processor) -> Processor:
    """What makes entries for journald, with the lines that are written otherwise."""
    return lambda logger, method, fields: Entry(to_native(fields), partial(render, logger, method, fields))


class _Journal:
    """journald, and the stream in its place while its socket is gone or full. What it missed it is told afterwards."""

    def __init__(self, stream: LineSink[str], socket: str, notice: Callable[[str, str, int], Any]) -> None:
        self._journald = journald.Journald(socket)
        self._stream = stream
        self._notice = notice
        self._strayed = 0
        self._error = ""

    def take(self, line: Entry) -> None:
        try:
            self._journald.take(line.native)
        except OSError as error:
            self._stream.take(line.line())
            self._strayed += 1
            self._error = error.strerror or str(error)
            return
        if self._strayed:
            words = f"{{lines}} log lines went to standard error: journald did not take them ({self._error})"
            strayed, self._strayed = self._strayed, 0
            self.take(self._notice("log.diverted", words, strayed))


def to_native(fields: Fields) -> bytes:
    """An entry whose message is the sentence, with a field for each fact; where a fact has several values, for each.

    Its fields are those of a line of JSON, and its values bounded as there. It has at most some 100 KiB: that fits into
    a datagram, and none has to go through a file.
    """
    stamped = {**fields, "at": rfc3339(fields["at"])}
    message = stamped.pop("message")
    data = b""
    for bounds in _BOUNDS:
        head = journald.heading(fields["event"], fields["level"], shown(_cut(both_ways(message), bounds.text)))
        facts = cast("Mapping[str, object]", _bounded(stamped, bounds))
        told = ((journald.field_name(name), text) for name, value in facts.items() for text in _texts(name, value))
        data = journald.entry([*head, *told])
        if len(data) <= _LONGEST_LINE:
            break
    return data


def _texts(name: str, value: object) -> Iterator[str]:
    """The values of one field, as a person or a filter reads them."""
    match value:
        case str() if name in COMMANDS:
            yield value if shown(value, lines=True) == value else _pasteable(value)
        case Mapping():
            yield from (f"{shown(str(key))}={shown(str(item))}" for key, item in value.items())
        case list() if name in _IN_ORDER:
            yield "\n".join(shown(str(item)) for item in value)
        case list():
            yield from (shown(str(item)) for item in value)
        case _:
            yield shown(str(value), lines=True)


# -- JSON --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bounds:
    text: int
    items: int


_BOUNDS: Final = (_Bounds(4_000, 100), _Bounds(800, 25), _Bounds(200, 5))
"""Tried in turn until the line is short enough."""


def to_json(fields: Fields, **_: object) -> str:
    """One line of ASCII. Times other than `at` stay seconds since the epoch, shares stay basis points."""
    stamped = {**fields, "at": rfc3339(fields["at"])}
    line = ""
    for bounds in _BOUNDS:
        line = json.dumps(_bounded(stamped, bounds))
        if len(line) <= _LONGEST_LINE:
            break
    return line


def _bounded(value: object, bounds: _Bounds) -> object:
    match value:
        case str():
            return _cut(value, bounds.text)
        case float() if not math.isfinite(value):
            return str(value)
        case bool() | int() | float() | None:
            return value
        case Mapping():
            kept = {
                _cut(str(key), bounds.text): whole(item, bounds.text) if key in COMMANDS else _bounded(item, bounds)
                for key, item in islice(value.items(), bounds.items)
            }
            return kept | ({"...": f"{len(value) - bounds.items} more"} if len(value) > bounds.items else {})
        case tuple() | list():
            shown = [_bounded(item, bounds) for item in value[: bounds.items]]
            return shown + ([f"... {len(value) - bounds.items} more"] if len(value) > bounds.items else [])
        case _:
            return _cut(str(value), bounds.text)


def _cut(text: str, length: int) -> str:
    text = sayable(text)
    return text if len(text) <= length else f"{text[:length]}... {len(text) - length} more characters"


# -- terminal ----------------------------------------------------------------------------------------------------------


class _Terminal:
    """`2026-11-05 03:12:07.345  error  region.failed  the sentence  rule_at=... incident_id=...`, in local time."""

    def __init__(self, colours: bool) -> None:
        self._colours = colours

    def __call__(self, _: object, __: str, fields: Fields) -> str:
        local = datetime.fromtimestamp(fields["at"], UTC).astimezone()
        moment = local.isoformat(sep=" ", timespec="milliseconds")[:23]
        level, message = fields["level"], _plain(both_ways(fields["message"]))
        facts = " ".join(
            f"{name}={_pasteable(str(fields[name])) if name in COMMANDS else _plain(fields[name])}"
            for name in _SHOWN
            if fields.get(name)
        )
        shares = " ".join(
            f"{name}=({_plain(percentages(fields[name]))})" for name in sorted(_SHARES) if fields.get(name)
        )
        details = " ".join(part for part in (shares, facts) if part)
        parts = (
            self._paint(moment, _DIM),
            self._paint(f"{level:<7}", _COLOURS[level]),
            f"{fields['event']:<18}",
            message,
            self._paint(details, _DIM) if details else "",
        )
        return "  ".join(part for part in parts if part)

    def _paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colours else text


def _pasteable(command: str) -> str:
    r"""A command on one line, without anything that a terminal would obey, that does the same in a shell.

    One of several lines, or with a comment, which on one line would swallow all that follows it, is handed to `eval` in
    the quotes that know escapes: `eval $'# for 30 minutes\nnsupdate -v ...'` (bash, zsh, and POSIX.1-2024, 2.2.4).
    """
    command = whole(command, _BOUNDS[0].text)
    if command.isprintable():
        return command
    return f"eval $'{shown(command.replace(_BACKSLASH, _BACKSLASH * 2).replace(_QUOTE, _BACKSLASH + _QUOTE))}'"


_BACKSLASH: Final = "\\"
_QUOTE: Final = "'"


def _plain(value: object) -> str:
    """Bounded, on one line, and without anything that a terminal would obey."""
    return shown(_cut(str(value), _BOUNDS[0].text))
