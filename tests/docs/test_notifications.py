"""docs/notifications.md is so: its examples load and are sent, its table is the one in the code, its commands run."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from clouds.hook import TOKEN, Hook
from clouds.pagerduty import ROUTING_KEY, PagerDuty
from clouds.serving import serving
from clouds.slack import PATH, Slack
from support.commands import CONFIG, answered, written
from support.manual import REAL_KINDS, ROOT, blocks
from support.notices import RUNBOOK, left

from failoverd.config.loader import load_config
from failoverd.telemetry.notifications import ledger, outbox, posting
from failoverd.telemetry.notifications.troubles import BY_KIND, TROUBLES
from failoverd.telemetry.notifications.webhook import message

PAGE = (ROOT / "docs" / "notifications.md").read_text()
AT = 1_793_848_327.345  # 2026-11-05T03:12:07.345Z
(EXAMPLE,) = blocks("notify", PAGE)


def test_the_example_loads_and_has_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "failoverd.yaml"
    path.write_text(CONFIG + EXAMPLE)
    loaded = load_config(path, REAL_KINDS)
    assert loaded.diagnostics == ()
    assert loaded.config is not None
    assert {entry.kind.name for entry in loaded.config.notify} == set(REAL_KINDS.receivers)


def test_the_table_of_kinds_is_the_one_in_the_code() -> None:
    rows = re.findall(r"^\| `([a-z._]+)` \| (warning|error) \|", PAGE, re.MULTILINE)
    assert dict(rows) == {each.name: str(each.severity or each.begins.level) for each in TROUBLES}
    assert len(rows) == len(BY_KIND) == len(TROUBLES)


def test_the_message_of_a_webhook_is_what_is_sent() -> None:
    (shown,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (notice,) = BY_KIND["region.left"].notices(replace(left(AT), undo=""), RUNBOOK)
    assert json.loads(shown) == message(notice, "prod")
    assert list(json.loads(shown)) == list(message(notice, "prod"))


def test_the_facts_that_the_page_names_are_those_that_there_are() -> None:
    (named,) = re.findall(r"Where there is any, it also has (.*?)\n\n", PAGE, re.DOTALL)
    words = set(re.findall(r"`(\w+)`", named))
    assert words >= {"why", "limits", "undo", "manual", "remedy", "rule_at"}
    assert words <= {"incident_id", "runbook", "why", "limits", "undo", "manual", "remedy", "rule_at"}


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"no answer in {posting.TIMEOUT:g} s" in PAGE
    assert f"at most {ledger.MOST:,} notices" in PAGE
    assert posting.MOST_PATIENCE == 300.0
    assert posting.MOST_READ == 2_048
    assert (outbox.TELL_AFTER, outbox.MOST_REFUSALS, outbox.ASIDE, ledger.GIVE_UP) == (3, 3, 300.0, 86_400.0)


async def test_the_commands_run_against_receivers_of_every_kind_that_needs_no_server(tmp_path: Path) -> None:
    pagerduty, slack, hook = PagerDuty(), Slack(), Hook(TOKEN)
    for name, text in {"pagerduty.key": ROUTING_KEY, "desk.token": TOKEN}.items():
        (tmp_path / name).write_text(text)
    with serving(pagerduty) as pager, serving(slack) as chat, serving(hook) as desk, serving(Hook()) as alerts:
        (tmp_path / "slack.url").write_text(chat.url + PATH)
        said = EXAMPLE.replace("/etc/failoverd/secrets", str(tmp_path))
        said = said.replace("pagerduty: us", f'pagerduty: "{pager.url}/v2/enqueue"')
        said = said.replace("https://desk.example.com", desk.url)
        said = re.sub(r"http://alerts-\d\.internal:9093", alerts.url, said)
        config = written(tmp_path / "etc", config=CONFIG + said)
        for line in re.findall(r"^failoverctl .*$", PAGE, re.MULTILINE):
            done = await answered(*shlex.split(line)[1:], "--config", config)
            assert done.code == 0, done.said
    assert [action for action, _ in pagerduty.log] == ["trigger", "resolve"] * 2
    assert pagerduty.open == {}
    assert [each["status"] for each in hook.got] == ["firing", "resolved"]
    assert len(slack.messages) == 2


@pytest.mark.parametrize("word", ["firing", "resolved"])
def test_the_words_of_status_are_those_that_are_sent(word: str) -> None:
    (notice,) = BY_KIND["region.left"].notices(left(AT), RUNBOOK)
    sent = {message(each, "prod")["status"] for each in (notice, replace(notice, ended=AT + 1))}
    assert f"`{word}`" in PAGE
    assert word in sent
