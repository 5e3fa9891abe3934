"""The SDK of a cloud is imported when the first provider of a kind that needs it is opened, and never before."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import TypeVar

from failoverd.ports import Access, Provider

Settings = TypeVar("Settings")


def lazily(module: str) -> Callable[[str, Settings, Access], AbstractAsyncContextManager[Provider]]:
    """The `open` of a kind: the function `opened` of this module, which is imported at the first call.

    The import takes a fraction of a second, which the rest of the daemon does not wait for.
    """

    @asynccontextmanager
    async def late(name: str, settings: Settings, access: Access) -> AsyncIterator[Provider]:
        imported = await asyncio.to_thread(import_module, module)
        async with imported.opened(name, settings, access) as provider:
            yield provider

    return late
