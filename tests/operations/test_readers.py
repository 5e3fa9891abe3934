"""What somebody plans who may read the journal and not write it: the same as the daemon would do."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from support.journals import TARGET, plan
from support.users import OPERATOR, SERVICE, SOMEBODY

from failoverd.assembly import session
from failoverd.core.errors import JournalError
from failoverd.ports import Access, ChangeOutcome
from failoverd.store.journal import open_journal

CONFIG = """\
version: 1
owner: prod
policies: policies
journal: state/journal.db
providers:
  dns-main: {kind: embedded, zones: [example.com], listen: "127.0.0.1:5353"}
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """A configuration that anybody may read, beside a journal that its group may read."""
    made = Path(mkdtemp())
    made.chmod(0o755)
    (made / "policies").mkdir()
    (made / "failoverd.yaml").write_text(CONFIG)
    (made / "state").mkdir()
    os.chown(made / "state", SERVICE.uid, SERVICE.gid)
    (made / "state").chmod(0o750)
    elsewhere = tmp_path / "failoverd.yaml"
    elsewhere.write_text(CONFIG)
    (tmp_path / "policies").mkdir()
    knows(elsewhere)()  # a fork that becomes somebody else may import nothing more
    yield made / "failoverd.yaml"
    shutil.rmtree(made)


def daemon(journal: Path) -> Callable[[Callable[[], None]], None]:
    async def work(wait: Callable[[], None]) -> None:
        async with open_journal(journal, sole=True) as opened:
            await opened.belong("0000aaaa")
            made = plan("chg-1", generation=8)
            await opened.settle(made, ChangeOutcome.APPLIED, "", 1_000.0)
            await asyncio.to_thread(wait)

    return lambda wait: asyncio.run(work(wait))


def knows(config: Path) -> Callable[[], str]:
    """The instance and the generation that a session knows of."""

    async def look() -> str:
        async with session(config, Access.READ) as found:
            memory = await found.states.recall(TARGET, 0.0)
            return f"{found.instance} {memory.last_good.generation if memory.last_good is not None else None}"

    def work() -> str:
        try:
            return asyncio.run(look())
        except JournalError as error:
            return error.reason

    return work


@pytest.mark.parametrize("killed", [False, True])
def test_one_of_the_group_knows_what_the_daemon_knew_while_it_works_and_when_it_has_ended(
    config: Path, killed: bool
) -> None:
    with SERVICE.doing(daemon(config.parent / "state" / "journal.db"), killed=killed):
        assert OPERATOR.says(knows(config)) == "0000aaaa 8"
    assert OPERATOR.says(knows(config)) == "0000aaaa 8"


def test_somebody_else_is_told_that_the_journal_is_not_for_them(config: Path) -> None:
    with SERVICE.doing(daemon(config.parent / "state" / "journal.db")):
        assert SOMEBODY.says(knows(config)) == "journal_unreadable"
