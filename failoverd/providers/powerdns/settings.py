"""What a configuration file says about one PowerDNS.

    server: 192.0.2.1                      # with `key`: written by RFC 2136, which is fenced
    key: {name: failoverd, secret_file: /etc/failoverd/tsig.key}
    api: {url: "https://192.0.2.1:8081", key_file: /etc/failoverd/powerdns.key}

`server` and `key` alone read the zone by transfer. With `api` as well they read one name through the API, which is
cheaper in a long zone, and still write fenced. `api` alone reads and writes through the API, which has no condition.
"""

from dataclasses import replace
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from failoverd.core.records import Capabilities, Fence
from failoverd.providers.dnsupdate.settings import NEEDS_KEY, TsigSettings
from failoverd.settings import WHO_IS_ASKED, Duration, FilePath, Needed, ProviderSettings, Server, Settings


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise ValueError("a URL with a password in it does not belong in this file: name a file with `key_file`")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{value[:80]!r} is no address of an API: write it like https://192.0.2.1:8081")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(f"{value[:80]!r} has no valid port: write it like https://192.0.2.1:8081") from None
    return value.rstrip("/")


class ApiSettings(Settings):
    """The HTTP API of PowerDNS (`api=yes`, `webserver=yes`)."""

    model_config = ConfigDict(hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_url)] = Field(description="where the API listens, without /api/v1")
    key_file: FilePath = Field(description="file with the API key alone; read anew when it changes")
    server: str = Field(
        default="localhost", pattern=r"^[A-Za-z0-9_.-]+$", description="the id of the server in its API"
    )
    ca_file: FilePath | None = Field(default=None, description="certificates to trust instead of the system's (PEM)")

    @model_validator(mode="before")
    @classmethod
    def _no_inline_key(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the file said
        if isinstance(data, dict) and {"key", "api_key", "secret"} & data.keys():
            raise ValueError(
                "an API key does not belong in this file, which is read, reviewed and committed: put it in a file of "
                "its own that only the service can read, name that file with `key_file`, and make a new key, for this "
                "one may have been seen"
            )
        return data

    @model_validator(mode="after")
    def _ca_needs_tls(self) -> Self:
        if self.ca_file is not None and not self.url.startswith("https:"):
            raise ValueError("`ca_file` has no meaning for a URL without TLS: write https://")
        return self


class PowerdnsSettings(ProviderSettings):
    """A PowerDNS that serves LUA records (`enable-lua-records=yes`)."""

    model_config = ConfigDict(hide_input_in_errors=True)

    server: Server | None = Field(
        default=None,
        description="the primary server, for updates by RFC 2136: an IP address, and a port unless it is 53",
    )
    key: TsigSettings | None = Field(default=None, description="the TSIG key of the updates")
    api: ApiSettings | None = Field(
        default=None, description="its HTTP API: to read by, and to write by without `server`"
    )
    timeout: Duration = Field(default=2.0, gt=0, description="one deadline for each read and each write")

    @model_validator(mode="after")
    def _one_way_at_least(self) -> Self:
        if (self.server is None) != (self.key is None):
            raise ValueError("`server` and `key` belong together: updates by RFC 2136 are signed")
        if self.server is None and self.api is None:
            raise ValueError("say how to write: `server` and `key` (RFC 2136, fenced), or `api` (HTTP, not fenced)")
        return self

    def narrowed(self, capabilities: Capabilities) -> Capabilities:
        """The API has no condition."""
        return capabilities if self.server is not None else replace(capabilities, fence=Fence.CHECKED_BEFORE)


NEEDS: Final = (
    Needed(
        "server",
        "the server, for updates by RFC 2136, which refuse a stale writer: its address; nothing: by the HTTP API",
        optional=True,
    ),
    *(replace(each, only_with="server") for each in NEEDS_KEY),
    Needed("api.url", "where its HTTP API listens", "http://127.0.0.1:8081", unless="server"),
    Needed(
        "api.key_file",
        "the file with the key of that API",
        "powerdns.key",
        make="install -m 600 /dev/stdin {file}  # paste what pdns.conf says as api-key, then Ctrl-D",
        unless="server",
    ),
    WHO_IS_ASKED,
)
