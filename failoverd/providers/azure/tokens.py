"""Signing in: one access token for the whole provider, and what is wrong when there is none.

A token is valid for about an hour. It is fetched anew before that, and at once after Azure refused it, with the secret
that its file holds by then: so a rotation needs no restart. A token that still works is not thrown away because a file
changed: a broken new secret must not stop what the old one's token can do.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from azure.core.credentials import AccessTokenInfo, SupportsTokenInfo
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.identity import (
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    CredentialUnavailableError,
    DefaultAzureCredential,
    ManagedIdentityCredential,
)

from failoverd.core.errors import Permanent, ProviderError, Transient
from failoverd.files import FileVersion, require_regular
from failoverd.foreign import keep_secret, quoted
from failoverd.providers.azure.errors import Call, causes, credentials_invalid, edge
from failoverd.providers.azure.secret import read_secret, version_of
from failoverd.providers.azure.settings import AzureSettings, CredentialSettings
from failoverd.providers.shared.refusals import clock_skewed

SCOPE: Final = "https://management.azure.com/.default"
CONNECT_TIMEOUT: Final = 2

_EARLY = 300.0
"""Seconds before its end at which a token is replaced, as the SDK itself does."""

_LEAST = 30.0
"""Seconds that a new token is used for at least, however short its life."""

_NUMBER = re.compile(r"AADSTS(\d+)")
_CODE = re.compile(
    r"\b(?:invalid_(?:client|grant|request|resource|scope)|unauthorized_client|unsupported_grant_type|access_denied"
    r"|interaction_required|temporarily_unavailable|server_error)\b"
)
"""RFC 6749, section 5.2, and what Entra adds."""

_TELLING = {
    "7000215": "wrong client secret",
    "7000222": "the client secret has expired",
    "700016": "no such application in the tenant",
    "90002": "no such tenant",
    "700027": "wrong key or certificate",
    "70021": "no federated credential matches",
}
"""Entra's numbers as people meet them; https://login.microsoftonline.com/error?code=N explains each."""

_LINE_END = "\n"
_FAILED_ITSELF = re.compile(r"HTTP (?:Error|status): (?:429|5\d\d)")
_PASSING = frozenset({"90033", "90055", "90006", "90024", "50196"})
_CLOCK = frozenset({"700024", "500133"})
_BLOCKED = frozenset({"53003"})
_DISABLED = frozenset({"7000112", "50057", "5000224"})


