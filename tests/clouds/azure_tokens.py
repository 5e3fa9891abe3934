"""One Entra tenant: its applications with their credentials, and the access tokens that it signs.

The login endpoint issues tokens, the resource manager checks them; both hold the same `Directory`. Keys are PEM text
and bytes, so that a copy of the directory is one call of `copy.deepcopy`.
"""

import base64
import hashlib
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from jwt.types import Options

TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT = "22222222-2222-4222-8222-222222222222"
SECRET = "a-client-secret"  # noqa: S105 - the credential of a tenant that exists on loopback only
AUDIENCE = "https://management.azure.com"
RESOURCES = {AUDIENCE, "https://management.core.windows.net"}  # two names of the resource manager
# Times are checked against the directory's clock, audiences have an error of their own.
UNCHECKED: Options = {"verify_exp": False, "verify_iat": False, "verify_aud": False}
FEDERATED_AUDIENCE = "api://AzureADTokenExchange"


@dataclass
class Federation:
    """A federated credential: who else's tokens count as this application. `key` is the issuer's public key, PEM."""

    issuer: str
    subject: str
    key: str
    audience: str = FEDERATED_AUDIENCE


@dataclass
class App:
    """An application and its service principal.

    Attributes:
        secrets: each with the moment of its end (seconds since 1970), or None when it has none.
        certificates: PEM.
        enabled: disabled by an administrator when False.
        blocked: kept out by a conditional access policy.
        not_before: tokens issued before this moment are revoked.
    """

    client_id: str
    object_id: str
    secrets: dict[str, float | None] = field(default_factory=dict)
    certificates: list[str] = field(default_factory=list)
    federations: list[Federation] = field(default_factory=list)
    enabled: bool = True
    blocked: bool = False
    not_before: float = 0.0


@dataclass(frozen=True)
class Token:
    """What an access token says about its bearer."""

    client_id: str
    object_id: str


class BadToken(Exception):  # noqa: N818 - the resource manager makes its own error of it
    """A token that the resource manager does not take; `code` is the word that it has for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Directory:
    """The tenant. `lifetime`: of access tokens, in seconds."""

    def __init__(
        self, *, tenant: str = TENANT, lifetime: float = 3_600, clock: Callable[[], float] = time.time
    ) -> None:
        self.tenant = tenant
        self.lifetime = lifetime
        self.clock = clock
        self.apps: dict[str, App] = {}
        self.register(CLIENT, secret=SECRET)
        self._key = secrets.token_bytes(64)

    def register(self, client_id: str, *, secret: str | None = None) -> App:
        """Add an application."""
        app = App(client_id, str(uuid.uuid5(uuid.NAMESPACE_URL, client_id)))
        if secret is not None:
            app.secrets[secret] = None
        self.apps[client_id] = app
        return app

    def revoke(self, client_id: str = CLIENT) -> None:
        """All access tokens issued so far end now."""
        self.apps[client_id].not_before = self.clock()

    def issue(self, client_id: str = CLIENT, *, audience: str = AUDIENCE, tenant: str | None = None) -> str:
        """An access token."""
        now = self.clock()
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant or self.tenant}/",
            "tid": tenant or self.tenant,
            "appid": client_id,
            "oid": self.apps[client_id].object_id,
            "iat": now,
            "exp": now + self.lifetime,
        }
        return jwt.encode(claims, self._key, algorithm="HS256")

    def check(self, token: str) -> Token:
        """Who bears this token; raises BadToken."""
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"], options=UNCHECKED)
        except jwt.InvalidTokenError as error:
            raise BadToken("InvalidAuthenticationToken", "The access token is invalid.") from error
        if claims["tid"] != self.tenant:
            raise BadToken("InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer.")
        if claims["aud"].rstrip("/") not in RESOURCES:
            raise BadToken("InvalidAuthenticationTokenAudience", "The access token is for another audience.")
        if claims["exp"] <= self.clock():
            raise BadToken("ExpiredAuthenticationToken", "The access token expired.")
        app = self.apps.get(claims["appid"])
        if app is None or not app.enabled or claims["iat"] < app.not_before:
            raise BadToken("InvalidAuthenticationToken", "The access token has been revoked.")
        return Token(app.client_id, app.object_id)


def thumbprints(certificate: str) -> set[str]:
    """How an assertion may name this certificate (PEM): `x5t` is SHA-1, `x5t#S256` is SHA-256, in base64url."""
    der = x509.load_pem_x509_certificate(certificate.encode()).public_bytes(serialization.Encoding.DER)
    digests = (hashlib.sha1(der, usedforsecurity=False).digest(), hashlib.sha256(der).digest())
    return {base64.urlsafe_b64encode(digest).rstrip(b"=").decode() for digest in digests}


def public_key(certificate: str) -> str:
    """The public key of a certificate, PEM."""
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
