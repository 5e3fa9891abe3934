"""Who sent a request: OCI's signatures, which follow the draft "Signing HTTP Messages" with RSA and SHA-256.

Source: "Request Signatures" in the OCI API documentation. A body is covered by its hash, its length and its type; the
date may be five minutes off.
"""

import base64
import binascii
import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime

from clouds.oci_rest import OciError
from clouds.serving import Request
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SKEW = 300  # seconds
ALWAYS = frozenset({"date", "(request-target)", "host"})
WITH_BODY = ALWAYS | {"content-length", "content-type", "x-content-sha256"}
INCORRECT = "The required information to complete authentication was not provided or was incorrect."


@dataclass
class User:
    """Somebody who may sign. `keys`: PEM of the public key by fingerprint; `denied`: permissions that are missing."""

    id: str
    keys: dict[str, str]
    active: bool = True
    denied: set[str] = field(default_factory=set)


@dataclass
class Tenancy:
    """`active` is False while Oracle has suspended the account: keys are known, and nothing is to be found."""

    id: str
    users: dict[str, User]
    active: bool = True


def authenticate(request: Request, tenancy: Tenancy, now: float) -> User:
    """The user whose key signed this request; anything that is not right is the same 401, as OCI answers it."""
    said = _parameters(request.headers.get("authorization", ""))
    _check_coverage(said, request)
    _check_date(request.headers.get("x-date") or request.headers.get("date", ""), now)
    user, key = _signer(said["keyId"], tenancy)
    _check_body(request)
    _check_signature(said, request, key)
    return user


def _refusal(message: str = INCORRECT) -> OciError:
    return OciError(401, "NotAuthenticated", message)


def _parameters(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    said = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    if scheme.lower() != "signature" or not {"algorithm", "headers", "keyId", "signature"} <= set(said):
        raise _refusal()
    if said["algorithm"] != "rsa-sha256" or said.get("version", "1") != "1":
        raise _refusal()
    return said


def _check_coverage(said: Mapping[str, str], request: Request) -> None:
    covered = {name.replace("x-date", "date") for name in said["headers"].split()}
    needed = WITH_BODY if request.method in {"POST", "PUT", "PATCH"} else ALWAYS
    if not needed <= covered:
        raise _refusal()


def _check_date(date: str, now: float) -> None:
    try:
        at = parsedate_to_datetime(date).timestamp()
    except ValueError:
        raise _refusal() from None
    if abs(now - at) > SKEW:
        raise _refusal(f"Date '{date}' is not within allowed clock skew. Current '{formatdate(now, usegmt=True)}'")


def _signer(key_id: str, tenancy: Tenancy) -> tuple[User, str]:
    parts = key_id.split("/")
    if len(parts) != 3:
        raise _refusal()
    tenancy_id, user_id, fingerprint = parts
    user = tenancy.users.get(user_id)
    if tenancy_id != tenancy.id or user is None or not user.active:
        raise _refusal()
    key = user.keys.get(fingerprint)
    if key is None:
        raise _refusal()
    return user, key


def _check_body(request: Request) -> None:
    if request.method not in {"POST", "PUT", "PATCH"}:
        return
    digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
    if request.headers.get("x-content-sha256") != digest:
        raise _refusal()
    if request.headers.get("content-length") != str(len(request.body)):
        raise _refusal()


def _check_signature(said: Mapping[str, str], request: Request, key: str) -> None:
    lines = [_line(name, request) for name in said["headers"].split()]
    try:
        signature = base64.b64decode(said["signature"], validate=True)
        _public_key(key).verify(signature, "\n".join(lines).encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error):
        raise _refusal() from None


def _line(name: str, request: Request) -> str:
    if name == "(request-target)":
        return f"{name}: {request.method.lower()} {request.target}"
    if name not in request.headers:
        raise _refusal()
    return f"{name}: {request.headers[name]}"


@functools.cache
def _public_key(pem: str) -> rsa.RSAPublicKey:
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("OCI signs with RSA")
    return key
