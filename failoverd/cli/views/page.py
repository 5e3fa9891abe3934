"""`failoverctl page`: everything at a glance in a browser, by the daemon's socket."""

import asyncio
import getpass
from pathlib import Path

from failoverd.api.relay import relayed
from failoverd.cli.failing import OutputConsole, note, told
from failoverd.cli.screen import say
from failoverd.config.locating import socket_of
from failoverd.core.errors import FailoverdError

console = OutputConsole(highlight=False)


def page(config: Path, port: int) -> None:
    """Until Ctrl-C."""
    with told():
        asyncio.run(_serve(socket_of(config), port))


async def _serve(socket: Path, port: int) -> None:
    try:
        async with relayed(socket, port, getpass.getuser()) as link:
            say(console, link)
            at = link.split("/")[2].rpartition(":")[2]
            note(f"for who has this link, until Ctrl-C; from elsewhere: ssh -L {at}:127.0.0.1:{at} THIS-HOST")
            await asyncio.Event().wait()
    except OSError as error:
        words = f"the page cannot be served at 127.0.0.1:{port}: {error.strerror or error}"
        raise FailoverdError(words, reason="port_taken", remedy="name another one: --port") from error
