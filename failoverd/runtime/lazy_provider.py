"""Providers that may be unreachable, or misconfigured, when the daemon starts: each opens when it can, alone."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from types import TracebackType
from typing import Any

from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan
from failoverd.core.errors import FailoverdError, Permanent, ProviderError, describe
from failoverd.core.records import Observed, RecordSet, Target
from failoverd.core.tallies import CallFigures, CallOutcome, CallTally
from failoverd.ports import Access, Propagating, Provider, ProviderKind, Urgency


class LazyProvider:
    """A provider that opens its kind on first use, and tries again on each use until it succeeds.

    So a provider with a missing key file or an address in use makes its own targets wait, and nobody else.
    """

    def __init__(self, name: str, kind: ProviderKind, settings: Any, access: Access, stack: AsyncExitStack) -> None:  # noqa: ANN401 - each kind has its own settings
        self._name = name
        self._kind = kind
        self._settings = settings
        self._access = access
        self._stack = stack
        self._lock = asyncio.Lock()
        self._provider: Provider | None = None
        self._reads = CallTally(name, "read")
        self._writes = CallTally(name, "apply")

    def figures(self) -> tuple[CallFigures, ...]:
        """What its calls came to, and how long they took."""
        return self._reads.figures(), self._writes.figures()

    @property
    def in_daemon(self) -> bool:
        """Whether it lives in the daemon's own memory, and forgets when the daemon stops."""
        return self._kind.in_daemon

    @property
    def opened(self) -> Provider | None:
        """The provider behind this one, once it is open."""
        return self._provider

    async def open(self) -> Provider:
        """The provider behind this one.

        Raises:
            ProviderError: it cannot be opened now.
        """
        async with self._lock:
            provider = self._provider
            if provider is None:
                provider = self._provider = await self._stack.enter_async_context(self._context())
            return provider

    def _context(self) -> "_Classified":
        return _Classified(self._name, self._kind, self._kind.open(self._name, self._settings, self._access))

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:
        with _counted(self._reads):
            return await (await self.open()).read(target, urgency=urgency)

    def normalise(self, desired: RecordSet) -> RecordSet:
        return self._opened().normalise(desired)

    async def apply(self, approved: Approved) -> Observed | None:
        with _counted(self._writes):
            return await (await self.open()).apply(approved)

    async def propagated(self, target: Target) -> bool:
        """Return at once for a provider whose yes to a change is all that it ever says of it."""
        provider = await self.open()
        return await provider.propagated(target) if isinstance(provider, Propagating) else True

    def manual(self, plan: Plan) -> str:
        return self._opened().manual(plan)

    def _opened(self) -> Provider:
        if self._provider is None:
            raise Permanent(f"provider {self._name} is not open", reason="not_open")
        return self._provider


@contextmanager
def _counted(tally: CallTally) -> Iterator[None]:
    """Count a call by what it comes to, and how long it takes by the loop's clock, which nobody sets."""
    loop = asyncio.get_running_loop()
    begun, outcome = loop.time(), CallOutcome.OK
    try:
        yield
    except BaseException as error:
        outcome = CallOutcome.of(error)
        raise
    finally:
        tally.add(outcome, loop.time() - begun)


class _Classified:
    """Gives every failure to open a provider one of the four kinds."""

    def __init__(self, name: str, kind: ProviderKind, context: AbstractAsyncContextManager[Provider]) -> None:
        self._name = name
        self._kind = kind
        self._context = context

    async def __aenter__(self) -> Provider:
        try:
            return await self._context.__aenter__()
        except ProviderError:
            raise
        except Exception as error:
            words = str(error) if isinstance(error, OSError | FailoverdError | ImportError) else describe(error)
            remedy = "correct its settings, or free what it needs; it is tried again by itself"
            if self._kind.extra and isinstance(error, ModuleNotFoundError):
                words = f"it needs {error.name or 'an SDK'}, which is not installed"
                remedy = f"{self._kind.brought_by}, and start it again"
            raise Permanent(
                f"provider {self._name} cannot be opened: {words}", reason="provider_unopened", remedy=remedy
            ) from error

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._context.__aexit__(kind, error, trace)
