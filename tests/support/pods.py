"""A pod as a process: what a container of the rendered manifests runs, with what they give it and nothing else.

    pod = Pod(tmp_path / "pod", rendered("overlays/openshift"), uid=1_000_650_000)
    pod.publish("policies", "1", {"api.yaml": ...})
    async with pod.daemon() as daemon: ...
    code, printed = await pod.exec("failoverctl", "status")

Command, environment and mounts are those of the manifest. The root is read-only, `/etc` lists no user, the volumes are
folders below the pod's own, and the process is of any user, without a capability or a way to one. Namespaces do it, for
which nobody has to be root: `support.container` is what becomes the container in them. The network is that of `host`,
the machine's or, without `outside`, one in which there is only loopback.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from support.daemons import RunningDaemon, followed
from support.files import publish
from support.forked import TESTS, Forked
from support.kustomize import Manifest, one
from support.networks import Host
from support.servers import PLACES

PATIENCE: Final = 60.0
OURS: Final = {
    "failoverd": [sys.executable, "-m", "failoverd"],
    "failoverctl": [sys.executable, "-m", "failoverd.cli.operator"],
    "python3": [sys.executable],
}
"""What the image has on its PATH: the tests run the checkout."""


@dataclass
class Pod:
    """One pod of the Deployment, or of what else has such a `spec`.

    With `disk`, so many bytes are all that its journal's volume holds while it runs. What the kubelet adds to the
    container's environment is in `surroundings`.
    """

    folder: Path
    manifests: tuple[Manifest, ...]
    uid: int
    gid: int = 0
    outside: bool = True
    disk: int | None = None
    name: str = "failoverd"
    spec: Manifest | None = None
    host: Host | None = None
    surroundings: Mapping[str, str] = field(default_factory=dict)
    container: Manifest = field(init=False)

    def __post_init__(self) -> None:
        spec = self.spec or one(self.manifests, "Deployment")["spec"]["template"]["spec"]
        (self.container,) = spec["containers"]
        self.grace: int = spec["terminationGracePeriodSeconds"]
        self._volumes = {each["name"]: each for each in spec["volumes"]}
        for mount in self.container["volumeMounts"]:
            self.volume(mount["name"]).mkdir(parents=True, exist_ok=True)

    def volume(self, name: str) -> Path:
        return self.folder / "volumes" / name

    def publish(self, name: str, version: str, files: Mapping[str, str]) -> None:
        """A version of a ConfigMap or Secret, as the kubelet brings it."""
        publish(self.volume(name), version, files)

    def as_rendered(self) -> None:
        """The ConfigMaps that the manifests hold, as they stand there."""
        for name, volume in self._volumes.items():
            if "configMap" in volume:
                self.publish(name, "1", one(self.manifests, "ConfigMap", volume["configMap"]["name"])["data"])

    @property
    def limit(self) -> int:
        """Bytes of memory that the container may have."""
        text: str = self.container["resources"]["limits"]["memory"]
        assert text.endswith("Mi"), text
        return int(text.removesuffix("Mi")) << 20

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[RunningDaemon]:
        """The container, killed at the end if it still runs."""
        process = await self._start(self.container["command"], out=None, err=asyncio.subprocess.PIPE)
        async with followed(process) as daemon:
            yield daemon

    async def exec(self, *command: str) -> tuple[int, str]:
        """`kubectl exec`: beside the container, on the same volumes. Its exit code, and what it printed."""
        process = await self._start(command, out=asyncio.subprocess.PIPE, err=asyncio.subprocess.STDOUT)
        printed, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode is not None
        return process.returncode, printed.decode("utf-8", "replace")

    async def _start(self, command: Sequence[str], out: int | None, err: int) -> asyncio.subprocess.Process:
        (self.folder / "root").mkdir(exist_ok=True)
        mounts = [self._mount(each) for each in self.container["volumeMounts"]]
        program, *words = command
        how = {
            "root": str(self.folder / "root"),
            "code": sorted({str(TESTS.parent), sys.prefix, sys.base_prefix, *filter(_is_folder, sys.path)}),
            "mounts": mounts,
            "user": [self.uid, self.gid],
            "command": [*OURS.get(program, [program]), *words],
            "environment": {"PATH": PLACES, **self.surroundings, **dict(map(self._variable, self.container["env"]))},
            "loopback": not self.outside,
        }
        alone = ["unshare", "--user", "--map-root-user", "--mount", *([] if self.outside else ["--net"])]
        return await asyncio.create_subprocess_exec(
            *(
                *(self.host.command() if self.host is not None else ()),
                *alone,
                sys.executable,
                "-m",
                "support.container",
                json.dumps(how),
            ),
            env={"PATH": PLACES, "PYTHONPATH": str(TESTS)},
            limit=1 << 20,
            stdout=out,
            stderr=err,
        )

    def _variable(self, said: Manifest) -> tuple[str, str]:
        if "value" in said:
            return said["name"], said["value"]
        assert said["valueFrom"] == {"fieldRef": {**said["valueFrom"]["fieldRef"], "fieldPath": "metadata.name"}}
        return said["name"], self.name

    def _mount(self, said: Manifest) -> dict[str, Any]:
        size = self.disk if said["name"] == "journal" else None
        return {
            "from": str(self.volume(said["name"])),
            "to": said["mountPath"],
            "readonly": said.get("readOnly", False),
            "size": size,
        }


def _is_folder(path: str) -> bool:
    return path.startswith("/") and Path(path).is_dir()


def memory(process: asyncio.subprocess.Process | Forked) -> int:
    """The most that was resident so far, in bytes."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError("it is gone")
