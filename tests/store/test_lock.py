"""One daemon for one journal."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from failoverd.core.errors import JournalError
from failoverd.store.journal import open_journal
from failoverd.store.reading import HistoryReading

HOLDER = """
import sys, time
from pathlib import Path
from failoverd.store.lock import JournalLock
lock = JournalLock(Path(sys.argv[1]))
lock.take()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process works with the journal."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


def lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


async def refused(path: Path) -> JournalError:
    with pytest.raises(JournalError) as caught:
        async with open_journal(path, sole=True):
            pass
    assert caught.value.reason == "journal_in_use"
    return caught.value


async def test_a_second_daemon_is_refused_and_told_who_holds_the_journal(path: Path) -> None:
    with held(path) as holder:
        error = await refused(path)
        assert f"process {holder.pid}" in error.detail
        assert "steers its traffic" in error.detail
        assert f"kill {holder.pid}" in error.remedy
        assert str(path) in error.detail
    await works(path)


async def test_a_lock_of_another_machine_says_which(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with held(path):
        there = socket.gethostname()
        monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
        assert f" on {there}" in (await refused(path)).detail


async def test_a_lock_whose_file_says_nothing_is_one_all_the_same(path: Path) -> None:
    with held(path):
        lock_of(path).write_text("")
        error = await refused(path)
        assert "(process" not in error.detail
        assert "kill PID" in error.remedy


def test_it_ends_with_the_process_however_that_ends_and_whatever_it_started(path: Path) -> None:
    """A plugin whose start hangs has the descriptors of the daemon until it is started, and outlives it."""
    hanging = HOLDER.replace('print("held"', 'import os\nif os.fork() == 0: time.sleep(600)\nprint("held"')
    command = [sys.executable, "-c", hanging, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        asyncio.run(refused(path))
        holder.kill()
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
        asyncio.run(works(path))
        os.killpg(holder.pid, signal.SIGKILL)  # the child, which lives


async def works(path: Path) -> None:
    async with open_journal(path, sole=True) as journal:
        await journal.touch()


async def test_operators_and_readers_work_beside_a_daemon(path: Path) -> None:
    with held(path):
        async with open_journal(path) as operator:
            await operator.touch()
            with HistoryReading(path) as reading:
                assert reading.changes() == ()


@pytest.mark.parametrize("lost", ["deleted", "the whole directory"])
async def test_it_survives_the_journal_which_is_begun_anew(path: Path, lost: str) -> None:
    notices: list[JournalError] = []
    async with open_journal(path, notices.append, sole=True) as journal:
        await journal.touch()
        if lost == "deleted":
            for file in path.parent.glob("journal.db*"):
                file.unlink()
        else:
            shutil.rmtree(path.parent)
        await journal.touch()
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HOLDER, str(path), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        _, said = await second.communicate()
        assert b"works with this journal" in said
    assert [notice.reason for notice in notices] == ["journal_missing"]


async def test_who_lost_the_lock_to_another_writes_no_journal_any_more(path: Path) -> None:
    """Somebody removed its file, and started another daemon: there is never a moment with two."""
    async with open_journal(path, sole=True) as journal:
        await journal.touch()
        lock_of(path).unlink()
        with held(path):
            with pytest.raises(JournalError) as caught:
                await journal.belong("0000aaaa")
            assert caught.value.reason == "journal_in_use"
        await journal.belong("0000aaaa")


async def test_a_link_and_what_it_leads_to_are_one_journal(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with held(path):
        await refused(link)


async def test_two_journals_in_one_directory_are_two(path: Path) -> None:
    with held(path):
        async with open_journal(path.with_name("other.db"), sole=True) as journal:
            await journal.touch()


async def test_a_journal_that_cannot_be_locked_is_told_once_and_works(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without locks, say: nobody knows of a second daemon, and traffic is steered all the same."""
    notices: list[JournalError] = []
    no_locks = OSError(37, "No locks available")

    def lockf(*_: object) -> None:
        raise no_locks

    monkeypatch.setattr("failoverd.store.lock.fcntl.lockf", lockf)
    async with open_journal(path, notices.append, sole=True) as journal:
        for _ in range(3):
            await journal.belong("0000aaaa")
        assert await journal.instance() == "0000aaaa"
    assert [notice.reason for notice in notices] == ["journal_unlocked"]
    assert "No locks available" in notices[0].detail
    assert "traffic is not affected" in notices[0].detail


async def test_where_there_is_no_place_for_a_journal_that_is_told_and_nothing_of_a_lock(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("a file where a directory should be")
    notices: list[JournalError] = []
    async with open_journal(blocked / "journal.db", notices.append, sole=True) as journal:
        with pytest.raises(JournalError):
            await journal.touch()
        blocked.unlink()
        await journal.touch()
    assert [notice.reason for notice in notices] == ["journal_unwritable"]


async def test_nobody_but_its_owner_may_open_the_lock(path: Path) -> None:
    """Who may read a file may lock it, and keep a daemon from starting."""
    async with open_journal(path, sole=True) as journal:
        await journal.touch()
        assert lock_of(path).stat().st_mode & 0o777 == 0o600
