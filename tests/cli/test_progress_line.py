"""Who waits at a terminal is told for what, and what failed already; nobody else is."""

import io

import pytest
from rich.console import Console
from support.sessions import QUICK, Desk
from support.stage import AZURE, OCI, policy, record

from failoverd.cli.progress_line import progress, words_of
from failoverd.core.errors import Permanent
from failoverd.operations.planning import make_plans
from failoverd.operations.waiting import Stage, Waiting

API = policy(health=QUICK)


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        (Waiting(Stage.READING, 2, 5), "reading records: 2 of 5"),
        (Waiting(Stage.PROBING, 3, 4, 46.0), "probing: 3 of 4 endpoints judged, up to 46s"),
        (Waiting(Stage.PROVING, 0, 1, 5.0), "asking the authoritative servers whether it arrived, up to 5s"),
    ],
)
def test_what_is_waited_for_is_one_line(waiting: Waiting, words: str) -> None:
    assert words_of(waiting) == words


def shown(*steps: Waiting, terminal: bool) -> str:
    text = io.StringIO()
    with progress(Console(file=text, force_terminal=terminal, width=120, color_system=None)) as waits:
        for step in steps:
            waits(step)
    return text.getvalue()


def test_what_failed_is_told_at_once_and_once_and_is_no_command_to_the_terminal() -> None:
    failed = ("api.example.com A at main: the key \x1b[2J cannot be read",)
    text = shown(Waiting(Stage.READING, 1, 2, failed=failed), Waiting(Stage.PROBING, 0, 2, 46.0, failed), terminal=True)
    assert text.count("cannot be read") == 1
    assert "\\x1b[2J" in text


def test_a_pipe_gets_nothing() -> None:
    assert shown(Waiting(Stage.PROBING, 0, 2, 46.0, ("failed",)), terminal=False) == ""


async def test_a_plan_says_what_it_waits_for_and_tells_what_failed_before_it_probes() -> None:
    gone = policy("web", records=(record("web", "web.example.com", "dns-gone"),), health=QUICK)
    desk, told = Desk(API, gone), list[Waiting]()
    desk.fails(AZURE)
    await make_plans(desk.session(waits=told.append), [API, gone], frozenset())
    stages = [waiting.stage for waiting in told]
    first = stages.index(Stage.PROBING)
    assert set(stages[:first]) == {Stage.READING}
    assert any("web.example.com A at dns-gone" in words for words in told[first].failed)
    assert (told[first].done, told[first].of) == (0, 2)
    assert told[first].at_most is not None
    assert {look.endpoint.address for look in desk.world.looks} == {AZURE, OCI}


async def test_a_key_that_cannot_be_read_is_told_without_waiting_for_endpoints() -> None:
    desk, told = Desk(API), list[Waiting]()
    desk.dns.down = Permanent("the key cannot be read", reason="key_unreadable")
    await make_plans(desk.session(waits=told.append), [API], frozenset())
    assert {waiting.stage for waiting in told} == {Stage.READING}
    assert desk.world.looks == []
