"""Where applications log in: the OpenID configuration and the token endpoint of one tenant (OAuth 2.0, RFC 6749 4.4).

Client credentials by secret, by an assertion signed with a registered certificate (RFC 7523), and by the assertion of
a federated issuer, as workload identity sends it. Errors carry the AADSTS numbers of the public list of them.
"""

import json
import time
import uuid
from collections.abc import Mapping
from urllib.parse import parse_qs

import jwt
from clouds.azure_rest import Json, seconds
from clouds.azure_tokens import RESOURCES, App, Directory, Federation, public_key, thumbprints
from clouds.serving import Request, Response
from jwt.types import Options

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SKEW = 300  # seconds that a clock may be off
# Times are checked against the directory's clock, audiences are named in errors of their own.
UNCHECKED: Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}


class LoginError(Exception):
    """A refused login. `number`: what stands behind AADSTS."""

    def __init__(self, status: int, error: str, number: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.number = number
        self.message = message


class AzureLogin:
    """The login endpoint of a directory."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    def answer(self, request: Request) -> Response:
        try:
            return _json(200, self._answer(request))
        except LoginError as error:
            return _refused(error)

    def throttled(self, retry_after: float | None) -> Response:
        refusal = _refused(LoginError(429, "temporarily_unavailable", 90055, "Too many requests."))
        headers = {"retry-after": seconds(retry_after)} if retry_after is not None else {}
        return Response(refusal.status, refusal.body, {**refusal.headers, **headers})

    def failed(self) -> Response:
        return _refused(LoginError(500, "server_error", 90033, "The login failed inside the service."))

    def _answer(self, request: Request) -> Json:
        tenant, _, rest = request.path.lstrip("/").partition("/")
        if tenant != self.directory.tenant:
            raise LoginError(400, "invalid_tenant", 90002, f"Tenant '{tenant}' not found.")
        base = f"https://{request.headers['host']}/{tenant}"
        match request.method, rest:
            case "GET", "v2.0/.well-known/openid-configuration":
                return _configuration(base, tenant)
            case "POST", "oauth2/v2.0/token":
                return self._token(_form(request), f"{base}/oauth2/v2.0/token")
        raise LoginError(404, "invalid_request", 900144, f"Nothing is served at {request.path}.")

    def _token(self, form: Mapping[str, str], endpoint: str) -> Json:
        if form.get("grant_type") != "client_credentials":
            raise LoginError(400, "unsupported_grant_type", 70003, "Only client credentials are served.")
        app = self.directory.apps.get(form.get("client_id", ""))
        if app is None:
            raise LoginError(400, "unauthorized_client", 700016, "The application was not found in the directory.")
        self._authenticate(app, form, endpoint)
        if not app.enabled:
            raise LoginError(400, "unauthorized_client", 7000112, f"Application '{app.client_id}' is disabled.")
        if app.blocked:
            raise LoginError(400, "access_denied", 53003, "A conditional access policy keeps the application out.")
        audience = _audience(form.get("scope", ""))
        lifetime = int(self.directory.lifetime)
        token = self.directory.issue(app.client_id, audience=audience)
        return {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token}

    def _authenticate(self, app: App, form: Mapping[str, str], endpoint: str) -> None:
        if "client_secret" in form:
            self._check_secret(app, form["client_secret"])
        elif form.get("client_assertion_type") == ASSERTION_TYPE:
            self._check_assertion(app, form.get("client_assertion", ""), endpoint)
        else:
            raise LoginError(401, "invalid_client", 7000216, "A client secret or a client assertion is required.")

    def _check_secret(self, app: App, secret: str) -> None:
        if secret not in app.secrets:
            raise LoginError(401, "invalid_client", 7000215, "The client secret is none of the application's.")
        end = app.secrets[secret]
        if end is not None and end <= self.directory.clock():
            raise LoginError(401, "invalid_client", 7000222, "The client secret has expired.")

    def _check_assertion(self, app: App, assertion: str, endpoint: str) -> None:
        try:
            header = jwt.get_unverified_header(assertion)
            claimed = jwt.decode(assertion, options={**UNCHECKED, "verify_signature": False})
        except jwt.InvalidTokenError as error:
            raise LoginError(401, "invalid_client", 50027, "The assertion is no JWT.") from error
        if claimed.get("iss") != app.client_id:
            self._check_federated(app, assertion, claimed)
            return
        named = {str(header.get(name)).rstrip("=") for name in ("x5t", "x5t#S256")}  # MSAL leaves the padding on
        certificate = next((each for each in app.certificates if thumbprints(each) & named), None)
        if certificate is None:
            raise LoginError(401, "invalid_client", 700027, "The certificate of the assertion is not registered.")
        self._check_signature(assertion, public_key(certificate))
        if claimed.get("aud") != endpoint:
            raise LoginError(401, "invalid_client", 700023, "The audience of the assertion is not this endpoint.")
        if claimed.get("sub") != app.client_id:
            raise LoginError(401, "invalid_client", 700021, "The subject of the assertion is not the application.")
        self._check_times(claimed)

    def _check_federated(self, app: App, assertion: str, claimed: Json) -> None:
        federation = _federation(app, claimed)
        self._check_signature(assertion, federation.key)
        self._check_times(claimed)

    def _check_signature(self, assertion: str, key: str) -> None:
        try:
            jwt.decode(assertion, key, algorithms=["RS256", "PS256", "ES256"], options=UNCHECKED)
        except jwt.InvalidTokenError as error:
            raise LoginError(401, "invalid_client", 700027, "The signature of the assertion is wrong.") from error

    def _check_times(self, claimed: Json) -> None:
        now = self.directory.clock()
        begin, end = _moment(claimed, "nbf", "iat"), _moment(claimed, "exp")
        if not begin - SKEW <= now < end + SKEW:
            message = f"The assertion is not within its valid time range: now {now:.0f}, from {begin}, to {end}."
            raise LoginError(401, "invalid_client", 700024, message)


def _federation(app: App, claimed: Json) -> Federation:
    """The federated credential that fits an assertion; the error tells which of the three does not fit."""
    fitting = [each for each in app.federations if each.issuer == claimed.get("iss")]
    if not fitting:
        raise LoginError(401, "invalid_client", 700211, "No federated identity record matches the issuer.")
    fitting = [each for each in fitting if each.subject == claimed.get("sub")]
    if not fitting:
        raise LoginError(401, "invalid_client", 700213, "No federated identity record matches the subject.")
    audiences = claimed.get("aud")
    given = audiences if isinstance(audiences, list) else [audiences]
    found = next((each for each in fitting if each.audience in given), None)
    if found is None:
        raise LoginError(401, "invalid_client", 700212, "No federated identity record matches the audience.")
    return found


def _moment(claimed: Json, *names: str) -> float:
    """The first of these claims that is a number; 0, long ago, when none is."""
    return next((float(claimed[name]) for name in names if isinstance(claimed.get(name), int | float)), 0.0)


def _configuration(base: str, tenant: str) -> Json:
    return {
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "tenant_region_scope": tenant[:2],
    }


def _audience(scope: str) -> str:
    resource, slash, name = scope.split(" ", maxsplit=1)[0].rpartition("/")
    if not slash or name != ".default":
        raise LoginError(400, "invalid_scope", 1002012, f"The scope {scope!r} is not valid: it must end in /.default.")
    if resource.rstrip("/") not in RESOURCES:
        raise LoginError(400, "invalid_resource", 500011, f"The resource principal {resource} was not found.")
    return resource


def _form(request: Request) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}


def _refused(error: LoginError) -> Response:
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    stamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    about = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
    body = {
        "error": error.error,
        "error_description": f"AADSTS{error.number}: {error.message} {about}",
        "error_codes": [error.number],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    return _json(error.status, body)


def _json(status: int, body: Json) -> Response:
    headers = {"content-type": "application/json; charset=utf-8", "cache-control": "no-store, no-cache"}
    return Response(status, json.dumps(body).encode(), headers)
