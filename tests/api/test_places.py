"""Who is heard at the socket, what they may do, and what nobody can do to those who are heard."""

import asyncio
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.api import House, exchanged, heard, parted
from support.strangers import can_be_others, connected_as
from support.users import open_folder

from failoverd.api import actors, bounds, places
from failoverd.config.schema.config_file import ApiEntry
from failoverd.core.events import ApiFailed, Event, RequestRefused
from failoverd.runtime.descriptors import raise_limit
from failoverd.store.reading import HistoryReading
from failoverd.telemetry import prose

HOST = socket.gethostname()
NOBODY = 65_534
STATUS = b"GET /v1/overrides HTTP/1.1\r\nHost: here\r\n\r\n"
DRAIN = b'{"verb": "drain", "scope": {"regions": ["oci"]}, "reason": "it burns", "for_seconds": 60}'
HEAD = b"POST /v1/overrides HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\n"
COMMAND = HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(DRAIN), DRAIN)

others = pytest.mark.skipif(not can_be_others(), reason="only root can be somebody else")


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as found:
        yield found


async def asked_as(uid: int, gid: int, here: House, asked: bytes) -> tuple[int, dict[str, str], dict[str, object]]:
    connection = connected_as(uid, gid, here.socket)
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    writer.write(asked)
    try:
        return parted(await reader.read())
    finally:
        writer.close()


# -- who ---------------------------------------------------------------------------------------------------------------


@others
async def test_everybody_may_read_and_who_may_not_operate_is_told_who_may(folder: Path) -> None:
    async with heard(folder, ApiEntry(group="daemon")) as here:
        assert stat.S_IMODE(here.socket.stat().st_mode) == 0o666
        read = await asked_as(NOBODY, NOBODY, here, STATUS)
        status, _, told = await asked_as(NOBODY, NOBODY, here, COMMAND)
        (refused,) = [event for event in here.events if isinstance(event, RequestRefused)]
        with HistoryReading(here.path) as reading:
            (row,) = reading.audit()
    assert read[0] == 200
    assert (status, told["reason"], here.desk.given) == (403, "forbidden", 0)
    assert "group daemon may; a new member counts within a minute: usermod -aG daemon nobody" in str(told["remedy"])
    assert (refused.actor, refused.request, refused.status) == (f"nobody@{HOST}", "POST /v1/overrides", 403)
    assert prose.say(refused) == f"refused POST /v1/overrides of nobody@{HOST} from pid {os.getpid()}: forbidden"
    assert (row.actor, row.status, row.body) == (f"nobody@{HOST}", 403, "")


@others
async def test_nobody_who_may_not_operate_is_sent_into_the_group_of_root(folder: Path) -> None:
    async with heard(folder, ApiEntry(group="root")) as here:
        status, _, told = await asked_as(NOBODY, NOBODY, here, COMMAND)
    remedy = "root and members of group root may: ask with sudo; api.group names another one"
    assert (status, told["remedy"]) == (403, remedy)


@others
@pytest.mark.parametrize("member", ["by the system's database", "by its own group"])
async def test_a_member_of_the_group_may_operate(folder: Path, member: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = member == "by the system's database"
    monkeypatch.setattr(os, "getgrouplist", lambda *_: [NOBODY, 1] if listed else [])
    async with heard(folder, ApiEntry(group="daemon")) as here:  # whose number is 1
        status, _, told = await asked_as(NOBODY, NOBODY if listed else 1, here, COMMAND)
    assert status == 200
    assert told["override"]["actor"] == f"nobody@{HOST}"  # type: ignore[index]


@others
async def test_only_root_is_believed_who_is_behind_it(folder: Path) -> None:
    forged = COMMAND.replace(b"Host: here", b"Host: here\r\nFailoverd-User: root")
    async with heard(folder, ApiEntry(group="nogroup")) as here:
        _, _, told = await asked_as(NOBODY, NOBODY, here, forged)
    assert told["override"]["actor"] == f"nobody@{HOST}"  # type: ignore[index]


@others
async def test_a_socket_for_the_group_alone_is_shut_to_everybody_else(folder: Path) -> None:
    async with heard(folder, ApiEntry(group="daemon", others="none")) as here:
        found = here.socket.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, 1)
        with pytest.raises(PermissionError):
            connected_as(NOBODY, NOBODY, here.socket)
        assert (await asked_as(NOBODY, 1, here, COMMAND))[0] == 200


@others
async def test_a_user_without_a_name_has_a_number(folder: Path) -> None:
    async with heard(folder, ApiEntry(group="daemon")) as here:
        await asked_as(2_000_000_001, NOBODY, here, COMMAND)
    (refused,) = [event for event in here.events if isinstance(event, RequestRefused)]
    assert refused.actor == f"uid:2000000001@{HOST}"


@others
async def test_within_a_user_namespace_nobody_is_taken_for_somebody(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors, "_of_few_users", lambda: True)
    async with heard(folder, ApiEntry(group="nogroup")) as here:
        status, _, told = await asked_as(NOBODY, NOBODY, here, COMMAND)
    assert (status, "PrivateUsers=no" in str(told["remedy"])) == (403, True)


async def test_a_system_that_takes_its_time_to_name_users_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(*_: object) -> tuple[str, bool]:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return "root", False

    monkeypatch.setattr(actors, "_user", slow)
    monkeypatch.setattr(actors, "_PATIENCE", 0.05)
    async with heard(tmp_path) as here:
        status, _, told = parted(await exchanged(here.socket, COMMAND))
        release.set()
    assert (status, told["override"]["actor"]) == (200, f"uid:{os.getuid()}@{HOST}")


# -- the socket --------------------------------------------------------------------------------------------------------


