"""What the daemon's own configuration can say. A provider is described by its own kind: here it is a mapping."""

from ipaddress import ip_address
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from failoverd.config.locating import DEFAULT_JOURNAL, RUNTIME_SOCKET, SOCKET_NAME
from failoverd.config.schema.coordination import CoordinationEntry
from failoverd.config.schema.inventory_file import INVENTORY
from failoverd.config.values import (
    Name,
    Percent,
    Text,
    Version,
    within,
)
from failoverd.core.events import Level
from failoverd.core.health.isolation import IsolationRules
from failoverd.outgoing import Url, require_tls
from failoverd.settings import Duration, FilePath, Server, ServerAddress, Settings

_ISOLATION = IsolationRules()
_MAX_SENTINELS = 16
_MAX_RECEIVERS = 16
_MAX_SOURCES = 16


def _some_sentinels(points: int) -> int:
    if points == 0:
        raise ValueError("0% would be reached while every sentinel answers")
    return points


class LogEntry(Settings):
    """Where events are told."""

    format: Literal["auto", "json", "journal", "terminal"] = Field(
        default="auto",
        description="auto: for people on a terminal, native fields where journald reads, JSON lines elsewhere",
    )
    level: Level = Field(default=Level.INFO, strict=False, description="the least that is told")


class ProbingEntry(Settings):
    """How this daemon spreads its probes, and how many it makes at once."""

    slot: Annotated[Duration, AfterValidator(within("5ms", "200ms"))] = Field(
        default=0.02, description="probes that are due within this time are begun together"
    )
    jitter: Annotated[Duration, AfterValidator(within("0ms", "500ms"))] = Field(
        default=0.1, description="how much later than its time a probe may be begun, at random"
    )
    max_in_flight: int = Field(default=4_096, ge=1, le=100_000, description="probes under way at once, in all")
    max_per_target: int = Field(default=16, ge=1, le=1_000, description="probes under way at once to one address")


def parse_listen(value: object) -> object:
    """An IP address and a port, which have both to be said."""
    if not isinstance(value, str):
        raise ValueError('write an address with its port, such as "127.0.0.1:9464"')  # noqa: TRY004 - for the file
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or ("[" not in host and ":" in host):
        raise ValueError(f'{value[:80]!r} is no address with its port: write "127.0.0.1:9464" or "[::1]:9464"')
    return ServerAddress.parse(value)


Listen = Annotated[
    ServerAddress,
    BeforeValidator(parse_listen),
    WithJsonSchema({"type": "string", "examples": ["127.0.0.1:9464", "[::1]:9464"]}),
]


class MetricsEntry(Settings):
    """Where Prometheus finds the metrics."""

    listen: Listen = Field(
        default=ServerAddress("127.0.0.1", 9464), description="address and port; anybody who reaches it may read"
    )


def _not_at_home(value: str) -> str:
    if value.startswith("~"):
        raise ValueError(
            "`~` is another place for whoever calls failoverctl than for the daemon, which may have no home: write the "
            "absolute path"
        )
    return value


PathText = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"^[^\x00]+$"), AfterValidator(_not_at_home)]


class ApiTcpEntry(Settings):
    """The admin API for other machines: who asks has a token, or a certificate."""

    listen: Listen = Field(description="address and port; one that is not of this host alone needs a certificate")
    certificate_file: FilePath | None = Field(default=None, description="certificate of the API, with its chain (PEM)")
    key_file: FilePath | None = Field(default=None, description="its private key (PEM), without a passphrase")
    tokens_file: FilePath | None = Field(
        default=None, description="who may ask by a token: lines of name, role, SHA-256 of the token, expiry"
    )
    client_ca_file: FilePath | None = Field(
        default=None, description="who may ask by a certificate: those that are signed by one of these (PEM)"
    )
    operators: tuple[Text, ...] = Field(
        default=(),
        max_length=1_000,
        strict=False,
        description="common names of client certificates that may change something; others may read",
    )

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together: write both")
        if self.certificate_file is None and not ip_address(self.listen.address).is_loopback:
            raise ValueError(
                f"at {self.listen} anybody on the way could read the tokens: it needs certificate_file and key_file, "
                "or an address of this host alone, such as 127.0.0.1"
            )
        if self.certificate_file is None and self.client_ca_file is not None:
            raise ValueError("client certificates are shown in TLS alone: it needs certificate_file and key_file")
        if self.tokens_file is None and self.client_ca_file is None:
            raise ValueError("nobody could ask: it needs tokens_file or client_ca_file")
        return self


class ApiEntry(Settings):
    """Where operators reach the daemon. On this host the system says who asks."""

    socket: PathText | None = Field(
        default=None,
        description=f"the socket, relative to this file; {RUNTIME_SOCKET} beside the usual journal, or else "
        f"{SOCKET_NAME} in the journal's folder",
    )
    group: Text | None = Field(
        default=None, description="whose members may change something, by root's and the daemon's side; its own group"
    )
    others: Literal["read", "none"] = Field(default="read", description="what everybody else on this host may do")
    tcp: ApiTcpEntry | None = Field(default=None, description="the same for other machines; off without it")


