"""The real SDKs' clients for a local Azure: TLS that a throw-away CA vouches for, short time-outs, no retries."""

import functools
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from azure.core.credentials import TokenCredential
from azure.identity import CertificateCredential, ClientSecretCredential, WorkloadIdentityCredential
from azure.mgmt.dns import DnsManagementClient
from azure.mgmt.trafficmanager import TrafficManagerManagementClient
from clouds.azure import SUBSCRIPTION, AzureCloud
from clouds.azure_login import AzureLogin
from clouds.azure_tokens import CLIENT, SECRET
from clouds.serving import Endpoint, serving
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

HOST = "127.0.0.1"


@functools.cache
def authority() -> trustme.CA:
    """One CA for the whole test session: making it costs more than a test."""
    return trustme.CA()


@dataclass(frozen=True)
class AzureSite:
    """A local Azure that is being served: the resource manager, the login endpoint, and the CA (PEM) of both."""

    cloud: AzureCloud
    arm: Endpoint
    login: Endpoint
    ca: str

    def options(self, **instead: object) -> dict[str, Any]:
        """What a client of this site is opened with."""
        limits = {"connection_timeout": 2, "read_timeout": 3, "retry_total": 0}
        return {"base_url": self.arm.url, "connection_verify": self.ca, **limits, **instead}

    def login_options(self) -> dict[str, Any]:
        """What a credential of this site is opened with, beside who it is."""
        trust = {"authority": self.login.url, "disable_instance_discovery": True, "connection_verify": self.ca}
        return {**trust, "connection_timeout": 2, "read_timeout": 3, "retry_total": 0}

    def by_secret(self, secret: str = SECRET, *, client: str = CLIENT, tenant: str | None = None) -> TokenCredential:
        tenant = tenant or self.cloud.directory.tenant
        return ClientSecretCredential(tenant, client, secret, **self.login_options())

    def by_certificate(self, pem: bytes, *, client: str = CLIENT) -> TokenCredential:
        """`pem`: the private key and the certificate."""
        tenant = self.cloud.directory.tenant
        return CertificateCredential(tenant, client, certificate_data=pem, **self.login_options())

    def by_workload(self, token_file: Path, *, client: str = CLIENT) -> TokenCredential:
        tenant = self.cloud.directory.tenant
        return WorkloadIdentityCredential(
            tenant_id=tenant, client_id=client, token_file_path=str(token_file), **self.login_options()
        )


@contextmanager
def azure_serving(cloud: AzureCloud) -> Iterator[AzureSite]:
    """Serve the resource manager and the login endpoint of a cloud, each on a port of its own."""
    certificate = authority().issue_cert(HOST)
    with tempfile.TemporaryDirectory() as folder:
        ca = Path(folder) / "ca.pem"
        authority().cert_pem.write_to_path(ca)
        with (
            serving(cloud, tls=_server_side(certificate), host=HOST) as arm,
            serving(AzureLogin(cloud.directory), tls=_server_side(certificate), host=HOST) as login,
        ):
            yield AzureSite(cloud, arm, login, str(ca))


@contextmanager
def dns_client(
    site: AzureSite, credential: TokenCredential | None = None, subscription: str = SUBSCRIPTION, **instead: object
) -> Iterator[DnsManagementClient]:
    """A client of Azure DNS."""
    with DnsManagementClient(credential or site.by_secret(), subscription, **site.options(**instead)) as client:
        yield client


@contextmanager
def traffic_client(
    site: AzureSite, credential: TokenCredential | None = None, subscription: str = SUBSCRIPTION, **instead: object
) -> Iterator[TrafficManagerManagementClient]:
    """A client of Traffic Manager."""
    options = site.options(**instead)
    with TrafficManagerManagementClient(credential or site.by_secret(), subscription, **options) as client:
        yield client


def _server_side(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@functools.cache
def client_certificate() -> tuple[bytes, str]:
    """A certificate to log in with: key and certificate for the client, and the certificate to register (PEM)."""
    leaf = authority().issue_cert("failoverd.example.test", key_type=trustme.KeyType.RSA)
    certificate = leaf.cert_chain_pems[0].bytes()
    return leaf.private_key_pem.bytes() + certificate, certificate.decode()


@functools.cache
def private_key() -> str:
    """The key of an issuer of federated tokens, PEM."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()  # fmt: skip


@functools.cache
def public_key() -> str:
    """The public half of `private_key`, PEM."""
    key = serialization.load_pem_private_key(private_key().encode(), None).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
