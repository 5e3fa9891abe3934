"""A name that nothing has is an error that says what was probably meant, whichever verb is given it."""

from pathlib import Path

import pytest
from support.commands import failoverctl, written
from support.journals import incident, plan

from failoverd.ports import ChangeOutcome
from failoverd.store.journal import open_journal
from failoverd.telemetry import prose


@pytest.fixture
async def config(tmp_path: Path) -> Path:
    """One policy, `shop`; and a journal that knows of `inference-api` and of its incident `inc-1`."""
    path = written(tmp_path)
    async with open_journal(path.parent / "journal.db", words=prose.told) as journal:
        await journal.settle(plan(), ChangeOutcome.APPLIED, "", 100.0)
        await journal.record(incident(100.0))
    return path


@pytest.mark.parametrize(
    ("words", "code", "meant"),
    [
        (["history", "--policy", "inference-ap"], 2, "inference-api"),
        (["history", "inference-ap"], 2, "inference-api"),
        (["why", "--policy", "inference-ap"], 2, "inference-api"),
        (["why", "--incident", "inc-2"], 2, "inc-1"),
        (["plan", "shpo"], 1, "shop"),
        (["plan", "--return", "wset"], 1, "west"),
        (["adopt", "shpo", "shop.example.test"], 1, "shop"),
        (["adopt", "shop", "shpo.example.test"], 1, "shop.example.test"),
        (["disown", "shpo", "shop.example.test"], 1, "shop"),
        (["disown", "shop", "shpo.example.test"], 1, "shop.example.test"),
        (["import", "locla", "example.test", "www.example.test"], 1, "local"),
        (["probe", "wset"], 2, "west"),
        (["probe", "west", "--policy", "shpo"], 2, "shop"),
        (["probe", "west", "--check", "lvie"], 2, "live"),
        (["benchmark", "shpo"], 2, "shop"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_it_is_said_what_was_probably_meant(config: Path, words: list[str], code: int, meant: str) -> None:
    told = failoverctl(*words, "--config", config)
    assert told.code == code, told.said
    assert f'did you mean "{meant}"?' in " ".join(told.said.split())


@pytest.mark.parametrize("verb", ["history", "why"])
def test_where_nothing_is_close_what_there_is_is_named(config: Path, verb: str) -> None:
    told = failoverctl(verb, "--policy", "nope", "--config", config)
    assert (told.code, "known here: inference-api" in told.said) == (2, True), told.said


def test_a_policy_that_runs_and_moved_nothing_has_an_empty_history(config: Path) -> None:
    told = failoverctl("history", "--policy", "inference-api", "--since", "1h", "--config", config)
    assert (told.code, told.out) == (0, b"")
