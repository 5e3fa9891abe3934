"""`kubernetes/overlays/members` as a cluster runs it: its three pods, a DNS server, three regions, and an API server.

async with three_pods(tmp_path, of_tests) as world:
    await world.start_all()
    first = await world.led()

Nothing here is a cluster. What its parts do is done by the test, as they are documented to do it: the StatefulSet makes
pods of the template, admission adds the service account's token, the kubelet fills volumes, starts what the container
says in namespaces of its own (`support.pods`), asks it how it is, and tells it to end. Each pod has a network of its
own (`support.networks`). At a real kube-apiserver (`support.kube_cluster`) objects, admission, tokens and RBAC are its.

The overlay is that of the repository but for what everybody changes in a copy: the policies and the key. The `lease` is
5 s in place of 20, so that what takes one takes less.
"""

import asyncio
import re
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    closing,
    suppress,
)
from copy import deepcopy
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
from support.daemons import RunningDaemon
from support.kube_api import KubeApi, Rule, kube_api
from support.kustomize import Manifest, one, rendered
from support.networks import Host, Network, network, unmakeable
from support.pods import Pod
from support.seats import Seat, last_words, require_written_once
from support.servers import Key
from support.three_clouds import ACTS, Region, Seen, Watch, watched, zone_served

OVERLAY: Final = "overlays/members"
NAMESPACE: Final = "failoverd"
AGREE_IN: Final = "failoverd-members"
LEASE_NAME: Final = "failoverd-prod"
PODS: Final = ("failoverd-0", "failoverd-1", "failoverd-2")
LEASE: Final = 5.0
TAKEOVER: Final = LEASE + 2.0
HANDOVER: Final = 1.0
"""Seconds from the signal to end to the next leader."""
PATIENCE: Final = 60.0

ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where admission mounts what is of the service account."""

_USER: Final = 65_532
_RECORD: Final = "shop.example.com"
_OFTEN: Final = 0.02
_HTTP: Final = 8080
_EPOCHS: Final = 1

_HOSTS: Final = {
    "control": ["198.18.0.2"],
    "dns": ["192.0.2.53", "198.51.100.53", "198.18.0.53"],
    "azure-eastus": ["192.0.2.10", "198.18.0.11"],
    "oci-ashburn": ["198.51.100.10", "198.18.0.12"],
    **{name: [f"198.18.1.{at}", f"192.0.2.{at}", f"198.51.100.{at}"] for at, name in enumerate(PODS, 100)},
}
REGIONS: Final = ("azure-eastus", "oci-ashburn")

_POLICY: Final = f"""\
version: 1
policy: shop
records:
  - {{name: {_RECORD}, type: A, ttl: 5s, providers: [bind-main]}}
weights: membership
regions:
  azure-eastus: {{share: 50, endpoints: ["192.0.2.10:{_HTTP}"]}}
  oci-ashburn: {{share: 50, endpoints: ["198.51.100.10:{_HTTP}"]}}
checks:
  live: {{http: /health, every: 500ms, timeout: 1s}}
health: {{fall: 3, rise: 2, recheck: 200ms}}
failback: {{after: 500ms}}
limits: {{min_regions: 1, max_shift: 100% per 1s, max_changes: 1000 per 1h}}
"""


@dataclass(frozen=True)
class Admitted:
    """A pod as the API server has it. `uid`: which of those that had this name one after the other."""

    spec: Manifest
    uid: str = ""


class Cluster(Protocol):
    """An API server, and what the rest of a cluster asks of it."""

    def admit(self, pod: Manifest) -> Admitted: ...

    def delete_pod(self, name: str) -> None:
        """It is to end: its containers are told so."""

    def forget_pod(self, name: str) -> None:
        """Its containers have ended."""

    def files(self, kind: str, name: str) -> Mapping[str, str]:
        """What a ConfigMap or a Secret of the pods' namespace holds."""

    def token(self, pod: str, uid: str, source: Manifest) -> str:
        """One for the service account, for as long as that pod is there, as a projected volume asks for it."""

    def lease(self) -> Manifest | None: ...

    def delete_lease(self) -> None: ...

    def frozen(self) -> AbstractContextManager[None]: ...

    @property
    def environment(self) -> Mapping[str, str]:
        """By which a kubelet tells a container where the API server is."""


Started = Callable[[Network, Path, Sequence[Manifest]], AbstractAsyncContextManager[Cluster]]
"""Starts an API server at the host `control`, and applies the overlay."""


