"""The daemon as the pod of the manifests: the container's own command, mounts, user and limits, as real processes.

The DNS server is a real BIND, the regions answer on loopback, and the kubelet's part is played here.
"""

import signal
import socket
import time
import urllib.error
import urllib.request
from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from support.commands import REGIONS
from support.daemons import EAST, NAME, WEST, Site, provider_block, site
from support.kustomize import rendered
from support.pods import Pod, memory
from support.servers import DnsServer

ANYBODY = 1_000_650_000
"""A user as OpenShift gives them to projects: no passwd lists it."""

CONFIG = """\
version: 1
owner: tests
policies: /etc/failoverd/policies
journal: /var/lib/failoverd/journal.db
tick: 500ms
resolver: ["127.0.0.1:9"]
log: {format: json}
metrics: {listen: "0.0.0.0:%(port)d"}
providers:
%(providers)s
"""


class Kubelet:
    """Who starts the pod, brings its files, and asks it how it is."""

    def __init__(self, here: Site, pod: Pod, port: int) -> None:
        self.here = here
        self.pod = pod
        self._port = port
        self._versions = 0

    def bring(self) -> None:
        """The policies, as they stand now, in the place of those that the pod has."""
        self._versions += 1
        files = {"api.yaml": self.here.policy.read_text(), "regions.yaml": REGIONS}
        self.pod.publish("policies", f"version-{self._versions}", files)

    async def asks(self, path: str) -> tuple[int, str]:
        def ask() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=20) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as refused:
                return refused.code, refused.read().decode()

        return await to_thread(ask)

    async def finds_it_well(self) -> str:
        """What `/readyz` has to say besides."""
        assert await self.asks("/livez") == (200, "ok\n")
        assert await self.asks("/readyz") == (200, "ok\n")
        status, told = await self.asks("/readyz?verbose")
        assert status == 200
        return told


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@asynccontextmanager
async def deployed(folder: Path, server: DnsServer, disk: int | None = None) -> AsyncIterator[Kubelet]:
    """One policy, published at a BIND and at a provider that is gone."""
    key = "/etc/failoverd/secrets/tsig.key"
    main = provider_block("main", server).replace(str(server.key.bind_file), key)
    gone = provider_block("gone", server, server="127.0.0.1:9").replace(str(server.key.bind_file), key)
    providers = {"main": main, "gone": gone}
    async with site(folder, providers) as here:
        port = free_port()
        pod = Pod(folder / "pod", rendered("overlays/openshift"), ANYBODY, disk=disk)
        said = CONFIG % {"port": port, "providers": "\n".join(providers.values())}
        pod.publish("config", "1", {"failoverd.yaml": said})
        pod.publish("secrets", "1", {"tsig.key": server.key.bind_file.read_text()})
        kubelet = Kubelet(here, pod, port)
        kubelet.bring()
        yield kubelet


async def test_the_pod_is_as_bare_as_its_manifest_says(tmp_path: Path) -> None:
    pod = Pod(tmp_path / "pod", rendered("overlays/openshift"), ANYBODY)
    places = "/x /etc/x /usr/x /var/lib/x /etc/failoverd/policies/x /var/lib/failoverd/x /run/failoverd/x /tmp/x"
    shell = f'id; echo "home: $HOME"; for each in {places}; do touch $each && echo "wrote $each"; done'
    _, printed = await pod.exec("sh", "-c", f"{shell}; grep -e CapEff -e NoNewPrivs /proc/self/status; cat /etc/passwd")
    assert printed.startswith(f"uid={ANYBODY} gid=0 groups=0\nhome: \n")
    *_, temporary = places.split()
    wrote = [line.removeprefix("wrote ") for line in printed.splitlines() if line.startswith("wrote ")]
    assert wrote == ["/var/lib/failoverd/x", "/run/failoverd/x", temporary]
    assert "CapEff:\t0000000000000000\nNoNewPrivs:\t1\n" in printed
    assert "/etc/passwd: No such file" in printed


async def test_it_steers_takes_up_a_new_configmap_hears_operators_and_ends_without_moving_traffic(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with deployed(tmp_path, bind_server) as kubelet:
        async with kubelet.pod.daemon() as daemon:
            await daemon.event("daemon.started")
            await daemon.event("change.verified", provider="main")
            told = await kubelet.finds_it_well()
            assert "[+]policies ok\n[+]journal ok\nreadyz check passed\n" in told, "a provider that is gone counts"

            kubelet.here.edit_policy("ttl: 5s", "ttl: 8s")
            kubelet.bring()
            assert (await daemon.event("change.applied", provider="main"))["ttl"] == 8

            held = ("failoverctl", "hold", "api", "--reason", "a look", "--for", "10m")
            code, printed = await kubelet.pod.exec(*held)
            assert code == 0, printed
            given = await daemon.event("override.given")
            assert given["actor"].startswith(f"uid:{ANYBODY}@")
            code, printed = await kubelet.pod.exec("failoverctl", "status")
            assert (code, "daemon: running" in printed) == (0, True), printed

            most = memory(daemon.process)
            began = time.monotonic()
            daemon.signal(signal.SIGTERM)
            assert await daemon.ended() == 0
            assert time.monotonic() - began < kubelet.pod.grace
        assert most < kubelet.pod.limit / 2, most
        assert sorted(bind_server.dig(NAME, "A")) == sorted([WEST, EAST])


async def test_a_bad_night_takes_neither_its_life_nor_its_readiness(bind_server: DnsServer, tmp_path: Path) -> None:
    """All endpoints down, a provider gone, the disk full: restarted for that, nobody would bring the traffic back."""
    async with deployed(tmp_path, bind_server, disk=8 << 20) as kubelet, kubelet.pod.daemon() as daemon:
        await daemon.event("change.verified", provider="main")

        fill(Path(f"/proc/{daemon.process.pid}/root/var/lib/failoverd/filler"))
        await kubelet.here.break_region("west")
        await daemon.each("journal.failed", ("change.verified", {"provider": "main"}))
        assert bind_server.dig(NAME, "A") == [EAST]
        await kubelet.here.break_region("east")
        await daemon.event("vantage.isolated")  # both down: it doubts itself
        told = await kubelet.finds_it_well()
        assert "[!]journal failed, which does not count" in told
        assert "where things stand, which does not count: 1 policy, not to be read or written: api" in told

        await kubelet.here.heal_region("west")
        await daemon.event("change.verified", provider="main")
        assert bind_server.dig(NAME, "A") == [WEST]
        await kubelet.finds_it_well()
        assert await daemon.stop() == 0
    assert bind_server.dig(NAME, "A") == [WEST]


def fill(file: Path) -> None:
    """Its disk, to the last byte."""
    size = 1 << 16
    with file.open("wb", buffering=0) as filler:
        while size:
            try:
                filler.write(bytes(size))
            except OSError:
                size //= 2


async def test_the_example_starts_as_it_stands_there_well_within_its_memory(tmp_path: Path) -> None:
    pod = Pod(tmp_path / "pod", rendered("overlays/example"), uid=65_532, gid=65_532, outside=False)
    pod.as_rendered()
    pod.publish("secrets", "1", {"tsig.key": "c2VjcmV0IG9mIHRlc3RzIG9mIGZhaWxvdmVyZA=="})
    async with pod.daemon() as daemon:
        started = await daemon.event("daemon.started")
        assert started["policies"] == ["checkout", "shop"]
        assert memory(daemon.process) < pod.limit / 2
        assert daemon.named("metrics.failed") == daemon.named("journal.failed") == []
        assert await daemon.stop() == 0
