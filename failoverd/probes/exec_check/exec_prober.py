"""The `exec` check: any monitoring plugin of the Nagios kind, judged by its exit code.

0 passes, 1 is DEGRADED, 2 fails. Anything else (3, another code, a signal, a plugin that cannot be started) says that
the plugin does not know, and therefore nothing about the endpoint.
"""

import asyncio
import errno
import math
import os
import signal
from contextlib import suppress
from string import Formatter
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Check, Endpoint
from failoverd.ports import Cancel, Clock, ProbeContext, ProbeKind, Tell
from failoverd.probes.exec_check import perfdata
from failoverd.probes.exec_check.plugin_process import PluginProcess
from failoverd.probes.exec_check.plugin_slots import plugin_slots
from failoverd.probes.execution import Probe, settings_of, start_steps
from failoverd.probes.findings import Concluded, Finding
from failoverd.settings import CheckSettings, Port

_FAIR: Final = 0.75
"""The part of its time-out that a plugin must have had before it is blamed for not having ended."""

_MOST_DYING: Final = 0.1
PLACEHOLDERS: Final = ("address", "port", "region", "timeout")


# -- settings ----------------------------------------------------------------------------------------------------------


def _parts(argument: str) -> list[tuple[str, str | None]]:
    """Text and the placeholder that follows it, alternately. Raises ValueError for a placeholder that nobody knows."""
    try:
        parsed = list(Formatter().parse(argument))
    except ValueError as error:
        raise ValueError(f"{argument[:80]!r}: {error}; write {{{{ and }}}} for braces") from None
    for _, name, form, conversion in parsed:
        if name is not None and (name not in PLACEHOLDERS or form or conversion):
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise ValueError(f"{argument[:80]!r}: the placeholders are {known}; write {{{{ and }}}} for braces")
    return [(text, name) for text, name, _, _ in parsed]


def parse_argument(value: str) -> str:
    """An argument that can be passed on, whose placeholders are known."""
    if "\0" in value:
        raise ValueError("an argument cannot hold a NUL character")
    _parts(value)
    return value


Argument = Annotated[str, Field(max_length=1_024), AfterValidator(parse_argument)]


class ExecSettings(CheckSettings):
    """What a monitoring plugin says about an endpoint."""

    exec: tuple[Argument, ...] = Field(
        min_length=1,
        max_length=64,
        strict=False,
        description="absolute path of the plugin and its arguments; {address}, {port}, {region} and {timeout} "
        "(whole seconds) are filled in",
    )
    port: Port | None = Field(
        default=None, description="what {port} stands for; the port of an endpoint, where it has one, comes first"
    )

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        program = self.exec[0]
        if not program.startswith("/") or "{" in program:
            raise ValueError(
                f"{program[:80]!r} is not the absolute path of a plugin: write /usr/lib/nagios/plugins/..."
            )
        if self.port is None and "port" in self.placeholders:
            raise ValueError("{port} is not known: say which port with the key port")
        return self

    @property
    def placeholders(self) -> frozenset[str]:
        """Those that the arguments have."""
        return frozenset(name for argument in self.exec for _, name in _parts(argument) if name is not None)

    def argv(self, endpoint: Endpoint) -> list[str]:
        """The arguments for this endpoint, the path first."""
        values = {
            "address": endpoint.address,
            "port": str(endpoint.port or self.port),
            "region": endpoint.region,
            "timeout": str(math.ceil(self.timeout)),
        }
        return ["".join(text + values.get(name or "", "") for text, name in _parts(each)) for each in self.exec]


# -- the prober --------------------------------------------------------------------------------------------------------


class ExecProber:
    """One `exec` check. PASS when the plugin exits with 0."""

    def __init__(self, check: Check, settings: ExecSettings, clock: Clock) -> None:
        self._check = check
        self._settings = settings
        self._clock = clock

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        argv = self._settings.argv(endpoint)
        return start_steps(
            self._check, endpoint, self._clock, self._settings.slow, lambda probe: _run(probe, argv), tell
        )


async def _run(probe: Probe, argv: list[str]) -> Finding:
    """One run of the plugin. Whoever cancels this has the whole process group killed."""
    slots = plugin_slots()
    try:
        running = await slots.start(argv)
    except OSError as error:
        return _unusable(error)
    except asyncio.CancelledError:
        raise _at_deadline(probe, slots.why_not(), ProbeReason.PLUGIN_UNUSABLE) from None
    had = probe.left()
    try:
        return _judge(await running.ended(), *running.output)
    except asyncio.CancelledError:
        if running.is_over:  # a late process of ours is no slow plugin
            return _judge(await running.ended(), *running.output)
        await _end(running)
        if had < _FAIR * probe.timeout:  # most of its time went by before it began: that says nothing about it
            words = f"it began late and had only {had:.3g}s of {probe.timeout:.3g}s: too many plugins run at a time"
            raise _at_deadline(probe, words, ProbeReason.PLUGIN_UNUSABLE) from None
        words = f"it did not end within {probe.timeout:.3g}s and was killed"
        raise _at_deadline(probe, words, ProbeReason.PLUGIN_TIMEOUT) from None


async def _end(running: PluginProcess) -> None:
    """Kill it, and see it dead. One that the kernel cannot end now (a dead disk) keeps its slot until it can."""
    running.kill()
    with suppress(TimeoutError):
        async with asyncio.timeout(_MOST_DYING):
            await running.ended()


def _at_deadline(probe: Probe, words: str, reason: ProbeReason) -> Concluded:
    """What a cancellation means: the deadline has passed. If the probe was abandoned instead, nobody is told."""
    expired = probe.expired()
    return Concluded(expired if expired.reason is ProbeReason.PROBER_ERROR else Finding(reason, words))


# -- verdicts ----------------------------------------------------------------------------------------------------------

_REASONS: Final = {0: ProbeReason.OK, 1: ProbeReason.PLUGIN_WARNING, 2: ProbeReason.PLUGIN_CRITICAL}
_UNKNOWN: Final = 3


def _judge(code: int | None, out: bytes, err: bytes) -> Finding:
    """The finding that an exit code stands for, in the plugin's own words if it has any."""
    words, data = perfdata.split(out.decode("utf-8", "backslashreplace"))
    words = words or err.decode("utf-8", "backslashreplace").strip().partition("\n")[0]
    if code is None:
        return Finding(ProbeReason.PLUGIN_UNKNOWN, "its exit code is lost: this process ignores SIGCHLD")
    reason = _REASONS.get(code, ProbeReason.PLUGIN_UNKNOWN)
    if code < 0:
        how = f"it was ended by {_signal(-code)}"
    elif code > _UNKNOWN:
        how = f"exit code {code} means nothing"
    else:
        how = "" if words else f"exit code {code}, and not a word"
    return Finding(reason, ": ".join(filter(None, (how, words))), perfdata.measures(data))


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _unusable(error: OSError) -> Finding:
    words = f"it cannot be started: {os.strerror(error.errno) if error.errno else error}"
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        return Finding(ProbeReason.NO_DESCRIPTORS, words)
    return Finding(ProbeReason.PLUGIN_UNUSABLE, words)


def open_exec(check: Check, context: ProbeContext) -> ExecProber:
    return ExecProber(check, settings_of(check, ExecSettings), context.clock)


KINDS: tuple[ProbeKind, ...] = (ProbeKind("exec", ExecSettings, open_exec, uses_network=False, connects=False),)
