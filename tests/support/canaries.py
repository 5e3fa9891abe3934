"""Canaries: a secret of every kind that a configuration can name, each known by its song in whatever form it escapes.

with farm(tmp_path) as here:
    here.config  # names all of them; whoever is asked with them sends back what he was asked
    here.canaries.escaped({"the log": log})
"""

import base64
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import trustme
from clouds.azure import GROUP, SUBSCRIPTION, AzureCloud
from clouds.azure_login import AzureLogin
from clouds.azure_tokens import CLIENT
from clouds.mirror import MIRRORS
from clouds.oci import TENANCY, USER
from clouds.oci_client import fingerprint
from clouds.serving import Request, Response, serving
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from support.commands import REGIONS
from support.servers import free_port

from failoverd.api.actors import Role

ROW = 14
"""Characters of a canary in a row that cannot be there by chance."""

HOST = "127.0.0.1"


class Canaries:
    """What must not be seen, by its name."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}

    def hatch(self, name: str, form: Callable[[str], str] = str) -> str:
        """A new one, the same in every run."""
        secret = form(f"c4n4ry{sha256(name.encode()).hexdigest()[:34]}")
        return self.keep(name, secret)

    def keep(self, name: str, secret: str) -> str:
        self.secrets[name] = secret
        return secret

    def keep_pem(self, name: str, pem: str) -> str:
        """A private key: any line of it tells too much."""
        for number, line in enumerate(pem.splitlines()[1:-1]):
            if len(line) >= ROW and ":" not in line:
                self.secrets[f"{name}, line {number}"] = line
        return pem

    def escaped(self, places: Mapping[str, bytes]) -> list[str]:
        """Which canary is where, in which form."""
        wanted = [(name, form, look) for name, secret in self.secrets.items() for form, look in looks(secret).items()]
        return [
            f"{name} as {form} in {place}"
            for place, content in places.items()
            for name, form, look in wanted
            if look.seen(content)
        ]


@dataclass(frozen=True)
class Look:
    """One form of a secret: what any text would have in it."""

    parts: tuple[bytes, ...]

    def seen(self, text: bytes) -> bool:
        return any(part in text for part in self.parts)  # much sooner told than by one expression of all


def looks(secret: str) -> dict[str, Look]:
    """A secret as somebody might write it down without thinking: a good part of it will do."""
    raw = secret.encode()
    forms = {
        "it is": [raw],
        "a part": [raw[at : at + ROW] for at in range(len(raw) - ROW)],
        "base64": [_in_base64(raw, shift) for shift in range(3)],
        "base64 for URLs": [_in_base64(raw, shift).translate(bytes.maketrans(b"+/", b"-_")) for shift in range(3)],
        "hex": [raw.hex().encode(), raw.hex().upper().encode()],
        "a URL": [quote(secret, safe="").encode()],
        "JSON, or repr": [secret.replace("/", "\\/").encode(), repr(secret)[1:-1].encode()],
        "reversed": [raw[::-1]],
    }
    return {form: Look(tuple(texts)) for form, texts in forms.items()}


def _in_base64(raw: bytes, shift: int) -> bytes:
    """What of it is the same wherever it stands, `shift` bytes into a group of three."""
    encoded = base64.b64encode(b"x" * shift + raw)
    first = 0 if shift == 0 else 4
    return encoded[first : len(encoded) // 4 * 4 - 4]


class Parrot:
    """An API that sends back what it was asked, in another form each time."""

    def __init__(self) -> None:
        self._forms = cycle(MIRRORS.values())
        self.heard = b""

    def answer(self, request: Request) -> Response:
        head = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
        self.heard += f"{request.target}\n{head}\n".encode() + request.body
        return next(self._forms)(request)

    def throttled(self, retry_after: float | None) -> Response:
        return Response(429, str(retry_after).encode())


class SigningIn(Parrot):
    """A login endpoint that says where tokens are given, and repeats whoever asks for one."""

    def __init__(self, login: AzureLogin) -> None:
        super().__init__()
        self._login = login

    def answer(self, request: Request) -> Response:
        if request.method == "GET":
            return self._login.answer(request)
        return super().answer(request)


@dataclass(frozen=True)
class Farm:
    """A folder with a configuration that names every canary, and who hears them."""

    folder: Path
    canaries: Canaries
    files: Mapping[str, Path]
    parrots: tuple[Parrot, ...]
    ports: Mapping[str, int]

    @property
    def config(self) -> Path:
        return self.folder / "failoverd.yaml"

    @property
    def heard(self) -> bytes:
        """All that was asked of those who repeat it."""
        return b"".join(parrot.heard for parrot in self.parrots)

    def spoil(self) -> None:
        """Every file with a secret becomes one that cannot be read as what it is, and still holds the secret."""
        for file in self.files.values():
            text = file.read_text()
            file.write_text(f"{text[: len(text) // 2]}\n\x00=[: {{ }} \"'\n{text[len(text) // 2 :]}")


@contextmanager
def farm(folder: Path) -> Iterator[Farm]:
    """Everything, with servers that hear and repeat the canaries."""
    canaries, files = Canaries(), _Files(folder / "secrets")
    authority = trustme.CA()
    ca = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(tls)
    cloud = AzureCloud(["example.test"])
    parrot, login = Parrot(), SigningIn(AzureLogin(cloud.directory))
    with serving(parrot, tls=tls, host=HOST) as api, serving(login, tls=tls, host=HOST) as signing:
        _hand_out(canaries, files, authority, api.url)
        ports = {"api": int(api.url.rpartition(":")[2]), "metrics": free_port(), "admin": free_port()}
        names = {path.name: str(path) for path in (folder / "secrets").iterdir()}
        places = {"api": api.url, "login": signing.url, "ca": str(ca), "tenant": cloud.directory.tenant}
        (folder / "policies").mkdir()
        (folder / "policies" / "regions.yaml").write_text(REGIONS)
        (folder / "policies" / "shop.yaml").write_text(_POLICY.format(**names, **places, port=ports["api"]))
        (folder / "failoverd.yaml").write_text(
            _CONFIG.format(
                **names, **places, metrics=ports["metrics"], admin=ports["admin"], subscription=SUBSCRIPTION,
                group=GROUP, client=CLIENT,
            )
        )  # fmt: skip
        yield Farm(folder, canaries, files.paths, (parrot, login), ports)


class _Files:
    """Each secret in a file of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.paths: dict[str, Path] = {}

    def write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text)
        path.chmod(0o600)
        self.paths[name] = path
        return path


