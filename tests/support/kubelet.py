"""Who starts a pod of the manifests on this machine: its volumes are filled, and it is asked how it is."""

import socket
import urllib.error
import urllib.request
from asyncio import sleep, timeout, to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from support.commands import REGIONS
from support.daemons import Site, provider_block, site
from support.kustomize import rendered
from support.pods import PATIENCE, Pod
from support.servers import DnsServer

ANYBODY: Final = 1_000_650_000
"""A user as OpenShift gives them to projects: no passwd lists it."""

CONFIG: Final = """\
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

    async def finds_it_well(self) -> None:
        assert await self.asks("/livez") == (200, "ok\n")
        assert await self.asks("/readyz") == (200, "ok\n")

    async def hears(self, *lines: str) -> None:
        """Wait until that is what it says of itself, sign by sign, while it is ready."""
        told = ""
        try:
            async with timeout(2 * PATIENCE):  # some of it is only looked at once a minute
                while not all(line in told for line in lines):
                    status, told = await self.asks("/readyz?verbose")
                    assert status == 200, told
                    await sleep(0.1)  # the daemon needs the processor more
        except TimeoutError:
            raise AssertionError(told) from None


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@asynccontextmanager
async def deployed(
    folder: Path, server: DnsServer, *, disk: int | None = None, gone: bool = False
) -> AsyncIterator[Kubelet]:
    """One policy, published at a BIND and, if that is wanted, at a provider that is gone."""
    key = "/etc/failoverd/secrets/tsig.key"
    providers = {"main": provider_block("main", server)}
    if gone:
        providers["gone"] = provider_block("gone", server, server="127.0.0.1:9")
    providers = {name: block.replace(str(server.key.bind_file), key) for name, block in providers.items()}
    async with site(folder, providers) as here:
        port = free_port()
        pod = Pod(folder / "pod", rendered("overlays/openshift"), ANYBODY, disk=disk)
        said = CONFIG % {"port": port, "providers": "\n".join(providers.values())}
        pod.publish("config", "1", {"failoverd.yaml": said})
        pod.publish("secrets", "1", {"tsig.key": server.key.bind_file.read_text()})
        kubelet = Kubelet(here, pod, port)
        kubelet.bring()
        yield kubelet
