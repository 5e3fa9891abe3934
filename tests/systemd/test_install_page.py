"""docs/install-systemd.md keeps its word: each of its commands is run, in its order, on a machine that has nothing."""

import re
from pathlib import Path

import pytest
from support.booted import CHECKOUT, Machine
from support.daemons import EAST
from support.servers import DnsServer
from support.service import BOTH, CONFIG, UNIT, Service, service

pytestmark = pytest.mark.server

PAGE = (Path(__file__).parents[2] / "docs" / "install-systemd.md").read_text()
FROM_AN_INDEX = {"python3 -m venv /opt/failoverd", "/opt/failoverd/bin/pip"}
"""Begins of commands that need an index of packages: what they make is there already."""


def blocks(heading: str) -> list[str]:
    """The commands of a section, as somebody types them in who is root."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [block.replace("sudo ", "") for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)]


async def typed(here: Service, text: str) -> str:
    kept = [line for line in text.splitlines(keepends=True) if not line.startswith(tuple(FROM_AN_INDEX))]
    return (await here.run("sh", "-exc", f"cd {CHECKOUT}\n{''.join(kept)}", HOME="/root")).stdout


async def followed(here: Service, heading: str) -> str:
    return "".join([await typed(here, block) for block in blocks(heading)])


async def asked(here: Service, who: str, *words: str) -> tuple[int, str]:
    """failoverctl, by a user who logged in just now."""
    login = ("setpriv", f"--reuid={who}", f"--regid={who}", "--init-groups")
    done = await here.run(*login, "failoverctl", *words, ok=False)
    return done.returncode, done.stdout


def test_every_section_with_commands_is_followed() -> None:
    with_commands = [part.split("\n")[0] for part in PAGE.split("\n## ")[1:] if "```sh" in part]
    assert with_commands == [
        "Install", "Secrets", "First start", "Operators who are not root", "`icmp` checks", "Change a file",
        "While it is stopped", "If it stands still, or dies", "Backup", "Upgrade", "Remove",
    ]  # fmt: skip


async def test_who_follows_it_has_it_running_changes_it_backs_it_up_and_removes_it(
    booted: Machine, bind_server: DnsServer
) -> None:
    async with service(booted, bind_server, unit=False) as here:
        own = {path: path.read_text() for path in here.here.folder.rglob("*.yaml")}
        booted.run("rm", "-r", CONFIG, "/opt/failoverd/bin/failoverctl-offline")
        booted.write("/root/tsig.key", bind_server.key.bind_file.read_text(), 0o600)
        booted.run("useradd", "alice")
        booted.run("useradd", "bob")

        await followed(here, "Install")
        booted.run("sh", "-c", f"rm {CONFIG}/policies/*.yaml")
        for path, text in own.items():
            path.write_text(text)
        await followed(here, "Secrets")
        seen = await followed(here, "First start")
        assert "Active: active (running)" in seen
        await here.until(lambda: here.answer() == BOTH, "both regions are published")

        drain = ("drain", "west", "--reason", "racks", "--for", "1h", "--dry-run")
        code, said = await asked(here, "alice", *drain)
        assert (code, "goes with the service: name a lasting one" in " ".join(said.split())) == (1, True), said
        await followed(here, "Operators who are not root")
        code, said = await asked(here, "alice", *drain)
        assert (code, "drain of" in said) == (0, True), said
        assert (await asked(here, "alice", "history"))[0] == 0
        code, said = await asked(here, "bob", *drain)
        assert (code, "usermod -aG failoverd-operators bob" in " ".join(said.split())) == (1, True), said
        assert (await asked(here, "bob", "status"))[0] in {0, 3}

        await followed(here, "`icmp` checks")
        assert booted.run("sysctl", "-n", "net.ipv4.ping_group_range").stdout.split() == ["61184", "65519"]
        here.here.edit_policy("fall: 3", "fall: 2")
        await followed(here, "Change a file")
        assert (await here.policy())["rejected"] == ""

        await stopped(here)
        await here.here.heal_region("west")
        await here.until(lambda: here.answer() == BOTH, "it came back")
        seen = await followed(here, "If it stands still, or dies")
        assert "Result=success\nNRestarts=0\n" in seen

        history = await here.control("history")
        marker = here.marker()
        backup, restore = blocks("Backup")
        assert (await typed(here, backup)).splitlines()[-1] == "ok"
        await typed(here, restore)
        await here.until(lambda: "all well" in booted.shown(UNIT, "StatusText")["StatusText"], "it is well")
        assert (await here.control("history")).splitlines()[-3:] == history.splitlines()[-3:]
        await followed(here, "Upgrade")
        assert (here.answer(), here.marker()) == (BOTH, marker)
        assert "journal.failed" not in await here.told()
        await followed(here, "Remove")
        assert (await here.shown("LoadState"))["LoadState"] == "not-found"
        assert (here.answer(), here.marker()) == (BOTH, marker)


async def stopped(here: Service) -> None:
    """While the service is stopped, a region goes down: who follows the page takes it out, and the service knows."""
    (text,) = blocks("While it is stopped")
    stop, *more, start = text.splitlines(keepends=True)
    await typed(here, stop)
    await here.here.break_region("west")
    await typed(here, "".join(more))
    assert here.answer() == [EAST]
    await typed(here, start)
    assert here.answer() == [EAST]
