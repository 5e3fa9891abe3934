"""The daemon as the pod of the manifests: the container's own command, mounts, user and limits, as real processes.

The DNS server is a real BIND, the regions answer on loopback, and the kubelet's part is played here.
"""

import signal
import time
from pathlib import Path

from support.daemons import EAST, NAME, WEST
from support.kubelet import ANYBODY, deployed
from support.kustomize import rendered
from support.pods import Pod, memory
from support.servers import DnsServer


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


async def test_it_steers_takes_up_a_new_configmap_and_ends_without_moving_traffic(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    async with deployed(tmp_path, bind_server, gone=True) as kubelet:
        async with kubelet.pod.daemon() as daemon:
            await daemon.event("daemon.started")
            await daemon.event("change.verified", provider="main")
            await kubelet.finds_it_well()  # although a provider is gone
            await kubelet.hears("[+]policies ok\n[+]journal ok\nreadyz check passed\n")

            kubelet.here.edit_policy("ttl: 5s", "ttl: 8s")
            kubelet.bring()
            assert (await daemon.event("change.applied", provider="main"))["ttl"] == 8

            most = memory(daemon.process)
            began = time.monotonic()
            daemon.signal(signal.SIGTERM)
            assert await daemon.ended() == 0
            assert time.monotonic() - began < kubelet.pod.grace
        assert most < kubelet.pod.limit / 2, most
        assert sorted(bind_server.dig(NAME, "A")) == sorted([WEST, EAST])


async def test_a_bad_night_takes_neither_its_life_nor_its_readiness(bind_server: DnsServer, tmp_path: Path) -> None:
    """All endpoints down, a provider gone, the disk full: restarted for that, nobody would bring the traffic back."""
    async with deployed(tmp_path, bind_server, disk=8 << 20, gone=True) as kubelet, kubelet.pod.daemon() as daemon:
        await daemon.event("change.verified", provider="main")

        fill(Path(f"/proc/{daemon.process.pid}/root/var/lib/failoverd/filler"))
        await kubelet.here.break_region("west")
        await daemon.each("journal.failed", ("change.verified", {"provider": "main"}))
        assert bind_server.dig(NAME, "A") == [EAST]
        await kubelet.here.break_region("east")
        await daemon.event("vantage.isolated")  # both down: it doubts itself
        await kubelet.hears("[!]journal failed, which does not count", "cannot be read or written")
        await kubelet.finds_it_well()

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
        assert daemon.named("metrics.failed") == []
        assert (pod.volume("journal") / "journal.db").exists()
        assert await daemon.stop() == 0