class IsolationEntry(Settings):
    """When this vantage doubts itself instead of what it sees."""

    sentinels: Annotated[Percent, AfterValidator(_some_sentinels)] = Field(
        default=_ISOLATION.sentinels, description="share of the sentinels whose silence means that it is isolated"
    )
    window: Annotated[Duration, AfterValidator(within("1s", "5m"))] = Field(
        default=_ISOLATION.window, description="clouds that are lost within this time are lost together"
    )
    doubt: Annotated[Duration, AfterValidator(within("0s", "1h"))] = Field(
        default=_ISOLATION.doubt, description="how long such a loss is doubted while another cloud is well seen"
    )


def _file_name(value: str) -> str:
    if PurePosixPath(value).name != value or value in {".", ".."}:
        raise ValueError("it stands in the directory of the policies: write its name, without a directory")
    return value


class PrometheusEntry(Settings):
    """An HTTP API of Prometheus, or of what is compatible: Thanos, Mimir, VictoriaMetrics."""

    model_config = ConfigDict(hide_input_in_errors=True)

    url: Url = Field(description="its address, without /api/v1; what is secret belongs into bearer_file")
    bearer_file: FilePath | None = Field(
        default=None, description="file with a bearer token alone; read anew for each request"
    )
    ca_file: FilePath | None = Field(default=None, description="certificates to trust instead of the system's (PEM)")
    timeout: Annotated[Duration, AfterValidator(within("100ms", "30s"))] = Field(
        default=5.0, description="one deadline for a whole answer"
    )
    every: Annotated[Duration, AfterValidator(within("250ms", "10m"))] = Field(
        default=15.0, description="time between two questions; a reading is old after three of them"
    )

    @model_validator(mode="after")
    def _secrets_are_safe(self) -> Self:
        if self.bearer_file is not None:
            require_tls(self.url)
        return self


class ConfigFile(Settings):
    """The daemon's own configuration. Secrets stand in files of their own, which providers name."""

    version: Version
    owner: Name = Field(description="who this daemon is in ownership markers; one daemon has it")
    policies: PathText = Field(description="directory of policy files, relative to this file")
    inventory: Annotated[str, AfterValidator(_file_name)] = Field(
        default=INVENTORY, min_length=1, max_length=255, description="the inventory's name in that directory"
    )
    journal: PathText = Field(default=DEFAULT_JOURNAL, description="history (SQLite), relative to this file")
    providers: dict[Name, dict[str, Any]] = Field(min_length=1, description="DNS providers by name, each with its kind")
    sentinels: dict[Name, dict[str, Any]] = Field(
        default={},
        max_length=_MAX_SENTINELS,
        description="what should always be reachable, to judge this vantage by: an address, and one check of any kind",
    )
    check_files: tuple[FilePath, ...] = Field(
        default=(Path("/etc/failoverd/check-files"),),
        strict=False,
        max_length=64,
        description="folders, or files, whose content the checks of policies may send to endpoints; no other",
    )
    isolation: IsolationEntry = Field(
        default=IsolationEntry(), description="when this vantage doubts itself instead of what it sees"
    )
    probing: ProbingEntry = Field(default=ProbingEntry(), description="how probes are spread, and how many at once")
    metrics: MetricsEntry | None = Field(default=None, description="where Prometheus finds the metrics; off without it")
    notify: dict[Name, dict[str, Any]] = Field(
        default={},
        max_length=_MAX_RECEIVERS,
        description="who is told of what needs a person, by name: alertmanager, pagerduty, slack or webhook",
    )
    prometheus: dict[Name, PrometheusEntry] = Field(
        default={}, max_length=_MAX_SOURCES, description="who measures demand, capacity and errors, by name"
    )
    api: ApiEntry = Field(default=ApiEntry(), description="where operators reach the daemon")
    log: LogEntry = Field(default=LogEntry(), description="where events are told")
    tick: Annotated[Duration, AfterValidator(within("100ms", "1h"))] = Field(
        default=30.0, description="how often records are read back and drift is healed"
    )
    coordination: CoordinationEntry | None = Field(
        default=None, description="the other members, and where they agree; one daemon alone without it"
    )
    resolver: tuple[Server, ...] = Field(
        default=(), strict=False, max_length=8, description="servers that are asked for delegations; the system's"
    )
    dispute_after: Annotated[Duration, AfterValidator(within("1s", "1d"))] = Field(
        default=60.0, description="how long authoritative servers may take to agree with a change before it is said"
    )
    retention: Annotated[Duration, AfterValidator(within("1h", "3650d"))] = Field(
        default=7_776_000.0, description="how long the journal keeps history"
    )
