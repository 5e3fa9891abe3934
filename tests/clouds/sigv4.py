"""AWS Signature Version 4, the server's side: who signed this request, and was it really them.

Written from the public description of the signing process for the Authorization header: canonical request, string to
sign, derived key. A signature holds for five minutes around the server's clock, and only for the region and the
service that its scope names.
"""

import fnmatch
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from clouds.serving import Request

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = timedelta(minutes=5)
ANYTHING: Mapping[str, Any] = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_STAMP = "%Y%m%dT%H%M%SZ"
_CREDENTIAL = re.compile(r"([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")


class Refused(Exception):  # noqa: N818 - it is an answer, and no failure of this server
    """The request is not let in: the code and the words of the answer, and its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True)
class AccessKey:
    """One access key of an IAM user, or of a session when it has a token.

    `expires_at` (Unix seconds) is when the session ends. `policy` is an IAM policy document; a statement with a
    Condition is refused, because what is not understood must not allow anything.
    """

    key_id: str
    secret: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    policy: Mapping[str, Any] = field(default_factory=lambda: ANYTHING)
    user: str = "failoverd"

    def allows(self, action: str, resource: str) -> bool:
        """Whether a statement allows it, and none denies it."""
        effects = {
            str(each["Effect"]) for each in _listed(self.policy["Statement"]) if _concerns(each, action, resource)
        }
        return effects == {"Allow"}


def _listed(value: Any) -> Sequence[Any]:  # noqa: ANN401 - JSON: one thing, or a list of them
    return value if isinstance(value, list | tuple) else [value]


def _concerns(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    if unknown := set(statement) - {"Sid", "Effect", "Action", "Resource"}:
        raise ValueError(f"a policy statement has elements that this server does not evaluate: {sorted(unknown)}")
    return any(fnmatch.fnmatchcase(action.lower(), str(each).lower()) for each in _listed(statement["Action"])) and any(
        fnmatch.fnmatchcase(resource, str(each)) for each in _listed(statement["Resource"])
    )


@dataclass(frozen=True)
class _Claim:
    """What the Authorization header says."""

    key_id: str
    day: str
    region: str
    service: str
    signed: tuple[str, ...]
    signature: str

    @property
    def scope(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def verify(request: Request, keys: Mapping[str, AccessKey], *, service: str, region: str, now: float) -> AccessKey:
    """The key that signed this request; `now` is the server's clock in Unix seconds.

    Raises Refused in the order in which AWS looks: is there a signature, whose, how old, for what, is it right.
    """
    claim = _claimed(request)
    key = keys.get(claim.key_id)
    if key is None or request.headers.get("x-amz-security-token") != key.session_token:
        raise Refused("InvalidClientTokenId", "The security token included in the request is invalid.")
    _check_age(request, now)
    _check_scope(claim, request, service, region)
    if not hmac.compare_digest(signature(request, claim.signed, claim.scope, key.secret), claim.signature):
        raise Refused(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )
    if key.expires_at is not None and key.expires_at <= now:
        raise Refused("ExpiredToken", "The security token included in the request is expired")
    return key


def signature(request: Request, signed: Sequence[str], scope: str, secret: str) -> str:
    """The signature that a holder of the secret makes over this request."""
    canonical = hashlib.sha256(_canonical(request, signed).encode()).hexdigest()
    message = "\n".join((ALGORITHM, request.headers["x-amz-date"], scope, canonical))
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, message.encode(), "sha256").hex()


def _claimed(request: Request) -> _Claim:
    header = request.headers.get("authorization")
    if not header:
        raise Refused("MissingAuthenticationToken", "Missing Authentication Token")
    algorithm, _, rest = header.partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    credential = _CREDENTIAL.fullmatch(parts.get("Credential", ""))
    signed = tuple(parts.get("SignedHeaders", "").split(";"))
    if algorithm != ALGORITHM or credential is None or "Signature" not in parts:
        raise Refused("IncompleteSignature", f"Authorization header is not complete: {rest!r}", 400)
    must_sign = {"host", "x-amz-date"} | {name for name in request.headers if name.startswith("x-amz-")}
    if not must_sign <= set(signed) or not set(signed) <= set(request.headers):
        raise Refused("IncompleteSignature", "host and every x-amz header have to be there and to be signed", 400)
    key_id, day, region, service = credential.groups()
    return _Claim(key_id, day, region, service, signed, parts["Signature"])


def _check_age(request: Request, now: float) -> None:
    stamp = request.headers["x-amz-date"]
    try:
        made = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise Refused("IncompleteSignature", f"Date must be in ISO-8601 'basic format'. Got '{stamp}'.", 400) from None
    clock = datetime.fromtimestamp(now, UTC)
    if made < clock - SKEW:
        limit, here = (clock - SKEW).strftime(_STAMP), clock.strftime(_STAMP)
        raise Refused(
            "SignatureDoesNotMatch", f"Signature expired: {stamp} is now earlier than {limit} ({here} - 5 min.)"
        )
    if made > clock + SKEW:
        limit, here = (clock + SKEW).strftime(_STAMP), clock.strftime(_STAMP)
        raise Refused(
            "SignatureDoesNotMatch", f"Signature not yet current: {stamp} is still later than {limit} ({here} + 5 min.)"
        )


def _check_scope(claim: _Claim, request: Request, service: str, region: str) -> None:
    if claim.region != region:
        raise Refused("SignatureDoesNotMatch", f"Credential should be scoped to a valid region, not '{claim.region}'. ")
    if claim.service != service:
        raise Refused("SignatureDoesNotMatch", f"Credential should be scoped to correct service: '{service}'. ")
    if not request.headers["x-amz-date"].startswith(claim.day):
        raise Refused("SignatureDoesNotMatch", f"Date in Credential scope does not match: '{claim.day}'")


def _canonical(request: Request, signed: Sequence[str]) -> str:
    split = urlsplit(request.target)
    pairs = [part.partition("=")[::2] for part in split.query.split("&") if part]
    query = sorted((_encoded(name), _encoded(value)) for name, value in pairs)
    headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in sorted(signed))
    return "\n".join(
        (
            request.method,
            quote(split.path or "/", safe="/~"),  # encoded once more: every service but S3 does so
            "&".join(f"{name}={value}" for name, value in query),
            headers,
            ";".join(sorted(signed)),
            hashlib.sha256(request.body).hexdigest(),
        )
    )


def _encoded(part: str) -> str:
    return quote(unquote(part), safe="-_.~")
