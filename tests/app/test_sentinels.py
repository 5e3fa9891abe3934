"""A sentinel that cannot be set up on this machine: told before the start, at the start, and nothing to a reload."""

import asyncio
from pathlib import Path

import pytest
from support.daemons import EMBEDDED, Site, site
from support.forked import forked

SENTINEL = "sentinels:\n  portal: {https: /, address: 127.0.0.1, ca_file: /nonexistent/ca.pem, every: 10s}\n"
WORDS = "sentinel portal: ca_file /nonexistent/ca.pem cannot be used: No such file or directory (ca_file_unusable)"
REMEDY = "Name a PEM file with at least one certificate that the daemon's user can read"


async def run(here: Site, *words: str) -> tuple[int | None, str]:
    """`failoverd run`, awaited."""
    command = ("failoverd", "run", *words, "--config", str(here.config))
    process = await forked(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    async with asyncio.timeout(20):
        printed, _ = await process.communicate()
    return process.returncode, printed.decode()


def name_sentinel(here: Site) -> None:
    here.config.write_text(here.config.read_text() + SENTINEL)


@pytest.mark.parametrize("words", [("--check-config",), ()])
async def test_the_check_of_the_configuration_and_the_start_say_it_with_the_remedy(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    async with site(tmp_path, EMBEDDED) as here:
        name_sentinel(here)
        code, printed = await run(here, *words)
    assert code == 1
    assert WORDS in printed
    assert REMEDY in printed
    assert "Traceback" not in printed


async def test_a_policy_is_told_of_before_the_start_too(tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here:
        code, printed = await run(here, "--check-config")
        assert (code, "fine: 1 policy: api" in printed) == (0, True)
        here.edit_policy("{http: /health,", "{https: /health, ca_file: /nonexistent/ca.pem,")
        code, printed = await run(here, "--check-config")
    assert code == 1
    assert "policy api, check live: ca_file /nonexistent/ca.pem cannot be used" in printed
    assert "problems; 0 policies are sound: none" in printed


async def test_a_reload_leaves_the_daemon_as_it_runs(tmp_path: Path) -> None:
    async with site(tmp_path, EMBEDDED) as here, here.daemon() as daemon:
        await daemon.event("daemon.started")
        name_sentinel(here)
        deferred = await daemon.event("config.deferred")
        assert deferred["settings"] == ["sentinels"]
        await here.break_region("west")
        await daemon.event("change.applied")
