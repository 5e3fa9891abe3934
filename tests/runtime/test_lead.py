"""What was begun under a lease ends with it, also where the process stood still meanwhile."""

import asyncio
import socket
import time
from collections.abc import Callable

import pytest
import uvloop

from failoverd.runtime.lead import Alone, within_lease

LEFT = 0.1
"""Seconds."""


def frozen_for(seconds: float) -> None:
    """Nothing of this process goes on."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_who_was_frozen_beyond_the_lease_takes_no_further_step(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Though the answer that it waited for was there when it woke."""
    steps = list[str]()

    async def play() -> None:
        end = time.monotonic() + LEFT
        ours, theirs = socket.socketpair()

        def freeze() -> None:
            theirs.send(b"x")
            frozen_for(2 * LEFT)

        with ours, theirs:
            ours.setblocking(False)
            asyncio.get_running_loop().call_later(LEFT / 10, freeze)
            async with within_lease(lambda: end - time.monotonic()):
                await asyncio.get_running_loop().sock_recv(ours, 1)
                steps.append("the next request")

    with asyncio.Runner(loop_factory=loop) as runner, pytest.raises(TimeoutError):
        runner.run(play())
    assert not steps


async def test_one_member_alone_has_all_the_time() -> None:
    lead = Alone()
    async with within_lease(lambda: lead.left):
        await asyncio.sleep(0)
