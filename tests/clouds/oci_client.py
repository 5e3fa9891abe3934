"""The real SDK's client for a local OCI: a key made once, short time-outs, no retries, no circuit breaker."""

import functools
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import oci  # type: ignore[import-untyped, unused-ignore]
from clouds.oci import TENANCY, USER, OciCloud
from clouds.serving import Endpoint, serving
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    """One key for the whole test session: making it costs more than a test."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@functools.cache
def private_pem() -> str:
    """The client's key, as OCI's configuration wants it."""
    return _key().private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption()).decode()  # fmt: skip


@functools.cache
def public_pem() -> str:
    public = _key().public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@functools.cache
def fingerprint() -> str:
    """MD5 of the public key's DER, in pairs: how OCI names keys."""
    der = _key().public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.md5(der, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def config(**instead: str) -> dict[str, str]:
    """The client's configuration, with some of it replaced."""
    return {
        "tenancy": TENANCY,
        "user": USER,
        "fingerprint": fingerprint(),
        "key_content": private_pem(),
        "region": "us-ashburn-1",
    } | instead


@functools.cache
def _signer(tenancy: str, user: str, fingerprint: str, key: str) -> oci.signer.Signer:
    """One for each user and key: OpenSSL proves that the key is one, which takes longer than a test."""
    return oci.signer.Signer(tenancy, user, fingerprint, None, private_key_content=key)


def dns_client(url: str, **instead: str) -> oci.dns.DnsClient:
    """A client of its own. Without a breaker named, the SDK shares one between all clients of the process."""
    settings = config(**instead)
    return oci.dns.DnsClient(
        settings,
        signer=_signer(*(settings[name] for name in ("tenancy", "user", "fingerprint", "key_content"))),
        service_endpoint=url,
        timeout=(2, 3),
        retry_strategy=oci.retry.NoneRetryStrategy(),
        circuit_breaker_strategy=oci.circuit_breaker.NoCircuitBreakerStrategy(),
    )


@contextmanager
def oci_serving(cloud: OciCloud) -> Iterator[Endpoint]:
    """Serve the cloud, with the session's key known to it."""
    cloud.user.keys[fingerprint()] = public_pem()
    with serving(cloud) as endpoint:
        yield endpoint
