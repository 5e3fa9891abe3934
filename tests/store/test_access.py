"""Who may read the journal: its group, beside a daemon that works, after its end, after its death, and nobody else."""

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.journals import TARGET, plan
from support.users import OPERATOR, OPERATORS, SERVICE, SOMEBODY, open_folder

from failoverd.core.errors import JournalError
from failoverd.ports import ChangeOutcome
from failoverd.store.access import SIDE_FILES, require_readable
from failoverd.store.journal import SqliteJournal, open_journal
from failoverd.store.reading import HistoryReading

several_users = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


@pytest.fixture
def directory() -> Iterator[Path]:
    """The service's, as systemd makes it."""
    with open_folder() as made:
        state = made / "state"
        state.mkdir()
        if os.geteuid() == 0:
            os.chown(state, SERVICE.uid, SERVICE.gid)
        state.chmod(0o750)
        yield state


@pytest.fixture
def path(directory: Path) -> Path:
    return directory / "journal.db"


async def change(journal: SqliteJournal, number: int) -> None:
    made = plan(f"chg-{number}", generation=number)
    await journal.intend(made, 1_000.0 + number)
    await journal.settle(made, ChangeOutcome.APPLIED, "", 1_000.5 + number)


def daemon(path: Path) -> Callable[[Callable[[], None]], None]:
    """A daemon with the umask of its unit, which goes on writing once somebody looks."""

    async def work(wait: Callable[[], None]) -> None:
        async with open_journal(path, sole=True) as journal:
            for number in range(1, 4):
                await change(journal, number)
            waiting = asyncio.create_task(asyncio.to_thread(wait))
            number = 4
            while not waiting.done():
                await change(journal, number)
                number += 1

    def run(wait: Callable[[], None]) -> None:
        os.umask(0o077)
        asyncio.run(work(wait))

    return run


def reads(path: Path) -> Callable[[], str]:
    """Whether the journal tells its changes, time and again; or what is said instead."""

    def look() -> str:
        try:
            for _ in range(10):
                with HistoryReading(path) as reading:
                    assert reading.last_good(TARGET) is not None
                    assert len(reading.changes()) >= 3
        except JournalError as error:
            return f"{error.reason}: {error.detail}; {error.remedy}"
        return "read"

    return look


def modes(path: Path) -> dict[str, int]:
    files = {suffix: Path(f"{path}{suffix}") for suffix in SIDE_FILES}
    return {suffix: stat.S_IMODE(file.stat().st_mode) for suffix, file in files.items() if file.exists()}


@several_users
def test_the_group_reads_beside_a_daemon_that_writes(path: Path) -> None:
    with SERVICE.doing(daemon(path)):
        assert OPERATOR.says(reads(path)) == "read"
        assert modes(path) == dict.fromkeys(SIDE_FILES, 0o640)


@several_users
@pytest.mark.parametrize("killed", [False, True])
def test_the_group_reads_when_the_daemon_has_ended_or_was_killed(path: Path, killed: bool) -> None:
    with SERVICE.doing(daemon(path), killed=killed):
        pass
    assert OPERATOR.says(reads(path)) == "read"
    assert set(modes(path).values()) == {0o640}


@several_users
def test_the_group_changes_nothing(path: Path) -> None:
    with SERVICE.doing(daemon(path)):

        def write() -> str:
            async def belong() -> str:
                async with open_journal(path) as journal:
                    try:
                        await journal.belong("0000aaaa")
                    except JournalError as error:
                        return error.reason
                return "written"

            return asyncio.run(belong())

        assert OPERATOR.says(write) == "journal_unwritable"


@several_users
def test_a_plan_by_one_of_the_group_knows_what_the_daemon_knows(path: Path) -> None:
    """`failoverctl plan` opens the journal as if to write it: what it needs to read is read all the same."""
    with SERVICE.doing(daemon(path)):

        def recall() -> str:
            async def good() -> str:
                async with open_journal(path) as journal:
                    found, _ = await journal.recall(TARGET, 0.0)
                return "known" if found is not None else "unknown"

            return asyncio.run(good())

        assert OPERATOR.says(recall) == "known"


