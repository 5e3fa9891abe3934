"""Processes of other users, for which the tests have to run as root: the daemon's, an operator's, somebody's.

They are forks of this one, so that nobody needs to be allowed to read Python itself.
"""

import os
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final


@contextmanager
def open_folder() -> Iterator[Path]:
    """One that everybody may enter, unlike those of pytest."""
    found = Path(mkdtemp())
    found.chmod(0o755)
    yield found
    shutil.rmtree(found)


@dataclass(frozen=True, slots=True)
class User:
    """Whom no passwd lists; `groups` besides their own."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    def says(self, work: Callable[[], str]) -> str:
        """What `work` returns, done by that user."""
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            self._become(lambda: os.write(theirs, work().encode()))
        os.close(theirs)
        with os.fdopen(ours, encoding="utf-8") as answer:
            said = answer.read()
        _, status = os.waitpid(child, 0)
        assert status == 0, said
        return said

    @contextmanager
    def doing(self, work: Callable[[Callable[[], None]], None], *, killed: bool = False) -> Iterator[None]:
        """`work` gets a function that says that it is ready and returns at the end, unless it is `killed` then."""
        ready, tell = os.pipe()
        until, end = os.pipe()

        def wait() -> None:
            os.write(tell, b".")
            os.read(until, 1)

        child = os.fork()
        if child == 0:
            os.close(end)
            self._become(lambda: work(wait))
        os.close(tell)
        os.close(until)
        try:
            assert os.read(ready, 1) == b".", "it ended before it was ready"
            yield
        finally:
            if killed:
                os.kill(child, 9)
            os.close(end)
            os.close(ready)
            _, status = os.waitpid(child, 0)
        assert killed or status == 0

    def _become(self, work: Callable[[], object]) -> None:
        """The rest of the child's life."""
        try:
            os.setgroups(self.groups)
            os.setgid(self.gid)
            os.setuid(self.uid)
            work()
        except BaseException:  # noqa: BLE001 - the child never returns into the test
            traceback.print_exc()
            os._exit(1)
        os._exit(0)


OPERATORS: Final = 61_300
"""A group that nothing lists."""

SERVICE = User(61_200, OPERATORS)
OPERATOR = User(61_201, 61_201, (OPERATORS,))
SOMEBODY = User(61_202, 61_202)
