"""The cluster of `support.three_pods` at a real kube-apiserver: RBAC, admission, tokens and audit are its own.

Its release is 1.20, so what came later is said in its words: a PodDisruptionBudget is of `policy/v1beta1`, a preStop
hook that sleeps is a command that does. What other parts of a control plane would do is done here: pods that have ended
are forgotten, and the ConfigMap `kube-root-ca.crt` is published.
"""

import asyncio
import json
import subprocess
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from support.etcd import Etcd
from support.etcd import Member as EtcdMember
from support.kube_api import Rule
from support.kube_apiserver import ADMIN, KubeApiserver, identify
from support.kustomize import Manifest
from support.networks import Host, Network
from support.servers import program
from support.three_pods import ACCOUNT, AGREE_IN, LEASE_NAME, NAMESPACE, PROJECTED, Admitted, where

ACCOUNT_USER: Final = f"system:serviceaccount:{NAMESPACE}:failoverd"

_PORT: Final = 6443
_LEASE: Final = f"/apis/coordination.k8s.io/v1/namespaces/{AGREE_IN}/leases/{LEASE_NAME}"
_PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
_PLURALS: Final = {"NetworkPolicy": "networkpolicies"}
_AUDIT: Final = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata}
"""


class Audited(NamedTuple):
    """A request of the members, as the audit log has it. `pod_uid`: that of the pod whose token it came with."""

    verb: str
    resource: str
    namespace: str
    name: str
    status: int
    pod_uid: str


@dataclass
class OfKubernetes:
    """A cluster whose API server is a real one."""

    server: KubeApiserver
    host: Host
    audit: Path

    # -- what is done once ---------------------------------------------------------------------------------------------

    def apply(self, objects: Sequence[Manifest]) -> None:
        """`kubectl apply`, namespaces first."""
        for each in sorted(map(_in_old_words, objects), key=lambda found: found["kind"] != "Namespace"):
            self.server.do("POST", _collection(each), each)
        root = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": self._ca}}
        self.server.do("POST", f"/api/v1/namespaces/{NAMESPACE}/configmaps", root)

    @property
    def _ca(self) -> str:
        return (self.server.folder / "ca.crt").read_text()

    # -- what a kubelet and a controller do ----------------------------------------------------------------------------

    def admit(self, pod: Manifest) -> Admitted:
        made = self.server.do("POST", _PODS, _in_old_words(pod))
        spec = made["spec"]
        _require_account(spec)
        spec["containers"][0]["lifecycle"] = pod["spec"]["containers"][0]["lifecycle"]
        return Admitted(spec, made["metadata"]["uid"])

    def delete_pod(self, name: str) -> None:
        self.server.do("DELETE", f"{_PODS}/{name}")

    def forget_pod(self, name: str) -> None:
        self.server.do("DELETE", f"{_PODS}/{name}?gracePeriodSeconds=0")

    def files(self, kind: str, name: str) -> Mapping[str, str]:
        found = self.server.do("GET", f"/api/v1/namespaces/{NAMESPACE}/{kind.lower()}s/{name}")
        said: Mapping[str, str] = found["data"]
        return {key: b64decode(text).decode() for key, text in said.items()} if kind == "Secret" else said

    def token(self, pod: str, uid: str, source: Manifest) -> str:
        spec = {
            "audiences": [source["audience"]] if source.get("audience") else [],
            "expirationSeconds": source["expirationSeconds"],
            "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": pod, "uid": uid},
        }
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/failoverd/token"
        token: str = self.server.do("POST", path, {"spec": spec})["status"]["token"]
        return token

    @property
    def environment(self) -> Mapping[str, str]:
        return where(self.host, _PORT)

    # -- what a person does --------------------------------------------------------------------------------------------

    def lease(self) -> Manifest | None:
        status, found = self.server.ask("GET", _LEASE)
        return found if status == 200 else None

    def delete_lease(self) -> None:
        self.kubectl("delete", "lease", LEASE_NAME)

    def kubectl(self, *words: str) -> str:
        """`kubectl`, on the API server's host and as an administrator, where members agree."""
        who = ["--server", self.server.address, "--token", ADMIN, "--certificate-authority"]
        command = self.host.command(
            program("kubectl"), *who, str(self.server.folder / "ca.crt"), "--namespace", AGREE_IN, *words
        )
        home = {"HOME": str(self.server.work), "KUBECONFIG": "/dev/null"}
        done = subprocess.run(command, env=home, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def frozen(self) -> AbstractContextManager[None]:
        return self.server.frozen()

    # -- what it was asked ---------------------------------------------------------------------------------------------

    def audited(self) -> list[Audited]:
        """Everything that members asked so far, and how it was answered."""
        found = (json.loads(line) for line in self.audit.read_text().splitlines())
        return [_audited(each) for each in found if each["user"].get("username") == ACCOUNT_USER]


def used(asked: Sequence[Audited], allowed: frozenset[Rule]) -> frozenset[Rule]:
    """Those of these rules by which something was asked."""
    wanted = {Rule(each.verb, each.resource, name) for each in asked for name in ("", each.name)}
    return frozenset(wanted & allowed)


def _audited(event: Mapping[str, Any]) -> Audited:
    where, extra = event.get("objectRef", {}), event["user"].get("extra", {})
    (pod_uid,) = extra.get("authentication.kubernetes.io/pod-uid", [""])
    status = event.get("responseStatus", {}).get("code", 0)
    place = where.get("resource", ""), where.get("namespace", ""), where.get("name", "")
    return Audited(event["verb"], *place, status, pod_uid)


def _require_account(spec: Manifest) -> None:
    """What admission has added is what tests of another API server add."""
    (mount,) = (each for each in spec["containers"][0]["volumeMounts"] if each["mountPath"] == ACCOUNT)
    (volume,) = (each for each in spec["volumes"] if each["name"] == mount["name"])
    assert volume["projected"]["sources"] == list(PROJECTED), volume
    assert mount["readOnly"] is True


def _collection(found: Manifest) -> str:
    group, kind = found["apiVersion"], found["kind"]
    plural = _PLURALS.get(kind, f"{kind.lower()}s")
    if kind == "Namespace":
        return "/api/v1/namespaces"
    space = f"namespaces/{found['metadata']['namespace']}/{plural}"
    return f"/api/v1/{space}" if group == "v1" else f"/apis/{group}/{space}"


def _in_old_words(found: Manifest) -> Manifest:
    """The same for Kubernetes 1.20."""
    said = deepcopy(found)
    match said["kind"]:
        case "PodDisruptionBudget":
            said["apiVersion"] = "policy/v1beta1"
            del said["spec"]["unhealthyPodEvictionPolicy"]
        case "StatefulSet":
            _sleep_by_command(said["spec"]["template"]["spec"])
        case "Pod":
            _sleep_by_command(said["spec"])
    return said


def _sleep_by_command(spec: Manifest) -> None:
    for each in spec["containers"]:
        seconds = each["lifecycle"]["preStop"]["sleep"]["seconds"]
        each["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", str(seconds)]}}}