@dataclass
class Replica(Seat):
    """One of the StatefulSet's pods, and its containers."""

    pod: Pod | None = None
    uid: str = ""
    versions: int = 0
    unwell: list[str] = field(default_factory=list)

    async def asks(self, probe: str) -> tuple[int, str]:
        """A probe of its container, as a kubelet does it once: its status, 0 without an answer, and what it says."""
        assert self.pod is not None
        said = self.pod.container[probe]
        path, port = said["httpGet"]["path"], said["httpGet"]["port"]
        (number,) = (each["containerPort"] for each in self.pod.container["ports"] if each["name"] == port)
        return await asyncio.to_thread(self._get, path, number, said["timeoutSeconds"])

    def _get(self, path: str, port: int, patience: float) -> tuple[int, str]:
        at = self.host.addresses[0]
        with suppress(OSError, HTTPException), closing(HTTPConnection(at, port)) as asked:
            asked.sock = self.host.connect((at, port), patience)
            asked.request("GET", path)
            answer = asked.getresponse()
            return answer.status, answer.read().decode()
        return 0, ""


@dataclass
class ThreePods:
    """All of it."""

    net: Network
    cluster: Cluster
    watch: Watch
    regions: Mapping[str, Region]
    replicas: Mapping[str, Replica]
    manifests: tuple[Manifest, ...]
    folder: Path
    _running: AsyncExitStack
    _living: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    # -- pods ----------------------------------------------------------------------------------------------------------

    async def start_all(self) -> None:
        """All at once, as `podManagementPolicy: Parallel` says, and ready."""
        for name in PODS:
            await self.start(name)
        await asyncio.gather(*map(self.ready, PODS))

    async def start(self, name: str) -> None:
        """A pod of the template, with the journal that it had."""
        replica = self.replicas[name]
        found = self.cluster.admit(self.made(name))
        replica.uid = found.uid
        home = self.folder / name
        for volume in found.spec["volumes"]:
            if "emptyDir" in volume:
                shutil.rmtree(home / "volumes" / volume["name"], ignore_errors=True)
        replica.pod = Pod(
            home,
            self.manifests,
            _USER,
            _USER,
            name=name,
            spec=found.spec,
            host=replica.host,
            surroundings=self.cluster.environment,
        )
        self.bring(name)
        await self._start_container(replica)

    def made(self, name: str) -> Manifest:
        """What the StatefulSet's controller makes of the template."""
        said = one(self.manifests, "StatefulSet")["spec"]
        made = deepcopy(said["template"])
        made["metadata"] |= {"name": name, "namespace": NAMESPACE}
        made["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = name
        made["spec"] |= {"hostname": name, "subdomain": said["serviceName"], "nodeName": f"node-of-{name}"}
        for claim in said["volumeClaimTemplates"]:
            volume = claim["metadata"]["name"]
            claimed = {"claimName": f"{volume}-{name}"}
            made["spec"]["volumes"].append({"name": volume, "persistentVolumeClaim": claimed})
        return {"apiVersion": "v1", "kind": "Pod", **made}

    def bring(self, name: str) -> None:
        """The kubelet fills the volumes with what the API server has now; the token is a new one each time."""
        replica = self.replicas[name]
        assert replica.pod is not None
        assert replica.pod.spec is not None
        replica.versions += 1
        for volume in replica.pod.spec["volumes"]:
            files = self._files(replica, volume)
            if files:
                replica.pod.publish(volume["name"], f"{replica.uid}-{replica.versions}", files)

    def _files(self, replica: Replica, volume: Manifest) -> Mapping[str, str]:
        match volume:
            case {"configMap": {"name": name}}:
                return self.cluster.files("ConfigMap", name)
            case {"secret": {"secretName": name}}:
                return self.cluster.files("Secret", name)
            case {"projected": {"sources": sources}}:
                return {path: said for each in sources for path, said in self._projected(replica, each)}
        return {}

    def _projected(self, replica: Replica, source: Manifest) -> Iterator[tuple[str, str]]:
        match source:
            case {"serviceAccountToken": said}:
                yield said["path"], self.cluster.token(replica.name, replica.uid, said)
            case {"configMap": {"name": name, "items": items}}:
                files = self.cluster.files("ConfigMap", name)
                yield from ((each["path"], files[each["key"]]) for each in items)
            case {"downwardAPI": {"items": [{"path": path, "fieldRef": {"fieldPath": "metadata.namespace"}}]}}:
                yield path, NAMESPACE
            case _:
                raise AssertionError(source)

    async def _start_container(self, replica: Replica) -> None:
        assert replica.pod is not None
        daemon = await self._running.enter_async_context(replica.pod.daemon())
        replica.daemons.append(daemon)
        self._living[replica.name] = asyncio.create_task(self._look_after(replica, daemon))

    async def _look_after(self, replica: Replica, daemon: RunningDaemon) -> None:
        """Its startup probe, then its liveness probe, for as long as it runs; what would have it killed is noted."""
        assert replica.pod is not None
        failed, started = 0, False
        while daemon.process.returncode is None:
            probe = "livenessProbe" if started else "startupProbe"
            status, _ = await replica.asks(probe)
            started, failed = started or status == 200, 0 if status == 200 else failed + 1
            if failed >= replica.pod.container[probe]["failureThreshold"] and daemon.process.returncode is None:
                replica.unwell.append(f"{replica.name}: {probe} failed {failed} times")
            await asyncio.sleep(0.5)  # that of a kubelet is longer

    async def ready(self, name: str) -> None:
        """Until its readiness probe passes."""
        replica, told = self.replicas[name], ""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    status, told = await replica.asks("readinessProbe")
                    if status == 200:
                        return
                    assert replica.runs, f"{name} ended: {bytes(replica.running.log[-3000:]).decode()}"
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{name} is not ready: {told}\n{self.told()}") from None

    async def kill(self, name: str) -> None:
        """Its container, as for want of memory. It is not started again yet."""
        self.replicas[name].running.signal(signal.SIGKILL)
        await self.replicas[name].running.ended()
        self._living.pop(name).cancel()

    async def restart(self, name: str) -> None:
        """The kubelet starts its container again, on the same volumes."""
        await self._start_container(self.replicas[name])
        await self.ready(name)

    def end(self, name: str) -> None:
        """It is deleted, for an update or an eviction: the signal, after its preStop hook."""
        self.cluster.delete_pod(name)
        self._living.pop(name).cancel()  # who ends is asked no more
        self.replicas[name].running.signal(signal.SIGTERM)

    async def replace(self, name: str) -> None:
        """Until it has ended within its grace, and the next of its name is ready."""
        replica = self.replicas[name]
        assert replica.pod is not None
        async with asyncio.timeout(replica.pod.grace):
            assert await replica.running.ended() == 0
        self.cluster.forget_pod(name)
        await self.start(name)
        await self.ready(name)

    async def ctl(self, name: str, *words: str) -> str:
        """`kubectl exec POD -- failoverctl ...`."""
        pod = self.replicas[name].pod
        assert pod is not None
        _, printed = await pod.exec("failoverctl", *words)
        return printed

    # -- who leads -----------------------------------------------------------------------------------------------------

    def leader(self) -> tuple[str, int]:
        """The pod that the Lease names, and its epoch. Nobody: empty, and 0."""
        found = self.cluster.lease()
        holder = str((found or {}).get("spec", {}).get("holderIdentity") or "")
        if found is None or not holder:
            return "", 0
        return holder.rpartition("_")[0], found["spec"]["leaseTransitions"] + _EPOCHS

    async def led(self, *by: str, after: int = 0, within: float = PATIENCE) -> str:
        """Until one of these leads in a later epoch; gives its name."""
        wanted = by or PODS
        try:
            async with asyncio.timeout(within):
                while True:
                    found, epoch = self.leader()
                    if found in wanted and epoch > after:
                        return found
                    await asyncio.sleep(_OFTEN)  # it is asked again
        except TimeoutError:
            raise AssertionError(f"not within {within:g}s: led by {wanted} after {after}\n{self.told()}") from None

    async def all_vote(self, by: str) -> None:
        """Until that one counts three votes."""
        printed = ""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while "3 of 3 members vote" not in printed:
                    printed = await self.ctl(by, "members")
        assert "3 of 3 members vote" in printed, f"{printed}\n{self.told()}"

    async def answer(self, *regions: str, within: float = ACTS) -> Seen:
        """Until BIND answers with exactly these regions, or with all."""
        wanted = {self.regions[name].addresses[0] for name in regions or REGIONS}
        try:
            return await self.watch.until(lambda seen: seen.answer == wanted, within, f"the answer is {wanted}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.told()}") from None

    def told(self) -> str:
        """The last words of each."""
        return last_words(self.replicas.values())

    def sound(self) -> None:
        """No probe would have had a pod killed, and no generation was written twice."""
        for each in self._living.values():
            each.cancel()
        assert [each for replica in self.replicas.values() for each in replica.unwell] == []
        require_written_once(self.replicas.values())


@asynccontextmanager
async def three_pods(folder: Path, started: Started) -> AsyncIterator[ThreePods]:
    """All of it but the pods, which a test starts."""
    if reason := unmakeable():
        pytest.skip(reason)
    with ExitStack() as stack:
        net = stack.enter_context(network(_HOSTS))
        key = stack.enter_context(zone_served(net["dns"], folder, "example.com", "failoverd.example.com"))
        manifests = _as_copied()
        regions = {name: Region(net[name], net[name].addresses[:1]) for name in REGIONS}
        for region in regions.values():
            await region.start()
            stack.callback(region.stop)
        objects = [*manifests, _secret(key)]
        async with started(net, folder, objects) as cluster, watched(net["dns"], _RECORD) as watch:
            async with AsyncExitStack() as running:
                replicas = {name: Replica(name, net[name]) for name in PODS}
                world = ThreePods(net, cluster, watch, regions, replicas, manifests, folder, running)
                yield world
            world.sound()


def _as_copied() -> tuple[Manifest, ...]:
    """The overlay, with policies for the regions of here, and a shorter lease."""
    manifests = deepcopy(rendered(OVERLAY))
    config, policies = (
        one(manifests, "ConfigMap", "failoverd-config"),
        one(manifests, "ConfigMap", "failoverd-policies"),
    )
    said, changed = re.subn(r"lease: 20s", f"lease: {LEASE:g}s", config["data"]["failoverd.yaml"])
    assert changed == 1
    config["data"]["failoverd.yaml"] = said
    policies["data"] = {"regions.yaml": policies["data"]["regions.yaml"], "shop.yaml": _POLICY}
    return manifests


def _secret(key: Key) -> Manifest:
    """`kubectl create secret generic failoverd-secrets --from-file=tsig.key`."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "failoverd-secrets", "namespace": NAMESPACE},
        "stringData": {"tsig.key": key.bind_file.read_text()},
    }


# -- the strict API server of the tests --------------------------------------------------------------------------------


@dataclass
class OfTests:
    """A cluster whose API server is that of `support.kube_api`: it has what members agree on, and nothing else."""

    api: KubeApi
    objects: Sequence[Manifest]
    host: Host
    pods: int = 0

    def admit(self, pod: Manifest) -> Admitted:
        """As the plugin ServiceAccount does it, by its document."""
        self.pods += 1
        spec = deepcopy(pod["spec"])
        if spec["automountServiceAccountToken"]:
            spec["volumes"].append({"name": "kube-api-access-tests", "projected": {"sources": PROJECTED}})
            mount = {"name": "kube-api-access-tests", "mountPath": ACCOUNT, "readOnly": True}
            spec["containers"][0]["volumeMounts"].append(mount)
        return Admitted(spec, f"uid-{self.pods}")

    def delete_pod(self, name: str) -> None: ...

    def forget_pod(self, name: str) -> None: ...

    def files(self, kind: str, name: str) -> Mapping[str, str]:
        if name == "kube-root-ca.crt":
            return {"ca.crt": (self.api.folder / "ca.crt").read_text()}
        (found,) = (each for each in self.objects if (each["kind"], each["metadata"]["name"]) == (kind, name))
        said: Mapping[str, str] = found.get("data") or found["stringData"]
        return said

    def token(self, pod: str, uid: str, source: Manifest) -> str:  # noqa: ARG002 - as any cluster takes it
        """The one of before is good no more."""
        made = f"eyJhbGciOi.{pod}.{uid}.{time.monotonic_ns()}"
        for each in [known for known in self.api.tokens if f".{pod}." in known]:
            del self.api.tokens[each]
        self.api.tokens[made] = f"system:serviceaccount:{NAMESPACE}:failoverd"
        return made

    def lease(self) -> Manifest | None:
        return self.api.found("leases", LEASE_NAME)

    def delete_lease(self) -> None:
        self.api.delete("leases", LEASE_NAME)

    def frozen(self) -> AbstractContextManager[None]:
        return self.api.frozen()

    @property
    def environment(self) -> Mapping[str, str]:
        return where(self.host, int(self.api.address.rpartition(":")[2]))


PROJECTED: Final[Sequence[Any]] = (
    {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    {
        "downwardAPI": {
            "items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]
        }
    },
)
"""What admission mounts at `ACCOUNT`."""


@asynccontextmanager
async def of_tests(net: Network, folder: Path, objects: Sequence[Manifest]) -> AsyncIterator[Cluster]:
    host, home = net["control"], folder / "api"
    home.mkdir()
    listening = host.opened()
    listening.bind((host.addresses[0], 6443))
    async with kube_api(home, listening, AGREE_IN) as api:
        api.rules = allowed(objects)
        yield OfTests(api, objects, host)


def allowed(objects: Sequence[Manifest]) -> frozenset[Rule]:
    """What the overlay's Role lets members do."""
    return frozenset(
        Rule(verb, resource, name)
        for each in one(tuple(objects), "Role", "failoverd-members")["rules"]
        for verb in each["verbs"]
        for resource in each["resources"]
        for name in each.get("resourceNames", [""])
    )


def where(host: Host, port: int) -> Mapping[str, str]:
    """The Service `kubernetes`, without anything that would forward from its address."""
    return {"KUBERNETES_SERVICE_HOST": host.addresses[0], "KUBERNETES_SERVICE_PORT": str(port)}
