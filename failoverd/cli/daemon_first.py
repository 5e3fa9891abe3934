"""`plan` and `apply` are asked of the daemon at work, so that one process spends what an account allows.

Where none is there, or nobody is to ask it, they are done in this process.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from failoverd.api.client import ApiError, Client, DaemonUnreachableError, OnHost
from failoverd.api.shapes import AnswerBody, PolicyTold
from failoverd.cli.failing import note
from failoverd.cli.options import Output
from failoverd.cli.progress_line import progress
from failoverd.config.loader import PolicySet, Rejected, load_policies
from failoverd.config.locating import socket_of
from failoverd.core.errors import ConfigError, FailoverdError
from failoverd.installed import kinds, read_config
from failoverd.operations.waiting import Stage, Waiting

A = TypeVar("A", bound=AnswerBody)

KNOCKING: Final = 5.0
"""Seconds that a daemon may take to show that it lives, before it is asked and while it is at it."""

_WITHOUT: Final = "--without-daemon does it in this process, beside a daemon that may be at work"

_ELSEWHERE: Final = frozenset(
    {
        "socket_forbidden",
        "forbidden",
        "daemon_slow",
        "schema_unknown",
        "answer_garbled",
        "answer_too_large",
        "path_unknown",
        "body_too_large",
        "too_many_plans",
        "too_many_requests",
        "still_working",
    }
)
"""Reasons for which a daemon did not do it, and this process may."""


@dataclass(frozen=True, slots=True)
class DaemonQuestion:
    """Something to ask the daemon of a configuration. `goes_on`: it does so when nobody waits for it any more."""

    config: Path
    output: Output
    without_daemon: bool = False
    goes_on: bool = False

    def put(self, ask: Callable[[Client], Awaitable[A]]) -> A | None:
        """What the daemon answers; None where it is for this process to do.

        Raises:
            ApiError: the daemon refuses, or nobody knows.
        """
        if self.without_daemon:
            return None
        try:
            socket = socket_of(self.config)
        except ConfigError:
            return None  # a session says all that is wrong with the file
        try:
            answer = asyncio.run(_asked(OnHost(socket), ask))
        except DaemonUnreachableError as error:
            raise _unreachable(error) from error
        except ApiError as error:
            if error.reason not in _ELSEWHERE:
                raise
            remedy = "; ".join(filter(None, (error.remedy, _WITHOUT)))
            raise ApiError(error.detail, reason=error.reason, remedy=remedy, status=error.status) from error
        except KeyboardInterrupt:
            if self.goes_on:
                note("the daemon goes on with it: failoverctl history says what came of it")
            raise
        if answer is not None and self.output is Output.TEXT:
            note(f"by the daemon at {socket}, with its own verdicts and policies; --without-daemon looks from here")
        return answer


def _unreachable(error: DaemonUnreachableError) -> DaemonUnreachableError:
    return DaemonUnreachableError(error.detail, reason=error.reason, remedy=f"{error.remedy}. {_WITHOUT}")


async def _asked(way: OnHost, ask: Callable[[Client], Awaitable[A]]) -> A | None:
    """The answer, if a daemon is there, and for as long as it shows that it lives: it may take minutes."""
    try:
        await _knock(way)
    except DaemonUnreachableError as error:
        if error.absent:
            return None
        raise
    task = asyncio.ensure_future(ask(Client(way)))
    try:
        with progress() as waits:
            waits(Waiting(Stage.ASKING, 0, 1))
            while not task.done():
                await asyncio.wait({task}, timeout=KNOCKING)
                if not task.done():
                    await _knock(way)
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _knock(way: OnHost) -> None:
    try:
        await Client(way, patience=KNOCKING).answers()
    except DaemonUnreachableError:
        raise
    except ApiError as error:
        if error.reason != "daemon_slow":
            raise
        words = f"a daemon is at {way}, and does not answer within {KNOCKING:g}s"
        raise DaemonUnreachableError(words, reason="daemon_unreachable", remedy=error.remedy) from error


# -- what the files say by now -----------------------------------------------------------------------------------------


def tell_differences(config: Path, loaded: Sequence[PolicyTold], *, every: bool = False) -> bool:
    """Say where a file is not what the daemon has loaded, for that is what it looked at.

    Args:
        config: the daemon's configuration file.
        loaded: the policies that it looked at.
        every: it was asked for all that there are.

    Returns:
        Whether a file does not load that it was asked for.
    """
    try:
        found = load_policies(read_config(config), kinds(), running={})
    except FailoverdError as error:
        note(f"cannot tell whether the files are still what the daemon has loaded: {error}")
        return False
    broken = {each.policy: wrong for each in loaded if (wrong := _broken(each, found)) is not None}
    for each in loaded:
        if words := _difference(each, found, broken.get(each.policy)):
            note(f"policy {each.policy} is taken as the daemon has loaded it, revision {each.revision}: {words}")
    if not every:
        return bool(broken)
    for name in sorted(found.policies.keys() - {each.policy for each in loaded}):
        note(f"policy {name} is not planned for: the daemon has not loaded {found.policies[name].source.file}")
    told = {wrong.file for wrong in broken.values()}
    tell_unsound([str(each.errors[0]) for each in found.rejected.values() if each.file not in told])
    return bool(found.rejected)


def tell_unsound(errors: Iterable[str]) -> None:
    """The first error of each file of which nothing is planned for."""
    for error in errors:
        note(f"nothing is planned for what does not load: {error}. {_CHECK}")


_CHECK: Final = "failoverctl check says more"


def _broken(loaded: PolicyTold, found: PolicySet) -> Rejected | None:
    """What does not load of a policy's file."""
    return next((each for each in found.rejected.values() if loaded.policy == each.named), None)


def _difference(loaded: PolicyTold, found: PolicySet, broken: Rejected | None) -> str:
    now = found.policies.get(loaded.policy)
    if now is not None and now.source.revision == loaded.revision:
        return ""
    if broken is not None:
        return f"its file does not load by now: {broken.errors[0]}. {_CHECK}"
    if now is not None:
        refused = f"; what it read before that is refused: {loaded.rejected}" if loaded.rejected else ""
        return f"{now.source.file} is at revision {now.source.revision} by now, which it has not taken up{refused}"
    return "no file that loads names it by now"
