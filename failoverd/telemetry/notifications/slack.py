"""Slack, through an incoming webhook: one message when a trouble begins or changes, and one when it is over.

Slack does not know a trouble by a key, so nothing is told again that was told. The URL is the secret, and stands in a
file of its own. `text` is what a notification on a phone shows; `blocks` are what stands in the channel.
"""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import ConfigDict, Field, field_validator

from failoverd.core.errors import FailoverdError
from failoverd.core.events import Level
from failoverd.core.status import Notice
from failoverd.ports import Delivery, ReceiverKind
from failoverd.settings import FilePath, ReceiverSettings
from failoverd.telemetry.notifications.fields import encoded, parse_url, read_secret, require_tls
from failoverd.telemetry.pasting import COMMANDS, whole

_MOST_TEXT: Final = 3_000
"""Characters of one block of text."""

_AROUND: Final = 20
"""Characters that stand around a command in its block."""

_MOST_FACT: Final = 450
"""Characters of one fact, so that there is room for all of them."""

_CUT: Final = " ... (cut: failoverctl status -v has all of it)"

_SHOWN: Final = ("why", "limits", "remedy", "rule_at", "until")


class SlackSettings(ReceiverSettings):
    """One channel, by the URL of its incoming webhook."""

    model_config = ConfigDict(hide_input_in_errors=True)

    slack: FilePath = Field(
        description="file with the URL of an incoming webhook alone, which is a secret; read anew for each request"
    )

    @field_validator("slack", mode="before")
    @classmethod
    def _no_inline_url(cls, value: object) -> object:
        if isinstance(value, str) and "://" in value:
            raise ValueError(
                "the URL of an incoming webhook is a secret and does not belong in this file: put it into a file of "
                "its own, name that file, and make a new webhook, for this one may have been seen"
            )
        return value


class Channel:
    """Where messages go."""

    batch = 1
    every: float | None = None
    pause = 1.0
    keyed = False
    place = "incoming webhook"

    def __init__(self, settings: SlackSettings, owner: str) -> None:
        self._settings = settings
        self._owner = owner

    def delivery(self, notices: Sequence[Notice], at: float) -> Delivery:  # noqa: ARG002 - nothing here expires
        (notice,) = notices
        file = self._settings.slack
        try:
            url = require_tls(parse_url(read_secret(file)))
        except ValueError:  # its words would show the secret
            raise FailoverdError(
                f"the file {file} holds no URL of an incoming webhook",
                reason="secret_invalid",
                remedy="write the URL that Slack shows into it, and nothing else; no restart is needed",
            ) from None
        return Delivery(url, encoded(message(notice, self._owner)), ca_file=self._settings.ca_file)


def message(notice: Notice, owner: str) -> dict[str, Any]:
    """What is in the channel: the sentence first, then what there is to know and to do."""
    mark = "resolved" if notice.ended is not None else "person needed" if notice.severity == Level.ERROR else "warning"
    about = " ".join(filter(None, (owner, notice.policy, notice.kind)))
    head = f"*{mark}* {_escaped(about)}\n{_escaped(notice.summary)}"
    facts = [f"{name}: {_short(notice.facts[name])}" for name in _SHOWN if name in notice.facts]
    blocks = [_block(head)]
    if facts and notice.ended is None:
        blocks.append(_block(f"```{_escaped(chr(10).join(facts))[: _MOST_TEXT - 6]}```"))
    if notice.ended is None:
        blocks += [_command(name, notice.facts[name]) for name in sorted(COMMANDS & notice.facts.keys())]
    if notice.runbook:
        blocks.append(_block(f"runbook: <{_escaped(notice.runbook)}>"))
    return {"text": f"{mark}: {_escaped(notice.summary)}"[:_MOST_TEXT], "blocks": blocks}


def _block(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_MOST_TEXT]}}


def _command(name: str, text: str) -> dict[str, Any]:
    return _block(f"{name}:\n```{whole(_escaped(text), _MOST_TEXT - _AROUND)}```")


def _short(text: str) -> str:
    """What is not whole says so."""
    return text if len(text) <= _MOST_FACT else text[: _MOST_FACT - len(_CUT)] + _CUT


def _escaped(text: str) -> str:
    """Slack's three control characters; and no text of others ends the block that it is in."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("```", "'''")


def _open(settings: SlackSettings, owner: str) -> list[Channel]:
    return [Channel(settings, owner)]


KIND = ReceiverKind(name="slack", settings=SlackSettings, open=_open)