@asynccontextmanager
async def of_kubernetes(net: Network, folder: Path, objects: Sequence[Manifest]) -> AsyncIterator[OfKubernetes]:
    host, home = net["control"], folder / "api"
    home.mkdir()
    pod, work = home / "pod", home / "server"
    identify(pod, work, host.addresses[0])
    (home / "audit.yaml").write_text(_AUDIT)
    arguments = {
        "audit-policy-file": str(home / "audit.yaml"),
        "audit-log-path": str(home / "audit.log"),
        "disable-admission-plugins": "",
        "feature-gates": "BoundServiceAccountTokenVolume=true",
    }
    with _etcd(host, home) as below:
        server = KubeApiserver(pod, work, below, _PORT, cached=True, host=host, arguments=arguments)
        found = OfKubernetes(server, host, home / "audit.log")
        try:
            await asyncio.to_thread(server.start)
            await asyncio.to_thread(found.apply, objects)
            yield found
        finally:
            server.stop()


@contextmanager
def _etcd(host: Host, folder: Path) -> Iterator[Etcd]:
    data = folder / "etcd"
    data.mkdir()
    at = f"http://{host.addresses[0]}"
    cluster = Etcd((EtcdMember("e0", f"{at}:2379", f"{at}:2380", data, (), None, host.command, host.connect),))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
