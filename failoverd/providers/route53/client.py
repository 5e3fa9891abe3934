"""The only place that touches the AWS SDK. Its calls block, so they run in the account's threads.

The SDK's own retries are off and its time-outs short: `Account` retries. One client serves all threads. It
is built at the first call, and anew when a credentials file changes or a key stops working, so that a rotation needs no
restart. Roles are assumed as the profile says (`role_arn`, `source_profile`, `credential_source`), by the SDK.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import boto3  # type: ignore[import-untyped] # boto3 and botocore ship no types
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.loaders import create_loader  # type: ignore[import-untyped]
from botocore.session import Session  # type: ignore[import-untyped]

from failoverd.core.errors import Permanent
from failoverd.files import FileVersion
from failoverd.providers.route53.errors import Call, edge, name_error
from failoverd.providers.route53.names import absolute
from failoverd.providers.route53.paging import Page, Start
from failoverd.providers.route53.settings import Route53Settings
from failoverd.settings import expand_home

T = TypeVar("T")

THREADS: Final = 8
PAGE: Final = 300
"""Record sets in one page of a listing, which is the most that Route 53 gives."""

_CONNECT_TIMEOUT = 2
_STALE = frozenset({"credentials_invalid", "token_expired", "credentials_missing"})
"""What a new client may cure: somebody may have put other credentials into place."""


@cache
def _loader(data_path: str | None) -> Any:  # noqa: ANN401 - the SDK has no types
    """The SDK's files on what services there are. To look for them takes longer than all else that makes a client."""
    return create_loader(data_path)


class Connection:
    """The SDK's client, as the credentials are now."""

    def __init__(self, provider: str, settings: Route53Settings) -> None:
        self.provider = provider
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None
        self._files: tuple[Path, ...] = ()
        self._versions: tuple[FileVersion | None, ...] = ()

    def client(self) -> Any:  # noqa: ANN401 - the SDK has no types
        with self._lock:
            if self._client is None or self._versions != tuple(map(FileVersion.if_there, self._files)):
                self._drop()
                self._client = self._build()
            return self._client

    def forget(self, client: Any) -> None:  # noqa: ANN401
        """Build a new client at the next call, unless somebody did already."""
        with self._lock:
            if self._client is client:
                self._drop()

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        """Calls that are under way keep their connections until they end."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _build(self) -> Any:  # noqa: ANN401
        settings = self._settings
        if settings.ca_file is not None and not settings.ca_file.is_file():
            raise _no_ca_file(self.provider, settings.ca_file)
        own_file = settings.credentials_file is not None  # then no key from the environment goes before it
        session = Session(profile=settings.profile or ("default" if own_file else None))
        if own_file:
            session.set_config_variable("credentials_file", str(settings.credentials_file))
        self._files = tuple(
            expand_home(Path(session.get_config_variable(name))) for name in ("credentials_file", "config_file")
        )
        self._versions = tuple(map(FileVersion.if_there, self._files))
        session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=_CONNECT_TIMEOUT,
            read_timeout=settings.timeout,
            max_pool_connections=THREADS,
        )
        session.set_default_client_config(config)  # the client that assumes a role takes it from here
        client = boto3.Session(botocore_session=session, region_name=settings.region).client(
            "route53",
            endpoint_url=settings.endpoint,
            verify=str(settings.ca_file) if settings.ca_file is not None else None,
        )
        client.meta.events.register("response-received", name_error)
        return client


class Reader:
    """What may be asked. It has no way to change anything: a dry run gets this one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def zones(self, name: str) -> tuple[str, ...]:
        """The ids of the public hosted zones of this name (ListHostedZonesByName). One page holds a hundred."""

        def public(answer: Mapping[str, Any]) -> tuple[str, ...]:
            return tuple(
                each["Id"].removeprefix("/hostedzone/")
                for each in answer["HostedZones"]
                if each["Name"] == absolute(name) and not each.get("Config", {}).get("PrivateZone")
            )

        return self._ask("find the hosted zone " + name, "list_hosted_zones_by_name", public, DNSName=absolute(name))

    def page(self, zone_id: str, start: Start) -> Page:
        """Record sets from `start` on (ListResourceRecordSets)."""
        options = {"StartRecordType": start.type, "StartRecordIdentifier": start.identifier}
        return self._ask(
            f"read hosted zone {zone_id}",
            "list_resource_record_sets",
            lambda answer: Page.of(start, answer),
            HostedZoneId=zone_id,
            MaxItems=str(PAGE),
            StartRecordName=start.name,
            **{name: value for name, value in options.items() if value is not None},
        )

    def spread(self, change_id: str) -> bool:
        """Whether all servers of Route 53 have this change (GetChange)."""
        return self._ask(f"ask for change {change_id}", "get_change", _in_sync, Id=change_id)

    def _ask(self, what: str, operation: str, parse: Callable[[Mapping[str, Any]], T], **arguments: object) -> T:
        return self._call(Call(self._connection.provider, what), operation, parse, arguments)

    def _call(
        self, call: Call, operation: str, parse: Callable[[Mapping[str, Any]], T], arguments: Mapping[str, object]
    ) -> T:
        """Make one request and read its answer."""
        client = None
        try:
            with edge(replace(call, writes=False)):
                client = self._connection.client()
            with edge(call):
                return parse(getattr(client, operation)(**arguments))
        except Permanent as error:
            if error.reason in _STALE:
                self._connection.forget(client)
            raise


class Writer(Reader):
    """A reader that may write, too."""

    def change(self, zone_id: str, actions: Sequence[Mapping[str, Any]]) -> str:
        """Do all of these actions or none (ChangeResourceRecordSets). Returns the id of the change."""
        call = Call(self._connection.provider, f"change hosted zone {zone_id}", writes=True)
        batch = {"Comment": f"failoverd, provider {self._connection.provider}"[:256], "Changes": list(actions)}
        arguments = {"HostedZoneId": zone_id, "ChangeBatch": batch}
        return self._call(call, "change_resource_record_sets", _change_id, arguments)


def _in_sync(answer: Mapping[str, Any]) -> bool:
    return bool(answer["ChangeInfo"]["Status"] == "INSYNC")


def _change_id(answer: Mapping[str, Any]) -> str:
    return str(answer["ChangeInfo"]["Id"]).removeprefix("/change/")


def _no_ca_file(provider: str, path: Path) -> Permanent:
    return Permanent(
        f"provider {provider} cannot use Route 53: there is no file {path}",
        reason="ca_file_missing",
        remedy="correct `ca_file`, or let the user that failoverd runs as read it",
    )
