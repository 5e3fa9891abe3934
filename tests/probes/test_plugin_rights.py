"""What a plugin may do: as little as the system lets the daemon take from it. Each spies on whoever started it."""

import os
from collections.abc import Sequence

import pytest
from support.plugins import outcome
from support.strangers import plugin_of, root_in_name_alone, stranger

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.probes.exec_check import plugin_launch

SPIES = """
echo -n "it saw: "
(: < /proc/$PPID/mem) && echo -n "mem "
for file in environ maps auxv io; do head -c 1 /proc/$PPID/$file > /dev/null && echo -n "$file "; done
for link in cwd exe root fd/0 fd/1 fd/2 fd/3 fd/4; do readlink /proc/$PPID/$link > /dev/null && echo -n "$link "; done
tr '\\0' ' ' < /proc/$PPID/environ
echo -n "- "
"""
"""Says what of its parent it could look into."""

RIGHTS = r"""
echo -n "it may: "
grep -hE 'CapPrm|CapEff|CapAmb|NoNewPrivs' /proc/self/status | cut -f2 | tr -d '0\n'
"""
"""Says `1`, of NoNewPrivs, if it has no capability and cannot get any."""


@pytest.mark.parametrize(
    "user",
    [
        pytest.param(stranger(), id="without capabilities"),
        pytest.param(stranger(capable=True), id="with AmbientCapabilities="),
        pytest.param(root_in_name_alone(), id="root of a container that drops all of them"),
    ],
)
def test_a_plugin_of_the_daemons_own_user_cannot_look_into_it_and_has_no_rights(user: Sequence[str]) -> None:
    assert plugin_of(user, SPIES + RIGHTS, API_KEY="not for plugins") == "it saw: - it may: 1"


async def test_a_plugin_of_root_runs_as_nobody() -> None:
    assert (await outcome(RIGHTS)).detail == "it may: 1"
    who = [65_534] if os.geteuid() == 0 else [os.getuid(), os.getgid(), *os.getgroups()]
    found = (await outcome("echo $(id -u; id -g; id -G)")).detail
    assert set(map(int, found.split())) <= set(who)


async def test_without_that_no_plugin_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin_launch, "_prctl", lambda *_: -1)
    result = await outcome("exit 0")
    assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.PLUGIN_UNUSABLE)
    assert "this process cannot be shut against its plugins" in result.detail
