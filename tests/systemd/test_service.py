"""failoverd.service, run by a systemd that booted: what the unit promises, on a machine with a real BIND."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.booted import OPT, UNITS, Machine
from support.daemons import EAST
from support.everywhere import EVERYWHERE, Clouds, at, local_clouds
from support.servers import DnsServer
from support.service import BOTH, CREDENTIAL, DROP_INS, JOURNAL, UNIT, WELL, Service, service

pytestmark = pytest.mark.server

SECRETS = "/srv/secrets"
PROGRAM = f"{OPT}/bin/failoverd"


async def main_pid(here: Service) -> str:
    return (await here.shown("MainPID"))["MainPID"]


async def test_it_is_ready_when_it_says_so_and_its_headline_is_that_of_status(
    booted: Machine, bind_server: DnsServer
) -> None:
    async with service(booted, bind_server) as here:
        await here.start()
        await here.says(WELL)
        up = {"ActiveState": "active", "SubState": "running", "Type": "notify", "WatchdogUSec": "30s"}
        assert await here.shown(*up) == up
        assert f'Status: "{WELL}"' in (await here.run("systemctl", "status", UNIT)).stdout
        assert (await here.control("status")).splitlines()[0] == WELL
        logged = [json.loads(line) for line in (await here.told("--output=json")).splitlines()]
        ours = [each for each in logged if each.get("_SYSTEMD_UNIT") == UNIT]
        assert {"5", "6"} & {each["PRIORITY"] for each in ours}
        assert all(isinstance(each["MESSAGE"], str) for each in ours), "journald shows binary data as numbers"

        await here.here.break_region("west")
        await here.until(lambda: here.answer() == [EAST], "the failing region is left")
        await here.says("1 of 1 moved: api left west")
        await is_nobody_with_a_secret(here)


async def is_nobody_with_a_secret(here: Service) -> None:
    uid = (await here.run("stat", "-c", "%u", f"/proc/{await main_pid(here)}")).stdout.strip()
    assert 61_184 <= int(uid) <= 65_519
    assert here.machine.file("/var/lib/failoverd").readlink().as_posix() == "private/failoverd"
    owner, mode = (await here.run("stat", "-c", "%u %a", JOURNAL)).stdout.split()
    assert (owner in {uid, "65534"}, mode) == (True, "640"), "newer systemds keep it as nobody's, and map that"
    assert (await here.run("cat", CREDENTIAL)).stdout == here.dns.key.bind_file.read_text()
    stranger = ("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups")
    assert "Permission denied" in (await here.run(*stranger, "cat", CREDENTIAL, ok=False)).stdout
    assert here.dns.key.secret not in await here.told()
    assert re.search(
        r"^Max core file size +0 +0 ",
        (await here.run("cat", f"/proc/{await main_pid(here)}/limits")).stdout,
        re.MULTILINE,
    )


async def test_systemd_has_nothing_to_say_about_it_and_little_to_fear(booted: Machine, bind_server: DnsServer) -> None:
    """An exposure of 1.2, on systemd 252 and 257: what is left is the network, and that it sees who asks it."""
    async with service(booted, bind_server) as here:
        assert (await here.run("systemd-analyze", "verify", UNIT)).stdout == ""
        assert await exposure(here) <= 1.5
        shutil.copy2(UNITS / "failoverd-operators.conf", booted.file(f"{DROP_INS}/operators.conf"))
        await here.run("systemctl", "daemon-reload")
        assert await exposure(here) <= 1.5


async def exposure(here: Service) -> float:
    printed = (await here.run("systemd-analyze", "security", UNIT)).stdout
    found = re.search(r"Overall exposure level for failoverd\.service: (\S+)", printed)
    assert found is not None, printed
    return float(found[1])


async def test_a_reload_returns_when_it_is_done_and_fails_for_a_file_that_does_not_load(
    booted: Machine, bind_server: DnsServer
) -> None:
    async with service(booted, bind_server) as here:
        await here.start()
        before = await here.policy()
        here.here.edit_policy("fall: 3", "fall: 2")
        await here.run("systemctl", "reload", UNIT)
        after = await here.policy()
        assert after["revision"] != before["revision"]

        here.here.edit_policy("fall: 2", "fall: none")
        refused = await here.run("systemctl", "reload", UNIT, ok=False)
        assert refused.returncode != 0
        assert "not loaded: " in await here.told()
        still = await here.policy()
        assert (still["revision"], "fall" in still["rejected"]) == (after["revision"], True)

        up = {"ActiveState": "active", "NRestarts": "0"}
        assert await here.shown(*up) == up


async def test_however_it_ends_it_is_started_again_and_no_traffic_moves(
    booted: Machine, bind_server: DnsServer
) -> None:
    async with service(booted, bind_server) as here:
        await here.drop_in("impatient", "WatchdogSec=4s", "RestartSec=100ms")
        await here.start()
        marker = here.marker()
        await here.run("kill", "-STOP", await main_pid(here))
        await here.restarted(1)
        told = await here.told()
        assert "Watchdog timeout" in told
        assert "Fatal Python error: Aborted" in told, "where it stood is not said"
        assert "most recent call first" in told
        assert (here.answer(), here.marker()) == (BOTH, marker)

        await here.run("systemctl", "kill", "--signal=KILL", UNIT)
        await here.restarted(2)
        assert (here.answer(), here.marker()) == (BOTH, marker)

        await here.run("systemctl", "stop", UNIT)
        ended = {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
        assert await here.shown(*ended) == ended
        assert (here.answer(), here.marker()) == (BOTH, marker)


async def test_it_is_tried_for_as_long_as_it_takes(booted: Machine, bind_server: DnsServer) -> None:
    """Systemd's own limit is five starts in ten seconds. Here, its program is away for a while."""
    async with service(booted, bind_server) as here:
        await here.drop_in("impatient", "RestartSec=1ms")
        program = booted.file(PROGRAM)
        program.rename(program.with_name("away"))
        await here.run("systemctl", "start", UNIT, ok=False)
        await here.until(lambda: int(booted.shown(UNIT, "NRestarts")["NRestarts"]) > 5, "more than five starts")
        program.with_name("away").rename(program)
        await here.until(lambda: here.answer() == BOTH, "it steers")