def _hand_out(canaries: Canaries, files: _Files, authority: trustme.CA, api: str) -> None:
    hatch = canaries.hatch
    for name in ("tsig", "tsig2"):
        files.write(name, hatch(name, lambda text: base64.b64encode(text.encode()).decode()))
    for name in ("powerdns", "azure", "routing", "webhook", "alertmanager", "llm", "grpc", "exporter"):
        files.write(name, hatch(name))
    keys = ["[default]", f"aws_access_key_id = {hatch('aws_id', lambda text: 'AKIA' + text[-16:].upper())}"]
    keys += [f"aws_secret_access_key = {hatch('aws')}", f"aws_session_token = {hatch('aws_session')}"]
    files.write("aws", "\n".join(keys) + "\n")
    files.write("slack", f"{api}/services/T000/{hatch('slack')}")
    files.write("basic", "Basic " + base64.b64encode(f"admin:{hatch('basic')}".encode()).decode())
    files.write("headers", f"X-Api-Key: {hatch('header')}\nCookie: session={hatch('cookie')}\n")
    files.write("oci_key", canaries.keep_pem("oci_key", _pem(hatch("oci_pass"))))
    profile = {
        "tenancy": TENANCY, "user": USER, "fingerprint": fingerprint(), "key_file": str(files.paths["oci_key"]),
        "pass_phrase": canaries.secrets["oci_pass"], "region": "us-ashburn-1",
    }  # fmt: skip
    files.write("oci", "\n".join(["[DEFAULT]", *(f"{name}={value}" for name, value in profile.items())]) + "\n")
    for name in ("admin", "client"):
        issued = authority.issue_cert(HOST)
        files.write(f"{name}_key", canaries.keep_pem(name, issued.private_key_pem.bytes().decode()))
        certificate = files.paths[f"{name}_key"].with_name(f"{name}_cert")
        certificate.write_text("".join(blob.bytes().decode() for blob in issued.cert_chain_pems))
    token = hatch("token")
    files.write("tokens", f"grafana {Role.OPERATE} {sha256(token.encode()).hexdigest()} 2099-01-01T00:00:00Z\n")


