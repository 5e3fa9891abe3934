"""How a program is told by the daemon, and what it is told where there is none."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.accepting import accepting
from support.api import NOW, heard
from support.journals import apply
from support.strangers import can_be_others, connected_as
from support.users import open_folder

from failoverd.api import client as clients
from failoverd.api.asked import AuditQuery, HistoryQuery, ReleaseAsked, ScopeAsked, UndoAsked, WhyQuery, WordAsked
from failoverd.api.client import ApiError, Client, DaemonUnreachableError, OnHost
from failoverd.config.locating import socket_of
from failoverd.config.schema.config_file import ApiEntry
from failoverd.core.overrides import Verb

DRAIN = WordAsked(verb=Verb.DRAIN, scope=ScopeAsked(regions=("oci",)), reason="it burns", for_seconds=60)


async def test_everything_can_be_asked(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        await apply(here.journal, 1)
        client = here.client
        (named,) = (await client.names()).policies
        assert (named.records, named.endpoints[0]) == (("api.example.com",), "azure/192.0.2.10")
        status = await client.status(healthy=False)
        assert (status.daemon.pid, status.at, len(status.endpoints)) == (42, NOW, 1)
        assert (await client.history(HistoryQuery(since=0.0))).changes[0].to_bp == {"oci-ashburn": 10_000}
        assert (await client.why(WhyQuery())).change.at == 1.5
        given = await client.give(DRAIN)
        assert (given.override.scope.regions, given.effects[0].ttl_seconds) == (("oci",), 30)
        name = given.override.id
        assert (await client.extend(name, 600, "longer")).override.until == NOW + 600
        assert (await client.agree(name, "yes")).override.agreed
        assert (await client.word(name)).override.state == "in_force"
        words = await client.words()
        assert (await client.release(name, "out", expected=words.version)).override.state == "over"
        await client.undo(UndoAsked(change_id="chg-1", reason="no", for_seconds=60))
        released = await client.release_matching(ReleaseAsked(scope=ScopeAsked(), comment="all well"))
        assert [word.verb for word in released.released] == ["pin"]
        assert (await client.reload()).refused_files[0].file == "new.yaml"
        assert (await client.members()).headline == "azure-1 leads in epoch 7; 3 of 3 members vote"
        resigned = await client.resign("work on its machine", 300.0)
        assert (resigned.member, resigned.epoch, resigned.stands_again_at) == ("azure-1", 7, NOW + 300)
        assert len((await client.audit(AuditQuery())).requests) == 8


async def test_a_refusal_has_the_words_of_the_daemon(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        with pytest.raises(ApiError) as unknown:
            await here.client.release("drain-../../x", "x")
        with pytest.raises(ApiError) as conflict:
            await here.client.give(DRAIN, expected="0123")
        with pytest.raises(ApiError) as unsaid:
            await here.client.release("drain-1", "")
    assert (unknown.value.status, unknown.value.reason) == (404, "override_unknown")
    assert (conflict.value.status, conflict.value.reason) == (409, "override_conflict")
    assert conflict.value.remedy == "look again, and decide again"
    assert unsaid.value.reason == "body_invalid"


async def test_a_key_of_ones_own_repeats_a_command(tmp_path: Path) -> None:
    async with heard(tmp_path) as here:
        assert await here.client.give(DRAIN, key="k") == await here.client.give(DRAIN, key="k")
        assert here.desk.given == 1


# -- no daemon ---------------------------------------------------------------------------------------------------------


async def test_no_daemon_is_said_with_the_way_that_works(tmp_path: Path) -> None:
    place = tmp_path / "api.sock"
    with pytest.raises(DaemonUnreachableError, match="there is no such socket") as missing:
        await Client(OnHost(place)).words()
    assert missing.value.reason == "daemon_unreachable"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place))
    with pytest.raises(DaemonUnreachableError, match="the daemon that made this socket is dead"):
        await Client(OnHost(place)).words()


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as found:
        yield found


@pytest.mark.skipif(not can_be_others(), reason="only root can be somebody else")
async def test_who_has_no_rights_on_the_socket_is_told_whose_group_has(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with heard(folder, ApiEntry(group="daemon", others="none")) as here:
        monkeypatch.setattr(clients, "connected", lambda path: connected_as(65_534, 65_534, path))
        with pytest.raises(ApiError) as shut:
            await here.client.words()
    assert shut.value.reason == "socket_forbidden"
    assert shut.value.detail == f"this user may not use {here.socket}: members of group daemon may, and root"
    assert shut.value.remedy.startswith("ask to be made a member (usermod -aG daemon USER")


@pytest.mark.skipif(not can_be_others(), reason="only root can be somebody else")
async def test_nobody_is_told_to_join_the_group_of_root(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with heard(folder, ApiEntry(group="root", others="none")) as here:
        monkeypatch.setattr(clients, "connected", lambda path: connected_as(65_534, 65_534, path))
        with pytest.raises(ApiError) as shut:
            await here.client.words()
    assert shut.value.remedy == "ask with sudo; api.group names a group of operators"


# -- something else ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def answering(folder: Path, *answers: bytes) -> AsyncIterator[tuple[Path, list[bytes]]]:
    """Something that answers each connection with the next of these, and what was asked."""
    asked, left = list[bytes](), list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(left.pop(0) if left else b"")

    async with accepting(answer, path=folder / "api.sock"):
        yield folder / "api.sock", asked


def http(body: object, status: int = 200) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n%b" % (status, len(raw), raw)


WORDS = {"schema": 1, "version": "0", "overrides": [], "more": "of a later daemon"}


async def test_what_a_later_daemon_says_besides_is_passed_over(tmp_path: Path) -> None:
    async with answering(tmp_path, http(WORDS)) as (place, _):
        assert (await Client(OnHost(place)).words()).overrides == ()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (http({**WORDS, "schema": 2}), "schema_unknown"),
        (http(b"<html>"), "answer_garbled"),
        (http(["1"]), "answer_garbled"),
        (http({"schema": 1}), "answer_garbled"),
        (http({"schema": 1}, 502), "answer_garbled"),
    ],
)
async def test_what_is_not_understood_is_said(tmp_path: Path, answer: bytes, reason: str) -> None:
    async with answering(tmp_path, answer) as (place, _):
        with pytest.raises(ApiError) as error:
            await Client(OnHost(place)).words()
    assert error.value.reason == reason


@pytest.mark.parametrize("early", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"SSH-2.0-x\r\n"])
async def test_an_answer_that_ends_early_is_asked_for_again_with_the_same_key(
    tmp_path: Path, early: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_NAP", 0.0)
    given = {"schema": 1, "released": [], "lost": ["drain-1"], "kept": True}
    async with answering(tmp_path, early, http({"schema": 1}, 503), http(given)) as (place, asked):
        told = await Client(OnHost(place)).release_matching(ReleaseAsked(scope=ScopeAsked(), comment="x"))
    keys = {line for each in asked for line in each.split(b"\r\n") if line.lower().startswith(b"idempotency-key")}
    assert (told.lost, len(asked), len(keys)) == (("drain-1",), 3, 1)
    async with answering(tmp_path, early, early, early) as (place, _):
        with pytest.raises(ApiError, match="hung up before it answered"):
            await Client(OnHost(place)).words()


async def test_a_daemon_that_does_not_answer_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with accepting(silent, path=tmp_path / "api.sock"):
        with pytest.raises(ApiError) as error:
            await Client(OnHost(tmp_path / "api.sock"), patience=0.05).words()
    assert error.value.reason == "daemon_slow"


async def test_that_no_answer_comes_is_told_once_with_how_long_it_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "SILENCE", 0.01)
    heard, told = asyncio.Event(), list[float]()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await heard.wait()
        writer.write(http(WORDS))

    def silent(more: float) -> None:
        told.append(more)
        heard.set()

    async with accepting(late, path=tmp_path / "api.sock"):
        client = Client(OnHost(tmp_path / "api.sock"), silent=silent)
        assert (await client.words()).overrides == ()
        await client.words()
    assert told == [clients.PATIENCE - 0.01]


def test_it_imports_little_for_an_operator_waits_for_it() -> None:
    heavy = {"aiohttp", "sqlite3", "apscheduler", "structlog", "failoverd.runtime", "failoverd.store"}
    program = "import sys, failoverd.api.client; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert heavy & set(done.stdout.split()) == set()


def test_the_daemon_is_found_where_its_configuration_says(tmp_path: Path) -> None:
    def of(text: str) -> Path:
        (tmp_path / "failoverd.yaml").write_text(f"version: 1\n{text}")
        return socket_of(tmp_path / "failoverd.yaml")

    assert of("") == Path("/run/failoverd/api.sock")
    assert of("journal: /var/lib/failoverd/journal.db\n") == Path("/run/failoverd/api.sock")
    assert of("journal: state/journal.db\n") == tmp_path / "state" / "api.sock"
    assert of("api: {socket: here.sock}\n") == tmp_path / "here.sock"
    assert of("api: {group: admins}\njournal: j.db\n") == tmp_path / "api.sock"
