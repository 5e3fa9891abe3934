"""The README keeps its word: its files load, its commands run, against a real BIND on loopback."""

import asyncio
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemons import followed
from support.forked import forked
from support.servers import ZONE, DnsServer, bind

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCS = (ROOT / "docs").glob("*.md")
PROGRAMS = {"failoverd": "failoverd", "failoverctl": "failoverd.cli.operator"}

# Documentation addresses would be real traffic; on loopback every connection is refused at once.
LOOPBACK = {"192.0.2.": "127.88.1.", "198.51.100.": "127.88.2.", "203.0.113.": "127.88.3."}


PATIENCE = 240.0
"""Seconds for one command: to prove all examples takes most of a minute on a busy machine."""
LOOKING = "Look before you trust"
TAKING_OVER = "A record that exists already"


def chapter(title: str) -> str:
    """One chapter of the README."""
    _, _, after = README.partition(f"\n## {title}\n")
    assert after, title
    return after.partition("\n## ")[0]


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(program: str, text: str) -> list[list[str]]:
    """The words of each line of the shell examples that runs `program`, comments left out."""
    lines = (line for block in blocks("sh", text) for line in block.splitlines())
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith(f"{program} ")]


def on_loopback(text: str) -> str:
    for address, local in LOOPBACK.items():
        text = text.replace(address, local)
    return text


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with bind() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, server: DnsServer) -> Path:
    """The README's files, as it names them, with the address of a server that is there."""
    (tmp_path / "policies").mkdir()
    for block in blocks("yaml"):
        name = block.splitlines()[0].removeprefix("# ")
        text = on_loopback(block).replace("shop.example.com", f"shop.{ZONE}").replace("[example.com]", f"[{ZONE}]")
        text = text.replace("server: 127.0.0.1", f"server: 127.0.0.1:{server.port}")
        text = text.replace("nameservers: [127.0.0.1]", f'nameservers: ["127.0.0.1:{server.port}"]')
        (tmp_path / name).write_text(text)
    (tmp_path / "tsig.key").write_text(server.key.clause())
    return tmp_path


async def run(folder: Path, program: str, *words: str) -> tuple[int, str]:
    process = await forked(
        PROGRAMS[program],
        *words,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "FAILOVERD_CONFIG": str(folder / "failoverd.yaml")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def test_the_files_load_and_every_command_runs(folder: Path) -> None:
    others = README.replace(chapter(TAKING_OVER), "").replace(chapter(LOOKING), "")
    (run_words,) = (words for words in commands("failoverd", others) if words[0] == "run")
    process = await forked("failoverd", *run_words, cwd=folder, stderr=asyncio.subprocess.PIPE)
    async with followed(process) as daemon:
        # What follows comes in any order. Nobody is where these addresses lead to, so the prober doubts itself.
        await daemon.event("policy.loaded", policy="shop")
        await daemon.each("daemon.started", "decision.made", "vantage.isolated")
        assert daemon.named("decision.made")[0]["verdict"] == "hold_no_verdict"
        assert await daemon.stop() == 0

    verbs = commands("failoverctl", others)
    assert {words[0] for words in verbs} == {"init", "check", "plan", "status", "why", "history"}
    for words in verbs:
        code, printed = await run(folder, "failoverctl", *words)
        nothing_moved_yet_or_is_seen = words[0] in {"why", "plan"}
        no_daemon_is_at_work = words[0] == "status"
        wanted = 1 if nothing_moved_yet_or_is_seen else 12 if no_daemon_is_at_work else 0
        assert code == wanted, (words, printed)
    assert (folder / "lab" / "policies" / "shop.yaml").exists()


async def test_looking_tells_what_stands_there_and_needs_no_daemon(folder: Path) -> None:
    looks = commands("failoverctl", on_loopback(chapter(LOOKING)))
    assert {words[0] for words in looks} == {"probe"}
    for words in looks:
        code, printed = await run(folder, "failoverctl", *words)
        assert (code, "FAIL  connect_refused" in printed) == (1, True), (words, printed)
        assert words[1].partition("://")[2] in printed


async def test_a_record_that_exists_is_brought_under_control_and_given_back(folder: Path, server: DnsServer) -> None:
    name, answers = f"www.{ZONE}", ["127.88.1.20", "127.88.2.20"]
    server.edit(*(f"add {name}. 60 A {answer}" for answer in answers))
    steps = commands("failoverctl", on_loopback(chapter(TAKING_OVER)).replace("example.com", ZONE))
    assert [words[0] for words in steps] == ["import", "check", "adopt", "plan", "disown"]
    owned = {"adopt": True, "plan": True}
    for words in steps:
        code, printed = await run(folder, "failoverctl", *words)
        nothing_is_seen = words[0] == "plan"
        assert code == (1 if nothing_is_seen else 0), (words, printed)
        assert sorted(server.dig(name, "A")) == answers
        assert bool(server.dig(f"_failoverd.{name}", "TXT")) == owned.get(words[0], False)


def test_the_jq_line_is_the_one_that_the_manual_tests() -> None:
    (line,) = (line for block in blocks("sh") for line in block.splitlines() if "jq " in line)
    assert line in (ROOT / "docs" / "logs.md").read_text()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{each.name}" for each in DOCS)])
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    for name in re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", (ROOT / page).read_text()):
        assert ((ROOT / page).parent / name).exists(), name


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_module_that_a_page_names_is_there(page: str) -> None:
    for name in re.findall(r"`([\w./]+(?:\.py|/))`", (ROOT / page).read_text()):
        inside = (found for top in ("failoverd", "tests") for found in (ROOT / top).rglob(name.rstrip("/")))
        assert (ROOT / name).exists() or any(inside), name


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z-]+)", README + (ROOT / "CONTRIBUTING.md").read_text()))
    assert named <= targets


async def test_what_is_run_from_a_checkout_runs(tmp_path: Path) -> None:
    shown = [shlex.split(line, comments=True) for block in blocks("sh") for line in block.splitlines()]
    programs = [words for words in shown if words and words[0].startswith(".venv/bin/")]
    assert [words[1] for words in programs] == ["demo", "check", "test", "prove", "simulate"]
    (_, demo, option), *offline = programs
    _, known = await run(tmp_path, "failoverd", demo, "--help")
    assert option in known
    for _, *words in offline:
        code, printed = await run(ROOT, "failoverctl", *words)
        assert code == 0, printed