def _pem(pass_phrase: str) -> str:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(pass_phrase.encode()),
    ).decode()


ENVIRONMENT = ("AWS_SECRET_ACCESS_KEY", "AZURE_CLIENT_SECRET", "OCI_CLI_PASSPHRASE", "HTTPS_PASSWORD")


_CONFIG = """\
version: 1
owner: tests
policies: policies
journal: journal.db
tick: 5s
check_files: ["{basic}", "{headers}", "{exporter}", "{llm}", "{grpc}"]
resolver: ["127.0.0.1:9"]
metrics: {{listen: "127.0.0.1:{metrics}"}}
api:
  socket: api.sock
  tcp:
    listen: "127.0.0.1:{admin}"
    certificate_file: {admin_cert}
    key_file: {admin_key}
    tokens_file: {tokens}
providers:
  bind:
    kind: rfc2136
    zones: [bind.test]
    server: "127.0.0.1:9"
    timeout: 1s
    nameservers: none
    key: {{name: failoverd, secret_file: {tsig}}}
  power:
    kind: powerdns
    zones: [power.test]
    server: "127.0.0.1:9"
    timeout: 1s
    nameservers: none
    key: {{name: failoverd, secret_file: {tsig2}}}
    api: {{url: "{api}", key_file: {powerdns}, ca_file: {ca}}}
  aws:
    kind: route53
    zones: [aws.test]
    endpoint: "{api}"
    credentials_file: {aws}
    ca_file: {ca}
    nameservers: none
  azure:
    kind: azure_dns
    zones: [azure.test]
    subscription: {subscription}
    resource_group: {group}
    credential: {{tenant_id: {tenant}, client_id: {client}, client_secret_file: {azure}}}
    endpoint: "{api}"
    authority: "{login}"
    ca_file: {ca}
    nameservers: none
  oci: {{kind: oci_dns, zones: [oci.test], endpoint: "{api}", config_file: {oci}, ca_file: {ca}, nameservers: none}}
notify:
  chat: {{slack: {slack}, ca_file: {ca}}}
  duty: {{pagerduty: "{api}/v2/enqueue", routing_key_file: {routing}, ca_file: {ca}}}
  hook: {{webhook: "{api}/hook", token_file: {webhook}, ca_file: {ca}}}
  alerts: {{alertmanager: ["{api}"], token_file: {alertmanager}, ca_file: {ca}}}
"""

_POLICY = """\
version: 1
policy: shop
records:
  - {{name: www.bind.test, type: A, ttl: 5s, providers: [bind]}}
  - {{name: www.power.test, type: A, ttl: 5s, providers: [power]}}
  - {{name: www.aws.test, type: A, ttl: 5s, providers: [aws]}}
  - {{name: www.azure.test, type: A, ttl: 5s, providers: [azure]}}
  - {{name: www.oci.test, type: A, ttl: 5s, providers: [oci]}}
weights: membership
regions:
  west: {{share: 50, endpoints: ["127.0.0.1:{port}"]}}
  east: {{share: 50, endpoints: ["127.0.0.2:9"]}}
checks:
  page:
    https: /page
    host: 127.0.0.1
    ca_file: {ca}
    authorization_file: {basic}
    headers_file: {headers}
    client_certificate: {{certificate_file: {client_cert}, key_file: {client_key}}}
    contains: all is well
    every: 1s
    timeout: 5s
  load:
    metrics: /metrics
    tls: true
    host: 127.0.0.1
    ca_file: {ca}
    authorization_file: {exporter}
    fail: ["x > 1"]
    every: 5s
    timeout: 5s
  model:
    inference: /v1
    model: m
    tls: true
    host: 127.0.0.1
    ca_file: {ca}
    api_key_file: {llm}
    every: 5s
    timeout: 5s
  calls: {{grpc: "", tls: true, host: 127.0.0.1, ca_file: {ca}, authorization_file: {grpc}, every: 5s, timeout: 5s}}
  plugin: {{exec: [/bin/sh, -c, "env | tr '\\n' ' '; exit 2"], every: 5s, timeout: 5s}}
health: {{fall: 2, rise: 2, recheck: 100ms}}
"""
