"""PagerDuty, through its Events API v2: `trigger` and `resolve` with a stable `dedup_key`, one event a request.

The same key as long as the trouble lasts: a trigger that is told again belongs to the alert that is open. A person
acknowledges in PagerDuty; nobody but its end resolves it.
"""

from collections.abc import Sequence
from hashlib import sha256
from socket import gethostname
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema

from failoverd.core.status import Notice
from failoverd.ports import Delivery, ReceiverKind
from failoverd.settings import FilePath, ReceiverSettings
from failoverd.telemetry.notifications.fields import (
    SEVERITIES,
    encoded,
    key_of,
    parse_url,
    place_of,
    read_secret,
    require_tls,
)
from failoverd.telemetry.times import rfc3339

_SERVICES: Final = {
    "us": "https://events.pagerduty.com/v2/enqueue",
    "eu": "https://events.eu.pagerduty.com/v2/enqueue",
}
_MOST_SUMMARY: Final = 1_024
_MOST_KEY: Final = 255
MOST_BYTES: Final = 512 * 1024


def _service(value: str) -> str:
    return _SERVICES[value] if value in _SERVICES else require_tls(parse_url(value))


class PagerDutySettings(ReceiverSettings):
    """One service of PagerDuty, by the key of its Events API v2 integration."""

    model_config = ConfigDict(hide_input_in_errors=True)

    pagerduty: Annotated[
        str,
        AfterValidator(_service),
        WithJsonSchema({"anyOf": [{"enum": [*_SERVICES]}, {"type": "string", "pattern": "^https?://"}]}),
    ] = Field(description="where the account lives, us or eu; or the whole URL of its Events API v2")
    routing_key_file: FilePath = Field(
        description="file with the integration's routing key alone; read anew for each request"
    )


class PagerDutyService:
    """Where events go."""

    batch = 1
    every: float | None = None
    pause = 0.2
    keyed = True

    def __init__(self, settings: PagerDutySettings, owner: str) -> None:
        self.place = place_of(settings.pagerduty)
        self._settings = settings
        self._owner = owner

    def delivery(self, notices: Sequence[Notice], at: float) -> Delivery:  # noqa: ARG002 - nothing here expires
        (notice,) = notices
        event = {
            "routing_key": read_secret(self._settings.routing_key_file),
            "event_action": "trigger" if notice.ended is None else "resolve",
            "dedup_key": dedup_key(notice, self._owner),
        }
        if notice.ended is None:
            event |= _payload(notice, self._owner)
        return Delivery(self._settings.pagerduty, encoded(event), ca_file=self._settings.ca_file)


def dedup_key(notice: Notice, owner: str) -> str:
    """The key in words; where these are too many, the first of them and a digest of all."""
    key = key_of(notice, owner)
    digest = sha256(key.encode()).hexdigest()[:32]
    return key if len(key) <= _MOST_KEY else f"{key[: _MOST_KEY - len(digest) - 1]} {digest}"


def _payload(notice: Notice, owner: str) -> dict[str, Any]:
    said = {
        "payload": {
            "summary": notice.summary[:_MOST_SUMMARY],
            "source": gethostname(),
            "severity": SEVERITIES[notice.severity],
            "timestamp": rfc3339(notice.since),
            "component": notice.subject,
            "group": notice.policy or owner,
            "class": notice.kind,
            "custom_details": {"incident_id": notice.incident_id, **notice.facts},
        },
        "client": "failoverd",
    }
    return said | ({"links": [{"href": notice.runbook, "text": "runbook"}]} if notice.runbook else {})


def _open(settings: PagerDutySettings, owner: str) -> list[PagerDutyService]:
    return [PagerDutyService(settings, owner)]


KIND = ReceiverKind(name="pagerduty", settings=PagerDutySettings, open=_open)
