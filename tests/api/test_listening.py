"""Who listens is told of everything as it changes: made once for all, bounded, and nobody waits for who is slow."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from support import evenings
from support.api import NOW, exchanged, heard, parted
from support.browsing import listening

from failoverd.api import listening as hub
from failoverd.api.listening import telling
from failoverd.api.telling import board_told
from failoverd.core.status import Overview
from failoverd.operations.board import board


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to wait for seconds."""
    monkeypatch.setattr(hub, "_FRESH", 0.02)
    monkeypatch.setattr(hub, "_REST", 0.0)
    monkeypatch.setattr(hub, "_BEAT", 0.05)
    monkeypatch.setattr("failoverd.api.service._FRESH", 0.0)


@pytest.mark.usefixtures("hurried")
async def test_the_whole_comes_first_and_again_once_it_is_another_one(tmp_path: Path) -> None:
    async with heard(tmp_path) as here, listening(here.socket) as listener:
        first = await listener.next()
        assert (first.event, first.data["glance"]["level"]) == ("board", "person")
        assert (await listener.next()).event == "beat", "nothing changed"
        here.stands(evenings.quiet(NOW))
        while (second := await listener.next()).event == "beat":
            assert second.id == first.id
    assert (second.event, second.data["glance"]["level"], second.id != first.id) == ("board", "well", True)


@pytest.mark.usefixtures("hurried")
async def test_who_comes_back_with_what_still_is_so_is_told_no_more_than_that(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        async with listening(here.socket) as listener:
            first = await listener.next()
        async with listening(here.socket, first.id) as listener:
            again = await listener.next()
        async with listening(here.socket, "0123456789abcdef") as listener:
            other = await listener.next()
    assert (again.event, again.id) == ("beat", first.id)
    assert (other.event, other.id) == ("board", first.id)


def test_that_time_passes_is_no_news() -> None:
    def said(at: str, seen: str, state: str = "down") -> bytes:
        regions = [{"cloud": "azure", "region": "eastus", "seen": seen, "state": state}]
        return json.dumps({"glance": {"at": at, "headline": "x"}, "regions": regions}).encode()

    first, later = telling(said("03:12", "03:11")), telling(said("03:13", "03:12"))
    assert first.id == later.id
    assert json.loads(later.beat.split(b"data: ")[1]) == {"at": "03:13", "seen": {"azure/eastus": "03:12"}}
    assert telling(said("03:13", "03:12", "healthy")).id != first.id


@pytest.mark.parametrize("evening", [evenings.bad, evenings.crowd])
def test_nothing_on_the_whole_page_counts_the_seconds(evening: Callable[[float], Overview]) -> None:
    """A number that does would have every browser sent all of it at each look."""
    seen = evening(NOW)
    one, two = (board_told(board(seen, NOW + later)).model_dump_json().encode() for later in (130.0, 131.0))
    assert one != two
    assert telling(one).id == telling(two).id


async def test_many_share_one_look(tmp_path: Path) -> None:
    async with heard(tmp_path) as here, AsyncExitStack() as stack:
        many = [await stack.enter_async_context(listening(here.socket)) for _ in range(40)]
        told = await asyncio.gather(*(each.next() for each in many))
        assert {each.id for each in told} == {told[0].id}
        assert len(here.looks) <= 3
        status, _, _ = parted(await exchanged(here.socket, b"GET /v1/names HTTP/1.1\r\nHost: here\r\n\r\n"))
    assert status == 200, "they hold none of the 16 places that a user has"


async def test_there_is_room_for_so_many_and_places_are_free_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MOST_LISTENERS", 2)
    monkeypatch.setattr(hub, "_BEAT", 0.05)
    monkeypatch.setattr(hub, "_FRESH", 0.02)
    async with heard(tmp_path) as here:
        async with listening(here.socket) as one, listening(here.socket) as two, listening(here.socket) as three:
            assert [each.status for each in (one, two, three)] == [200, 200, 503]
            assert b"Retry-After: 30" in three.head
        async with asyncio.timeout(20):
            while True:
                async with listening(here.socket) as again:
                    if again.status == 200:
                        return


@pytest.mark.usefixtures("hurried")
async def test_who_takes_nothing_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose reader sleeps fills up, and is given up; others are told all the same."""
    monkeypatch.setattr(hub, "_TAKING", 0.2)
    crowd = evenings.crowd(NOW, 120)
    async with heard(tmp_path) as here, listening(here.socket) as sleeper, listening(here.socket) as awake:
        here.stands(crowd)
        await awake.next()
        sleeper.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads
        for number in range(16):
            here.stands(replace(crowd, targets=crowd.targets[number:]))
            while (await awake.next()).event != "board":
                pass
        for _ in range(10):  # a beat comes after 0.05 s at the earliest: he had time enough
            await awake.next()
        sleeper.writer.transport.resume_reading()  # type: ignore[attr-defined]  # a transport that reads
        await sleeper.ended()
        assert (await awake.next()).event in {"board", "beat"}


async def test_a_daemon_that_stops_waits_for_nobody_who_listens(tmp_path: Path) -> None:
    async with asyncio.timeout(20):
        async with heard(tmp_path) as here, AsyncExitStack() as stack:
            many = [await stack.enter_async_context(listening(here.socket)) for _ in range(3)]
            ends = [asyncio.create_task(each.ended()) for each in many]
            stack.pop_all()
        await asyncio.gather(*ends)


async def test_what_cannot_be_made_is_told_as_a_defect_and_nobody_hears_a_beat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_FRESH", 0.01)
    monkeypatch.setattr("failoverd.api.service._FRESH", 0.0)
    loop, told = asyncio.get_running_loop(), asyncio.Queue[str]()
    loop.set_exception_handler(lambda _, said: told.put_nowait(said["message"]))
    async with heard(tmp_path) as here:
        good, here.standing[:] = list(here.standing), []
        async with listening(here.socket) as listener:
            first = await told.get()
            here.standing[:] = good
            assert (await listener.next()).event == "board"
    assert first == "listeners could not be told anything"
