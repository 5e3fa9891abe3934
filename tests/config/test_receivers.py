"""Receivers of notifications in the daemon's configuration: what is wrong with them is said at its place."""

from pathlib import Path

import pytest
from support.commands import CONFIG, failoverctl, written
from support.manual import REAL_KINDS

from failoverd.config.diagnostics import Diagnostic
from failoverd.config.loader import load_config

LINE = CONFIG.count("\n") + 2
"""Of the first receiver."""

SIGNED = "{token_file: /etc/token, "


def found(folder: Path, receiver: str) -> list[Diagnostic]:
    path = folder / "failoverd.yaml"
    path.write_text(f"{CONFIG}notify:\n  one: {receiver}\n")
    return list(load_config(path, REAL_KINDS).diagnostics)


@pytest.mark.parametrize(
    ("receiver", "column", "code", "words"),
    [
        ("{level: error}", 3, "FD210", 'receiver "one" does not say whom to tell'),
        ("{pagerdutty: us}", 3, "FD210", 'did you mean "pagerduty" instead of "pagerdutty"?'),
        ("{slack: /s, webhook: 'https://x.example'}", 20, "FD210", 'receiver "one" says slack and webhook'),
        ("{pagerduty: us}", 3, "FD202", "routing_key_file"),
        ("{pagerduty: mars, routing_key_file: /k}", 20, "FD204", "is no address"),
        ("{pagerduty: 'http://192.0.2.1/v2/enqueue', routing_key_file: /k}", 20, "FD204", "write https://"),
        ("{alertmanager: []}", 23, "FD204", ""),
        ("{alertmanager: ['alerts:9093']}", 24, "FD204", "is no address: write it like https://alerts.example.com"),
        ("{alertmanager: ['http://a:99999']}", 24, "FD204", "has no valid port"),
        ("{alertmanager: ['http://a'], every: 0s}", 44, "FD204", "from 1s to 1h"),
        (
            SIGNED + "alertmanager: ['https://a', 'http://192.0.2.1']}",
            8,
            "FD204",
            "a secret would go over the network",
        ),
        (SIGNED + "webhook: 'http://192.0.2.1'}", 8, "FD204", "a secret would go over the network"),
        ("{webhook: 'https://me:pw@x.example'}", 9, "FD209", "holds a secret"),
        ("{webhook: 'https://x.example', token: abcdefgh}", 39, "FD209", "holds a secret"),
        ("{webhook: 'https://x.example', level: info}", 46, "FD205", "is not one of warning, error"),
        ("{webhook: 'https://x.example', onyl: [shop]}", 39, "FD201", 'did you mean "only"?'),
        ("{slack: 'https://hooks.slack.example/services/T0/B0/x'}", 16, "FD204", "does not belong in this file"),
        ("pagerduty", 8, "FD203", "a mapping"),
    ],
)
def test_what_is_wrong_with_a_receiver_is_said_at_its_place(
    tmp_path: Path, receiver: str, column: int, code: str, words: str
) -> None:
    first, *_ = found(tmp_path, receiver)
    assert (first.line, first.code.value) == (LINE, code), first.render()
    assert first.column == column, first.render()
    assert words in first.render()


def test_no_secret_that_was_written_inline_is_shown(tmp_path: Path) -> None:
    for receiver in (
        "{slack: 'https://hooks.slack.example/services/T0/B0/verysecret'}",
        "{webhook: 'https://me:verysecret@x.example'}",
        "{pagerduty: us, routing_key: verysecretverysecret, routing_key_file: /k}",
    ):
        for each in found(tmp_path, receiver):
            assert "verysecret" not in each.message + each.hint, each.render()


@pytest.mark.parametrize(
    "receiver",
    [
        "{webhook: 'http://127.0.0.1:8080/in', token_file: /etc/token}",
        "{webhook: 'http://localhost/in', token_file: /etc/token}",
        "{alertmanager: ['http://192.0.2.1:9093'], every: 30s, only: ['*']}",
        "{pagerduty: eu, routing_key_file: /etc/key, ca_file: /etc/ca.pem}",
    ],
)
def test_these_are_fine(tmp_path: Path, receiver: str) -> None:
    assert found(tmp_path, receiver) == []


def test_a_secret_file_that_is_not_there_is_said_before_the_start(tmp_path: Path) -> None:
    config = written(tmp_path / "etc", config=f"{CONFIG}notify:\n  one: {{slack: /nonexistent/slack.url}}\n")
    done = failoverctl("check", "--config", config)
    assert done.code == 1
    assert f"{config}:{LINE}:16: error FD501: /nonexistent/slack.url cannot be read" in done.said
