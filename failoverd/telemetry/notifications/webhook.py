"""A webhook of one's own: one POST for each notice, in JSON that is versioned (`schema: 1`) and only ever grows."""

from collections.abc import Sequence
from typing import Any, Final, Self

from pydantic import ConfigDict, Field, model_validator

from failoverd.core.status import Notice
from failoverd.ports import Delivery, ReceiverKind
from failoverd.settings import FilePath, ReceiverSettings
from failoverd.telemetry.notifications.fields import Url, bearer, encoded, key_of, place_of, require_tls
from failoverd.telemetry.times import rfc3339

SCHEMA: Final = 1


class WebhookSettings(ReceiverSettings):
    """Any HTTP server that takes a POST and answers 2xx."""

    model_config = ConfigDict(hide_input_in_errors=True)

    webhook: Url = Field(description="the whole URL; what is secret in it belongs into `token_file`")
    token_file: FilePath | None = Field(
        default=None, description="file with a bearer token alone; read anew for each request"
    )

    @model_validator(mode="after")
    def _secrets_are_safe(self) -> Self:
        if self.token_file is not None:
            require_tls(self.webhook)
        return self


class Hook:
    """Where notices go."""

    batch = 1
    every: float | None = None
    pause = 0.0
    keyed = True

    def __init__(self, settings: WebhookSettings, owner: str) -> None:
        self.place = place_of(settings.webhook)
        self._settings = settings
        self._owner = owner

    def delivery(self, notices: Sequence[Notice], at: float) -> Delivery:  # noqa: ARG002 - nothing here expires
        (notice,) = notices
        settings = self._settings
        return Delivery(
            settings.webhook, encoded(message(notice, self._owner)), bearer(settings.token_file), settings.ca_file
        )


def message(notice: Notice, owner: str) -> dict[str, Any]:
    """One notice as programs read it. docs/notifications.md has the list of keys."""
    return {
        "schema": SCHEMA,
        "status": "firing" if notice.ended is None else "resolved",
        "key": key_of(notice, owner),
        "owner": owner,
        "kind": notice.kind,
        "severity": notice.severity,
        "policy": notice.policy,
        "subject": notice.subject,
        "member": notice.member,
        "summary": notice.summary,
        "since": rfc3339(notice.since),
        "ended": rfc3339(notice.ended) if notice.ended is not None else None,
        "incident_id": notice.incident_id,
        "runbook": notice.runbook,
        "facts": dict(notice.facts),
    }


def _open(settings: WebhookSettings, owner: str) -> list[Hook]:
    return [Hook(settings, owner)]


KIND = ReceiverKind(name="webhook", settings=WebhookSettings, open=_open)
