"""docs/night.md keeps its word: one incident, a real BIND, and for each question the answer within five lines."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from support.daemons import Site, provider_block, site
from support.fixtures import bind_server, shared_bind
from support.servers import DnsServer

__all__ = ["bind_server", "shared_bind"]

PAGE = (Path(__file__).parents[2] / "docs" / "night.md").read_text()
FIRST = 5
"""Lines within which the answer is."""

QUESTIONS = {
    "Where does it point?": r"answers east 100%",
    "Why?": r"why +west is down \(score 0%\)",
    "Since when?": r"api left west .* ago",
    "What happens next?": r"next +west comes back once well for 5 min",
    "How do I stop it?": r"stop +failoverctl hold api ",
    "Who did that?": r"since .*, by failoverd; normally",
    "Is it the prober?": r"the prober trusts its network: 1 of 1 sentinels answer",
    "What did it cost?": r"cost .* to the change and .* to the proof; 50% of the traffic was there; .* lost",
    "Who is still on the old answer?": r"about \d+% of clients still use the old answer",
    "What if oci goes too?": r"nobody else who serves: east is the only one",
    "What is held?": r"hold of policy api\b",
    "When is it over?": r"next +the hold ends at .* \(in ",
}
"""In the order of the page, and what has to stand in the first lines of what is printed."""

HERE = {"api.example.com": "api.example.test", "192.0.2.10": "127.87.0.1"}

CHANGES = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "TIME"),
    (r"\d\d:\d\dZ", "TIME"),
    (r"\b(inc|hold|chg)-[0-9a-z-]+", "ID"),
    (r"\b(?:now|\d+(?:\.\d+)? ?(?:s|ms|min|m|h)(?: ago)?)(?=\W|$)", "AGE"),
    (r"about \d+%", "about PART"),
    (r"\b[a-z_][\w.-]*@[\w.-]+", "WHO"),
    (r"by \w+ until", "by WHO until"),
    (r"127\.87\.0\.1:\d+", "127.87.0.1"),
)
"""What is another one each time."""


def told() -> Iterator[tuple[str, list[str], list[str]]]:
    """Each question of the page with its command and what that printed."""
    for title, command, shown in re.findall(
        r"^## \d+\. (.*)\n+```console\n\$ failoverctl (.*)\n((?:.*\n)*?)```", PAGE, re.MULTILINE
    ):
        yield title, shlex.split(command), shown.splitlines()


def masked(lines: list[str]) -> list[str]:
    return [_masked(line) for line in lines]


def _masked(line: str) -> str:
    for name, local in HERE.items():
        line = line.replace(name, local)
    for pattern, stands_for in CHANGES:
        line = re.sub(pattern, stands_for, line)
    return " ".join(line.split())


def test_there_are_twelve_in_the_table_and_below_it_and_each_has_its_answer() -> None:
    below = [title for title, _, _ in told()]
    table = re.findall(r"^\| (\d+) \| (.*?) \| `failoverctl (.*)` \|$", PAGE, re.MULTILINE)
    assert [title for _, title, _ in table] == below == list(QUESTIONS)
    assert [shlex.split(command) for _, _, command in table] == [command for _, command, _ in told()]
    for title, _, shown in told():
        assert len(shown) <= FIRST, title
        assert re.search(QUESTIONS[title], "\n".join(shown)), title


async def test_each_is_answered_in_the_first_five_lines_as_the_page_shows(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.edit_policy("failback: {after: 500ms}", "failback: {after: 5m}")
        sentinel = f"sentinels:\n  uplink: {{tcp: {bind_server.port}, address: 127.0.0.1, every: 1s}}\n"
        here.config.write_text(here.config.read_text() + sentinel)
        async with here.daemon() as daemon:
            await daemon.event("change.verified")
            await here.break_region("west")
            await daemon.event("change.verified")
            await here.tells(lambda said: "to the proof" in said, "why")
            for title, words, shown in told():
                if title == "What is held?":
                    await _said_to_hold(here)
                await _answers(here, title, words, shown)


async def _said_to_hold(here: Site) -> None:
    code, printed = await here.control("hold", "api", "--reason", "we look at it", "--for", "1h")
    assert code == 0, printed
    await here.tells(lambda said: "the hold ends" in said, "why")


async def _answers(here: Site, title: str, words: list[str], shown: list[str]) -> None:
    _, printed = await here.control(*[HERE.get(word, word) for word in words])
    first = printed.splitlines()[:FIRST]
    assert re.search(QUESTIONS[title], "\n".join(first)), (title, printed)
    assert masked(first)[: len(shown)] == masked(shown), title
