"""Which endpoint is probed under which check for whom, and rounds of such probes."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from failoverd.core.records import Check, Endpoint, ProbeResult
from failoverd.installed import kinds, opened, steady_clock
from failoverd.ports import Ledger, ProbeContext, Prober
from failoverd.probes import probe_once
from failoverd.probes.inference_check.inference_settings import InferenceSettings, most_tokens

AT_ONCE: Final = 64
"""Probes under way at a time: an operator's shell has few file descriptors."""


@dataclass(frozen=True, slots=True)
class PlannedProbe:
    """One endpoint under one check. `policy` is empty when no policy asks for it."""

    policy: str
    endpoint: Endpoint
    check: Check

    @property
    def place(self) -> str:
        return self.endpoint.id if self.endpoint.region else self.endpoint.text


@dataclass(frozen=True, slots=True)
class FinishedProbe:
    probe: PlannedProbe
    result: ProbeResult


Probers = Mapping[tuple[str, str], Prober]
"""By policy and check."""


def open_probers(probes: Iterable[PlannedProbe], ledger: Ledger | None) -> Probers:
    """A prober for each check among the probes, opened as the daemon opens it. Without a ledger they spend nothing.

    Raises ConfigError when one cannot be set up on this machine.
    """
    wanted: dict[str, list[Check]] = {}
    for probe in probes:
        of_policy = wanted.setdefault(probe.policy, [])
        if probe.check not in of_policy:
            of_policy.append(probe.check)
    known, clock = kinds(), steady_clock()
    return {
        (policy, name): prober
        for policy, checks in wanted.items()
        for name, prober in opened(checks, known, ProbeContext(policy, clock, ledger)).items()
    }


async def probe_all(probes: Sequence[PlannedProbe], probers: Probers) -> list[FinishedProbe]:
    """Each probe once, many at a time, in the order that they were given."""
    places = asyncio.Semaphore(AT_ONCE)

    async def see(probe: PlannedProbe) -> FinishedProbe:
        async with places:
            return FinishedProbe(probe, await probe_once(probers[probe.policy, probe.check.name], probe.endpoint))

    return list(await asyncio.gather(*(see(probe) for probe in probes)))


def completing(probes: Iterable[PlannedProbe]) -> list[tuple[PlannedProbe, InferenceSettings]]:
    """The probes that would ask a model for completions, which cost tokens."""
    settings = ((probe, probe.check.settings) for probe in probes)
    return [
        (probe, each)
        for probe, each in settings
        if isinstance(each, InferenceSettings) and each.completion_every is not None
    ]


def most_spent(probes: Iterable[PlannedProbe], rounds: int, days: int) -> int:
    """Tokens that so many rounds of the probes can cost at most, on so many days."""
    wanted: Counter[str] = Counter()
    limits: dict[str, int] = {}
    for probe, settings in completing(probes):
        account = str(settings.api_key_file or "") or f"{probe.policy}/{probe.check.name}"
        wanted[account] += rounds * most_tokens(settings.prompt, settings.max_tokens)
        limits[account] = max(limits.get(account, 0), settings.tokens_per_day)
    return sum(min(amount, days * limits[account]) for account, amount in wanted.items())
