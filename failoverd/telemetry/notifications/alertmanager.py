"""Alertmanager, through its API v2: `POST /api/v2/alerts`, to every replica by itself, for they do not share it.

An alert is known by its labels, so these hold what stays the same for as long as the trouble lasts; all else is in the
annotations. An alert that is not told again ends by itself, so what lasts is told again every minute, each time with
an end four times as far away: Alertmanager's own `resolve_timeout` does not matter. The end of a trouble is an alert
whose end is past.

Alertmanager holds these times against its own clock. So they are told by the wall clock, and not by the daemon's, which
does not follow when that is set: alerts of a daemon that lags would be over before they began.
"""

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from failoverd.core.status import Notice
from failoverd.ports import Delivery, ReceiverKind
from failoverd.settings import Duration, FilePath, ReceiverSettings
from failoverd.telemetry.notifications.fields import (
    SEVERITIES,
    Url,
    bearer,
    encoded,
    place_of,
    require_tls,
)
from failoverd.telemetry.times import rfc3339

_LASTS: Final = 4
"""How often an alert may be missed before it ends by itself."""


def _often_enough(seconds: float) -> float:
    if not 1 <= seconds <= 3600:  # noqa: PLR2004 - the words say it
        raise ValueError("write a time from 1s to 1h")
    return seconds


class AlertmanagerSettings(ReceiverSettings):
    """One Alertmanager, with all of its replicas."""

    model_config = ConfigDict(hide_input_in_errors=True)

    alertmanager: tuple[Url, ...] = Field(
        min_length=1, max_length=8, strict=False, description="where each replica listens, without /api/v2"
    )
    token_file: FilePath | None = Field(
        default=None, description="file with a bearer token alone; read anew for each request"
    )
    every: Annotated[Duration, AfterValidator(_often_enough)] = Field(
        default=60.0,
        description="how often what lasts is told again; four times as long without, and it ends by itself",
    )

    @model_validator(mode="after")
    def _secrets_are_safe(self) -> Self:
        if self.token_file is not None:
            for url in self.alertmanager:
                require_tls(url)
        return self


class Replica:
    """One of them. `wall` is the clock that it shares with us."""

    wall: Callable[[], float] = staticmethod(time.time)
    batch = 64
    pause = 0.0
    keyed = True

    def __init__(self, url: str, settings: AlertmanagerSettings, owner: str) -> None:
        self.place = place_of(url)
        self.every: float | None = settings.every
        self._url = f"{url}/api/v2/alerts"
        self._lasts = settings.every * _LASTS
        self._settings = settings
        self._owner = owner

    def delivery(self, notices: Sequence[Notice], at: float) -> Delivery:
        behind = round(self.wall() - at)  # whole seconds, so that the beginning of an alert stays what it was
        body = encoded([self._alert(notice, at, behind) for notice in notices])
        return Delivery(self._url, body, bearer(self._settings.token_file), self._settings.ca_file)

    def _alert(self, notice: Notice, at: float, behind: int) -> dict[str, Any]:
        ends = notice.ended if notice.ended is not None else at + self._lasts
        return {
            "labels": labels(notice, self._owner),
            "annotations": _annotations(notice),
            "startsAt": rfc3339(notice.since + behind),
            "endsAt": rfc3339(max(ends, notice.since) + behind),
        }


def labels(notice: Notice, owner: str) -> dict[str, str]:
    """What Alertmanager knows the alert by. Nothing in it changes while the trouble lasts."""
    words = notice.kind.replace(".", "_").split("_")
    found = {
        "alertname": "Failoverd" + "".join(word.capitalize() for word in words),
        "kind": notice.kind,
        "member": notice.member,
        "owner": owner,
        "policy": notice.policy,
        "severity": SEVERITIES[notice.severity],
        "subject": notice.subject,
    }
    return {name: value for name, value in found.items() if value}


def _annotations(notice: Notice) -> dict[str, str]:
    said = {
        "summary": notice.summary,
        "runbook_url": notice.runbook,
        "incident_id": notice.incident_id,
        **notice.facts,
    }
    return {name: value for name, value in said.items() if value}


def _open(settings: AlertmanagerSettings, owner: str) -> list[Replica]:
    return [Replica(url, settings, owner) for url in settings.alertmanager]


KIND = ReceiverKind(name="alertmanager", settings=AlertmanagerSettings, open=_open)