@several_users
def test_nobody_else_reads_and_is_told_which_group_does(path: Path) -> None:
    with SERVICE.doing(daemon(path)):
        said = SOMEBODY.says(reads(path))
    assert said.startswith("journal_unreadable: ")
    assert f"group gid {OPERATORS} may enter {path.parent}" in said
    assert "usermod" not in said, "no command with a group that has no name"
    assert "right to write" not in said
    assert "traffic is not affected" in said


@several_users
def test_a_file_that_its_group_may_not_read_is_opened_to_it_by_the_daemon_and_closed_to_the_rest(path: Path) -> None:
    """A backup put it back, or somebody copied it."""
    with SERVICE.doing(daemon(path)):
        pass
    for mode in (0o600, 0o644, 0o666):
        path.chmod(mode)
        with SERVICE.doing(daemon(path)):
            assert set(modes(path).values()) == {0o640 | mode & 0o020}
            assert OPERATOR.says(reads(path)) == "read"


@several_users
@pytest.mark.parametrize("suffix", SIDE_FILES)
def test_one_file_that_only_its_owner_may_read_is_named(path: Path, suffix: str) -> None:
    with SERVICE.doing(daemon(path)):
        file = Path(f"{path}{suffix}")
        file.chmod(0o600)
        said = OPERATOR.says(reads(path))
        assert said.startswith("journal_unreadable: ")
        assert f"only uid {SERVICE.uid} may read {file}" in said
        assert "sudo" in said


@several_users
def test_a_directory_that_only_root_may_enter_says_so(directory: Path, path: Path) -> None:
    """`DynamicUser=yes` keeps the journal below such a one, and a link leads there."""
    private = directory.parent / "private"
    private.mkdir(mode=0o700)
    directory.rename(private / "failoverd")
    directory.symlink_to(private / "failoverd")
    said = OPERATOR.says(reads(path))
    assert f"only root may enter {private}" in said
    assert "sudo" in said


def test_a_named_group_comes_with_the_command_that_adds_somebody(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.touch()
    path.chmod(0o640)
    monkeypatch.setattr("failoverd.store.access._ROOT", path.stat().st_gid + 1)
    monkeypatch.setattr("failoverd.store.access._group", lambda _: "failoverd-operators")
    monkeypatch.setattr("failoverd.store.access._user", lambda _: "alice")
    monkeypatch.setattr("failoverd.store.access.os.access", lambda file, *_, **__: Path(file).is_dir())
    with pytest.raises(JournalError) as caught:
        require_readable(path)
    assert f"alice and the group failoverd-operators may read {path}" in caught.value.detail
    assert "usermod -aG failoverd-operators alice" in caught.value.remedy


def test_nobody_is_told_to_join_the_group_of_root(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal of a daemon that runs as root is of that group."""
    path.touch()
    path.chmod(0o640)
    monkeypatch.setattr("failoverd.store.access._ROOT", path.stat().st_gid)
    monkeypatch.setattr("failoverd.store.access._group", lambda _: "root")
    monkeypatch.setattr("failoverd.store.access._user", lambda _: "alice")
    monkeypatch.setattr("failoverd.store.access.os.access", lambda file, *_, **__: Path(file).is_dir())
    with pytest.raises(JournalError) as caught:
        require_readable(path)
    assert ("usermod" in caught.value.remedy, "sudo" in caught.value.remedy) == (False, True)


def test_a_journal_that_is_not_there_may_be_read_by_anybody(path: Path) -> None:
    nowhere = path.parent / "nowhere" / "journal.db"
    for missing in (path, nowhere):
        require_readable(missing)
    assert (path.exists(), nowhere.parent.exists()) == (False, False), "who asks makes nothing"


def test_a_directory_that_is_made_is_open_to_its_group_whatever_the_umask_says(path: Path) -> None:
    inside = path.parent / "made" / "journal.db"

    async def make() -> None:
        async with open_journal(inside) as journal:
            await journal.touch()

    before = os.umask(0o077)
    try:
        asyncio.run(make())
    finally:
        os.umask(before)
    assert stat.S_IMODE(inside.parent.stat().st_mode) == 0o750
