"""Looks: which endpoint under which check for whom, and how they are taken."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from failoverd.app import kinds, opened, steady_clock
from failoverd.core.records import Check, Endpoint, ProbeResult
from failoverd.ports import Ledger, ProbeContext, Prober
from failoverd.probes import once
from failoverd.probes.inference.settings import InferenceSettings, most_tokens

AT_ONCE: Final = 64
"""Looks under way at a time: an operator's shell has few file descriptors."""


@dataclass(frozen=True, slots=True)
class Look:
    """One endpoint under one check. `policy` is empty when no policy asks for it."""

    policy: str
    endpoint: Endpoint
    check: Check

    @property
    def place(self) -> str:
        return self.endpoint.id if self.endpoint.region else self.endpoint.text


@dataclass(frozen=True, slots=True)
class Seen:
    look: Look
    result: ProbeResult


Probers = Mapping[tuple[str, str], Prober]
"""By policy and check."""


def open_probers(looks: Iterable[Look], ledger: Ledger | None) -> Probers:
    """A prober for each check among the looks, opened as the daemon opens it. Without a ledger they spend nothing.

    Raises ConfigError when one cannot be set up on this machine.
    """
    wanted: dict[str, list[Check]] = {}
    for look in looks:
        of_policy = wanted.setdefault(look.policy, [])
        if look.check not in of_policy:
            of_policy.append(look.check)
    known, clock = kinds(), steady_clock()
    return {
        (policy, name): prober
        for policy, checks in wanted.items()
        for name, prober in opened(checks, known, ProbeContext(policy, clock, ledger)).items()
    }


async def look_at_all(looks: Sequence[Look], probers: Probers) -> list[Seen]:
    """Each look once, many at a time, in the order that they were given."""
    places = asyncio.Semaphore(AT_ONCE)

    async def see(look: Look) -> Seen:
        async with places:
            return Seen(look, await once(probers[look.policy, look.check.name], look.endpoint))

    return list(await asyncio.gather(*(see(look) for look in looks)))


def completing(looks: Iterable[Look]) -> list[tuple[Look, InferenceSettings]]:
    """The looks that would ask a model for completions, which cost tokens."""
    settings = ((look, look.check.settings) for look in looks)
    return [
        (look, each)
        for look, each in settings
        if isinstance(each, InferenceSettings) and each.completion_every is not None
    ]


def most_spent(looks: Iterable[Look], rounds: int, days: int) -> int:
    """Tokens that so many rounds of the looks can cost at most, on so many days."""
    wanted: Counter[str] = Counter()
    limits: dict[str, int] = {}
    for look, settings in completing(looks):
        account = settings.api_key_file or f"{look.policy}/{look.check.name}"
        wanted[account] += rounds * most_tokens(settings.prompt, settings.max_tokens)
        limits[account] = max(limits.get(account, 0), settings.tokens_per_day)
    return sum(min(amount, days * limits[account]) for account, amount in wanted.items())
