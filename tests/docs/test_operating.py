"""docs/operating.md keeps its word: each of its commands is run, in its order, against a daemon and a real BIND."""

import re
import shlex
from pathlib import Path

import pytest
from support.daemons import EAST, NAME, WEST, Site, provider_block, site
from support.servers import DnsServer

from failoverd.core.clients import still_old
from failoverd.core.overrides import Verb

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()

HERE = {"inference-api": "api", "azure-eastus": "west", "oci-ashburn": "east", "192.0.2.10": WEST}
"""What the names of the page are called here."""


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]


async def said(here: Site, words: list[str], given: str) -> tuple[int, str]:
    """`given` is the id of the override that was given last."""
    text = "\0".join(re.sub(r"^drain-1a2b3c4d$", given, word) for word in words)
    for name, local in HERE.items():
        text = text.replace(name, local)
    return await here.control(*text.split("\0"))


def test_there_are_ten() -> None:
    assert re.findall(r"^## (\d+)\.", PAGE, re.MULTILINE) == [str(number) for number in range(1, 11)]
    verbs = {words[0] for words in commands()}
    assert verbs == {"status", "why", "pause", "release", "drain", "overrides", "extend", "undo", "hold", "down"}


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb is not Verb.ALERT])  # no person gives it
def test_every_word_that_can_be_given_is_on_the_page(verb: Verb) -> None:
    assert re.search(rf"failoverctl {verb}\b", PAGE)


async def test_each_command_does_what_the_page_says(bind_server: DnsServer, tmp_path: Path) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here, here.daemon() as daemon:
        await daemon.event("change.verified")
        await here.tells(lambda told: "all well" in told, "status")  # which may be of a second ago
        both, east, given = sorted([WEST, EAST]), [EAST], ""
        answers = {
            "drain --wait": east,
            "release west --wait": both,
            "undo": east,  # where the drain had brought it
        }
        for words in commands():
            code, printed = await said(here, words, given)
            assert code == 0, (words, printed)
            found = re.search(r"failoverctl release ([a-z]+-[0-9a-f]{8})$", printed, re.MULTILINE)
            given = found[1] if found is not None else given
            named = " ".join(word for word in words if word in {"drain", "release", "undo", "--wait", "azure-eastus"})
            named = named.replace("drain azure-eastus", "drain").replace("azure-eastus", "west")
            if named == "undo":
                await daemon.event("change.applied", overrides=[given])
            if named in answers:
                assert sorted(bind_server.dig(NAME, "A")) == answers[named], words
        _, printed = await here.control("history")
        assert [verb for verb in ("pause", "drain", "pin", "hold", "down") if f"  {verb} of " not in printed] == []
        await daemon.stop()
        code, printed = await here.control("status")
        assert (code, "note: from the journal, " in printed) == (12, True), printed
        code, printed = await here.control("pause", "--all", "--reason", "too late", "--for", "1h")
        assert (code, "failoverctl plan --out FILE" in printed) == (12, True), printed


@pytest.mark.parametrize("after", [10, 30, 60, 300, 900])
def test_the_clients_that_are_left_are_those_of_the_page(after: int) -> None:
    head, _, row = PAGE[PAGE.index("| TTL 30 s") :].splitlines()[:3]
    at = [cell.strip() for cell in head.split("|")].index(f"{after} s" if after < 120 else f"{after // 60} min")
    assert row.split("|")[at].strip() == f"{still_old(after, 30) * 100:.0f}%"