class Tokens:
    """The token of one provider, shared by its threads."""

    def __init__(self, settings: AzureSettings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._token: AccessTokenInfo | None = None
        self._good_until = 0.0
        self._credential: SupportsTokenInfo | None = None
        self._version: FileVersion | None = None

    def current(self) -> str:
        """A token that Azure has not refused. Raises a ProviderError when there is none to be had."""
        with self._lock:
            if self._token is None or self._clock() >= self._good_until:
                self._token = self._next(self._token)
                keep_secret(self._token.token)
                self._good_until = max(self._token.expires_on - _EARLY, self._clock() + _LEAST)
            return self._token.token

    def refused(self, token: str) -> None:
        """Azure did not take it: sign in anew at the next call, with everything read again."""
        with self._lock:
            if self._token is not None and self._token.token == token:
                self._token = None
                self._drop()

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _next(self, last: AccessTokenInfo | None) -> AccessTokenInfo:
        """A new token; or the last one, while it is valid and there is none to be had."""
        try:
            return self._fetch()
        except ProviderError:
            if last is None or self._clock() >= last.expires_on:
                raise
            return last

    def _fetch(self) -> AccessTokenInfo:
        with _edge(Call("sign in", "azure_dns")):
            return self._signed_in().get_token_info(SCOPE)

    def _signed_in(self) -> SupportsTokenInfo:
        version = _version(self._settings.credential)
        if self._credential is None or version != self._version:
            self._drop()
            self._credential, self._version = _credential(self._settings), version
        return self._credential

    def _drop(self) -> None:
        if self._credential is not None:
            self._credential.close()
            self._credential = None


def _version(said: CredentialSettings | None) -> FileVersion | None:
    """Of the file that the credential is made from. A federated token is read at each use by itself."""
    path = None if said is None else said.client_secret_file or said.certificate_file
    return version_of(path) if path is not None else None


def _credential(settings: AzureSettings) -> SupportsTokenInfo:
    said, options = settings.credential, _options(settings)
    if said is None:
        return _chain(options)
    if said.managed_identity:
        options.pop("authority", None)
        return ManagedIdentityCredential(client_id=said.client_id, **options)
    tenant, client = str(said.tenant_id), str(said.client_id)
    if said.client_secret_file is not None:
        return ClientSecretCredential(tenant, client, read_secret(said.client_secret_file).decode(), **options)
    if said.certificate_file is not None:
        return _certificate(tenant, client, said.certificate_file, options)
    path = said.token_file or Path()
    return ClientAssertionCredential(tenant, client, lambda: read_secret(path).decode(), **options)


def _chain(options: dict[str, Any]) -> SupportsTokenInfo:
    """The standard chain, without what asks a person, and without the slow tools of developers but `az` itself."""
    return DefaultAzureCredential(
        exclude_interactive_browser_credential=True,
        exclude_broker_credential=True,
        exclude_shared_token_cache_credential=True,
        exclude_visual_studio_code_credential=True,
        exclude_powershell_credential=True,
        exclude_developer_cli_credential=True,
        process_timeout=5,
        **options,
    )


def _certificate(tenant: str, client: str, path: Path, options: dict[str, Any]) -> SupportsTokenInfo:
    try:
        return CertificateCredential(tenant, client, certificate_data=read_secret(path), **options)
    except ValueError:  # its words may quote the file
        raise Permanent(
            f"the certificate file {path} holds no usable certificate with its private key",
            reason="credentials_invalid",
            remedy="write both into it as PEM, the key not encrypted; no restart is needed",
        ) from None


def _options(settings: AzureSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "retry_total": 0,
        "connection_timeout": CONNECT_TIMEOUT,
        "read_timeout": settings.timeout,
    }
    if settings.ca_file is not None:
        require_regular(settings.ca_file)
        options["connection_verify"] = str(settings.ca_file)
    if settings.authority is not None:  # a cloud of one's own: nobody has to vouch for it
        options |= {"authority": settings.authority, "disable_instance_discovery": True}
    return options


# -- what is wrong when there is no token ------------------------------------------------------------------------------


@contextmanager
def _edge(call: Call) -> Iterator[None]:
    """Turns what signing in raises into one of the four kinds.

    The texts of its errors repeat what the authority answered, and it may answer with the request. So none is shown:
    only the number and the code that it gave.
    """
    try:
        with edge(call, (ClientAuthenticationError,)):
            yield
    except CredentialUnavailableError as error:
        raise _missing(call, error) from error
    except ClientAuthenticationError as error:
        inner = error.__cause__
        if isinstance(inner, ServiceRequestError | ServiceResponseError | OSError):  # wrapped by azure-identity
            with edge(call):
                raise inner from error
        raise _refused(call, error) from error


def _refused(call: Call, error: ClientAuthenticationError) -> ProviderError:
    """What the authority said, by its number ("Microsoft Entra authentication and authorization error codes")."""
    spoken = " ".join(str(cause) for cause in causes(error))
    found, named = _NUMBER.search(spoken), _CODE.search(spoken)
    number = found[1] if found else ""
    words = [named[0] if named else "", f"AADSTS{number}" if number else "", _TELLING.get(number, "")]
    said = f"{call}: the authority refuses it ({', '.join(filter(None, words)) or 'without a reason that is known'})"
    if number in _PASSING or (not number and _FAILED_ITSELF.search(spoken)):
        return Transient(
            f"{call}: the authority failed ({number or 'without a reason'})",
            reason="server_error",
            remedy="nothing to do: it is tried again; see Azure's status page if it stays",
        )
    if number in _CLOCK:
        return clock_skewed(said)
    if number in _BLOCKED:
        return Permanent(
            said,
            reason="permission_denied",
            remedy="have Conditional Access in Microsoft Entra let this application in from where failoverd runs",
        )
    if number in _DISABLED:
        return Permanent(
            said,
            reason="account_disabled",
            remedy="have the application or the account enabled again in Microsoft Entra, or use another one",
        )
    if not number and "DefaultAzureCredential failed" in error.message:
        return _missing(call, error)
    return credentials_invalid(said)


def _missing(call: Call, error: AzureError) -> Permanent:
    return Permanent(
        f"{call}: there are no usable Azure credentials ({quoted(error.message.partition(_LINE_END)[0], 300)})",
        reason="credentials_missing",
        remedy="give the host or the service account an identity, or name a file in `credential`",
    )