async def test_the_sdks_of_all_clouds_work_under_the_unit(
    booted: Machine, bind_server: DnsServer, tmp_path: Path
) -> None:
    """Signed requests under MemoryDenyWriteExecute, the filter of system calls, and a user without a home."""
    with local_clouds(tmp_path, bind_server) as clouds:
        blocks, lines = handed_over(booted, clouds)
        async with service(booted, bind_server, providers=blocks) as here:
            await here.drop_in("secrets", *lines)
            await here.run("systemctl", "start", UNIT)
            await here.until(lambda: clouds.answers() == at(EVERYWHERE, *BOTH), "published everywhere")
            loaded = booted.run("grep", "-c", "_boto\\|cryptography", f"/proc/{await main_pid(here)}/maps", ok=False)
            assert int(loaded.stdout) > 0
            await here.here.break_region("west")
            await here.until(lambda: clouds.answers() == at(EVERYWHERE, EAST), "left everywhere")
            told = await here.told()
            assert [
                name for name in ("target.delayed", "task.crashed", "Operation not permitted") if name in told
            ] == []


def handed_over(machine: Machine, clouds: Clouds) -> tuple[dict[str, str], list[str]]:
    """The blocks of the clouds with every file as a credential of the service, and the lines that make them such."""
    places = {str(path): f"/run/credentials/{UNIT}/{name}" for name, path in clouds.secrets.items()}
    for name, path in clouds.secrets.items():
        machine.write(f"{SECRETS}/{name}", moved(path.read_text(), places), 0o600)
    lines = [f"LoadCredential={name}:{SECRETS}/{name}" for name in clouds.secrets]
    return {name: moved(block, places) for name, block in clouds.blocks.items()}, lines


def moved(text: str, places: Mapping[str, str]) -> str:
    for old, new in sorted(places.items(), key=lambda place: -len(place[0])):
        text = text.replace(old, new)
    return text


async def test_with_the_sysctl_it_may_ping(booted: Machine, bind_server: DnsServer) -> None:
    async with service(booted, bind_server) as here:
        here.here.edit_policy("{http: /health, every: 300ms, timeout: 10s}", "{icmp: 2, every: 300ms, timeout: 10s}")
        await here.run("systemctl", "start", UNIT)
        await here.until(
            lambda: "not_permitted" in booted.run("failoverctl", "status", "-o", "json", ok=False).stdout, "blind"
        )
        assert here.answer() == []
        shutil.copy2(UNITS / "failoverd-ping.conf", booted.file("/etc/sysctl.d/60-failoverd-ping.conf"))
        await here.run("sysctl", "--load", "/etc/sysctl.d/60-failoverd-ping.conf")
        await here.until(lambda: here.answer() == BOTH, "it pings")
        await here.run("sysctl", "net.ipv4.ping_group_range=1 0")


async def test_without_the_service_failoverctl_has_its_credentials_all_the_same(
    booted: Machine, bind_server: DnsServer
) -> None:
    async with service(booted, bind_server) as here:
        await here.start()
        await here.run("systemctl", "stop", UNIT)
        await here.here.break_region("west")
        blind = await here.run("failoverctl", "plan", ok=False)
        assert (blind.returncode, "sudo failoverctl-offline" in " ".join(blind.stdout.split())) == (1, True), (
            blind.stdout
        )
        pending = await here.run("failoverctl-offline", "plan", "--out", "/root/move.plan", ok=False)
        assert pending.returncode == 10, pending.stdout
        applied = await here.run("failoverctl-offline", "apply", "/root/move.plan", ok=False)
        assert applied.returncode == 0, applied.stdout
        assert here.answer() == [EAST]
        assert booted.run("ls", "/run/credentials").stdout.count("failoverctl") == 0

        marker = here.marker()
        await here.run("systemctl", "start", UNIT)
        await here.until(
            lambda: "api left west" in booted.shown(UNIT, "StatusText")["StatusText"], "what is down is seen"
        )
        assert (here.answer(), here.marker()) == ([EAST], marker)
        assert "journal" not in (await here.control("history")).lower()
        assert "journal.failed" not in await here.told()
