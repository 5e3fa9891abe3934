"""A real kube-apiserver on loopback with an etcd below it, as `tests/install-kube-apiserver` builds it.

What befalls it is what it really is: SIGSTOP, a restart, a Role that is edited, a token whose Secret is deleted.
"""

import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
import trustme
from _pytest.mark import ParameterSet
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.etcd import Etcd, etcd
from support.kube_api import LEAST, NAMESPACE, USER, Rule
from support.networks import Host
from support.servers import free_port

VARIABLE: Final = "FAILOVERD_KUBE_APISERVER"
"""Names the program; `make test-kubernetes` says it."""

WITHIN: Final = 60.0
"""Seconds: it starts in three, and believes a token for ten after it was taken back."""

ADMIN: Final = "admin-of-tests"
_PLACES: Final = {
    "configmaps": f"/api/v1/namespaces/{NAMESPACE}/configmaps",
    "leases": f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases",
    "secrets": f"/api/v1/namespaces/{NAMESPACE}/secrets",
    "serviceaccounts": f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
    "roles": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/roles",
    "rolebindings": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings",
}

Json = dict[str, Any]


@dataclass
class KubeApiserver:
    """The server, as `support.kube_api.KubeApi` has it.

    Attributes:
        folder: what the kubelet mounts into a pod: token, ca.crt, namespace.
        cached: whether it answers watches out of its own memory, as it does by default, or asks etcd each time.
        rules: what its service account may do.
        host: where it runs; None: on loopback of this machine.
        arguments: more of the command's.
    """

    folder: Path
    work: Path
    below: Etcd
    port: int
    cached: bool
    rules: frozenset[Rule] = LEAST
    host: Host | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None
    _secret: str = ""
    _trust: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        self._trust = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))

    @property
    def at(self) -> str:
        return self.host.addresses[0] if self.host is not None else "127.0.0.1"

    @property
    def address(self) -> str:
        return f"https://{self.at}:{self.port}"

    # -- what befalls it -----------------------------------------------------------------------------------------------

    @contextmanager
    def frozen(self) -> Iterator[None]:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    def rotate(self) -> None:
        """The kubelet brings a new token, and the old one is accepted no more."""
        self.revoke_tokens()
        name = f"life-{uuid4().hex[:8]}"
        made = self.do("POST", _PLACES["secrets"], {"metadata": {"name": name}})
        bound = {"kind": "Secret", "apiVersion": "v1", "name": name, "uid": made["metadata"]["uid"]}
        spec = {"audiences": [], "expirationSeconds": 3600, "boundObjectRef": bound}
        said = self.do("POST", f"{_PLACES['serviceaccounts']}/failoverd/token", {"spec": spec})
        self._secret = name
        (self.folder / "token").write_text(said["status"]["token"])

    def revoke_tokens(self) -> None:
        if not self._secret:
            return
        token = (self.folder / "token").read_text()
        self.do("DELETE", f"{_PLACES['secrets']}/{self._secret}")
        self._secret = ""
        _await(lambda: self.ask("GET", _PLACES["configmaps"], token=token)[0] == 401)

    def forbid(self, verb: str, resource: str) -> None:
        self.rules = frozenset(each for each in self.rules if (each.verb, each.resource) != (verb, resource))
        self.do("PUT", f"{_PLACES['roles']}/failoverd", _role(self.rules))
        group = "coordination.k8s.io" if resource == "leases" else ""
        asked = {"namespace": NAMESPACE, "verb": verb, "group": group, "resource": resource}
        review = {"spec": {"user": USER, "resourceAttributes": asked}}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        _await(lambda: not self.do("POST", path, review)["status"]["allowed"])

    def compact(self) -> None:
        """What happened until now is forgotten by etcd, and by its own memory, which goes with a restart."""
        status = self._of_etcd("maintenance/status", {})
        self._of_etcd("kv/compaction", {"revision": status["header"]["revision"]})
        if self.cached:
            self.restart()

    def restart(self) -> None:
        self.stop()
        self.start()

    def back_up(self) -> None:
        """Not here: when it starts it writes much of its own, so what was put back is ahead of its members at once.

        Kubernetes tells nobody of that. Who restores etcd has it raise its revisions (`etcdutl snapshot restore
        --bump-revision --mark-compacted`), and everybody reads anew.
        """
        pytest.skip("a real API server is ahead again before anybody can see that it was put back")

    put_back = back_up

    # -- what a person does beside it ----------------------------------------------------------------------------------

    def found(self, resource: str, name: str) -> Json | None:
        status, said = self.ask("GET", f"{_PLACES[resource]}/{name}")
        return said if status == 200 else None

    def all(self, resource: str) -> list[Json]:
        items: list[Json] = self.do("GET", _PLACES[resource])["items"]
        return items

    def create(self, resource: str, body: Json) -> None:
        self.do("POST", _PLACES[resource], body)

    def edit(self, resource: str, name: str, change: Callable[[Json], object]) -> None:
        found = self.found(resource, name)
        assert found is not None
        change(found)
        self.do("PUT", f"{_PLACES[resource]}/{name}", found)

    def delete(self, resource: str, name: str) -> None:
        self.do("DELETE", f"{_PLACES[resource]}/{name}")

    # -- the process ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        arguments = {
            "etcd-servers": self.below.endpoints[0],
            "bind-address": self.at,
            "advertise-address": self.at,
            "secure-port": str(self.port),
            "cert-dir": str(self.work / "certificates"),
            "tls-cert-file": str(self.work / "server.pem"),
            "tls-private-key-file": str(self.work / "server.key"),
            "service-cluster-ip-range": "10.96.0.0/24",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-signing-key-file": str(self.work / "accounts.key"),
            "service-account-key-file": str(self.work / "accounts.key"),
            "token-auth-file": str(self.work / "people.csv"),
            "authorization-mode": "RBAC",
            "disable-admission-plugins": "ServiceAccount",
            "shutdown-delay-duration": "0",
            **self.arguments,
            **({} if self.cached else {"watch-cache-sizes": "configmaps#0,leases.coordination.k8s.io#0"}),
        }
        words = [os.environ[VARIABLE], *(f"--{key}={value}" for key, value in arguments.items() if value)]
        command = self.host.command(*words) if self.host is not None else words
        with (self.work / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        _await(lambda: self.ask("GET", "/readyz")[0] == 200)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def prepare(self) -> None:
        """The namespace, and in it the service account with its Role and a first token."""
        self.do("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        self.do("POST", _PLACES["serviceaccounts"], {"metadata": {"name": "failoverd"}})
        self.do("POST", _PLACES["roles"], _role(self.rules))
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "failoverd"}
        subject = {"kind": "ServiceAccount", "name": "failoverd", "namespace": NAMESPACE}
        binding = {"metadata": {"name": "failoverd"}, "roleRef": role, "subjects": [subject]}
        self.do("POST", _PLACES["rolebindings"], binding)
        self.rotate()
        token = (self.folder / "token").read_text()
        _await(lambda: self.ask("GET", _PLACES["configmaps"], token=token)[0] == 200)

    def do(self, method: str, path: str, body: Json | None = None) -> Json:
        status, said = self.ask(method, path, body)
        assert status in {200, 201, 202}, (status, said)
        return said

    def ask(self, method: str, path: str, body: Json | None = None, token: str = ADMIN) -> tuple[int, Json]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        said = json.dumps(body).encode() if body is not None else None
        connect = self.host.connect if self.host is not None else socket.create_connection
        try:
            with closing(HTTPSConnection(self.at, self.port, context=self._trust)) as asked:
                asked.sock = self._trust.wrap_socket(connect((self.at, self.port), 10), server_hostname=self.at)
                asked.request(method, path, said, headers)
                answer = asked.getresponse()
                return answer.status, _json(answer.read())
        except (HTTPException, OSError):
            return 0, {}

    def _of_etcd(self, call: str, body: Mapping[str, str]) -> Json:
        asked = Request(f"{self.below.endpoints[0]}/v3/{call}", json.dumps(body).encode())  # noqa: S310 - on loopback
        with urlopen(asked, timeout=10) as answer:  # noqa: S310
            return _json(answer.read())


def real(engine: object) -> list[ParameterSet]:
    """The engine as a parameter of tests, where the program is there: `make test-kubernetes` runs these."""
    if VARIABLE not in os.environ:
        return []
    name: str = getattr(engine, "name", "")
    return [pytest.param(engine, id=name, marks=[pytest.mark.server, pytest.mark.kubernetes_api])]


@contextmanager
def kube_apiserver(*, cached: bool) -> Iterator[KubeApiserver]:
    with TemporaryDirectory(prefix="kube-") as made, etcd() as below:
        folder, work = Path(made) / "pod", Path(made) / "server"
        identify(folder, work, "127.0.0.1")
        server = KubeApiserver(folder, work, below, free_port(), cached)
        try:
            server.start()
            server.prepare()
            yield server
        finally:
            server.stop()


def identify(folder: Path, work: Path, address: str) -> None:
    """What a server at this address has to have in `work` when it starts, and what a pod knows it by, in `folder`."""
    folder.mkdir()
    work.mkdir()
    authority = trustme.CA()
    (folder / "ca.crt").write_bytes(authority.cert_pem.bytes())
    (folder / "namespace").write_text(NAMESPACE)
    certificate = authority.issue_cert(address)
    (work / "server.pem").write_bytes(b"".join(each.bytes() for each in certificate.cert_chain_pems))
    (work / "server.key").write_bytes(certificate.private_key_pem.bytes())
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (work / "accounts.key").write_bytes(pem)
    (work / "people.csv").write_text(f"{ADMIN},admin,admin,system:masters\n")


def _role(rules: frozenset[Rule]) -> Json:
    groups = {"leases": "coordination.k8s.io", "configmaps": ""}
    return {
        "metadata": {"name": "failoverd"},
        "rules": [
            {
                "apiGroups": [groups[each.resource]],
                "resources": [each.resource],
                "verbs": [each.verb],
                **({"resourceNames": [each.name]} if each.name else {}),
            }
            for each in sorted(rules)
        ],
    }


def _json(body: bytes) -> Json:
    with suppress(ValueError):
        said = json.loads(body)
        if isinstance(said, dict):
            return said
    return {}


def _await(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < end, "kube-apiserver did not come to it"
        time.sleep(0.1)
