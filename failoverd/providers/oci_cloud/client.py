"""The only place that calls the OCI SDK. Its calls block, so they run in the account's threads.

The SDK's own retries and its circuit breaker, which all clients of a process would share, are off, and its time-outs
short: `Account` retries. Answers stay plain JSON, so that what the SDK does not know of is not lost when a
resource is written back. One client serves all threads. It is built at the first call, and anew when one of its files
changes or a key stops working, so that a rotation needs no restart.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import oci  # type: ignore[import-untyped] # the OCI SDK ships no types

from failoverd.core.errors import Permanent
from failoverd.files import FileVersion, require_regular
from failoverd.foreign import quoted
from failoverd.providers.oci_cloud.credentials import Credentials, config_file, load
from failoverd.providers.oci_cloud.errors import Call, edge
from failoverd.providers.oci_cloud.refusals import NOT_FOUND, permission_denied, zone_missing
from failoverd.providers.oci_cloud.settings import Auth, OciSettings

T = TypeVar("T")

THREADS: Final = 8
_CONNECT_TIMEOUT = 2
_STALE = frozenset({"credentials_invalid", "token_expired", "credentials_missing"})
"""What a new client may cure: somebody may have put other credentials into place."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What OCI answered: the JSON, and of the headers what anybody needs.

    `following` names the next page. `total` is how many items match in all, where it says so. `date` is OCI's own clock
    (RFC 9110, 6.6.1), or "".
    """

    data: Any
    etag: str
    following: str | None
    total: int | None
    date: str

    @classmethod
    def of(cls, response: Any) -> "Reply":  # noqa: ANN401 - the SDK has no types
        headers = response.headers
        total = headers.get("opc-total-items")
        return cls(
            response.data,
            headers.get("etag", ""),
            headers.get("opc-next-page"),
            int(total) if total is not None else None,
            headers.get("date", ""),
        )


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone as OCI knows it: both are OCIDs."""

    id: str
    compartment: str

    @classmethod
    def of(cls, reply: Reply) -> "Zone":
        return cls(str(reply.data["id"]), str(reply.data["compartmentId"]))


@dataclass(frozen=True)
class Ask:
    """One operation of the SDK's client. Options that are None are left out. `writes`: it changes something."""

    operation: str
    arguments: tuple[object, ...]
    options: Mapping[str, object] = field(default_factory=dict)
    writes: bool = False

    def of(self, client: Any) -> Reply:  # noqa: ANN401
        options = {name: value for name, value in self.options.items() if value is not None}
        return Reply.of(getattr(client, self.operation)(*self.arguments, **options))


class _Trusting(oci.base_client.OCIHTTPAdapter):  # type: ignore[misc] # the SDK has no types
    """TLS by the certificates of a file, whatever REQUESTS_CA_BUNDLE says: that would win over the session's own."""

    def __init__(self, ca_file: Path) -> None:
        super().__init__()
        self._ca_file = ca_file

    def send(self, request: object, **options: object) -> Any:  # noqa: ANN401
        require_regular(self._ca_file)
        return super().send(request, **{**options, "verify": str(self._ca_file)})


def _nowhere(_: object) -> None:
    """OCI redirects nobody: what does is a proxy or a portal, which is not followed, least of all with a signature."""


class Connection:
    """The SDK's client, as the credentials are now."""

    def __init__(self, provider: str, settings: OciSettings) -> None:
        self.provider = provider
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None
        self._expiring = False
        self._versions: dict[Path, FileVersion | None] = {}

    def call(self, what: str, ask: Ask, parse: Callable[[Reply], T]) -> T:
        """Make one request and read its answer. `what` completes "cannot .. at OCI". Raises ProviderError."""
        client = None
        try:
            client, expiring = self._current()
            with edge(Call(self.provider, what, ask.writes, expiring)):
                return parse(ask.of(client))
        except Permanent as error:
            if error.reason in _STALE:
                self._forget(client)
            raise

    def close(self) -> None:
        """Give the connections back. Calls that are under way end by themselves."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.base_client.session.close()

    def _current(self) -> tuple[Any, bool]:
        with self._lock:
            changed = any(FileVersion.if_there(path) != version for path, version in self._versions.items())
            if self._client is None or changed:
                credentials = load(self._settings)
                self._versions = {path: FileVersion.if_there(path) for path in credentials.files}
                self._client, self._expiring = self._build(credentials), credentials.expiring
            return self._client, self._expiring

    def _forget(self, client: Any) -> None:  # noqa: ANN401
        """Build a new client at the next call, unless somebody did already."""
        with self._lock:
            if self._client is client:
                self._client = None

    def _build(self, credentials: Credentials) -> Any:  # noqa: ANN401
        signer = {"signer": credentials.signer} if credentials.signer is not None else {}
        try:
            client = oci.dns.DnsClient(
                dict(credentials.config),
                service_endpoint=self._settings.endpoint,
                timeout=(_CONNECT_TIMEOUT, self._settings.timeout),
                retry_strategy=oci.retry.NoneRetryStrategy(),
                circuit_breaker_strategy=oci.circuit_breaker.NoCircuitBreakerStrategy(),
                skip_deserialization=True,
                **signer,
            )
        except (oci.exceptions.ClientError, OSError, ValueError) as error:
            raise _unusable(self._settings, error) from None
        client.base_client.session.get_redirect_target = _nowhere
        if self._settings.ca_file is not None:
            client.base_client.session.mount("https://", _Trusting(self._settings.ca_file))
        return client


class ZoneReader:
    """What every kind asks about a zone. It has no way to change anything."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def provider(self) -> str:
        return self._connection.provider

    def zone(self, zone: str) -> Zone:
        """The zone of this name or OCID (GetZone). Raises Permanent `zone_missing` when it is not to be seen."""
        try:
            return self._connection.call(f"find zone {zone}", Ask("get_zone", (zone,)), Zone.of)
        except Permanent as error:
            if error.reason != NOT_FOUND:
                raise
            raise zone_missing(zone, self.provider) from error

    def _in_zone(self, zone: str, what: str, ask: Ask, parse: Callable[[Reply], T]) -> T:
        """A request about something in this zone. When it is not found, one further look tells why, if anything can."""
        try:
            return self._connection.call(f"{what} of zone {zone}", ask, parse)
        except Permanent as error:
            if error.reason != NOT_FOUND:
                raise
            self.zone(zone)
            raise permission_denied(f"{error.detail} (the zone itself can be seen)") from error


def _unusable(settings: OciSettings, error: Exception) -> Permanent:
    """Whatever the SDK objects to is in the configuration, whose fields it names."""
    said = quoted(str(error)) if isinstance(error, oci.exceptions.InvalidConfig) else type(error).__name__
    where = config_file(settings) if settings.auth is Auth.CONFIG else f"`auth: {settings.auth}`"
    return Permanent(
        f"the OCI SDK takes neither the key nor the settings of {where}: {said}",
        reason="credentials_invalid",
        remedy="correct tenancy, user, fingerprint and region, and the private key in PEM with its pass phrase",
    )
