"""Every kind that is installed, and what is made of files with them: configuration, and probers for its checks."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from failoverd import probes, providers
from failoverd.config.loader import Config, load_config
from failoverd.config.locating import does_not_load
from failoverd.core.errors import ConfigError
from failoverd.core.health.isolation import SENTINELS
from failoverd.core.records import Check, Policy
from failoverd.ports import Clock, Kinds, Ledger, ProbeContext, Prober
from failoverd.telemetry import notifications


def kinds() -> Kinds:
    """Every provider, probe and receiver kind that configuration may name."""
    return Kinds(providers=providers.kinds(), probes=probes.kinds(), receivers=notifications.kinds())


def steady_clock() -> Clock:
    """Seconds since the epoch that never jump: the wall clock once, the monotonic clock ever after."""
    anchor = time.time() - time.monotonic()
    return lambda: anchor + time.monotonic()


def lease_clock() -> Clock:
    """The same, which counts while the machine is suspended, too: what a member held then may be somebody else's."""
    ticks = time.CLOCK_BOOTTIME if hasattr(time, "CLOCK_BOOTTIME") else time.CLOCK_MONOTONIC
    anchor = time.time() - time.clock_gettime(ticks)
    return lambda: anchor + time.clock_gettime(ticks)


def probers(policy: Policy, known: Kinds, clock: Clock, ledger: Ledger | None = None) -> dict[str, Prober]:
    """A prober for each check of the policy and for each of its dependencies, by the name of the check.

    Without a `ledger` they spend nothing. Raises ConfigError when one cannot be set up on this machine.
    """
    checks = (*policy.checks, *(dependency.check for dependency in policy.dependencies))
    return opened(checks, known, ProbeContext(policy.name, clock, ledger))


def opened(checks: Iterable[Check], known: Kinds, context: ProbeContext) -> dict[str, Prober]:
    """A prober for each check, by its name. Raises ConfigError when one cannot be set up on this machine."""
    return {check.name: _opened(check, known, context) for check in checks}


def _opened(check: Check, known: Kinds, context: ProbeContext) -> Prober:
    try:
        return known.probes[check.kind].open(check, context)
    except ConfigError as error:
        what = "sentinel" if context.policy == SENTINELS else f"policy {context.policy}, check"
        raise ConfigError(f"{what} {check.name}: {error.detail}", reason=error.reason, remedy=error.remedy) from error


def unfit(config: Config, policies: Iterable[Policy]) -> Iterator[tuple[str, ConfigError]]:
    """Which checks load and still cannot be set up on this machine: whose each of them is, and why.

    A policy with such a check waits until it can be; a sentinel stops the daemon's start.
    """
    known, clock = kinds(), steady_clock()
    owned = [(SENTINELS, sentinel.check) for sentinel in config.sentinels]
    for policy in policies:
        owned.extend((policy.name, check) for check in policy.checks)
        owned.extend((policy.name, dependency.check) for dependency in policy.dependencies)
    for name, check in owned:
        try:
            _opened(check, known, ProbeContext(name, clock, None))
        except ConfigError as error:
            yield name, error


def read_config(path: Path) -> Config:
    """The daemon's configuration.

    Raises:
        ConfigError: it does not load; the message holds every diagnostic.
    """
    loaded = load_config(path, kinds())
    if loaded.config is None:
        raise does_not_load(path, "\n".join(found.render() for found in loaded.diagnostics))
    return loaded.config
