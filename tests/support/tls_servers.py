"""Certificates of all kinds, good and bad, for servers on loopback."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NAME = "api.example.test"


def tls_server(
    authority: trustme.CA, *names: str, since: datetime | None = None, until: datetime | None = None
) -> ssl.SSLContext:
    """A server whose certificate this authority has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_before=since, not_after=until).configure_cert(context)
    return context


def self_signed(name: str = NAME) -> ssl.SSLContext:
    """A server whose certificate nobody but itself has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    pem += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "both.pem"
        path.write_bytes(pem)
        context.load_cert_chain(path)
    return context


# -- chains ------------------------------------------------------------------------------------------------------------

FAR: Final = timedelta(days=300)


@dataclass(frozen=True)
class Chain:
    """What a server shows that an intermediate authority has certified.

    Attributes:
        root: PEM: whom clients trust.
        key: PEM: the server's own.
        shown: PEM: the server's certificate and those above it.
    """

    root: bytes
    key: bytes
    shown: bytes

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "all.pem"
            path.write_bytes(self.key + self.shown)
            context.load_cert_chain(path)
        return context


def chain(*, leaf: timedelta = FAR, intermediate: timedelta = FAR, root: timedelta = FAR) -> Chain:
    """Certificates for `NAME` that end so long from now.

    Behind them the server shows one more, as public ones do for years: the root signed by an older one that nobody
    trusts any more, which expired yesterday.
    """
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("old", "root", "intermediate", NAME)}

    def issued(name: str, by: str, until: timedelta) -> bytes:
        now = datetime.now(UTC)
        signer = keys[by]
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
            .public_key(keys[name].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + until)
            .add_extension(x509.BasicConstraints(ca=name != NAME, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(signer, hashes.SHA256())
            .public_bytes(Encoding.PEM)
        )

    expired = issued("root", "old", timedelta(days=-1))
    return Chain(
        root=issued("root", "root", root),
        key=keys[NAME].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        shown=issued(NAME, "intermediate", leaf) + issued("intermediate", "root", intermediate) + expired,
    )
