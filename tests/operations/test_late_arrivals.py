"""What `plan` shows of a write that arrived late is what the daemon does: by whether the provider compares."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.sessions import Desk
from support.stage import API, target

from failoverd.config.drafts import ProviderEntry
from failoverd.core.control.drift import DriftKind
from failoverd.core.events import DriftDetected
from failoverd.providers import powerdns
from failoverd.telemetry import prose

API_ALONE = {"api": {"url": "http://127.0.0.1:8081", "key_file": Path("k")}}
BY_UPDATE = {"server": "127.0.0.1", "key": {"name": "k.test", "secret_file": Path("k")}}


@pytest.mark.parametrize(("way", "fenced"), [(API_ALONE, False), (BY_UPDATE, True), (API_ALONE | BY_UPDATE, True)])
def test_a_session_knows_whether_the_provider_of_a_record_compares(way: dict[str, object], *, fenced: bool) -> None:
    session, at = Desk(API).session(), target(API)
    settings = powerdns.PowerdnsSettings.model_validate({"kind": "powerdns", "zones": [at.zone], **way})
    entry = ProviderEntry(at.provider, powerdns.KIND, settings)
    session = replace(session, config=replace(session.config, providers={at.provider: entry}))
    assert session.estate(at, {}).fenced is fenced


def test_it_is_told_as_what_failoverd_had_sent() -> None:
    event = DriftDetected(
        at=0.0,
        policy="api",
        incident_id="",
        record="api.example.com A",
        provider="main",
        zone="example.com",
        found="192.0.2.1",
        expected="192.0.2.2",
        will="puts its own answer back",
        kind=DriftKind.LATE,
        decision_id="dec-1",
    )
    assert prose.say(event).startswith("what failoverd had sent before arrived late at api.example.com A at main: ")