def failure(events: list[Event]) -> ApiFailed:
    (failed,) = [event for event in events if isinstance(event, ApiFailed)]
    return failed


async def test_the_socket_of_a_dead_daemon_is_replaced_and_goes_with_its_own(tmp_path: Path) -> None:
    place = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place))
    async with heard(tmp_path) as here:
        assert (await here.ask("GET", "/v1/overrides"))[0] == 200
    assert not place.exists()
    assert not await asyncio.to_thread(lambda: list(tmp_path.glob("*.sock*")) + list(tmp_path.glob(".api*")))


async def test_the_socket_of_a_living_daemon_is_left_alone(tmp_path: Path) -> None:
    async with heard(tmp_path) as first:
        async with heard(tmp_path) as second:
            failed = failure(second.events)
        assert failed.error == "another daemon is heard there"
        assert prose.say(failed).startswith(
            f"no admin API at {tmp_path}/api.sock: another daemon is heard there. Probing"
        )
        assert (await first.ask("GET", "/v1/overrides"))[0] == 200


async def test_a_file_that_is_no_socket_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "api.sock").write_text("somebody's")
    async with heard(tmp_path) as here:
        assert failure(here.events).error == "something else than a socket is there"
    assert (tmp_path / "api.sock").read_text() == "somebody's"


async def test_a_group_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with heard(tmp_path, ApiEntry(group="no-such-group")) as here:
        failed = failure(here.events)
    assert (failed.error, failed.remedy) == ("there is no group no-such-group", "name another one in api.group")


async def test_a_folder_may_be_deeper_than_the_system_has_room_for_in_a_socket(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 6)
    deep.mkdir(parents=True)
    async with heard(deep) as here:
        assert (await here.client.words()).overrides == ()
        async with heard(deep) as second:
            assert failure(second.events).error == "another daemon is heard there"
    async with heard(deep) as here:
        assert here.events == []


# -- too much of everything --------------------------------------------------------------------------------------------


async def test_a_body_of_a_gigabyte_is_refused_by_what_it_announces(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        status, _, told = parted(await exchanged(here.socket, HEAD + b"Content-Length: 1073741824\r\n\r\n" + DRAIN))
        (refused,) = [event for event in here.events if isinstance(event, RequestRefused)]
    assert (status, told["reason"], here.desk.given) == (413, "body_too_large", 0)
    assert refused.reason == "body_too_large"


async def send(writer: asyncio.StreamWriter, part: bytes, times: int) -> None:
    for _ in range(times):
        writer.write(part)
        await writer.drain()


async def test_a_body_without_end_is_refused_by_what_comes(tmp_path: Path) -> None:
    part = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    async with heard(tmp_path) as here:
        reader, writer = await asyncio.open_unix_connection(str(here.socket))
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(4):
            writer.write(part)
        status, _, told = parted(await reader.readuntil(b"}"))
        assert (status, told["reason"]) == (413, "body_too_large")
        with pytest.raises(ConnectionError):
            await send(writer, part, 2**30 // len(part))
        writer.close()


async def test_a_body_that_is_packed_is_not_unpacked(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        packed = COMMAND.replace(b"Host: here", b"Host: here\r\nContent-Encoding: gzip")
        assert parted(await exchanged(here.socket, packed))[0] == 200  # it was none: it is read as it came


async def test_who_asks_too_slowly_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "ASKING", 0.2)
    async with heard(tmp_path) as here:
        for beginning in (b"", b"GET /v1/status HT", HEAD + b"Content-Length: 100\r\n\r\n{"):
            assert await exchanged(here.socket, beginning) == b""
        assert here.desk.given == 0


async def test_a_thousand_connections_keep_nobody_out(tmp_path: Path) -> None:
    raise_limit()
    async with heard(tmp_path) as here:
        idle = []
        for _ in range(20):
            some = [socket.socket(socket.AF_UNIX) for _ in range(50)]
            for each in some:
                each.connect(str(here.socket))
            idle += some
            assert (await here.ask("GET", "/v1/overrides"))[0] == 200
        still = sum(map(_held, idle))
        for each in idle:
            each.close()
    assert still <= bounds.MOST_OF_PEER


def _held(connection: socket.socket) -> bool:
    """Whether the other side has not hung up."""
    connection.setblocking(False)
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


async def test_who_is_being_answered_keeps_his_place(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        here.desk.stuck = asyncio.Event()
        answer = asyncio.create_task(exchanged(here.socket, COMMAND))
        await here.desk.asked.wait()
        crowd = [await asyncio.open_unix_connection(str(here.socket)) for _ in range(100)]
        here.desk.stuck.set()
        assert parted(await answer)[0] == 200
        for _, writer in crowd:
            writer.close()


async def test_one_actor_asks_at_a_bounded_rate_and_reading_takes_nothing_from_acting(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        found = [await here.answer("GET", "/v1/overrides") for _ in range(80)]
        refused = [headers for status, headers, _ in found if status == 429]
        assert refused
        assert int(refused[0]["Retry-After"]) >= 1
        assert parted(await exchanged(here.socket, COMMAND))[0] == 200
        told = [event for event in here.events if isinstance(event, RequestRefused)]
        with HistoryReading(here.path) as reading:
            assert len(reading.audit()) == len(told) + 1
    assert len(told) <= 21, "who floods the socket does not flood the log"


async def test_what_is_no_http_is_hung_up_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with heard(tmp_path) as here:
        for garbage in (b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, b"\r\n" * 1_000):
            assert b"HTTP/1.1 200" not in await exchanged(here.socket, garbage + STATUS[:0])
        assert (await here.ask("GET", "/v1/overrides"))[0] == 200
    assert not caplog.records, "what strangers send fills no log"
