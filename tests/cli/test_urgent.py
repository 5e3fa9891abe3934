"""`failoverctl pause --all` is sent before the command line is understood, and is understood as it was sent."""

import sqlite3
from pathlib import Path

import pytest
from support.consoles import Console, console

from failoverd.cli.options import Exit
from failoverd.cli.urgent import Pause, plain_pause
from failoverd.core.overrides import Scope, Verb

WHY = ["--reason", "a bad night"]
CONFIG = "/etc/failoverd/failoverd.yaml"
PLAIN = [
    (["pause", "--all", *WHY, "--for", "1h"], 3_600),
    (["pause", *WHY, "--for", "45m", "--all"], 2_700),
    (["pause", "--all", "-r", "a bad night", "--for", "90s", "-o", "json"], 90),
    (["pause", "--all", "-r", " a bad night ", "--for", "72h", "--output", "text"], 259_200),
]


def keys(here: Console) -> list[str]:
    """The keys of all that was done, as the audit trail has them."""
    with sqlite3.connect(here.config.with_name("journal.db")) as journal:
        return [key for (key,) in journal.execute("SELECT key FROM audit ORDER BY seq")]


@pytest.mark.parametrize(("words", "seconds"), PLAIN, ids=[" ".join(words) for words, _ in PLAIN])
def test_what_is_plainly_written_is_sent_ahead(words: list[str], seconds: int) -> None:
    assert plain_pause(words, CONFIG) == Pause(Path(CONFIG), "a bad night", seconds)


def test_the_configuration_is_the_one_that_is_named() -> None:
    for option in ("--config", "-c"):
        found = plain_pause(["pause", "--all", *WHY, "--for", "1h", option, "here.yaml"], CONFIG)
        assert found is not None
        assert found.config == Path("here.yaml")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["pause"],
        ["hold", "--all", *WHY, "--for", "1h"],
        ["pause", "shop", *WHY, "--for", "1h"],
        ["pause", "shop", "--all", *WHY, "--for", "1h"],
        ["pause", "--all", *WHY, "--for", "1h", "--dry-run"],
        ["pause", "--all", *WHY, "--for", "1h", "--policy", "shop"],
        ["pause", "--all", *WHY, "--for", "1h", "--help"],
        ["pause", "--all", "--all", *WHY, "--for", "1h"],
        ["pause", "--all", *WHY, *WHY, "--for", "1h"],
        ["pause", "--all", "--reason", " ", "--for", "1h"],
        ["pause", "--all", "--reason", "a\nb", "--for", "1h"],
        ["pause", "--all", "--reason", "x" * 501, "--for", "1h"],
        ["pause", "--all", *WHY],
        ["pause", "--all", "--for", "1h"],
        ["pause", "--all", *WHY, "--for"],
        ["pause", "--all", *WHY, "--for", "0s"],
        ["pause", "--all", *WHY, "--for", "73h"],
        ["pause", "--all", *WHY, "--for", "1.5h"],
        ["pause", "--all", *WHY, "--for", "\u0661h"],
        ["pause", "--all", *WHY, "--for", "1h", "--output", "yaml"],
        ["pause", "--all", *WHY, "--for", "1h", "--config", ""],
    ],
    ids=lambda words: ascii(" ".join(words)[:60]),
)
def test_whatever_else_is_left_to_who_understands_all(words: list[str]) -> None:
    assert plain_pause(words, CONFIG) is None


@pytest.mark.parametrize(("words", "seconds"), PLAIN, ids=[" ".join(words) for words, _ in PLAIN])
async def test_what_was_sent_ahead_is_the_command_and_is_done_once(
    tmp_path: Path, words: list[str], seconds: int
) -> None:
    async with console(tmp_path) as here:
        told = await here.failoverctl(*words)
        assert told.code == Exit.FINE, told.said
        (word,) = here.crew.words()
        assert (word.verb, word.scope, word.reason) == (Verb.PAUSE, Scope(), "a bad night")
        assert word.until - word.since == pytest.approx(seconds)
        assert word.id in told.said
        assert len(keys(here)) == 1


async def test_a_refusal_is_told_as_ever(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        await here.said("pause", "--all")
        told = await here.said("pause", "--all")
        assert (told.code, "override_conflict" in told.err) == (Exit.LIMITED, True), told.said
        assert len(here.crew.words()) == 1


async def test_without_a_daemon_the_failure_is_told_as_ever(tmp_path: Path) -> None:
    async with console(tmp_path) as here:
        config = here.config
    told = await Console(config, here.crew, []).said("pause", "--all")
    assert (told.code, "daemon_unreachable" in told.err) == (Exit.UNREACHABLE, True), told.said
